//! The document as it grows: items in the order of the text; names and jumps are settled at the end.

use super::block::{self, Marks};
use super::front::Front;
use super::place::{Piece, Source};
use super::{MOST_FAULTS, MOST_ITEMS};
use crate::base::{Clean, Fault};
use crate::procedure::document::{Answer, Beside, Condition, Document, Expect, Item, Live, Subject};
use sha2::{Digest, Sha256};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Lists in lists: what lies deeper is shown at this depth.
const DEEPEST: u8 = 20;

/// An item whose names are not settled.
struct Made {
    item: Item,
    /// The name that the text gives it.
    named: Option<String>,
    marks: Marks,
}

/// A document as it grows.
pub(super) struct Draft<'a> {
    source: &'a Source<'a>,
    title: Option<Clean>,
    about: Vec<Clean>,
    items: Vec<Made>,
    faults: Vec<Fault>,
    more_faults: usize,
    page: usize,
    /// Depth of the last heading, and whether its own item may still become live.
    depth: u8,
    bare: bool,
}

impl<'a> Draft<'a> {
    pub(super) fn new(source: &'a Source<'a>) -> Self {
        let (about, items, faults) = (Vec::new(), Vec::new(), Vec::new());
        Self { source, title: None, about, items, faults, more_faults: 0, page: 0, depth: 1, bare: false }
    }

    pub(super) fn fault(&mut self, fault: Fault) {
        if self.faults.len() < MOST_FAULTS {
            self.faults.push(fault);
        } else {
            self.more_faults += 1;
        }
    }

    /// A line below the last item, or above the first.
    pub(super) fn prose(&mut self, _line: u32, text: Clean) {
        match self.items.last_mut() {
            Some(made) => made.item.prose.push(text),
            None => self.about.push(text),
        }
    }

    /// Code among the prose.
    pub(super) fn code(&mut self, text: Clean) {
        if let Some(made) = self.items.last_mut() {
            made.item.code.push(text);
        }
    }

    pub(super) fn heading(&mut self, at: usize, level: u8, title: &str, named: Option<&str>) {
        let title = Clean::text(title.trim());
        if level == 1 && self.title.is_none() && self.items.is_empty() {
            self.title = Some(title);
            return;
        }
        self.depth = level.max(2);
        self.bare = self.push(at, self.depth, title, named, Live::Read);
    }

    /// `- [ ]` challenge and expected response.
    pub(super) fn challenge(&mut self, at: usize, nested: usize, text: &str) {
        let (challenge, response) = respond(text.trim());
        let depth = self.below(nested);
        self.push(at, depth, Clean::text(challenge), None, Live::Challenge(response.map(Clean::text)));
        self.bare = false;
    }

    /// Commands of a document that was not written for us.
    pub(super) fn commands(&mut self, at: usize, title: &str, lines: Vec<Clean>) {
        let depth = self.below(1);
        self.push(at, depth, Clean::text(title), None, Live::Command(lines));
        self.bare = false;
    }

    /// A typed block: of the heading's own item, or of one below it.
    pub(super) fn block(&mut self, at: usize, kind: &str, piece: &Piece) {
        if self.items.len() >= MOST_ITEMS {
            piece.text.lines().for_each(|line| self.prose(0, Clean::text(line)));
            return;
        }
        let read = block::read(kind, self.source.file, &piece.text);
        let (title, failed) = match &read {
            Ok(block) => (block.title.clone(), Vec::new()),
            Err(_) => (crate::clean!("{kind} (cannot be read)"), piece.text.lines().map(Clean::text).collect()),
        };
        if !core::mem::take(&mut self.bare) {
            let depth = self.below(1);
            if !self.push(at, depth, title, None, Live::Read) {
                return;
            }
        }
        match read {
            Ok(block) => {
                let Some(made) = self.items.last_mut() else { return };
                made.item.live = block.live;
                made.item.show = block.show;
                made.item.beside.facts = block.facts;
                made.item.beside.repeats = block.repeats;
                made.item.failed = block.failed;
                made.item.go = block.go;
                made.item.valid_for = block.valid_for;
                made.item.watch = block.watch;
                made.item.memory = block.memory;
                made.marks = Marks {
                    go: block.marks.go.map(|fault| piece.placed(self.source, fault)),
                    answer: block.marks.answer.map(|fault| piece.placed(self.source, fault)),
                    set: block.marks.set.map(|fault| piece.placed(self.source, fault)),
                };
            }
            Err(faults) => {
                if let Some(made) = self.items.last_mut() {
                    made.item.live = Live::Broken;
                    made.item.prose.extend(failed);
                }
                for fault in faults {
                    self.fault(piece.placed(self.source, fault));
                }
            }
        }
    }

    /// A rule between items begins the next page.
    pub(super) fn rule(&mut self) {
        if self.items.last().is_some_and(|made| made.item.page == self.page) {
            self.page += 1;
        }
        self.bare = false;
    }

    fn below(&self, nested: usize) -> u8 {
        self.depth.saturating_add(u8::try_from(nested.max(1)).unwrap_or(u8::MAX)).min(DEEPEST)
    }

    /// Whether there was room for it.
    fn push(&mut self, at: usize, depth: u8, title: Clean, named: Option<&str>, live: Live) -> bool {
        if self.items.len() >= MOST_ITEMS {
            if self.items.len() == MOST_ITEMS
                && !self.faults.iter().any(|fault| fault.what.as_str().starts_with("from"))
            {
                let what = format!("from here on there are more than {MOST_ITEMS} items: they are only text.");
                self.fault(self.source.fault(at, what));
            }
            self.prose(0, title);
            return false;
        }
        let item = Item {
            id: Arc::from(""),
            title,
            prose: Vec::new(),
            code: Vec::new(),
            depth,
            page: self.page,
            line: self.source.line(at),
            memory: false,
            live,
            show: Vec::new(),
            beside: Beside::default(),
            failed: None,
            go: None,
            valid_for: block::VALID_FOR,
            watch: None,
        };
        self.items.push(Made { item, named: named.map(str::to_owned), marks: Marks::default() });
        true
    }

    /// Settles names, jumps and answers.
    pub(super) fn finish(mut self, id: &str, text: &str, front: Front) -> Document {
        self.name();
        self.jump();
        self.answer();
        for (id, fault) in front.memory {
            let names = self.names();
            match names.get(&*id) {
                Some(at) => self.items.iter_mut().skip(*at).take(1).for_each(|made| made.item.memory = true),
                None => self.fault(missing(&fault, &id, &names)),
            }
        }
        for made in &mut self.items {
            made.item.beside.fill = front.fill.iter().filter(|fill| fill.is_in(&made.item)).cloned().collect();
        }
        if self.more_faults > 0 {
            let what = format!("and {} more faults of this document.", self.more_faults);
            self.faults.push(Fault::new(what).at(self.source.file, 0, 0));
        }
        let first = self.items.first().map(|made| made.item.title.clone());
        let id: Arc<str> = front.id.map_or_else(|| slug(id).into(), Arc::from);
        Document {
            title: front.title.or(self.title).or(first).unwrap_or_else(|| Clean::text(id.as_bytes())),
            id,
            file: Clean::text(self.source.file),
            sha256: Sha256::digest(text).iter().fold(String::with_capacity(64), |mut out, byte| {
                out.extend([byte >> 4, byte & 15].map(|digit| char::from_digit(digit.into(), 16).unwrap_or_default()));
                out
            }),
            symptoms: front.symptoms,
            alerts: front.alerts,
            consequences: front.consequences,
            time_box: front.time_box,
            severity: front.severity,
            read_only: front.read_only,
            order: front.order,
            unused: front.unused,
            about: self.about,
            items: self.items.into_iter().map(|made| made.item).collect(),
            faults: self.faults,
        }
    }

    /// Given names are unique, or a fault; made ones become so.
    fn name(&mut self) {
        let mut taken: HashSet<Arc<str>> = HashSet::new();
        let mut faults = Vec::new();
        for made in &mut self.items {
            let Some(named) = &made.named else { continue };
            if taken.insert(named.as_str().into()) {
                made.item.id = named.as_str().into();
            } else {
                let what = format!("`{{#{named}}}` stands here for the second time.");
                faults.push(Fault::new(what).at(self.source.file, made.item.line, 0));
            }
        }
        // So that thousands of items of one title are named in one pass.
        let mut next: HashMap<String, usize> = HashMap::new();
        for made in self.items.iter_mut().filter(|made| made.item.id.is_empty()) {
            let base = slug(made.item.title.as_str());
            let number = next.entry(base.clone()).or_default();
            made.item.id = loop {
                *number += 1;
                let id: Arc<str> = if *number == 1 { base.as_str().into() } else { format!("{base}-{number}").into() };
                if taken.insert(Arc::clone(&id)) {
                    break id;
                }
            };
        }
        for fault in faults {
            self.fault(fault);
        }
    }

    fn names(&self) -> HashMap<Arc<str>, usize> {
        self.items.iter().enumerate().map(|(at, made)| (Arc::clone(&made.item.id), at)).collect()
    }

    /// A jump leads on to a later item, so that no walk turns in a circle.
    fn jump(&mut self) {
        if self.items.iter().all(|made| made.item.go.is_none()) {
            return;
        }
        let names = self.names();
        let mut faults = Vec::new();
        for (at, made) in self.items.iter_mut().enumerate() {
            let Some(go) = made.item.go.clone() else { continue };
            let place = made.marks.go.take().unwrap_or_else(|| Fault::new(""));
            match names.get(&go) {
                Some(to) if *to > at => continue,
                Some(_) => {
                    let fault = Fault {
                        what: crate::clean!("`{go}` is no later item than `{}`: that goes in a circle.", made.item.id),
                        ..place
                    };
                    faults.push(fault.hint("Lead on to a later item."));
                }
                None => faults.push(missing(&place, &go, &names)),
            }
            made.item.go = None;
        }
        for fault in faults {
            self.fault(fault);
        }
    }

    /// An answer is asked for before it is looked at, and can be given.
    fn answer(&mut self) {
        let mut asked: HashMap<Arc<str>, Answer> = HashMap::new();
        let mut faults = Vec::new();
        for made in &mut self.items {
            let line = made.item.line;
            let mut ask = |name: &Arc<str>, kind: Answer| {
                asked.insert(Arc::clone(name), kind).map(|_| {
                    let what = format!("the question `{name}` is asked for the second time.");
                    Fault::new(what).at(self.source.file, line, 0)
                })
            };
            match &made.item.live {
                Live::Ask(it) => faults.extend(ask(&it.name, it.kind.clone())),
                Live::Calculate(it) => {
                    let unit = it.results.first().map(|result| result.unit).unwrap_or_default();
                    faults.extend(ask(&it.name, Answer::Number(f64::MIN, f64::MAX, unit)));
                }
                Live::Action(_, set) => {
                    let place = made.marks.set.take().unwrap_or_else(|| Fault::new(""));
                    let named = set.iter().filter_map(|(_, value)| value.as_str().strip_prefix('$'));
                    faults.extend(named.filter(|name| !asked.contains_key(*name)).map(|name| {
                        let what = crate::clean!("no question before this one is called `{name}`.");
                        Fault { what, ..place.clone() }.hint(known(&asked, name))
                    }));
                }
                Live::When(Condition { of: Subject::Answer(name), expect, .. }) => {
                    let place = made.marks.answer.take().unwrap_or_else(|| Fault::new(""));
                    faults.extend(unanswered(place, name, expect, &asked));
                }
                _ => {}
            }
        }
        for fault in faults {
            self.fault(fault);
        }
    }
}

/// What was asked so far, the nearest name first.
fn known(asked: &HashMap<Arc<str>, Answer>, name: &str) -> String {
    let mut names: Vec<&str> = asked.keys().map(AsRef::as_ref).collect();
    names.sort_unstable();
    if names.is_empty() {
        return "Ask for it with an `ask` block.".to_owned();
    }
    crate::base::body::nearest(name, names.into_iter())
}

fn unanswered(place: Fault, name: &str, expect: &Expect, asked: &HashMap<Arc<str>, Answer>) -> Option<Fault> {
    let Some(kind) = asked.get(name) else {
        let fault = Fault { what: crate::clean!("no question before this one is called `{name}`."), ..place };
        return Some(fault.hint(known(asked, name)));
    };
    let (what, hint) = match (kind, expect) {
        (Answer::Choice(choices), Expect::Text(is)) if !choices.contains(is) => {
            let names = choices.iter().map(Clean::as_str);
            (crate::clean!("`{is}` is no answer to `{name}`."), crate::base::body::nearest(is.as_str(), names))
        }
        (Answer::Pasted(_), _) => {
            (crate::clean!("the answer to `{name}` is pasted."), "Ask for a choice beside it.".to_owned())
        }
        (Answer::Typed(word, others), Expect::Text(is)) if word != is && !others.contains(is) => {
            let names = core::iter::once(word).chain(others).map(Clean::as_str);
            (crate::clean!("`{is}` is no answer to `{name}`."), crate::base::body::nearest(is.as_str(), names))
        }
        (Answer::Choice(_) | Answer::Text | Answer::Typed(..), Expect::Number(..)) => {
            (crate::clean!("the answer to `{name}` is no number."), "Compare it with `is`.".to_owned())
        }
        (Answer::Number(..), Expect::Text(_)) => {
            (crate::clean!("the answer to `{name}` is a number."), "Compare it with `expect`.".to_owned())
        }
        _ => return None,
    };
    Some(Fault { what, ..place }.hint(hint))
}

fn missing(place: &Fault, id: &str, names: &HashMap<Arc<str>, usize>) -> Fault {
    let mut known: Vec<(usize, &str)> = names.iter().map(|(name, at)| (*at, &**name)).collect();
    known.sort_unstable();
    let known: Vec<&str> = known.into_iter().map(|(_, name)| name).collect();
    let near = crate::base::body::near(id, &known);
    let hint = near.map_or_else(
        || "Name an item by `{#id}` behind its heading.".to_owned(),
        |near| format!("Did you mean `{near}`?"),
    );
    Fault { what: crate::clean!("no item is called `{id}`."), ..place.clone() }.hint(hint)
}

/// Challenge and expected response: `Port 8080 … free`, `Latency: below 10 µs`, `replicas = 3`.
fn respond(text: &str) -> (&str, Option<&str>) {
    let split = [" … ", ": ", " = "].into_iter().find_map(|between| text.rsplit_once(between));
    match split {
        Some((challenge, response)) if !challenge.trim().is_empty() && !response.trim().is_empty() => {
            (challenge.trim().trim_end_matches(['…', '.', ' ']), Some(response.trim()))
        }
        _ => (text, None),
    }
}

/// A name made of a title: `Grow the map (disk!)` is `grow-the-map-disk`.
pub(super) fn slug(title: &str) -> String {
    let mut out = String::new();
    for c in title.chars().flat_map(char::to_lowercase) {
        if c.is_alphanumeric() {
            out.push(c);
        } else if !out.is_empty() && !out.ends_with('-') && c != '\'' {
            out.push('-');
        }
        if out.len() >= 60 {
            break;
        }
    }
    let out = out.trim_end_matches('-');
    if out.is_empty() { "item".to_owned() } else { out.to_owned() }
}
