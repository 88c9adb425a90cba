//! Every lint: its id never changes and is never given to another one.

use crate::base::body::nearest;
use crate::base::{Clean, Fault};
use crate::clean;
use crate::rules::lint::Lint;

pub(super) const BEFORE_BACKUP: &Lint = &Lint {
    id: "destructive-before-backup",
    title: "something is destroyed before it was kept",
    why: "What is removed or written over is gone, and with it the evidence and the way back, should the step have been \
          the wrong one.",
    mend: "Put a step before it that copies what will be lost, or move it aside instead of removing it.",
};
pub(super) const BEFORE_SPACE: &Lint = &Lint {
    id: "backup-before-space",
    title: "room is used before anybody looked whether there is any",
    why: "A copy that fills the disk ends half-way, and takes down whatever else writes there: often the very service \
          that is being saved.",
    mend: "Look at the free space first, and say how much is needed.",
};
pub(super) const BEFORE_PROOF: &Lint = &Lint {
    id: "removal-before-backup-check",
    title: "something is removed before the backup is known to be good",
    why: "A backup that is missing, empty or cannot be read is found out by the restore, when the original is gone.",
    mend: "Look at the backup first: present, readable, of the size that is expected, its checksums right.",
};
pub(super) const NOT_REREAD: &Lint = &Lint {
    id: "edit-without-reread",
    title: "a file is edited by a pattern and not read again",
    why: "A text replacement that finds nothing ends without an error: the value is another than the pattern expected, \
          nothing has changed, and the restart that follows was for nothing.",
    mend: "Read the value again after the edit, or set the key whatever its value was.",
};
pub(super) const NOT_VERIFIED: &Lint = &Lint {
    id: "restart-without-verify",
    title: "a service is started and nobody looks whether it works",
    why: "A start command that succeeds says that a process was begun. It may end seconds later, or run and not answer.",
    mend: "Put a check after it: it is active, stays so, and answers.",
};
pub(super) const NO_WAY_BACK: &Lint = &Lint {
    id: "no-way-back",
    title: "a step that cannot be undone does not say so",
    why: "Whoever works at three in the morning takes a step for reversible unless told otherwise.",
    mend: "Say how it is undone, or write the word IRREVERSIBLE into the step.",
};
pub(super) const TOO_LONG: &Lint = &Lint {
    id: "too-long-page",
    title: "more than nine items on a page",
    why: "A tired head loses its place in a long list, and takes up the work at the wrong line.",
    mend: "Begin a new page with a rule (`---`), best where the work changes its character.",
};
pub(super) const NOT_READ_ONLY: &Lint = &Lint {
    id: "mutating-in-read-only",
    title: "a list that promises to change nothing changes something",
    why: "Read-only lists are worked through without thinking twice, by people who may only look.",
    mend: "Take the step out, or take `read_only = true` out of the front matter.",
};
pub(super) const NO_ESCALATION: &Lint = &Lint {
    id: "no-escalation",
    title: "nobody is called at the end",
    why: "When the last step has not helped, whoever is on watch needs a name and a number, not another page.",
    mend: "End with an `escalate` block that says to whom it goes and what to tell them.",
};
pub(super) const SECOND_COPY: &Lint = &Lint {
    id: "second-copy",
    title: "a command starts the service a second time",
    why: "A second copy opens the same files, takes the same card's memory or trades on the same account.",
    mend: "Attach to the running process by its number, or do it on a machine that is not in production.",
};
pub(super) const LONG_NAME: &Lint = &Lint {
    id: "long-process-name",
    title: "a process is searched by a name of more than 15 characters",
    why: "The kernel keeps 15 characters of a process's name. A search for more finds nothing, which looks as if the \
          service were not running.",
    mend: "Search the whole command line (`pgrep -f`), or ask the service manager for the main process.",
};
pub(super) const UNIT_SLIP: &Lint = &Lint {
    id: "unit-slip",
    title: "a number that cannot fit the unit of what it is compared with",
    why: "Compared in another unit the condition always holds or never does: wrong by a factor of a thousand, it looks \
          like health.",
    mend: "Write the number with its unit (`10 µs`, `85 %`, `16 GiB`), and the unit of the value if its name says none.",
};
pub(super) const MEMORY: &Lint = &Lint {
    id: "memory-items",
    title: "memory items that do not come first, or more than three",
    why: "What must be known by heart is done before the list is read: three things at most, at the top.",
    mend: "Move them to the top, and keep the three that cannot wait.",
};
pub(super) const FOREIGN_FRONT: &Lint = &Lint {
    id: "foreign-front-matter",
    title: "front matter of another tool, of which only the title is used",
    why: "Symptoms, alerts and the time box that lead to a procedure stand in TOML between two lines `+++`. What stands in \
          YAML is for the tool that it was written for: here nothing is found or judged by it.",
    mend: "Write what is needed into a `+++` block of this document: `watchkeeper procedure new` shows one.",
};
/// Every lint.
pub const LINTS: &[&Lint] = &[
    BEFORE_BACKUP,
    BEFORE_SPACE,
    BEFORE_PROOF,
    NOT_REREAD,
    NOT_VERIFIED,
    NO_WAY_BACK,
    TOO_LONG,
    NOT_READ_ONLY,
    NO_ESCALATION,
    SECOND_COPY,
    LONG_NAME,
    UNIT_SLIP,
    MEMORY,
    FOREIGN_FRONT,
];

/// What a lint means, as lines.
///
/// # Errors
/// No lint has this id.
pub fn explain(id: &str) -> Result<[Clean; 3], Fault> {
    let wanted = id.to_ascii_lowercase();
    let found = LINTS.iter().find(|lint| lint.id == wanted);
    let lint = found.ok_or_else(|| {
        Fault::new(format!("no lint of procedures is called `{}`.", Clean::text(id)))
            .hint(nearest(&wanted, LINTS.iter().map(|lint| lint.id)))
    })?;
    Ok([clean!("{}: {}", lint.id, lint.title), Clean::from(lint.why), clean!("To mend it: {}", lint.mend)])
}
