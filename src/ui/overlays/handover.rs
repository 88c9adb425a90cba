//! The handover card, as it lies on the clipboard and in its file.

use super::sheet::sheet;
use crate::app::incident::Handover;
use crate::base::Clean;
use crate::clean;
use crate::config::Intent;
use crate::ui::paint::Painter;
use crate::ui::value::wrap;
use ratatui::layout::Rect;

/// Draws the card and says where it is kept.
pub fn draw(paint: &mut Painter<'_>, body: Rect, card: &Handover) {
    let width = body.width.saturating_sub(4).min(96);
    let (told, intent) = match &card.kept {
        None => (Clean::from("Its file is being written."), Intent::Muted),
        Some(Ok(path)) => (clean!("On the clipboard, where the terminal takes it, and in {path}"), Intent::Ok),
        Some(Err(fault)) => (clean!("It is in no file: {fault}"), Intent::Warning),
    };
    let told = wrap(&told, width, 3);
    let height = u16::try_from(card.lines.len() + 1 + told.len()).unwrap_or(u16::MAX);
    let inner = sheet(paint, body, height, &clean!(" HANDOVER "), &clean!(" Esc "));
    // The foot is never lost to a small screen.
    let foot = inner.bottom().saturating_sub(u16::try_from(told.len()).unwrap_or(0)).max(inner.y);
    for (y, line) in (inner.top()..foot).zip(&card.lines) {
        let word =
            line.as_str().get(..9).filter(|word| word.bytes().all(|byte| byte == b' ' || byte.is_ascii_uppercase()));
        let after = word.map_or(0, |word| paint.put((inner.x, y), 9, Clean::text(word), Intent::Title) - inner.x);
        let rest = line.as_str().get(word.map_or(0, str::len)..).unwrap_or_default();
        paint.put((inner.x + after, y), inner.width.saturating_sub(after), Clean::text(rest), Intent::Text);
    }
    for (y, line) in (foot..inner.bottom()).zip(told) {
        paint.put((inner.x, y), inner.width, line, intent);
    }
}
