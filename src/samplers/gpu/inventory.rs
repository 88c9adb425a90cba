//! The GPUs that were here when a console looked last: what is kept of them over a restart.

use crate::base::{Clean, Wall};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeSet;

const VERSION: u32 = 1;
/// More than any host has: a larger list is none of ours.
const MOST: usize = 1_024;
const LONGEST: usize = 128;

/// All GPUs that are known.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Inventory {
    version: u32,
    pub gpus: Vec<Kept>,
}

/// One of them.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kept {
    pub uuid: String,
    pub name: String,
    /// The driver's number for it then.
    pub index: u32,
    /// When it answered last; kept to the minute, so that not every look is a write.
    #[serde(serialize_with = "to_the_minute", deserialize_with = "moment")]
    pub seen: Wall,
}

impl Inventory {
    pub(crate) fn new(gpus: Vec<Kept>) -> Self {
        Self { version: VERSION, gpus }
    }

    pub(crate) fn text(&self) -> Option<String> {
        serde_json::to_string(self).ok()
    }

    /// What was kept; every name is plain text, every moment one.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let read: Self = serde_json::from_str(text).map_err(|error| format!("it is damaged ({error})"))?;
        if read.version != VERSION {
            return Err(format!("it is of version {}, this program reads {VERSION}", read.version));
        }
        let plain = |text: &str| !text.is_empty() && text.len() <= LONGEST && Clean::text(text).as_str() == text;
        let good = |gpu: &Kept| plain(&gpu.uuid) && plain(&gpu.name);
        let distinct: BTreeSet<&str> = read.gpus.iter().map(|gpu| gpu.uuid.as_str()).collect();
        if read.gpus.len() > MOST || distinct.len() != read.gpus.len() || !read.gpus.iter().all(good) {
            return Err("it is damaged (a GPU without a name, or twice)".to_owned());
        }
        Ok(read)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn to_the_minute<S: Serializer>(at: &Wall, to: S) -> Result<S::Ok, S::Error> {
    let minute: String = at.rfc3339().chars().take(16).collect();
    to.serialize_str(&format!("{minute}:00Z"))
}

fn moment<'de, D: Deserializer<'de>>(from: D) -> Result<Wall, D::Error> {
    let text = String::deserialize(from)?;
    Wall::parse(&text).ok_or_else(|| D::Error::custom("no moment"))
}

/// `2026-11-29 22:10 UTC`.
pub(crate) fn date(at: Wall) -> String {
    let minute: String = at.rfc3339().chars().take(16).collect();
    format!("{} UTC", minute.replacen('T', " ", 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inventory_comes_back_and_what_is_broken_is_refused_in_words() {
        let at = |second: u8| Wall::parse(&format!("2026-11-29T22:10:{second:02}Z")).expect("a moment");
        let kept = |seen: Wall| {
            Inventory::new(vec![Kept { uuid: "GPU-a".to_owned(), name: "NVIDIA X".to_owned(), index: 1, seen }])
        };
        let (seen, text) = (at(42), kept(at(42)).text().expect("JSON"));
        assert_eq!(Inventory::parse(&text), Ok(kept(at(0))));
        assert_eq!(kept(at(59)).text().as_deref(), Some(&*text), "a write a minute at most");
        assert_eq!(date(seen), "2026-11-29 22:10 UTC");
        for (broken, why) in [
            ("{", "it is damaged (EOF"),
            (&text.replace("\"version\":1", "\"version\":2"), "it is of version 2, this program reads 1"),
            (&text.replace("GPU-a", ""), "it is damaged (a GPU without a name"),
            (&text.replace("NVIDIA X", "N\\u001b[2J"), "it is damaged (a GPU without a name"),
            (&text.replace("2026-11-29T", "yesterday "), "it is damaged (no moment"),
        ] {
            let said = Inventory::parse(broken).expect_err("refused");
            assert!(said.starts_with(why), "{said}");
        }
    }
}
