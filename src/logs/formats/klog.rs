//! Go's klog and glog: `E1121 03:12:47.123456   1234 file.go:12] message`.

use super::level::first_word;
use super::parts::Parts;
use super::time::of_klog;
use crate::base::LogLevel;

pub(in crate::logs) fn klog(text: &str) -> Option<Parts<'_>> {
    let level = match text.as_bytes().first()? {
        b'I' => LogLevel::Info,
        b'W' => LogLevel::Warn,
        b'E' | b'F' => LogLevel::Error,
        _ => return None,
    };
    let (time, rest) = of_klog(text.get(1..)?)?;
    let (head, message) = rest.split_once("] ").or_else(|| Some((rest.strip_suffix(']')?, "")))?;
    let (thread, place) = first_word(head)?;
    thread.parse::<u64>().ok()?;
    Some(Parts::words(Some(time), Some(level), message, rest.trim_start()).with("thread", thread).with("file", place))
}
