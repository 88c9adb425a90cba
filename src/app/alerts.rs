//! The list of alerts and rules: what stands in it, in which order, and where the reader is.

use crate::rules::finding::{AlertId, RuleHealth};
use crate::rules::{Book, Finding, FindingState};
use core::cell::Cell;
use std::collections::BTreeSet;

/// The heading over the alerts.
pub const ALERTS: &str = "ALERTS";

/// What is shown or folded.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fold {
    /// The consequences of this cause.
    Cause(AlertId),
    /// The instances of this rule's alert.
    Rule(usize),
}

/// How alerts stand, for telling several as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Firing, clearing, or without data.
    Up,
    /// Pending.
    Coming,
    /// Resolved.
    Over,
}

impl Standing {
    /// Of this alert.
    pub const fn of(found: &Finding) -> Self {
        match found.state {
            FindingState::Firing | FindingState::Clearing | FindingState::NoData => Self::Up,
            FindingState::Pending => Self::Coming,
            FindingState::Resolved | FindingState::Inactive => Self::Over,
        }
    }
}

/// One line of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    /// Names the rows below; it cannot be selected.
    Heading(&'static str),
    /// One alert; how far it is indented.
    Alert(AlertId, u16),
    /// Several alerts of one rule that stand alike, folded or named before them.
    Instances(usize, Standing),
    /// So many consequences of this cause are folded; it cannot be selected.
    Folded(AlertId),
    /// Alerts with these labels are muted; the silence's number.
    Silence(u64),
    /// A rule that could not be read: its place among the broken ones.
    Broken(usize),
    /// A rule that has found nothing, or cannot.
    Rule(usize),
}

/// Where the reader of the list is.
#[derive(Debug, Default)]
pub struct AlertList {
    selected: Option<Row>,
    /// Where the selected row stood last: when it goes, the reader stays there.
    at: usize,
    /// What the reader wants to see whole.
    pub unfolded: BTreeSet<Fold>,
    /// The first row shown, as of the last drawing.
    pub first: Cell<usize>,
}

impl AlertList {
    /// The index of the selected row: the same row wherever it has gone, else the one that stands for the same alert
    /// or rule by now, else what stands in its place.
    pub fn position(&self, rows: &[Row]) -> usize {
        let find = |of: fn(&Row, &Row) -> bool| {
            self.selected.as_ref().and_then(|selected| rows.iter().position(|row| of(selected, row)))
        };
        let same = find(|selected, row| selected == row).or_else(|| find(is_same_alert));
        same.or_else(|| find(is_same_rule)).unwrap_or_else(|| nearest(rows, self.at))
    }

    /// The selected row.
    pub fn row<'a>(&self, rows: &'a [Row]) -> Option<&'a Row> {
        rows.get(self.position(rows)).filter(|row| is_choice(row))
    }

    /// Selects this alert, or the row that stands for it.
    pub fn seek(&mut self, book: &Book, id: &AlertId) {
        let rows = rows(book, &self.unfolded);
        let at = rows.iter().position(|row| meant(book, row).contains(id));
        self.select(&rows, at.unwrap_or(0));
    }

    /// Selects this row.
    pub fn select(&mut self, rows: &[Row], at: usize) {
        self.at = nearest(rows, at);
        self.selected = rows.get(self.at).cloned();
    }

    /// Moves by so many rows, headings not counted; the extremes mean the ends.
    pub fn by(&mut self, rows: &[Row], by: isize) {
        let can: Vec<usize> = (0..rows.len()).filter(|at| is_selectable(rows, *at)).collect();
        let Some(last) = can.len().checked_sub(1) else { return };
        let now = can.iter().position(|at| *at == self.position(rows)).unwrap_or(0);
        let to = match by {
            isize::MIN => 0,
            isize::MAX => last,
            by => now.saturating_add_signed(by).min(last),
        };
        self.select(rows, can.get(to).copied().unwrap_or(0));
    }

    /// Shows what the selected row folds, or folds it again. False when it folds nothing.
    pub fn turn(&mut self, book: &Book, rows: &[Row]) -> bool {
        let fold = match self.row(rows) {
            Some(Row::Instances(rule, _)) => Fold::Rule(*rule),
            Some(Row::Alert(id, _)) => match finding(book, id) {
                Some(found) if !book.consequences(id).is_empty() => Fold::Cause(found.id.clone()),
                Some(Finding { cause: Some(cause), .. }) => Fold::Cause(cause.clone()),
                Some(found) if alike(book, id.rule, Standing::of(found)).len() > 1 => Fold::Rule(id.rule),
                _ => return false,
            },
            _ => return false,
        };
        if !self.unfolded.remove(&fold) {
            self.unfolded.insert(fold);
        }
        // A row that has been folded away leaves the reader where it stood.
        self.at = self.position(rows);
        true
    }
}

/// Folded under a cause, or no more, an alert is still the same.
fn is_same_alert(a: &Row, b: &Row) -> bool {
    matches!((a, b), (Row::Alert(a, _), Row::Alert(b, _)) if a == b)
}

/// A second instance, or none, turns a rule's row into another one.
fn is_same_rule(a: &Row, b: &Row) -> bool {
    let alert = |row: &Row| matches!(row, Row::Alert(..));
    rule_of(a).is_some() && rule_of(a) == rule_of(b) && !(alert(a) && alert(b))
}

const fn rule_of(row: &Row) -> Option<usize> {
    match row {
        Row::Alert(id, _) => Some(id.rule),
        Row::Instances(rule, _) | Row::Rule(rule) => Some(*rule),
        Row::Heading(_) | Row::Folded(_) | Row::Silence(_) | Row::Broken(_) => None,
    }
}

const fn is_choice(row: &Row) -> bool {
    !matches!(row, Row::Heading(_) | Row::Folded(_))
}

fn is_selectable(rows: &[Row], at: usize) -> bool {
    rows.get(at).is_some_and(is_choice)
}

fn nearest(rows: &[Row], at: usize) -> usize {
    let at = at.min(rows.len().saturating_sub(1));
    let below = (at..rows.len()).find(|at| is_selectable(rows, *at));
    below.or_else(|| (0..at).rev().find(|at| is_selectable(rows, *at))).unwrap_or(0)
}

/// The alert as it stands now.
pub fn finding<'a>(book: &'a Book, id: &AlertId) -> Option<&'a Finding> {
    book.findings().iter().find(|finding| finding.id == *id)
}

/// Everything there is, in order: alerts, silences, rules that cannot judge, rules that have found nothing.
pub fn rows(book: &Book, unfolded: &BTreeSet<Fold>) -> Vec<Row> {
    let mut rows = Vec::new();
    section(&mut rows, ALERTS, alerts(book, unfolded));
    section(&mut rows, "SILENCES", book.silences().map(|silence| Row::Silence(silence.id)).collect());
    let broken = book.broken().enumerate().map(|(at, _)| Row::Broken(at));
    let (quiet, ill): (Vec<_>, Vec<_>) = book
        .rules()
        .filter(|(at, ..)| !book.findings().iter().any(|found| found.id.rule == *at))
        .partition(|(.., health)| **health == RuleHealth::Ok);
    section(&mut rows, "RULES THAT CANNOT JUDGE", broken.chain(ill.iter().map(|(at, ..)| Row::Rule(*at))).collect());
    section(&mut rows, "QUIET", quiet.iter().map(|(at, ..)| Row::Rule(*at)).collect());
    rows
}

fn section(rows: &mut Vec<Row>, heading: &'static str, mut more: Vec<Row>) {
    if !more.is_empty() {
        rows.push(Row::Heading(heading));
        rows.append(&mut more);
    }
}

fn alerts(book: &Book, unfolded: &BTreeSet<Fold>) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut told: BTreeSet<(usize, Standing)> = BTreeSet::new();
    for found in book.findings().iter().filter(|found| found.cause.is_none()) {
        let (rule, standing) = (found.id.rule, Standing::of(found));
        let kin = alike(book, rule, standing);
        if kin.len() == 1 {
            push(&mut rows, book, unfolded, found, 0);
        } else if told.insert((rule, standing)) {
            rows.push(Row::Instances(rule, standing));
            if unfolded.contains(&Fold::Rule(rule)) {
                for one in kin {
                    push(&mut rows, book, unfolded, one, 1);
                }
            }
        }
    }
    rows
}

/// The alerts of a rule that stand alike and are not folded under a cause, in the book's order.
pub fn alike(book: &Book, rule: usize, standing: Standing) -> Vec<&Finding> {
    let same = |found: &&Finding| found.id.rule == rule && Standing::of(found) == standing && found.cause.is_none();
    book.findings().iter().filter(same).collect()
}

fn push(rows: &mut Vec<Row>, book: &Book, unfolded: &BTreeSet<Fold>, found: &Finding, depth: u16) {
    rows.push(Row::Alert(found.id.clone(), depth));
    let folds = book.consequences(&found.id);
    if unfolded.contains(&Fold::Cause(found.id.clone())) {
        rows.extend(folds.iter().map(|one| Row::Alert(one.id.clone(), depth + 1)));
    } else if !folds.is_empty() {
        rows.push(Row::Folded(found.id.clone()));
    }
}

/// The alerts that a row stands for.
pub fn meant(book: &Book, row: &Row) -> Vec<AlertId> {
    match row {
        Row::Alert(id, _) => vec![id.clone()],
        Row::Instances(rule, standing) => {
            alike(book, *rule, *standing).into_iter().map(|found| found.id.clone()).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::SeriesKey;

    fn alert(rule: usize, disk: &str, depth: u16) -> Row {
        Row::Alert(AlertId { rule, key: SeriesKey::new("", &[("disk", disk)]) }, depth)
    }

    #[test]
    fn the_reader_stays_with_the_alert_when_the_order_changes_under_it() {
        let mut list = AlertList::default();
        let rows = [Row::Heading(ALERTS), alert(1, "a", 0), alert(2, "a", 0)];
        list.select(&rows, 2);
        for (now, at) in [
            (vec![Row::Heading(ALERTS), alert(2, "a", 0), alert(1, "a", 0)], 1),
            // Folded under a cause that is shown whole.
            (vec![Row::Heading(ALERTS), alert(3, "a", 0), alert(2, "a", 1), alert(1, "a", 0)], 2),
            // A second instance fires.
            (vec![Row::Heading(ALERTS), Row::Instances(2, Standing::Up), alert(1, "a", 0)], 1),
            (vec![Row::Heading(ALERTS), Row::Instances(2, Standing::Up), alert(2, "b", 1), alert(2, "a", 1)], 3),
            // It is over.
            (vec![Row::Heading(ALERTS), alert(1, "a", 0), Row::Heading("QUIET"), Row::Rule(2)], 3),
            // Another alert of the rule is not the one that was meant.
            (vec![Row::Heading(ALERTS), alert(2, "b", 0), alert(1, "a", 0)], 2),
        ] {
            assert_eq!(list.position(&now), at, "{now:?}");
        }
    }
}
