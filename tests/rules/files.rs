//! Rule files in the style of the public mixins load whole, and only what is meant to be suspicious is.

use crate::{folder, names, watchkeeper};
use core::time::Duration;
use watchkeeper::rules::Policy;
use watchkeeper::rules::lint::{self, Known};
use watchkeeper::rules::rule::RuleFile;

#[test]
fn public_style_files_load_whole_and_have_no_lint() {
    let mut count = 0;
    for name in names("files", ".yml").iter().filter(|name| !name.ends_with("_test.yml")) {
        let text = std::fs::read_to_string(folder("files").join(name)).expect("a file");
        let files = [RuleFile::parse(name, &text)];
        assert_eq!((&files[0].broken[..], &files[0].unknown[..]), (&[][..], &[][..]));
        count += files[0].groups.iter().map(|group| group.rules.len()).sum::<usize>();
        let policy = Policy::default();
        let known = Known::new(None, &policy, Duration::from_secs(15), files[0].rules());
        let found: Vec<String> = lint::file(&files[0], &known).iter().map(ToString::to_string).collect();
        assert_eq!(found, [""; 0], "{name}");
    }
    assert_eq!(count, 77);
}

#[test]
fn a_rule_stands_where_its_name_is_written() {
    let text = std::fs::read_to_string(folder("files").join("host.yml")).expect("a file");
    let lines: Vec<&str> = text.lines().collect();
    for rule in RuleFile::parse("host.yml", &text).groups.iter().flat_map(|group| &group.rules) {
        let place = rule.place.as_ref().expect("a place");
        let line = lines[place.line as usize - 1];
        assert!(line[place.column as usize - 1..].starts_with(rule.name.as_str()), "{place}: {line}");
    }
}

#[test]
fn a_file_that_is_not_there_or_is_no_text_is_told() {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join("binary.yml"), [0xFF, 0xFE, 0]).expect("a file");
    std::fs::write(dir.path().join("good.yml"), "groups: []").expect("a file");
    let args = ["validate", "rules", "--offline", "absent.yml", "binary.yml", "good.yml"];
    let (status, out, _) = watchkeeper(dir.path(), &args);
    assert_eq!(status, 1);
    assert!(out.contains("absent.yml: cannot be read: "), "{out}");
    assert!(out.contains("binary.yml: is no text in UTF-8."), "{out}");
}
