//! Every action that a profile declares, planned by the real binary at the stand-in of its system: a whole plan, or the
//! refusal that this world must give, as its row says.

use crate::row::{Plan, Refuses, Rows, Stopped, each};
use crate::site::Site;
use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use watchkeeper::base::Body;
use watchkeeper::config::Profile;
use watchkeeper::roles::demo::Demo;

/// So many plans are made at the same time.
const AT_ONCE: usize = 8;

/// What every plan says, in this order.
const WHOLE: [&str; 6] = ["WHERE", "WHO", "WHAT", "HITS", "UNDO", "TYPE"];

/// What `run NAME --dry-run` said.
struct Said {
    plan: String,
    refused: String,
}

/// By the action's name.
pub(crate) struct Plans {
    /// While the service runs.
    running: BTreeMap<String, Said>,
    /// Once it is stopped: of those whose rows say so.
    stopped: BTreeMap<String, Said>,
    /// Values that were to be refused and were not, or for another reason.
    taken: Vec<String>,
}

impl Plans {
    /// All of them; where a row wants the service stopped, it is stopped by its manager, and asked again.
    pub(crate) fn at(demo: &Demo, system: &str, rows: &Rows, profile: &Profile) -> Self {
        let running = planned(demo, rows, profile.actions.iter().map(|spec| &*spec.name));
        let taken = plans(rows).flat_map(|row| row.refuses.iter().filter_map(|refuses| takes(demo, row, refuses)));
        let taken = taken.collect();
        let wanted: Vec<&str> = plans(rows).filter(|plan| plan.stopped.is_some()).map(|plan| &*plan.action).collect();
        if !wanted.is_empty() {
            let reply = ask(&demo.dir.join("supervisor.sock"), &format!("stop {system}"));
            assert!(reply.starts_with("ok"), "{reply}");
        }
        Self { running, stopped: planned(demo, rows, wanted), taken }
    }

    /// What is not as the rows say; an action that no row names is such a thing too.
    pub(crate) fn faults(&self, rows: &Rows, profile: &Profile, site: &Site) -> Vec<String> {
        let mut faults = self.taken.clone();
        for spec in &profile.actions {
            let name = &*spec.name;
            let rows: Vec<&Plan> = plans(rows).filter(|plan| plan.action == name).collect();
            if rows.is_empty() {
                faults.push(format!("no row plans the action {name}"));
            } else if rows.iter().all(|row| row.needs.as_ref().is_none_or(|needs| site.has(needs))) {
                let wrong = self.wrong(name, &rows, &spec.body);
                faults.extend(wrong.map(|wrong| format!("run {name} --dry-run: {wrong}")));
            }
        }
        faults
    }

    fn wrong(&self, name: &str, rows: &[&Plan], body: &Body) -> Option<String> {
        let judged = |said: &Said, refused: Option<&str>| match refused {
            Some(why) => said.lacks_refusal(why),
            None => said.lacks(body, rows),
        };
        let refused = rows.iter().find_map(|row| row.refused.as_deref());
        judged(self.running.get(name)?, refused).or_else(|| {
            let refused = match rows.iter().find_map(|row| row.stopped.as_ref())? {
                Stopped::Whole(_) => None,
                Stopped::Refused(why) => Some(why.as_str()),
            };
            judged(self.stopped.get(name)?, refused).map(|wrong| format!("once it is stopped: {wrong}"))
        })
    }
}

/// That an action takes a value which it must not take.
fn takes(demo: &Demo, row: &Plan, refuses: &Refuses) -> Option<String> {
    let said = plan(demo, &row.action, core::iter::once(&refuses.given));
    said.lacks_refusal(&refuses.why).map(|wrong| format!("run {} --set {}: {wrong}", row.action, refuses.given))
}

fn plans(rows: &Rows) -> impl Iterator<Item = &Plan> {
    rows.values().flat_map(|row| each(row.plan.as_ref()))
}

/// One line to the stand-in's supervisor, and its reply.
fn ask(socket: &Path, line: &str) -> String {
    let mut stream = UnixStream::connect(socket).expect("it listens");
    writeln!(stream, "{line}").expect("it reads");
    let mut reply = String::new();
    BufReader::new(stream).read_line(&mut reply).expect("it answers");
    reply
}

/// Several at a time: each one waits for readings more than it computes.
fn planned<'a>(demo: &Demo, rows: &Rows, names: impl IntoIterator<Item = &'a str>) -> BTreeMap<String, Said> {
    let left: Mutex<VecDeque<&str>> = Mutex::new(names.into_iter().collect());
    let said = Mutex::new(BTreeMap::new());
    let work = || {
        while let Some(name) = { left.lock().expect("whole").pop_front() } {
            let given = plans(rows).filter(|plan| plan.action == name).flat_map(|plan| &plan.given);
            let plan = plan(demo, name, given);
            said.lock().expect("whole").insert(name.to_owned(), plan);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(work);
        }
    });
    said.into_inner().expect("whole")
}

/// Genesis' page may be asked a hundred times a minute: who wants all plans at once is refused at times, and asks again.
const AGAIN: usize = 20;

fn plan<'a>(demo: &Demo, name: &str, given: impl Iterator<Item = &'a String>) -> Said {
    let mut ask = Command::new(env!("CARGO_BIN_EXE_watchkeeper"));
    ask.args(["run", name, "--dry-run", "--profile"]).arg(&demo.profile);
    ask.args(given.flat_map(|value| ["--set", value]));
    ask.env("HOME", &demo.dir).env("XDG_STATE_HOME", demo.dir.join("planned"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut say = || {
        let out = ask.output().expect("runs");
        Said { plan: text(&out.stdout), refused: text(&out.stderr) }
    };
    let first = say();
    let unseen = |said: &Said| said.refused.contains("cannot be observed now");
    (0..AGAIN).fold(first, |said, _| if unseen(&said) { say() } else { said })
}

impl Said {
    fn lacks_refusal(&self, why: &str) -> Option<String> {
        (!self.refused.contains(why)).then(|| format!("is not refused for `{why}`: {}{}", self.plan, self.refused))
    }

    /// The paragraph of a label.
    fn paragraph(&self, label: &str) -> String {
        let lines = self.plan.lines().skip_while(|line| !line.starts_with(&format!("{label:9}")));
        let mut first = true;
        let lines = lines.take_while(|line| core::mem::take(&mut first) || line.starts_with("         "));
        lines.filter_map(|line| line.get(9..)).collect::<Vec<_>>().join("\n")
    }

    fn lacks(&self, body: &Body, rows: &[&Plan]) -> Option<String> {
        if !self.refused.is_empty() {
            return Some(format!("is refused: {}", self.refused));
        }
        let empty: Vec<&str> = WHOLE.into_iter().filter(|label| self.paragraph(label).trim().is_empty()).collect();
        if !empty.is_empty() {
            return Some(format!("says nothing of {empty:?}: {}", self.plan));
        }
        let based_on = self.paragraph("BASED ON");
        let labels: Vec<toml::Table> = body.clone().take("based_on").ok().flatten().unwrap_or_default();
        let labels = labels.iter().filter_map(|row| row.get("label")?.as_str());
        let absent: Vec<&str> = labels.filter(|label| !based_on.contains(label)).collect();
        if !absent.is_empty() {
            return Some(format!("is not based on {absent:?}: {}", self.plan));
        }
        let last = self.plan.lines().last().unwrap_or_default();
        if !last.contains("would verify by") && !last.contains("would end UNVERIFIED") {
            return Some(format!("does not come to its end: {}", self.plan));
        }
        let shows = rows.iter().flat_map(|row| &row.shows);
        let lacks: Vec<&String> = shows.filter(|shows| !self.plan.contains(shows.as_str())).collect();
        (!lacks.is_empty()).then(|| format!("does not show {lacks:?}: {}", self.plan))
    }
}
