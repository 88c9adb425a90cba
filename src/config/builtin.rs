//! The profiles in the binary: the folder `profiles` as it is.

use super::ProcedureSpec;
use super::judging::RulesBeside;
use crate::base::Fault;
use crate::base::body::nearest;
use include_dir::{Dir, include_dir};
use std::path::PathBuf;

/// The profile of any host.
pub const HOST: &str = "host";
/// The same, with its ports asked for metrics.
pub const DISCOVER: &str = "discover";
/// Before the name of a file in the binary.
const SHIPPED: &str = "built-in ";
/// What the demo makes its own profile of: no profile by itself.
const TEMPLATE: &str = "demo";

static FOLDER: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/profiles");

/// A profile's text with where it came from.
#[derive(Clone, Debug, Default)]
pub(super) struct Origin {
    pub name: String,
    /// How faults name it.
    pub file: String,
    pub path: Option<PathBuf>,
    pub text: String,
    pub rules_beside: Option<RulesBeside>,
    pub distrust: Option<Fault>,
    pub procedures: Vec<ProcedureSpec>,
    /// Of procedures that cannot be read.
    pub faults: Vec<Fault>,
}

/// Whether a file of this name is one in the binary.
pub fn is_within(file: &str) -> bool {
    file.starts_with(SHIPPED)
}

/// The name of each, in alphabetical order.
pub fn names() -> Vec<&'static str> {
    let mut names: Vec<_> =
        FOLDER.dirs().filter_map(|dir| dir.path().to_str()).filter(|name| *name != TEMPLATE).collect();
    names.sort_unstable();
    names
}

/// The text of a file of a profile, by its path in the folder.
pub fn file(path: &str) -> Option<&'static str> {
    FOLDER.get_file(path).and_then(include_dir::File::contents_utf8)
}

/// A profile in the binary.
pub(super) fn profile(name: &str) -> Result<Origin, Fault> {
    let text = names().contains(&name).then(|| file(&format!("{name}/profile.toml"))).flatten().ok_or_else(|| {
        Fault::new(format!("there is no built-in profile `{name}`.")).hint(nearest(name, names().into_iter()))
    })?;
    Ok(Origin {
        name: name.to_owned(),
        file: format!("{SHIPPED}{name}"),
        text: text.to_owned(),
        rules_beside: Some(RulesBeside::BuiltIn(name.to_owned())),
        procedures: procedures(name),
        ..Origin::default()
    })
}

fn procedures(profile: &str) -> Vec<ProcedureSpec> {
    let folder = FOLDER.get_dir(format!("{profile}/procedures"));
    let files = folder.into_iter().flat_map(Dir::files);
    let mut specs: Vec<_> = files
        .filter_map(|file| Some((file.path().file_stem()?.to_str()?, file.contents_utf8()?)))
        .map(|(id, text)| ProcedureSpec::built_in(id, text))
        .collect();
    specs.sort_by(|a, b| a.id.cmp(&b.id));
    specs
}
