//! Rules over the repository as a whole: top level, registries against folders, data files, README against the
//! commands, addresses. Each is a function over text, and each has a test that breaks it once.

use crate::floors::{CRATES, HOSTS, REGISTRIES, TOP};
use crate::source::Source;
use std::collections::BTreeSet;

/// A file of the repository: path with `/`, text (lossy).
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// Only what the design names lies at the top.
pub(crate) fn top_level(paths: &[&str]) -> Vec<String> {
    let names: BTreeSet<&str> = paths.iter().map(|path| path.split('/').next().unwrap_or(path)).collect();
    names
        .iter()
        .filter(|name| !TOP.contains(name))
        .map(|name| format!("{name}: has no place at the top level."))
        .collect()
}

/// Each file of a kinds folder stands in its registry, and the registry names nothing else.
pub(crate) fn registries(sources: &[Source]) -> Vec<String> {
    REGISTRIES.iter().flat_map(|(folder, constant)| registry(sources, folder, constant)).collect()
}

fn registry(sources: &[Source], folder: &str, constant: &str) -> Vec<String> {
    let inside = |source: &&Source| source.path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
    let kinds: BTreeSet<&str> = sources
        .iter()
        .filter(inside)
        .filter_map(|source| source.path.strip_prefix(folder)?.split(['/', '.']).nth(1))
        .filter(|name| *name != "mod")
        .collect();
    let floor = folder.rsplit_once('/').map_or(folder, |(floor, _)| floor);
    let pages = [format!("{floor}/mod.rs"), format!("{folder}/mod.rs")];
    let mut lists = sources.iter().filter(|source| pages.contains(&source.path)).flat_map(|source| &source.lists);
    let Some((_, words)) = lists.find(|(name, _)| name == constant) else {
        let what = format!("{folder}: neither {} nor {} has a `{constant}` list.", pages[0], pages[1]);
        return if kinds.is_empty() { Vec::new() } else { vec![what] };
    };
    let missing = kinds.iter().filter(|kind| !words.iter().any(|word| word == *kind));
    missing.map(|kind| format!("{folder}/{kind}.rs: is not in `{constant}`.")).collect()
}

/// Every crate of the manifest has its floors, and every row a crate.
pub(crate) fn dependencies(manifest: &toml::Table) -> Vec<String> {
    let table = manifest.get("dependencies").and_then(toml::Value::as_table).cloned().unwrap_or_default();
    let names: BTreeSet<String> = table.keys().map(|name| name.replace('-', "_")).collect();
    let rows: BTreeSet<String> = CRATES.iter().map(|(name, _)| (*name).to_owned()).collect();
    let unplaced =
        names.difference(&rows).map(|name| format!("Cargo.toml: `{name}` has no row in tests/meta/floors.rs."));
    let unused = rows.difference(&names).map(|name| format!("tests/meta/floors.rs: `{name}` is no dependency."));
    unplaced.chain(unused).collect()
}

/// Each file of `benches/` is a `[[bench]]` of the manifest.
pub(crate) fn benches(manifest: &toml::Table, paths: &[&str]) -> Vec<String> {
    let rows = manifest.get("bench").and_then(toml::Value::as_array).cloned().unwrap_or_default();
    let names: BTreeSet<String> =
        rows.iter().filter_map(|row| row.get("name")?.as_str().map(|name| format!("benches/{name}.rs"))).collect();
    let files: BTreeSet<String> = paths
        .iter()
        .filter(|path| path.starts_with("benches/") && path.ends_with(".rs") && path.matches('/').count() == 1)
        .map(|path| (*path).to_owned())
        .collect();
    names.symmetric_difference(&files).map(|path| format!("{path}: file and [[bench]] row must go together.")).collect()
}

/// Themes, keymaps and profiles are TOML.
pub(crate) fn data(file: &File) -> Option<String> {
    let ours = ["themes/", "keymaps/", "profiles/"].iter().any(|folder| file.path.starts_with(folder));
    let wanted = ours && file.path.ends_with(".toml");
    let error = wanted.then(|| file.text.parse::<toml::Table>().err()).flatten()?;
    Some(format!("{}: {}", file.path, error.message()))
}

/// The command lines of a Markdown text's `sh` blocks.
fn commands(markdown: &str) -> Vec<&str> {
    let blocks = markdown.split("```sh\n").skip(1).filter_map(|rest| rest.split("\n```").next());
    blocks.flat_map(str::lines).map(|line| line.split(" #").next().unwrap_or(line).trim()).collect()
}

/// README shows the demo and the one test command, and CI runs that very command last.
pub(crate) fn readme(readme: &str, ci: &str) -> Vec<String> {
    let commands = commands(readme);
    let mut breaches = Vec::new();
    for wanted in ["cargo run --release -- demo", "tests/run"] {
        if !commands.contains(&wanted) {
            breaches.push(format!("README.md: no `sh` block shows `{wanted}`."));
        }
    }
    let last = ci.lines().map(str::trim).rfind(|line| !line.is_empty() && !line.starts_with('#')).unwrap_or("");
    if last.trim_start_matches("exec ") != "tests/run" {
        breaches.push(format!(".ci/run: ends with `{last}`, not with README's test command `tests/run`."));
    }
    breaches
}

/// Names in README's map of the tree exist.
pub(crate) fn map(readme: &str, paths: &[&str]) -> Vec<String> {
    let Some(block) = readme.split("```text\n").skip(1).find_map(|rest| rest.split("\n```").next()) else {
        return vec!["README.md: no `text` block with the map of the tree.".to_owned()];
    };
    let names = block.lines().filter_map(|line| line.split_whitespace().next());
    names
        .filter(|name| !paths.iter().any(|path| path == name || (name.ends_with('/') && path.starts_with(name))))
        .map(|name| format!("README.md: the map names `{name}`, which is not there."))
        .collect()
}

/// Files that README links to exist.
pub(crate) fn links(readme: &str, paths: &[&str]) -> Vec<String> {
    let targets = readme.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets
        .filter(|target| !target.contains("://") && !target.starts_with('#') && !paths.contains(target))
        .map(|target| format!("README.md: links to `{target}`, which is not there."))
        .collect()
}

/// No path of a builder's machine, and no host but those of the list.
pub(crate) fn addresses(file: &File) -> Vec<String> {
    let mut breaches = Vec::new();
    for (at, line) in file.text.lines().enumerate() {
        let place = format!("{}:{}", file.path, at + 1);
        // put together here, so that this file passes its own rule
        for root in [["/wo", "rk/"], ["/fa", "rm/"]].map(|parts| parts.concat()) {
            let before = line.split_once(&root).and_then(|(before, _)| before.chars().next_back());
            if line.contains(&root) && !before.is_some_and(|c| c.is_ascii_alphanumeric() || "_.}".contains(c)) {
                breaches.push(format!("{place}: `{root}` is a path of one machine."));
            }
        }
        for rest in line.split("://").skip(1) {
            let host: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || ".-[]".contains(*c)).collect();
            let bare = host.trim_end_matches('.');
            let example = bare.is_empty()
                || bare.starts_with("example.")
                || bare.ends_with(".example")
                || bare.starts_with("127.")
                || !bare.contains('.');
            if !example && !HOSTS.contains(&bare) {
                breaches.push(format!("{place}: the host `{bare}` is not in the list of tests/meta/floors.rs."));
            }
        }
    }
    breaches
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> File {
        File { path: path.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn a_stray_file_at_the_top_is_found() {
        assert!(top_level(&["src/lib.rs", "Cargo.toml"]).is_empty());
        assert_eq!(top_level(&["notes.txt"]), ["notes.txt: has no place at the top level."]);
    }

    #[test]
    fn a_kind_outside_its_registry_is_found() {
        let sources = |list: &str| {
            [
                ("src/samplers/mod.rs", list),
                ("src/samplers/kinds/mod.rs", "pub mod host; pub mod http;"),
                ("src/samplers/kinds/host.rs", ""),
                ("src/samplers/kinds/http/parse.rs", ""),
            ]
            .map(|(path, text)| Source::parse(path, text).expect("parses"))
        };
        let both = "static KINDS: &[&dyn Kind] = &[&kinds::host::Host, &kinds::http::Http];";
        assert!(registries(&sources(both)).is_empty());
        let one = "static KINDS: &[&dyn Kind] = &[&kinds::host::Host];";
        assert_eq!(registries(&sources(one)), ["src/samplers/kinds/http.rs: is not in `KINDS`."]);
        assert!(registries(&sources(""))[0].contains("has a `KINDS` list"));
    }

    #[test]
    fn a_crate_without_floors_is_found() {
        let all: String = CRATES.iter().map(|(name, _)| format!("{name} = \"1\"\n")).collect();
        let manifest = |more: &str| format!("[dependencies]\n{all}{more}").parse::<toml::Table>().expect("parses");
        assert!(dependencies(&manifest("")).is_empty());
        assert!(dependencies(&manifest("left-pad = \"1\"\n"))[0].contains("`left_pad` has no row"));
        assert!(dependencies(&toml::Table::new())[0].contains("is no dependency"));
    }

    #[test]
    fn a_bench_without_a_row_is_found() {
        let manifest = "[[bench]]\nname = \"frugal\"\n".parse::<toml::Table>().expect("parses");
        assert!(benches(&manifest, &["benches/frugal.rs"]).is_empty());
        assert!(benches(&manifest, &["benches/frugal.rs", "benches/other.rs"])[0].contains("other"));
        assert!(benches(&manifest, &[])[0].contains("frugal"));
    }

    #[test]
    fn data_that_is_no_toml_is_found() {
        assert!(data(&file("themes/night.toml", "a = 1\n")).is_none());
        assert!(data(&file("themes/night.toml", "a = \n")).is_some());
        assert!(data(&file("tests/bad/night.toml", "a = \n")).is_none());
    }

    #[test]
    fn a_readme_that_shows_other_commands_is_found() {
        let good = "```sh\ncargo run --release -- demo   # starts it\ntests/run\n```\n";
        let ci = "#!/bin/bash\nset -e\nexec tests/run\n";
        assert!(readme(good, ci).is_empty());
        assert!(readme("```sh\ntests/run\n```", ci)[0].contains("demo"));
        assert!(readme(good, "cargo test\n# tests/run\n")[0].contains("ends with `cargo test`"));
    }

    #[test]
    fn a_map_that_names_what_is_not_there_is_found() {
        let text = "```text\nsrc/base/  words\nCargo.toml  manifest\n```";
        assert!(map(text, &["src/base/mod.rs", "Cargo.toml"]).is_empty());
        assert!(map(text, &["src/base/mod.rs"])[0].contains("Cargo.toml"));
        assert!(map("", &[])[0].contains("no `text` block"));
    }

    #[test]
    fn a_link_to_what_is_not_there_is_found() {
        let text = "![a](screenshots/a.png) [b](https://docs.rs/b) [c](#c)";
        assert!(links(text, &["screenshots/a.png"]).is_empty());
        assert!(links(text, &[])[0].contains("`screenshots/a.png`"));
    }

    #[test]
    fn paths_and_hosts_of_one_machine_are_found() {
        let bad = ["cp /wo", "rk/x y"].concat();
        assert!(addresses(&file("tests/run", &bad))[0].contains("tests/run:1: "));
        assert!(
            addresses(&file("a.md", &["see https:", "//pkg.mirror.corp/x"].concat()))[0].contains("`pkg.mirror.corp`")
        );
        let good =
            ["$dir/wo", "rk/x http://localhost:8080/x https://docs.rs/y http://{host}/ http://db.example/"].concat();
        assert_eq!(addresses(&file("a.md", &good)), Vec::<String>::new());
    }
}
