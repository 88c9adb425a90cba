//! What the kinds that talk with servers share: secrets by the file that keeps them, TLS, and what a lost answer means.

use super::kinds::StepError;
use crate::base::scrub::scrub;
use crate::base::{Body, Clean, Fault};
use crate::sys::net::talk::Lost;
use crate::sys::net::tls::Tls;
use crate::sys::secret::{Given, Kept, Secret, hide};
use crate::sys::trust::{self, Owners};
use core::time::Duration;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use std::path::{Path, PathBuf};

/// A look at a server may take this long.
pub const LOOK: Duration = Duration::from_secs(3);
/// The keys that [`tls`] takes.
pub const TLS: &[&str] = &["ca", "server_name"];
/// So much of what a server says stands in one sentence, in characters.
const SAID: usize = 200;

/// Takes a secret's file out of a table: a plan holds where it is kept and never what it is.
///
/// # Errors
/// A secret that stands in the open, or where the runner does not see it.
pub fn kept(body: &mut Body, key: &str) -> Result<Option<PathBuf>, Fault> {
    let table = body.clone();
    let given = Given::take(body, key)?;
    given.map(|given| file_of(given).map_err(|what| table.fault_at(key, what).hint(HINT))).transpose()
}

/// How a secret is given.
pub const HINT: &str = "Write { file = \"/path\" }, a file of mode 0600.";

/// The file of a secret, or why it is none.
///
/// # Errors
/// What is wrong, as a sentence.
pub fn file_of(given: Given) -> Result<PathBuf, &'static str> {
    match given {
        Given::Kept(Kept::File(path)) if path.is_absolute() => Ok(path),
        Given::Kept(Kept::File(_)) => Err("the file of a secret is named by its whole path."),
        Given::Kept(Kept::Env(_)) => Err("an action's runner knows nothing of the console's environment."),
        Given::Text(_) => Err("a secret of an action does not stand in the profile: it would be part of the plan."),
    }
}

/// Reads a secret anew.
///
/// # Errors
/// A file that others may read, or that cannot be read.
pub fn secret(path: &Path) -> Result<Secret, Fault> {
    trust::secret(path, Owners::effective()).map(Secret::new)
}

/// The header of a request that asks with the key in this file.
///
/// # Errors
/// As [`secret`], or what cannot be a header.
pub fn bearer(path: &Path) -> Result<(HeaderName, HeaderValue), Fault> {
    let text = format!("Bearer {}", secret(path)?.reveal());
    let bad = |_| Fault::new(format!("what {} keeps cannot be a header.", path.display()));
    let mut value = HeaderValue::from_str(&text).map_err(bad)?;
    value.set_sensitive(true);
    Ok((AUTHORIZATION, value))
}

/// Takes the keys about TLS.
///
/// # Errors
/// As the table's reader says.
pub fn tls(body: &mut Body) -> Result<Tls, Fault> {
    let tls = Tls { ca: body.take("ca")?, server_name: body.take("server_name")? };
    Ok(tls)
}

/// A talk that failed, as a step: what had left may have had its effect.
pub fn lost(lost: Lost) -> StepError {
    match lost {
        Lost::Before(fault) => StepError::Failed(fault),
        Lost::After(fault) => StepError::Unknown(fault.hint("It is not sent again: look at what it was to do.")),
    }
}

/// What a server said, short and without secrets.
pub fn said(text: &str) -> Clean {
    let text = scrub(&hide(text));
    let mut short: String = text.trim().chars().take(SAID).collect();
    if short.len() < text.trim().len() {
        short.push('…');
    }
    Clean::text(short)
}
