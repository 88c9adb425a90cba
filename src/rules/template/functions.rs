//! Prometheus' template functions and Go's own. Source: prometheus/template/template.go, pkg.go.dev/text/template.

use super::printf::{general, printf, push};
use super::run::{Fail, Run};
use super::value::{Val, labels_of};
use crate::rules::file::lengths;
use regex::RegexBuilder;
use std::rc::Rc;

/// A function of templates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    And,
    Or,
    Not,
    Len,
    Index,
    Print,
    Println,
    Printf,
    Html,
    UrlQuery,
    Compare(Order),
    Query,
    First,
    Label,
    Value,
    StrValue,
    Args,
    ReReplaceAll,
    Match,
    SafeHtml,
    Title,
    ToUpper,
    ToLower,
    SortByLabel,
    StripPort,
    StripDomain,
    Humanize,
    Humanize1024,
    HumanizeDuration,
    HumanizePercentage,
    HumanizeTimestamp,
    ParseDuration,
    Now,
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

const NAMES: &[(&str, Function)] = &[
    ("and", Function::And),
    ("or", Function::Or),
    ("not", Function::Not),
    ("len", Function::Len),
    ("index", Function::Index),
    ("print", Function::Print),
    ("println", Function::Println),
    ("printf", Function::Printf),
    ("html", Function::Html),
    ("urlquery", Function::UrlQuery),
    ("urlQueryEscape", Function::UrlQuery),
    ("eq", Function::Compare(Order::Eq)),
    ("ne", Function::Compare(Order::Ne)),
    ("lt", Function::Compare(Order::Lt)),
    ("le", Function::Compare(Order::Le)),
    ("gt", Function::Compare(Order::Gt)),
    ("ge", Function::Compare(Order::Ge)),
    ("query", Function::Query),
    ("first", Function::First),
    ("label", Function::Label),
    ("value", Function::Value),
    ("strvalue", Function::StrValue),
    ("args", Function::Args),
    ("reReplaceAll", Function::ReReplaceAll),
    ("match", Function::Match),
    ("safeHtml", Function::SafeHtml),
    ("title", Function::Title),
    ("toUpper", Function::ToUpper),
    ("toLower", Function::ToLower),
    ("sortByLabel", Function::SortByLabel),
    ("stripPort", Function::StripPort),
    ("stripDomain", Function::StripDomain),
    ("humanize", Function::Humanize),
    ("humanize1024", Function::Humanize1024),
    ("humanizeDuration", Function::HumanizeDuration),
    ("humanizePercentage", Function::HumanizePercentage),
    ("humanizeTimestamp", Function::HumanizeTimestamp),
    ("parseDuration", Function::ParseDuration),
    ("now", Function::Now),
];

const LARGE: &[&str] = &["k", "M", "G", "T", "P", "E", "Z", "Y"];
const BINARY: &[&str] = &["ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"];
const SMALL: &[&str] = &["m", "u", "n", "p", "f", "a", "z", "y"];
/// A compiled expression may take this many bytes.
const REGEX: usize = 1 << 20;

impl Function {
    pub(super) fn parse(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, function)| *function)
    }

    /// Calls it. `and` and `or` come here too, with every argument known.
    pub(super) fn call(self, args: &[Val], run: &mut Run<'_, '_>) -> Result<Val, Fail> {
        match (self, args) {
            (Self::Not, [one]) => Ok(Val::Bool(!one.truth())),
            (Self::And, _) => pick(args, false),
            (Self::Or, _) => pick(args, true),
            (Self::Len, [one]) => length(one),
            (Self::Index, [from, keys @ ..]) => keys.iter().try_fold(from.clone(), |from, key| index(&from, key)),
            (Self::Print, _) => print(args).map(Val::text),
            (Self::Println, _) => spaced(args).map(|text| Val::text(text + "\n")),
            (Self::Printf, [Val::Text(format), rest @ ..]) => Ok(Val::text(printf(format, rest))),
            (Self::Compare(order), [first, rest @ ..]) => compare(order, first, rest),
            (Self::Now, []) => Ok(Val::Float(run.at() as f64 / 1e3)),
            (Self::Args, _) => {
                Ok(Val::Args(args.iter().enumerate().map(|(at, arg)| (format!("arg{at}"), arg.clone())).collect()))
            }
            (Self::Query, [Val::Text(text)]) => run.query(text),
            (Self::First, [Val::Samples(samples)]) => {
                samples.first().map(|first| Val::Sample(first.clone())).ok_or(Fail)
            }
            (Self::Label, [Val::Text(name), Val::Sample(row)]) => index(&labels_of(row), &Val::Text(name.clone())),
            (Self::Value, [Val::Sample(row)]) => Ok(Val::Float(row.value)),
            (Self::StrValue, [Val::Sample(row)]) => index(&labels_of(row), &Val::text("__value__")),
            (Self::SortByLabel, [Val::Text(name), Val::Samples(samples)]) => {
                let mut samples: Vec<_> = samples.to_vec();
                let key = |row: &Rc<crate::rules::expr::Row>| row.key.label(name).cloned().unwrap_or_default();
                samples.sort_by_key(key);
                Ok(Val::Samples(samples.into()))
            }
            (_, [Val::Text(pattern), Val::Text(with), Val::Text(text)]) if self == Self::ReReplaceAll => {
                Ok(Val::text(regex(pattern)?.replace_all(text, &**with)))
            }
            (_, [Val::Text(pattern), Val::Text(text)]) if self == Self::Match => {
                Ok(Val::Bool(regex(pattern)?.is_match(text)))
            }
            (_, [Val::Text(text)]) => self.of_text(text),
            (_, [one]) => self.of_number(one.number().ok_or(Fail)?),
            _ => Err(Fail),
        }
    }

    fn of_text(self, text: &Rc<str>) -> Result<Val, Fail> {
        Ok(match self {
            Self::SafeHtml => Val::Text(Rc::clone(text)),
            Self::Title => Val::text(title(text)),
            Self::ToUpper => Val::text(text.to_uppercase()),
            Self::ToLower => Val::text(text.to_lowercase()),
            Self::StripPort => Val::text(strip_port(text)),
            Self::StripDomain => Val::text(strip_domain(text)),
            Self::Html => Val::text(html(text)),
            Self::UrlQuery => Val::text(url_query(text)),
            Self::ParseDuration => Val::Float(lengths::parse(text).ok_or(Fail)?.as_secs_f64()),
            _ => return self.of_number(Val::Text(Rc::clone(text)).number().ok_or(Fail)?),
        })
    }

    fn of_number(self, value: f64) -> Result<Val, Fail> {
        Ok(Val::text(match self {
            Self::Humanize => humanize(value),
            Self::Humanize1024 => humanize_1024(value),
            Self::HumanizeDuration => humanize_duration(value),
            Self::HumanizePercentage => percentage(value),
            Self::HumanizeTimestamp => timestamp(value)?,
            _ => return Err(Fail),
        }))
    }
}

fn pick(args: &[Val], until: bool) -> Result<Val, Fail> {
    args.iter().find(|arg| arg.truth() == until).or(args.last()).cloned().ok_or(Fail)
}

fn length(of: &Val) -> Result<Val, Fail> {
    let length = match of {
        Val::Text(text) => text.len(),
        Val::Labels(labels) => labels.len(),
        Val::Samples(samples) => samples.len(),
        Val::Args(args) => args.len(),
        _ => return Err(Fail),
    };
    i64::try_from(length).map(Val::Int).map_err(|_| Fail)
}

/// An element by its name or number; a label that is not there is an empty text.
pub(super) fn index(from: &Val, key: &Val) -> Result<Val, Fail> {
    match (from, key) {
        (Val::Labels(labels), Val::Text(name)) => {
            let value = labels.iter().find(|(known, _)| **known == **name).map(|(_, value)| Rc::clone(value));
            Ok(Val::Text(value.unwrap_or_default()))
        }
        (Val::Args(args), Val::Text(name)) => {
            Ok(args.iter().find(|(known, _)| **known == **name).map_or(Val::Nil, |(_, value)| value.clone()))
        }
        (Val::Samples(samples), Val::Int(at)) => {
            usize::try_from(*at).ok().and_then(|at| samples.get(at)).map(|row| Val::Sample(Rc::clone(row))).ok_or(Fail)
        }
        _ => Err(Fail),
    }
}

/// Go's Sprint: a space between two that are both no texts.
fn print(args: &[Val]) -> Result<String, Fail> {
    let mut out = String::new();
    let mut before = true;
    for arg in args {
        let text = matches!(arg, Val::Text(_));
        if !text && !before {
            out.push(' ');
        }
        before = text;
        out += &arg.show().ok_or(Fail)?;
    }
    Ok(out)
}

fn spaced(args: &[Val]) -> Result<String, Fail> {
    let texts: Option<Vec<String>> = args.iter().map(Val::show).collect();
    texts.map(|texts| texts.join(" ")).ok_or(Fail)
}

/// Numbers of both kinds compare by value: more lenient than Go, where `gt $value 5` is an error.
fn compare(order: Order, first: &Val, rest: &[Val]) -> Result<Val, Fail> {
    use core::cmp::Ordering::{Equal, Less};
    let against = |other: &Val| match (first, other) {
        (Val::Text(a), Val::Text(b)) => Ok(Some(a.cmp(b))),
        (Val::Bool(a), Val::Bool(b)) if matches!(order, Order::Eq | Order::Ne) => Ok(Some(a.cmp(b))),
        (Val::Int(a), Val::Int(b)) => Ok(Some(a.cmp(b))),
        (Val::Int(_) | Val::Float(_), Val::Int(_) | Val::Float(_)) => {
            Ok(first.number().zip(other.number()).and_then(|(a, b)| a.partial_cmp(&b)))
        }
        _ => Err(Fail),
    };
    if order == Order::Eq {
        let mut any = Err(Fail);
        for other in rest {
            if against(other)? == Some(Equal) {
                return Ok(Val::Bool(true));
            }
            any = Ok(Val::Bool(false));
        }
        return any;
    }
    let [other] = rest else { return Err(Fail) };
    let ordering = against(other)?;
    // Go asks less and equal only: what is not a number is greater than everything.
    let (less, equal) = (ordering == Some(Less), ordering == Some(Equal));
    Ok(Val::Bool(match order {
        Order::Eq => equal,
        Order::Ne => !equal,
        Order::Lt => less,
        Order::Le => less || equal,
        Order::Gt => !less && !equal,
        Order::Ge => !less,
    }))
}

fn regex(pattern: &str) -> Result<regex::Regex, Fail> {
    RegexBuilder::new(pattern).size_limit(REGEX).build().map_err(|_| Fail)
}

/// Go's strings.Title: the first letter of each word.
fn title(text: &str) -> String {
    let mut before = ' ';
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let inside = before.is_alphanumeric() || matches!(before, '_' | '\'');
        if inside {
            out.push(c);
        } else {
            out.extend(c.to_uppercase());
        }
        before = c;
    }
    out
}

/// The host of `host:port`; anything else stays.
fn strip_port(text: &str) -> &str {
    let Some((host, port)) = text.rsplit_once(':') else { return text };
    match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(inside) => inside,
        None if host.contains([':', '[', ']']) || port.contains(['[', ']']) => text,
        None => host,
    }
}

/// `host.domain:port` becomes `host:port`; an address stays.
fn strip_domain(text: &str) -> String {
    let (host, port) = match text.rsplit_once(':') {
        Some((_, _)) if strip_port(text) != text => (strip_port(text), text.rsplit_once(':').map(|(_, port)| port)),
        _ => (text, None),
    };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if bare.parse::<core::net::IpAddr>().is_ok() {
        return text.to_owned();
    }
    let host = host.split('.').next().unwrap_or(host);
    port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn html(text: &str) -> String {
    text.chars().fold(String::new(), |mut out, c| {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&#34;",
            '\'' => out += "&#39;",
            c => out.push(c),
        }
        out
    })
}

fn url_query(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            byte => push(&mut out, format_args!("%{byte:02X}")),
        }
        out
    })
}

fn four(value: f64) -> String {
    general(value, Some(4))
}

fn scaled(mut value: f64, signs: &[&'static str], enough: impl Fn(f64) -> bool, by: f64) -> (f64, &'static str) {
    let mut sign = "";
    for next in signs {
        if enough(value.abs()) {
            break;
        }
        sign = next;
        value *= by;
    }
    (value, sign)
}

fn humanize(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return four(value);
    }
    // Dividing, as Prometheus does: multiplying by 0.001 rounds otherwise.
    let (value, sign) = if value.abs() >= 1.0 {
        divided(value, LARGE, 1000.0)
    } else {
        scaled(value, SMALL, |size| size >= 1.0, 1000.0)
    };
    four(value) + sign
}

fn divided(mut value: f64, signs: &[&'static str], by: f64) -> (f64, &'static str) {
    let mut sign = "";
    for next in signs {
        if value.abs() < by {
            break;
        }
        sign = next;
        value /= by;
    }
    (value, sign)
}

fn humanize_1024(value: f64) -> String {
    if value.abs() <= 1.0 || !value.is_finite() {
        return four(value);
    }
    let (value, sign) = divided(value, BINARY, 1024.0);
    four(value) + sign
}

fn humanize_duration(value: f64) -> String {
    if !value.is_finite() {
        return four(value);
    }
    if value == 0.0 {
        return four(value) + "s";
    }
    if value.abs() < 1.0 {
        let (value, sign) = scaled(value, SMALL, |size| size >= 1.0, 1000.0);
        return four(value) + sign + "s";
    }
    let sign = if value < 0.0 { "-" } else { "" };
    let size = value.abs();
    // Beyond 63 bits nobody counts days; the bound keeps the whole number exact.
    let whole = size.trunc().min(9.0e18);
    let part = |unit: f64, of: f64| (whole / unit).trunc() % of;
    let (days, hours, minutes, seconds) =
        ((whole / 86_400.0).trunc(), part(3_600.0, 24.0), part(60.0, 60.0), whole % 60.0);
    match () {
        () if days != 0.0 => format!("{sign}{days}d {hours}h {minutes}m {seconds}s"),
        () if hours != 0.0 => format!("{sign}{hours}h {minutes}m {seconds}s"),
        () if minutes != 0.0 => format!("{sign}{minutes}m {seconds}s"),
        () => format!("{sign}{}s", four(size)),
    }
}

fn percentage(value: f64) -> String {
    four(value * 100.0) + "%"
}

/// As Go prints a time: `2015-03-04 00:00:00 +0000 UTC`, milliseconds where there are some.
fn timestamp(value: f64) -> Result<String, Fail> {
    if !value.is_finite() {
        return Ok(four(value));
    }
    let nanos = value * 1e9;
    if nanos.abs() > 9.223_372_036_854_775e18 {
        return Err(Fail);
    }
    #[expect(clippy::cast_possible_truncation, reason = "bounded the line above; whole milliseconds are what is shown")]
    let millis = (nanos as i64) / 1_000_000;
    let at = jiff::Timestamp::from_millisecond(millis).map_err(|_| Fail)?;
    let fraction = match millis.rem_euclid(1_000) {
        0 => String::new(),
        rest => format!(".{rest:03}").trim_end_matches('0').to_owned(),
    };
    Ok(format!("{}{fraction} +0000 UTC", at.strftime("%Y-%m-%d %H:%M:%S")))
}
