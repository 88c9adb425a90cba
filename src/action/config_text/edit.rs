//! The edit of a configuration: rows of old and new values, and the text with every one of them set. Pure.

use super::{Format, Scalar, Spot};
use crate::action::manager::looks_secret;
use crate::base::scrub::{is_secret_name, scrub};
use crate::base::{Clean, Fault};
use crate::sys::secret::hide;
use core::ops::Range;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// One key to set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Dotted path.
    pub key: String,
    /// What must be there; nothing where the key is added.
    pub from: Option<Scalar>,
    /// What will be there; nothing where a key that was added is taken out again.
    pub to: Option<Scalar>,
}

/// A value as the plan tells it.
pub fn side(value: Option<&Scalar>) -> Clean {
    value.map_or(Clean::from("absent"), |value| Clean::text(value.to_string()))
}

/// The content with every row set; only the bytes of those values differ.
///
/// # Errors
/// Not UTF-8, not of its format, a key that is absent or no plain value, another old value, another type, no change.
pub fn edited(format: Format, bytes: &[u8], set: &[Row], file: &Path) -> Result<Vec<u8>, Fault> {
    let text = utf8(bytes, file)?;
    if set.is_empty() {
        return Err(here(file, "`set` names no key."));
    }
    if let Some(Row { key, from, .. }) = set.first().filter(|_| set.iter().all(|row| row.from == row.to)) {
        let (key, value) = (Clean::text(key), side(from.as_ref()));
        return Err(here(file, format!("`{key}` would not change: it is {value} before and after.")));
    }
    let mut cuts: Vec<(Range<usize>, String)> = Vec::new();
    for row in set {
        if let (Some(from), Some(to)) = (&row.from, &row.to) {
            let range = find(format, text, row, (from, to), file)?;
            let old = text.get(range.clone()).unwrap_or("");
            cuts.push((range.clone(), if from == to { old.to_owned() } else { format.write(to, old)? }));
        }
    }
    cuts.sort_by_key(|(span, _)| span.start);
    if cuts.iter().zip(cuts.iter().skip(1)).any(|((a, _), (b, _))| a.end > b.start) {
        return Err(here(file, "`set` names a key twice."));
    }
    let mut out = text.to_owned();
    for (span, new) in cuts.iter().rev() {
        out.replace_range(span.clone(), new);
    }
    for row in set {
        let Some(to) = &row.to else {
            return Err(here(file, format!("`{}` is not taken out by an edit.", Clean::text(&row.key))));
        };
        if row.from.is_none() {
            out = format.add(&out, &row.key, to, file)?;
        }
    }
    for row in set {
        let like = row.to.as_ref().unwrap_or(&Scalar::Bool(false));
        let again = format.find(&out, &row.key, like, file)?.and_then(|spot| spot.value);
        if again != row.to {
            return Err(here(file, format!("`{}` does not read back as it was set.", Clean::text(&row.key))));
        }
    }
    Ok(out.into_bytes())
}

/// Why a key is not set from here.
pub fn secret_shown(key: &str) -> Fault {
    let what = format!("`{}` looks like a secret: it would stand in the plan and on the screen.", Clean::text(key));
    Fault::new(what).hint("Change it by hand.")
}

/// A fault of this file, at no line of it.
pub fn here(file: &Path, what: impl AsRef<str>) -> Fault {
    Fault::new(what).at(file.to_string_lossy(), 0, 0)
}

/// The text of this file.
///
/// # Errors
/// It is none.
pub fn utf8<'a>(bytes: &'a [u8], file: &Path) -> Result<&'a str, Fault> {
    core::str::from_utf8(bytes).map_err(|_| here(file, "is not UTF-8."))
}

/// Where the value stands that `row` means, if it is what the row says.
fn find(
    format: Format,
    text: &str,
    row: &Row,
    (from, to): (&Scalar, &Scalar),
    file: &Path,
) -> Result<Range<usize>, Fault> {
    let key = Clean::text(&row.key);
    let spot = format.find(text, &row.key, from, file)?;
    let Spot { range, value } = spot.ok_or_else(|| here(file, format!("there is no value `{key}`.")))?;
    if core::mem::discriminant(from) != core::mem::discriminant(to) {
        return Err(here(file, format!("`{key}` would change its type: {from} → {to}.")));
    }
    if value.as_ref() == Some(from) {
        return Ok(range);
    }
    let real = value.as_ref().map_or_else(|| text.get(range).unwrap_or("").to_owned(), Scalar::to_string);
    let real = if row.is_secret() { "another one".to_owned() } else { scrub(&hide(&real)) };
    let what = format!("`{key}` is {}, not {from} as the action expects.", Clean::text(real));
    Err(if value.as_ref() == Some(to) {
        here(file, what).hint("It already has the new value.")
    } else {
        here(file, what).hint("Decide which is right before anything is changed.")
    })
}

impl Row {
    /// As the plan tells it.
    pub fn line(&self) -> Clean {
        let (key, from, to) = (&self.key, side(self.from.as_ref()), side(self.to.as_ref()));
        if self.from == self.to {
            crate::clean!("{key}   {to}, as it is already")
        } else {
            crate::clean!("{key}   {from} → {to}")
        }
    }

    /// Whether either value is one that must not be shown. Numbers and switches are none, whatever they are called.
    pub fn is_secret(&self) -> bool {
        let name = self.key.rsplit('.').next().unwrap_or_default();
        [&self.from, &self.to].into_iter().flatten().any(|value| match value {
            Scalar::Text(text) => is_secret_name(name) || looks_secret(text),
            Scalar::Bool(_) | Scalar::Int(_) | Scalar::Float(_) => false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FILE: &str = "# tuned 2026-03-01\r\n[performance]\r\nbatch_size = 1_024  # was 512 until March\r\ncuda_streams=4\r\n\r\n[memory]\r\npool = \"20GB\"\r\nlimits = { soft = 0.5, hard = 0.9 }\r\n";

    fn row(key: &str, from: Scalar, to: Scalar) -> Row {
        Row { key: key.into(), from: Some(from), to: Some(to) }
    }

    fn set(rows: &[Row]) -> Result<String, String> {
        edited(Format::Toml, FILE.as_bytes(), rows, Path::new("/etc/p.toml"))
            .map(|bytes| String::from_utf8(bytes).unwrap())
            .map_err(|fault| fault.to_string())
    }

    #[test]
    fn only_the_bytes_of_the_values_change() {
        let rows = [
            row("performance.batch_size", Scalar::Int(1024), Scalar::Int(512)),
            row("performance.cuda_streams", Scalar::Int(4), Scalar::Int(2)),
            row("memory.pool", Scalar::Text("20GB".into()), Scalar::Text("16GB".into())),
            row("memory.limits.hard", Scalar::Float(0.9), Scalar::Float(0.8)),
        ];
        let wanted = FILE.replace("1_024", "512").replace("=4", "=2").replace("20GB", "16GB").replace("0.9", "0.8");
        assert_eq!(set(&rows).unwrap(), wanted);
    }

    #[test]
    fn a_key_that_is_not_there_is_added_and_nothing_else_changes() {
        let add = |key: &str, to| Row { key: key.into(), from: None, to: Some(to) };
        let rows = [
            add("performance.pooled", Scalar::Bool(true)),
            row("performance.batch_size", Scalar::Int(1024), Scalar::Int(512)),
            add("training.checkpointing", Scalar::Bool(true)),
            add("training.every", Scalar::Int(5)),
            add("performance.pool", Scalar::Text("20GB".into())),
            add("name", Scalar::Text("a".into())),
        ];
        let wanted = FILE
            .replace("1_024", "512")
            .replace("cuda_streams=4\r\n", "cuda_streams=4\r\npooled = true\r\npool = \"20GB\"\r\n")
            .replace("# tuned", "name = \"a\"\r\n# tuned")
            + "\r\n[training]\r\ncheckpointing = true\r\nevery = 5\r\n";
        assert_eq!(set(&rows).unwrap(), wanted);
        let fault = |key: &str| set(&[add(key, Scalar::Int(1))]).unwrap_err();
        assert!(fault("memory.limits.x").contains("no table of its own"), "{}", fault("memory.limits.x"));
        assert!(fault("performance.batch_size").contains("is there already"), "{}", fault("performance.batch_size"));
    }

    #[test]
    fn what_is_not_as_declared_stops_for_a_decision() {
        let int = |from, to| set(&[row("performance.batch_size", Scalar::Int(from), Scalar::Int(to))]).unwrap_err();
        assert_eq!(
            int(2048, 512),
            "/etc/p.toml: `performance.batch_size` is 1024, not 2048 as the action expects. Decide which is right before anything is changed."
        );
        assert_eq!(
            int(2048, 1024),
            "/etc/p.toml: `performance.batch_size` is 1024, not 2048 as the action expects. It already has the new value."
        );
        assert_eq!(
            int(1024, 1024),
            "/etc/p.toml: `performance.batch_size` would not change: it is 1024 before and after."
        );
        let one = |key: &str, from, to| set(&[row(key, from, to)]).unwrap_err();
        assert!(
            one("performance.batch", Scalar::Int(1), Scalar::Int(2)).contains("there is no value `performance.batch`")
        );
        assert!(one("performance", Scalar::Int(1), Scalar::Int(2)).contains("there is no value"));
        assert!(
            one("performance.batch_size", Scalar::Int(1024), Scalar::Text("512".into())).contains("change its type")
        );
        assert!(
            one("performance.batch_size", Scalar::Float(1024.0), Scalar::Float(512.0)).contains("is 1024, not 1024.0")
        );
        let twice = row("performance.batch_size", Scalar::Int(1024), Scalar::Int(512));
        assert!(set(&[twice.clone(), twice]).unwrap_err().contains("names a key twice"));
        assert!(set(&[]).unwrap_err().contains("names no key"));
    }

    #[test]
    fn of_several_keys_some_may_have_their_new_value_already_but_not_all() {
        let same = row("performance.cuda_streams", Scalar::Int(4), Scalar::Int(4));
        let changes = row("performance.batch_size", Scalar::Int(1024), Scalar::Int(512));
        assert_eq!(set(&[same.clone(), changes.clone()]).unwrap(), FILE.replace("1_024", "512"));
        assert_eq!(
            [&same, &changes].map(|row| row.line().to_string()),
            ["performance.cuda_streams   4, as it is already", "performance.batch_size   1024 → 512"]
        );
        let moved = row("performance.batch_size", Scalar::Int(9), Scalar::Int(9));
        assert!(set(&[moved, changes]).unwrap_err().contains("is 1024, not 9 as the action expects"));
        assert!(set(&[same]).unwrap_err().contains("would not change: it is 4 before and after"));
    }

    #[test]
    fn what_looks_like_a_secret_is_known_by_its_name_or_shape_and_numbers_are_none() {
        let text = |text: &str| Scalar::Text(text.into());
        assert!(row("db.password", text("a"), text("b")).is_secret());
        assert!(row("db.url", text("postgres://a:hunter22@h/x"), text("postgres://h/x")).is_secret());
        assert!(!row("max_tokens", Scalar::Int(1), Scalar::Int(2)).is_secret());
        assert!(!row("memory.pool", text("20GB"), text("16GB")).is_secret());
        let real =
            edited(Format::Toml, b"password = \"hunter22\"", &[row("password", text("a"), text("b"))], Path::new("/x"));
        assert!(!real.unwrap_err().to_string().contains("hunter"));
    }

    #[test]
    fn files_that_are_no_clean_toml_are_refused() {
        let rows = [row("a", Scalar::Int(1), Scalar::Int(2))];
        let edit = |bytes: &[u8]| edited(Format::Toml, bytes, &rows, Path::new("/x")).unwrap_err().to_string();
        assert!(edit(b"a = 1\n\xff").contains("not UTF-8"));
        assert!(edit(b"a = 1\na = 1\n").starts_with("/x:2: duplicate key"), "{}", edit(b"a = 1\na = 1\n"));
        assert!(edit(b"[a").starts_with("/x:1:"));
    }

    proptest! {
        #[test]
        fn any_value_reads_back_and_its_surroundings_stay(from in any::<i64>(), to in ".{0,20}", comment in "[ -~]{0,30}") {
            let text = format!("# {comment}\nn = {from} # {comment}\ns = \"x\"\nlast = true");
            let rows = [row("s", Scalar::Text("x".into()), Scalar::Text(to.clone()))];
            match edited(Format::Toml, text.as_bytes(), &rows, Path::new("/x")) {
                Ok(bytes) => {
                    let out = String::from_utf8(bytes).unwrap();
                    let head = format!("# {comment}\nn = {from} # {comment}\ns = ");
                    prop_assert!(out.starts_with(&head) && out.ends_with("\nlast = true"));
                    let like = Scalar::Text(String::new());
                    let spot = Format::Toml.find(&out, "s", &like, Path::new("/x")).unwrap().unwrap();
                    prop_assert_eq!(spot.value, Some(Scalar::Text(to.clone())));
                }
                Err(_) => prop_assert_eq!(to.as_str(), "x"),
            }
        }
    }
}
