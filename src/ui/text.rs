//! A screen or a chart as plain lines: for terminals that cannot show one, for `query`, and for tests.

use super::chart;
use super::paint::Painter;
use super::screen::draw;
use crate::app::Model;
use crate::base::Unit;
use crate::config::{Intent, Theme};
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;

/// The screen of the model's size, a line each, without trailing blanks.
pub fn lines(model: &Model, theme: &Theme, ascii: bool) -> Vec<String> {
    let (width, height) = model.size;
    let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
    draw(model, theme, ascii, &mut buffer);
    rows(&buffer)
}

/// A chart of these columns, so many lines high, without trailing blanks.
pub fn chart(columns: &[Option<f64>], height: u16, unit: Unit, theme: &Theme, ascii: bool) -> Vec<String> {
    let area = Rect::new(0, 0, u16::try_from(columns.len()).unwrap_or(u16::MAX), height);
    let mut buffer = Buffer::empty(area);
    chart::chart(&mut Painter::new(&mut buffer, theme, ascii), area, columns, unit, None, Intent::Chart);
    rows(&buffer)
}

fn rows(buffer: &Buffer) -> Vec<String> {
    let row = |y: u16| {
        let cells = (0..buffer.area.width).filter_map(|x| buffer.cell((x, y)));
        cells.map(Cell::symbol).collect::<String>().trim_end().to_owned()
    };
    (0..buffer.area.height).map(row).collect()
}
