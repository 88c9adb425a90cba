//! The kinds that talk with PostgreSQL on a real server, with `psql` as the judge.

use crate::back::there_and_back;
use crate::peer::{self, Peer, Running};
use crate::scene::{Scene, settled, told};
use crate::web::certificate;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use watchkeeper::action::back;
use watchkeeper::action::kinds::Settled;
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
pub(crate) struct Session {
    child: Running,
    name: &'static str,
}

impl Session {
    pub(crate) fn new(peer: &Peer, name: &'static str, statements: &[&str]) -> Self {
        let mut command = Command::new("psql");
        command.args(["-X", "-q", peer.env("DATABASE_URL")]).env("PGAPPNAME", name);
        command.args(statements.iter().flat_map(|statement| ["-c", statement]));
        Self { child: Running::start(&mut command, Stdio::null(), Stdio::null()), name }
    }

    /// As soon as the server says so.
    pub(crate) fn wait_for(&self, peer: &Peer, state: &str) -> String {
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
    assert!(matches!(settled(&plan), Settled::NotDone(_)));
    let (end, _) = scene.act(plan.clone());
    assert_eq!(end.outcome, Outcome::Succeeded, "{end:?}");
    assert!(matches!(settled(&plan), Settled::Done(_)));

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
    assert!(refused(&viewer).starts_with("this login may not stop a session of "), "{}", refused(&viewer));
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
    let mut command = Command::new("psql");
    command.args(["-X", "-q", peer.env("DATABASE_URL")]).env("PGAPPNAME", "holder");
    let mut holder = Session { child: Running::start(&mut command, Stdio::piped(), Stdio::null()), name: "holder" };
    let mut stdin = holder.child.0.stdin.take().unwrap();
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
fn a_statement_that_was_seen_is_explained_with_its_values_open_and_not_carried_out() {
    let (scene, Some(peer)) = (Scene::new(), peer::start("postgres")) else { return };
    let known = |part: &str| {
        sql(
            &peer,
            &format!("SELECT queryid FROM pg_stat_statements WHERE query LIKE '{part}%' ORDER BY calls DESC LIMIT 1"),
        )
    };
    let calls = |id: &str| sql(&peer, &format!("SELECT sum(calls) FROM pg_stat_statements WHERE queryid = {id}"));
    let plan = |id: &str, more: &str| {
        let row = format!("{{ int = [-9223372036854775808, 9223372036854775807], value = {id} }}");
        let table =
            format!("url = \"{}\"\nstatement = \"{{id}}\"\nparams = {{ id = {row} }}", peer.env("DATABASE_URL"));
        scene.plan("postgres_explain", &format!("{table}\n{more}"))
    };
    let id = known("select pg_sleep");
    let slow = plan(&id, "").unwrap();
    let statement = "select pg_sleep($1), count(*) from orders where total > $2";
    assert_eq!(lines(&slow), ["EXPLAIN (COSTS), whatever the values", statement]);
    assert_eq!(slow.danger, Danger::C1);
    let before = calls(&id);
    let (end, progress) = scene.act(slow.clone());
    assert_eq!(end.outcome, Outcome::Succeeded, "{end:?} {:?}", told(&progress));
    assert!(scene.output(&slow).contains("Filter: (total > $2)"), "{}", scene.output(&slow));
    assert_eq!((calls(&id), before.as_str()), ("3".to_owned(), "3"), "it was not carried out");

    // One that would change something: its plan is seen, and nothing else.
    sql(&peer, "UPDATE orders SET total = total + 1 WHERE id = 1");
    let change = plan(&known("UPDATE orders"), "").unwrap();
    let total = sql(&peer, "SELECT total FROM orders WHERE id = 1");
    let (end, _) = scene.act(change.clone());
    assert_eq!(end.outcome, Outcome::Succeeded, "{end:?}");
    assert!(scene.output(&change).contains("Update on orders"), "{}", scene.output(&change));
    assert_eq!(sql(&peer, "SELECT total FROM orders WHERE id = 1"), total);

    let refused = |id: &str, more: &str| plan(id, more).unwrap_err().to_string();
    assert!(refused("12", "").contains("no statement 12 is known to pg_stat_statements"), "{}", refused("12", ""));
    assert!(refused(&id, "analyze = true").contains("is not carried out"));
    assert!(refused(&id, "query = \"SELECT 1\"").contains("one of `query` and `statement`"));
    sql(&peer, "CREATE SEQUENCE seen");
    assert!(refused(&known("CREATE SEQUENCE"), "").contains("cannot be explained"));
    sql(&peer, "DROP EXTENSION pg_stat_statements");
    assert!(refused(&id, "").contains("pg_stat_statements is missing"), "{}", refused(&id, ""));
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

#[test]
fn a_setting_is_set_proven_and_put_back() {
    let (scene, Some(peer)) = (Scene::new(), peer::start("postgres")) else { return };
    let url = format!("url = \"{}\"\nsetting = \"work_mem\"", peer.env("DATABASE_URL"));
    let show = || sql(&peer, "SELECT setting, source FROM pg_settings WHERE name = 'work_mem'");
    let table = format!("{url}\nvalue = 8192\nrange = [64, 65536]");
    let back = format!("{url}\nput_back = \"the-action\"");
    let fault = scene.plan("postgres_setting", &back).unwrap_err().to_string();
    assert!(fault.starts_with("there is nothing to take back: `the-action` was not done here"), "{fault}");

    let plan = scene.plan("postgres_setting", &table).unwrap();
    assert_eq!(lines(&plan)[0], "ALTER SYSTEM SET work_mem = '8192'");
    assert_eq!(lines(&plan)[2], "  work_mem: 4096 → 8192 kB");
    assert_eq!(plan.undo.to_string(), "ALTER SYSTEM RESET work_mem, reload; offered afterwards");
    assert_eq!(show(), "4096|default", "planning changes nothing");
    let stale = scene.plan("postgres_setting", &table).unwrap();
    // A runner that died between the two steps, and before the first.
    assert!(matches!(settled(&plan), Settled::NotDone(_)));
    sql(&peer, "ALTER SYSTEM SET work_mem = 8192");
    assert!(matches!(settled(&plan), Settled::Other(said) if said.as_str().contains("8192 is written for it")));
    sql(&peer, "ALTER SYSTEM RESET work_mem");
    let (end, progress) = scene.act(plan);
    assert!(matches!(settled(&stale), Settled::Done(_)));
    assert_eq!(end.outcome, Outcome::Succeeded, "{end:?} {:?}", told(&progress));
    assert_eq!(show(), "8192|configuration file");
    let (end, _) = scene.act(stale);
    assert_eq!(end.outcome, Outcome::Refused, "{end:?}");
    assert!(end.reason.as_str().contains("value was 4096 and is 8192"), "{end:?}");
    let fault = scene.plan("postgres_setting", &table).unwrap_err().to_string();
    assert_eq!(fault, "nothing would change: work_mem is 8192 already.");

    let plan = scene.plan("postgres_setting", &back).unwrap();
    assert_eq!(lines(&plan)[0], "ALTER SYSTEM RESET work_mem");
    let (end, _) = scene.act(plan);
    assert_eq!((end.outcome, &*show()), (Outcome::Succeeded, "4096|default"), "{end:?}");

    // Somebody else's later value is not taken back.
    assert_eq!(scene.carry("postgres_setting", &table).0.outcome, Outcome::Succeeded);
    sql(&peer, "ALTER SYSTEM SET work_mem = 9999");
    sql(&peer, "SELECT pg_reload_conf()");
    while show() != "9999|configuration file" {}
    let fault = scene.plan("postgres_setting", &back).unwrap_err().to_string();
    assert!(fault.contains("was changed since by somebody else. It was 4096 before"), "{fault}");
}

#[test]
fn a_setting_is_taken_back_to_what_was_written_or_to_nothing() {
    let (scene, Some(peer)) = (Scene::new(), peer::start("postgres")) else { return };
    let table = format!("url = \"{}\"\nsetting = \"work_mem\"\nrange = [64, 65536]", peer.env("DATABASE_URL"));
    let plan = |value: u32| scene.plan("postgres_setting", &format!("{table}\nvalue = {value}")).unwrap();
    let is = |said: &'static str| {
        let peer = &peer;
        move || assert_eq!(sql(peer, "SELECT setting, source FROM pg_settings WHERE name = 'work_mem'"), said)
    };
    let first = plan(8192);
    let back = there_and_back(&scene, &first, is("8192|configuration file"), is("4096|default"));
    assert_eq!(lines(&back)[0], "ALTER SYSTEM RESET work_mem");
    let fault = scene.way_back(&first).unwrap_err().to_string();
    assert!(fault.contains("there is nothing to take back: work_mem is as it was before"), "{fault}");

    let first = plan(5000);
    assert_eq!(scene.act(first.clone()).0.outcome, Outcome::Succeeded);
    let second = plan(6000);
    assert_eq!(second.undo.to_string(), "ALTER SYSTEM SET work_mem = '5000', reload; offered afterwards");
    assert_eq!(scene.act(second.clone()).0.outcome, Outcome::Succeeded);
    let fault = scene.way_back(&first).unwrap_err().to_string();
    assert!(fault.contains("work_mem was changed since by somebody else or a later run"), "{fault}");
    let back = scene.way_back(&second).unwrap();
    let stale = scene.way_back(&second).unwrap();
    assert_eq!(scene.act(back).0.outcome, Outcome::Succeeded);
    is("5000|configuration file")();
    assert_eq!(scene.act(stale).0.outcome, Outcome::Refused);
}

#[test]
fn the_index_that_a_run_has_made_is_dropped_again_and_no_other() {
    let (scene, Some(peer)) = (Scene::new(), peer::start("postgres")) else { return };
    let password = secret(&scene, "word");
    let url = format!("url = \"{}\"\ntable = \"public.orders\"", peer.env("DATABASE_URL"));
    let table = format!("{url}\nname = \"idx_total\"\ncolumns = [\"total\"]\npassword = {{ file = \"{password}\" }}");
    let many = |count: &'static str| {
        let peer = &peer;
        move || assert_eq!(sql(peer, "SELECT count(*) FROM pg_indexes WHERE indexname LIKE 'idx_%'"), count)
    };
    let plan = scene.plan("postgres_index", &table).unwrap();
    let back = there_and_back(&scene, &plan, many("1"), many("0"));
    assert_eq!(lines(&back), ["DROP INDEX CONCURRENTLY \"public\".\"idx_total\""]);
    assert!(back.undo.to_string().starts_with("by hand, create it again: CREATE INDEX idx_total"), "{}", back.undo);
    assert!(!back::has(&back) && back.raised.len() == 1, "{:?}", back.raised);

    let plan = scene.plan("postgres_index", &table).unwrap();
    assert_eq!(scene.act(plan.clone()).0.outcome, Outcome::Succeeded);
    sql(&peer, "DROP INDEX idx_total");
    sql(&peer, "CREATE INDEX idx_total ON orders (total)");
    let fault = scene.way_back(&plan).unwrap_err().to_string();
    assert!(fault.contains("idx_total was made anew since by somebody else or a later run"), "{fault}");

    // What a failed one has left behind goes the same way.
    sql(&peer, "INSERT INTO orders VALUES (-1, 1.5)");
    let unique = format!("{url}\nname = \"idx_once\"\ncolumns = [\"total\"]\nunique = true");
    let plan = scene.plan("postgres_index", &unique).unwrap();
    assert_eq!(scene.act(plan.clone()).0.outcome, Outcome::Indeterminate);
    let back = scene.way_back(&plan).unwrap();
    assert_eq!(scene.act(back).0.outcome, Outcome::Succeeded);
    many("1")();
}

#[test]
fn a_setting_that_waits_for_a_restart_is_not_called_done_and_can_be_put_back() {
    let (scene, Some(peer)) = (Scene::new(), peer::start("postgres")) else { return };
    let url = format!("url = \"{}\"\nsetting = \"max_worker_processes\"", peer.env("DATABASE_URL"));
    let plan = scene.plan("postgres_setting", &format!("{url}\nvalue = 9\nrange = [8, 16]")).unwrap();
    assert_eq!(plan.danger, Danger::C3, "{:?}", plan.raised);
    let (end, _) = scene.act(plan);
    assert_eq!(end.outcome, Outcome::Unverified, "{end:?}");
    assert!(end.reason.as_str().contains("waits for a restart"), "{end:?}");
    let fault = scene.plan("postgres_setting", &format!("{url}\nvalue = 10\nrange = [8, 16]")).unwrap_err().to_string();
    assert!(fault.contains("waits for a restart of the server already"), "{fault}");
    let (end, _) = scene.carry("postgres_setting", &format!("{url}\nput_back = \"the-action\""));
    assert_eq!(end.outcome, Outcome::Succeeded, "{end:?}");
    let left = "SELECT (SELECT count(*) FROM pg_file_settings WHERE name = 'max_worker_processes'), setting FROM pg_settings WHERE name = 'max_worker_processes'";
    assert_eq!(sql(&peer, left), "0|8");
}

#[test]
fn a_setting_that_does_not_fit_or_is_decided_elsewhere_is_refused() {
    let (scene, Some(peer)) = (Scene::new(), peer::start("postgres")) else { return };
    let url = format!("url = \"{}\"", peer.env("DATABASE_URL"));
    sql(&peer, "ALTER ROLE ops SET statement_timeout = '1h'");
    for (rest, why) in [
        ("setting = \"log_min_duration_statement\"\nvalue = 100\nrange = [0, 60000]", "comes from the command line"),
        ("setting = \"statement_timeout\"\nvalue = 100\nrange = [0, 60000]", "comes from the user"),
        ("setting = \"block_size\"\nvalue = 100\nrange = [0, 60000]", "is part of the server"),
        ("setting = \"no_such\"\nvalue = 100\nrange = [0, 60000]", "has no setting no_such"),
        ("setting = \"x; DROP\"\nvalue = 100\nrange = [0, 60000]", "no name of a setting"),
        ("setting = \"work_mem\"\nvalue = 70000\nrange = [64, 65536]", "expected a number from 64 to 65536"),
        ("setting = \"work_mem\"\nvalue = 9\nrange = [0, 65536]", "the server takes 64 to"),
        ("setting = \"work_mem\"\nvalue = 9.5\nrange = [0, 65536]", "is of type integer"),
        ("setting = \"work_mem\"\nvalue = 9000", "a number needs its `range`"),
        ("setting = \"work_mem\"\nvalue = true", "is of type integer"),
        ("setting = \"log_statement\"\nvalue = \"all\"\none_of = [\"none\", \"ddl\"]", "expected one of none, ddl"),
        ("setting = \"log_statement\"\nvalue = \"some\"\none_of = [\"some\"]", "the server takes one of none,ddl"),
        ("setting = \"search_path\"\nvalue = \"a,b\"\none_of = [\"a,b\"]", "no list"),
        ("setting = \"work_mem\"", "`value` is missing here, or `put_back`"),
    ] {
        let fault = scene.plan("postgres_setting", &format!("{url}\n{rest}")).unwrap_err().to_string();
        assert!(fault.contains(why), "{rest}: {fault}");
    }
    let viewer = by(&scene, &peer, "PG_VIEWER_URL");
    let table = format!("{viewer}\nsetting = \"work_mem\"\nvalue = 99\nrange = [64, 99]");
    let refused = || scene.plan("postgres_setting", &table).unwrap_err().to_string();
    let (set, reload) = (
        "GRANT ALTER SYSTEM ON PARAMETER work_mem TO \"viewer\"",
        "GRANT EXECUTE ON FUNCTION pg_reload_conf() TO \"viewer\"",
    );
    assert!(refused().contains("viewer may not set work_mem") && refused().contains(&format!("{set}; {reload}")));
    sql(&peer, set);
    assert!(!refused().contains(set) && refused().contains(reload), "{}", refused());
    sql(&peer, reload);
    let plan = scene.plan("postgres_setting", &table).unwrap();
    sql(&peer, &reload.replace("GRANT", "REVOKE").replace(" TO ", " FROM "));
    let (end, _) = scene.act(plan);
    assert_eq!(end.outcome, Outcome::Failed, "taken back since the plan: {end:?}");
    sql(&peer, "ALTER SYSTEM RESET work_mem");
    assert_eq!(sql(&peer, "SHOW work_mem"), "4MB");
}

#[test]
fn an_index_is_created_beside_writers_and_an_invalid_one_is_found_and_dropped() {
    let (scene, Some(peer)) = (Scene::new(), peer::start("postgres")) else { return };
    let url = format!("url = \"{}\"\ntable = \"public.orders\"", peer.env("DATABASE_URL"));
    let table = format!("{url}\nname = \"idx_total\"\ncolumns = [\"total\"]\ntimeout = \"20s\"");
    let refused = |table: &str| scene.plan("postgres_index", table).unwrap_err().to_string();
    let plan = scene.plan("postgres_index", &table).unwrap();
    assert_eq!(
        lines(&plan),
        ["CREATE INDEX CONCURRENTLY \"idx_total\" ON \"public\".\"orders\" USING btree (\"total\")"]
    );
    let undo = "DROP INDEX CONCURRENTLY \"public\".\"idx_total\"; offered afterwards";
    assert_eq!(plan.undo.to_string(), undo);
    let stale = scene.plan("postgres_index", &table).unwrap();
    let (end, _) = scene.act(plan);
    assert_eq!(end.outcome, Outcome::Succeeded, "{end:?}");
    assert!(refused(&table).starts_with("nothing would change: CREATE INDEX idx_total"), "{}", refused(&table));
    let (end, _) = scene.act(stale);
    assert_eq!(end.outcome, Outcome::Refused, "somebody has made it meanwhile: {end:?}");

    let (end, _) = scene.carry("postgres_index", &format!("{url}\nname = \"idx_total\"\ndrop = true"));
    assert_eq!(end.outcome, Outcome::Succeeded, "{end:?}");
    sql(&peer, "INSERT INTO orders VALUES (-1, 1.5)");
    let unique = format!("{url}\nname = \"idx_once\"\ncolumns = [\"total\"]\nunique = true");
    let plan = scene.plan("postgres_index", &unique).unwrap();
    assert!(matches!(settled(&plan), Settled::NotDone(_)));
    let (end, _) = scene.act(plan.clone());
    assert_eq!(end.outcome, Outcome::Indeterminate, "two rows are equal: {end:?}");
    assert!(matches!(settled(&plan), Settled::Other(said) if said.as_str().contains("INVALID")));
    assert!(end.reason.as_str().contains("An INVALID index was left behind"), "{end:?}");
    assert!(refused(&unique).contains("idx_once is INVALID"), "{}", refused(&unique));
    let (end, _) = scene.carry("postgres_index", &format!("{url}\nname = \"idx_once\"\ndrop = true"));
    assert_eq!(end.outcome, Outcome::Succeeded, "{end:?}");
    assert_eq!(sql(&peer, "SELECT count(*) FROM pg_indexes WHERE tablename = 'orders'"), "1");
    assert!(refused(&format!("{url}\nname = \"orders_pkey\"\ndrop = true")).contains("keeps a constraint"));

    // One that waits for an old transaction is being built: no second one beside it.
    let plan = scene.plan("postgres_index", &table).unwrap();
    let writer =
        Session::new(&peer, "writer", &["BEGIN; UPDATE orders SET total = 2 WHERE id = 1; SELECT pg_sleep(600)"]);
    writer.wait_for(&peer, "query LIKE '%pg_sleep%' AND backend_xid IS NOT NULL");
    let builder = Session::new(&peer, "builder", &["CREATE INDEX CONCURRENTLY other ON orders (total)"]);
    builder.wait_for(&peer, "wait_event_type = 'Lock'");
    assert!(refused(&table).contains("another index is being built"), "{}", refused(&table));
    let (end, _) = scene.act(plan);
    assert_eq!(end.outcome, Outcome::Refused, "{end:?}");
    assert!(end.reason.as_str().contains("another index is being built"), "{end:?}");
}

#[test]
fn an_index_that_cannot_be_is_refused_before_the_prompt() {
    let (scene, Some(peer)) = (Scene::new(), peer::start("postgres")) else { return };
    let url = format!("url = \"{}\"", peer.env("DATABASE_URL"));
    sql(&peer, "CREATE TABLE parts (a int) PARTITION BY RANGE (a)");
    sql(&peer, "GRANT USAGE ON SCHEMA public TO viewer");
    let viewer = by(&scene, &peer, "PG_VIEWER_URL");
    for (login, rest, why) in [
        (&url, "table = \"orders\"\nname = \"i\"\ncolumns = [\"id\"]", "named with its schema"),
        (&url, "table = \"public.none\"\nname = \"i\"\ncolumns = [\"id\"]", "there is no table public.none"),
        (&url, "table = \"public.orders\"\nname = \"i\"\ncolumns = [\"nope\"]", "has not all of the columns nope"),
        (&url, "table = \"public.orders\"\nname = \"i\\\"; x\"\ncolumns = [\"id\"]", "is no plain name"),
        (&url, "table = \"public.orders\"\nname = \"i\"", "needs `columns`"),
        (&url, "table = \"public.orders\"\nname = \"i\"\ncolumns = [\"id\"]\nmethod = \"tree\"", "`method` is one of"),
        (&url, "table = \"public.orders\"\nname = \"i\"\ndrop = true", "there is no index i to drop"),
        (&url, "table = \"public.orders\"\nname = \"parts\"\ncolumns = [\"id\"]", "is something else than an index"),
        (&url, "table = \"public.parts\"\nname = \"i\"\ncolumns = [\"a\"]", "is no plain table"),
        (&viewer, "table = \"public.orders\"\nname = \"i\"\ncolumns = [\"id\"]", "belongs to another role"),
    ] {
        let fault = scene.plan("postgres_index", &format!("{login}\n{rest}")).unwrap_err().to_string();
        assert!(fault.contains(why), "{rest}: {fault}");
    }
    // The server goes on by itself when nobody waits for it any more.
    let writer =
        Session::new(&peer, "writer", &["BEGIN; UPDATE orders SET total = 2 WHERE id = 1; SELECT pg_sleep(600)"]);
    writer.wait_for(&peer, "query LIKE '%pg_sleep%' AND backend_xid IS NOT NULL");
    let slow = format!("{url}\ntable = \"public.orders\"\nname = \"late\"\ncolumns = [\"total\"]\ntimeout = \"300ms\"");
    let (end, _) = scene.carry("postgres_index", &slow);
    assert_eq!(end.outcome, Outcome::Indeterminate, "{end:?}");
    assert!(end.reason.as_str().contains("did not answer within 0.3 s"), "{end:?}");
}

#[test]
fn with_tls_the_certificate_is_looked_at_and_the_talk_is_encrypted() {
    let (scene, Some(peer)) = (Scene::new(), peer::start("postgres")) else { return };
    let (Some((cert, _)), Some((other, _))) =
        (certificate(scene.dir.path(), "DNS:localhost"), certificate(scene.dir.path(), "DNS:other.internal"))
    else {
        return peer::skip("openssl", "not found: apt-get install openssl");
    };
    let data = peer.dir().join("data");
    for (from, name) in [(cert.with_extension("key"), "server.key"), (cert.clone(), "server.crt")] {
        fs::copy(from, data.join(name)).unwrap();
        fs::set_permissions(data.join(name), PermissionsExt::from_mode(0o600)).unwrap();
        let owner = Command::new("chown").arg("--reference").arg(&data).arg(data.join(name)).status();
        assert!(owner.unwrap().success());
    }
    sql(&peer, "ALTER SYSTEM SET ssl = on");
    sql(&peer, "SELECT pg_reload_conf()");
    while sql(&peer, "SHOW ssl") != "on" {}
    let url = peer.env("DATABASE_URL");
    let mode = if url.contains('?') { "&sslmode=require" } else { "?sslmode=require" };
    let (ca, wrong) = (format!("ca = \"{}\"", cert.display()), format!("ca = \"{}\"", other.display()));
    let named = url.replace("127.0.0.1", "localhost");
    let look = |url: &str, more: &str| {
        scene.plan(
            "postgres_cancel",
            &format!("url = \"{url}{mode}\"\n{more}\nolder_than = \"1ms\"\napplication = \"report\""),
        )
    };
    let refused = |url: &str, more: &str| look(url, more).unwrap_err().to_string();
    let said = refused(&named, &wrong);
    assert!(said.contains("nobody that is trusted here has signed its certificate"), "{said}");
    let said = refused(url, &ca);
    assert!(said.contains("its certificate is for another name; say which in `server_name`"), "{said}");
    let session = Session::new(&peer, "report", &["SELECT pg_sleep(600)"]);
    session.wait_for(&peer, "state = 'active' AND query LIKE '%pg_sleep%' AND wait_event = 'PgSleep'");
    let plan = look(url, &format!("{ca}\nserver_name = \"localhost\"")).unwrap();
    let (end, progress) = scene.act(plan);
    assert_eq!(end.outcome, Outcome::Succeeded, "{end:?} {:?}", told(&progress));
}
