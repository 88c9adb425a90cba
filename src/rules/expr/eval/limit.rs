//! The bounds of one evaluation: work is counted, since nothing pure has a clock.

use crate::base::Fault;

/// Cells of one frame: 48 MiB.
const MOST_CELLS: usize = 6 * 1024 * 1024;
/// Points read and cells computed in one evaluation: a second or two of work.
const MOST_WORK: usize = 100 * 1024 * 1024;
/// What work with one row's labels costs, in points.
const LABEL_WORK: usize = 200;
/// Steps of a range query, as Prometheus' API has it.
pub(super) const MOST_STEPS: usize = 11_000;

/// What an evaluation may still do.
#[derive(Debug)]
pub(super) struct Budget {
    left: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { left: MOST_WORK }
    }
}

impl Budget {
    /// Counts points read or cells computed.
    ///
    /// # Errors
    /// They were too many.
    pub(super) fn spend(&mut self, work: usize) -> Result<(), Fault> {
        self.left = self.left.checked_sub(work).ok_or_else(|| {
            Fault::new(format!("this expression looks at more than {} million points.", MOST_WORK >> 20))
                .hint("Select fewer series, a shorter window or a wider step.")
        })?;
        Ok(())
    }

    /// Counts rows whose labels are compared or made.
    ///
    /// # Errors
    /// As [`Budget::spend`].
    pub(super) fn labels(&mut self, rows: usize) -> Result<(), Fault> {
        self.spend(rows.saturating_mul(LABEL_WORK))
    }

    /// Room for a frame.
    ///
    /// # Errors
    /// It would be too large.
    pub(super) fn frame(&mut self, rows: usize, width: usize) -> Result<usize, Fault> {
        let cells = fits(rows, width)?;
        self.spend(cells)?;
        Ok(cells)
    }

    /// Room for one row more, whose labels are made, in a frame that has so many with it.
    ///
    /// # Errors
    /// It would be too large.
    pub(super) fn row(&mut self, rows: usize, width: usize) -> Result<usize, Fault> {
        let cells = fits(rows, width)?;
        self.labels(1)?;
        self.spend(width)?;
        Ok(cells)
    }
}

fn fits(rows: usize, width: usize) -> Result<usize, Fault> {
    let cells = rows.saturating_mul(width);
    if cells > MOST_CELLS {
        let what = format!("{rows} series at {width} steps are more than this console holds at once.");
        return Err(Fault::new(what).hint("Select fewer series or a wider step."));
    }
    Ok(cells)
}
