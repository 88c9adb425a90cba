//! A program that judges a new configuration before it takes the place of the old one: it is given the new file, whole,
//! under the name that it has until then (facts.md D.2).

use super::cannot::CannotCheck;
use super::doing::{last_words, look_at};
use crate::base::{Body, Clean, Clock, Fault};
use crate::sys::program::{Ended, Order};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// What stands for the new file.
const FILE: &str = "{file}";

/// `validate = ["/usr/sbin/nginx", "-t", "-c", "{file}"]`, and what of its answer means that it cannot check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validator {
    argv: Vec<String>,
    #[serde(default)]
    cannot_check: CannotCheck,
}

impl Validator {
    /// Takes the keys `validate` and `cannot_check`.
    ///
    /// # Errors
    /// A program that is not named by its whole path, or that would not be given the new file.
    pub fn take(body: &mut Body) -> Result<Option<Self>, Fault> {
        let table = body.clone();
        // A site without such a program says `[]`.
        let argv = body.take::<Vec<String>>("validate")?.filter(|argv| !argv.is_empty());
        let cannot_check = CannotCheck::take(body)?;
        let Some(argv) = argv else { return Ok(None) };
        if !argv.first().is_some_and(|program| program.starts_with('/')) {
            return Err(table.fault_at("validate", "the program is not named by its whole path."));
        }
        if !argv.iter().skip(1).any(|word| word.contains(FILE)) {
            return Err(table
                .fault_at("validate", "it would not see the new file.")
                .hint("One of its arguments holds {file}."));
        }
        Ok(Some(Self { argv, cannot_check }))
    }

    /// Its line of WHAT.
    pub fn line(&self) -> Clean {
        crate::clean!("first  {}   must find no fault with the new file", self.argv.join(" "))
    }

    /// Lets it judge this file.
    ///
    /// # Errors
    /// It finds fault, with its words; or it cannot judge at all, which is no pass.
    pub fn check(&self, file: &Path, clock: &dyn Clock) -> Result<(), Fault> {
        let path = file.to_str().ok_or_else(|| Fault::new("the name of the new file is no text."))?;
        let mut words = self.argv.iter().map(|word| word.replace(FILE, path));
        let program = words.next().unwrap_or_default();
        let name = Clean::text(&program);
        let order = Order { program: program.into(), args: words.collect(), ..Order::default() };
        let cannot = |why: &dyn core::fmt::Display| {
            Fault::new(format!("{name} cannot check the new configuration: {why}"))
                .hint("The old one stands as it did. Where no such program is, the action has `validate = []`.")
        };
        let ran = look_at(&order, clock).map_err(|fault| cannot(&fault))?;
        if let Some(how) = self.cannot_check.of(&ran) {
            return Err(cannot(&format!("{how}{}.", last_words(&ran).trim_end_matches('.'))));
        }
        match ran.ended {
            Ended::Code(0) => Ok(()),
            ended => Err(Fault::new(format!(
                "{name} finds fault with the new configuration ({ended}){}.",
                last_words(&ran).trim_end_matches('.')
            ))
            .hint("The old one stands as it did.")),
        }
    }
}
