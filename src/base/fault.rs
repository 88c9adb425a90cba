//! The one error shape: what is wrong, where, and how to mend it.

use super::Clean;
use core::fmt;

/// Where in a file. Line and column count from 1; 0 means "the whole file".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The path as the user would type it.
    pub file: Clean,
    /// From 1; 0 when the fault is of the whole file.
    pub line: u32,
    /// From 1, in characters; 0 when unknown.
    pub column: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.column) {
            // A text that is no file: an expression on the command line.
            (line, column) if line > 0 && self.file.as_str().is_empty() => write!(f, "{line}:{column}"),
            (0, _) => write!(f, "{}", self.file),
            (line, 0) => write!(f, "{}:{line}", self.file),
            (line, column) => write!(f, "{}:{line}:{column}", self.file),
        }
    }
}

/// A sentence that helps: what was wrong, where it was, what to do next. Never holds source text or a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong, as a sentence.
    pub what: Clean,
    /// Where, if it came from a file.
    pub at: Option<Place>,
    /// How to mend it.
    pub hint: Option<Clean>,
    /// The name that whoever was asked knows nothing of: then whoever gave it can be shown where that was.
    pub unknown: Option<Box<Clean>>,
    /// It is this login that may not.
    pub refused: bool,
}

impl Fault {
    /// A fault that is nowhere in a file.
    pub fn new(what: impl AsRef<str>) -> Self {
        Self { what: Clean::text(what.as_ref()), at: None, hint: None, unknown: None, refused: false }
    }

    /// The same fault, placed.
    #[must_use]
    pub fn at(mut self, file: impl AsRef<str>, line: u32, column: u32) -> Self {
        self.at = Some(Place { file: Clean::text(file.as_ref()), line, column });
        self
    }

    /// The same fault, which is that nobody knows this name.
    #[must_use]
    pub fn unknown(mut self, name: impl AsRef<str>) -> Self {
        self.unknown = Some(Box::new(Clean::text(name.as_ref())));
        self
    }

    /// The same fault, which is that this login may not.
    #[must_use]
    pub const fn refused(mut self) -> Self {
        self.refused = true;
        self
    }

    /// The same fault with a way to mend it.
    #[must_use]
    pub fn hint(mut self, hint: impl AsRef<str>) -> Self {
        self.hint = Some(Clean::text(hint.as_ref()));
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(at) = &self.at {
            write!(f, "{at}: ")?;
        }
        write!(f, "{}", self.what)?;
        match &self.hint {
            Some(hint) => write!(f, " {hint}"),
            None => Ok(()),
        }
    }
}

impl core::error::Error for Fault {}
