//! The kinds that talk with PostgreSQL on a real server, with `psql` as the judge.

use crate::peer::{self, Peer};
use crate::scene::{Scene, told};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use watchkeeper::action::lifecycle::Outcome;
use watchkeeper::action::plan::{Danger, Plan};
use watchkeeper::base::Clean;

/// What `psql` prints, as the superuser.
fn sql(peer: &Peer, statement: &str) -> String {
    let output = Command::new("psql")
        .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statement, peer.env("DATABASE_URL")])
        .output()
        .unwrap();
    assert!(output.status.success(), "{statement}: {output:?}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// A session that is at a statement until it is told to stop.
struct Session {
    child: Child,
    name: &'static str,
}

impl Session {
    fn new(peer: &Peer, name: &'static str, statements: &[&str]) -> Self {
        let mut command = Command::new("psql");
        command.args(["-X", "-q", peer.env("DATABASE_URL")]).env("PGAPPNAME", name);
        command.args(statements.iter().flat_map(|statement| ["-c", statement]));
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        Self { child, name }
    }

    /// As soon as the server says so.
    fn wait_for(&self, peer: &Peer, state: &str) -> String {
        let ask = format!("SELECT pid FROM pg_stat_activity WHERE application_name = '{}' AND {state}", self.name);
        for _ in 0..400 {
            let pid = sql(peer, &ask);
            if !pid.is_empty() {
                return pid;
            }
        }
        panic!("{} never came to {state}", self.name);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

fn secret(scene: &Scene, word: &str) -> String {
    let path = scene.path(&format!("secret-of-{}", word.len()));
    fs::write(&path, word).unwrap();
    fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    path.display().to_string()
}

/// The same server as another role, its password in a file.
fn by(scene: &Scene, peer: &Peer, url: &str) -> String {
    let (login, rest) = peer.env(url).trim_start_matches("postgres://").split_once('@').unwrap();
    let (user, password) = login.split_once(':').unwrap();
    format!("url = \"postgres://{user}@{rest}\"\npassword = {{ file = \"{}\" }}", secret(scene, password))
}

fn lines(plan: &Plan) -> Vec<&str> {
    plan.what.lines.iter().map(Clean::as_str).collect()
}

#[test]
fn the_session_that_was_shown_is_stopped_and_no_other() {
    let (scene, Some(peer)) = (Scene::new(), peer::start("postgres")) else { return };
    let url = format!("url = \"{}\"\nolder_than = \"1ms\"", peer.env("DATABASE_URL"));
    let table = format!("{url}\napplication = \"report\"");
    let refused = |table: &str| scene.plan("postgres_cancel", table).unwrap_err().to_string();
    assert_eq!(refused(&table), "no session fits: there is nothing to stop.");
    let other = Session::new(&peer, "other", &["SELECT pg_sleep(600)"]);
    let held = Session::new(&peer, "report", &["SELECT pg_sleep(600) /* 'canary' */", "SELECT pg_sleep(601)"]);
    let pid = held.wait_for(&peer, "state = 'active'");
    other.wait_for(&peer, "state = 'active'");

    let plan = scene.plan("postgres_cancel", &table).unwrap();
    assert_eq!(
        lines(&plan),
        [format!("SELECT pg_cancel_backend({pid})"), "  SELECT pg_sleep(600) /* 'canary' */".into()]
    );
    assert_eq!(plan.danger, Danger::C2, "there is no way back: {:?}", plan.raised);
    assert!(plan.hits[0].as_str().starts_with("1 of 1 sessions"), "{:?}", plan.hits);
    let (end, _) = scene.act(plan.clone());
    assert_eq!(end.outcome, Outcome::Succeeded, "{end:?}");

    // psql goes on with its next statement: the same session, and not what was agreed to.
    held.wait_for(&peer, "query LIKE '%601%'");
    let (end, _) = scene.act(Plan { id: scene.plan("postgres_cancel", &table).unwrap().id, ..plan });
    assert_eq!(end.outcome, Outcome::Refused, "{end:?}");
    assert!(end.reason.as_str().contains("since was"), "{end:?}");

    let ending = format!("{table}\nterminate = true");
    let plan = scene.plan("postgres_cancel", &ending).unwrap();
    assert_eq!((plan.danger, lines(&plan)[0]), (Danger::C3, &*format!("SELECT pg_terminate_backend({pid})")));
    let (end, _) = scene.act(plan);
    assert_eq!(end.outcome, Outcome::Succeeded, "{end:?}");
    let left = "SELECT string_agg(application_name, ',') FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid()";
    assert_eq!(sql(&peer, left), "other");

    let viewer = format!("{}\nolder_than = \"1ms\"\napplication = \"other\"", by(&scene, &peer, "PG_VIEWER_URL"));
    let (end, _) = scene.carry("postgres_cancel", &viewer);
    assert_eq!(end.outcome, Outcome::Failed, "it has not the right: {end:?}");
    assert!(end.reason.as_str().contains("this login may not do that"), "{end:?}");
    let nobody = format!("{}\nolder_than = \"1ms\"\nuser = \"ops\"", by(&scene, &peer, "PG_NOBODY_URL"));
    assert!(
        refused(&nobody).contains("no session fits") || refused(&nobody).contains("may not see"),
        "{}",
        refused(&nobody)
    );
}

#[test]
fn a_session_that_holds_others_up_is_found_and_an_idle_one_can_only_be_ended() {
    let (scene, Some(peer)) = (Scene::new(), peer::start("postgres")) else { return };
    let mut holder = Session { child: Command::new("true").spawn().unwrap(), name: "holder" };
    let mut command = Command::new("psql");
    command.args(["-X", "-q", peer.env("DATABASE_URL")]).env("PGAPPNAME", "holder");
    holder.child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut stdin = holder.child.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, b"BEGIN; LOCK TABLE orders;\n").unwrap();
    let pid = holder.wait_for(&peer, "state = 'idle in transaction'");
    let waiter = Session::new(&peer, "waiter", &["SELECT count(*) FROM orders"]);
    waiter.wait_for(&peer, "wait_event_type = 'Lock'");
    let table = format!("url = \"{}\"\nolder_than = \"1ms\"\nblocking = true", peer.env("DATABASE_URL"));
    let fault = scene.plan("postgres_cancel", &table).unwrap_err().to_string();
    assert!(fault.contains("no session fits"), "it is at no statement: {fault}");
    let plan = scene.plan("postgres_cancel", &format!("{table}\nterminate = true")).unwrap();
    assert_eq!(lines(&plan)[0], format!("SELECT pg_terminate_backend({pid})"));
    assert_eq!(plan.hits[0].as_str(), "1 of 1 sessions that fit; 1 wait for it");
    let (end, _) = scene.act(plan);
    assert_eq!(end.outcome, Outcome::Succeeded, "{end:?}");
}

#[test]
fn a_statement_is_explained_and_nothing_is_changed_by_it() {
    let (scene, Some(peer)) = (Scene::new(), peer::start("postgres")) else { return };
    let url = format!("url = \"{}\"", peer.env("DATABASE_URL"));
    let plan = |query: &str, more: &str| scene.plan("postgres_explain", &format!("{url}\nquery = \"{query}\"\n{more}"));
    let given = plan(
        "SELECT * FROM orders WHERE id = {id} AND {word} <> ''",
        "params = { id = { int = [1, 9], value = 7 }, word = { matches = \".*\", value = \"it's\" } }",
    );
    let given = given.unwrap();
    assert_eq!(lines(&given), ["EXPLAIN (COSTS) SELECT * FROM orders WHERE id = '7' AND 'it''s' <> ''"]);
    assert_eq!(given.danger, Danger::C1);
    let (end, progress) = scene.act(given.clone());
    assert_eq!(end.outcome, Outcome::Succeeded, "{end:?}");
    assert!(told(&progress).iter().any(|step| step.contains("Index Scan using orders_pkey")), "{:?}", told(&progress));
    assert!(scene.output(&given).contains("Index Cond: (id = 7)"), "{}", scene.output(&given));

    let measured = plan("SELECT count(*) FROM orders", "analyze = true").unwrap();
    assert_eq!(measured.danger, Danger::C2, "{:?}", measured.raised);
    let (end, progress) = scene.act(measured);
    assert!(told(&progress).iter().any(|step| step.contains("actual time=")), "{end:?} {:?}", told(&progress));

    for (query, more, why) in [
        ("DELETE FROM orders", "analyze = true", "it is for SELECT only"),
        ("WITH x AS (DELETE FROM orders RETURNING 1) SELECT * FROM x", "analyze = true", "it is for SELECT only"),
        ("VACUUM orders", "", "cannot be explained"),
        ("SELECT {n}", "", "`{n}` is no parameter"),
        ("SELECT 1 WHERE 'password=abcdef12' <> ''", "", "holds no secret"),
    ] {
        let fault = plan(query, more).unwrap_err().to_string();
        assert!(fault.contains(why), "{fault}");
    }
    for (query, more, why) in [
        // A second statement behind the first, and what a function would change.
        ("SELECT 1; DELETE FROM orders", "analyze = true", "cannot insert multiple commands"),
        ("SELECT setval('s', 9)", "analyze = true", "read-only transaction"),
        ("SELECT pg_sleep(60)", "analyze = true\ntimeout = \"100ms\"", "did not answer in time"),
        ("SELECT * FROM missing", "", "does not exist"),
    ] {
        sql(&peer, "CREATE SEQUENCE IF NOT EXISTS s");
        let (end, _) = scene.act(plan(query, more).unwrap());
        assert_eq!(end.outcome, Outcome::Failed, "{end:?}");
        assert!(end.reason.as_str().contains(why), "{end:?}");
    }
    assert_eq!(sql(&peer, "SELECT count(*), (SELECT last_value FROM s) FROM orders"), "1000|1");
}

#[test]
fn a_login_that_is_not_let_in_or_stands_in_the_open_is_refused_before_the_prompt() {
    let (scene, Some(peer)) = (Scene::new(), peer::start("postgres")) else { return };
    let refused = |table: String| {
        scene.plan("postgres_explain", &format!("{table}\nquery = \"SELECT 1\"")).unwrap_err().to_string()
    };
    let open = refused(format!("url = \"{}\"", peer.env("PG_VIEWER_URL")));
    assert!(open.contains("`url` holds a password") && !open.contains("viewer"), "{open}");
    let url = peer.env("DATABASE_URL");
    assert!(refused(format!("url = \"{url}x\"")).contains("database \"appx\" does not exist"));
    let unencrypted = refused(format!("url = \"{url}?sslmode=require\""));
    assert!(unencrypted.contains("server does not support TLS"), "{unencrypted}");
    assert!(refused("url = \"postgres://ops@127.0.0.1:1/app\"".to_owned()).contains("refused the connection"));
    // Over its socket.
    let socket = format!("url = \"postgres:///app?user=ops&host={}&port={}\"", peer.env("PG_SOCKET_DIR"), port(url));
    scene.plan("postgres_explain", &format!("{socket}\nquery = \"SELECT 1\"")).unwrap();
}

fn port(url: &str) -> &str {
    url.rsplit_once(':').and_then(|(_, rest)| rest.split_once('/')).unwrap().0
}
