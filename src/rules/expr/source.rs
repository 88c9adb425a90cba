//! Where points come from: the live store, a file of series, the history of a rule test.

use crate::base::SeriesKey;
use crate::store::Selector;

/// Milliseconds since the Unix epoch: the time of `PromQL`.
pub type Millis = i64;

/// One series of a [`Source`]. Valid until the source's generation changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle(pub u64);

/// What a counter function needs of a window: its first and last point, and what resets took away between them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ends {
    /// Oldest point of the window.
    pub first: (Millis, f64),
    /// Newest point of the window.
    pub last: (Millis, f64),
    /// How many points lie in it.
    pub count: usize,
    /// Sum of the values from which the series fell: what has to be added to `last - first` for a counter.
    pub dropped: f64,
}

/// Points by series and time. All windows are left-open: `after < t <= until`, as in Prometheus 3.
pub trait Source {
    /// Changes whenever a series comes or goes: selections may be kept until then.
    fn generation(&self) -> u64;

    /// Changes whenever any point comes or goes; `None` when that is not known. As long as it stays, the values of
    /// common sub-expressions are worked out once for one moment.
    fn revision(&self) -> Option<u64> {
        None
    }

    /// The series that a selector means.
    fn select(&self, selector: &Selector) -> Vec<Handle>;

    /// Name and labels as an expression sees them (with `job` where the store adds it).
    fn key(&self, series: Handle) -> &SeriesKey;

    /// The newest point in `at - within < t <= at`; `None` when a stale marker follows it, or there is none.
    /// `within: None` is the series' own look-back.
    fn latest(&self, series: Handle, at: Millis, within: Option<Millis>) -> Option<(Millis, f64)>;

    /// Appends the points of `after < t <= until`, oldest first, stale markers and gaps left out.
    fn scan(&self, series: Handle, after: Millis, until: Millis, out: &mut Vec<(Millis, f64)>);

    /// The ends of a window. Sources that index counter resets answer without a scan.
    fn ends(&self, series: Handle, after: Millis, until: Millis) -> Option<Ends> {
        let mut points = Vec::new();
        self.scan(series, after, until, &mut points);
        let (first, last) = (*points.first()?, *points.last()?);
        let dropped = points
            .windows(2)
            .filter_map(|pair| if let [a, b] = pair { (b.1 < a.1).then_some(a.1) } else { None })
            .sum();
        Some(Ends { first, last, count: points.len(), dropped })
    }

    /// As [`Source::ends`], for functions of gauges: they ask for no resets, so `dropped` may be 0.
    fn gauge_ends(&self, series: Handle, after: Millis, until: Millis) -> Option<Ends> {
        self.ends(series, after, until)
    }

    /// When recording of this series' sampler began: an earlier window is clipped to it (`Semantics::Console`).
    /// `Millis::MIN` when it always was.
    fn recorded_since(&self, _: Handle) -> Millis {
        Millis::MIN
    }
}
