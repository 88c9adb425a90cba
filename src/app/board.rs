//! The panes, which one has the focus, and the picture that a pause holds.

use super::asked::Sight;
use super::course::Range;
use super::form::Line;
use super::pane::Pane;
use crate::base::time::Zone;
use crate::base::{Clean, Freshness, Mono, Now, Reading, Wall};
use crate::rules::expr::Evaluator;
use crate::rules::{AlertId, Book, Live, WallOffset};
use crate::store::history::Kept;
use crate::store::{History, Store};

/// When an action had its effect: a line through all charts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// When the last effect was done.
    pub at: Mono,
    /// What was done.
    pub title: Clean,
}

/// Panes that stand together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// As the profile names it.
    pub title: Clean,
    /// Titles of its panes.
    pub panes: Vec<Clean>,
}

/// Marks kept, the newest.
const MARKS: usize = 50;

/// All panes of the profile in the order of importance.
#[derive(Debug, Default)]
pub struct Board {
    /// In the profile's order: earlier ones survive longer on small screens.
    pub panes: Vec<Pane>,
    /// Panes that stand together.
    pub views: Vec<View>,
    /// Which of them is shown; `None` for all panes.
    pub view: Option<usize>,
    /// Index of the focused pane.
    pub focus: usize,
    /// How far back all charts reach.
    pub range: Range,
    /// The focused pane fills the screen.
    pub zoomed: bool,
    /// What is looked for in the table that fills the screen; keys go there meanwhile.
    pub find: Option<Line>,
    /// Effects of actions, oldest first.
    pub marks: Vec<Mark>,
    /// Which alert the strip shows, when somebody chose one. The list is sorted anew all the time.
    pub alert: Option<AlertId>,
    /// Since when the picture stands still.
    pub paused: Option<Now>,
    /// The moment that the cursor in the charts stands at.
    pub cursor: Option<Mono>,
    /// The clock that sentences of panes are said on.
    pub zone: Zone,
    /// The picture of that moment.
    held: Vec<Pane>,
    /// The pane that was left for the log.
    came_from: Option<usize>,
    /// What expressions are asked with.
    asking: (Evaluator, WallOffset),
}

impl Board {
    /// A board over these panes; the first has the focus.
    pub fn new(panes: Vec<Pane>) -> Self {
        Self { panes, ..Self::default() }
    }

    /// The same with views; the first one is shown.
    #[must_use]
    pub fn viewing(mut self, views: Vec<View>) -> Self {
        self.view = (!views.is_empty()).then_some(0);
        self.views = views;
        self.choose();
        self
    }

    /// The next view, after the last one all panes.
    pub fn next_view(&mut self) {
        let next = self.view.map_or(0, |at| at + 1);
        self.view = (next < self.views.len()).then_some(next);
        self.zoomed = false;
        self.choose();
    }

    /// The view that is shown: `System Health 1/4`; `None` where there are none.
    pub fn view_shown(&self) -> Option<Clean> {
        let all = self.views.len();
        match self.view.and_then(|at| Some((at, self.views.get(at)?))) {
            Some((at, view)) => Some(crate::clean!("{} {}/{all}", view.title, at + 1)),
            None => (all > 0).then(|| "all panes".into()),
        }
    }

    /// The same as a sentence.
    pub fn view_told(&self) -> Clean {
        let shown = self.panes.iter().filter(|pane| pane.shows()).count();
        let view = self.view_shown().unwrap_or_default();
        let noun = if shown == 1 { "pane" } else { "panes" };
        crate::clean!("{view}: {shown} {noun}.")
    }

    /// Leaves out what the view leaves out; the focus goes to what is there.
    fn choose(&mut self) {
        let view = self.view.and_then(|at| self.views.get(at));
        for pane in self.panes.iter_mut().chain(&mut self.held) {
            pane.hidden = view.is_some_and(|view| !view.panes.contains(&pane.title));
        }
        if self.focused().is_some_and(|pane| pane.hidden) {
            self.focus = self.panes.iter().position(Pane::shows).unwrap_or(self.focus);
        }
    }

    /// An action had its effect.
    pub fn mark(&mut self, mark: Mark) {
        if !self.marks.contains(&mark) {
            self.marks.push(mark);
            self.marks.sort_by_key(|mark| mark.at);
            self.marks.drain(..self.marks.len().saturating_sub(MARKS));
        }
    }

    /// Reads all values anew: also while the picture stands still, for the alert strip.
    pub fn refresh(&mut self, store: &Store, history: &History, book: &Book, now: Now) {
        let (evaluator, clock) = &mut self.asking;
        let sight = Sight { store, history, book, live: Live::new(store, now, clock), now, zone: self.zone };
        for pane in &mut self.panes {
            pane.refresh(&sight, evaluator);
        }
    }

    /// Reads values that stand on no pane anew.
    pub(super) fn look<'a>(
        &mut self,
        panes: impl Iterator<Item = &'a mut Pane>,
        (store, history, book): (&Store, &History, &Book),
        now: Now,
    ) {
        let (evaluator, clock) = &mut self.asking;
        let sight = Sight { store, history, book, live: Live::new(store, now, clock), now, zone: self.zone };
        for pane in panes {
            pane.refresh(&sight, evaluator);
        }
    }

    /// Takes what the panes show into history, each observation once; returns the minutes that are over.
    pub fn keep(&self, history: &mut History, now: Now) -> Vec<Kept> {
        for metric in self.panes.iter().flat_map(Pane::metrics) {
            let Reading::Value { value, seen, freshness: Freshness::Live | Freshness::Late, .. } = metric.shown.reading
            else {
                continue;
            };
            if !metric.shown.simulated || history.keeps_simulated() {
                let age = i64::try_from(now.mono.since(seen).as_nanos()).unwrap_or(i64::MAX);
                history.note(metric.expr.text(), value, seen, Wall(now.wall.0.saturating_sub(age)));
            }
        }
        history.close(now.wall)
    }

    /// Charts reach further back.
    pub fn widen(&mut self) {
        self.reach(self.range.step(true));
    }

    /// Charts reach less far back.
    pub fn narrow(&mut self) {
        self.reach(self.range.step(false));
    }

    /// What the charts show is asked for anew at the next refresh.
    fn reach(&mut self, range: Range) {
        self.range = range;
        for pane in &mut self.panes {
            pane.reach(range);
        }
    }

    /// The picture stands still from now on.
    pub fn hold(&mut self, now: Now) {
        self.held.clone_from(&self.panes);
        self.paused = Some(now);
    }

    /// The picture lives again.
    pub fn go_on(&mut self) {
        self.paused = None;
        self.held.clear();
    }

    /// The panes to draw.
    pub fn shown(&self) -> &[Pane] {
        if self.paused.is_some() { &self.held } else { &self.panes }
    }

    /// The cursor in the charts goes a column earlier or later; at the newest column it is gone.
    pub fn move_cursor(&mut self, later: bool, now: Mono) {
        let step = self.range.cursor_step();
        let at = self.cursor.unwrap_or(now.floor(self.range.column()));
        let to = if later { at + step } else { at - step };
        self.cursor = (to < now).then_some(to);
    }

    /// Esc: the cursor in the charts is gone; without one no pane fills the screen any more.
    pub(super) fn back(&mut self) {
        self.zoomed &= self.cursor.take().is_some();
    }

    /// What is looked for, while the table that it is about fills the screen.
    pub fn finding(&self) -> Option<&Line> {
        self.find.as_ref().filter(|_| self.table_fills())
    }

    /// Whether a table fills the screen.
    pub fn table_fills(&self) -> bool {
        self.zoomed && self.focused().is_some_and(|pane| pane.table.is_some())
    }

    /// A pane with a chart has the focus, the cursor at this moment.
    pub(super) fn look_at(&mut self, cursor: Option<Mono>) {
        self.cursor = cursor;
        let chart = self.panes.iter().position(|pane| pane.shows() && pane.headline.is_some());
        self.focus = self.came_from.take().or(chart).unwrap_or(self.focus);
    }

    /// A log has the focus; false when there is none.
    pub(super) fn focus_log(&mut self) -> bool {
        let log = self.panes.iter().position(|pane| pane.shows() && !pane.logs.is_empty());
        self.came_from = Some(self.focus);
        self.focus = log.unwrap_or(self.focus);
        log.is_some()
    }

    /// The pane that has the focus.
    pub fn focused(&self) -> Option<&Pane> {
        self.shown().get(self.focus)
    }

    /// Moves the focus by one, around.
    pub fn turn(&mut self, forward: bool) {
        let count = self.panes.len();
        for _ in 0..count {
            self.focus = (self.focus + if forward { 1 } else { count - 1 }) % count;
            if self.focused().is_some_and(Pane::shows) {
                break;
            }
        }
    }
}
