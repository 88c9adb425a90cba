//! The profiles in the binary.

use super::ProcedureSpec;
use crate::base::Fault;
use crate::base::body::nearest;
use std::path::PathBuf;

/// The profile of any host.
pub const HOST: &str = "host";
/// The same, with its ports asked for metrics.
pub const DISCOVER: &str = "discover";
/// Name and text of each.
pub const PROFILES: &[(&str, &str)] = &[
    (HOST, include_str!("../../profiles/host/profile.toml")),
    (DISCOVER, include_str!("../../profiles/discover/profile.toml")),
];

/// Profile, name and text of every procedure in the binary.
pub const PROCEDURES: &[(&str, &str, &str)] = &[];

fn procedures(profile: &str) -> Vec<ProcedureSpec> {
    let own = PROCEDURES.iter().filter(|(of, ..)| *of == profile);
    own.map(|(_, id, text)| ProcedureSpec::built_in(id, text)).collect()
}

/// A profile's text with where it came from.
#[derive(Clone, Debug, Default)]
pub(super) struct Origin {
    pub name: String,
    /// How faults name it.
    pub file: String,
    pub path: Option<PathBuf>,
    pub text: String,
    pub distrust: Option<Fault>,
    pub procedures: Vec<ProcedureSpec>,
    /// Of procedures that cannot be read.
    pub faults: Vec<Fault>,
}

/// A profile in the binary.
pub(super) fn profile(name: &str) -> Result<Origin, Fault> {
    let names = PROFILES.iter().map(|(known, _)| *known);
    let (name, text) = PROFILES
        .iter()
        .find(|(known, _)| *known == name)
        .ok_or_else(|| Fault::new(format!("there is no built-in profile `{name}`.")).hint(nearest(name, names)))?;
    Ok(Origin {
        name: (*name).to_owned(),
        file: format!("built-in {name}"),
        text: (*text).to_owned(),
        procedures: procedures(name),
        ..Origin::default()
    })
}
