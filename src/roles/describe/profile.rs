//! A commented profile from what discovery finds: what is worth keeping as tables, what is merely possible behind `#`.

use crate::base::{Body, Clock, Fault, Now};
use crate::roles::session::{leave, runtime};
use crate::roles::validate::written;
use crate::samplers::discover::{Finder, Found, Keep, Seen, Wanted, What, quoted};
use crate::samplers::kind;
use crate::sys::clock::RealClock;
use core::time::Duration;
use std::collections::BTreeSet;
use std::io::Write;
use tokio::time::timeout;

/// A look asks only some ports: there are so many looks, and they take so long at most.
const LOOKS: usize = 20;
const LIMIT: Duration = Duration::from_secs(5);
/// Longest name that is made up for a sampler.
const NAME: usize = 40;

/// `watchkeeper describe profile …`
#[derive(Debug, clap::Args)]
pub struct Ask {
    /// Write it from what is found on this host: it is read, not changed, within 5 seconds
    #[arg(long, required = true)]
    from_discovery: bool,
    /// Ask listening ports at the loopback for /metrics too
    #[arg(long)]
    discover: bool,
}

/// Looks at this host; the profile's lines. Says on standard error what could not be looked at.
pub(super) fn found(ask: &Ask) -> Result<Vec<String>, Fault> {
    let runtime = runtime()?;
    let mut finder = Finder::new(Wanted { ports: ask.discover, ..Wanted::default() });
    let seen = runtime.block_on(look(&mut finder, LIMIT));
    leave(runtime);
    let seen = seen.ok_or_else(|| {
        let what = format!("nothing was found within {} s: something here hangs.", LIMIT.as_secs());
        Fault::new(what).hint("`watchkeeper` without a profile shows what.")
    })?;
    written(&mut std::io::stderr().lock() as &mut dyn Write, &notes(&seen))?;
    Ok(lines(&seen))
}

/// Looks until every port was asked that is to be; what was found until the time was over.
async fn look(finder: &mut Finder, limit: Duration) -> Option<Seen> {
    let begun: Now = RealClock.now();
    let mut seen = None;
    for _ in 0..LOOKS {
        let now = RealClock.now();
        let Ok(more) = timeout(limit.saturating_sub(now.since(begun)), finder.look(now)).await else { break };
        let whole = !more.notes.iter().any(|(what, _)| *what == What::Metrics);
        seen = Some(more);
        if whole {
            break;
        }
    }
    seen
}

/// What could not be looked at, and what should be known beside.
fn notes(seen: &Seen) -> Vec<String> {
    let failed = seen.counts.iter().filter_map(|(what, count)| Some((what.word(), count.as_ref().err()?)));
    let journal = seen.journal.iter().filter_map(|journal| Some(("journal", journal.as_ref().err()?)));
    let notes = seen.notes.iter().map(|(what, note)| (what.word(), note));
    failed.chain(journal).chain(notes).map(|(what, why)| format!("watchkeeper: {what}: {why}.")).collect()
}

/// The profile: a pure function of what was found.
pub(super) fn lines(seen: &Seen) -> Vec<String> {
    let mut page = Page::default();
    page.text(
        "# What `watchkeeper describe profile --from-discovery` found on this host. To keep it: save it as\n\
         # ~/.config/watchkeeper/profiles/NAME/profile.toml, delete what you do not need, set limits that are yours,\n\
         # check it with `watchkeeper validate NAME` and look with `watchkeeper --profile NAME`.\n\
         # What stands behind `#` is merely possible, or needs to be completed first: take the `#` away to have it.\n\
         # `watchkeeper describe sampler KIND` tells every key of a kind.\n\n\
         extends = [\"host\"]\n\
         title = \"this host, as found\"\n\n\
         # What is watched by itself below need not be found again.\n\
         [samplers.found]\n\
         kind = \"discover\"\n\
         lmdb = false",
    );
    let of = |what: What| seen.found.iter().filter(move |found| found.what == what);
    page.gpus(&of(What::Gpu).collect::<Vec<_>>());
    page.units(&of(What::Unit).collect::<Vec<_>>());
    let environments: Vec<&Found> = of(What::Lmdb).collect();
    let first = environments.first().filter(|_| environments.len() == 1);
    for found in &environments {
        page.environment(found, first.is_some());
    }
    of(What::Socket).chain(of(What::Port)).for_each(|found| page.service(found));
    if let Some(Ok(_)) = &seen.journal {
        page.text("\n# Errors in the journal of the last hour; 200 are counted at most. Your limits: bands = { warning = 10 }");
        page.pane("Journal errors", "sparkline", &[("query", "\"watchkeeper_journal_errors_1h\"".to_owned())], true);
    }
    page.lines
}

#[derive(Default)]
struct Page {
    lines: Vec<String>,
    names: BTreeSet<String>,
    /// What was last said of a table: it is not said twice in a row.
    why: &'static str,
}

impl Page {
    fn text(&mut self, text: &str) {
        self.lines.extend(text.lines().map(str::to_owned));
    }

    /// A comment, which may be foreign text: it is clean, so it is one line.
    fn note(&mut self, text: &str) {
        self.lines.extend([String::new(), format!("# {text}")]);
    }

    /// A table; behind `#` where it is not live.
    fn table(&mut self, head: &str, rows: &[String], live: bool) {
        let sign = if live { "" } else { "# " };
        self.lines.push(format!("{sign}{head}"));
        self.lines.extend(rows.iter().map(|row| format!("{sign}{row}")));
    }

    fn pane(&mut self, title: &str, kind: &str, keys: &[(&str, String)], live: bool) {
        let title = quoted(title).unwrap_or_else(|| "\"found\"".to_owned());
        let mut rows = Vec::from([format!("title = {title}"), format!("kind = \"{kind}\"")]);
        rows.extend(keys.iter().map(|(key, value)| format!("{key} = {value}")));
        self.lines.push(if live { String::new() } else { "#".to_owned() });
        self.table("[[panes]]", &rows, live);
    }

    /// The sampler's table with what is to be known of it; whether it is live.
    fn sampler(&mut self, name: &str, keep: &Keep) -> bool {
        let broken = built(keep).err();
        let live = keep.wanted && broken.is_none();
        if !keep.why.is_empty() && keep.why != self.why {
            self.lines.push(format!("# {}.", keep.why));
        }
        self.why = keep.why;
        self.lines.extend(broken.map(|why| format!("# As it stands it is not complete: {why}")));
        self.table(&format!("[samplers.{name}]"), &keep.lines(), live);
        live
    }

    /// A name that no other sampler here has.
    fn name(&mut self, kind: &str, of: &str) -> String {
        let mut slug = String::from(kind);
        for letter in of.chars() {
            let letter = if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' };
            if !(letter == '-' && slug.ends_with('-')) && slug.len() < NAME {
                slug.push(letter);
            }
        }
        let slug = slug.trim_end_matches('-').to_owned();
        let free = (1..).map(|count: u32| if count == 1 { slug.clone() } else { format!("{slug}-{count}") });
        let name = free.into_iter().find(|name| !self.names.contains(name)).unwrap_or(slug);
        self.names.insert(name.clone());
        name
    }

    fn gpus(&mut self, found: &[&Found]) {
        for found in found {
            self.note(found.says.as_str());
        }
        let watched: Vec<&&Found> = found.iter().filter(|found| found.keep.is_some()).collect();
        let Some(keep) = watched.first().and_then(|found| found.keep.as_ref()) else { return };
        let name = self.name(keep.kind, "");
        let live = self.sampler(&name, keep);
        for found in watched {
            let number = quoted(found.name.as_str()).unwrap_or_default();
            self.pane(&format!("GPU {}", found.name), "gpu", &[("gpu", number)], live);
        }
    }

    /// All in one table: they are asked for by one call of systemctl.
    fn units(&mut self, found: &[&Found]) {
        for found in found {
            self.note(found.says.as_str());
        }
        let names: Vec<String> = found.iter().filter_map(|found| quoted(found.name.as_str())).collect();
        if names.is_empty() {
            return;
        }
        let units = ("units", format!("[{}]", names.join(", ")));
        let name = self.name("units", "");
        let keep = Keep { kind: "systemd", keys: [units].into(), wanted: true, why: "" };
        let live = self.sampler(&name, &keep);
        let query = "'sum(systemd_unit_state{state=\"failed\"})'".to_owned();
        let bands = "{ warning = 1, state = true }".to_owned();
        self.pane("Failed units", "sparkline", &[("query", query), ("bands", bands)], live);
    }

    fn environment(&mut self, found: &Found, only: bool) {
        self.note(found.says.as_str());
        let Some(keep) = &found.keep else { return };
        let file = found.name.as_str();
        let path = file.strip_suffix("/data.mdb").unwrap_or(file);
        let short = path.rsplit('/').find(|part| !part.is_empty()).unwrap_or("environment").to_owned();
        let name = self.name("lmdb-", &short);
        // Text within text: PromQL and TOML write it the same way, one around the other.
        let query =
            quoted(path).and_then(|path| quoted(&format!("lmdb_used_ratio{{path={path}}}"))).unwrap_or_default();
        let live = self.sampler(&name, keep);
        let bands = "{ warning = 0.8, critical = 0.95 }".to_owned();
        let title = format!("LMDB {short}");
        if only {
            self.pane(&title, "lmdb", &[("bands", bands)], live);
        } else {
            let keys =
                [("query", query), ("unit", "\"ratio\"".to_owned()), ("bands", bands), ("forecast", "1.0".to_owned())];
            self.pane(&title, "sparkline", &keys, live);
        }
    }

    fn service(&mut self, found: &Found) {
        self.note(found.says.as_str());
        let Some(keep) = &found.keep else { return };
        let name = self.name(&format!("{}-", keep.kind), found.name.as_str().rsplit(['/', ':']).next().unwrap_or(""));
        let live = self.sampler(&name, keep);
        if live {
            // 1 while it answers: a metric of its own says more.
            let query = format!("'up{{job=\"{name}\"}}'      # 1 while it answers; a metric of its own says more");
            let bands = "{ zero = \"warning\", state = true }".to_owned();
            self.pane(&name, "sparkline", &[("query", query), ("bands", bands)], true);
        }
    }
}

/// Whether this program can build a sampler from the table as it is.
fn built(keep: &Keep) -> Result<(), Fault> {
    let rows: Vec<String> = keep.keys.iter().map(|(key, value)| format!("{key} = {value}")).collect();
    let body = Body::parse("found", &rows.join("\n"))?;
    let kind = kind(keep.kind).ok_or_else(|| Fault::new(format!("this program has no kind `{}`.", keep.kind)))?;
    let place = |fault: Fault| Fault { at: None, ..fault };
    kind.build(&body).map(drop).map_err(place)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
