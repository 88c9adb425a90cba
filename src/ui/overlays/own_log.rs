//! Our own log, through tui-logger's widget.

use super::sheet::sheet;
use crate::app::Model;
use crate::clean;
use crate::config::Intent;
use crate::ui::paint::Painter;
use ratatui::layout::Rect;
use ratatui::widgets::Widget;
use tui_logger::{TuiLoggerLevelOutput, TuiLoggerWidget};

/// Draws the newest events of this console itself.
pub fn draw(paint: &mut Painter<'_>, body: Rect, _model: &Model) {
    let inner = sheet(paint, body, body.height, &clean!(" WATCHKEEPER'S OWN LOG "), &clean!(" Esc "));
    TuiLoggerWidget::default()
        .output_separator(' ')
        .output_timestamp(Some("%H:%M:%S".to_owned()))
        .output_level(Some(TuiLoggerLevelOutput::Long))
        .output_file(false)
        .output_line(false)
        .style(paint.style(Intent::Text))
        .style_error(paint.style(Intent::Critical))
        .style_warn(paint.style(Intent::Warning))
        .style_info(paint.style(Intent::Text))
        .render(inner, paint.buffer);
}
