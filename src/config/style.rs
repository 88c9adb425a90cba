//! One style as theme files spell it: `bold red`, `black on yellow`, `underline #88aaff`.

use super::Depth;
use ratatui::style::{Color, Modifier, Style};

const MODIFIERS: &[(&str, Modifier)] = &[
    ("bold", Modifier::BOLD),
    ("underline", Modifier::UNDERLINED),
    ("reverse", Modifier::REVERSED),
    ("dim", Modifier::DIM),
    ("italic", Modifier::ITALIC),
];

/// The terminal's own sixteen, so that its palette stays the operator's choice.
const COLOURS: &[(&str, Color)] = &[
    ("black", Color::Black),
    ("red", Color::Red),
    ("green", Color::Green),
    ("yellow", Color::Yellow),
    ("blue", Color::Blue),
    ("magenta", Color::Magenta),
    ("cyan", Color::Cyan),
    ("white", Color::Gray),
    ("bright-black", Color::DarkGray),
    ("bright-red", Color::LightRed),
    ("bright-green", Color::LightGreen),
    ("bright-yellow", Color::LightYellow),
    ("bright-blue", Color::LightBlue),
    ("bright-magenta", Color::LightMagenta),
    ("bright-cyan", Color::LightCyan),
    ("bright-white", Color::White),
];

/// Reads a style for a palette of this depth. Mono knows bold, underline and reverse alone: every terminal has them.
pub(super) fn parse(text: &str, depth: Depth) -> Result<Style, String> {
    let mut style = Style::new();
    let mut words = text.split_ascii_whitespace();
    while let Some(word) = words.next() {
        if word == "plain" {
            continue;
        }
        if let Some(at) = MODIFIERS.iter().position(|(known, _)| *known == word) {
            if depth == Depth::Mono && at > 2 {
                return Err(format!(
                    "`{word}` does not show on every terminal: mono knows bold, underline and reverse."
                ));
            }
            style = MODIFIERS.get(at).map_or(style, |(_, modifier)| style.add_modifier(*modifier));
            continue;
        }
        let (ground, word) = if word == "on" { (true, words.next().unwrap_or_default()) } else { (false, word) };
        let taken = if ground { style.bg } else { style.fg };
        if taken.is_some() {
            return Err(format!("`{word}` is a second {} colour.", if ground { "background" } else { "text" }));
        }
        let colour = colour(word, depth)?;
        style = if ground { style.bg(colour) } else { style.fg(colour) };
    }
    Ok(style)
}

fn colour(word: &str, depth: Depth) -> Result<Color, String> {
    let (colour, needed, palette) = if let Some((_, colour)) = COLOURS.iter().find(|(known, _)| *known == word) {
        (*colour, Depth::Ansi16, "ansi16")
    } else if let Ok(index) = word.parse::<u8>() {
        (Color::Indexed(index), Depth::Ansi256, "ansi256")
    } else if let Some((red, green, blue)) = hex(word) {
        (Color::Rgb(red, green, blue), Depth::True, "true")
    } else {
        let known = MODIFIERS.iter().map(|(known, _)| *known).chain(["on", "plain"]);
        let known: Vec<&str> = known.chain(COLOURS.iter().map(|(known, _)| *known)).collect();
        return Err(format!("`{word}` is no style word. Known here: {}, 0 to 255, #rrggbb.", known.join(", ")));
    };
    if depth < needed {
        return Err(format!("`{word}` needs a deeper palette: write it under [{palette}]."));
    }
    Ok(colour)
}

fn hex(word: &str) -> Option<(u8, u8, u8)> {
    let digits =
        word.strip_prefix('#').filter(|digits| digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
    let [_, red, green, blue] = u32::from_str_radix(digits, 16).ok()?.to_be_bytes();
    Some((red, green, blue))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn styles_are_words() {
        let style = Style::new();
        for (text, depth, expected) in [
            ("", Depth::Mono, Ok(style)),
            ("plain", Depth::Mono, Ok(style)),
            ("bold reverse", Depth::Mono, Ok(style.add_modifier(Modifier::BOLD | Modifier::REVERSED))),
            ("black on bright-red", Depth::Ansi16, Ok(style.fg(Color::Black).bg(Color::LightRed))),
            ("bold 208", Depth::Ansi256, Ok(style.fg(Color::Indexed(208)).add_modifier(Modifier::BOLD))),
            ("on #10203f", Depth::True, Ok(style.bg(Color::Rgb(16, 32, 63)))),
            ("208", Depth::Ansi16, Err("`208` needs a deeper palette: write it under [ansi256].")),
            ("red", Depth::Mono, Err("`red` needs a deeper palette: write it under [ansi16].")),
            ("dim", Depth::Mono, Err("`dim` does not show on every terminal: mono knows bold, underline and reverse.")),
            ("red blue", Depth::True, Err("`blue` is a second text colour.")),
        ] {
            assert_eq!(parse(text, depth), expected.map_err(ToOwned::to_owned), "{text}");
        }
        for wrong in ["blink", "on", "#12345", "#ééé", "256", "-1"] {
            let said = parse(wrong, Depth::True).expect_err("no style");
            assert!(said.contains("is no style word. Known here: bold, "), "{said}");
        }
    }
}
