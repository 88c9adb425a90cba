//! Runs the samplers for one round, or for as long as it was asked, and prints what they saw.

use super::picture::Picture;
use super::{json, table};
use crate::app::Pane;
use crate::base::{Fault, Now, Reading, Unknown};
use crate::roles::collect::Collector;
use crate::roles::query::Span;
use crate::roles::setup::Setup;
use crate::roles::validate::written;
use crate::store::History;
use crate::sys::host::Host;
use core::time::Duration;
use std::io::Write;

/// No attempt of a sampler takes longer.
const ROUND: Duration = Duration::from_millis(5_500);
/// Values that are differences of two answers are waited for so long.
const SECOND: Duration = Duration::from_millis(2_500);

/// Exit status: nothing is known, or nothing could be asked.
pub const UNKNOWN: u8 = 3;
/// Every exit status, for `--help`.
pub const STATUS: &str = "\
Exit status, as monitoring plugins have it, by the worst of all levels:
  0  OK or NOTE
  1  WARNING or BELOW NORMAL
  2  CRITICAL
  3  UNKNOWN: a sampler does not answer, a value is stale or missing, the profile
     has a fault or cannot be had, or the command line cannot be read
CRITICAL is worse than WARNING, WARNING than UNKNOWN, UNKNOWN than BELOW NORMAL.";

/// `watchkeeper snapshot …`
#[derive(Debug, clap::Args)]
pub struct Ask {
    /// Profile whose samplers are asked: a file, a folder, or a name on the search path [default: this host]
    #[arg(long, value_name = "PROFILE")]
    profile: Option<String>,
    /// Go on sampling for exactly so long (such as 3s), then tell the newest values [default: until every sampler has
    /// answered, once more where a rate needs two answers; 5.5s at most]
    #[arg(long, value_name = "SPAN")]
    wait: Option<Span>,
    /// Print JSON, in the form that --schema describes
    #[arg(long)]
    json: bool,
    /// Print the JSON Schema of --json, and nothing else
    #[arg(long, exclusive = true)]
    schema: bool,
}

/// Takes a snapshot and prints it. The exit status says the worst level.
///
/// # Errors
/// When the profile cannot be had, nothing can be started, or the output is gone.
pub fn run(ask: &Ask) -> Result<u8, Fault> {
    let mut out = std::io::stdout().lock();
    if ask.schema {
        return written(&mut out, &[json::SCHEMA.trim_end().to_owned()]).map(|()| 0);
    }
    let host = Host::current().name;
    let (mut collector, profile, mut setup) = Collector::all(ask.profile.as_deref(), host)?;
    let now = match ask.wait {
        Some(Span(span)) => collector.until(u32::MAX, span),
        None => {
            let first = collector.until(1, ROUND);
            refresh(&mut setup, &mut collector, first);
            if incomplete(&setup) { collector.until(2, SECOND) } else { first }
        }
    };
    refresh(&mut setup, &mut collector, now);
    let picture = Picture::new(&profile, &collector.store, &setup, now);
    let lines = if ask.json {
        vec![json::document(&picture, &setup.identity, now).to_string()]
    } else {
        table::lines(&picture, &setup.identity, now)
    };
    collector.leave();
    let said: Vec<String> = picture.faults.iter().map(|fault| format!("watchkeeper: {fault}")).collect();
    written(&mut std::io::stderr().lock() as &mut dyn Write, &said)?;
    written(&mut out, &lines).map(|()| picture.status())
}

fn refresh(setup: &mut Setup, collector: &mut Collector, now: Now) {
    setup.book.judge(&mut collector.store, now);
    setup.board.refresh(&collector.store, &History::new(false), &setup.book, now);
}

/// Whether a pane lacks a value that a second answer may bring.
fn incomplete(setup: &Setup) -> bool {
    let lacks = |reading: &Reading| matches!(reading, Reading::Unknown(Unknown::NoSuchSeries | Unknown::Empty));
    setup.board.panes.iter().flat_map(Pane::metrics).any(|metric| lacks(&metric.shown.reading))
}
