//! What an action is given wrongly is refused before any prompt, with the rule that refused it.

use crate::desk::Desk;
use rustix::mount::{MountFlags, UnmountFlags, mount_bind, mount_remount, unmount};
use std::path::Path;

const SETS_A_VALUE: &str = "kind = \"config_set\"\nset = [{ key = \"batch\", from = 1024, to = 512 }]";
const RUNS: &str = "kind = \"command\"\nargv = [\"/bin/true\", \"{who}\"]\nundo = \"none\"";

/// What a dry run of the action says; it must not offer it.
fn refused(desk: &Desk, action: &str, given: &[&str]) -> String {
    let head = "title = \"X\"\nverb = \"perform\"\ndanger = \"C2\"";
    let profile = desk.write("p.toml", format!("title = \"X\"\n[actions.x]\n{head}\n{action}\n"));
    let said = desk.run(&[&["run", "x", "--dry-run", "--profile", profile.to_str().unwrap()], given].concat());
    let text = String::from_utf8_lossy(&said.stdout);
    assert!(
        said.status.code().is_some_and(|code| code == 1 || code == 2) && !text.contains("TYPE "),
        "{action} {given:?}: {said:?}"
    );
    String::from_utf8_lossy(&said.stderr).into_owned()
}

fn on(file: &Path) -> String {
    format!("{SETS_A_VALUE}\nfile = \"{}\"", file.display())
}

#[test]
fn a_file_that_cannot_be_edited_safely_is_refused_with_the_rule() {
    let desk = Desk::new();
    for (name, content, why) in [
        ("a.toml", &b"batch = 1024 # \xff\n"[..], "is not UTF-8"),
        ("b.toml", b"batch = 1024\nbatch = 512\n", ":2: duplicate key"),
        ("c.json", b"{ \"batch\": 1024, \"batch\": 512 }", "the member `batch` stands there twice"),
        ("d.ini", b"batch = 1024\nbatch = 512\n", "`batch` stands there twice"),
        ("e.toml", b"batch = \n", ":1: string values must be quoted"),
    ] {
        std::fs::write(desk.path().join(name), content).unwrap();
        let said = refused(&desk, &on(&desk.path().join(name)), &[]);
        assert!(said.contains(why) && said.contains(name), "{name}: {said}");
    }
}

#[test]
fn a_file_on_a_read_only_mount_is_refused_with_the_rule() {
    let desk = Desk::new();
    let folder = desk.path().join("map");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("app.toml"), "batch = 1024\n").unwrap();
    if mount_bind(&folder, &folder).is_err() {
        return println!("SKIPPED: mount: a folder cannot be mounted here");
    }
    let held = mount_remount(&folder, MountFlags::BIND | MountFlags::RDONLY, "");
    let said = held.map(|()| refused(&desk, &on(&folder.join("app.toml")), &[]));
    unmount(&folder, UnmountFlags::DETACH).unwrap();
    let said = said.unwrap();
    assert!(said.contains("lies on a file system that is mounted read-only"), "{said}");
}

#[test]
fn a_parameter_that_is_not_what_it_must_be_is_refused_with_the_rule() {
    let desk = Desk::new();
    let text = "params = { who = { matches = \".*\", value = \"web\", ask = true } }";
    let number = "params = { who = { int = [1, 9], value = 2, ask = true } }";
    let one_of = "params = { who = { one_of = [\"web\", \"db\"], value = \"db\", ask = true } }";
    for (params, given, why) in [
        (text, "who=-rf", "begins with `-`, which a program would read as an option"),
        (text, "who=--host=other", "begins with `-`"),
        (text, "who=web\n/etc", "stands for characters that cannot be shown"),
        (text, "who=wеb", "holds characters that are not plain ASCII"),
        (text, "who=web\u{202e}", "<U+202E> stands for characters that cannot be shown"),
        (number, "who=10", "expected a whole number from 1 to 9"),
        (number, "who=1e1", "expected a whole number from 1 to 9"),
        (number, "who=99999999999999999999", "expected a whole number from 1 to 9"),
        (one_of, "who=wеb", "expected one of web, db"),
        (one_of, "who=WEB", "expected one of web, db"),
        (text, "whо=web", "nobody is asked for `whо`. Asked for: who."),
    ] {
        let said = refused(&desk, &format!("{RUNS}\n{params}"), &["--set", given]);
        assert!(said.contains(why), "{given:?}: {said}");
    }
}

#[test]
fn a_name_that_is_a_path_an_option_or_looks_like_another_is_refused_with_the_rule() {
    let desk = Desk::new();
    for name in ["/etc/systemd/system/web.service", "../web.service", "-web.service", "wеb.service", "web\\n.service"]
    {
        let service = format!("kind = \"service_restart\"\nservice = {{ kind = \"systemd\", unit = \"{name}\" }}");
        let said = refused(&desk, &service, &[]);
        assert!(said.contains("is no unit name") && said.contains("not starting with -"), "{name}: {said}");
    }
}
