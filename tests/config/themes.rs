//! Theme files: complete, calm, and wrong ones with their sentences.

use proptest::prelude::*;
use ratatui::style::{Color, Modifier, Style};
use watchkeeper::base::Body;
use watchkeeper::config::appearance::THEMES;
use watchkeeper::config::{Depth, INTENTS, Intent, SearchPath, Theme, load_theme};

fn each() -> impl Iterator<Item = (&'static str, Depth, Theme)> {
    THEMES.iter().flat_map(|(name, _)| {
        Depth::ALL.iter().map(move |(depth, _)| {
            let (theme, faults) = load_theme(name, *depth, &SearchPath::default());
            assert_eq!(faults, [], "{name}");
            (*name, *depth, theme)
        })
    })
}

fn colours(style: Style) -> impl Iterator<Item = Color> {
    style.fg.into_iter().chain(style.bg)
}

#[test]
fn a_depth_uses_no_colour_that_it_lacks() {
    for (name, depth, theme) in each() {
        for (intent, word) in INTENTS {
            for colour in colours(theme.style(*intent)) {
                let needed = match colour {
                    Color::Rgb(..) => Depth::True,
                    Color::Indexed(_) => Depth::Ansi256,
                    _ => Depth::Ansi16,
                };
                assert!(needed <= depth && name != "mono", "{name} at {depth:?}: {word}");
            }
        }
    }
}

#[test]
fn monochrome_is_bold_underline_and_reverse_and_nothing_blinks() {
    let plain = Modifier::BOLD | Modifier::UNDERLINED | Modifier::REVERSED;
    for (name, depth, theme) in each() {
        for (intent, word) in INTENTS {
            let style = theme.style(*intent);
            let blinks = Modifier::SLOW_BLINK | Modifier::RAPID_BLINK | Modifier::HIDDEN;
            assert!(!style.add_modifier.intersects(blinks), "{name}: {word}");
            if depth == Depth::Mono {
                assert!(plain.contains(style.add_modifier), "{name}: {word}");
            }
        }
    }
}

#[test]
fn what_must_not_be_confused_looks_different() {
    let foreign = [Intent::Text, Intent::Muted, Intent::LogError, Intent::LogWarn, Intent::LogDebug];
    for (name, depth, theme) in each() {
        let style = |intent| theme.style(intent);
        for intent in [Intent::Ok, Intent::Warning, Intent::Critical] {
            assert_ne!(style(Intent::Stale), style(intent), "{name} at {depth:?}: stale is no health");
        }
        for intent in foreign {
            assert_ne!(
                style(Intent::Prompt),
                style(intent),
                "{name} at {depth:?}: a log line must not look like a prompt"
            );
            assert_ne!(style(Intent::Danger), style(intent), "{name} at {depth:?}");
        }
        for (a, b) in [
            (Intent::Warning, Intent::Critical),
            (Intent::Ok, Intent::Critical),
            (Intent::Observe, Intent::Armed),
            (Intent::BadgeProduction, Intent::BadgeDemo),
            (Intent::Focus, Intent::Title),
            (Intent::Selection, Intent::Text),
        ] {
            assert_ne!(style(a), style(b), "{name} at {depth:?}: {a:?} {b:?}");
        }
    }
}

#[test]
fn the_default_names_every_intent() {
    let (_, text) = THEMES.iter().find(|(name, _)| *name == "default").expect("the default");
    for palette in ["mono", "ansi16"] {
        let mut body = Body::parse("default", text).expect("parses");
        let keys = body.take_table(palette).expect("a table").expect("there").keys();
        let words: Vec<&str> = INTENTS.iter().map(|(_, word)| *word).collect();
        assert_eq!(keys, words, "{palette}");
    }
}

#[test]
fn wrong_themes_are_sentences_and_the_rest_holds() {
    for (text, said) in [
        ("[ansi16]\ncritcal = \"red\"\n", "t.toml:2:1: unknown key `critcal`. Did you mean `critical`?"),
        ("[ansi61]\nok = \"red\"\n", "t.toml:1:2: unknown key `ansi61`. Did you mean `ansi16`?"),
        (
            "[ansi16]\ncritical = \"blink red\"\n",
            "t.toml:2:12: `blink` is no style word. Known here: bold, underline, ",
        ),
        ("[ansi16]\ncritical = 5\n", "t.toml:2:12: invalid type: integer `5`, expected a string."),
        ("[mono]\ncritical = \"red\"\n", "t.toml:2:12: `red` needs a deeper palette: write it under [ansi16]."),
        ("depth = \"deep\"\n", "t.toml:1:9: `depth` names no palette. Known here: mono, ansi16, ansi256, true."),
        ("ansi16 = 5\n", "t.toml:1:10: `ansi16` is an integer, expected a table."),
    ] {
        let rest = format!("{text}[ansi256]\nok = \"bold 7\"\n");
        let body = Body::parse("t.toml", &rest).expect("parses");
        let (theme, faults) = Theme::merge(&[body], Depth::True);
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(faults.first().is_some_and(|fault| fault.to_string().starts_with(said)), "{faults:?} for {said}");
        assert_eq!(theme.style(Intent::Ok), Style::new().fg(Color::Indexed(7)).add_modifier(Modifier::BOLD));
    }
}

proptest! {
    #[test]
    fn no_theme_panics(text in any::<String>(), word in "[a-z0-9# -]{0,12}") {
        let texts = [text, format!("[ansi16]\ncritical = {word:?}\n")];
        for text in texts {
            if let Ok(body) = Body::parse("t.toml", &text) {
                drop(Theme::merge(&[body], Depth::True));
            }
        }
    }
}
