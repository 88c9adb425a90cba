//! The keys of one map of a foreign file: each is asked for by name, and what nobody asked for is told.

use super::lengths;
use super::yaml::{Data, Key, Node, Spot};
use crate::base::Fault;
use crate::base::body::near;
use core::cell::RefCell;
use core::time::Duration;
use std::collections::HashSet;
use std::rc::Rc;

/// A map that is being read.
pub struct Fields<'a> {
    file: &'a str,
    /// What it is, for sentences: "rule", "group".
    noun: &'static str,
    spot: Spot,
    pairs: Vec<(&'a Key, &'a Rc<Node>)>,
    asked: RefCell<Vec<&'static str>>,
}

/// A key that nobody asked for.
pub struct Unknown {
    /// The sentence and its place.
    pub fault: Fault,
    /// A known key is so near that this one is probably a slip: what it says is lost.
    pub slip: bool,
}

impl<'a> Fields<'a> {
    /// Opens a map; nothing at all is an empty one.
    ///
    /// # Errors
    /// It is no map, or says a key twice.
    pub fn open(file: &'a str, node: &'a Node, noun: &'static str) -> Result<Self, Fault> {
        let mut pairs: Vec<(&Key, &Rc<Node>)> = match &node.data {
            Data::Map(pairs) => pairs.iter().map(|(key, value)| (key, value)).collect(),
            Data::Scalar(scalar) if scalar.null => Vec::new(),
            _ => return Err(fault(file, node.spot, format!("a {noun} must be a map, and this is {}.", node.noun()))),
        };
        pairs.sort_by_key(|(key, _)| key.merged);
        let mut own = HashSet::new();
        if let Some((twice, _)) = pairs.iter().find(|(key, _)| !key.merged && !own.insert(&key.text)) {
            return Err(fault(file, twice.spot, format!("`{}` is said twice.", twice.text)));
        }
        Ok(Self { file, noun, spot: node.spot, pairs, asked: RefCell::default() })
    }

    /// Where the map begins.
    pub fn spot(&self) -> Spot {
        self.spot
    }

    /// A fault at a spot of the file.
    pub fn fault(&self, spot: Spot, what: impl AsRef<str>) -> Fault {
        fault(self.file, spot, what)
    }

    /// The value of a key; a key with nothing after it counts as absent.
    pub fn get(&self, key: &'static str) -> Option<&'a Rc<Node>> {
        self.asked.borrow_mut().push(key);
        self.pairs.iter().find(|(known, _)| known.text == key).map(|(_, node)| *node).filter(|node| !node.is_null())
    }

    /// Where a key stands.
    pub fn key_spot(&self, key: &str) -> Spot {
        self.pairs.iter().find(|(known, _)| known.text == key).map_or(self.spot, |(known, _)| known.spot)
    }

    /// A text or number, as text.
    ///
    /// # Errors
    /// It is a list or a map.
    pub fn text(&self, key: &'static str) -> Result<Option<&'a str>, Fault> {
        self.get(key).map(|node| self.text_of(key, node)).transpose()
    }

    fn text_of(&self, key: &str, node: &'a Node) -> Result<&'a str, Fault> {
        match &node.data {
            Data::Scalar(scalar) => Ok(&scalar.text),
            _ => Err(self.fault(node.spot, format!("`{key}` must be a text, and this is {}.", node.noun()))),
        }
    }

    /// A length of time in Prometheus' writing.
    ///
    /// # Errors
    /// It is none.
    pub fn length(&self, key: &'static str) -> Result<Option<Duration>, Fault> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        let spot = self.get(key).map_or(self.spot, |node| node.spot);
        lengths::parse(text).map(Some).ok_or_else(|| {
            self.fault(spot, format!("`{key}` must be a length of time, and `{text}` is none."))
                .hint("Write it like `30s`, `5m` or `1h30m`.")
        })
    }

    /// A whole number.
    ///
    /// # Errors
    /// It is none.
    pub fn whole(&self, key: &'static str) -> Result<Option<i64>, Fault> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        let spot = self.get(key).map_or(self.spot, |node| node.spot);
        let wrong = |_| self.fault(spot, format!("`{key}` must be a whole number, and `{text}` is none."));
        text.parse().map(Some).map_err(wrong)
    }

    /// A list; absent is empty.
    ///
    /// # Errors
    /// It is none.
    pub fn list(&self, key: &'static str) -> Result<&'a [Rc<Node>], Fault> {
        match self.get(key).map(|node| (&node.data, node)) {
            None => Ok(&[]),
            Some((Data::List(nodes), _)) => Ok(nodes),
            Some((_, node)) => {
                Err(self.fault(node.spot, format!("`{key}` must be a list, and this is {}.", node.noun())))
            }
        }
    }

    /// A map of texts, in the order of the file; nothing after a key is an empty text.
    ///
    /// # Errors
    /// It is no map, a value of it is no text, or a key is said twice.
    pub fn texts(&self, key: &'static str) -> Result<Vec<(&'a Key, &'a str)>, Fault> {
        let Some(node) = self.get(key) else { return Ok(Vec::new()) };
        let inner = Fields::open(self.file, node, self.noun).map_err(|fault| {
            if matches!(node.data, Data::Map(_)) {
                fault
            } else {
                self.fault(node.spot, format!("`{key}` must be a map, and this is {}.", node.noun()))
            }
        })?;
        let mut seen = HashSet::new();
        let pairs = inner.pairs.iter().filter(|(known, _)| seen.insert(&known.text));
        pairs.map(|(known, node)| Ok((*known, self.text_of(&known.text, node)?))).collect()
    }

    /// Keys that nobody asked for. To be called last.
    pub fn unknown(&self) -> Vec<Unknown> {
        let asked = self.asked.borrow();
        let strange = self.pairs.iter().filter(|(key, _)| !key.merged && !asked.contains(&key.text.as_str()));
        strange
            .map(|(key, _)| {
                let meant = near(&key.text, &asked);
                let what = format!("a {} has no key `{}`.", self.noun, key.text);
                let hint = match meant {
                    Some(meant) => format!("Did you mean `{meant}`?"),
                    None => "It is passed over.".to_owned(),
                };
                Unknown { fault: self.fault(key.spot, what).hint(hint), slip: meant.is_some() }
            })
            .collect()
    }
}

fn fault(file: &str, spot: Spot, what: impl AsRef<str>) -> Fault {
    Fault::new(what).at(file, spot.line, spot.column)
}
