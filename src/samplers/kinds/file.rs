//! `file`: a path and what it holds. Names as the filestat exporter gives them. A folder: its files, one level deep.
//! ```toml
//! [samplers.model]
//! kind    = "file"
//! path    = "/var/lib/service/model.csv"
//! missing = "ok"                      # file_present 0 is a state then; else ("fails") a failure
//! expect  = { owner = "service", group = "adm", mode = "0640" }
//! parse   = "csv"                     # or "number" with `metric`, "json" with `json` as in `http`
//! csv     = [{ column = "loss", metric = "model_loss" }]   # of `row = "last"` or "first"; or column = 3, no head
//! names   = "*.csv"                   # in a folder: only these
//! ```
//! Gives file_present, file_stat_size_bytes, file_stat_modif_time_seconds, file_age_seconds, file_unexpected, file_folder_….

use crate::base::{Body, Clean, Failure, Fault, Now, Observation, Point, Wall};
use crate::clean;
use crate::samplers::blocking::{LOCAL_FILES, Worker};
use crate::samplers::look::{CONTENT, Content, ENTRIES, Folder, Look, TooMany, look, modified};
use crate::samplers::pick::{Pick, Row, Wanted, metric_name, plain_number};
use crate::samplers::{Kind, Observed, Sampler, csv, json};
use crate::sys::host::{group_name, user_name};
use core::time::Duration;
use rustix::fs::FileType;
use serde::Deserialize;
use serde_json::Value;
use std::io;
use std::path::PathBuf;

/// The kind.
pub struct File;

impl Kind for File {
    fn name(&self) -> &'static str {
        "file"
    }

    fn about(&self) -> &'static str {
        "a file or folder: presence, size, age, owner, mode, and a number, JSON or CSV row in it"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(10)
    }

    fn build(&self, body: &Body) -> Result<Box<dyn Sampler>, Fault> {
        Ok(Box::new(FileSampler::new(body)?))
    }

    fn gives(&self, body: &Body) -> Vec<String> {
        let Ok(config) = body.read::<Config>() else { return Vec::new() };
        let cells = config.csv.unwrap_or_default().into_iter().filter_map(|cell| cell.metric);
        let named = Pick::metrics(config.json.unwrap_or_default()).chain(cells).chain(config.metric);
        named.chain(["file_".to_owned()]).collect()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    path: PathBuf,
    #[serde(default)]
    missing: Missing,
    #[serde(default)]
    expect: Expect,
    parse: Option<Parse>,
    metric: Option<String>,
    json: Option<Vec<Row>>,
    csv: Option<Vec<Cell>>,
    #[serde(default)]
    row: Which,
    names: Option<String>,
}

#[derive(Default, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Missing {
    #[default]
    Fails,
    Ok,
}

/// What should be so; each by name or number.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    owner: Option<String>,
    group: Option<String>,
    mode: Option<String>,
}

#[derive(Clone, Copy, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Parse {
    Number,
    Json,
    Csv,
}

#[derive(Clone, Copy, Default, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Which {
    #[default]
    Last,
    First,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cell {
    column: Column,
    fact: Option<String>,
    metric: Option<String>,
}

#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum Column {
    /// From 1.
    Number(usize),
    /// By the head of the table.
    Name(String),
}

impl core::fmt::Display for Column {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Name(name) => write!(f, "`{name}`"),
        }
    }
}

enum Reader {
    Number(String),
    Json(Vec<Pick>),
    Csv(Vec<(Column, Wanted)>, Which),
}

struct FileSampler {
    path: PathBuf,
    shown: Clean,
    missing: Missing,
    expect: Expect,
    reader: Option<Reader>,
    names: String,
    worker: Worker<io::Result<Look>>,
}

impl FileSampler {
    fn new(body: &Body) -> Result<Self, Fault> {
        let config: Config = body.read()?;
        let shown = clean!("{}", config.path.display());
        if !config.path.is_absolute() {
            return Err(body.fault_at("path", format!("`{shown}` does not begin with `/`.")));
        }
        let octal = |mode: &String| mode.len() <= 5 && u32::from_str_radix(mode, 8).is_ok();
        if let Some(mode) = config.expect.mode.as_ref().filter(|mode| !octal(mode)) {
            let what = format!("`{}` is no file mode.", Clean::text(mode));
            return Err(body.fault_at("expect", what).hint("Write it in octal digits, such as \"0640\"."));
        }
        let reader = reader(body, config.parse, config.metric, config.json, config.csv, config.row)?;
        Ok(Self {
            path: config.path,
            shown,
            missing: config.missing,
            expect: config.expect,
            reader,
            names: config.names.unwrap_or_else(|| "*".to_owned()),
            worker: Worker::new(&LOCAL_FILES),
        })
    }

    async fn look(&mut self, now: Now) -> Result<Observation, Failure> {
        let (path, names, content) = (self.path.clone(), self.names.clone(), self.reader.is_some());
        let looked = self.worker.run(now.mono, move || look(&path, content, &names)).await;
        let looked = looked.map_err(|stuck| Failure::unreachable(format!("looking at {}: {stuck}.", self.shown)))?;
        match looked {
            Ok(look) => self.observation(&look, now.wall),
            Err(error) => self.failed(&error),
        }
    }

    fn failed(&self, error: &io::Error) -> Result<Observation, Failure> {
        let shown = &self.shown;
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory if self.missing == Missing::Ok => {
                let mut seen = Observation::default();
                seen.points.push(self.gauge("file_present", 0.0));
                Ok(seen)
            }
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
                Err(Failure::answered(format!("{shown} does not exist.")).with([self.gauge("file_present", 0.0)]))
            }
            io::ErrorKind::PermissionDenied => Err(Failure::not_permitted(format!(
                "{shown}: this login may not read it. See who may: namei -l {shown}."
            ))),
            _ => Err(Failure::unreachable(format!("{shown} cannot be read: {error}."))),
        }
    }

    fn gauge(&self, name: &str, value: f64) -> Point {
        Point::gauge(name, &[("path", self.shown.as_str())], value)
    }

    fn bad(&self, what: impl core::fmt::Display) -> Failure {
        Failure::answered(format!("{} {what}.", self.shown))
    }

    fn observation(&self, look: &Look, now: Wall) -> Result<Observation, Failure> {
        let stat = &look.stat;
        let mut seen = Observation::default();
        let what = noun(FileType::from_raw_mode(stat.st_mode));
        let modified = modified(stat);
        seen.points.extend([
            self.gauge("file_present", 1.0),
            self.gauge("file_stat_modif_time_seconds", modified),
            self.gauge("file_age_seconds", now.0 as f64 / 1e9 - modified),
        ]);
        let (owner, group) = (user_name(stat.st_uid), group_name(stat.st_gid));
        let mode = clean!("{:04o}", stat.st_mode & 0o7777);
        self.expected("owner", self.expect.owner.as_ref(), &owner, Some(stat.st_uid), &mut seen);
        self.expected("group", self.expect.group.as_ref(), &group, Some(stat.st_gid), &mut seen);
        let wanted = self.expect.mode.as_ref().map(|mode| format!("{mode:0>4}"));
        self.expected("mode", wanted.as_ref(), &mode, None, &mut seen);
        let facts = [("is", Clean::from(what)), ("owner", owner), ("group", group), ("mode", mode)];
        seen.facts.extend(facts.map(|(name, value)| (Clean::from(name), value)));
        match &look.folder {
            Some(Ok(folder)) => self.folder(folder, &mut seen),
            Some(Err(TooMany)) => {
                let why = clean!("{} holds more than {ENTRIES} entries", self.shown);
                let names = ["files", "bytes", "newest_time_seconds", "oldest_time_seconds"];
                seen.not_supported.extend(names.map(|name| (clean!("file_folder_{name}"), why.clone())));
            }
            None => seen.points.push(self.gauge("file_stat_size_bytes", stat.st_size as f64)),
        }
        let read = match (&self.reader, &look.content) {
            (None, _) => Ok(()),
            (Some(reader), Some(content)) => self.content(reader, content, &mut seen),
            (Some(_), None) => Err(self.bad(format_args!("is a {what}: its content is not read"))),
        };
        match read {
            Ok(()) => Ok(seen),
            Err(failure) => Err(failure.with(seen.points)),
        }
    }

    /// A series that says 1 where something is not as it should be.
    fn expected(
        &self,
        what: &'static str,
        wanted: Option<&String>,
        is: &Clean,
        id: Option<u32>,
        seen: &mut Observation,
    ) {
        let Some(wanted) = wanted else { return };
        let good = wanted == is.as_str() || id.is_some_and(|id| wanted.parse() == Ok(id));
        let labels = [("path", self.shown.as_str()), ("what", what)];
        seen.points.push(Point::gauge("file_unexpected", &labels, f64::from(u8::from(!good))));
        if !good {
            seen.facts.push((clean!("unexpected {what}"), clean!("{is}, should be {wanted}")));
        }
    }

    fn folder(&self, folder: &Folder, seen: &mut Observation) {
        seen.points.push(self.gauge("file_folder_files", folder.files as f64));
        seen.points.push(self.gauge("file_folder_bytes", folder.bytes as f64));
        for (name, entry) in [("newest", &folder.newest), ("oldest", &folder.oldest)] {
            let Some(entry) = entry else { continue };
            seen.points.push(self.gauge(&format!("file_folder_{name}_time_seconds"), entry.modified));
            seen.facts.push((Clean::from(name), Clean::text(&entry.name)));
        }
    }

    fn content(&self, reader: &Reader, content: &Content, seen: &mut Observation) -> Result<(), Failure> {
        let large = content.tail.is_some();
        let labels = [("path", self.shown.as_str())];
        match reader {
            Reader::Number(_) | Reader::Json(_) if large => {
                return Err(self.bad(format_args!("is larger than {} MiB", CONTENT >> 20)));
            }
            Reader::Number(metric) => {
                let number = plain_number(&content.head).ok_or_else(|| self.bad("does not hold one number"))?;
                seen.points.push(self.gauge(metric, number));
            }
            Reader::Json(picks) => {
                let document = json::parse(&content.head).map_err(|what| self.bad(format_args!("is {what}")))?;
                Pick::take(picks, &document, &self.shown, &labels, seen).map_err(|what| self.bad(what))?;
            }
            Reader::Csv(cells, which) => self.table(cells, *which, content, seen)?,
        }
        Ok(())
    }

    fn table(
        &self,
        cells: &[(Column, Wanted)],
        which: Which,
        content: &Content,
        seen: &mut Observation,
    ) -> Result<(), Failure> {
        let headed = cells.iter().any(|(column, _)| matches!(column, Column::Name(_)));
        let (mut head, mut first, mut last) = (None, None, None);
        csv::rows(&content.head, b',', |row| match (&head, &first) {
            (None, _) if headed => head = Some(row),
            (_, None) => first = Some(row),
            _ => last = Some(row),
        });
        if let (Some(tail), Which::Last) = (&content.tail, which) {
            // Its first line began before it.
            let begin = tail.iter().position(|byte| *byte == b'\n').map_or(tail.len(), |at| at + 1);
            csv::rows(tail.get(begin..).unwrap_or_default(), b',', |row| last = Some(row));
        }
        let row = if which == Which::First { first } else { last.or(first) };
        let row = row.ok_or_else(|| self.bad("holds no row that ends with a line break"))?;
        for (column, wanted) in cells {
            let at = match column {
                Column::Number(number) => number.checked_sub(1),
                Column::Name(name) => {
                    let named = |field: &Vec<u8>| field.trim_ascii() == name.as_bytes();
                    head.as_ref().and_then(|head: &Vec<Vec<u8>>| head.iter().position(named))
                }
            };
            let field = at.and_then(|at| row.get(at));
            let value = field.map(|field| match (wanted, plain_number(field)) {
                (Wanted::Metric(_), Some(number)) => Value::from(number),
                _ => Value::from(String::from_utf8_lossy(field.trim_ascii()).into_owned()),
            });
            let why = clean!("{} has no number in column {column}", self.shown);
            wanted.put(value.as_ref(), &[("path", self.shown.as_str())], why, seen);
        }
        Ok(())
    }
}

const fn noun(kind: FileType) -> &'static str {
    match kind {
        FileType::RegularFile => "regular file",
        FileType::Directory => "folder",
        FileType::Symlink => "symbolic link",
        FileType::Fifo => "pipe",
        FileType::Socket => "socket",
        FileType::CharacterDevice | FileType::BlockDevice => "device",
        FileType::Unknown => "thing of an unknown kind",
    }
}

fn reader(
    body: &Body,
    parse: Option<Parse>,
    metric: Option<String>,
    json: Option<Vec<Row>>,
    csv: Option<Vec<Cell>>,
    row: Which,
) -> Result<Option<Reader>, Fault> {
    let given = [
        ("metric", metric.is_some(), Parse::Number),
        ("json", json.is_some(), Parse::Json),
        ("csv", csv.is_some(), Parse::Csv),
    ];
    let word = |parse| {
        if parse == Parse::Number {
            "number"
        } else if parse == Parse::Json {
            "json"
        } else {
            "csv"
        }
    };
    if let Some((key, _, needs)) = given.into_iter().find(|(_, given, needs)| *given && parse != Some(*needs)) {
        return Err(body.fault_at(key, format!("`{key}` goes with `parse = \"{}\"` only.", word(needs))));
    }
    let missing = |key: &str| body.fault_at("parse", format!("this needs `{key}`: what to take."));
    Ok(Some(match parse {
        None => return Ok(None),
        Some(Parse::Number) => Reader::Number(metric_name(body, "metric", metric.ok_or_else(|| missing("metric"))?)?),
        Some(Parse::Json) => Reader::Json(Pick::check(body, "json", json.ok_or_else(|| missing("json"))?)?),
        Some(Parse::Csv) => {
            let check = |cell: Cell| {
                if matches!(cell.column, Column::Number(0)) {
                    return Err(body.fault_at("csv", "columns count from 1."));
                }
                let wanted = Wanted::check(body, "csv", &cell.column.to_string(), cell.fact, cell.metric)?;
                Ok((cell.column, wanted))
            };
            let cells = csv.ok_or_else(|| missing("csv"))?.into_iter().map(check).collect::<Result<_, _>>()?;
            Reader::Csv(cells, row)
        }
    }))
}

impl Sampler for FileSampler {
    fn observe(&mut self, now: Now) -> Observed<'_> {
        Box::pin(self.look(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_table_says_where_and_what() {
        for (config, fault) in [
            ("path = \"x\"", "p.toml:1:8: `x` does not begin with `/`."),
            (
                "path = \"/x\"\nexpect = { mode = \"rw\" }",
                "p.toml:2:10: `rw` is no file mode. Write it in octal digits, such as \"0640\".",
            ),
            ("path = \"/x\"\nmetric = \"m\"", "p.toml:2:10: `metric` goes with `parse = \"number\"` only."),
            ("path = \"/x\"\nparse = \"csv\"", "p.toml:2:9: this needs `csv`: what to take."),
            (
                "path = \"/x\"\nparse = \"csv\"\ncsv = [{ column = 0, metric = \"m\" }]",
                "p.toml:3:7: columns count from 1.",
            ),
        ] {
            let body = Body::parse("p.toml", config).expect("TOML");
            assert_eq!(File.build(&body).err().map(|fault| fault.to_string()).as_deref(), Some(fault));
        }
    }

    #[test]
    fn it_says_what_it_can_give() {
        let config = "path = \"/x\"\nparse = \"csv\"\ncsv = [{ column = \"loss\", metric = \"m\" }]";
        assert_eq!(File.gives(&Body::parse("p.toml", config).expect("TOML")), ["m", "file_"]);
    }
}
