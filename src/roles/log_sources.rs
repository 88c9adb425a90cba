//! What the `log` tool reads with: the lines, the search, the filter.

use crate::base::clean::LINE_LIMIT;
use crate::base::{Clean, Clock, Fault};
use crate::clean;
use crate::logs::reader::{From, Gather, Pager, Want};
use crate::logs::search::{Find, Step, Sweep};
use crate::logs::sieve::Sieve;
use crate::logs::{Filter, Follower, Format, LogSource, Pattern};
use crate::sys::bell::Bell;
use crate::sys::clock::RealClock;
use crate::sys::quiet::may_hang;
use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

/// Of the end of a file so much is looked at for a time, and of so many files.
const END: usize = 64 * 1024;
const FILES: usize = 32;

/// The files to follow, and the stream to read.
fn named(what: &[String]) -> Result<(Vec<LogSource>, Option<File>), Fault> {
    let stdin = io::stdin();
    let piped = !stdin.is_terminal();
    let files: Vec<LogSource> = what
        .iter()
        .filter(|pattern| *pattern != "-")
        .map(|pattern| LogSource { name: pattern.as_str().into(), pattern: pattern.clone(), format: Format::Plain })
        .collect();
    let wanted = what.iter().any(|pattern| pattern == "-") || what.is_empty() && piped;
    if wanted && !piped {
        return Err(Fault::new("standard input is the keyboard here.").hint("Pipe something in, or name a file."));
    }
    if !wanted && files.is_empty() {
        return Err(Fault::new("there is nothing to read.").hint("Name a file, or pipe something in."));
    }
    let copy = |fd: std::os::fd::BorrowedFd<'_>| fd.try_clone_to_owned().map(File::from);
    let stream = wanted.then(|| copy(stdin.as_fd())).transpose();
    let stream = stream.map_err(|error| Fault::new(format!("standard input cannot be read: {error}.")))?;
    Ok((files, stream))
}

/// Whether a source may be several files.
fn is_glob(source: &LogSource) -> bool {
    source.pattern.contains(['*', '?'])
}

/// Whether any of these says in its lines when they were written; where none does, the order in which they are read is
/// all that is known.
fn say_times(sources: &[LogSource]) -> bool {
    let files = sources.iter().filter(|source| may_hang(Path::new(&source.pattern)).is_none()).flat_map(|source| {
        let pattern = Pattern::new(&source.pattern).ok();
        let names = pattern.as_ref().and_then(|pattern| pattern.names().ok()).unwrap_or_default();
        names.into_iter().take(FILES).filter_map(move |name| Some(pattern.as_ref()?.path(&name))).collect::<Vec<_>>()
    });
    files.into_iter().any(|path| says_time(&path).unwrap_or(false))
}

fn says_time(path: &Path) -> io::Result<bool> {
    // A pipe would let us wait.
    let size = std::fs::metadata(path)?;
    if !size.is_file() {
        return Ok(false);
    }
    let mut end = vec![0; END];
    let from = size.len().saturating_sub(u64::try_from(END).unwrap_or(0));
    let read = File::open(path)?.read_at(&mut end, from)?;
    let lines = end.get(..read).unwrap_or_default().split(|byte| *byte == b'\n').rev();
    Ok(lines
        .into_iter()
        .any(|line| Format::Auto.entry(line.get(..line.len().min(LINE_LIMIT)).unwrap_or_default(), 0).time.is_some()))
}

/// What is being read.
pub(super) struct Laid {
    pub(super) gather: Arc<Gather>,
    pub(super) follower: Option<Follower>,
    /// How it is told.
    pub(super) title: Clean,
}

/// Begins to read what the command line names: several sources by time, where any of them says it.
pub(super) fn lay(what: &[String], bell: &Arc<Bell>) -> Result<Laid, Fault> {
    let (mut sources, stream) = named(what)?;
    let single = sources.len() + usize::from(stream.is_some()) == 1 && !sources.iter().any(is_glob);
    let by_time = !single && say_times(&sources);
    let clock: Arc<dyn Clock> = Arc::new(RealClock);
    let gather = Arc::new(if by_time {
        let patterns = if stream.is_some() { 0 } else { sources.len() };
        Gather::by_time(Arc::clone(bell), patterns, clock.now().wall)
    } else {
        Gather::new(Arc::clone(bell))
    });
    if let Some(stream) = stream {
        gather.take_stream(&"standard input".into(), stream)?;
    }
    let packed: Vec<LogSource> = sources.extract_if(.., |source| source.pattern.ends_with(".gz")).collect();
    for (at, source) in packed.iter().enumerate() {
        gather.take_packed(sources.len() + at, Path::new(&source.pattern))?;
    }
    let title = match (sources.as_slice(), packed.as_slice()) {
        ([], []) => "standard input".into(),
        ([one], []) | ([], [one]) => Clean::text(&one.pattern),
        (plain, packed) => {
            let order = if by_time { "by time" } else { "as they are read" };
            clean!("{} logs {order}", plain.len() + packed.len())
        }
    };
    let follower = if sources.is_empty() { None } else { Some(Follower::lay(sources, Arc::clone(&gather), clock)?) };
    Ok(Laid { gather, follower, title })
}

/// What reads.
pub(super) struct Sources {
    pub(super) gather: Arc<Gather>,
    pub(super) pager: Pager,
    pub(super) sweep: Option<(Arc<Find>, Sweep)>,
    pub(super) sieve: Option<Sieve>,
    /// Where errors are, once somebody asked.
    pub(super) errors: Option<Sieve>,
    pub(super) _follower: Option<Follower>,
}

impl Sources {
    /// Looks for the nearest error behind a place, or before it: a page of one row, or of none.
    pub(super) fn error(&mut self, from: u64, forward: bool, bell: &Arc<Bell>) -> Result<(), Fault> {
        let errors = match self.errors.take() {
            Some(errors) => errors,
            None => Sieve::start(Arc::new(Filter::parse("level>=error")?), self.gather.strands(), Arc::clone(bell))?,
        };
        let (at, back, ahead) = if forward { (from.saturating_add(1), 0, 1) } else { (from, 1, 0) };
        errors.want(Want { id: 0, from: From::At(at), back, ahead });
        self.errors = Some(errors);
        Ok(())
    }

    /// The hit nearest to a place, one behind it before one before it.
    pub(super) fn nearest(&self, from: u64) -> Option<(u64, Option<u64>)> {
        let (_, sweep) = self.sweep.as_ref()?;
        sweep.hits(|hits| match (hits.at_or_after(from), hits.before(from)) {
            (Step::Hit(hit), _) | (Step::None, Step::Hit(hit)) => Some((hit, hits.rank(hit))),
            (Step::None, Step::None) => None,
        })
    }

    /// The nearest hit and its number: behind the place or before it, and at the end from the other end on.
    pub(super) fn step(&self, from: u64, forward: bool) -> Option<(u64, Option<u64>)> {
        let (_, sweep) = self.sweep.as_ref()?;
        sweep.hits(|hits| {
            let behind = || (hits.at_or_after(from), hits.at_or_after(0));
            let before = || (hits.before(from), hits.before(u64::MAX));
            let hit = match if forward { behind() } else { before() } {
                (Step::Hit(hit), _) | (Step::None, Step::Hit(hit)) => hit,
                (Step::None, Step::None) => return None,
            };
            Some((hit, hits.rank(hit)))
        })
    }
}
