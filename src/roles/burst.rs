//! `watchkeeper burst`: a bounded number of probes at a bounded pace, their figures and their histogram.
//! Exit status: 0 when one was answered, 2 when none was, or when what was asked for is out of bounds.

use super::query::Span;
use super::validate::written;
use crate::base::{Fault, Unit};
use crate::samplers::{Burst, Figures, Outcome};
use core::time::Duration;
use std::io::Write;

/// Characters of the longest bar.
const WIDTH: u32 = 40;

/// Every exit status, for `--help`.
pub const STATUS: &str = "\
Exit status: 0 when at least one probe was answered, 2 when all were lost or nothing could be probed.
Example: watchkeeper burst tcp://127.0.0.1:6379 --count 20 --every 50ms";

/// `watchkeeper burst URL …`
#[derive(Debug, clap::Args)]
pub struct Ask {
    /// tcp://HOST:PORT or HOST:PORT (connects), http:// or https:// (fetches), ws:// or wss:// (pings over one connection)
    #[arg(value_name = "URL")]
    pub url: String,
    /// How many probes, 1000 at most
    #[arg(long, default_value_t = 100, value_name = "N")]
    pub count: u32,
    /// Pause from the start of one to the start of the next, 50ms at least
    #[arg(long, default_value = "100ms", value_name = "SPAN")]
    pub every: Span,
    /// A probe that takes longer is lost; 10s at most
    #[arg(long, default_value = "2s", value_name = "SPAN")]
    pub timeout: Span,
    /// Print JSON, all times in seconds
    #[arg(long)]
    pub json: bool,
}

/// Probes, then prints.
///
/// # Errors
/// What is out of bounds or no address, or that the output is gone.
pub fn run(ask: &Ask, out: &mut dyn Write) -> Result<u8, Fault> {
    let (Span(every), Span(deadline)) = (ask.every, ask.timeout);
    let burst = Burst::new(&ask.url, ask.count, every, deadline)?;
    let place = burst.place().to_string();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(2)
        .build()
        .map_err(|error| Fault::new(format!("no runtime: {error}.")))?;
    let outcome = runtime.block_on(burst.run());
    // A name service that hangs must not hold us.
    runtime.shutdown_background();
    let lines =
        if ask.json { vec![json(&place, &outcome).to_string()] } else { text(&place, every, deadline, &outcome) };
    written(out, &lines)?;
    Ok(if outcome.took.is_empty() { 2 } else { 0 })
}

fn show(seconds: f64) -> String {
    Unit::Seconds.show(seconds)
}

/// Seven figures, in the order in which they are told.
fn named(figures: &Figures) -> [(&'static str, f64); 7] {
    let Figures { mean, stdev, min, p50, p95, p99, max } = *figures;
    [("mean", mean), ("stdev", stdev), ("min", min), ("p50", p50), ("p95", p95), ("p99", p99), ("max", max)]
}

fn text(place: &str, every: Duration, deadline: Duration, outcome: &Outcome) -> Vec<String> {
    let [every, deadline] = [every, deadline].map(|span| show(span.as_secs_f64()));
    let (sent, lost) = (outcome.sent, outcome.lost);
    let s = if sent == 1 { "" } else { "s" };
    let mut lines = vec![format!("{place}: {sent} probe{s}, {every} apart, {deadline} each at most; {lost} lost")];
    lines.extend(outcome.cut_short.as_ref().map(|why| format!("cut short: {why}")));
    lines.extend(outcome.first_loss.as_ref().map(|why| format!("first loss: {why}")));
    let Some(figures) = outcome.figures() else { return lines };
    lines.push(String::new());
    lines.extend(named(&figures).map(|(name, value)| format!("{name:<6}{:>10}", show(value))));
    lines.push(String::new());
    let bins = outcome.histogram();
    let most = bins.iter().map(|bin| bin.count).max().unwrap_or(0).max(1);
    lines.extend(bins.iter().map(|bin| {
        // Whatever is there is seen.
        let bar = (bin.count * WIDTH).div_ceil(most) as usize;
        format!("{:>10} to {:>10}  {:>5}  {}", show(bin.from), show(bin.to), bin.count, "#".repeat(bar))
            .trim_end()
            .to_owned()
    }));
    lines
}

fn json(place: &str, outcome: &Outcome) -> serde_json::Value {
    let figures = outcome.figures().map(|figures| {
        named(&figures)
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect::<serde_json::Map<_, _>>()
    });
    let bins = outcome.histogram();
    let bins = bins.iter().map(|bin| serde_json::json!({ "from": bin.from, "to": bin.to, "count": bin.count }));
    serde_json::json!({
        "target": place,
        "sent": outcome.sent,
        "lost": outcome.lost,
        "first_loss": outcome.first_loss,
        "cut_short": outcome.cut_short,
        "seconds": figures,
        "histogram": bins.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Clean;

    #[test]
    fn figures_and_bars_stand_in_columns_and_losses_have_their_reason() {
        let outcome = Outcome {
            sent: 5,
            lost: 1,
            took: vec![0.001, 0.001, 0.002, 0.009],
            first_loss: Some(Clean::from("x:1 refused the connection.")),
            cut_short: None,
        };
        let lines = text("x:1", Duration::from_millis(100), Duration::from_secs(2), &outcome);
        assert_eq!(lines[0], "x:1: 5 probes, 100 ms apart, 2.00 s each at most; 1 lost");
        assert_eq!(lines[1], "first loss: x:1 refused the connection.");
        assert_eq!(lines[5], "min      1.00 ms");
        assert_eq!(lines[11], format!("   1.00 ms to    2.00 ms      2  {}", "#".repeat(40)));
        assert_eq!(lines[13], "   3.00 ms to    4.00 ms      0");
        assert_eq!(lines.len(), 19);
        let json = json("x:1", &outcome);
        assert_eq!(json.pointer("/seconds/max"), Some(&0.009.into()));
        assert_eq!(json.pointer("/histogram/0/count"), Some(&2.into()));
    }

    #[test]
    fn a_burst_without_an_answer_has_no_figures_and_its_own_status() {
        let ask = Ask {
            url: "tcp://127.0.0.1:1".to_owned(),
            count: 2,
            every: Span(Duration::from_millis(50)),
            timeout: Span(Duration::from_secs(1)),
            json: false,
        };
        let mut out = Vec::new();
        assert_eq!(run(&ask, &mut out), Ok(2));
        let text = String::from_utf8(out).expect("text");
        assert!(
            text.starts_with("127.0.0.1:1: 2 probes, 50.0 ms apart, 1.00 s each at most; 2 lost\nfirst loss: "),
            "{text}"
        );
        assert_eq!(text.lines().count(), 2);
    }
}
