//! `file`: a path and what it holds. Names as the filestat exporter gives them. A folder: its files.
//! ```toml
//! [samplers.model]
//! kind    = "file"
//! path    = "/var/lib/service/model.csv"
//! missing = "ok"                      # file_present 0 is a state then; else ("fails") a failure
//! expect  = { owner = "service", group = "adm", mode = "0640" }
//! parse   = "csv"                     # or "number" with `metric`, or one of those below
//! csv     = [{ column = "loss", metric = "model_loss" }]   # of `row = "last"` or "first"; or column = 3, no head
//! names   = "*.csv"                   # in a folder: only these
//! deep    = true                      # a folder with all below it; else one level. Give it a longer `every`
//! ```
//! `parse = "json"`, `"toml"`, `"env"` (`NAME=value` lines, also with `export`) and `"ini"` (`/section/name`) take the
//! rows of `http` by pointer; `present` tells that a value is there and never which:
//! ```toml
//! parse = "toml"
//! json  = [{ pointer = "/exchange/key", metric = "key_present", present = true, not = ["your_api_key"] },
//!          { pointer = "/mode", fact = "trading", one_of = ["paper", "live"] }]
//! ```
//! `schema = "/path"` beside `parse = "toml"` or `"json"`: a JSON Schema, where it is there; file_schema_faults counts the
//! keys that it does not have and the values outside their range, and a fact names each key.
//!
//! `parse = "lines"` looks at each line by regular expressions (no look-around). Of the text only groups are shown:
//! ```toml
//! parse = "lines"
//! lines = [{ matches = '^(WARN|ERROR)', metric = "service_complaints" },        # how many lines match; 0 is a value
//!          { matches = 'took (\d+) ms', metric = "service_took_milliseconds", value = true },   # the last one's group
//!          { matches = '^listen (\S+)', fact = "listens", line = true }]         # the first one's group: "line 3: :80"
//! ```
//! Gives file_present, file_stat_size_bytes, file_stat_modif_time_seconds, file_age_seconds, file_unexpected; of a folder
//! file_folder_files, file_folder_bytes, file_folder_newest_time_seconds, file_folder_oldest_time_seconds. Links are not
//! followed, other file systems not entered; a file with several names counts once in a tree. Trees of more than 200,000
//! entries or 64 levels, or that take more than 3 s, are not counted, which is said.

use crate::base::{Body, Clean, Failure, Fault, Now, Observation, Point, Wall};
use crate::clean;
use crate::samplers::blocking::{LOCAL_FILES, Worker};
use crate::samplers::csv::{Cell, Table, Which};
use crate::samplers::documents::Format;
use crate::samplers::lines::{Found, LineRow, Lines};
use crate::samplers::look::{CONTENT, Content, Counted, Folder, Look, look, modified};
use crate::samplers::pick::{Pick, Row, metric_name, plain_number};
use crate::samplers::schema::Schema;
use crate::samplers::{Kind, Observed, Sampler};
use crate::sys::host::{group_name, user_name};
use core::time::Duration;
use rustix::fs::FileType;
use serde::Deserialize;
use std::io;
use std::path::PathBuf;

/// The kind.
pub struct File;

impl Kind for File {
    fn name(&self) -> &'static str {
        "file"
    }

    fn about(&self) -> &'static str {
        "a file or folder: presence, size, age, owner, mode, and what JSON, TOML, .env, INI, CSV or lines in it say"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(10)
    }

    fn build(&self, body: &Body) -> Result<Box<dyn Sampler>, Fault> {
        Ok(Box::new(FileSampler::new(body)?))
    }

    fn gives(&self, body: &Body) -> Vec<String> {
        let Ok(config) = body.read::<Config>() else { return Vec::new() };
        let cells = Cell::metrics(config.csv.unwrap_or_default());
        let lines = Lines::metrics(config.lines.unwrap_or_default());
        let named = Pick::metrics(config.json.unwrap_or_default()).chain(cells).chain(lines).chain(config.metric);
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
    /// By pointer, whatever the format.
    #[serde(alias = "toml", alias = "env", alias = "ini")]
    json: Option<Vec<Row>>,
    csv: Option<Vec<Cell>>,
    lines: Option<Vec<LineRow>>,
    #[serde(default)]
    row: Which,
    names: Option<String>,
    #[serde(default)]
    deep: bool,
    schema: Option<PathBuf>,
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
    Toml,
    Env,
    Ini,
    Csv,
    Lines,
}

enum Reader {
    Number(String),
    Document(Format, Vec<Pick>),
    Csv(Table),
    Lines(Lines),
}

/// What one look brings: of the file, of its lines, of the schema beside it.
type Seen = (Look, Vec<Found>, Option<Schema>);

struct FileSampler {
    path: PathBuf,
    shown: Clean,
    missing: Missing,
    expect: Expect,
    reader: Option<Reader>,
    counted: Counted,
    schema: Option<PathBuf>,
    worker: Worker<io::Result<Seen>>,
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
        Ok(Self {
            reader: reader(body, &config)?,
            path: config.path,
            shown,
            missing: config.missing,
            expect: config.expect,
            counted: Counted { names: config.names.unwrap_or_else(|| "*".to_owned()), deep: config.deep },
            schema: config.schema,
            worker: Worker::new(&LOCAL_FILES),
        })
    }

    async fn look(&mut self, now: Now) -> Result<Observation, Failure> {
        let (path, counted, content) = (self.path.clone(), self.counted.clone(), self.reader.is_some());
        let lines = if let Some(Reader::Lines(lines)) = &self.reader { Some(lines.clone()) } else { None };
        let schema = self.schema.clone();
        let work = move || {
            let look = look(&path, content, Some(&counted))?;
            let found = lines.zip(look.content.as_ref()).map(|(lines, content)| lines.find(&content.head));
            Ok((look, found.unwrap_or_default(), schema.as_deref().map(Schema::read)))
        };
        let looked = self.worker.run(now.mono, work).await;
        let looked = looked.map_err(|stuck| Failure::unreachable(format!("looking at {}: {stuck}.", self.shown)))?;
        match looked {
            Ok((look, found, schema)) => self.observation(&look, found, schema.as_ref(), now.wall),
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

    fn observation(
        &self,
        look: &Look,
        found: Vec<Found>,
        schema: Option<&Schema>,
        now: Wall,
    ) -> Result<Observation, Failure> {
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
            Some(Err(why)) => {
                let why = clean!("{} {why}", self.shown);
                let names = ["files", "bytes", "newest_time_seconds", "oldest_time_seconds"];
                seen.not_supported.extend(names.map(|name| (clean!("file_folder_{name}"), why.clone())));
            }
            None => seen.points.push(self.gauge("file_stat_size_bytes", stat.st_size as f64)),
        }
        let read = match (&self.reader, &look.content) {
            (None, _) => Ok(()),
            (Some(reader), Some(content)) => self.content(reader, content, (found, schema), &mut seen),
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
        if folder.unread > 0 {
            let what = clean!("{} folders that this login may not read", folder.unread);
            seen.facts.push((Clean::from("not counted"), what));
        }
        for (name, entry) in [("newest", &folder.newest), ("oldest", &folder.oldest)] {
            let Some(entry) = entry else { continue };
            seen.points.push(self.gauge(&format!("file_folder_{name}_time_seconds"), entry.modified));
            seen.facts.push((Clean::from(name), Clean::text(&entry.name)));
        }
    }

    /// Against the schema beside it; without one nothing is said of the keys.
    fn held(&self, schema: &Schema, document: &serde_json::Value, seen: &mut Observation) {
        match schema.slips(document) {
            Ok((count, slips)) => {
                seen.points.push(self.gauge("file_schema_faults", count as f64));
                seen.facts.extend(slips);
            }
            Err(why) => seen.facts.push((Clean::from("schema"), why.clone())),
        }
    }

    fn content(
        &self,
        reader: &Reader,
        content: &Content,
        (found, schema): (Vec<Found>, Option<&Schema>),
        seen: &mut Observation,
    ) -> Result<(), Failure> {
        let labels = [("path", self.shown.as_str())];
        let bad = |what| self.bad(what);
        match reader {
            Reader::Csv(table) => table.take(content, &self.shown, &labels, seen).map_err(bad)?,
            _ if content.tail.is_some() => {
                return Err(self.bad(format_args!("is larger than {} MiB", CONTENT >> 20)));
            }
            Reader::Number(metric) => {
                let number = plain_number(&content.head).ok_or_else(|| self.bad("does not hold one number"))?;
                seen.points.push(self.gauge(metric, number));
            }
            Reader::Document(format, picks) => {
                let document = format.read(&content.head).map_err(|what| self.bad(format_args!("is {what}")))?;
                if let Some(schema) = schema {
                    self.held(schema, &document, seen);
                }
                Pick::take(picks, &document, &self.shown, &labels, seen).map_err(|what| self.bad(what))?;
            }
            Reader::Lines(lines) => lines.put(found, &self.shown, &labels, seen),
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

fn reader(body: &Body, config: &Config) -> Result<Option<Reader>, Fault> {
    let keys = body.keys();
    let rows = ["toml", "env", "ini"].into_iter().find(|key| keys.iter().any(|known| known == key)).unwrap_or("json");
    let format = match config.parse {
        Some(Parse::Toml) => Some(Format::Toml),
        Some(Parse::Env) => Some(Format::Env),
        Some(Parse::Ini) => Some(Format::Ini),
        Some(Parse::Json) => Some(Format::Json),
        _ => None,
    };
    let wrong = |key: &str, needs: &str| body.fault_at(key, format!("`{key}` goes with `parse = \"{needs}\"` only."));
    for (key, given, parse, needs) in [
        ("metric", config.metric.is_some(), Parse::Number, "number"),
        ("csv", config.csv.is_some(), Parse::Csv, "csv"),
        ("lines", config.lines.is_some(), Parse::Lines, "lines"),
    ] {
        if given && config.parse != Some(parse) {
            return Err(wrong(key, needs));
        }
    }
    if config.json.is_some() && !format.is_some_and(|format| [format.name(), "json"].contains(&rows)) {
        return Err(wrong(rows, rows));
    }
    if config.schema.is_some() && !matches!(format, Some(Format::Toml | Format::Json)) {
        return Err(wrong("schema", "toml"));
    }
    let missing = |key: &str| body.fault_at("parse", format!("this needs `{key}`: what to take."));
    if let Some(format) = format {
        let none = config.schema.is_some().then(Vec::new);
        let picks = config.json.clone().or(none).ok_or_else(|| missing("json"))?;
        return Ok(Some(Reader::Document(format, Pick::check(body, rows, picks)?)));
    }
    Ok(Some(match config.parse {
        Some(Parse::Number) => {
            let metric = config.metric.clone().ok_or_else(|| missing("metric"))?;
            Reader::Number(metric_name(body, "metric", metric)?)
        }
        Some(Parse::Csv) => {
            let cells = config.csv.clone().ok_or_else(|| missing("csv"))?;
            Reader::Csv(Table::check(body, cells, config.row)?)
        }
        Some(Parse::Lines) => {
            let rows = config.lines.clone().ok_or_else(|| missing("lines"))?;
            Reader::Lines(Lines::check(body, rows)?)
        }
        _ => return Ok(None),
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
            ("path = \"/x\"\nschema = \"/y\"", "p.toml:2:10: `schema` goes with `parse = \"toml\"` only."),
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
