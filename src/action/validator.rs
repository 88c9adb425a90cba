//! A program that judges a new configuration before it takes the place of the old one: it is given the new file, whole,
//! under the name that it has until then (facts.md D.2).

use super::cannot::CannotCheck;
use super::config_text::Format;
use super::doing::{last_words, look_at};
use super::files::seen;
use super::plan::Precondition;
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
    /// It could not check when the plan was made, and the prompt said so: that it cannot is no news.
    #[serde(default)]
    waived: bool,
}

/// What it says that finds no fault.
enum Judged {
    Good,
    /// It cannot say, and why.
    Cannot(String),
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
        Ok(Some(Self { argv, cannot_check, waived: false }))
    }

    /// Its line of WHAT.
    pub fn line(&self) -> Clean {
        let how = if self.waived {
            "cannot check it: only its form is known"
        } else {
            "must find no fault with the new file"
        };
        crate::clean!("first  {}   {how}", self.argv.join(" "))
    }

    /// Where it can say nothing of any file, asked with the one that stands now: that as a row of what the plan rests on,
    /// and why its prompt is heavier. From then on its silence is accepted, its fault is not. What it finds wrong with the old file is no matter: that is about to go.
    pub fn waived_for(&mut self, file: &Path, format: Format, clock: &dyn Clock) -> Option<(Precondition, Clean)> {
        let Ok(Judged::Cannot(why)) = self.judged(file, clock) else { return None };
        self.waived = true;
        let (why, format) = (why.trim_end_matches('.'), format.name());
        let row = seen("validator", crate::clean!("cannot check: {why}; the new text reads as {format}"));
        Some((row, Clean::from("the validator cannot check the new file: only its form was looked at")))
    }

    /// Lets it judge this file.
    ///
    /// # Errors
    /// It finds fault, with its words; or it cannot judge at all, which is no pass unless the prompt said so.
    pub fn check(&self, file: &Path, clock: &dyn Clock) -> Result<(), Fault> {
        match self.judged(file, clock)? {
            Judged::Cannot(why) if !self.waived => {
                Err(Fault::new(format!("{} cannot check the new configuration: {why}", self.name()))
                    .hint("The old one stands as it did. Plan it again: then the prompt says so."))
            }
            Judged::Good | Judged::Cannot(_) => Ok(()),
        }
    }

    fn name(&self) -> Clean {
        Clean::text(self.argv.first().map_or("", String::as_str))
    }

    fn judged(&self, file: &Path, clock: &dyn Clock) -> Result<Judged, Fault> {
        let path = file.to_str().ok_or_else(|| Fault::new("the name of the new file is no text."))?;
        let mut words = self.argv.iter().map(|word| word.replace(FILE, path));
        let program = words.next().unwrap_or_default();
        let order = Order { program: program.into(), args: words.collect(), ..Order::default() };
        let ran = match look_at(&order, clock) {
            Ok(ran) => ran,
            Err(fault) => return Ok(Judged::Cannot(format!("{}: {}", self.name(), fault.what))),
        };
        if let Some(how) = self.cannot_check.of(&ran) {
            return Ok(Judged::Cannot(format!("{how}{}.", last_words(&ran).trim_end_matches('.'))));
        }
        match ran.ended {
            Ended::Code(0) => Ok(Judged::Good),
            ended => Err(Fault::new(format!(
                "{} finds fault with the new configuration ({ended}){}.",
                self.name(),
                last_words(&ran).trim_end_matches('.')
            ))
            .hint("The old one stands as it did.")),
        }
    }
}
