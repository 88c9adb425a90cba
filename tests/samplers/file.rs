//! `file` against files, folders, pipes and links, with `stat` as the judge.

use crate::{find, measured, observe, sampler, value};
use std::fs::{self, File, FileTimes};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};
use watchkeeper::base::{Failure, Observation};

async fn look(path: &Path, rest: &str) -> Result<Observation, Failure> {
    observe(&mut *sampler("file", &format!("path = \"{}\"\n{rest}", path.display()))).await
}

async fn seen(path: &Path, rest: &str) -> Observation {
    look(path, rest).await.expect("seen")
}

async fn failed(path: &Path, rest: &str) -> String {
    let failure = look(path, rest).await.expect_err("a failure");
    assert!(failure.answered, "{failure:?}");
    failure.what.as_str().replace(path.to_str().expect("text"), "F")
}

fn fact<'a>(seen: &'a Observation, name: &str) -> Option<&'a str> {
    seen.facts.iter().find(|(known, _)| known.as_str() == name).map(|(_, text)| text.as_str())
}

fn age(path: &Path, seconds: u64) {
    let time = SystemTime::now() - Duration::from_secs(seconds);
    File::open(path).expect("there").set_times(FileTimes::new().set_modified(time)).expect("ours");
}

#[tokio::test]
async fn what_it_says_of_a_file_is_what_stat_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model.bin");
    fs::write(&path, [0; 1234]).expect("written");
    fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).expect("ours");
    age(&path, 600);
    let found = seen(&path, "").await;
    let output = Command::new("stat").args(["-c", "%s %Y %U %G 0%a"]).arg(&path).output().expect("stat runs");
    let judge = String::from_utf8_lossy(&output.stdout).into_owned();
    let words: Vec<&str> = judge.split_whitespace().collect();
    let ours = [("file_stat_size_bytes", words[0]), ("file_stat_modif_time_seconds", words[1])];
    for (name, theirs) in ours {
        let theirs: f64 = theirs.parse().expect("a number");
        assert_eq!(value(&found, name, &[("path", path.to_str().expect("text"))]).floor(), theirs, "{name}");
    }
    assert_eq!(
        ["owner", "group", "mode"].map(|name| fact(&found, name)),
        [Some(words[2]), Some(words[3]), Some(words[4])]
    );
    let age = value(&found, "file_age_seconds", &[]);
    assert!((600.0..660.0).contains(&age), "{age}");
    assert_eq!((value(&found, "file_present", &[]), find(&found, "file_unexpected", &[])), (1.0, None));
}

#[tokio::test]
async fn a_configuration_is_held_against_the_schema_beside_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, schema) = (folder.path().join("production.toml"), folder.path().join("schema.json"));
    fs::write(&path, "[neural]\ngranule_size = 4000000\ngranul_size = 7\n").expect("written");
    let rest = format!("parse = \"toml\"\nschema = \"{}\"", schema.display());
    let found = seen(&path, &rest).await;
    assert_eq!(find(&found, "file_schema_faults", &[]), None, "without a schema no key is judged");
    assert_eq!(fact(&found, "schema"), Some("is not there"));
    let known = "{\"properties\": {\"neural\": {\"properties\": {\"granule_size\": {\"maximum\": 10000000}}}}}";
    fs::write(&schema, known).expect("written");
    let found = seen(&path, &rest).await;
    assert_eq!(value(&found, "file_schema_faults", &[]), 1.0);
    assert_eq!(fact(&found, "neural.granul_size"), Some("no such key"));
    fs::write(&path, "[neural]\ngranule_size = 4000000\n").expect("written");
    assert_eq!(value(&seen(&path, &rest).await, "file_schema_faults", &[]), 0.0);
    fs::write(&schema, "{").expect("written");
    assert_eq!(find(&seen(&path, &rest).await, "file_schema_faults", &[]), None, "a broken schema judges nothing");
}

#[tokio::test]
async fn what_is_not_as_it_should_be_is_a_series_and_a_fact() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a");
    fs::write(&path, "1").expect("written");
    fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).expect("ours");
    let us = fs::metadata(&path).expect("there");
    let expect = format!("expect = {{ owner = \"{}\", group = \"nobody-here\", mode = \"640\" }}", us.uid());
    let found = seen(&path, &expect).await;
    let unexpected = |what| value(&found, "file_unexpected", &[("what", what)]);
    assert_eq!(["owner", "group", "mode"].map(unexpected), [0.0, 1.0, 1.0]);
    assert_eq!(fact(&found, "unexpected mode"), Some("0644, should be 0640"));
}

#[tokio::test]
async fn absence_is_a_failure_or_a_state_as_the_profile_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("none");
    assert_eq!(failed(&path, "").await, "F does not exist.");
    let label = [("path", path.to_str().expect("text"))];
    let known = measured(look(&path, "").await.expect_err("missing"));
    assert_eq!((value(&known, "file_present", &label), known.points.len()), (0.0, 1));
    let found = seen(&path, "missing = \"ok\"\nparse = \"number\"\nmetric = \"x\"").await;
    assert_eq!((value(&found, "file_present", &[]), found.points.len()), (0.0, 1));
}

#[tokio::test]
async fn numbers_json_and_rows_are_read_and_a_half_row_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("content");
    let write = |text: &str| fs::write(&path, text).expect("written");
    let number = "parse = \"number\"\nmetric = \"x\"";
    write("42\n");
    assert_eq!(value(&seen(&path, number).await, "x", &[]), 42.0);
    write("");
    assert_eq!(failed(&path, number).await, "F does not hold one number.");
    let known = measured(look(&path, number).await.expect_err("no number"));
    assert_eq!(["file_present", "file_stat_size_bytes"].map(|name| value(&known, name, &[])), [1.0, 0.0]);
    let json = "parse = \"json\"\njson = [{ pointer = \"/a\", metric = \"x\" }]";
    write("{\"a\": 1.5}");
    assert_eq!(value(&seen(&path, json).await, "x", &[]), 1.5);
    write("{\"a\": ");
    assert!(failed(&path, json).await.starts_with("F is not JSON (EOF"));

    let judged = "parse = \"json\"\njson = [{ pointer = \"/a\", fact = \"a\", one_of = [\"ok\", \"fine\"] }]";
    write("{\"a\": \"fine\"}");
    assert_eq!(fact(&seen(&path, judged).await, "a"), Some("fine"));
    write("{\"a\": \"sick\"}");
    assert_eq!(failed(&path, judged).await, "F says /a is sick, expected ok or fine.");

    let csv = "parse = \"csv\"\ncsv = [{ column = \"loss\", metric = \"x\" }, { column = 1, fact = \"epoch\" }]";
    write("epoch,loss\n1,0.5\n2,\"0.25\"\n3,0.1");
    let found = seen(&path, csv).await;
    assert_eq!((value(&found, "x", &[]), fact(&found, "epoch")), (0.25, Some("2")), "the third is half written");
    let first = seen(&path, &format!("{csv}\nrow = \"first\"")).await;
    assert_eq!(value(&first, "x", &[]), 0.5);
    write("epoch,acc\n1,0.5\n");
    let found = seen(&path, csv).await;
    assert_eq!(find(&found, "x", &[]), None);
    assert!(found.not_supported[0].1.as_str().ends_with("has no number in column `loss`"), "{found:?}");
    write("epoch,loss\n");
    assert_eq!(failed(&path, csv).await, "F holds no row that ends with a line break.");
}

#[tokio::test]
async fn of_a_large_table_the_head_and_the_last_row_are_read_and_other_large_files_are_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("large.csv");
    let rows: String = (0..300_000).map(|row| format!("{row},{}\n", row * 2)).collect();
    assert!(rows.len() > 2 * 1024 * 1024);
    fs::write(&path, format!("n,double\n{rows}")).expect("written");
    let csv = "parse = \"csv\"\ncsv = [{ column = \"double\", metric = \"x\" }]";
    assert_eq!(value(&seen(&path, csv).await, "x", &[]), 599_998.0);
    assert_eq!(value(&seen(&path, &format!("{csv}\nrow = \"first\"")).await, "x", &[]), 0.0);
    assert_eq!(failed(&path, "parse = \"number\"\nmetric = \"x\"").await, "F is larger than 1 MiB.");
}

#[tokio::test]
async fn a_folder_is_counted_one_level_deep() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, size, seconds) in [("a.gz", 10, 100), ("b.gz", 20, 9_000), ("c.txt", 40, 0)] {
        fs::write(folder.path().join(name), vec![0; size]).expect("written");
        age(&folder.path().join(name), seconds);
    }
    fs::create_dir(folder.path().join("d.gz")).expect("made");
    let found = seen(folder.path(), "names = \"*.gz\"").await;
    let figures = ["file_folder_files", "file_folder_bytes"].map(|name| value(&found, name, &[]));
    assert_eq!(figures, [2.0, 30.0]);
    assert_eq!((fact(&found, "newest"), fact(&found, "oldest")), (Some("a.gz"), Some("b.gz")));
    let [newest, oldest] =
        ["newest", "oldest"].map(|name| value(&found, &format!("file_folder_{name}_time_seconds"), &[]));
    assert!((newest - oldest - 8_900.0).abs() < 5.0);
    assert_eq!(find(&found, "file_stat_size_bytes", &[]), None);
    assert_eq!(
        failed(folder.path(), "parse = \"number\"\nmetric = \"x\"").await,
        "F is a folder: its content is not read."
    );
    for count in 0..10_000 {
        File::create(folder.path().join(format!("{count}"))).expect("made");
    }
    let large = seen(folder.path(), "").await;
    assert_eq!(find(&large, "file_folder_files", &[]), None, "a count that is not whole is none");
    assert!(large.not_supported[0].1.as_str().ends_with("holds more than 10000 entries"), "{large:?}");
}

#[tokio::test]
async fn pipes_and_links_are_seen_and_never_opened() {
    let folder = tempfile::tempdir().expect("a folder");
    let number = "parse = \"number\"\nmetric = \"x\"";
    let (pipe, link, target) = (folder.path().join("pipe"), folder.path().join("link"), folder.path().join("target"));
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
    assert_eq!(fact(&seen(&pipe, "").await, "is"), Some("pipe"));
    assert_eq!(failed(&pipe, number).await, "F is a pipe: its content is not read.");
    fs::write(&target, "1").expect("written");
    symlink(&target, &link).expect("linked");
    assert_eq!(failed(&link, number).await, "F is a symbolic link: its content is not read.");
}

#[tokio::test]
async fn looking_leaves_no_trace() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("content");
    fs::write(&path, "1\n").expect("written");
    let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
    let file = File::options().write(true).open(&path).expect("ours");
    file.set_times(FileTimes::new().set_accessed(old)).expect("ours");
    let state = || {
        [path.as_path(), folder.path()].map(|path| {
            let about = fs::metadata(path).expect("there");
            (
                about.ino(),
                about.mode(),
                about.uid(),
                about.mtime_nsec(),
                about.ctime_nsec(),
                about.atime(),
                about.atime_nsec(),
            )
        })
    };
    let before = state();
    let mut files = [
        sampler("file", &format!("path = \"{}\"\nparse = \"number\"\nmetric = \"x\"", path.display())),
        sampler("file", &format!("path = \"{}\"", folder.path().display())),
    ];
    for _ in 0..50 {
        for file in &mut files {
            observe(&mut **file).await.expect("seen");
        }
    }
    assert_eq!(state(), before);
}

#[tokio::test]
async fn lines_that_match_are_counted_and_the_rest_of_the_text_is_told_nowhere() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("config");
    fs::write(&path, "listen :80 hunter22\nwarned\nallowed all\nwarned again\ntook 5 ms\ntook 7 ms").expect("written");
    let rows = r#"parse = "lines"
lines = [{ matches = '^warned', metric = "warned" }, { matches = '^never', metric = "never" },
         { matches = 'took (\d+)', metric = "took", value = true }, { matches = 'allowed (\S+)', fact = "allowed", line = true }]"#;
    let found = seen(&path, rows).await;
    let label = [("path", path.to_str().expect("text"))];
    assert_eq!(["warned", "never", "took"].map(|name| value(&found, name, &label)), [2.0, 0.0, 7.0]);
    assert_eq!(fact(&found, "allowed"), Some("line 3: all"));
    assert!(!format!("{found:?}").contains("hunter22"), "{found:?}");
    fs::write(&path, vec![b'\n'; 2 << 20]).expect("written");
    assert_eq!(failed(&path, rows).await, "F is larger than 1 MiB.");
}

#[tokio::test]
async fn of_a_key_only_its_presence_is_told_and_a_placeholder_is_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("user.toml");
    let row = |format: &str, pointer: &str| {
        let row = format!("pointer = \"{pointer}\", metric = \"key\", present = true, not = [\"your_api_key\"]");
        format!(
            "parse = \"{format}\"\njson = [{{ {row} }}, {{ pointer = \"/mode\", fact = \"trading\", not = [\"none\"] }}]"
        )
    };
    for (format, pointer, text) in [
        ("toml", "/binance/key", "mode = 'live'\n[binance]\nkey = \"VALUE\"\n"),
        ("json", "/binance/key", "{\"mode\": \"live\", \"binance\": {\"key\": \"VALUE\"}}"),
        ("env", "/KEY", "export mode=live\nexport KEY='VALUE'\n"),
        ("ini", "/binance/key", "mode = live\n[binance]\nkey = VALUE\n"),
    ] {
        for (is, expected) in [("hunter22", 1.0), ("your_api_key", 0.0), (" ", 0.0)] {
            fs::write(&path, text.replace("VALUE", is)).expect("written");
            let found = seen(&path, &row(format, pointer)).await;
            assert_eq!((value(&found, "key", &[]), fact(&found, "trading")), (expected, Some("live")), "{format} {is}");
            assert!(!format!("{found:?}").contains("hunter22"), "{found:?}");
        }
        fs::write(&path, text.replace("live", "none")).expect("written");
        assert_eq!(fact(&seen(&path, &row(format, "/other")).await, "trading"), None, "{format}");
        assert_eq!(value(&seen(&path, &row(format, "/other")).await, "key", &[]), 0.0, "{format}");
    }
    fs::write(&path, "[binance]\nkey = \"hunter22\n").expect("written");
    let said = failed(&path, &row("toml", "/binance/key")).await;
    assert!(said.starts_with("F is not TOML (") && said.contains("at line 2 column "), "{said}");
    assert!(!said.contains("hunter22"), "{said}");
}

#[tokio::test]
async fn a_tree_is_counted_whole_as_du_does_and_its_links_are_not_followed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("tree");
    let elsewhere = folder.path().join("elsewhere");
    fs::create_dir_all(path.join("a/b/c")).expect("made");
    fs::create_dir(&elsewhere).expect("made");
    for (name, size, seconds) in
        [("x.so", 10, 500), ("a/y.so", 20, 300), ("a/b/c/z.so", 3_000_000, 100), ("a/b/n.txt", 7, 900)]
    {
        fs::write(path.join(name), vec![1; size]).expect("written");
        age(&path.join(name), seconds);
    }
    fs::write(elsewhere.join("big.so"), vec![1; 9_999]).expect("written");
    symlink(&elsewhere, path.join("a/link")).expect("made");
    symlink("..", path.join("a/circle")).expect("made");
    fs::hard_link(path.join("a/b/c/z.so"), path.join("again.so")).expect("made");
    let figures = |found: &Observation| ["file_folder_files", "file_folder_bytes"].map(|name| value(found, name, &[]));
    let found = seen(&path, "deep = true").await;
    assert_eq!(figures(&found), [4.0, 3_000_037.0]);
    let du = format!("find {} -type f | xargs du -bc | tail -1", path.display());
    let du = Command::new("sh").args(["-c", &du]).output().expect("du runs");
    let du = String::from_utf8_lossy(&du.stdout).into_owned();
    assert!(du.starts_with("3000037\t"), "{du}");
    let newest = fact(&found, "newest").expect("a newest");
    assert!(["a/b/c/z.so", "again.so"].contains(&newest), "{newest}");
    assert_eq!((fact(&found, "oldest"), fact(&found, "not counted")), (Some("a/b/n.txt"), None));
    assert_eq!(figures(&seen(&path, "deep = true\nnames = \"*.txt\"").await), [1.0, 7.0]);
    assert_eq!(figures(&seen(&path, "").await), [2.0, 3_000_010.0], "one level without it");
    let mut deep = path.clone();
    for _ in 0..70 {
        deep.push("d");
    }
    fs::create_dir_all(&deep).expect("made");
    let found = seen(&path, "deep = true").await;
    let why =
        found.not_supported.iter().find(|(name, _)| name.as_str() == "file_folder_bytes").map(|(_, why)| why.as_str());
    assert!(why.is_some_and(|why| why.ends_with("is deeper than 64 folders")), "{why:?}");
}
