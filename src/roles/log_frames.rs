//! What the `log` tool shows, and when: a key at once, a flood in few frames.

use crate::app::Scroll;
use crate::base::time::Zone;
use crate::base::{Clean, Mono};
use crate::config::Theme;
use crate::term::{Caps, Terminal};
use core::time::Duration;

/// News is drawn at once when it is quiet after it, else so often: a flood is not read line by line.
const QUIET: Duration = Duration::from_millis(40);
const FLOOD: Duration = Duration::from_millis(250);
/// So often the pane is told that there is more.
pub(super) const LEARN: Duration = Duration::from_millis(25);
/// The first frame waits so long for the first rows.
const FIRST: Duration = Duration::from_millis(20);
const SECOND: Duration = Duration::from_secs(1);

/// What shows.
pub(super) struct Screen {
    pub(super) terminal: Terminal,
    pub(super) theme: Theme,
    pub(super) caps: Caps,
    pub(super) title: Clean,
    pub(super) drawn: Option<Mono>,
    /// When something last came.
    pub(super) heard: Mono,
    /// When the pane was last told.
    pub(super) learned: Mono,
    /// It is to be told soon.
    pub(super) owes: bool,
    pub(super) dirty: bool,
    pub(super) urgent: bool,
    /// The clock that times before the lines show on.
    pub(super) times: Option<Zone>,
    pub(super) help: Option<Scroll>,
}

impl Screen {
    /// How long nothing needs doing.
    pub(super) fn pause(&self, now: Mono, begun: Mono) -> Duration {
        let owed = if self.owes { LEARN.saturating_sub(now.since(self.learned)) } else { SECOND };
        owed.min(self.until_frame(now, begun))
    }

    /// How long no frame is due.
    pub(super) fn until_frame(&self, now: Mono, begun: Mono) -> Duration {
        match (self.dirty, self.drawn) {
            (false, _) => SECOND,
            (true, _) if self.urgent => Duration::ZERO,
            (true, None) => FIRST.saturating_sub(now.since(begun)),
            (true, Some(drawn)) => {
                FLOOD.saturating_sub(now.since(drawn)).min(QUIET.saturating_sub(now.since(self.heard)))
            }
        }
    }
}
