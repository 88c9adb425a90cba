//! The playing bot: what it reads at its start, what it saves and says, how its exchange answers.

use super::super::story::Saying;
use super::super::{Course, Incident, Part, Run, due, file, folders, ramp};
use super::store::{self, Store};
use crate::base::backoff::Jitter;
use crate::base::{Body, Fault, Mono, Now};
use crate::roles::twin::applog::AppLog;
use crate::roles::twin::endpoint::Reply;
use crate::sys::child::{Child, OURSELVES, wait_readable};
use crate::sys::files::hex;
use crate::sys::lmdb::LmdbError;
use crate::sys::random::bits;
use core::time::Duration;
use hyper::Request;
use hyper::body::Incoming;
use serde_json::Value;
use std::ffi::OsString;
use std::fs::{OpenOptions, Permissions};
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// What stands for the exchange.
pub(in crate::roles::twin::systems) const PORTS: usize = 1;

/// The strategy's folder, and its log.
const STRATEGY: &str = "user/strategies/MyStrategy";
const LOG: &str = "user/strategies/MyStrategy/logs/events.log";
/// What the store holds when the story of `map-full` begins, and of every other one, MiB.
const HELD: (u64, u64) = (60, 20);
/// Chunks of a step of the history, of half a second, and of half a second of `map-full`.
const STEP: u64 = 256;
const SAVED: (u64, u64) = (1, 8);
/// Chunks that are written again in half a second.
const REWRITTEN: u64 = 6;
/// How long the reader of `stale-reader` reads before it dies.
const READS: Duration = Duration::from_secs(1);
/// Between calls to the exchange that keep its limit, milliseconds; the shipped setting does not.
const POLITE: u32 = 2_000;
/// How often the bot speaks of what goes well.
const CALM: Duration = Duration::from_secs(2);

/// The playing bot.
pub(in crate::roles::twin::systems) struct Planar {
    pub(super) folder: PathBuf,
    pub(super) incident: Incident,
    pub(super) turn: u32,
    pub(super) began: Now,
    pub(super) onset: Duration,
    /// Between calls, milliseconds.
    pub(super) rate_limit: u32,
    pub(in crate::roles::twin::systems) course: Course,
    pub(super) log: AppLog,
    pub(super) store: Store,
    /// The history is in.
    pub(super) whole: bool,
    harmed: Harmed,
    /// The strategy's folder is where the user's file says.
    found: bool,
    pub(super) reader: Option<(Mono, Child)>,
    pub(super) told: Mono,
    pub(super) ticks: u64,
}

/// What has been done to its files.
#[derive(Debug)]
struct Harmed {
    /// A stretch of the store is lost.
    store: bool,
    /// Others may read its secrets.
    secrets: bool,
}

/// Lays out the user's files; returns the settings of the profile.
///
/// # Errors
/// What the system said.
pub(in crate::roles::twin::systems) fn lay_out(folder: &Path, ports: &[u16]) -> io::Result<String> {
    let logs = format!("{STRATEGY}/logs");
    folders(folder, &["data/lmdb", "user/keys", &logs, "depot/compiled", "backups", "run", "bin"])?;
    file(&folder.join(".envrc"), include_bytes!("envrc"))?;
    for (name, script) in [("julia", &include_bytes!("julia.sh")[..]), ("git", include_bytes!("git.sh"))] {
        let program = folder.join("bin").join(name);
        file(&program, script)?;
        std::fs::set_permissions(&program, Permissions::from_mode(0o700))?;
    }
    file(&folder.join("user/planar.toml"), include_bytes!("planar.toml"))?;
    file(&folder.join("user/map.toml"), include_bytes!("map.toml"))?;
    file(&folder.join(STRATEGY).join("Project.toml"), include_bytes!("Project.toml"))?;
    let [key, secret] = [(); 2].map(|()| hex(&bits().to_be_bytes()));
    let secrets = format!("[exchanges.binance]\napiKey = \"{key}\"\nsecret = \"{secret}\"\nsandbox = true\n");
    file(&folder.join("user/secrets.toml"), secrets.as_bytes())?;
    let keys = format!("{{\"apiKey\": \"{key}\", \"secret\": \"{secret}\", \"password\": \"\"}}\n");
    file(&folder.join("user/keys/binance_sandbox.json"), keys.as_bytes())?;
    Ok(settings(folder, ports.first().copied().unwrap_or_default()))
}

/// The settings of the profile that point into this folder and at this port.
fn settings(folder: &Path, port: u16) -> String {
    let dir = folder.display();
    format!(
        r#"manager = {{ kind = "unix_socket", path = "{dir}/supervisor.sock", unit = "planar" }}
systemd = {{ kind = "systemd", unit = "${{unit}}", systemctl = ["{dir}/run/none"] }}
mode = "simulation"
engine = "{dir}/run/engine.sock"
julia = "{dir}/bin/julia"
git = "{dir}/bin/git"
bot = '(^|/)watchkeeper twin service {dir} '
right_project = '(^|/)watchkeeper twin service {dir} '
root = "{dir}"
user = "{dir}/user"
key_file = "{dir}/user/keys/binance_sandbox.json"
source = "{dir}/{STRATEGY}"
logs = "{dir}/{STRATEGY}/logs/*.log"
lmdb = "{dir}/data/lmdb"
data_mount = "/"
backups = "{dir}/backups"
depot = "{dir}/depot"
conda = "{dir}/.CondaPkg"
map_file = "{dir}/user/map.toml"
map_key = "map_mb"
map_full_for = "5s"
exchange_url = "http://127.0.0.1:{port}/api/v3/ping"
probe = "2s"
probe_timeout = "1500ms"
settle = "3s"
"#
    )
}

/// A whole number of a TOML file; `None` where file, table or key are not there.
fn number(path: &Path, table: Option<&str>, key: &str) -> Option<u32> {
    let text = std::fs::read_to_string(path).ok()?;
    let mut body = Body::parse(path.display().to_string(), &text).ok()?;
    match table {
        None => body.take(key).ok()?,
        Some(table) => body.take_table(table).ok()??.take(key).ok()?,
    }
}

/// Whether the path of the strategy leads to a project.
fn found(folder: &Path) -> bool {
    let user = folder.join("user");
    let text = std::fs::read_to_string(user.join("planar.toml")).unwrap_or_default();
    let path = text.lines().find_map(|line| line.strip_prefix("path = \"")?.strip_suffix('"'));
    path.is_some_and(|path| user.join(path).join("Project.toml").is_file())
}

/// The process that reads the store and dies at it, started by the bot with a lifeline for stdin.
pub(crate) fn reader(folder: &Path) -> i32 {
    match store::die_reading(&folder.join("data/lmdb")) {
        Ok(()) => {
            let _best_effort = wait_readable(&[io::stdin().as_fd()], None);
            0
        }
        Err(_) => 1,
    }
}

impl Planar {
    /// Starts as the bot does.
    ///
    /// # Errors
    /// A store that cannot be opened, a log that cannot be written.
    pub(in crate::roles::twin::systems) fn start(run: Run<'_>) -> Result<Self, Fault> {
        let said = |what: &str, error: &dyn core::fmt::Display| Fault::new(format!("{what}: {error}."));
        let log = AppLog::at(run.folder.join(LOG), run.began.mono);
        let mut log = log.map_err(|error| said("cannot open the log", &error))?;
        // What the strategy's own code does at its start.
        let asked = number(&run.folder.join("user/map.toml"), None, "map_mb").unwrap_or(0);
        let store = Store::open(&run.folder.join("data/lmdb"), asked.into()).map_err(|error| {
            let line = block("Error", "store: cannot open", &[("exception", error.to_string())], "Data/src/lmdb.jl:61");
            let _best_effort = log.write(run.began, &line);
            said("cannot open the store", &error)
        })?;
        let limit = number(&run.folder.join("user/planar.toml"), Some("exchange"), "rateLimit");
        let mut planar = Self {
            folder: run.folder.to_owned(),
            incident: run.incident,
            turn: run.turn,
            began: run.began,
            onset: Duration::from_secs_f64(3.0 + 2.0 * Jitter(run.seed).unit()),
            rate_limit: limit.unwrap_or(1_200),
            course: run.course(),
            log,
            harmed: Harmed { store: store::is_damaged(&run.folder.join("data/lmdb")), secrets: false },
            found: found(run.folder),
            store,
            whole: false,
            reader: None,
            told: run.began.mono,
            ticks: 0,
        };
        let map = planar.store.stat().map_or(0, |stat| stat.map_bytes >> 20);
        planar.say(run.began, &format!("[ Info: strategy MyStrategy started in Sim mode, map {map} MiB\n"));
        Ok(planar)
    }

    fn up(&self, now: Now) -> Duration {
        now.mono.since(self.began.mono)
    }

    /// Whether it is this incident, and its time has come.
    fn comes(&self, name: &str, now: Now) -> bool {
        self.incident.is(name) && ramp(self.up(now), self.onset, Duration::from_secs(1)) > 0.0
    }

    /// Whole lines; a log that cannot be written stops nothing.
    fn say(&mut self, now: Now, lines: &str) {
        let _best_effort = self.log.write(now, lines);
    }

    /// What its story has the log say: a block as Julia draws it, or the text as it is.
    fn told(&mut self, now: Now, saying: &Saying) {
        let text = saying.text();
        if saying.level.is_empty() {
            return self.say(now, &format!("{text}\n"));
        }
        let fields: Vec<(&str, String)> =
            saying.more.iter().map(|(name, value)| (name.as_str(), shown(value))).collect();
        self.say(now, &block(&saying.level, &text, &fields, &saying.from));
    }

    /// Brings in the history, then saves what is new.
    fn save(&mut self, now: Now) {
        if self.harmed.store {
            if self.ticks.is_multiple_of(4) {
                let exception = "LMDBError(-30796): MDB_CORRUPTED: Located page was wrong type";
                let fields = [("pair", "\"SOL/USDT\"".to_owned()), ("exception", exception.to_owned())];
                self.say(now, &block("Error", "load_ohlcv failed", &fields, "Data/src/load.jl:77"));
            }
            return;
        }
        let full = self.incident.is("map-full");
        if !self.whole {
            let held = if full { HELD.0 } else { HELD.1 };
            let used = self.store.stat().map_or(u64::MAX, |stat| stat.used_pages.saturating_mul(stat.page_bytes) >> 20);
            self.whole = used >= held || self.store.save(STEP).is_err();
            return;
        }
        let count = if full { SAVED.1 } else { SAVED.0 };
        let done = if full { self.store.save(count) } else { self.store.rewrite(REWRITTEN) };
        match done {
            Ok(()) => {}
            // One line in four half seconds: every write fails.
            Err(_) if !self.ticks.is_multiple_of(4) => {}
            Err(error) => {
                let code = if error == LmdbError::MapFull { -30_792 } else { 0 };
                let exception = format!("LMDBError({code}): {error}");
                let fields = [("pair", "\"BTC/USDT\"".to_owned()), ("exception", exception)];
                self.say(now, &block("Error", "save_ohlcv failed", &fields, "Data/src/save.jl:212"));
            }
        }
    }

    /// What a story does to its files, once.
    fn harm(&mut self, now: Now) {
        if self.turn > 0 || !self.whole {
            return;
        }
        if self.comes("corrupt-database", now) && !self.harmed.store {
            self.harmed.store = store::damage(&self.folder.join("data/lmdb")).is_ok();
        }
        if self.comes("keys-exposed", now) && !self.harmed.secrets {
            let open = std::fs::set_permissions(self.folder.join("user/secrets.toml"), Permissions::from_mode(0o644));
            self.harmed.secrets = open.is_ok();
        }
    }

    /// What the exchange does to the bot, told as the bot tells it.
    fn fetch(&mut self, now: Now) {
        let calm = due(&mut self.told, now.mono, CALM);
        let try_ = self.ticks / 4 % 3 + 1;
        if self.comes("exchange-silent", now) && self.ticks.is_multiple_of(4) {
            let exception = "ccxt.base.errors.RequestTimeout: binance GET /api/v3/klines request timed out (30000 ms)";
            let fields = [("pair", "\"BTC/USDT\"".to_owned()), ("exception", exception.to_owned())];
            self.say(
                now,
                &block("Warning", &format!("Fetch attempt {try_} failed"), &fields, "Fetch/src/fetch.jl:131"),
            );
        } else if self.limited(now) && self.ticks.is_multiple_of(4) {
            let exception = if self.ticks.is_multiple_of(40) {
                "ccxt.base.errors.DDoSProtection: binance HTTP 418 IP banned until later"
            } else {
                "ccxt.base.errors.RateLimitExceeded: binance HTTP 429 Too many requests"
            };
            let fields = [("rateLimit", self.rate_limit.to_string()), ("exception", exception.to_owned())];
            self.say(
                now,
                &block("Warning", &format!("Fetch attempt {try_} failed"), &fields, "Fetch/src/fetch.jl:131"),
            );
        } else if calm {
            self.say(now, "[ Info: fetch_ohlcv binance BTC/USDT 1m: 60 candles\n");
            let stat = self.store.stat().map(|stat| stat.last_txn).unwrap_or_default();
            let fields = [("pair", "\"ETH/USDT\"".to_owned()), ("txn", stat.to_string())];
            self.say(now, &block("Info", "saved ohlcv", &fields, "Data/src/save.jl:198"));
        }
    }

    /// Whether the exchange takes requests and says nothing.
    pub(in crate::roles::twin::systems) fn is_silent(&self, now: Now) -> bool {
        self.comes("exchange-silent", now)
    }

    /// Whether the exchange has had enough of it.
    fn limited(&self, now: Now) -> bool {
        self.comes("rate-limited", now) && self.rate_limit < POLITE
    }

    /// Starts the reader that dies inside its transaction, once.
    fn read(&mut self, now: Now) {
        if self.turn == 0 && self.reader.is_none() && self.whole && self.comes("stale-reader", now) {
            let args =
                ["twin".into(), "reader".into(), self.folder.clone().into(), OsString::from("--seed"), "0".into()];
            let errors = OpenOptions::new().append(true).create(true).open(self.folder.join("twin.err"));
            let child = errors.and_then(|errors| Child::start(Path::new(OURSELVES), &args, None, errors));
            self.reader = child.ok().map(|child| (now.mono, child));
        }
        let Some((since, child)) = &mut self.reader else { return };
        if now.mono.since(*since) >= READS && !child.ended() {
            child.let_go();
        }
        if child.ended() && self.ticks.is_multiple_of(8) {
            let line = block(
                "Warning",
                "store grows though nothing was added",
                &[("process", format!("{} has gone", child.pid()))],
                "Data/src/lmdb.jl:88",
            );
            self.say(now, &line);
        }
    }
}

impl Part for Planar {
    fn tls(&self, _: usize) -> bool {
        false
    }

    fn answer(&mut self, _: usize, request: &Request<Incoming>, now: Now) -> Reply {
        if self.is_silent(now) {
            // It takes the request and says nothing.
            return Reply { after: Duration::from_hours(1), ..Reply::missing() };
        }
        if self.limited(now) {
            return Reply { again: Some(5), ..Reply::refused(429, "Too many requests") };
        }
        crate::roles::twin::systems::exchange(request.uri().path(), now)
    }

    fn tick(&mut self, now: Now) {
        self.save(now);
        self.fetch(now);
        self.read(now);
        self.harm(now);
        if !self.found && self.ticks.is_multiple_of(8) {
            let path = [("path", "planar.toml".to_owned())];
            self.say(now, &block("Error", "strategy MyStrategy not found", &path, "Strategies/src/load.jl:63"));
        }
        for saying in self.course.goes_on(self.up(now) >= self.onset) {
            self.told(now, saying);
        }
        self.ticks = self.ticks.wrapping_add(1);
    }
}

/// A value of a message: text as it is, since Julia's logger may or may not quote it.
fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A message as Julia's logger draws it.
fn block(level: &str, message: &str, fields: &[(&str, String)], place: &str) -> String {
    let fields: String = fields.iter().map(|(name, value)| format!("│   {name} = {value}\n")).collect();
    format!("┌ {level}: {message}\n{fields}└ @ Planar ~/planar/{place}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_has_its_corners_and_its_place() {
        let text = block("Warning", "late", &[("pair", "\"BTC/USDT\"".to_owned())], "Fetch/src/fetch.jl:131");
        assert_eq!(text, "┌ Warning: late\n│   pair = \"BTC/USDT\"\n└ @ Planar ~/planar/Fetch/src/fetch.jl:131\n");
    }

    #[test]
    fn the_shipped_files_hold_the_numbers_that_the_bot_asks_for() {
        let folder = tempfile::tempdir().unwrap();
        lay_out(folder.path(), &[1]).unwrap();
        assert_eq!(number(&folder.path().join("user/map.toml"), None, "map_mb"), Some(64));
        assert_eq!(number(&folder.path().join("user/planar.toml"), Some("exchange"), "rateLimit"), Some(1_200));
        assert_eq!(number(&folder.path().join("user/nothing.toml"), None, "map_mb"), None);
    }
}
