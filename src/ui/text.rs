//! A screen as plain lines: for terminals that cannot show one, and for tests.

use super::screen::draw;
use crate::app::Model;
use crate::config::Theme;
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;

/// The screen of the model's size, a line each, without trailing blanks.
pub fn lines(model: &Model, theme: &Theme, ascii: bool) -> Vec<String> {
    let (width, height) = model.size;
    let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
    draw(model, theme, ascii, &mut buffer);
    let row = |y: u16| {
        let cells = (0..width).filter_map(|x| buffer.cell((x, y)));
        cells.map(Cell::symbol).collect::<String>().trim_end().to_owned()
    };
    (0..height).map(row).collect()
}
