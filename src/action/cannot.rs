//! How a program that is asked to judge says that it cannot: it does not know the question, or has nothing to judge by.
//! That is neither "good" nor "bad".

use crate::base::{Body, Clean, Fault};
use crate::sys::program::Ended;
use crate::sys::run::Ran;
use serde::{Deserialize, Serialize};

/// The key.
pub const KEY: &str = "cannot_check";

/// What of an answer means that it cannot check: `[64, "unknown option"]`, exit codes and words among what it prints, in
/// any case of letters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CannotCheck(Vec<Sign>);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Sign {
    Exit(i32),
    Says(String),
}

impl CannotCheck {
    /// Takes the key out of an action's table.
    ///
    /// # Errors
    /// It is no list of numbers and words, or one of them means every answer.
    pub fn take(body: &mut Body) -> Result<Self, Fault> {
        let table = body.clone();
        let signs: Vec<Sign> = body.take(KEY).map_err(|fault| fault.hint(HINT))?.unwrap_or_default();
        for sign in &signs {
            match sign {
                Sign::Exit(0) => return Err(table.fault_at(KEY, "exit code 0 says that all is good.").hint(HINT)),
                Sign::Says(words) if words.trim().is_empty() => {
                    return Err(table.fault_at(KEY, "an empty text stands in every answer.").hint(HINT));
                }
                Sign::Exit(_) | Sign::Says(_) => {}
            }
        }
        Ok(Self(signs))
    }

    /// How it ended, when that means that it cannot check. Words count whatever the exit code is: some programs print how
    /// they are used, and end well.
    pub fn of(&self, ran: &Ran) -> Option<Clean> {
        let said = [ran.stderr.bytes(), ran.stdout.bytes()].concat();
        let said = String::from_utf8_lossy(&said).to_lowercase();
        let means = |sign: &Sign| match sign {
            Sign::Exit(code) => ran.ended == Ended::Code(*code),
            Sign::Says(words) => said.contains(&words.to_lowercase()),
        };
        self.0.iter().any(means).then(|| crate::clean!("{}", ran.ended))
    }
}

const HINT: &str = "Like cannot_check = [64, \"unknown option\"].";
