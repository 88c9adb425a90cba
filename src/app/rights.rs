//! The one line at the start that says what this login may do, and which rule of sudo or polkit, support level or right the
//! rest lacks: grouped by reason, so that it fits the three lines that a notice has.

use super::unit::restarted;
use crate::action::right::{Need, Right};
use crate::base::{Clean, Level};
use crate::clean;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use unicode_width::UnicodeWidthStr;

/// A notice has so many lines.
const LINES: usize = 3;

/// A reason, and whether it is known to be one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Reason {
    need: Shared,
    sure: bool,
}

/// What several actions need alike.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Shared {
    /// Of sudo.
    Sudo(Clean),
    /// Of polkit, for this unit: rules differ by their verb alone.
    Polkit(Clean),
    /// Of polkit, for this action of it.
    PolkitAction(&'static str),
    Other(Need),
}

/// How many share a reason, and their verbs.
#[derive(Debug, Default)]
struct Group {
    count: usize,
    verbs: BTreeSet<&'static str>,
}

/// What is said of these rights to `who`, whose screen is so wide.
pub(super) fn line(who: &Clean, rights: &BTreeMap<Arc<str>, Right>, width: u16) -> Option<(Clean, Level)> {
    let head = head(who, rights)?;
    let mut groups: BTreeMap<Reason, Group> = BTreeMap::new();
    for right in rights.values() {
        let (lack, sure) = match right {
            Right::May => continue,
            Right::Unknown(lack) => (lack, false),
            Right::Lacks(lack) => (lack, true),
        };
        let (need, verb) = match lack.need.clone() {
            Need::Sudo(rule) => (Shared::Sudo(rule), None),
            Need::Polkit(unit, verb) => (Shared::Polkit(unit), Some(verb)),
            Need::PolkitAction(action) => (Shared::PolkitAction(action), None),
            other => (Shared::Other(other), None),
        };
        let group = groups.entry(Reason { need, sure }).or_default();
        group.count += 1;
        group.verbs.extend(verb);
    }
    if groups.is_empty() {
        return Some((clean!("{head}."), Level::Note));
    }
    let level = if groups.keys().any(|reason| reason.sure) { Level::Warning } else { Level::Note };
    let (mut rules, others): (Vec<_>, Vec<_>) =
        groups.into_iter().partition(|(reason, _)| !matches!(reason.need, Shared::Other(_)));
    // The rule that most lack, first: where there is no room for all of them, the last are only counted.
    rules.sort_by_key(|(_, group)| core::cmp::Reverse(group.count));
    let count = |groups: &[(Reason, Group)]| groups.iter().map(|(_, group)| group.count).sum::<usize>();
    let said = |named: usize, whole: bool| {
        let (named, left) = rules.split_at(named);
        let (left, what) =
            if whole { (count(left), "a rule of their own") } else { (count(left) + count(&others), "something else") };
        let more = (left > 0).then(|| format!("{left} {} {what}", plural(left, ["lacks", "lack"])));
        let others = others.iter().filter(|_| whole).map(reason);
        let parts: Vec<String> = named.iter().map(reason).chain(more).chain(others).collect();
        clean!("{head}; {}; a lists them all.", parts.join("; "))
    };
    // A rule that can be added is worth more than how the rest is made up.
    let named = (1..=rules.len()).rev();
    let some = named.clone().map(|named| (named, true)).chain(named.map(|named| (named, false)));
    let mut texts = some.map(|(named, whole)| said(named, whole));
    let text = texts.find(|text| fits(text, width)).unwrap_or_else(|| said(0, true));
    Some((text, level))
}

/// How many it may do, failed units apart.
fn head(who: &Clean, rights: &BTreeMap<Arc<str>, Right>) -> Option<Clean> {
    let of = |units: bool| {
        let those: Vec<&Right> =
            rights.iter().filter(|(name, _)| restarted(name).is_some() == units).map(|(_, right)| right).collect();
        (those.iter().filter(|right| matches!(right, Right::May)).count(), those.len())
    };
    let ((may, all), (restarts, failed)) = (of(false), of(true));
    let actions = match all {
        0 => None,
        _ if may == all => Some(format!("run all {all} actions of this profile")),
        _ => Some(format!("run {may} of {all} actions")),
    };
    let units =
        (failed > 0).then(|| format!("restart {restarts} of {failed} failed {}", plural(failed, ["unit", "units"])));
    let may: Vec<String> = actions.into_iter().chain(units).collect();
    (!may.is_empty()).then(|| clean!("{who} may {}", may.join(" and ")))
}

fn reason((Reason { need, sure }, Group { count, verbs }): &(Reason, Group)) -> String {
    let count = *count;
    let lack = if *sure { plural(count, ["lacks", "lack"]) } else { "may lack" };
    match need {
        Shared::Sudo(rule) => format!("{count} {lack} the sudo rule `{rule}`"),
        Shared::Polkit(unit) => {
            let verbs: Vec<&str> = verbs.iter().copied().collect();
            format!("{count} {lack} the polkit rule `systemd1.manage-units` for {unit}: {}", verbs.join(", "))
        }
        Shared::PolkitAction(action) => {
            format!("{count} {lack} the polkit rule `{}`", action.trim_start_matches("org.freedesktop."))
        }
        Shared::Other(Need::Level(level)) => format!("{count} {} {level}", plural(count, ["needs", "need"])),
        Shared::Other(Need::Files) => format!("{count} {lack} rights to files"),
        Shared::Other(Need::Asking) => format!("of {count} whoever is asked decides"),
        Shared::Other(_) => format!("{count} {lack} a program"),
    }
}

fn plural(count: usize, [one, many]: [&'static str; 2]) -> &'static str {
    if count == 1 { one } else { many }
}

/// Whether a text takes no more lines than a notice has, word by word, on a screen of this width.
fn fits(text: &Clean, width: u16) -> bool {
    let width = usize::from(width.saturating_sub(2)).max(1);
    let (mut lines, mut used) = (1, 0);
    for word in text.as_str().split(' ').map(UnicodeWidthStr::width) {
        let gap = usize::from(used > 0);
        if used + gap + word <= width {
            used += gap + word;
        } else {
            lines += usize::from(used > 0) + (word.saturating_sub(1)) / width;
            used = (word.saturating_sub(1)) % width + 1;
        }
    }
    lines <= LINES
}
