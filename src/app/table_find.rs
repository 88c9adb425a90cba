//! Finding rows of a zoomed table: by `/` only those stay whose name has every word that is typed.

use super::form::Line;
use super::model::{Model, Overlay};
use crate::base::Level;
use crate::clean;
use crate::command::{Command, Context};
use crate::input::{Press, press};
use crate::term::Input;

/// Whether keys go to what is looked for.
pub(super) fn types(model: &Model) -> bool {
    matches!(model.overlay, Overlay::None) && model.board.finding().is_some()
}

/// Begins to look for rows of the table that fills the screen.
pub(super) fn begin(model: &mut Model) {
    if model.board.table_fills() {
        model.board.find = Some(Line::default());
        return;
    }
    let zoom = model.keymap.keys_for(Context::Triage, Command::Zoom).unwrap_or_default();
    let text = clean!("Rows of a table are found once it fills the screen: focus it, then {zoom}.");
    model.session.say(text, Level::Note, model.now);
}

/// Keys while something is looked for: letters narrow the rows, Esc shows all of them again.
pub(super) fn on_input(model: &mut Model, input: &Input) {
    let Some(find) = &mut model.board.find else { return };
    match input {
        Input::Paste { text, .. } => find.insert(text.as_str()),
        Input::Key(key) => match press(key) {
            Press::Cancel => model.board.find = None,
            other => find.edit(other),
        },
        _ => {}
    }
}
