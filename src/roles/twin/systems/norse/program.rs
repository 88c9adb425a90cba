//! The playing program: what it reads at its start, what it says, its models on the disk, who gets an answer.

use super::super::story::Saying;
use super::super::{Course, Door, Incident, Part, Run, certificate, due, file, folders};
use super::model::Model;
use super::settings::{SHIPPED, Settings};
use crate::base::{Fault, Mono, Now};
use crate::roles::twin::applog::AppLog;
use crate::roles::twin::endpoint::Reply;
use crate::roles::twin::window::Latencies;
use crate::sys::files::{hex, sha256};
use crate::sys::random::bits;
use core::time::Duration;
use hyper::body::Incoming;
use hyper::{Method, Request};
use serde_json::{Value, json};
use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// The API, and the metrics.
pub(in crate::roles::twin::systems) const PORTS: usize = 2;
pub(super) const API: usize = 0;

/// Items that are looked at in half a second.
const LOOKED_AT: usize = 100;
/// The log of the day before, on which nothing was said, and how long ago it was packed.
const EMPTY_GZIP: [u8; 20] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0];
const ARCHIVED: Duration = Duration::from_hours(6);
/// Models, and how large each is.
const MODELS: [&str; 4] = ["granule.bin", "purkinje.bin", "golgi.bin", "dcn.bin"];
const MODEL_BYTES: usize = 64 << 10;
/// The list of their checksums.
const SUMS: &str = "SHA256SUMS";
/// How often they are compared with it.
const COMPARED: Duration = Duration::from_secs(2);
/// What stands for the log of the kernel.
pub(super) const KERNEL: &str = "run/kernel.log";

/// The playing program.
pub(in crate::roles::twin::systems) struct Norse {
    pub(super) folder: PathBuf,
    pub(super) incident: Incident,
    pub(super) turn: u32,
    pub(super) began: Now,
    pub(super) seed: u64,
    pub(super) key: String,
    pub(super) model: Model,
    pub(in crate::roles::twin::systems) course: Course,
    pub(super) log: AppLog,
    kernel: AppLog,
    pub(super) latencies: Latencies,
    pub(super) counted: Counted,
    pub(super) weights: Weights,
    pub(super) ticks: u64,
}

/// Counters since the start.
#[derive(Debug, Default)]
pub(super) struct Counted {
    pub(super) items: f64,
    pub(super) seconds: f64,
    pub(super) errors: u64,
}

/// What the last look at the models gave.
#[derive(Debug)]
pub(super) struct Weights {
    pub(super) looked: Mono,
    pub(super) damaged: Vec<&'static str>,
    pub(super) harmed: bool,
}

/// Lays out configuration, key, certificate, rotation, models and training data; returns the settings of the profile.
///
/// # Errors
/// What the system said.
pub(in crate::roles::twin::systems) fn lay_out(
    folder: &Path,
    ports: &[u16],
    seed: u64,
    now: Now,
) -> io::Result<String> {
    folders(folder, &["etc/tls", "etc/backup", "log", "data/models", "data/training", "backup/models", "run"])?;
    certificate::make(&folder.join("etc/tls"), now.wall)?;
    file(&folder.join("etc/production.toml"), SHIPPED.as_bytes())?;
    file(&folder.join("etc/backup/production.toml"), SHIPPED.as_bytes())?;
    let rotation = format!("{}/log/*.log {{\n  daily\n  rotate 7\n  missingok\n  copytruncate\n}}\n", folder.display());
    file(&folder.join("etc/logrotate"), rotation.as_bytes())?;
    file(&folder.join("etc/api.key"), hex(&bits().to_be_bytes()).as_bytes())?;
    let mut sums = String::new();
    for (number, name) in MODELS.into_iter().enumerate() {
        let mut jitter = crate::base::backoff::Jitter(seed.wrapping_add(number as u64));
        let model: Vec<u8> = (0..MODEL_BYTES / 8).flat_map(|_| jitter.next().to_le_bytes()).collect();
        sums.extend([sha256(&model).as_str(), "  ", name, "\n"]);
        file(&folder.join("data/models").join(name), &model)?;
        file(&folder.join("backup/models").join(name), &model)?;
    }
    file(&folder.join("data/models").join(SUMS), sums.as_bytes())?;
    file(&folder.join("backup/models").join(SUMS), sums.as_bytes())?;
    let rows = |count: u32| {
        let rows = (0..count).map(|row| format!("{row},{}.{:02},{}\n", 100 + row % 7, row % 100, row % 2));
        core::iter::once("id,price,class\n".to_owned()).chain(rows).collect::<String>()
    };
    file(&folder.join("data/training/2026-10.csv"), rows(24_000).as_bytes())?;
    file(&folder.join("data/training/2026-11.csv"), rows(22_000).as_bytes())?;
    let archive = folder.join("log/application.log-1.gz");
    file(&archive, &EMPTY_GZIP)?;
    let packed = UNIX_EPOCH + Duration::from_nanos(now.wall.back(ARCHIVED).0.unsigned_abs());
    OpenOptions::new().write(true).open(archive)?.set_modified(packed)?;
    Ok(super::pages::settings(folder, ports))
}

impl Norse {
    /// Starts as the program does: says in its log what it could not read.
    ///
    /// # Errors
    /// A configuration that is refused, a log that cannot be written.
    pub(in crate::roles::twin::systems) fn start(run: Run<'_>) -> Result<Self, Fault> {
        let said = |what: &str, error: io::Error| Fault::new(format!("{what}: {error}."));
        let log = AppLog::at(run.folder.join("log/application.log"), run.began.mono);
        let mut log = log.map_err(|error| said("cannot open the log", error))?;
        let kernel = AppLog::at(run.folder.join(KERNEL), run.began.mono);
        let kernel = kernel.map_err(|error| said("cannot open what stands for the kernel's log", error))?;
        let settings = Settings::load(&run.folder.join("etc/production.toml")).inspect_err(|fault| {
            let line = line(run.began, "ERROR", "config", &format!("configuration refused: {fault}"), &json!({}));
            let _best_effort = log.write(run.began, &line);
        })?;
        let key = std::fs::read_to_string(run.folder.join("etc/api.key"));
        let key = key.map_err(|error| said("cannot read the key of the API", error))?.trim().to_owned();
        let mut norse = Self {
            folder: run.folder.to_owned(),
            incident: run.incident,
            turn: run.turn,
            began: run.began,
            seed: run.seed,
            key,
            model: Model::new(run.incident, run.seed, run.is_mended(), settings),
            course: run.course(),
            log,
            kernel,
            latencies: Latencies::default(),
            counted: Counted::default(),
            weights: Weights { looked: Mono(0), damaged: Vec::new(), harmed: run.turn > 0 },
            ticks: 0,
        };
        let Settings { granule_size, batch_size, cuda_streams, .. } = *norse.model.settings();
        let fields = json!({"granule_size": granule_size, "batch_size": batch_size, "cuda_streams": cuda_streams});
        norse.say(run.began, "INFO", "server", "service started", &fields);
        Ok(norse)
    }

    pub(super) fn up(&self, now: Now) -> Duration {
        now.mono.since(self.began.mono)
    }

    /// One line; a log that cannot be written stops nothing.
    pub(super) fn say(&mut self, now: Now, level: &str, target: &str, message: &str, fields: &Value) {
        let _best_effort = self.log.write(now, &line(now, level, target, message, fields));
    }

    /// What its story has the logs say.
    fn told(&mut self, now: Now, saying: &Saying) {
        if saying.log == "kernel" {
            let line = format!("{} demo kernel: {}\n", now.wall.rfc3339(), saying.text());
            let _best_effort = self.kernel.write(now, &line);
            return;
        }
        let errors = u64::from(saying.level == "ERROR");
        self.counted.errors = self.counted.errors.saturating_add(errors);
        let fields = saying.more.iter().cloned().collect();
        self.say(now, &saying.level, &saying.from, &saying.text(), &Value::Object(fields));
    }

    /// Whether the request shows the key.
    fn knows_key(&self, request: &Request<Incoming>) -> bool {
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        let bearer = header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        !self.model.settings().key_required || [header("x-api-key"), bearer].contains(&Some(self.key.as_str()))
    }

    /// Compares the models with their checksums, and damages one where that is the story.
    fn weigh(&mut self, now: Now) {
        if !due(&mut self.weights.looked, now.mono, COMPARED) {
            return;
        }
        let models = self.folder.join("data/models");
        if self.incident.is("data-corruption") && !self.weights.harmed && self.up(now) >= self.model.onset {
            self.weights.harmed = true;
            let harmed = std::fs::read(models.join("purkinje.bin")).map(|mut bytes| {
                bytes.iter_mut().skip(4_096).take(512).for_each(|byte| *byte = 0);
                bytes
            });
            let _best_effort = harmed.and_then(|bytes| std::fs::write(models.join("purkinje.bin"), bytes));
        }
        let sums = std::fs::read_to_string(models.join(SUMS)).unwrap_or_default();
        let is_whole = |name: &&str| {
            let found = std::fs::read(models.join(name)).map(|bytes| format!("{}  {name}", sha256(&bytes)));
            found.is_ok_and(|line| sums.lines().any(|known| known == line))
        };
        self.weights.damaged = MODELS.into_iter().filter(|name| !is_whole(name)).collect();
        for name in self.weights.damaged.clone() {
            let message = format!("model checksum mismatch: {name}");
            self.say(now, "ERROR", "models", &message, &json!({"model": name, "path": models.join(name)}));
        }
    }

    /// What there is to say of the last half second.
    fn tell(&mut self, now: Now, last: f64) {
        let up = self.up(now);
        let (pressure, trouble) = (self.model.pressure(up), self.model.trouble(up));
        let step = json!({"processing_time_ns": last.round(), "batch": self.ticks});
        self.say(now, "INFO", "neural", "batch processed", &step);
        if trouble > 0.5 && self.ticks.is_multiple_of(4) {
            let message = format!("latency budget exceeded: {:.1} us, limit 10 us", last / 1e3);
            self.say(now, "WARN", "neural", &message, &json!({"processing_time_ns": last.round()}));
        }
        if pressure > 0.5 && self.ticks.is_multiple_of(5) {
            self.counted.errors = self.counted.errors.saturating_add(1);
            let size = f64::from(self.model.settings().batch_size) * 0.598;
            let message = format!("CUDA_ERROR_OUT_OF_MEMORY (2): cuMemAllocAsync of {size:.0} MiB failed");
            let stream = (self.ticks / 5) % u64::from(self.model.settings().cuda_streams);
            self.say(now, "ERROR", "cuda", &message, &json!({"code": 2, "stream": stream}));
        }
        if self.model.comes("latency", up) > 0.5 && self.ticks.is_multiple_of(6) {
            let fields = json!({"largest_block_kib": 64, "wanted_kib": 2_048});
            self.say(now, "WARN", "allocator", "no contiguous block, falling back to small pages", &fields);
        }
        if self.model.climbs(up) && self.ticks.is_multiple_of(6) {
            let rate = self.model.settings().learning_rate;
            let message = format!("loss is not decreasing: {:.4}", self.model.loss(up));
            self.say(now, "WARN", "training", &message, &json!({"learning_rate": rate}));
        }
    }
}

impl Part for Norse {
    fn tls(&self, port: usize) -> bool {
        port == API
    }

    fn door(&self, port: usize, now: Now) -> Door {
        let deaf = port == API && self.model.comes("queue-full", self.up(now)) > 0.0;
        if deaf { Door::Deaf } else { Door::Open }
    }

    fn is_killed(&self) -> bool {
        self.course.has_killed()
    }

    fn answer(&mut self, port: usize, request: &Request<Incoming>, now: Now) -> Reply {
        let path = request.uri().path();
        let get = request.method() == Method::GET || request.method() == Method::HEAD;
        if port == API && !matches!(path, "/health" | "/health/" | "/ready") && !self.knows_key(request) {
            return Reply::refused(401, "API key required");
        }
        match (port, path) {
            (API, "/neural/process") if request.method() == Method::POST => self.process(now),
            (API, "/neural/process") => Reply::refused(405, "POST only"),
            _ if !get => Reply::refused(405, "GET or HEAD only"),
            (API, "/metrics") => Reply::missing(),
            _ => self.page(port, path, now),
        }
    }

    fn tick(&mut self, now: Now) {
        let up = self.up(now);
        let mut last = 0.0;
        for _ in 0..LOOKED_AT {
            last = self.model.item(up);
            self.latencies.add(now.mono, last / 1e9);
        }
        self.counted.items += self.model.throughput(up) / 2.0;
        self.counted.seconds += self.model.throughput(up) / 2.0 * last / 1e9;
        self.weigh(now);
        self.tell(now, last);
        for saying in self.course.goes_on(up >= self.model.onset) {
            self.told(now, saying);
        }
        self.ticks = self.ticks.wrapping_add(1);
    }
}

/// A line of its log: the message on top, and all that is measured one deeper.
fn line(now: Now, level: &str, target: &str, message: &str, fields: &Value) -> String {
    let line = json!({
        "timestamp": now.wall.rfc3339(),
        "level": level,
        "target": format!("cerebellar_norse::{target}"),
        "message": message,
        "fields": fields,
    });
    format!("{line}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_its_message_on_top_and_its_time_one_deeper() {
        let line = line(Now::default(), "INFO", "neural", "batch \"a\"", &json!({"processing_time_ns": 812}));
        let value: Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&value["message"], &value["fields"]["processing_time_ns"]), (&"batch \"a\"".into(), &812.into()));
        assert!(line.ends_with("}\n") && !value["timestamp"].is_null());
    }
}
