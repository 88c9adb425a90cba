//! logfmt: nothing but `key=value`, as Go's loggers and Prometheus write it.

use super::pairs::Pairs;
use super::parts::Parts;
use super::time::written;
use crate::base::LogLevel;
use std::borrow::Cow;

const TIME: [&str; 4] = ["time", "ts", "timestamp", "t"];
const LEVEL: [&str; 3] = ["level", "lvl", "severity"];
const MESSAGE: [&str; 2] = ["msg", "message"];

pub(in crate::logs) fn logfmt(text: &str) -> Option<Parts<'_>> {
    let mut pairs = Pairs::new(text);
    let mut parts = Parts::default();
    let mut shown = String::new();
    for (name, value) in &mut pairs {
        if TIME.contains(&name)
            && parts.time.is_none()
            && let Some(time) = written(&value)
        {
            parts.time = Some(time);
        } else if LEVEL.contains(&name)
            && parts.level.is_none()
            && let Some(level) = LogLevel::parse(&value)
        {
            parts.level = Some(level);
        } else if MESSAGE.contains(&name) && parts.message.is_empty() {
            parts.message = value;
        } else {
            show(&mut shown, name, &value, true);
            parts.fields.push((name.into(), value));
        }
    }
    let known = usize::from(parts.time.is_some()) + usize::from(parts.level.is_some());
    if !pairs.only || known + parts.fields.len() + usize::from(!parts.message.is_empty()) < 2 {
        return None;
    }
    parts.shown = match (parts.message.is_empty(), shown.is_empty()) {
        (_, true) => parts.message.clone(),
        (true, false) => shown.into(),
        (false, false) => Cow::Owned(format!("{} {shown}", parts.message)),
    };
    Some(parts)
}

/// Adds a field as it is shown: quoted where it must be.
pub(super) fn show(to: &mut String, name: &str, value: &str, is_text: bool) {
    if !to.is_empty() {
        to.push(' ');
    }
    to.push_str(name);
    to.push('=');
    let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '"' | '=');
    let simple = !value.is_empty() && !value.starts_with(['{', '[']) && !value.contains(odd);
    if simple || !is_text {
        to.push_str(value);
    } else {
        to.push_str(&serde_json::Value::from(value).to_string());
    }
}
