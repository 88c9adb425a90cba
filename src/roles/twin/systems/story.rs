//! What a system can be made to suffer from, as a file beside each tells it: what its logs say meanwhile, what a rollout
//! changes, how it ends, and what mends it. What a story does to numbers is the system's own code, which asks for it by name.

use crate::base::{Body, Fault};
use serde::Deserialize;
use serde_json::Value;
use std::path::Path;

/// One of the stories of a system.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Story {
    /// Its name on the command line.
    pub name: String,
    /// One line for the help.
    pub about: String,
    /// It comes in the first run alone.
    #[serde(default)]
    restart_mends: bool,
    /// A file that is read at each start mends it, once it is so.
    mended: Option<Mended>,
    /// With it comes a restart.
    pub(in crate::roles::twin) rollout: Option<Rollout>,
    /// What it keeps and should have let go.
    pub(super) leak: Option<Leak>,
    /// Half seconds after which the process is killed.
    dies_after: Option<u64>,
    /// What the logs have of it.
    #[serde(default)]
    says: Vec<Saying>,
}

/// How a file looks that mends a story.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mended {
    file: String,
    holds: String,
}

/// A change that a tool brings: the file below the folder, what it holds, what is written for it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::roles::twin) struct Rollout {
    pub(in crate::roles::twin) file: String,
    pub(in crate::roles::twin) from: String,
    pub(in crate::roles::twin) to: String,
}

/// Memory that is kept, in bytes: in each half second, and at most.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Leak {
    pub(super) each: usize,
    pub(super) most: usize,
}

/// A line of a log, or several.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Saying {
    /// Which log, where a system has several; else its own.
    #[serde(default)]
    pub(super) log: String,
    /// Half seconds between one and the next; never again without.
    every: Option<u64>,
    /// Half seconds after the onset.
    #[serde(default)]
    after: u64,
    /// Without one the text is written as it is.
    #[serde(default)]
    pub(super) level: String,
    /// What part of the system says it.
    #[serde(default)]
    pub(super) from: String,
    /// `{pid}` is the process that says it.
    pub(super) text: String,
    /// What is told besides, by name.
    #[serde(default)]
    pub(super) more: Vec<(String, Value)>,
}

impl Story {
    /// The stories that a text tells.
    ///
    /// # Errors
    /// A placed fault of the text.
    pub(super) fn all(name: &str, text: &str) -> Result<Vec<Self>, Fault> {
        Body::parse(name, text)?.take_array("stories")?.iter().map(Body::read).collect()
    }

    /// Whether a run in this folder, after so many starts, is spared.
    pub(super) fn is_mended(&self, folder: &Path, turn: u32) -> bool {
        let by_file = self.mended.as_ref().is_some_and(|mended| {
            std::fs::read_to_string(folder.join(&mended.file)).is_ok_and(|text| text.contains(&mended.holds))
        });
        by_file || self.restart_mends && turn > 0
    }

    /// What is said so many half seconds after the onset.
    pub(super) fn says(&self, tick: u64) -> impl Iterator<Item = &Saying> {
        self.says.iter().filter(move |saying| {
            let since = tick.checked_sub(saying.after);
            since.is_some_and(|since| saying.every.map_or(since == 0, |every| since.is_multiple_of(every)))
        })
    }

    /// Whether the process has been killed by then.
    pub(super) fn has_killed(&self, tick: u64) -> bool {
        self.dies_after.is_some_and(|after| tick > after)
    }
}

impl Rollout {
    /// File, what it holds, and what is written for it.
    pub(in crate::roles::twin) fn parts(&self) -> (&str, &str, &str) {
        (&self.file, &self.from, &self.to)
    }
}

impl Saying {
    /// The text, as this process says it.
    pub(super) fn text(&self) -> String {
        self.text.replace("{pid}", &crate::sys::process::pid().to_string())
    }
}

/// A run's place in its story.
#[derive(Debug)]
pub(super) struct Course {
    story: &'static Story,
    mended: bool,
    /// Half seconds since the onset.
    tick: Option<u64>,
    held: Vec<Vec<u8>>,
}

impl Course {
    pub(super) fn new(story: &'static Story, mended: bool) -> Self {
        Self { story, mended, tick: None, held: Vec::new() }
    }

    /// Half a second goes by, past the onset or not: what is said in it.
    pub(super) fn goes_on(&mut self, past_onset: bool) -> Vec<&'static Saying> {
        if !past_onset || self.mended {
            return Vec::new();
        }
        let tick = self.tick.map_or(0, |tick| tick.saturating_add(1));
        self.tick = Some(tick);
        if let Some(Leak { each, most }) = self.story.leak
            && self.held() < most
        {
            self.held.push(vec![0x5A; each]);
        }
        self.story.says(tick).collect()
    }

    /// Bytes that it should have let go.
    pub(super) fn held(&self) -> usize {
        self.held.iter().map(Vec::len).sum()
    }

    /// Whether the process is to be killed now.
    pub(super) fn has_killed(&self) -> bool {
        self.tick.is_some_and(|tick| self.story.has_killed(tick))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "[[stories]]\nname = \"x\"\nabout = \"y\"\nrestart_mends = true\n\
        leak = { each = 4, most = 10 }\ndies_after = 3\nmended = { file = \"f\", holds = \"well\" }\n\
        says = [{ every = 2, text = \"again\" }, { after = 1, text = \"once, {pid}\" }]\n";

    #[test]
    fn what_is_said_comes_in_its_half_seconds_and_what_is_kept_grows_to_its_most() {
        let story: &'static Story = Box::leak(Box::new(Story::all("t", TEXT).unwrap().remove(0)));
        let mut course = Course::new(story, false);
        assert!(course.goes_on(false).is_empty() && course.held() == 0);
        let mut said = Vec::new();
        for _ in 0..5 {
            said.push(course.goes_on(true).iter().map(|saying| saying.text.as_str()).collect::<Vec<_>>());
            assert_eq!(course.has_killed(), said.len() > 4);
        }
        assert_eq!(said, [vec!["again"], vec!["once, {pid}"], vec!["again"], vec![], vec!["again"]]);
        assert_eq!(course.held(), 12, "so much that the most is reached");
        assert!(!story.says[1].text().contains('{'));
        assert!(Course::new(story, true).goes_on(true).is_empty());
    }

    #[test]
    fn a_restart_or_a_file_mends_a_story_that_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let story = Story::all("t", TEXT).unwrap().remove(0);
        assert!(!story.is_mended(folder.path(), 0) && story.is_mended(folder.path(), 1));
        std::fs::write(folder.path().join("f"), "all is well").unwrap();
        assert!(story.is_mended(folder.path(), 0));
        let fault =
            Story::all("t.toml", "[[stories]]\nname = \"x\"\nabout = \"y\"\nsay = 1\n").unwrap_err().to_string();
        assert!(fault.starts_with("t.toml:4:") && fault.contains("says"), "{fault}");
    }
}
