//! What a line says: when, how bad, what. A line that does not fit its format is shown whole.

use super::formats::{self, Parts, Stamp, strip};
use crate::base::{Clean, LogLevel, LogLine, clean::LINE_LIMIT};
use crate::sys::secret::hide_clean;

/// Lines that are looked at to tell the format of a source.
pub const DETECT: usize = 50;

/// How the lines of a source are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Format {
    /// Whatever fits, of each line for itself: many sources mix two or three.
    #[default]
    Auto,
    /// Text, perhaps with a time and a level at its beginning.
    Plain,
    /// A JSON object, perhaps behind a prefix.
    Json,
    /// `key=value` and nothing else.
    Logfmt,
    /// syslog: RFC 5424, RFC 3164, files of rsyslog.
    Syslog,
    /// Python's logging.
    Python,
    /// Julia's logger.
    Julia,
    /// Rust's tracing and env_logger.
    Rust,
    /// nginx: access and error log; the access log is that of other web servers too.
    Nginx,
    /// Go's klog and glog.
    Klog,
}

/// All that a line says. `text` holds every letter of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The whole line, its colours apart.
    pub text: Clean,
    /// When, as it stands there.
    pub time: Option<Stamp>,
    /// How bad.
    pub level: Option<LogLevel>,
    /// The words meant for people.
    pub message: Clean,
    /// Name and value, in the line's order.
    pub fields: Vec<(Clean, Clean)>,
}

impl Format {
    /// Every format with the name that files use.
    pub const NAMES: &[(&str, Self)] = &[
        ("auto", Self::Auto),
        ("plain", Self::Plain),
        ("json", Self::Json),
        ("logfmt", Self::Logfmt),
        ("syslog", Self::Syslog),
        ("python", Self::Python),
        ("julia", Self::Julia),
        ("rust", Self::Rust),
        ("nginx", Self::Nginx),
        ("klog", Self::Klog),
    ];

    /// The format with this name in a file.
    pub fn parse(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, format)| *format)
    }

    /// Its name in a file.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, format)| *format == self).map_or("auto", |(name, _)| name)
    }

    /// The format that more than half of the first lines have; `Auto` where none has, or where there is no line.
    pub fn detect<'a>(lines: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut votes = [0_usize; Self::NAMES.len()];
        let mut all = 0;
        for raw in lines.into_iter().take(DETECT).filter(|raw| !raw.trim_ascii().is_empty()) {
            all += 1;
            let (raw, _) = strip(raw);
            let text = Clean::text(&raw);
            let (format, _) = guess(&raw, text.as_str());
            let place = Self::NAMES.iter().position(|(_, known)| *known == format);
            place.and_then(|at| votes.get_mut(at)).into_iter().for_each(|count| *count += 1);
        }
        let most = votes.iter().zip(Self::NAMES).find(|(count, _)| **count * 2 > all);
        most.map_or(Self::Auto, |(_, (_, format))| *format)
    }

    /// Reads a line without its newline; `more` bytes were cut off it.
    pub fn read(self, raw: &[u8], more: usize) -> LogLine {
        let (raw, _) = strip(raw);
        let text = Clean::cut(&raw, more);
        let parts = self.parts(&raw, text.as_str(), more);
        let time = parts.time.and_then(Stamp::wall);
        // A time without a zone has no column: it stays where it is.
        let whole = parts.time.is_some() && time.is_none()
            || parts.shown.len() == text.as_str().len()
            || text.as_str().len() > LINE_LIMIT;
        let level = parts.level;
        let mut message = if whole { None } else { Some(Clean::text(parts.shown.as_bytes())) }.unwrap_or(text);
        // A service may write down the key that we came with.
        hide_clean(&mut message);
        LogLine { time, level, message, marker: false }
    }

    /// Reads all that a line says.
    pub fn entry(self, raw: &[u8], more: usize) -> Entry {
        let (raw, _) = strip(raw);
        let mut text = Clean::cut(&raw, more);
        let parts = self.parts(&raw, text.as_str(), more);
        let hidden = |text: &str| {
            let mut text = Clean::text(text);
            hide_clean(&mut text);
            text
        };
        let (time, level, message) = (parts.time, parts.level, hidden(&parts.message));
        let fields = parts.fields.iter().map(|(name, value)| (hidden(name), hidden(value))).collect();
        hide_clean(&mut text);
        Entry { text, time, level, message, fields }
    }

    fn parts<'a>(self, raw: &[u8], text: &'a str, more: usize) -> Parts<'a> {
        let found = match self {
            // What was cut is no whole object.
            Self::Json if more > 0 => None,
            Self::Auto => Some(guess(if more > 0 { b"" } else { raw }, text).1),
            Self::Plain => None,
            Self::Json => formats::json(raw),
            Self::Logfmt => formats::logfmt(text),
            Self::Syslog => formats::syslog(text),
            Self::Python => formats::python(text),
            Self::Julia => formats::julia(text),
            Self::Rust => formats::rust(text),
            Self::Nginx => formats::access(text).or_else(|| formats::server(text)),
            Self::Klog => formats::klog(text),
        };
        found.unwrap_or_else(|| formats::plain(text))
    }
}

/// The format of one line, by how it begins: no line is tried in more than a few.
fn guess<'a>(raw: &[u8], text: &'a str) -> (Format, Parts<'a>) {
    let fits = |format: Format, parts: Option<Parts<'a>>| parts.map(|parts| (format, parts));
    let head = text.trim_start().as_bytes();
    let found = match head {
        [b'{', ..] => fits(Format::Json, formats::json(raw)),
        [b'<', ..] => fits(Format::Syslog, formats::syslog(text)),
        [b'[', ..] => fits(Format::Rust, formats::rust(text))
            .or_else(|| fits(Format::Julia, formats::julia(text)))
            .or_else(|| fits(Format::Python, formats::python(text))),
        // The corners and the bar that Julia draws.
        [0xE2, 0x94, ..] => fits(Format::Julia, formats::julia(text)),
        [b'I' | b'W' | b'E' | b'F', b'0' | b'1', ..] => fits(Format::Klog, formats::klog(text)),
        [b'0'..=b'9', b'0'..=b'9', b'0'..=b'9', b'0'..=b'9', b'/', ..] => fits(Format::Nginx, formats::server(text)),
        [b'0'..=b'9', b'0'..=b'9', b'0'..=b'9', b'0'..=b'9', b'-', ..] => fits(Format::Python, formats::python(text))
            .or_else(|| fits(Format::Rust, formats::rust(text)))
            .or_else(|| fits(Format::Syslog, formats::syslog(text))),
        [b'A'..=b'Z', b'a'..=b'z', b'a'..=b'z', b' ', ..] => fits(Format::Syslog, formats::syslog(text)),
        [b'A'..=b'Z', b'A'..=b'Z', ..] => fits(Format::Python, formats::python(text)),
        _ => None,
    };
    let found = found.or_else(|| {
        let access = head.first().is_some_and(u8::is_ascii_alphanumeric) && text.contains("] \"");
        let pairs = head.first().is_some_and(u8::is_ascii_alphabetic)
            && head.iter().find(|byte| matches!(byte, b' ' | b'=')) == Some(&b'=');
        fits(Format::Nginx, formats::access(text).filter(|_| access))
            .or_else(|| fits(Format::Logfmt, if pairs { formats::logfmt(text) } else { None }))
            .or_else(|| {
                fits(Format::Json, if raw.trim_ascii_end().ends_with(b"}") { formats::json(raw) } else { None })
            })
    });
    found.unwrap_or_else(|| (Format::Plain, formats::plain(text)))
}

impl<'de> serde::Deserialize<'de> for Format {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let name = <std::borrow::Cow<'de, str>>::deserialize(from)?;
        Self::parse(&name).ok_or_else(|| {
            let known: Vec<&str> = Self::NAMES.iter().map(|(known, _)| *known).collect();
            serde::de::Error::custom(format_args!("unknown format `{name}`, expected one of `{}`", known.join("`, `")))
        })
    }
}

#[cfg(test)]
#[path = "formats/tests.rs"]
mod tests;
