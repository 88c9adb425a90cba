//! Logins of `http` and `scrape`: sent as the profile gives them, read anew when the source takes them no more.

use crate::server::{serve_heads, whole};
use crate::{observe, sampler};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// A file that only its owner can read.
pub(crate) fn put_secret(path: &Path, text: &str) {
    drop(std::fs::remove_file(path));
    let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).expect("room");
}

#[tokio::test]
async fn a_login_is_sent_as_the_profile_gives_it() {
    let server = serve_heads(None, |head| {
        let path = head.split(' ').nth(1).unwrap_or_default();
        let wanted = match path {
            "/bearer" => "authorization: bearer token-of-bearer",
            "/basic" => "authorization: basic d2f0y2g6chcgb2ygymfzawm=", // watch:pw of basic
            "/header" => "x-api-key: key-of-header",
            _ => "host: elsewhere.internal",
        };
        let there = head.to_ascii_lowercase().lines().any(|line| line == wanted);
        whole(if there { "200 OK" } else { "403 Forbidden" }, "", "up 1\n")
    });
    let folder = tempfile::tempdir().expect("a folder");
    put_secret(&folder.path().join("key"), "token-of-bearer\n");
    let file = format!("bearer = {{ file = \"{}\" }}", folder.path().join("key").display());
    for (path, config) in [
        ("/bearer", "bearer = \"token-of-bearer\""),
        ("/bearer", &file),
        ("/basic", "basic = { user = \"watch\", password = \"pw of basic\" }"),
        ("/header", "headers = { X-Api-Key = \"key-of-header\" }"),
        ("/host", "headers = { Host = \"elsewhere.internal\" }"),
    ] {
        for kind in ["http", "scrape"] {
            let with = format!("url = \"http://{}{path}\"\n{config}", server.at);
            observe(&mut *sampler(kind, &with)).await.unwrap_or_else(|failure| panic!("{path}: {failure:?}"));
        }
        let without = format!("url = \"http://{}{path}\"", server.at);
        let failure = observe(&mut *sampler("http", &without)).await.expect_err("refused");
        let what =
            format!("{}{path} answered 403 Forbidden. It wants a login that the profile does not give.", server.at);
        assert!(failure.not_permitted && failure.what.as_str() == what, "{failure:?}");
    }
    let wrong = format!("url = \"http://{}/bearer\"\nbearer = \"another-token\"", server.at);
    let failure = observe(&mut *sampler("http", &wrong)).await.expect_err("refused");
    let refused = "The login that the profile gives is refused. It may lack a right there.";
    assert!(failure.what.as_str().ends_with(refused), "{failure:?}");
    let wrong = format!("url = \"http://{}/basic\"\nbasic = {{ user = \"joe\", password = \"xyzzy\" }}", server.at);
    let failure = observe(&mut *sampler("http", &wrong)).await.expect_err("refused");
    assert!(failure.what.as_str().contains(" is refused (user joe)."), "{failure:?}");
}

#[tokio::test]
async fn a_key_that_was_changed_is_taken_up_at_the_first_refusal() {
    let key = Arc::new(Mutex::new("first-key-of-three".to_owned()));
    let wanted = Arc::clone(&key);
    let server = serve_heads(None, move |head| {
        let wanted = format!("authorization: bearer {}", wanted.lock().expect("no panic"));
        let there = head.to_ascii_lowercase().lines().any(|line| line == wanted);
        whole(if there { "200 OK" } else { "401 Unauthorized" }, "", "up 1\n")
    });
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("key");
    put_secret(&path, "first-key-of-three");
    let config = format!("url = \"http://{}/\"\nbearer = {{ file = \"{}\" }}", server.at, path.display());
    let mut watch = sampler("scrape", &config);
    for _ in 0..3 {
        observe(&mut *watch).await.expect("taken");
    }
    assert_eq!((server.requests(), server.connections()), (3, 1));
    // The source has a new key, its file has it too: one refusal, no failure.
    put_secret(&path, "second-key-of-three");
    "second-key-of-three".clone_into(&mut key.lock().expect("no panic"));
    observe(&mut *watch).await.expect("taken");
    observe(&mut *watch).await.expect("taken");
    assert_eq!(server.requests(), 6);
    // The file is stale: one request, and a sentence.
    "third-key-of-three".clone_into(&mut key.lock().expect("no panic"));
    let failure = observe(&mut *watch).await.expect_err("stale");
    assert!(failure.not_permitted && !failure.what.as_str().contains("key-of-three"), "{failure:?}");
    assert_eq!(server.requests(), 7);
}

#[tokio::test]
async fn a_login_that_cannot_be_read_is_a_sentence_and_nothing_is_sent() {
    let server = serve_heads(None, |_| whole("200 OK", "", "up 1\n"));
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("key");
    std::fs::write(&path, "open-to-everybody").expect("room");
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o644)).expect("ours");
    let file = |path: &Path| format!("bearer = {{ file = \"{}\" }}", path.display());
    for (config, said) in [
        (file(&path), "others may read this secret (mode 0644)"),
        (file(&folder.path().join("none")), "none"),
        ("bearer = { env = \"WATCHKEEPER_TEST_UNSET\" }".to_owned(), "`WATCHKEEPER_TEST_UNSET` is not set"),
    ] {
        let failure = observe(&mut *sampler("http", &format!("url = \"http://{}/\"\n{config}", server.at))).await;
        let what = failure.expect_err("no login").what.to_string();
        assert!(what.starts_with(&format!("{} is not asked: ", server.at)) && what.contains(said), "{what}");
    }
    assert_eq!(server.connections(), 0);
}
