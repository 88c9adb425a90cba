//! `redis_clear` on a real server, with `redis-cli` as the judge.

use crate::peer::{self, Peer};
use crate::scene::{Scene, settled, told};
use crate::web::certificate;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use watchkeeper::action::kinds::Settled;
use watchkeeper::action::lifecycle::Outcome;
use watchkeeper::action::plan::{Danger, Undo};

const PASSWORD: &str = "canary-7f3a91";

fn cli(peer: &Peer, arguments: &[&str]) -> String {
    let mut command = Command::new("redis-cli");
    command.args(["-s", peer.env("REDIS_SOCKET")]).args(arguments);
    let output = command.env("REDISCLI_AUTH", PASSWORD).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    assert!(!said.starts_with("ERR"), "{arguments:?}: {said}");
    said
}

/// A server with a password, and the file that keeps it.
pub(crate) fn server(scene: &Scene) -> Option<(Peer, String)> {
    let peer = peer::start_with("redis", &[("SVC_PASSWORD", PASSWORD)])?;
    fill(&peer, 2_500);
    let socket = peer.env("REDIS_SOCKET");
    let table = format!(
        "url = \"redis+unix://{socket}\"\nprefix = \"cache:[1]\"\npassword = {{ file = \"{}\" }}",
        secret(scene, PASSWORD)
    );
    Some((peer, table))
}

fn fill(peer: &Peer, keys: u32) {
    cli(peer, &["eval", &format!("for i = 1, {keys} do redis.call('set', 'cache:[1]:' .. i, i) end"), "0"]);
    cli(peer, &["mset", "cache:1", "other", "cache", "other", "CACHE:[1]", "other"]);
}

fn secret(scene: &Scene, word: &str) -> String {
    let path = scene.path(&format!("secret-of-{}", word.len()));
    fs::write(&path, word).unwrap();
    fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    path.display().to_string()
}

#[test]
fn the_keys_of_one_key_space_go_and_no_other_does() {
    let scene = Scene::new();
    let Some((peer, table)) = server(&scene) else { return };
    cli(&peer, &["config", "resetstat"]);
    cli(&peer, &["get", "jobs:none"]);
    let plan = scene.plan("redis_clear", &table).unwrap();
    let before: u32 = cli(&peer, &["dbsize"]).parse().unwrap();
    assert_eq!((plan.danger, &plan.undo), (Danger::C3, &Undo::Irreversible), "{:?}", plan.raised);
    assert!(plan.what.lines[0].as_str().contains("2500 keys that begin with \"cache:[1]\" in db0"), "{plan:?}");
    let based_on: Vec<&str> = plan.based_on.iter().map(|row| row.value.as_str()).collect();
    assert!(based_on.contains(&"0 % of 1 reads since the server began"), "{based_on:?}");
    assert!(!serde_json::to_string(&plan).unwrap().contains(PASSWORD));

    assert!(matches!(settled(&plan), Settled::NotDone(_)));
    let (end, progress) = scene.act(plan.clone());
    assert_eq!(end.outcome, Outcome::Succeeded, "{end:?}");
    assert!(matches!(settled(&plan), Settled::Done(_)));
    assert!(told(&progress).contains(&"2500 keys removed".to_owned()), "{:?}", told(&progress));
    assert_eq!(cli(&peer, &["dbsize"]).parse::<u32>().unwrap(), before - 2_500);
    assert_eq!(cli(&peer, &["exists", "cache:1", "cache", "CACHE:[1]", "jobs", "events"]), "5");
    let fault = scene.plan("redis_clear", &table).unwrap_err().to_string();
    assert_eq!(fault, "nothing would change: no key begins with \"cache:[1]\".");
}

#[test]
fn what_changed_since_the_plan_stops_it() {
    let mut scene = Scene::new();
    let Some((peer, table)) = server(&scene) else { return };
    // For a list of actions nobody counts them.
    scene.preview = false;
    let listed = scene.plan("redis_clear", &table).unwrap();
    assert!(listed.what.lines[0].as_str().contains("of the keys that begin with"), "{listed:?}");
    assert!(listed.based_on.iter().any(|row| row.label.as_str() == "server"), "{:?}", listed.based_on);
    scene.preview = true;
    let plan = scene.plan("redis_clear", &table).unwrap();
    fill(&peer, 4_000);
    let (end, _) = scene.act(plan);
    assert_eq!(end.outcome, Outcome::Refused, "{end:?}");
    assert!(end.reason.as_str().contains("were 2500 and are 4000"), "{end:?}");
    // Its script knows the password no more.
    cli(&peer, &["config", "set", "requirepass", ""]);
    let table = table.lines().take(2).collect::<Vec<_>>().join("\n");
    let plan = scene.plan("redis_clear", &table).unwrap();
    peer.restart();
    fill(&peer, 4_000);
    let (end, _) = scene.act(plan);
    assert_eq!(end.outcome, Outcome::Refused, "another run of the server: {end:?}");
    assert!(end.reason.as_str().contains("run_id was"), "{end:?}");
    assert_eq!(cli(&peer, &["exists", "cache:[1]:4000"]), "1");
}

#[test]
fn a_server_that_does_not_let_us_is_left_as_it_is() {
    let scene = Scene::new();
    let Some((peer, table)) = server(&scene) else { return };
    let refused = |table: &str| scene.plan("redis_clear", table).unwrap_err().to_string();
    let without = table.lines().take(2).collect::<Vec<_>>().join("\n");
    assert!(refused(&without).contains("wants a password. Give `password`"), "{}", refused(&without));
    let wrong = format!("{without}\npassword = {{ file = \"{}\" }}", secret(&scene, "another-word"));
    assert!(refused(&wrong).contains("refuses this login"), "{}", refused(&wrong));

    cli(&peer, &["acl", "setuser", "reader", "on", ">reader-word", "~*", "+@all", "-unlink"]);
    let reader = format!("{without}\nuser = \"reader\"\npassword = {{ file = \"{}\" }}", secret(&scene, "reader-word"));
    assert!(refused(&reader).contains("does not let this login remove such keys"), "{}", refused(&reader));
    cli(&peer, &["acl", "setuser", "reader", "+unlink"]);
    let plan = scene.plan("redis_clear", &reader).unwrap();
    cli(&peer, &["acl", "setuser", "reader", "-unlink"]);
    let (end, _) = scene.act(plan);
    assert_eq!(end.outcome, Outcome::Failed, "it said no to the first: {end:?}");
    assert!(end.reason.as_str().contains("does not let this user do that"), "{end:?}");
    assert_eq!(cli(&peer, &["exists", "cache:[1]:1"]), "1");

    assert!(refused(&format!("{table}\nmost = 2000")).contains("2500 keys begin with"), "a cap");
    cli(&peer, &["replicaof", "127.0.0.1", "1"]);
    assert!(refused(&table).contains("is a replica"), "{}", refused(&table));
}

#[test]
fn no_pattern_no_whole_database_and_no_login_in_the_open() {
    let scene = Scene::new();
    let url = "url = \"redis://127.0.0.1:1/0\"";
    for (table, why) in [
        (format!("{url}\nprefix = \"*\""), "A whole database is never cleared"),
        (format!("{url}\nprefix = \"\""), "2 to 128 plain characters"),
        (format!("{url}\nprefix = \"cache:*\""), "no pattern"),
        (format!("{url}\nprefix = \"cache\\n\""), "2 to 128 plain characters"),
        ("url = \"redis://:hunter22@h/0\"\nprefix = \"cache:\"".to_owned(), "`url` holds a login"),
        (format!("{url}\nprefix = \"cache:\"\npassword = \"hunter22\""), "does not stand in the profile"),
        (format!("{url}\nprefix = \"cache:\""), "refused the connection"),
    ] {
        let fault = scene.plan("redis_clear", &table).unwrap_err().to_string();
        assert!(fault.contains(why) && !fault.contains("hunter"), "{fault}");
    }
}

#[test]
fn a_server_that_is_gone_in_the_middle_may_have_done_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut some = [0; 4096];
            while let Ok(read @ 1..) = stream.read(&mut some) {
                let asked = String::from_utf8_lossy(&some[..read]).into_owned();
                let info = "run_id:abc\r\nrole:master\r\nredis_version:7\r\n";
                let answer = match asked.split("\r\n").nth(2) {
                    Some("INFO") => format!("${}\r\n{info}\r\n", info.len()),
                    Some("SCAN") => "*2\r\n$1\r\n0\r\n*1\r\n$7\r\ncache:1\r\n".to_owned(),
                    _ => break,
                };
                let _gone = stream.write_all(answer.as_bytes());
            }
        }
    });
    let scene = Scene::new();
    let (end, _) = scene.carry("redis_clear", &format!("url = \"redis://{at}\"\nprefix = \"cache:\""));
    assert_eq!(end.outcome, Outcome::Indeterminate, "{end:?}");
    assert!(end.reason.as_str().contains("closed the connection"), "{end:?}");
}

#[test]
fn with_tls_the_certificate_is_looked_at_before_the_password_goes_out() {
    let scene = Scene::new();
    let (Some((cert, _)), Some((other, _))) =
        (certificate(scene.dir.path(), "DNS:localhost"), certificate(scene.dir.path(), "DNS:other.internal"))
    else {
        return peer::skip("openssl", "not found: apt-get install openssl");
    };
    let Some((peer, _)) = server(&scene) else { return };
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let key = cert.with_extension("key");
    let files = [&cert, &key].map(|path| path.display().to_string());
    let on = ["config", "set", "tls-cert-file", &files[0], "tls-key-file", &files[1], "tls-ca-cert-file", &files[0]];
    let said = cli(&peer, &[&on[..], &["tls-auth-clients", "no", "tls-port", &port]].concat());
    assert_eq!(said, "OK");
    let secret = secret(&scene, PASSWORD);
    let table = |host: &str, more: String| {
        let prefix = "prefix = \"cache:[1]\"";
        format!("url = \"rediss://{host}:{port}\"\n{prefix}\npassword = {{ file = \"{secret}\" }}\n{more}")
    };
    let ca = |cert: &Path| format!("ca = \"{}\"", cert.display());
    let refused = |host: &str, more: String| scene.plan("redis_clear", &table(host, more)).unwrap_err().to_string();
    let said = refused("localhost", ca(&other));
    assert!(said.contains("nobody that is trusted here has signed its certificate"), "{said}");
    let said = refused("127.0.0.1", ca(&cert));
    assert!(said.contains("its certificate is for another name; say which in `server_name`"), "{said}");
    let said = scene.plan("redis_clear", &table("localhost", ca(&cert)).replace("rediss:", "redis:")).unwrap_err();
    assert!(said.to_string().contains("closed the connection"), "{said}");
    let named = format!("{}\nserver_name = \"localhost\"", ca(&cert));
    let plan = scene.plan("redis_clear", &table("127.0.0.1", named)).unwrap();
    let (end, progress) = scene.act(plan);
    assert_eq!(end.outcome, Outcome::Succeeded, "{end:?} {:?}", told(&progress));
    assert_eq!(cli(&peer, &["exists", "cache:[1]:7", "cache:1"]), "1");
}
