//! How a value is said: number with unit, level word, age. Unknown, stale, not supported and zero look different.

use super::paint::{Painter, Piece};
use crate::app::{Metric, Model, Shown};
use crate::base::time::{Age, Span, Zone};
use crate::base::{Clean, Freshness, Level, Now, Reading, Unit, Unknown};
use crate::clean;
use crate::config::Intent;
use crate::rules::forecast::Forecast;
use crate::store::Selector;
use core::time::Duration;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// `14.2 µs CRITICAL 1s`, `— STALE 41s`, `? UNKNOWN`, `not supported`.
pub fn headline<'a>(paint: &Painter<'_>, metric: &Metric, now: Now) -> Vec<Piece<'a>> {
    let shown = &metric.shown;
    match &shown.reading {
        Reading::NotSupported => vec![paint.piece("not supported", Intent::Muted)],
        Reading::Unknown(_) => vec![paint.piece("? UNKNOWN", Intent::Unknown)],
        Reading::Value { value, seen, .. } => {
            let age = clean!(" {:>3}", Age(now.mono.since(*seen)).to_string());
            let freshness = shown.freshness(now.mono);
            if freshness >= Freshness::Stale {
                return vec![paint.piece("— STALE", Intent::Stale), paint.piece(age, Intent::Stale)];
            }
            let level = shown.level_now(now.mono);
            let mut pieces = vec![paint.piece(number(metric, *value), strong(level))];
            if metric.bands.is_some() {
                pieces.push(paint.piece(" ", Intent::Text));
                pieces.push(paint.piece(level.word(), Intent::of(level)));
            }
            pieces.extend(coverage(paint, shown));
            if freshness == Freshness::Late {
                pieces.push(paint.piece(" LATE", Intent::Stale));
            }
            pieces.push(paint.piece(age, Intent::Muted));
            pieces
        }
    }
}

/// `memory 23.1 / 24.0 GiB WARNING`; LATE and its age only where the pane as a whole, at `shared`, is fresher.
pub fn detail<'a>(paint: &Painter<'_>, metric: &'a Metric, now: Now, shared: Freshness) -> Vec<Piece<'a>> {
    let shown = &metric.shown;
    let mut pieces = vec![paint.piece(&metric.label, Intent::Muted), paint.piece(" ", Intent::Muted)];
    match (&shown.reading, shown.freshness(now.mono)) {
        (Reading::NotSupported, _) => pieces.push(paint.piece("none", Intent::Muted)),
        (Reading::Unknown(_), _) => pieces.push(paint.piece("?", Intent::Unknown)),
        (Reading::Value { seen, .. }, Freshness::Stale | Freshness::Failed | Freshness::Unknown) => {
            pieces.push(paint.piece(clean!("— STALE {}", Age(now.mono.since(*seen))), Intent::Stale));
        }
        (Reading::Value { value, seen, .. }, freshness) => {
            let level = shown.level_now(now.mono);
            pieces.push(paint.piece(number(metric, *value), strong(level)));
            if metric.bands.is_some() {
                pieces.push(paint.piece(" ", Intent::Text));
                pieces.push(paint.piece(level.word(), Intent::of(level)));
            }
            pieces.extend(coverage(paint, shown));
            if freshness > shared {
                pieces.push(paint.piece(clean!(" LATE {}", Age(now.mono.since(*seen))), Intent::Stale));
            }
        }
    }
    if let Some(which) = &shown.which {
        pieces.push(paint.piece(" ", Intent::Muted));
        pieces.push(paint.piece(which, Intent::Muted));
    }
    if let Some(text) = forecast(metric) {
        pieces.push(paint.piece(clean!(" {text}"), Intent::Note));
    }
    pieces
}

/// ` 10 s of 5 m`, while a window is not recorded whole: the value rests on that much only.
fn coverage<'a>(paint: &Painter<'_>, shown: &Shown) -> Option<Piece<'a>> {
    let coverage = shown.coverage?;
    Some(paint.piece(clean!(" {} of {}", brief(coverage.have), brief(coverage.want)), Intent::Note))
}

/// A span in one unit, as expressions write it: `10 s`, `5 m`, `24 h`.
fn brief(span: Duration) -> String {
    match span.as_secs() {
        s if s >= 7_200 || s > 0 && s.is_multiple_of(3_600) => format!("{} h", s / 3_600),
        s if s >= 120 || s > 0 && s.is_multiple_of(60) => format!("{} m", s / 60),
        s => format!("{s} s"),
    }
}

/// `full in 38 min (±6)`: when the value reaches its limit, if it tends to it steadily and is fresh.
pub fn forecast(metric: &Metric) -> Option<Clean> {
    let Forecast { limit, after, margin } =
        metric.shown.forecast.filter(|_| metric.shown.reading.usable().is_some())?;
    let full = match metric.unit {
        Unit::Ratio => 1.0,
        Unit::Percent => 100.0,
        _ => f64::NAN,
    };
    #[expect(clippy::float_cmp, reason = "a limit as it was written")]
    let what = if limit == full { "full".to_owned() } else { format!("at {}", metric.unit.show(limit)) };
    let (size, unit) = match after.as_secs() {
        0..120 => (1, "s"),
        120..7_200 => (60, "min"),
        _ => (3_600, "h"),
    };
    let (after, margin) = ((after.as_secs() + size / 2) / size, margin.as_secs().div_ceil(size).max(1));
    Some(clean!("{what} in {after} {unit} (±{margin})"))
}

/// `SLOWED ×2 own cost`: all intervals are longer than the profile says; the own-cost pane says why.
pub fn slowed(model: &Model) -> Option<Clean> {
    let mut found = model.store.select(&Selector::metric("watchkeeper_interval_factor")).into_iter();
    let (id, factor) = found.find_map(|id| Some((id, model.store.reading(id, model.now.mono).usable()?)))?;
    let why = model.store.key(id).label("why").map_or("", Clean::as_str);
    (factor > 1.0).then(|| Clean::text(format!("SLOWED ×{factor} {why}").trim_end()))
}

/// Why the headline has no value to show, as a sentence; `None` while it has one.
pub fn absence(metric: &Metric, now: Now, zone: Zone) -> Option<Clean> {
    let shown = &metric.shown;
    match &shown.reading {
        Reading::NotSupported => {
            Some(shown.trouble.clone().unwrap_or_else(|| Clean::text("This host does not offer it.")))
        }
        Reading::Unknown(why) => {
            let trouble = shown.trouble.as_ref().filter(|_| matches!(why, Unknown::Failed(_)));
            Some(with_retry(trouble.unwrap_or(&unknown(why)).as_str(), shown, now))
        }
        Reading::Value { value, seen, failing, .. } if shown.freshness(now.mono) >= Freshness::Stale => {
            let age = now.mono.since(*seen);
            let at = now.wall.back(age);
            let why = failing.as_ref().map_or("no answer since.", Clean::as_str);
            Some(with_retry(&format!("last {} at {}; {why}", number(metric, *value), at.hms_in(zone)), shown, now))
        }
        Reading::Value { .. } => None,
    }
}

/// Why nothing stands where something may be absent.
pub fn never(absent: &Clean) -> Clean {
    clean!("{absent}: its source answers, and has none of it.")
}

/// Why the headline's source gives nothing new, and since when; `None` while it does, or where there is no value.
pub fn lateness(metric: &Metric, now: Now, zone: Zone) -> Option<Clean> {
    let Reading::Value { seen, .. } = &metric.shown.reading else { return None };
    let trouble = metric.shown.trouble.clone();
    match metric.shown.freshness(now.mono) {
        // The value is what a failed attempt measured.
        Freshness::Live => trouble,
        Freshness::Late => Some(
            trouble.unwrap_or_else(|| clean!("no answer since {}.", now.wall.back(now.mono.since(*seen)).hms_in(zone))),
        ),
        _ => None,
    }
}

pub use crate::app::trouble::why as unknown;

fn with_retry(why: &str, shown: &Shown, now: Now) -> Clean {
    match shown.next_attempt {
        Some(next) if next > now.mono => clean!("{why} Next try in {}.", Age(next.since(now.mono))),
        _ => Clean::text(why),
    }
}

/// Number and unit, with its total when there is one; a shared unit is said once.
fn number(metric: &Metric, value: f64) -> Clean {
    if let Some(word) = metric.words.as_ref().and_then(|words| words.of(value)) {
        return word.clone();
    }
    let Some(total) = metric.shown.of else { return Clean::text(metric.unit.show(value)) };
    let ((part, sign), (whole, total_sign)) = (metric.unit.parts(value), metric.unit.parts(total));
    if sign == total_sign { clean!("{part} / {whole} {sign}") } else { clean!("{part} {sign} / {whole} {total_sign}") }
}

fn strong(level: Level) -> Intent {
    match level {
        Level::Warning | Level::Critical => Intent::of(level),
        _ => Intent::Value,
    }
}

/// `2:41` since a moment.
pub fn since(now: Now, then: Now) -> Clean {
    clean!("{}", Span(now.mono.since(then.mono)))
}

/// Breaks a text into at most `lines` lines of `width` columns, at spaces where it can; the rest stays on the last.
/// A word wider than a line is broken: nothing of a path may be lost.
pub fn wrap(text: &Clean, width: u16, lines: usize) -> Vec<Clean> {
    let width = usize::from(width.max(1));
    let mut out: Vec<String> = vec![String::new()];
    for word in text.as_str().split(' ') {
        for (at, part) in parts(word, width).into_iter().enumerate() {
            let full = out.len() >= lines;
            let Some(line) = out.last_mut() else { break };
            let gap = usize::from(at == 0 && !line.is_empty());
            if line.is_empty() || full || line.width() + gap + part.width() <= width {
                line.push_str(if gap == 1 { " " } else { "" });
                line.push_str(&part);
            } else {
                out.push(part);
            }
        }
    }
    out.into_iter().map(Clean::text).collect()
}

/// All of a text: its own indent stays, and what does not fit its first line stands two columns further in.
pub fn hang(text: &Clean, width: u16) -> Vec<Clean> {
    let words = text.as_str().trim_start_matches(' ');
    let indent = (text.as_str().len() - words.len()).min(usize::from(width / 2));
    let room = |more: usize| width.saturating_sub(u16::try_from(indent + more).unwrap_or(width));
    let words = Clean::text(words);
    let whole = wrap(&words, room(0), usize::MAX);
    let lines = if whole.len() > 1 { wrap(&words, room(2), usize::MAX) } else { whole };
    let before = |at: usize| " ".repeat(if at == 0 { indent } else { indent + 2 });
    lines.into_iter().enumerate().map(|(at, line)| clean!("{}{line}", before(at))).collect()
}

/// Behind a name whose figures are ours and no guide's. It stays, however short the name becomes.
const OURS: (&str, &str) = (" (default)", " (def)");
/// So many columns of a name say which it is, and fewer than the second say nothing.
const NAME: (usize, usize) = (10, 4);

/// A text of at most `width` columns; an ellipsis stands for what is missing. What a name is marked with stays.
pub fn shorten(text: &Clean, width: u16) -> Clean {
    let width = usize::from(width);
    if text.as_str().width() <= width {
        return text.clone();
    }
    let Some(name) = text.as_str().strip_suffix(OURS.0) else { return cut(text.as_str(), width) };
    let brief = name.width() + OURS.1.len() <= width || width < NAME.0 + OURS.0.len();
    let mark = if brief { OURS.1 } else { OURS.0 };
    match width.checked_sub(mark.len()).filter(|room| *room >= NAME.1) {
        Some(room) => clean!("{}{mark}", cut(name, room)),
        None => cut(text.as_str(), width),
    }
}

fn cut(text: &str, width: usize) -> Clean {
    if text.width() <= width {
        return Clean::text(text);
    }
    let mut out = String::new();
    for grapheme in text.graphemes(true) {
        if out.width() + grapheme.width() + 1 > width {
            break;
        }
        out.push_str(grapheme);
    }
    if width > 0 {
        out.push('…');
    }
    Clean::text(out)
}

/// A word in pieces that each fit a line: of a path whole names, where that leaves no line half empty.
fn parts(word: &str, width: usize) -> Vec<String> {
    let mut parts = vec![String::new()];
    for grapheme in word.graphemes(true) {
        let Some(part) = parts.last_mut() else { break };
        if part.is_empty() || part.width() + grapheme.width() <= width {
            part.push_str(grapheme);
            continue;
        }
        let behind = part.rfind('/').map_or(0, |at| at + 1);
        let mut next = if behind * 2 > width { part.split_off(behind) } else { String::new() };
        next.push_str(grapheme);
        parts.push(next);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_breaks_at_spaces_and_keeps_all_its_words() {
        let text = Clean::text("connection refused by 127.0.0.1:6379, next try in 8s");
        let lines = wrap(&text, 22, 2);
        assert_eq!(lines[0].as_str(), "connection refused by");
        assert_eq!(lines[1].as_str(), "127.0.0.1:6379, next try in 8s");
    }

    #[test]
    fn a_paragraph_keeps_its_indent_and_its_later_lines_hang() {
        let lines =
            |text: &str| hang(&Clean::text(text), 20).iter().map(|line| line.as_str().to_owned()).collect::<Vec<_>>();
        assert_eq!(lines("systemctl restart a"), ["systemctl restart a"]);
        assert_eq!(lines("  12 would be drained"), ["  12 would be", "    drained"]);
        assert_eq!(lines("one two three four five"), ["one two three four", "  five"]);
    }

    #[test]
    fn a_shortened_text_says_that_it_is() {
        let text = Clean::text("interference");
        let at = |width| shorten(&text, width).as_str().to_owned();
        assert_eq!([at(12), at(6), at(1), at(0)], ["interference", "inter…", "…", ""]);
    }

    #[test]
    fn a_name_is_cut_before_the_mark_that_its_figures_are_ours() {
        let at = |text: &str, width| shorten(&Clean::text(text), width).as_str().to_owned();
        assert_eq!(at("GPU 0 (default)", 15), "GPU 0 (default)");
        assert_eq!(at("GPU 0 (default)", 14), "GPU 0 (def)");
        assert_eq!(at("Room for the map (default)", 22), "Room for the map (def)");
        assert_eq!(at("Room for the map (default)", 21), "Room for t… (default)");
        assert_eq!(at("Room for the map (default)", 15), "Room for… (def)");
        assert_eq!(at("Room for the map (default)", 10), "Roo… (def)");
        assert_eq!(at("Room for the map (default)", 9), "Room for…", "no room for both");
    }

    #[test]
    fn a_path_wider_than_the_line_is_broken_and_loses_nothing() {
        let path = "/var/lib/watchkeeper/actions/01M7Y7877V3T34XY8C9E0VN/backup/production.toml";
        let lines = wrap(&clean!("put back {path} then restart"), 30, 8);
        assert!(lines.iter().all(|line| line.as_str().len() <= 30), "{lines:?}");
        let joined: String = lines.iter().map(Clean::as_str).collect();
        assert!(joined.contains(path), "{lines:?}");
        let lines = wrap(&Clean::text(path), 66, 8);
        assert_eq!(lines[1].as_str(), "production.toml", "a name stays whole");
    }
}
