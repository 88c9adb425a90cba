//! Whom to call: the one that the alert of now asks for first, then the others.

use super::sheet::sheet;
use crate::app::Model;
use crate::app::contacts;
use crate::base::{Clean, Contact};
use crate::clean;
use crate::config::Intent;
use crate::ui::paint::Painter;
use ratatui::layout::Rect;

/// Draws the cards with the selected one marked.
pub fn draw(paint: &mut Painter<'_>, body: Rect, model: &Model, selected: usize) {
    let cards = contacts::ordered(model);
    let asked = contacts::next(model).map(|contact| contact.name.clone());
    let height = u16::try_from(cards.len().max(1) * 3).unwrap_or(u16::MAX).saturating_sub(1);
    let inner = sheet(paint, body, height, &clean!(" CONTACTS "), &clean!(" {} ", tail(model)));
    if cards.is_empty() {
        let none = "This profile lists no contact: add [[contacts]] with name, role, level, phone.";
        paint.put((inner.x, inner.y), inner.width, none, Intent::Muted);
    }
    let room = usize::from(inner.height.saturating_add(1) / 3).max(1);
    let first = selected.saturating_sub(room - 1);
    for (at, card) in cards.iter().enumerate().skip(first).take(room) {
        let y = inner.y + u16::try_from((at - first) * 3).unwrap_or(0);
        let next = asked.as_ref() == Some(&card.name);
        draw_card(paint, Rect { y, height: 2.min(inner.bottom() - y), ..inner }, card, at == selected, next);
    }
}

fn tail(model: &Model) -> Clean {
    match model.current_alert() {
        Some(found) => clean!("for {}", crate::app::answer::name(model, found.id.rule)),
        None => Clean::text("no alert"),
    }
}

fn draw_card(paint: &mut Painter<'_>, area: Rect, card: &Contact, selected: bool, next: bool) {
    let mark = if selected { "▸ " } else { "  " };
    let name = if selected { Intent::Selection } else { Intent::Title };
    let mut head = vec![
        paint.piece(mark, Intent::Accent),
        paint.piece(&card.level, Intent::Value),
        paint.piece("  ", Intent::Text),
        paint.piece(&card.name, name),
        paint.piece(clean!("  {}", card.role), Intent::Text),
    ];
    if next {
        head.push(paint.piece("  next for this alert", Intent::Accent));
    }
    paint.line((area.x, area.y), area.width, &head);
    let ways: Vec<&str> = card.ways().map(Clean::as_str).collect();
    if area.height > 1 {
        paint.put(
            (area.x + 6, area.y + 1),
            area.width.saturating_sub(6),
            clean!("{}", ways.join("   ")),
            Intent::Value,
        );
    }
}
