//! What a site adds to the stand-in of its system: the servers that the system needs and the stand-in does not play, as
//! real ones where they can run here, and the settings that say where they are.

use crate::peer::{self, Peer};
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Command;
use watchkeeper::roles::demo::Demo;

/// The word that Redis asks for.
const WORD: &str = "a-word-of-the-cache";
/// What the operator's pages of the database are about; two columns of it may need an index, by their count and by their share.
const TABLES: &str = "CREATE TABLE trades(id int primary key, order_id text, timestamp timestamptz); \
    CREATE TABLE positions(id int primary key, symbol text, falling int); \
    CREATE TABLE prices(five int); \
    ALTER TABLE orders ADD symbol text, ADD status text, ADD created_at timestamptz; \
    CREATE INDEX idx_orders_created_at ON orders(created_at); \
    INSERT INTO trades SELECT g, md5(g::text) FROM generate_series(1, 5000) g; \
    INSERT INTO positions SELECT g, 'S' || (g * 7919 % 5003 % 200), -g / 25 FROM generate_series(1, 5000) g; \
    INSERT INTO prices SELECT -g FROM generate_series(1, 5) g; \
    ANALYZE trades; ANALYZE positions; ANALYZE prices";

/// Peers that run; each ends with it.
#[derive(Default)]
pub(crate) struct Site(Vec<(&'static str, Peer)>);

/// A container of the bot as an engine tells of it: started by it, with the user folder where its image looks.
const CONTAINER: &str = r#"{"Name": "/planar", "State": {"Status": "running", "Running": true, "StartedAt": "2026-11-20T08:00:00Z"},
    "Config": {"Image": "bubbleparticles/planar-sysimage", "WorkingDir": "/planar"}, "RestartCount": 0,
    "Mounts": [{"Type": "bind", "Source": "/home/planar/user", "Destination": "/planar/user", "RW": true}]}"#;
const ENGINE: &str = r#"{"Version": "27.3.1", "ApiVersion": "1.47", "Components": [{"Name": "Engine"}]}"#;

/// What must be there before the first look: an engine with the bot's container, and windows that are short.
pub(crate) fn prepare(system: &str, demo: &Demo) {
    if system != "planar" {
        return;
    }
    set(&demo.profile, &[("growth_after", "4s".to_owned())]);
    let listener = UnixListener::bind(demo.dir.join("run/engine.sock")).expect("a socket");
    // It ends with the test's process.
    std::thread::spawn(move || listener.incoming().flatten().for_each(answer));
}

/// One request, one answer.
fn answer(mut stream: UnixStream) {
    let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
    let first = lines.next().unwrap_or_default();
    lines.find(String::is_empty);
    let path = first.split(' ').nth(1).unwrap_or_default();
    let (status, body) = match path {
        "/version" => ("200 OK", ENGINE),
        "/containers/planar/json" => ("200 OK", CONTAINER),
        _ => ("404 Not Found", "{\"message\": \"no such page\"}"),
    };
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
    // Whoever has read enough closes early.
    let _closed = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
}

impl Site {
    /// Starts what this system needs, and says where in the profile of its stand-in.
    pub(crate) fn of(system: &str, demo: &Demo) -> Self {
        let mut site = Self::default();
        if system == "genesis" {
            let mut settings = vec![("watchkeeper", env!("CARGO_BIN_EXE_watchkeeper").to_owned())];
            site.redis(&demo.dir, &mut settings);
            site.postgres(&demo.dir, &mut settings);
            set(&demo.profile, &settings);
        }
        site
    }

    /// A peer of this name, or with a path a program of this host. What is not there is said.
    pub(crate) fn has(&self, needs: &str) -> bool {
        let there = self.0.iter().any(|(name, _)| *name == needs)
            || Path::new(needs).is_absolute() && Path::new(needs).exists();
        if !there && Path::new(needs).is_absolute() {
            println!("SKIPPED: {needs}: not installed");
        }
        there
    }

    fn redis(&mut self, folder: &Path, settings: &mut Vec<(&str, String)>) {
        let Some(peer) = peer::start_with("redis", &[("SVC_PASSWORD", WORD)]) else { return };
        let url = peer.env("REDIS_URL").replace(&format!(":{WORD}@"), "");
        let seed = ["-u", &url, "set", "genesis:cache:order", "1"];
        let seeded = Command::new("redis-cli").args(seed).env("REDISCLI_AUTH", WORD).output().expect("runs");
        assert_eq!(seeded.stdout, b"OK\n", "{seeded:?}");
        settings.extend([("redis", url), ("redis_password", kept(folder, "redis", WORD))]);
        self.0.push(("redis", peer));
    }

    fn postgres(&mut self, folder: &Path, settings: &mut Vec<(&str, String)>) {
        let Some(peer) = peer::start("postgres") else { return };
        let url = peer.env("DATABASE_URL").to_owned();
        let psql = |url: &str, sql: &str| {
            Command::new("psql").args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", sql, url]).output().expect("runs")
        };
        let made = psql(&url, TABLES);
        assert!(made.status.success(), "{made:?}");
        let port = url.rsplit(':').next().and_then(|rest| rest.split('/').next()).unwrap_or_default().to_owned();
        let word = kept(folder, "postgres", "none-is-asked-for");
        settings.extend([
            ("postgres", url.clone()),
            ("postgres_operator", url),
            ("postgres_operator_password", word.clone()),
            ("postgres_password", word),
            ("postgres_port", port),
            ("postgres_user", "ops".to_owned()),
            ("postgres_name", "app".to_owned()),
        ]);
        self.0.push(("postgres", peer));
    }
}

/// A word in a file that only this login can read.
fn kept(folder: &Path, name: &str, word: &str) -> String {
    let path = folder.join(format!("run/{name}.word"));
    fs::write(&path, word).expect("writes");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("ours");
    path.display().to_string()
}

/// Sets settings of a profile, in place of those that are there.
fn set(profile: &Path, settings: &[(&str, String)]) {
    let text = fs::read_to_string(profile).expect("reads");
    let is_set = |line: &&str| settings.iter().any(|(key, _)| line.starts_with(&format!("{key} = ")));
    let kept: String = text.lines().filter(|line| !is_set(line)).flat_map(|line| [line, "\n"]).collect();
    let rows: String = settings.iter().map(|(key, value)| format!("{key} = {value:?}\n")).collect();
    fs::write(profile, kept.replacen("[settings]\n", &format!("[settings]\n{rows}"), 1)).expect("writes");
}
