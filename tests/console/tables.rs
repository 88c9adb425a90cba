//! Series of a system found by a word, in the real console at its stand-in.

use crate::desk::Desk;
use crate::server::{say, serve};
use crate::shipped::{Part, Wanted};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use watchkeeper::base::Unit;

/// Panes of the profile at most.
const PANES: usize = 60;

#[test]
fn typing_a_word_shows_the_series_that_have_it_and_esc_all_of_them() {
    let desk = Desk::new();
    let mut pty = desk.start(&["demo", "--system", "cerebellar-norse"]);
    pty.wait_for("System Health 1/");
    for view in ["GPU and CPU", "Memory and disks", "Service and network"] {
        pty.send("V");
        pty.wait_for(view);
    }
    pty.send("z");
    // Without its value and age, which change by themselves.
    let title = |text: &str| {
        let (_, row) = text.split_once('▸')?;
        let own: String = row.chars().take_while(|letter| letter.is_alphabetic() || " (),".contains(*letter)).collect();
        Some(own.trim_end().to_owned())
    };
    // Help opens over what every key before it has done: a title that changes by itself is no step.
    for _ in 0..PANES {
        pty.send("?");
        pty.wait_for("─ KEYS ─");
        pty.send("\x1b");
        pty.wait("no help", |screen, _| !screen.contents().contains("─ KEYS ─"));
        if title(&pty.text()).is_some_and(|title| title.starts_with("Series")) {
            break;
        }
        pty.send("\t");
    }
    pty.wait_for("▸Series");
    pty.send("/latency");
    pty.wait_for("Find latency_");
    pty.wait("every row has the word, and several stand there", |screen, _| {
        let all = screen.contents();
        let rows: Vec<&str> = all.lines().skip_while(|row| !row.contains("Find latency")).skip(2).collect();
        let named: Vec<&&str> = rows.iter().filter(|row| row.contains('_')).collect();
        named.len() >= 3 && named.iter().all(|row| row.contains("latency"))
    });
    pty.send("\x1b");
    pty.wait("all of them", |screen, _| !screen.contents().contains("Find latency"));
    pty.send("q");
    assert_eq!(pty.status(), 0);
}

/// A page as the service has it: of what it counts, six lines are about latency.
const PAGE: &str = "neural_inference_latency_ns 812\nneural_inference_latency_p99_ns 1940\nneural_throughput_ops 41250\n\
    trading_order_fill_latency_ms 3.25\nmarket_feed_latency_ms{venue=\"north\"} 41\nmarket_feed_latency_ms{venue=\"south\"} 58\n\
    feed_latency_budget_us 10\nqueue_depth 7\n";

/// The page as it comes over the wire.
fn raw(at: &str) -> String {
    let mut stream = TcpStream::connect(at).unwrap();
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text.split_once("\r\n\r\n").unwrap().1.to_owned()
}

#[test]
fn each_series_that_a_word_finds_stands_with_the_value_of_the_raw_page() {
    let desk = Desk::new();
    let server = serve(|_, stream| {
        say(stream, "200 OK", "Content-Type: text/plain\r\n", PAGE);
        false
    });
    let mut part =
        Part::of("cerebellar-norse", &Wanted { panes: &["Series"], samplers: &["metrics"], ..Wanted::default() });
    part.without("samplers.metrics", &["ca", "server_name", "headers", "urls"]);
    part.set("samplers.metrics", "url", format!("http://{}/metrics", server.at));
    let pty = part.console(&desk, false);
    pty.wait_for("queue_depth");
    pty.send("z");
    pty.send("/latency");
    pty.wait_for("Find latency_");
    let page = raw(&server.at);
    let lines: Vec<(&str, f64)> = page
        .lines()
        .filter(|line| line.contains("latency"))
        .map(|line| line.rsplit_once(' ').map(|(series, value)| (series, value.parse().unwrap())).unwrap())
        .collect();
    assert_eq!(lines.len(), 6, "{page}");
    pty.wait("each of them with its value, and nothing else", |screen, _| {
        let all = screen.contents();
        let stands = |(series, value): &(&str, f64)| {
            let (name, label) = series.split_once('{').unwrap_or((series, ""));
            let label = label.split('"').nth(1).unwrap_or_default();
            let shown = Unit::Count.show(*value).clone();
            let is = |row: &&str| {
                row.contains(&format!("{name}{{"))
                    && row.contains(label)
                    && row.split([' ', '│']).any(|word| word == shown)
            };
            all.lines().any(|row| is(&row))
        };
        lines.iter().all(stands) && !all.contains("queue_depth") && !all.contains("neural_throughput_ops")
    });
}
