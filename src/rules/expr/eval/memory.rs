//! What is worked out once and kept: the series of a selector until the set of series changes, and how rows of one
//! list map to rows of another. In a steady state an evaluation touches no label.

use super::super::plan::Select;
use super::super::source::{Handle, Source};
use super::frame::Keys;
use crate::base::SeriesKey;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

/// Kept mappings; beyond it all are forgotten. A console has some hundred expressions.
const MOST: usize = 4096;

/// The series of a selector.
#[derive(Clone, Debug)]
pub(super) struct Selection {
    generation: u64,
    pub(super) handles: Arc<[Handle]>,
    pub(super) keys: Arc<Keys>,
}

/// Which row of the answer each row of an operand belongs to.
#[derive(Clone, Debug)]
pub(super) struct Groups {
    of: u64,
    pub(super) group: Arc<[u32]>,
    pub(super) keys: Arc<Keys>,
}

/// Which rows of two operands belong together.
#[derive(Clone, Debug)]
pub(super) struct Pairs {
    of: (u64, u64),
    pub(super) found: Arc<Join>,
}

/// How two vectors match.
#[derive(Debug)]
pub(super) enum Join {
    /// Each pair of rows gives one row of the answer, whatever is present.
    Simple { pairs: Vec<(usize, usize)>, keys: Arc<Keys> },
    /// Which rows match depends on which are present: the group of each row, and how many groups there are.
    General { left: Vec<u32>, right: Vec<u32>, groups: usize },
    /// `and`, `or`, `unless`: the group of each row, and for `or` the row of the answer for each right row.
    Set { left: Vec<u32>, right: Vec<u32>, groups: usize, keys: Arc<Keys>, right_rows: Vec<usize> },
}

#[derive(Debug, Default)]
pub(super) struct Memory {
    selections: HashMap<u128, Selection>,
    groups: HashMap<u128, Groups>,
    pairs: HashMap<u128, Pairs>,
    next: u64,
}

impl Memory {
    /// A new list of keys.
    pub(super) fn keys(&mut self, rows: Vec<SeriesKey>, nameless: Vec<bool>) -> Arc<Keys> {
        self.next += 1;
        let nameless = if nameless.contains(&true) { nameless } else { Vec::new() };
        Arc::new(Keys { id: self.next, rows, nameless, distinct: OnceLock::new() })
    }

    /// The series that a selector means. When the set of series has changed, but not for this selector, its list
    /// stays the same one, and so does all that was worked out for it.
    pub(super) fn selection(&mut self, source: &dyn Source, select: &Select) -> Selection {
        let generation = source.generation();
        let digest = select.digest();
        if let Some(known) = self.selections.get(&digest).filter(|known| known.generation == generation) {
            return known.clone();
        }
        let handles: Arc<[Handle]> = source.select(&select.selector).into();
        let same = |known: &&mut Selection| {
            known.handles == handles
                && handles.iter().zip(&known.keys.rows).all(|(handle, key)| same_key(source.key(*handle), key))
        };
        if let Some(known) = self.selections.get_mut(&digest).as_mut().filter(|known| same(known)) {
            known.generation = generation;
            return known.clone();
        }
        let rows = handles.iter().map(|handle| source.key(*handle).clone()).collect();
        let selection = Selection { generation, handles, keys: self.keys(rows, Vec::new()) };
        bounded(&mut self.selections).insert(digest, selection.clone());
        selection
    }

    /// The groups of a node's operand, if they were worked out for these very rows.
    pub(super) fn groups(&self, node: u128, of: &Keys) -> Option<Groups> {
        self.groups.get(&node).filter(|known| known.of == of.id).cloned()
    }

    pub(super) fn keep_groups(&mut self, node: u128, of: &Keys, group: Vec<u32>, keys: Arc<Keys>) -> Groups {
        let groups = Groups { of: of.id, group: group.into(), keys };
        bounded(&mut self.groups).insert(node, groups.clone());
        groups
    }

    /// How a node's operands match, if it was worked out for these very rows.
    pub(super) fn join(&self, node: u128, left: &Keys, right: &Keys) -> Option<Arc<Join>> {
        self.pairs.get(&node).filter(|known| known.of == (left.id, right.id)).map(|known| Arc::clone(&known.found))
    }

    pub(super) fn keep_join(&mut self, node: u128, left: &Keys, right: &Keys, join: Join) -> Arc<Join> {
        let found = Arc::new(join);
        bounded(&mut self.pairs).insert(node, Pairs { of: (left.id, right.id), found: Arc::clone(&found) });
        found
    }
}

fn same_key(a: &SeriesKey, b: &SeriesKey) -> bool {
    (Arc::ptr_eq(&a.labels, &b.labels) || a.labels == b.labels) && a.name == b.name
}

/// The map itself, emptied when it has grown too large.
fn bounded<V>(map: &mut HashMap<u128, V>) -> &mut HashMap<u128, V> {
    if map.len() >= MOST {
        map.clear();
    }
    map
}
