//! `watchkeeper report`: what happened as Markdown, from the journal, with the courses of panes where history is kept.
//! The console writes the same when an incident is closed or handed over.

use super::history;
use super::session::reference;
use super::setup;
use super::validate::written;
use crate::app::Pane;
use crate::base::{Clean, Clock, Fault, Ulid, Wall};
use crate::clean;
use crate::config::{Profile, ProfileRef, SearchPath, load_profile};
use crate::incident::report::{Chart, Report, report};
use crate::incident::{Incident, Scope, here, incidents, opening};
use crate::journal::{Event, Line, line};
use crate::store::{History, Limits, Store};
use crate::sys::clock::RealClock;
use crate::sys::host::Host;
use crate::sys::{files, paths};
use core::time::Duration;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Without an incident so much is told.
const DAY: Duration = Duration::from_hours(24);
/// Charts begin so long before, and end so long after.
const MARGIN: Duration = Duration::from_mins(10);
/// Charts at most.
const CHARTS: usize = 40;
/// Minutes of a chart at most.
const MINUTES: usize = 2 * 24 * 60;
const MINUTE: i64 = 60_000_000_000;

/// `watchkeeper report …`
#[derive(Debug, clap::Args)]
pub struct Ask {
    /// Of this incident, by its id [default: the newest one; without any, the last 24 hours]
    #[arg(long, value_name = "ID", value_parser = id)]
    incident: Option<Ulid>,
    /// From this moment, in UTC: 2026-11-21T03:12 or as RFC 3339
    #[arg(long, value_name = "TIME", value_parser = moment, conflicts_with = "incident")]
    from: Option<Wall>,
    /// To this moment [default: now]
    #[arg(long, value_name = "TIME", value_parser = moment, conflicts_with = "incident")]
    to: Option<Wall>,
    /// Profile whose panes are drawn [default: the one that the incident was opened in]
    #[arg(long, value_name = "PROFILE")]
    profile: Option<String>,
    /// The folder that holds journal and history, when not at the usual place
    #[arg(long, value_name = "FOLDER")]
    state: Option<PathBuf>,
    /// Into this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Plain ASCII only
    #[arg(long)]
    ascii: bool,
}

fn id(text: &str) -> Result<Ulid, String> {
    text.parse().map_err(|fault: Fault| fault.to_string())
}

/// A moment in UTC, written in one of the usual ways.
fn moment(text: &str) -> Result<Wall, String> {
    let text = text.trim().replacen(' ', "T", 1);
    let ways = [text.clone(), format!("{text}Z"), format!("{text}:00Z"), format!("{text}T00:00:00Z")];
    let found = ways.iter().find_map(|way| Wall::parse(way));
    found.ok_or_else(|| "no moment: write 2026-11-21T03:12 or 2026-11-21T03:12:47Z".to_owned())
}

/// Writes the report.
///
/// # Errors
/// When the journal cannot be read, there is no such incident, or the output is gone.
pub fn run(ask: &Ask, out: &mut dyn Write) -> Result<u8, Fault> {
    let state = ask.state.clone().or_else(paths::state_dir).ok_or_else(|| {
        Fault::new("there is no folder for the journal.").hint("Set HOME or XDG_STATE_HOME, or name it with --state.")
    })?;
    let now = RealClock.now().wall;
    let host = Host::current();
    let lines = read(ask, &state, now)?;
    // A folder that somebody names may be another machine's.
    let machine = if ask.state.is_some() { Clean::default() } else { host.machine_id.clone() };
    let lines = here(lines, &Scope { host: machine, profile: Clean::default() });
    let incident = chosen(ask, &lines, &host.boot_id)?;
    let opener = incident.as_ref().and_then(|it| opening(&lines, it.id)).map(|line| line.sess);
    let scope =
        Scope { profile: opener.and_then(|sess| profile_of(&lines, sess)).unwrap_or_default(), ..Scope::default() };
    let lines = here(lines, &scope);
    let name = ask.profile.clone().or_else(|| opener.and_then(|sess| source_of(&lines, sess)));
    let name = name.or_else(|| Some(scope.profile.to_string()).filter(|name| !name.is_empty()));
    let profile = name.as_deref().and_then(|name| loaded(name).map(|profile| (profile, name)));
    let around = Around { state: &state, profile: profile.as_ref().map(|(profile, name)| (profile, *name)), now };
    let span = (ask.from.unwrap_or_else(|| now.back(DAY)), ask.to.unwrap_or(now));
    let same = lines.first().is_none_or(|line| line.host == host.machine_id);
    let host = if same { host.name } else { lines.first().map(|line| line.host.clone()).unwrap_or_default() };
    let text = markdown(around.of(lines, incident, Some(span), &host), ask.ascii);
    match &ask.output {
        Some(path) => files::replace(path, text.as_bytes()).map(|()| 0),
        None => written(out, &[text.trim_end().to_owned()]).map(|()| 0),
    }
}

fn read(ask: &Ask, state: &Path, now: Wall) -> Result<Vec<Line>, Fault> {
    let from = ask.from.unwrap_or_else(|| now.back(DAY));
    let older = |lines: &[Line]| lines.first().is_some_and(|line| line.at < from);
    let enough = |lines: &[Line]| match ask.incident {
        Some(id) => opening(lines, id).is_some(),
        None if ask.from.is_some() || ask.to.is_some() => older(lines),
        None => older(lines) && lines.iter().any(|line| line.ev.as_str() == Event::IncidentOpen.name()),
    };
    line::back(&paths::journal_dir(state), &enough)
}

fn chosen(ask: &Ask, lines: &[Line], boot: &Clean) -> Result<Option<Incident>, Fault> {
    let mut all = incidents(lines, boot);
    match ask.incident {
        Some(id) => all.into_iter().find(|it| it.id == id).map(Some).ok_or_else(|| {
            Fault::new(format!("the journal does not tell of incident {id}."))
                .hint("Without --incident the newest one is told.")
        }),
        None if ask.from.is_some() || ask.to.is_some() => Ok(None),
        None => Ok(all.pop()),
    }
}

fn profile_of(lines: &[Line], sess: Ulid) -> Option<Clean> {
    let started = |line: &&Line| line.sess == sess && line.ev.as_str() == Event::SessionStart.name();
    lines.iter().find(started)?.of_res("profile")
}

/// The file that the session's profile was read from, the last of those that took part.
fn source_of(lines: &[Line], sess: Ulid) -> Option<String> {
    let loaded = |line: &&Line| line.sess == sess && line.ev.as_str() == Event::ConfigLoad.name();
    let file = lines.iter().rfind(loaded)?.of_res("file")?.to_string();
    Path::new(&file).is_absolute().then_some(file)
}

/// The profile, if it can still be had: a report does without.
fn loaded(name: &str) -> Option<Profile> {
    let search = SearchPath::detect(&|name| std::env::var(name).ok());
    load_profile(&reference(name), &search, &setup::known_kinds()).ok()
}

/// What a report is drawn from beside the journal.
pub(super) struct Around<'a> {
    /// The state folder.
    pub(super) state: &'a Path,
    /// Whose panes are drawn, and by which name its history is kept.
    pub(super) profile: Option<(&'a Profile, &'a str)>,
    /// Now.
    pub(super) now: Wall,
}

impl Around<'_> {
    /// The report of an incident, or of a span.
    pub(super) fn of(
        &self,
        lines: Vec<Line>,
        incident: Option<Incident>,
        span: Option<(Wall, Wall)>,
        host: &Clean,
    ) -> Report {
        let of_it = incident.as_ref().map(|it| (it.opened.wall, it.until(self.now)));
        let (from, to) = of_it.or(span).unwrap_or((self.now.back(DAY), self.now));
        let title = self.profile.map(|(profile, _)| clean!("{} ({})", profile.title, profile.environment));
        Report {
            lines,
            incident,
            from,
            to,
            host: host.clone(),
            profile: title.unwrap_or_default(),
            charts: self.charts(from, to),
            now: self.now,
            ascii: false,
        }
    }

    fn charts(&self, from: Wall, to: Wall) -> Vec<Chart> {
        let Some((profile, name)) = self.profile else { return Vec::new() };
        let mut history = History::new(true);
        for name in names(name) {
            history.take(&history::kept(self.state, &name, self.now));
        }
        let built = setup::setup(profile, Clean::default(), &mut Store::new(Limits::default()));
        let span = (from.back(MARGIN), to.ahead(MARGIN));
        let charts = built.board.panes.iter().flat_map(|pane| of_pane(pane, &history, span));
        charts.take(CHARTS).collect()
    }
}

/// Consoles name a profile by its name, its file, or its folder; its history is kept by that.
fn names(name: &str) -> Vec<String> {
    let mut all = vec![name.to_owned()];
    if let ProfileRef::Path(path) = reference(name) {
        let path = std::path::absolute(&path).unwrap_or(path);
        let folder = path.parent().filter(|_| path.extension().is_some_and(|end| end == "toml"));
        all.extend(
            [Some(path.as_path()), folder].into_iter().flatten().map(|path| path.to_string_lossy().into_owned()),
        );
    }
    all.dedup();
    all
}

fn of_pane(pane: &Pane, history: &History, (from, to): (Wall, Wall)) -> Vec<Chart> {
    let headline = pane.headline.as_ref().map(|metric| &metric.label);
    let chart = |metric: &crate::app::Metric| {
        let minutes = course(history, metric.expr.text().as_str(), (from, to));
        let title = if headline == Some(&metric.label) {
            pane.title.clone()
        } else {
            clean!("{}: {}", pane.title, metric.label)
        };
        minutes.map(|minutes| Chart { title, unit: metric.unit, minutes })
    };
    // A headline may stand among the values beside it too.
    let mut charts: Vec<Chart> = Vec::new();
    for chart in pane.metrics().filter_map(chart) {
        if charts.iter().all(|known| known.minutes != chart.minutes || known.unit != chart.unit) {
            charts.push(chart);
        }
    }
    charts
}

/// A column a minute from the first one that is known; `None` where nothing is.
fn course(history: &History, text: &str, (from, to): (Wall, Wall)) -> Option<Vec<Option<f64>>> {
    let known = history.points(text, from, to);
    let first = known.first()?.start();
    let mut columns: Vec<Option<f64>> = Vec::new();
    for minute in known {
        let at = usize::try_from((minute.start().0 - first.0) / MINUTE).unwrap_or(0).min(MINUTES);
        columns.resize(at.max(columns.len()), None);
        columns.push(Some(minute.mean));
    }
    Some(columns)
}

/// The report as text.
pub(super) fn markdown(of: Report, ascii: bool) -> String {
    report(&Report { ascii, ..of })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_in_one_of_the_usual_ways() {
        let at = Wall(1_795_230_720_000_000_000);
        for text in [
            "2026-11-21T03:12:00Z",
            "2026-11-21T03:12:00",
            "2026-11-21T03:12",
            "2026-11-21 03:12",
            "2026-11-21T04:12:00+01:00",
        ] {
            assert_eq!(moment(text), Ok(at), "{text}");
        }
        assert_eq!(moment("2026-11-21").map(Wall::hms), Ok("00:00:00".to_owned()));
        assert!(moment("yesterday").is_err());
    }

    #[test]
    fn the_names_of_a_history_are_the_path_and_its_folder() {
        assert_eq!(names("host"), ["host"]);
        assert_eq!(names("/a/b/profile.toml"), ["/a/b/profile.toml", "/a/b"]);
        assert_eq!(names("/a/b"), ["/a/b"]);
    }
}
