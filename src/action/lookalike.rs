//! Names that a person could take for others: they make a prompt heavier, and stand in it by their numbers (safety.md 4.2).

use super::plan::Target;
use crate::base::Clean;

/// Whether one of the targets has such a name: a path with other signs than identifiers have, or an argument with letters
/// beyond ASCII, of which many look alike.
pub(super) fn any(targets: &[Target]) -> bool {
    let is_unusual =
        |(name, is_path): (String, bool)| if is_path { Clean::identifier(name).1 } else { !name.is_ascii() };
    targets.iter().flat_map(Target::names).any(is_unusual)
}

/// The lines with each name of a target so that it looks like no other.
pub(super) fn by_number(lines: Vec<Clean>, targets: &[Target]) -> Vec<Clean> {
    let letter = |c: char| if c.is_ascii() { c.to_string() } else { Clean::identifier(c.to_string()).0.to_string() };
    let names: Vec<String> = targets.iter().flat_map(Target::names).map(|(name, _)| name).collect();
    let odd: Vec<(&String, String)> =
        names.iter().filter(|name| !name.is_ascii()).map(|name| (name, name.chars().map(letter).collect())).collect();
    let one = |line: Clean| {
        if odd.iter().any(|(name, _)| line.as_str().contains(name.as_str())) {
            Clean::text(odd.iter().fold(line.to_string(), |line, (name, shown)| line.replace(*name, shown)))
        } else {
            line
        }
    };
    lines.into_iter().map(one).collect()
}
