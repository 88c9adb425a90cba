//! The panes, which one has the focus, and the values frozen by a pause.

use super::pane::Pane;
use crate::base::Now;
use crate::rules::Book;
use crate::store::Store;

/// All panes of the profile in the order of importance.
#[derive(Debug, Default)]
pub struct Board {
    /// In the profile's order: earlier ones survive longer on small screens.
    pub panes: Vec<Pane>,
    /// Index of the focused pane.
    pub focus: usize,
    /// The focused pane fills the screen.
    pub zoomed: bool,
    /// Since when the panes stand still; collection and alerts go on.
    pub paused: Option<Now>,
}

impl Board {
    /// A board over these panes; the first has the focus.
    pub fn new(panes: Vec<Pane>) -> Self {
        Self { panes, ..Self::default() }
    }

    /// Reads all values anew, unless paused.
    pub fn refresh(&mut self, store: &Store, book: &Book, now: Now) {
        if self.paused.is_none() {
            for pane in &mut self.panes {
                pane.refresh(store, book, now);
            }
        }
    }

    /// The pane that has the focus.
    pub fn focused(&self) -> Option<&Pane> {
        self.panes.get(self.focus)
    }

    /// Moves the focus by one, around.
    pub fn turn(&mut self, forward: bool) {
        let count = self.panes.len();
        if count > 0 {
            self.focus = (self.focus + if forward { 1 } else { count - 1 }) % count;
        }
    }
}
