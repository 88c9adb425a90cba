//! A text becomes a [`Document`]. Never fails: whatever is wrong stands among its faults, each with its line and column,
//! and all of the text is shown. `markdown` is the one module that knows the parser crate.
//!
//! `front` reads what stands between `+++`, `block` the typed blocks, `expect` their comparisons, `figures` calculations; `draft` puts
//! together.

mod block;
mod draft;
mod expect;
mod figures;
mod front;
mod markdown;
mod place;

#[cfg(test)]
mod tests;

pub use block::KINDS;

use super::document::{Document, LONGEST};
use crate::base::Fault;
use draft::Draft;
use place::Source;

/// Items of one document; what follows is read as text.
const MOST_ITEMS: usize = 2_000;
/// Faults of one document; the rest is counted.
const MOST_FAULTS: usize = 100;

/// Reads a document. `id` is what it is called where it does not say so itself (its file's name), `file` the path as
/// the user would type it.
pub fn parse(id: &str, file: &str, text: &str) -> Document {
    let source = Source::new(file, shown(text));
    let mut draft = Draft::new(&source);
    if source.text.len() < text.len() {
        draft.fault(too_long().at(file, 0, 0));
    }
    let (front, from) = front::read(&source, &mut draft);
    markdown::read(&source, from, &mut draft);
    draft.finish(id, text, front)
}

/// The lines of a document that are code of another language, the first and the last of each block.
pub fn foreign_code(text: &str) -> Vec<(u32, u32)> {
    markdown::foreign_code(&Source::new("", shown(text)))
}

fn too_long() -> Fault {
    Fault::new("this document has more than 1 MiB: only its beginning is shown.")
        .hint("Split it into several documents.")
}

/// As much as is read: whole lines where there are any.
fn shown(text: &str) -> &str {
    if text.len() <= LONGEST {
        return text;
    }
    let cut = text.floor_char_boundary(LONGEST);
    let head = text.get(..cut).unwrap_or_default();
    head.rfind('\n').and_then(|end| head.get(..=end)).unwrap_or(head)
}
