//! Whose figure it is: each band and each rule of a shipped profile is a guide's, and then bears the id of its item at its
//! line, or it is ours, and then says so on screen.

use crate::ids::SYSTEMS;
use crate::parts::ids_in;
use crate::row::{Levels, Rows, each};
use std::fs;
use std::time::Duration;

/// How a title, a label or a summary says that a figure is ours.
const OURS: &str = "(default)";
/// Systems whose pages say of each figure that they expect whose it is.
const JUDGED_PAGES: [(&str, &str); 3] = [("cerebellar-norse", "CN"), ("genesis", "GE"), ("planar", "PL")];
/// Words of which each makes a table a band.
const LEVELS: [&str; 5] = ["warning", "critical", "zero", "normal", "below_normal"];
/// From this time on, that a rule waits is a figure; below, it keeps a single bad look from raising it.
const WAITS: Duration = Duration::from_secs(60);

fn read(file: &str) -> String {
    fs::read_to_string(file).expect("reads")
}

/// The text between the first pair of quotes behind `key =`.
fn quoted<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    line.split_once(&format!("{key} = \""))?.1.split('"').next()
}

/// A line in its part that is read and its comment.
fn parted(line: &str) -> (&str, &str) {
    let mut quotes = 0;
    let at = line.char_indices().find(|(_, c)| {
        quotes += usize::from(*c == '"');
        *c == '#' && quotes % 2 == 0
    });
    at.map_or((line, ""), |(at, _)| line.split_at(at))
}

/// A band as it stands in a file: its pane, what it stands beside there, and the comment of its line.
struct Band<'a> {
    pane: &'a str,
    beside: Option<&'a str>,
    comment: &'a str,
}

fn bands(text: &str) -> Vec<Band<'_>> {
    let mut pane = "";
    let mut found = Vec::new();
    for line in text.lines() {
        let (is, comment) = parted(line);
        if is.starts_with('[') {
            pane = "";
        }
        pane = is.strip_prefix("title").and_then(|_| quoted(is, "title")).unwrap_or(pane);
        let inner = is.split_once('{').map(|(_, inner)| inner).unwrap_or_default();
        let judges = LEVELS.iter().any(|word| {
            inner.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|part| part == *word)
                && inner.contains(&format!("{word} ="))
        });
        if judges {
            found.push(Band { pane, beside: quoted(is, "label").or(quoted(is, "title")), comment });
        }
    }
    found
}

/// So many bands a file has as it is parsed: none may escape the look at its lines.
fn parsed(value: &toml::Value) -> usize {
    match value {
        toml::Value::Table(table) => {
            let own = LEVELS.iter().any(|word| table.get(*word).is_some_and(|level| !level.is_table()));
            usize::from(own) + table.values().map(parsed).sum::<usize>()
        }
        toml::Value::Array(rows) => rows.iter().map(parsed).sum(),
        _ => 0,
    }
}

/// The row says at which values the levels of this very band change.
fn is_observed(band: &Band<'_>, rows: &Rows, id: &str) -> bool {
    let is = |levels: &Levels| levels.pane == band.pane && levels.beside.as_deref() == band.beside;
    rows.get(id).is_some_and(|row| each(row.levels.as_ref()).any(is))
}

fn band_fault(band: &Band<'_>, rows: &Rows, prefix: &str) -> Option<String> {
    let ours = [Some(band.pane), band.beside].into_iter().flatten().any(|name| name.contains(OURS));
    let whose = format!("the band of `{}` {}", band.pane, band.beside.unwrap_or_default());
    let ids: Vec<String> = ids_in(band.comment, prefix).collect();
    match (ours, ids.is_empty()) {
        (false, true) => Some(format!("{whose}: no item of the guide stands at it, and it does not say {OURS}")),
        (false, false) if !ids.iter().any(|id| is_observed(band, rows, id)) => {
            Some(format!("{whose}: no row of {ids:?} says at which values its levels change"))
        }
        _ => None,
    }
}

/// What a rule file says of an alert: its name and its lines.
fn alerts(text: &str) -> Vec<(&str, Vec<&str>)> {
    let mut found: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.trim_start().strip_prefix("- alert: ") {
            found.push((name.trim(), Vec::new()));
        } else if line.trim_start().starts_with("- record:") || line.starts_with("  - name:") {
            found.push(("", Vec::new()));
        } else if let Some((_, lines)) = found.last_mut() {
            lines.push(line);
        }
    }
    found.retain(|(name, _)| !name.is_empty());
    found
}

fn alert_fault(name: &str, lines: &[&str], prefix: &str) -> Option<String> {
    // What a rule says of itself stands in its summary, or in the label that the summary shows.
    let shown = |line: &&&str| line.contains("summary:") || line.contains("label_replace(");
    if lines.iter().filter(shown).any(|line| line.contains(OURS)) {
        return None;
    }
    if lines.iter().any(|line| parted(line).1.contains("default")) {
        return Some(format!("{name}: a comment says that a figure is ours, the screen does not"));
    }
    if !lines.iter().any(|line| ids_in(line, prefix).next().is_some()) {
        return Some(format!("{name}: it bears no item of the guide, and its summary does not say {OURS}"));
    }
    let waits = lines.iter().find_map(|line| Some((line, line.trim_start().strip_prefix("for: ")?)));
    let (line, time) = waits?;
    let time = humantime(time.split_whitespace().next().unwrap_or_default());
    let guide = ids_in(parted(line).1, prefix).next().is_some();
    (time >= WAITS && !guide).then(|| format!("{name}: no item of the guide stands at its `for`, and it is not marked"))
}

/// The rule waits for long, or compares with something else than nothing or one.
fn has_figure(lines: &[&str]) -> bool {
    let after = |key: &str| lines.iter().find_map(|line| line.trim_start().strip_prefix(key));
    let last = |text: &str| text.split_whitespace().last().and_then(|word| word.parse::<f64>().ok());
    let waits = after("for: ").map(|time| humantime(time.split_whitespace().next().unwrap_or_default()));
    waits.is_some_and(|time| time >= WAITS)
        || after("expr: ").and_then(last).is_some_and(|limit| limit != 0.0 && limit != 1.0)
}

/// `30s`, `2m`, `1h`.
fn humantime(text: &str) -> Duration {
    let (number, unit) = text.split_at(text.len().saturating_sub(1));
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        other => panic!("`{other}` of `{text}`"),
    };
    Duration::from_secs(number.parse::<u64>().expect("a number") * unit)
}

/// What a page expects of a value, where that is a figure: 0 and 1 only say whether something is there.
fn expect_faults(page: &str, prefix: &str) -> Vec<String> {
    let fault = |block: &str| {
        let line = block.lines().find(|line| line.starts_with("expect = "))?;
        let expected = quoted(line, "expect")?;
        let figure = expected.trim_start_matches(|c: char| !c.is_ascii_digit());
        let says = |key: &str, words: &str| block.lines().any(|line| line.starts_with(key) && line.contains(words));
        let ours = says("label = ", OURS) || says("failed = ", "our default");
        let is_told = ours || ids_in(parted(line).1, prefix).next().is_some();
        let is_figure = !matches!(figure, "" | "0" | "1");
        (is_figure && !is_told)
            .then(|| format!("`{expected}`: no item of the guide stands at it, and it does not say {OURS}"))
    };
    page.split("```").skip(1).step_by(2).filter_map(fault).collect()
}

/// Of the host's profile and the example too: no guide gives them a figure.
fn of_profile(system: &str, prefix: &str) -> Vec<String> {
    let folder = format!("profiles/{system}");
    let rows = fs::read_to_string(format!("tests/coverage/{system}.toml")).unwrap_or_default();
    let rows: Rows = toml::from_str(&rows).expect("rows");
    let text = read(&format!("{folder}/profile.toml"));
    let (seen, mut table) = (bands(&text), text.parse::<toml::Table>().expect("TOML"));
    table.remove("severities"); // words for words
    assert_eq!(seen.len(), parsed(&toml::Value::Table(table)), "{system}: a band stands where no line shows it");
    let mut wrong: Vec<String> = seen.iter().filter_map(|band| band_fault(band, &rows, prefix)).collect();
    for entry in fs::read_dir(format!("{folder}/procedures")).into_iter().flatten() {
        let page = read(&entry.expect("an entry").path().to_string_lossy());
        wrong.extend(bands(&page).iter().filter_map(|band| band_fault(band, &rows, prefix)));
    }
    let rules = fs::read_to_string(format!("{folder}/rules.yaml")).unwrap_or_default();
    let judged = |lines: &[&str]| !rows.is_empty() || has_figure(lines);
    let judged = alerts(&rules).into_iter().filter(|(_, lines)| judged(lines));
    wrong.extend(judged.filter_map(|(name, lines)| alert_fault(name, &lines, prefix)));
    // A second pack is the project's own, which each name says.
    let pack = fs::read_to_string(format!("{folder}/rules-project.yaml")).unwrap_or_default();
    let foreign = alerts(&pack).into_iter().filter(|(name, _)| !name.starts_with("Project"));
    wrong.extend(foreign.map(|(name, _)| format!("{name}: its name does not say that the project gives its figure")));
    wrong
}

#[test]
fn a_figure_that_no_guide_gives_says_so_on_screen() {
    for (system, prefix, _) in SYSTEMS.into_iter().chain([("host", "HOST", &[][..]), ("example-web", "WEB", &[])]) {
        let wrong = of_profile(system, prefix);
        assert!(wrong.is_empty(), "{system}:\n{}", wrong.join("\n"));
    }
}

#[test]
fn a_figure_that_a_page_expects_is_a_guides_or_says_so_on_screen() {
    for (system, prefix) in JUDGED_PAGES {
        let mut wrong = Vec::new();
        for entry in fs::read_dir(format!("profiles/{system}/procedures")).expect("pages") {
            let file = entry.expect("an entry").path().to_string_lossy().into_owned();
            wrong.extend(expect_faults(&read(&file), prefix).into_iter().map(|fault| format!("{file}: {fault}")));
        }
        assert!(wrong.is_empty(), "{system}:\n{}", wrong.join("\n"));
    }
    let told = |expect: &str, label: &str| {
        expect_faults(&format!("```check\nlabel = \"{label}\"\nexpect = {expect}\n```\n"), "GE").len()
    };
    assert_eq!((told("\"< 80 %\"", "use"), told("\"> 5\"", "use")), (1, 1));
    assert_eq!(
        (told("\"< 80 %\"", "use (default)"), told("\"< 80 %\"  # GE-1.1", "use"), told("\">= 1\"", "use")),
        (0, 0, 0)
    );
}

#[test]
fn what_bears_neither_is_found() {
    let rows: Rows = toml::from_str("[\"GE-1.1\"]\nlevels = { pane = \"A\", at = [[1, \"OK\"]] }").expect("rows");
    let told = |text: &str| bands(text).iter().filter_map(|band| band_fault(band, &rows, "GE")).count();
    let pane = |title: &str, rest: &str| format!("[[panes]]\ntitle = \"{title}\"\nbands = {{ warning = 1 }}{rest}\n");
    assert_eq!(told(&pane("A", "")), 1);
    assert_eq!(told(&pane("A", "  # GE-1.1")), 0);
    assert_eq!(told(&pane("B", "  # GE-1.1")), 1, "the row is of another pane");
    assert_eq!(told(&pane("B (default)", "")), 0);
    let rule = |lines: &[&str]| alert_fault("A", lines, "GE").is_some();
    assert!(rule(&["expr: a > 1", "summary: a"]) && !rule(&["# GE-1.1", "summary: a"]));
    assert!(
        rule(&["# GE-1.1", "  for: 2m", "summary: a"]) && !rule(&["# GE-1.1", "  for: 2m  # GE-1.1", "summary: a"])
    );
    assert!(rule(&["# GE-1.1", "  for: 2m  # default", "summary: a"]));
    assert!(!rule(&["for: 2m  # default", "summary: a (default)"]));
}
