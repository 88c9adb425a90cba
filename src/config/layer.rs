//! One profile file, read: its good parts and the faults of the others.

use super::judging::RulesBeside;
use super::schema::{ACTION, LOG, MARKER, PANE, SAMPLER, TOP, VIEW};
use super::{
    ActionSpec, Handbook, Judging, KnownKinds, Lasting, LogSpec, Marker, PaneSpec, Part, People, SamplerSpec, ViewSpec,
};
use crate::base::body::nearest;
use crate::base::{Body, Clean, Fault};
use core::time::Duration;
use std::path::PathBuf;

/// Sampling faster would disturb what it watches.
const FASTEST: Duration = Duration::from_secs(1);
/// Longest name of a part, in bytes.
const NAME_LIMIT: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Layer {
    pub title: Option<Clean>,
    pub environment: Option<Clean>,
    pub samplers: Vec<SamplerSpec>,
    pub logs: Vec<LogSpec>,
    pub panes: Vec<PaneSpec>,
    pub views: Vec<ViewSpec>,
    pub actions: Vec<ActionSpec>,
    pub markers: Vec<Marker>,
    pub handbook: Handbook,
    pub people: People,
    pub judging: Judging,
    /// Parts that are at fault, by name.
    pub broken: Vec<(Part, Clean)>,
    pub faults: Vec<Fault>,
}

impl Layer {
    /// Reads a whole file, its settings filled in.
    pub(super) fn read(mut file: Body, beside: Option<&RulesBeside>, known: &KnownKinds<'_>) -> Self {
        let mut layer = Self::default();
        layer.title = layer.keep(text(&mut file, "title"));
        layer.environment = layer.keep(text(&mut file, "environment"));
        layer.samplers = layer.named(&mut file, ("samplers", Part::Sampler), |name, body| sampler(name, body, known));
        layer.logs = layer.named(&mut file, ("logs", Part::Log), |name, body| log(name, body, known));
        layer.actions = layer.named(&mut file, ("actions", Part::Action), |name, body| action(name, body, known));
        match file.take_array("panes") {
            Ok(rows) => {
                for body in rows {
                    let title = text(&mut body.clone(), "title").ok().flatten();
                    match layer.keep(pane(body, known).map(Some)) {
                        Some(pane) => layer.panes.push(pane),
                        None => layer.broken.extend(title.map(|title| (Part::Pane, title))),
                    }
                }
            }
            Err(fault) => layer.faults.push(fault),
        }
        match file.take_array("views") {
            Ok(rows) => {
                let views: Vec<Option<ViewSpec>> =
                    rows.into_iter().map(|body| layer.keep(view(body).map(Some))).collect();
                layer.views = views.into_iter().flatten().collect();
            }
            Err(fault) => layer.faults.push(fault),
        }
        match file.take_array("markers") {
            Ok(rows) => {
                let markers: Vec<Option<Marker>> =
                    rows.into_iter().map(|body| layer.keep(marker(body).map(Some))).collect();
                layer.markers = markers.into_iter().flatten().collect();
            }
            Err(fault) => layer.faults.push(fault),
        }
        layer.handbook = Handbook::read(&mut file, &mut layer.faults);
        layer.people = People::read(&mut file, &mut layer.faults);
        layer.judging = Judging::read(&mut file, beside, &mut layer.faults);
        layer.faults.extend(file.unknown(&TOP.names()));
        layer
    }

    fn keep<T>(&mut self, result: Result<Option<T>, Fault>) -> Option<T> {
        result.unwrap_or_else(|fault| {
            self.faults.push(fault);
            None
        })
    }

    /// Reads a table of tables; a broken row is a fault and leaves the others.
    fn named<T>(
        &mut self,
        file: &mut Body,
        (key, part): (&str, Part),
        read: impl Fn(&str, Body) -> Result<T, Fault>,
    ) -> Vec<T> {
        let Some(mut tables) = self.keep(file.take_table(key)) else { return Vec::new() };
        let mut good = Vec::new();
        for name in tables.keys() {
            let row = tables.take_table(&name).and_then(|body| body.map(|body| read(&name, body)).transpose());
            match self.keep(row) {
                Some(row) => good.push(row),
                None => self.broken.push((part, Clean::text(&name))),
            }
        }
        good
    }
}

fn sampler(name: &str, mut body: Body, known: &KnownKinds<'_>) -> Result<SamplerSpec, Fault> {
    let whole = body.clone();
    check_name(name, &whole)?;
    let kind = kind(&mut body, "sampler", known.samplers, &SAMPLER.names())?;
    let every = body.take::<Lasting>("every")?.map(|lasting| lasting.0);
    if every.is_some_and(|every| every < FASTEST) {
        return Err(whole
            .fault_at("every", "sampling faster than once a second disturbs what it watches.")
            .hint("Write at least `1s`."));
    }
    let timeout = body.take::<Lasting>("timeout")?.map(|lasting| lasting.0);
    if timeout.is_some_and(|timeout| timeout.is_zero()) {
        return Err(whole.fault_at("timeout", "no attempt ends in no time.").hint("Write for example `800ms`."));
    }
    let simulated = body.take("simulated")?.unwrap_or(false);
    let needs: Option<PathBuf> = body.take("needs")?;
    if let Some(path) = needs.as_ref().filter(|path| !path.is_absolute()) {
        return Err(whole
            .fault_at("needs", format!("`{}` does not begin with `/`.", path.display()))
            .hint("Write the whole path, for example \"/dev/nvidiactl\"."));
    }
    Ok(SamplerSpec { name: name.into(), kind, every, timeout, simulated, needs, body: body.knowing(SAMPLER.names()) })
}

fn log(name: &str, mut body: Body, known: &KnownKinds<'_>) -> Result<LogSpec, Fault> {
    check_name(name, &body)?;
    let kind = kind(&mut body, "log", known.logs, &LOG.names())?;
    Ok(LogSpec { name: name.into(), kind, body: body.knowing(LOG.names()) })
}

fn pane(mut body: Body, known: &KnownKinds<'_>) -> Result<PaneSpec, Fault> {
    let whole = body.clone();
    let kind = kind(&mut body, "pane", known.panes, &PANE.names())?;
    let title = text(&mut body, "title")?.ok_or_else(|| whole.fault("`title` is missing here."))?;
    let optional = body.take("optional")?.unwrap_or(false);
    let absent = text(&mut body, "absent")?;
    Ok(PaneSpec { kind, title, optional, absent, body: body.knowing(PANE.names()) })
}

fn view(mut body: Body) -> Result<ViewSpec, Fault> {
    let whole = body.clone();
    let title = text(&mut body, "title")?.ok_or_else(|| whole.fault("`title` is missing here."))?;
    let panes: Option<Vec<Clean>> = body.take("panes")?;
    body.done(&VIEW.names())?;
    let panes = panes.filter(|panes| !panes.is_empty());
    let panes = panes.ok_or_else(|| whole.fault_at("panes", "a view without panes shows nothing."))?;
    Ok(ViewSpec { title, panes, body: whole })
}

fn action(name: &str, mut body: Body, known: &KnownKinds<'_>) -> Result<ActionSpec, Fault> {
    check_name(name, &body)?;
    let kind = kind(&mut body, "action", known.actions, &ACTION.names())?;
    let title = text(&mut body, "title")?.unwrap_or_else(|| Clean::text(name));
    Ok(ActionSpec { name: name.into(), kind, title, body: body.knowing(ACTION.names()) })
}

fn marker(mut body: Body) -> Result<Marker, Fault> {
    let whole = body.clone();
    let path: Option<PathBuf> = body.take("path")?;
    let log = text(&mut body, "log")?;
    let contains = text(&mut body, "contains")?;
    if let Some(fault) = body.unknown(&MARKER.names()).into_iter().next() {
        return Err(fault);
    }
    match (path, log, contains) {
        (Some(path), None, None) if path.is_absolute() => Ok(Marker::File(path)),
        (Some(path), None, None) => {
            Err(whole.fault_at("path", format!("`{}` does not begin with `/`.", path.display())))
        }
        (None, Some(log), Some(contains)) => {
            Ok(Marker::Line { log: log.as_str().into(), contains: contains.as_str().to_owned(), body: whole })
        }
        _ => Err(whole
            .fault("a marker is a file, or a line of a log.")
            .hint("Write `path`, or `log` and `contains` together.")),
    }
}

/// A text that shows something.
fn text(body: &mut Body, key: &str) -> Result<Option<Clean>, Fault> {
    let empty = body.fault_at(key, format!("`{key}` is empty."));
    match body.take::<Clean>(key)? {
        Some(text) if text.as_str().trim().is_empty() => Err(empty.hint("Say what it is, or leave the line out.")),
        other => Ok(other),
    }
}

fn kind(body: &mut Body, noun: &str, known: &[&str], keys: &[&str]) -> Result<String, Fault> {
    let place = body.fault_at("kind", "");
    let Some(kind) = body.take::<String>("kind")? else {
        let misspelt =
            body.keys().into_iter().find(|key| !keys.contains(&key.as_str()) && strsim::osa_distance(key, "kind") == 1);
        let hint = misspelt.map_or_else(
            || format!("Write kind = \"…\" with one of: {}.", known.join(", ")),
            |key| format!("Is `{key}` meant to be `kind`?"),
        );
        return Err(body.fault("`kind` is missing here.").hint(hint));
    };
    if known.contains(&kind.as_str()) {
        return Ok(kind);
    }
    Err(Fault { what: Clean::text(format!("unknown {noun} kind `{kind}`.")), ..place }
        .hint(nearest(&kind, known.iter().copied())))
}

/// A name is typed, shown and compared by people: it must be one that they can tell from any other.
fn check_name(name: &str, body: &Body) -> Result<(), Fault> {
    let (shown, escaped) = Clean::identifier(name);
    if name.is_empty() || escaped || name.len() > NAME_LIMIT {
        let what = format!("`{shown}` cannot be a name.");
        return Err(body.fault(what).hint(format!("Use up to {NAME_LIMIT} of A-Z a-z 0-9 . _ : @ / -.")));
    }
    Ok(())
}
