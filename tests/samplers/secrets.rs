//! R15 for samplers: thirty secrets in ten encodings each, echoed by sources in every place that a sampler passes on,
//! and by samplers that fail, panic and speak: no sample tells one.

use crate::login::put_secret;
use crate::sampler;
use crate::server::{say, serve};
use core::fmt::Write;
use core::time::Duration;
use std::sync::Arc;
use watchkeeper::base::{Clean, Clock, Failure, Now, Observation, Point, Sample};
use watchkeeper::samplers::{Job, Mailbox, Observed, Sampler, Supervisor};
use watchkeeper::sys::bell::Bell;
use watchkeeper::sys::clock::RealClock;
use watchkeeper::sys::secret::Secret;

const CANARIES: usize = 30;

/// Each is one that a header can carry, with what encodings change.
fn canary(n: usize) -> String {
    format!("c4nary-{n:02}/\"q\\u+{}&=?~ z", "xyz".repeat(n % 4))
}

/// Written apart from the code under test.
fn encodings(value: &str) -> [String; 10] {
    let bytes = value.as_bytes();
    let each = |show: &dyn Fn(u8) -> String| bytes.iter().map(|byte| show(*byte)).collect::<String>();
    let kept = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let base64 = |last: [char; 2], lead: &str| {
        let text = format!("{lead}{value}");
        let bits: String = text.bytes().fold(String::new(), |mut bits, byte| {
            let _infallible = write!(bits, "{byte:08b}");
            bits
        });
        let alphabet: Vec<char> = ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(last).collect();
        let letter = |six: &[u8]| {
            let index = six.iter().chain(b"000000").take(6).fold(0, |sum, bit| sum * 2 + usize::from(bit - b'0'));
            alphabet.get(index).copied().unwrap_or_default()
        };
        bits.as_bytes().chunks(6).map(letter).collect::<String>()
    };
    [
        value.to_owned(),
        serde_json::to_string(value).expect("a text"),
        format!("{value:?}"),
        each(&|byte| if kept(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }),
        each(&|byte| format!("%{byte:02x}")),
        each(&|byte| format!("{byte:02x}")),
        each(&|byte| format!("{byte:02X}")),
        base64(['+', '/'], ""),
        base64(['-', '_'], "watch:"),
        value.chars().rev().collect(),
    ]
}

/// The first form of any that stands in the text, or the beginning that all of them have in the open.
fn betrays(text: &str) -> Option<String> {
    (0..CANARIES).find_map(|n| {
        let value = canary(n);
        let forms = encodings(&value);
        let whole = forms.iter().find(|form| text.contains(form.trim_matches('"'))).cloned();
        whole.or_else(|| text.contains("c4nary").then(|| "c4nary".to_owned()))
    })
}

/// Fails, panics or speaks as told.
struct Speaker(usize, &'static str);

impl Sampler for Speaker {
    fn observe(&mut self, _: Now) -> Observed<'_> {
        let (forms, n, what) = (encodings(&canary(self.0)), self.0, self.1);
        Box::pin(async move {
            match what {
                "fails" => Err(Failure::unreachable(format!("x: {}.", forms.join(" ")))),
                "panics" => panic!("x {}", one(&forms, n)),
                _ => Ok(Observation {
                    points: forms.iter().map(|form| Point::gauge("x", &[("a", form)], 1.0)).collect(),
                    facts: forms.iter().map(|form| (Clean::text(form), Clean::text(form))).collect(),
                    not_supported: forms.iter().map(|form| (Clean::text(form), Clean::text(form))).collect(),
                    refused: forms.iter().map(|form| (Clean::text(form), Clean::text(form))).collect(),
                }),
            }
        })
    }
}

/// A different encoding for each canary, where a sentence has room for one only.
fn one(forms: &[String; 10], n: usize) -> &str {
    forms.iter().cycle().nth(n).map_or("", String::as_str)
}

/// `/what/canary`: a source that echoes what it was sent.
fn echo(path: &str, stream: &mut std::net::TcpStream) -> bool {
    let mut parts = path.trim_start_matches('/').split('/');
    let (what, n) = (parts.next().unwrap_or_default(), parts.next().and_then(|n| n.parse().ok()).unwrap_or(0));
    let forms = encodings(&canary(n));
    let one = one(&forms, n);
    let json = "Content-Type: application/json\r\n";
    match what {
        "fields" => {
            let fields: serde_json::Map<_, _> = forms
                .iter()
                .enumerate()
                .flat_map(|(at, form)| [(form.clone(), at.into()), (format!("f{at}"), form.as_str().into())])
                .collect();
            say(stream, "200 OK", json, serde_json::Value::from(fields).to_string())
        }
        "status" => say(stream, "503 Service Unavailable", json, serde_json::json!({ "error": one }).to_string()),
        "away" => say(stream, "302 Found", &format!("Location: http://{}.invalid/\r\n", forms[5]), ""),
        "packed" => say(stream, "200 OK", &format!("Content-Encoding: {}\r\n", one.replace(['\n', '\r'], "")), "x"),
        _ => {
            let mut page = String::new();
            for form in &forms {
                let quoted = form.replace('\\', "\\\\").replace('"', "\\\"");
                let _infallible = writeln!(page, "m_{}{{l=\"a {quoted} z\"}} 1", forms[5]);
            }
            say(stream, "200 OK", "", page + "{\n")
        }
    }
}

#[test]
fn no_sample_tells_a_secret_whatever_a_source_or_a_sampler_says() {
    let server = serve(echo);
    let folder = tempfile::tempdir().expect("a folder");
    let mut jobs = Vec::new();
    let mut push = |name: String, sampler: Box<dyn Sampler>| {
        jobs.push(Job { name: name.into(), sampler, every: Duration::from_secs(60), timeout: None });
    };
    for n in 0..CANARIES {
        let path = folder.path().join(n.to_string());
        put_secret(&path, &canary(n));
        let file = format!("{{ file = \"{}\" }}", path.display());
        let login = match n % 3 {
            0 => format!("bearer = {file}"),
            1 => format!("basic = {{ user = \"watch\", password = {file} }}"),
            _ => format!("headers = {{ X-Key = {file} }}"),
        };
        let errors = ["status", "away", "packed"][n % 3];
        for (what, kind) in [("fields", "http"), (errors, "http"), ("labels", "scrape")] {
            let config = format!("url = \"http://{}/{what}/{n}\"\n{login}", server.at);
            push(format!("{what}-{n}"), sampler(kind, &config));
        }
    }
    for n in 0..10 {
        // Samplers of any kind, once the secret was read.
        drop(Secret::new(canary(n)));
        for what in ["fails", "panics", "speaks"] {
            push(format!("{what}-{n}"), Box::new(Speaker(n, what)));
        }
    }
    let count = jobs.len();
    let samples = run(jobs, count);
    let mut hidden = 0;
    for sample in &samples {
        let shown = told(sample);
        assert_eq!(betrays(&shown), None, "{}: {shown}", sample.sampler);
        hidden += usize::from(shown.contains("<redacted>"));
    }
    // What the source said is there, less the secret: nothing was hidden by hiding all.
    assert!(hidden >= count - 10, "{hidden} of {count}");
    let labels = samples.iter().find(|sample| &*sample.sampler == "labels-0").expect("sampled");
    assert!(told(labels).contains("a <redacted> z"), "{labels:?}");
}

fn run(jobs: Vec<Job>, count: usize) -> Vec<Sample> {
    let bell = Arc::new(Bell::default());
    let mailbox = Arc::new(Mailbox::new(Arc::clone(&bell)));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads");
    let _supervisor = Supervisor::start(jobs, Arc::clone(&mailbox), Arc::new(RealClock), 1, runtime.handle());
    let start = RealClock.now().mono;
    let mut samples: Vec<Sample> = Vec::new();
    while samples.len() < count {
        assert!(RealClock.now().mono.since(start) < Duration::from_secs(60), "{} of {count}", samples.len());
        bell.wait(Duration::from_secs(1), false);
        samples.extend(mailbox.drain());
    }
    runtime.shutdown_background();
    samples
}

/// All text of a sample, as it is shown: without the escapes of a debugger.
fn told(sample: &Sample) -> String {
    match &sample.outcome {
        Err(failure) => failure.what.to_string(),
        Ok(seen) => {
            let mut text = String::new();
            for point in &seen.points {
                let _infallible = write!(text, "{} ", point.key.name);
                for (name, value) in point.key.labels.iter() {
                    let _infallible = write!(text, "{name}={value} ");
                }
            }
            for (name, value) in seen.facts.iter().chain(&seen.not_supported).chain(&seen.refused) {
                let _infallible = writeln!(text, "{name}: {value}");
            }
            text
        }
    }
}
