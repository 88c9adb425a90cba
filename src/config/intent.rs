//! What a style is for. Themes name these, never widgets; colour comes on top of words and never alone.

use crate::base::Level;

/// A reason to look different.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Intent {
    /// Anything else.
    Text,
    /// Ages, units, what is there but secondary.
    Muted,
    /// Names of panes and overlays.
    Title,
    /// A number that matters.
    Value,
    /// Lines between areas, frames.
    Rule,
    /// The one accent: what is selected by design, not by state.
    Accent,
    /// A chart's bars.
    Chart,
    /// Where a chart has no data.
    Gap,
    /// Level OK.
    Ok,
    /// Level NOTE.
    Note,
    /// Level BELOW NORMAL.
    BelowNormal,
    /// Level WARNING.
    Warning,
    /// Level CRITICAL.
    Critical,
    /// Level UNKNOWN, and what failed.
    Unknown,
    /// LATE and STALE: never a health colour.
    Stale,
    /// The mark of values that are not from the real thing.
    Simulated,
    /// The alert strip while something is critical.
    AlertCritical,
    /// The alert strip while something warns.
    AlertWarning,
    /// The alert strip when all is quiet.
    AlertQuiet,
    /// The pane that takes the keys.
    Focus,
    /// The selected row.
    Selection,
    /// A key on the hint line or the help page.
    Key,
    /// The mode word OBSERVE.
    Observe,
    /// The mode word ARMED.
    Armed,
    /// Text of a confirmation prompt; nothing foreign is ever drawn like it.
    Prompt,
    /// The frame of a confirmation prompt.
    PromptFrame,
    /// The danger of an action, and what it would change.
    Danger,
    /// A diff's old line.
    Removed,
    /// A diff's new line.
    Added,
    /// A log line at ERROR.
    LogError,
    /// A log line at WARN.
    LogWarn,
    /// A log line at DEBUG or TRACE.
    LogDebug,
    /// The badge of production.
    BadgeProduction,
    /// The badge of staging or test.
    BadgeStaging,
    /// The badge of development.
    BadgeDevelopment,
    /// The badge of a demo or drill.
    BadgeDemo,
    /// The badge of any other environment.
    BadgeOther,
}

/// Every intent, with its word in theme files. The position is the place in a theme.
pub const INTENTS: &[(Intent, &str)] = &[
    (Intent::Text, "text"),
    (Intent::Muted, "muted"),
    (Intent::Title, "title"),
    (Intent::Value, "value"),
    (Intent::Rule, "rule"),
    (Intent::Accent, "accent"),
    (Intent::Chart, "chart"),
    (Intent::Gap, "gap"),
    (Intent::Ok, "ok"),
    (Intent::Note, "note"),
    (Intent::BelowNormal, "below-normal"),
    (Intent::Warning, "warning"),
    (Intent::Critical, "critical"),
    (Intent::Unknown, "unknown"),
    (Intent::Stale, "stale"),
    (Intent::Simulated, "simulated"),
    (Intent::AlertCritical, "alert-critical"),
    (Intent::AlertWarning, "alert-warning"),
    (Intent::AlertQuiet, "alert-quiet"),
    (Intent::Focus, "focus"),
    (Intent::Selection, "selection"),
    (Intent::Key, "key"),
    (Intent::Observe, "observe"),
    (Intent::Armed, "armed"),
    (Intent::Prompt, "prompt"),
    (Intent::PromptFrame, "prompt-frame"),
    (Intent::Danger, "danger"),
    (Intent::Removed, "removed"),
    (Intent::Added, "added"),
    (Intent::LogError, "log-error"),
    (Intent::LogWarn, "log-warn"),
    (Intent::LogDebug, "log-debug"),
    (Intent::BadgeProduction, "badge-production"),
    (Intent::BadgeStaging, "badge-staging"),
    (Intent::BadgeDevelopment, "badge-development"),
    (Intent::BadgeDemo, "badge-demo"),
    (Intent::BadgeOther, "badge-other"),
];

impl Intent {
    /// For a level's word and the values beside it.
    pub const fn of(level: Level) -> Self {
        match level {
            Level::Ok => Self::Ok,
            Level::Note => Self::Note,
            Level::BelowNormal => Self::BelowNormal,
            Level::Unknown => Self::Unknown,
            Level::Warning => Self::Warning,
            Level::Critical => Self::Critical,
        }
    }

    /// For the alert strip.
    pub const fn alert(level: Level) -> Self {
        match level {
            Level::Critical => Self::AlertCritical,
            Level::Warning => Self::AlertWarning,
            Level::Ok | Level::Note | Level::BelowNormal | Level::Unknown => Self::AlertQuiet,
        }
    }

    /// For an environment's badge, by the usual words.
    pub fn badge(environment: &str) -> Self {
        const WORDS: &[(&str, Intent)] = &[
            ("production", Intent::BadgeProduction),
            ("prod", Intent::BadgeProduction),
            ("live", Intent::BadgeProduction),
            ("staging", Intent::BadgeStaging),
            ("stage", Intent::BadgeStaging),
            ("test", Intent::BadgeStaging),
            ("development", Intent::BadgeDevelopment),
            ("dev", Intent::BadgeDevelopment),
            ("demo", Intent::BadgeDemo),
            ("drill", Intent::BadgeDemo),
        ];
        let found = WORDS.iter().find(|(word, _)| environment.eq_ignore_ascii_case(word));
        found.map_or(Self::BadgeOther, |(_, badge)| *badge)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_position_in_the_table_is_the_place_in_a_theme() {
        for (at, (intent, word)) in INTENTS.iter().enumerate() {
            assert_eq!(*intent as usize, at, "{word}");
        }
        assert_eq!(INTENTS.len(), Intent::BadgeOther as usize + 1);
        assert_eq!(INTENTS.iter().map(|(_, word)| word).collect::<BTreeSet<_>>().len(), INTENTS.len());
    }

    #[test]
    fn production_is_known_by_its_usual_names() {
        for (word, badge) in [
            ("PROD", Intent::BadgeProduction),
            ("Production", Intent::BadgeProduction),
            ("demo", Intent::BadgeDemo),
            ("unset", Intent::BadgeOther),
        ] {
            assert_eq!(Intent::badge(word), badge);
        }
    }
}
