//! Themes and keymaps: where they are looked for. They change how things look and which key asks, nothing else,
//! so that under sudo the caller's own files count too (safety.md 4.8, 5).

use super::load::{SearchPath, check_file_name};
use super::theme::{Depth, Theme};
use crate::base::body::nearest;
use crate::base::{Body, Fault};
use crate::sys::trust::{self, Owners};
use std::path::Path;

/// The themes in the binary.
pub const THEMES: &[(&str, &str)] = &[
    (DEFAULT, include_str!("../../themes/default.toml")),
    ("high-contrast", include_str!("../../themes/high-contrast.toml")),
    ("mono", include_str!("../../themes/mono.toml")),
];
/// The keymaps in the binary.
pub const KEYMAPS: &[(&str, &str)] = &[(DEFAULT, include_str!("../../keymaps/default.toml"))];
/// What everything is laid over.
pub const DEFAULT: &str = "default";
/// How deep `inherits` may go.
const DEPTH_LIMIT: usize = 4;

/// The theme with this name over what it inherits over the default. Always a theme; what is wrong comes beside it.
pub fn load_theme(name: &str, depth: Depth, search: &SearchPath) -> (Theme, Vec<Fault>) {
    let mut faults = Vec::new();
    let mut layers: Vec<Body> = Vec::new();
    let mut next = Some(name.to_owned());
    while let Some(name) = next.take() {
        let wanted = find(&name, "themes", THEMES, search).and_then(|body| {
            // A user's own `default` inherits the built-in one.
            let again = layers.iter().any(|layer| layer.file() == body.file());
            if again { built_in(&name, THEMES) } else { Ok(body) }
        });
        match wanted {
            Ok(body) if layers.iter().any(|layer| layer.file() == body.file()) || layers.len() >= DEPTH_LIMIT => {
                let what =
                    format!("`{name}` is inherited in a circle or more than {DEPTH_LIMIT} deep; it is left out.");
                faults.push(body.fault(what));
            }
            Ok(body) => {
                next = body.clone().take("inherits").ok().flatten();
                layers.push(body);
            }
            Err(fault) => faults.push(fault),
        }
    }
    let default = built_in(DEFAULT, THEMES).ok();
    layers.extend(default.filter(|default| layers.iter().all(|layer| layer.file() != default.file())));
    layers.reverse();
    let (theme, more) = Theme::merge(&layers, depth);
    faults.extend(more);
    (theme, faults)
}

/// The files of the keymap with this name, the complete default first, for `input::Keymap::merge`.
pub fn load_keymap(name: &str, search: &SearchPath) -> (Vec<Body>, Vec<Fault>) {
    let (mut layers, mut faults) = (Vec::new(), Vec::new());
    match built_in(DEFAULT, KEYMAPS) {
        Ok(default) => layers.push(default),
        Err(fault) => faults.push(fault),
    }
    match find(name, "keymaps", KEYMAPS, search) {
        Ok(own) if layers.iter().all(|layer| layer.file() != own.file()) => layers.push(own),
        Ok(_) => {}
        Err(fault) => faults.push(fault),
    }
    (layers, faults)
}

/// The first on the search path, else built in. A file that fails the rules of trust is not used.
fn find(name: &str, folder: &str, known: &[(&str, &str)], search: &SearchPath) -> Result<Body, Fault> {
    check_file_name(name)?;
    let Some(file) = search.find(&Path::new(folder).join(format!("{name}.toml"))) else {
        return built_in(name, known);
    };
    let content = trust::read(&file, Owners::effective().and(search.guest))?;
    match content.distrust {
        Some(fault) => Err(Fault { what: Fault::new(format!("{} The file is not used.", fault.what)).what, ..fault }),
        None => Body::parse(file.to_string_lossy(), &content.text),
    }
}

fn built_in(name: &str, known: &[(&str, &str)]) -> Result<Body, Fault> {
    let missing = || {
        Fault::new(format!("there is no built-in `{name}`.")).hint(nearest(name, known.iter().map(|(name, _)| *name)))
    };
    let (_, text) = known.iter().find(|(known, _)| *known == name).ok_or_else(missing)?;
    Body::parse(format!("built-in {name}"), text)
}
