//! What a profile wants a configuration to hold, made rows of an edit by what stands in the file.

use super::edit::{Row, here, secret_shown, utf8};
use super::{Format, Scalar, Spot};
use crate::action::params::Params;
use crate::base::scrub::{is_secret_name, scrub};
use crate::base::{Clean, Fault};
use crate::sys::secret::hide;
use serde::Deserialize;
use std::path::Path;

/// One key as a profile has it: without `from` whatever stands there, if it has the type of `to`. The key may be a
/// parameter as well.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    key: String,
    from: Option<Scalar>,
    to: Scalar,
    absent: Option<Absent>,
}

/// What is done where there is no such key.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Absent {
    Add,
}

impl Wanted {
    /// What of it can be refused before the file is seen.
    ///
    /// # Errors
    /// It names a secret, or a parameter that is none.
    pub fn check(&self, params: &Params) -> Result<(), Fault> {
        let key = params.whole(&self.key)?.unwrap_or(&self.key).to_owned();
        // A value that is given is judged once it is given.
        if let Scalar::Text(text) = &self.to
            && params.whole(text)?.is_some()
        {
            return Ok(());
        }
        let row = Row { key, from: self.from.clone(), to: Some(self.to.clone()) };
        if row.is_secret() { Err(secret_shown(&self.key)) } else { Ok(()) }
    }

    /// With the parameter that is to be set, in the type of what stands there.
    ///
    /// # Errors
    /// The file cannot be read as its format.
    pub fn filled(self, params: &Params, format: Format, (bytes, file): (&[u8], &Path)) -> Result<Self, Fault> {
        let key = params.whole(&self.key)?.map_or(self.key, str::to_owned);
        let this = Self { key, ..self };
        let Scalar::Text(text) = &this.to else { return Ok(this) };
        let Some(value) = params.whole(text)? else { return Ok(this) };
        let text = Scalar::Text(value.to_owned());
        let typed = match (value.parse(), value.parse(), value.parse()) {
            (Ok(number), ..) => Scalar::Int(number),
            (_, Ok(switch), _) => Scalar::Bool(switch),
            (.., Ok(number)) => Scalar::Float(number),
            _ => text.clone(),
        };
        let here = format.find(utf8(bytes, file)?, &this.key, &typed, file)?.and_then(|spot| spot.value);
        let to = if matches!(here, Some(Scalar::Text(_))) { text } else { typed };
        Ok(Self { to, ..this })
    }

    /// With what stands there now: that may be its new value already.
    ///
    /// # Errors
    /// There is no such value, or one of another type.
    pub fn seen(self, format: Format, (bytes, file): (&[u8], &Path)) -> Result<Row, Fault> {
        let Self { key, from, to, absent } = self;
        let text = utf8(bytes, file)?;
        let spot = format.find(text, &key, &to, file)?;
        if spot.is_none() && absent == Some(Absent::Add) {
            return Ok(Row { key, from: None, to: Some(to) });
        }
        if from.is_some() {
            let done = spot.and_then(|spot| spot.value).filter(|value| *value == to);
            return Ok(Row { key, from: done.or(from), to: Some(to) });
        }
        let none = || here(file, format!("there is no value `{}`.", Clean::text(&key)));
        let Spot { range, value } = spot.ok_or_else(none)?;
        let old = text.get(range).unwrap_or("");
        let old = if is_secret_name(&key) { Clean::from("a secret") } else { Clean::text(scrub(&hide(old))) };
        let from =
            value.ok_or_else(|| here(file, format!("`{}` would change its type: {old} → {to}.", Clean::text(&key))))?;
        Ok(Row { key, from: Some(from), to: Some(to) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &[u8] = b"[performance]\ncuda_streams = 4\n";

    #[test]
    fn a_key_that_has_its_new_value_already_is_a_row_that_changes_nothing() {
        let seen = |from: Option<i64>| {
            let key = "performance.cuda_streams".to_owned();
            let wanted = Wanted { key, from: from.map(Scalar::Int), to: Scalar::Int(4), absent: None };
            wanted.seen(Format::Toml, (FILE, Path::new("/x"))).unwrap()
        };
        let same = Some(Scalar::Int(4));
        let row = Row { key: "performance.cuda_streams".to_owned(), from: same.clone(), to: same };
        assert_eq!([seen(Some(8)), seen(None)], [row.clone(), row]);
    }
}
