//! The kinds of the registries in words.

use crate::action::docs::docs;
use crate::action::kinds as actions;
use crate::base::Fault;
use crate::base::body::nearest;
use crate::logs::packs::{self, PACKS};
use crate::roles::logs;
use crate::samplers;
use crate::ui::panes;

/// Name and line of every kind of sampler.
pub(super) fn samplers() -> Vec<String> {
    aligned(samplers::KINDS.iter().map(|kind| (kind.name(), kind.about())).collect())
}

/// … of pane.
pub(super) fn panes() -> Vec<String> {
    aligned(panes::KINDS.iter().map(|kind| (kind.name(), kind.about())).collect())
}

/// … of action.
pub(super) fn actions() -> Vec<String> {
    aligned(actions::KINDS.iter().map(|kind| (kind.name(), kind.about())).collect())
}

/// … of log source.
pub(super) fn logs() -> Vec<String> {
    aligned(logs::KINDS.iter().map(|(name, about, _)| (*name, *about)).collect())
}

/// Every pack of patterns, and under it the names of its patterns.
pub(super) fn patterns() -> Vec<String> {
    let packs = aligned(PACKS.iter().map(|(name, about, _)| (*name, *about)).collect());
    let under =
        |rows: &[packs::Row]| format!("    {}", rows.iter().map(|(name, ..)| *name).collect::<Vec<_>>().join(" "));
    packs.into_iter().zip(PACKS).flat_map(|(line, (.., rows))| [line, under(rows)]).collect()
}

/// What is said of a kind of log source.
pub(super) fn log(name: &str) -> Result<Vec<String>, Fault> {
    let names = logs::KINDS.iter().map(|(name, ..)| *name);
    logs::docs(name).ok_or_else(|| Fault::new(format!("there is no kind of log `{name}`.")).hint(nearest(name, names)))
}

/// What the file of a kind of sampler says of it.
pub(super) fn sampler(name: &str) -> Result<Vec<String>, Fault> {
    let names = samplers::KINDS.iter().map(|kind| kind.name());
    samplers::docs(name)
        .ok_or_else(|| Fault::new(format!("there is no kind of sampler `{name}`.")).hint(nearest(name, names)))
}

/// What the file of a kind of action says of it.
pub(super) fn action(name: &str) -> Result<Vec<String>, Fault> {
    let names = actions::KINDS.iter().map(|kind| kind.name());
    docs(name).ok_or_else(|| Fault::new(format!("there is no kind of action `{name}`.")).hint(nearest(name, names)))
}

fn aligned(rows: Vec<(&str, &str)>) -> Vec<String> {
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    rows.into_iter().map(|(name, about)| format!("{name:width$}  {about}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_line_and_the_names_stand_in_a_column() {
        for lines in [samplers(), panes(), actions(), logs()] {
            let name = lines.iter().map(|line| line.split(' ').next().unwrap_or_default().len()).max().expect("kinds");
            assert!(lines.iter().all(|line| line.get(name..name + 2) == Some("  ")), "{lines:?}");
            assert!(lines.iter().all(|line| line.len() > name + 10), "{lines:?}");
        }
    }

    #[test]
    fn a_kind_is_described_by_its_table_and_an_unknown_one_by_the_nearest() {
        let lmdb = sampler("lmdb").expect("a kind");
        assert!(lmdb.iter().any(|line| line == "kind = \"lmdb\""), "{lmdb:?}");
        let fault = sampler("lmbd").expect_err("none").to_string();
        assert_eq!(fault, "there is no kind of sampler `lmbd`. Did you mean `lmdb`?");
    }
}
