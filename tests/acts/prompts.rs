//! Each kind's prompt as the operator sees it: plans of the kinds' own code, most of a real peer, drawn on two terminals.

#[expect(dead_code, reason = "the screens' tests use all of it")]
#[path = "../screens/desk.rs"]
mod desk;

use crate::scene::{Scene, Sleeper};
use crate::{http_call, lmdb, lmdb_grow, peer, rotate, service, sqlite};
use desk::Desk;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use watchkeeper::action::kinds::KINDS;
use watchkeeper::action::plan::{Plan, Undo};
use watchkeeper::action::prompt::Extent;
use watchkeeper::app::Msg;
use watchkeeper::base::{Clean, Ulid};

/// A plan of this kind, which says the same on every host and in every run.
fn sitting(scene: &Scene, kind: &str, table: &str, more: &[(String, &str)]) -> Plan {
    Sitter::new(scene, kind, &format!("verb = \"{}\"\n{table}", kind.replace('_', "-")), more).sit()
}

/// What no two runs or hosts have in common.
const VARY: &[(&str, &str)] = &[
    ("[0-9A-HJKMNP-TV-Z]{26}", "01KB5V7Q3M8Z6T4N2R0C9X1D5F"),
    (r"\d{8}T\d{6}Z-[0-9A-Z]{6}", "20261121T031241Z-7Q3M8Z"),
    (r"\bprocess \d+ \((da|ba)?sh\)", "process 4242 (sh)"),
    (r"\bprocess \d+", "process 4242"),
    (r"\binode \d+", "inode 10029234"),
    (r"[0-9.]+ [KMGT]iB free", "40.0 GiB free"),
    (r"[0-9.]+ [KM]iB needed", "4.80 MiB needed"),
    (r"[0-9.]+ [KM]iB on the disk", "4.00 MiB on the disk"),
    (r"a database of [0-9.]+ KiB", "a database of 28.0 KiB"),
    (r"^\d+ B go", "27 B go"),
    (r"^at it \d+ s", "at it 0 s"),
    (r"primary [0-9.]+ \([^)]*\)", "primary 15.18 (Debian 15.18-0+deb12u1)"),
    (r"system \d{19}", "system 7713578808428408591"),
    (r"^master [0-9.]+", "master 7.0.15"),
];

struct Sitter {
    plan: Plan,
    /// What is written otherwise, the longest first.
    names: Vec<(String, String)>,
}

impl Sitter {
    fn new(scene: &Scene, kind: &str, table: &str, more: &[(String, &str)]) -> Self {
        let plan = scene.plan(kind, table).unwrap_or_else(|fault| panic!("{kind}: {fault}"));
        let ours = [(scene.state(), "/var/lib/watchkeeper"), (scene.dir.path().to_owned(), "/srv/shop")];
        let ours = ours.map(|(path, name)| (path.display().to_string(), name.to_owned()));
        let names = more.iter().map(|(from, to)| (from.clone(), (*to).to_owned())).chain(ours).collect();
        Self { plan, names }
    }

    fn plain(&self, text: &Clean) -> Clean {
        let text = self.names.iter().fold(text.as_str().to_owned(), |text, (from, to)| text.replace(from, to));
        let vary = |text: String, (from, to): &(&str, &str)| {
            regex::Regex::new(from).unwrap().replace_all(&text, *to).into_owned()
        };
        Clean::text(VARY.iter().fold(text, vary))
    }

    fn sit(self) -> Plan {
        let mut plan = self.plan.clone();
        let rows = plan.what.lines.iter_mut().chain(&mut plan.hits).chain(&mut plan.raised);
        for text in rows {
            *text = self.plain(text);
        }
        for row in &mut plan.based_on {
            (row.label, row.value) = (self.plain(&row.label), self.plain(&row.value));
        }
        if let Undo::How(how) = &mut plan.undo {
            *how = self.plain(how);
        }
        let (place, target) = (desk::place(), plan.what.target.as_str().split_once('/').unwrap().1.to_owned());
        plan.what.target = Clean::text(format!("{}/{}", place.host.name, self.plain(&Clean::text(target))));
        Plan { id: Ulid(42), place, who: desk::who(), ..plan }
    }
}

/// The screen with its prompt, once it was read to its end, and whether it had to be scrolled for that. One whose WHERE,
/// WHAT and UNDO cannot stand together is refused.
fn picture(plan: &Plan, (width, height): (u16, u16)) -> (String, Extent) {
    let mut desk = Desk::demo(width, height);
    desk.incident(41);
    desk.arm();
    desk.planned_as(|drawn| *drawn = Plan { made: drawn.made, ..plan.clone() });
    let extent = desk.extent();
    if extent == Extent::Cut {
        desk.send(Msg::Shown(Extent::Cut));
    } else {
        desk.shown();
        desk.pass(2_000);
    }
    (desk.screen(), extent)
}

fn file(scene: &Scene, name: &str, text: &str, mode: u32) -> String {
    let path = scene.path(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::set_permissions(path.parent().unwrap(), PermissionsExt::from_mode(0o755)).unwrap();
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
    path.display().to_string()
}

/// Files, and what runs beside them: of this host.
#[expect(clippy::unnecessary_wraps, reason = "each of these tells whether its peers can run here")]
fn files() -> Option<Vec<Plan>> {
    let scene = Scene::new();
    let conf = "[performance]\nbatch_size = 1024  # was 512\nstreams = 4\n";
    let conf = file(&scene, "etc/production.toml", conf, 0o644);
    let data = file(&scene, "data/orders.db", &"x".repeat(4 << 20), 0o640);
    fs::create_dir(scene.path("copies")).unwrap();
    fs::set_permissions(scene.path("copies"), PermissionsExt::from_mode(0o755)).unwrap();
    let [top, copies] = ["data", "copies"].map(|name| scene.path(name).display().to_string());
    let sit = |kind: &str, table: &str| sitting(&scene, kind, table, &[]);
    let set = "[{ key = \"performance.batch_size\", to = 512 }, { key = \"performance.streams\", from = 4, to = 2 }]";
    let set = format!("file = \"{conf}\"\nset = {set}");
    let backup = format!("path = \"{top}\"\nto = \"{copies}\"");
    let mut all = vec![sit("config_set", &set), sit("file_backup", &backup)];
    assert!(scene.carry("config_set", &set).0.executed && scene.carry("file_backup", &backup).0.executed);
    fs::write(&data, "broken").unwrap();
    let copy = fs::read_dir(scene.path("copies")).unwrap().map(|entry| entry.unwrap().path().display().to_string());
    let copy = copy.min().unwrap();
    all.extend([
        sit("backup_remove", &format!("of = \"the-action\"\ncopy = \"{copy}\"")),
        sit("config_restore", &format!("of = \"the-action\"\nfile = \"{conf}\"")),
        sit("file_restore", &format!("path = \"{top}\"\nfrom = \"{copies}/data.backup-*\"")),
        sit("file_set_aside", &format!("path = \"{data}\"\nbelow = \"{top}\"")),
    ]);
    let drain = file(&scene, "bin/drain", "#!/bin/sh\necho 214 orders would be drained\n", 0o755);
    let command = format!(
        "argv = [\"{drain}\", \"--node\", \"{{node}}\", \"--now\"]\npreview = [\"{drain}\", \"--dry-run\"]\n\
         undo = \"{drain} --back\"\nparams = {{ node = {{ one_of = [\"a1\", \"a2\"], value = \"a1\" }} }}"
    );
    let pid = scene.path("pid");
    let sleeper = Sleeper::start(&pid);
    let signal = format!("pid_file = \"{}\"\nprogram = \"sleep\"\nsignal = \"HUP\"", pid.display());
    all.extend([sit("command", &command), sit("process_signal", &signal)]);
    drop(sleeper);
    let scene = Scene::new();
    let writer = rotate::Writer::start(&scene, false);
    all.push(sitting(&scene, "log_rotate", &rotate::table(&scene), &[]));
    drop(writer);
    Some(all)
}

fn owner() -> Option<Vec<Plan>> {
    if !crate::trees::root() {
        peer::skip("giving files away", "only root may");
        return None;
    }
    let scene = Scene::new();
    file(&scene, "data/orders.db", "x", 0o640);
    let table = format!("path = \"{}\"\nowner = \"4444\"\ngroup = \"4445\"", scene.path("data").display());
    Some(vec![sitting(&scene, "file_owner", &table, &[])])
}

fn switches() -> Option<Vec<Plan>> {
    let path = "/proc/sys/kernel/printk_ratelimit_burst";
    let Ok(old) = fs::read_to_string(path) else {
        println!("SKIPPED: cgroup: no {path} here");
        return None;
    };
    let was = (format!("burst {}", old.trim()), "burst 10");
    let spaced = (format!("burst   {}", old.trim()), "burst   10");
    let new = if old.trim() == "20" { "21" } else { "20" };
    let becomes = (format!("→ {new}"), "→ 20");
    let table = format!("path = \"{path}\"\nvalue = \"{new}\"");
    Some(vec![sitting(&Scene::new(), "sysfs_write", &table, &[was, spaced, becomes])])
}

#[expect(clippy::unnecessary_wraps, reason = "each of these tells whether its peers can run here")]
fn requests() -> Option<Vec<Plan>> {
    let (scene, web) = (Scene::new(), http_call::node());
    let table = http_call::drain(&web.at, &http_call::secret(&scene, 0o600));
    Some(vec![sitting(&scene, "http_call", &table, &[(web.at, "127.0.0.1:8080")])])
}

fn environments() -> Option<Vec<Plan>> {
    let lab = lmdb::lab()?;
    let at = [(lab.db.display().to_string(), "/srv/shop/orders.mdb")];
    let sit = |kind: &str, table: &str| sitting(&lab.scene, kind, table, &at);
    let backup = sit("lmdb_backup", &lab.backup());
    let check = sit("lmdb_check", &lab.path());
    lab.end_reader();
    let aside = sit("lmdb_set_aside", &lab.path());
    lab.peer.exec(&["stale"]);
    Some(vec![backup, check, aside, sit("lmdb_clear_readers", &lab.path())])
}

fn growth() -> Option<Vec<Plan>> {
    let served = lmdb_grow::Served::start("0", "")?;
    let commands = through(&served.scene, &served.peer);
    let table = served.table("how = \"write_commit\"\nto = \"8MiB\"");
    Some(vec![sitting(&served.scene, "lmdb_grow", &table, &[commands])])
}

fn databases() -> Option<Vec<Plan>> {
    let lab = sqlite::lab("wal")?;
    let at = [(lab.db().display().to_string(), "/srv/shop/orders.db")];
    Some(vec![sitting(&lab.scene, "sqlite_backup", &lab.table(), &at)])
}

/// What a command of the lab's systemd is on a host.
fn through(scene: &Scene, peer: &peer::Peer) -> (String, &'static str) {
    let dir = Path::new(peer.env("SYSTEMD_UNIT_DIR")).parent().unwrap();
    (format!("{} exec {} ", scene.path("systemd.sh").display(), dir.display()), "/usr/bin/")
}

fn services() -> Option<Vec<Plan>> {
    let lab = service::lab()?;
    lab.unit("orders.service", "LimitNOFILE=1024\nExecStart=/bin/sleep 1000\nExecReload=/bin/true");
    lab.unit("mailer.service", "ExecStart=/bin/sleep 1000\n[Unit]\nRequires=orders.service\nAfter=orders.service");
    lab.unit("bad.service", "ExecStart=/bin/false");
    lab.unit("idle.service", "ExecStart=/bin/sleep 1000");
    lab.systemctl(&["start", "orders.service", "mailer.service", "bad.service"]);
    let at = [through(&lab.scene, &lab.peer), (lab.peer.env("SYSTEMD_UNIT_DIR").to_owned(), "/etc/systemd/system")];
    let sit = |kind: &str, unit: &str| sitting(&lab.scene, kind, &lab.table(unit), &at);
    let limits = "limits = { LimitNOFILE = 4096, MemoryMax = \"64M\" }\nenvironment = { DEBUG = \"1\" }";
    let folder = format!("folder = \"{}\"\n", lab.peer.env("SYSTEMD_UNIT_DIR"));
    Some(vec![
        sit("service_restart", "orders.service"),
        sit("service_stop", "orders.service"),
        sit("service_start", "idle.service"),
        sit("service_reload", "orders.service"),
        sit("service_reset_failed", "bad.service"),
        sitting(&lab.scene, "service_drop_in", &format!("{}{folder}{limits}", lab.table("orders.service")), &at),
    ])
}

#[cfg(feature = "redis")]
fn keys() -> Option<Vec<Plan>> {
    let scene = Scene::new();
    let (peer, table) = crate::redis::server(&scene)?;
    let at = [(peer.env("REDIS_SOCKET").to_owned(), "/run/redis.sock")];
    Some(vec![sitting(&scene, "redis_clear", &table, &at)])
}

#[cfg(feature = "postgres")]
fn statements() -> Option<Vec<Plan>> {
    let (scene, peer) = (Scene::new(), peer::start("postgres")?);
    let held = crate::postgres::Session::new(&peer, "report", &["SELECT pg_sleep(600) /* the monthly report */"]);
    let pid = held.wait_for(&peer, "state = 'active'");
    let url = format!("url = \"{}\"\n", peer.env("DATABASE_URL"));
    let port = peer.env("DATABASE_URL").rsplit_once(':').and_then(|(_, rest)| rest.split_once('/')).unwrap().0;
    let at = [(format!("127.0.0.1:{port}"), "127.0.0.1:5432"), (pid, "4242")];
    let sit = |kind: &str, table: &str| sitting(&scene, kind, &format!("{url}{table}"), &at);
    Some(vec![
        sit("postgres_cancel", "older_than = \"1ms\"\napplication = \"report\""),
        sit("postgres_setting", "setting = \"work_mem\"\nvalue = 8192\nrange = [64, 65536]"),
        sit("postgres_index", "table = \"public.orders\"\nname = \"idx_total\"\ncolumns = [\"total\"]"),
        sit("postgres_explain", "query = \"SELECT * FROM orders WHERE id = 7\""),
    ])
}

type Sitting = fn() -> Option<Vec<Plan>>;

/// Who sits together, by the peer that all of them need.
const SITTINGS: &[(&[&str], Sitting)] = &[
    (
        &[
            "backup_remove",
            "command",
            "config_restore",
            "config_set",
            "file_backup",
            "file_restore",
            "file_set_aside",
            "log_rotate",
            "process_signal",
        ],
        files,
    ),
    (&["file_owner"], owner),
    (&["sysfs_write"], switches),
    (&["http_call"], requests),
    (&["lmdb_backup", "lmdb_check", "lmdb_clear_readers", "lmdb_set_aside"], environments),
    (&["lmdb_grow"], growth),
    (&["sqlite_backup"], databases),
    (
        &[
            "service_drop_in",
            "service_reload",
            "service_reset_failed",
            "service_restart",
            "service_start",
            "service_stop",
        ],
        services,
    ),
    #[cfg(feature = "redis")]
    (&["redis_clear"], keys),
    #[cfg(feature = "postgres")]
    (&["postgres_cancel", "postgres_explain", "postgres_index", "postgres_setting"], statements),
];

#[test]
fn every_kinds_prompt_is_whole_on_eighty_columns_and_on_sixty_it_is_read_to_its_end_or_refused() {
    let named: BTreeSet<&str> = SITTINGS.iter().flat_map(|(kinds, _)| kinds.iter().copied()).collect();
    let known: BTreeSet<&str> = KINDS.iter().map(|kind| kind.name()).collect();
    assert_eq!(named, known, "a kind without a picture, or a picture of none");
    for (kinds, sit) in SITTINGS {
        let Some(plans) = sit() else { continue };
        let of = |plan: &Plan| plan.what.kind.split('@').next().unwrap().to_owned();
        let sat: BTreeSet<String> = plans.iter().map(of).collect();
        assert_eq!(sat.iter().map(String::as_str).collect::<Vec<_>>(), *kinds);
        for plan in &plans {
            let (large, extent) = picture(plan, (80, 24));
            assert_eq!(extent, Extent::End, "{}:\n{large}", plan.what.kind);
            let (small, extent) = picture(plan, (60, 16));
            let refused = small.contains("Make it larger");
            assert_eq!(refused, extent == Extent::Cut, "{}:\n{small}", plan.what.kind);
            assert!(refused || small.contains("armed"), "{}:\n{small}", plan.what.kind);
            // Elsewhere owners are others.
            if crate::trees::root() {
                insta::assert_snapshot!(of(plan), format!("{large}\n\n{small}"));
            }
        }
    }
}
