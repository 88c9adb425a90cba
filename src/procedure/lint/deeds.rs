//! What the steps of a document do, whether they are actions of a profile, commands or words.

use super::shell;
use crate::procedure::document::{Document, Item, Live};

/// What the profile says of one of its actions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActionFacts {
    /// Its kind: `file_backup`.
    pub kind: String,
    /// It changes nothing.
    pub safe: bool,
    /// It proves its own effect.
    pub has_verify: bool,
    /// It has a way back.
    pub has_rollback: bool,
}

/// One thing that a step does. Paths are as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// Looks at the room that is left.
    Space,
    /// Copies this, or moves it aside. True where it looks at the room by itself.
    Keep(String, bool),
    /// Makes something larger by itself.
    Grow,
    /// Looks at a backup.
    Proof,
    /// Removes this.
    Remove(String),
    /// Writes over this.
    Overwrite(String),
    /// Edits this by a pattern.
    Edit(String),
    /// Reads this.
    Read(String),
    /// Starts or restarts a service.
    Start,
    /// Stops it.
    Stop,
    /// Looks whether something works.
    Verify,
    /// Starts the service's own program.
    SecondCopy(String),
    /// Searches a process by this name.
    Search(String),
    /// Changes something else.
    Change,
}

/// One item with what it does.
pub(super) struct Step<'a> {
    pub(super) item: &'a Item,
    pub(super) deeds: Vec<Deed>,
    /// Of an action of the profile.
    pub(super) facts: Option<ActionFacts>,
}

impl Step<'_> {
    /// It changes something.
    pub(super) fn changes(&self) -> bool {
        if let Some(facts) = &self.facts {
            return !facts.safe;
        }
        use Deed::{Change, Edit, Grow, Keep, Overwrite, Remove, SecondCopy, Start, Stop};
        let own = |deed: &Deed| {
            matches!(deed, Keep(..) | Grow | Remove(_) | Overwrite(_) | Edit(_) | Start | Stop | SecondCopy(_) | Change)
        };
        matches!(self.item.live, Live::Action(..)) || self.deeds.iter().any(own)
    }

    /// Everything that it says, for a word that must be there.
    pub(super) fn says(&self, word: &str) -> bool {
        let item = self.item;
        let shown = item.prose.iter().chain(item.failed.iter()).chain(core::iter::once(&item.title));
        shown.into_iter().any(|text| text.as_str().contains(word))
    }
}

/// Every item with what it does, in order.
pub(super) fn steps<'a>(document: &'a Document, facts: &dyn Fn(&str) -> Option<ActionFacts>) -> Vec<Step<'a>> {
    let units = units(document);
    let step = |item: &'a Item| match &item.live {
        Live::Action(name, _) => {
            let facts = facts(name);
            let deeds = facts.as_ref().map(action).unwrap_or_default();
            Step { item, deeds, facts }
        }
        Live::Command(lines) => {
            let deeds = lines.iter().flat_map(|line| shell::deeds(line.as_str(), &units)).collect();
            Step { item, deeds, facts: None }
        }
        _ => Step { item, deeds: seen(item), facts: None },
    };
    document.items.iter().map(step).collect()
}

/// Services that its commands name: their programs are called the same.
fn units(document: &Document) -> Vec<String> {
    let lines = document.items.iter().filter_map(|item| match &item.live {
        Live::Command(lines) => Some(lines),
        _ => None,
    });
    lines.flatten().flat_map(|line| shell::units(line.as_str())).collect()
}

/// What an action of a kind does: those that keep and prove by themselves are held to less.
fn action(facts: &ActionFacts) -> Vec<Deed> {
    let mut deeds = match facts.kind.as_str() {
        "file_backup" | "lmdb_backup" | "sqlite_backup" | "file_set_aside" | "lmdb_set_aside" => {
            vec![Deed::Keep(String::new(), true)]
        }
        "service_start" | "service_restart" => vec![Deed::Start],
        "service_stop" => vec![Deed::Stop],
        "redis_clear" => vec![Deed::Remove(String::new())],
        _ => Vec::new(),
    };
    if facts.has_verify && facts.kind != "service_stop" {
        deeds.push(Deed::Verify);
    }
    deeds
}

/// What somebody sees or is asked to look at.
fn seen(item: &Item) -> Vec<Deed> {
    let shown = item.show.iter().map(|look| look.expr.text().as_str());
    let mut text = item.title.as_str().to_lowercase();
    let mut deeds = Vec::new();
    match &item.live {
        Live::Check(condition) => {
            deeds.push(Deed::Verify);
            text.push_str(&of(condition));
        }
        Live::Wait(wait) => {
            if let Some(condition) = &wait.until {
                deeds.push(Deed::Verify);
                text.push_str(&of(condition));
            }
        }
        Live::Challenge(response) => {
            text.push(' ');
            text.push_str(&response.as_ref().map(|text| text.as_str().to_lowercase()).unwrap_or_default());
            if ["health", "active", "running", "answers", "latency", "accepts"].iter().any(|word| text.contains(word)) {
                deeds.push(Deed::Verify);
            }
        }
        Live::Ask(_) | Live::Calculate(_) => {}
        _ => return deeds,
    }
    for query in shown {
        text.push(' ');
        text.push_str(query);
    }
    let room = ["free space", "disk", "filesystem", "room ", "enough room"];
    if room.iter().any(|word| text.contains(word)) {
        deeds.push(Deed::Space);
    }
    let good = ["readable", "present", "good", "checksum", "opens", "size", "complete", "proven"];
    if text.contains("backup") && good.iter().any(|word| text.contains(word)) {
        deeds.push(Deed::Proof);
    }
    deeds
}

fn of(condition: &crate::procedure::document::Condition) -> String {
    match &condition.of {
        crate::procedure::document::Subject::Query(look) => format!(" {} {}", look.label, look.expr.text()),
        crate::procedure::document::Subject::Answer(name) => format!(" {name}"),
        crate::procedure::document::Subject::Fact(told) => format!(" {} {}", told.label, told.fact),
    }
}

impl ActionFacts {
    /// Of an action of this kind, by the keys of its table and the danger that it declares (`C1`).
    pub fn of(kind: &str, danger: &str, keys: &[String]) -> Self {
        let has = |key: &str| keys.iter().any(|known| known == key);
        // These look at their own target afterwards, whatever the profile says.
        let proves = kind.starts_with("file_")
            || kind.starts_with("lmdb_")
            || kind.starts_with("config_")
            || matches!(kind, "sqlite_backup" | "service_drop_in" | "sysfs_write" | "redis_clear" | "log_rotate");
        let back = match kind {
            "redis_clear" | "postgres_cancel" | "lmdb_grow" => false,
            "command" | "http_call" => has("undo"),
            _ => true,
        };
        Self {
            kind: kind.to_owned(),
            safe: matches!(danger, "C0" | "C1"),
            has_verify: proves || ["verify", "stable_for", "probe", "health", "expect"].into_iter().any(has),
            has_rollback: back,
        }
    }
}
