//! The reader of a log: rows around a place, whether its sources stand in the order in which their lines came or in the
//! order of time.

use super::lines::SpineReader;
use super::page::{From, Lines, Page, Row, Want};
use super::spine::Extent;
use super::strands::{Strands, place};
use super::weave::Weaver;
use crate::base::Fault;
use std::io;
use std::sync::{Arc, PoisonError};

/// Reads what others may lengthen meanwhile.
#[derive(Debug)]
pub struct Reader {
    strands: Arc<Strands>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// In the order in which lines came.
    One(SpineReader),
    /// In the order of time.
    Many(Weaver),
}

impl Lines for Reader {
    fn page(&mut self, want: &Want) -> Page {
        let mut page = Page { id: want.id, ..Page::default() };
        let done = self.fill(&mut page, want);
        page.tell_clocks();
        page.fault = done.err().map(|error| Fault::new(format!("the log cannot be read here: {error}.")));
        page
    }
}

impl Reader {
    /// A reader of these strands.
    pub fn new(strands: Arc<Strands>) -> Self {
        let kind = if strands.is_by_time() {
            Kind::Many(Weaver::new(Arc::clone(&strands)))
        } else {
            Kind::One(SpineReader::new(strands.spine(0)))
        };
        Self { strands, kind }
    }

    fn fill(&mut self, page: &mut Page, want: &Want) -> io::Result<()> {
        self.settle()?;
        let (begin, _, limit) = self.strands.span();
        let middle = match want.from {
            From::Start => begin,
            From::End => limit,
            From::At(place) => self.line_start(place)?,
        };
        let mut at = middle;
        while page.rows.len() < want.back {
            let Some(row) = self.before(at)? else { break };
            at = row.place;
            page.rows.push(row);
        }
        page.first = page.rows.len() < want.back;
        page.before = page.rows.len();
        page.rows.reverse();
        let mut at = middle;
        while page.rows.len() - page.before < want.ahead {
            let Some(row) = self.row(at)? else { break };
            at = row.next;
            page.rows.push(row);
        }
        page.last = page.rows.len() - page.before < want.ahead || want.ahead == 0 && want.from == From::End;
        Ok(())
    }

    /// Whether lines stand in the order of time.
    pub fn is_by_time(&self) -> bool {
        self.strands.is_by_time()
    }

    /// The first place and the place behind all lines whose place is sure.
    pub fn span(&self) -> (u64, u64) {
        let (begin, settled, _) = self.strands.span();
        (begin, settled)
    }

    /// The place behind everything, a line that is being written included.
    pub fn limit(&self) -> u64 {
        self.strands.span().2
    }

    /// Makes sure of what has been there long enough.
    ///
    /// # Errors
    /// As the system gives them.
    pub fn settle(&mut self) -> io::Result<()> {
        match &mut self.kind {
            Kind::One(_) => Ok(()),
            Kind::Many(weaver) => weaver.settle(),
        }
    }

    /// The beginning of the line that holds a place; a place beyond the end stays there.
    ///
    /// # Errors
    /// As the system gives them.
    pub fn line_start(&mut self, place: u64) -> io::Result<u64> {
        match &mut self.kind {
            Kind::One(reader) => reader.line_start(place),
            Kind::Many(weaver) => Ok(weaver.row(place)?.map_or_else(|| self.strands.span().2, |row| row.place)),
        }
    }

    /// The row at the beginning of a line; `None` at the end.
    ///
    /// # Errors
    /// As the system gives them.
    pub fn row(&mut self, place: u64) -> io::Result<Option<Row>> {
        match &mut self.kind {
            Kind::One(reader) => reader.row(place),
            Kind::Many(weaver) => weaver.row(place),
        }
    }

    fn before(&mut self, place: u64) -> io::Result<Option<Row>> {
        match &mut self.kind {
            Kind::One(reader) => reader.before(place),
            Kind::Many(weaver) => weaver.before(place),
        }
    }

    /// What lies between two places, strand by strand, each with its number: for whoever looks at bytes.
    ///
    /// # Errors
    /// As the system gives them.
    pub fn between(&mut self, from: u64, to: u64) -> io::Result<Vec<(usize, Vec<Extent>)>> {
        let spines = self.strands.all();
        let (low, high) = match &mut self.kind {
            Kind::One(_) => (vec![from], vec![to]),
            Kind::Many(weaver) => (weaver.cut(from)?, weaver.cut(to)?),
        };
        let mut parts = Vec::new();
        for (strand, spine) in spines.iter().enumerate() {
            let (low, high) = (place(&low, strand), place(&high, strand));
            if low < high {
                parts.push((strand, spine.lock().unwrap_or_else(PoisonError::into_inner).between(low, high)));
            }
        }
        Ok(parts)
    }

    /// The places of lines of a strand, which stand in order.
    ///
    /// # Errors
    /// As the system gives them.
    pub fn places(&mut self, strand: usize, own: Vec<u64>) -> io::Result<Vec<u64>> {
        match &mut self.kind {
            Kind::One(_) => Ok(own),
            Kind::Many(weaver) => weaver.places(strand, &own),
        }
    }
}
