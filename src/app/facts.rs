//! What samplers tell in words, for procedures: conditions over it, and words of a text that it stands for.

use super::model::Model;
use crate::base::{Clean, Freshness, Now};
use crate::clean;
use crate::procedure::Given;
use crate::procedure::document::{Expect, Fill, Item, Told};
use crate::procedure::walk::Sight;
use crate::store::Store;

/// What a fact says, and whether that is as expected. Only what is LIVE can be.
pub(super) fn sight(store: &Store, told: &Told, expect: &Expect, now: Now) -> Sight {
    let health = store.sampler(&told.sampler);
    let good = health.and_then(|health| health.last_good).map(|good| good.mono).unwrap_or_default();
    let Some((health, said)) = health.zip(fact(store, &told.sampler, &told.fact)) else {
        return Sight { text: "—".into(), holds: None, seen: good };
    };
    let fresh = Freshness::judge(now.mono.since(good), health.interval, health.failure.is_some());
    let live = fresh == Freshness::Live && health.last_good.is_some();
    let text = if live { said.clone() } else { clean!("{said} {}", fresh.word()) };
    let holds = expect.of_answer(&Given { text: said, value: None }).filter(|_| live);
    Sight { text, holds, seen: good }
}

fn fact<'a>(store: &'a Store, sampler: &str, name: &Clean) -> Option<&'a Clean> {
    let facts = &store.sampler(sampler)?.facts;
    facts.iter().find(|(known, _)| known == name).map(|(_, said)| said)
}

/// A word of an item's text, and what stands for it; or why the word itself stands there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filled<'a> {
    fill: &'a Fill,
    value: Result<Clean, Clean>,
}

/// Every word of an item that a fact stands for.
pub fn filled<'a>(model: &Model, item: &'a Item) -> Vec<Filled<'a>> {
    let of = |fill: &'a Fill| {
        let value = match fact(&model.store, &fill.sampler, &fill.fact) {
            None => Err(clean!("nothing tells it yet ({}: {})", fill.sampler, fill.fact)),
            Some(said) => match Fill::may(said) {
                Ok(()) => Ok(said.clone()),
                Err(why) => Err(clean!("what {} tells {why}: {said}", fill.sampler)),
            },
        };
        Filled { fill, value }
    };
    item.beside.fill.iter().map(of).collect()
}

impl Filled<'_> {
    /// What is said of it below the text.
    pub fn sentence(&self) -> Clean {
        let Fill { word, sampler, fact } = self.fill;
        match &self.value {
            Ok(value) => clean!("{word} is {value}, by {sampler}: {fact}."),
            Err(why) => clean!("{word} stands for itself: {why}."),
        }
    }

    /// Whether a fact stands there.
    pub const fn is_known(&self) -> bool {
        self.value.is_ok()
    }
}

/// The text with what is known.
pub fn fill(words: &[Filled<'_>], text: &Clean) -> Clean {
    words.iter().fold(text.clone(), |text, filled| match &filled.value {
        Ok(value) => filled.fill.put(&text, value),
        Err(_) => text,
    })
}
