//! Text, perhaps with a time and a level at its beginning.

use super::level::{first_word, level_word};
use super::parts::Parts;
use super::time::take_time;

/// A level stands among the first words, if anywhere.
const LEVEL_WORDS: usize = 5;

/// Always fits.
pub(in crate::logs) fn plain(text: &str) -> Parts<'_> {
    let (time, rest) = take_time(text).map_or((None, text), |(time, rest)| (Some(time), rest));
    if let Some((word, after)) = first_word(rest)
        && let Some(level) = level_word(word)
    {
        return Parts::words(time, Some(level), after, after);
    }
    let level = rest.split_whitespace().take(LEVEL_WORDS).find_map(level_word);
    Parts::words(time, level, rest, rest)
}
