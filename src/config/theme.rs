//! A theme for one colour depth: a style for every intent.

use super::{INTENTS, Intent, style};
use crate::base::{Body, Fault};
use ratatui::style::Style;

/// How many colours a palette may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Depth {
    /// None: bold, underline, reverse.
    Mono,
    /// The terminal's own sixteen.
    Ansi16,
    /// The 256 of xterm.
    Ansi256,
    /// 24 bits.
    True,
}

impl Depth {
    /// Every depth with its table in theme files, the poorest first.
    pub const ALL: &[(Self, &'static str)] =
        &[(Self::Mono, "mono"), (Self::Ansi16, "ansi16"), (Self::Ansi256, "ansi256"), (Self::True, "true")];

    fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == word).map(|(depth, _)| *depth)
    }
}

/// A style for every intent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Theme {
    styles: Vec<Style>,
}

impl Theme {
    /// The style for an intent.
    pub fn style(&self, intent: Intent) -> Style {
        self.styles.get(intent as usize).copied().unwrap_or_default()
    }

    /// Lays theme files over each other, the complete default first. Of each file the palettes up to `depth` count,
    /// the deepest last; without colours only `mono` does. A later file's `depth` caps it for good.
    pub fn merge(layers: &[Body], depth: Depth) -> (Self, Vec<Fault>) {
        let mut faults = Vec::new();
        let files: Vec<File> = layers.iter().map(|layer| File::read(layer, &mut faults)).collect();
        let depth = files.iter().rev().find_map(|file| file.cap).map_or(depth, |cap| cap.min(depth));
        let mut styles = vec![Style::new(); INTENTS.len()];
        for (palette, at, style) in files.iter().flat_map(|file| &file.entries) {
            let counts =
                if depth == Depth::Mono { *palette == depth } else { *palette != Depth::Mono && *palette <= depth };
            if let Some(slot) = styles.get_mut(*at).filter(|_| counts) {
                *slot = *style;
            }
        }
        (Self { styles }, faults)
    }
}

/// One theme file.
struct File {
    cap: Option<Depth>,
    /// Palette, position of the intent, style; the poorest palette first.
    entries: Vec<(Depth, usize, Style)>,
}

impl File {
    fn read(layer: &Body, faults: &mut Vec<Fault>) -> Self {
        let mut body = layer.clone();
        let mut file = Self { cap: None, entries: Vec::new() };
        let words = || Depth::ALL.iter().map(|(_, word)| *word);
        let place = body
            .fault_at("depth", "`depth` names no palette.")
            .hint(format!("Known here: {}.", words().collect::<Vec<_>>().join(", ")));
        match body.take::<String>("depth") {
            Ok(None) => {}
            Ok(Some(word)) => match Depth::parse(&word) {
                Some(depth) => file.cap = Some(depth),
                None => faults.push(place),
            },
            Err(fault) => faults.push(fault),
        }
        // Whoever found the files has followed it already.
        faults.extend(body.take::<String>("inherits").err());
        for (depth, word) in Depth::ALL {
            match body.take_table(word) {
                Ok(Some(palette)) => file.palette(*depth, palette, faults),
                Ok(None) => {}
                Err(fault) => faults.push(fault),
            }
        }
        let known: Vec<&str> = ["inherits", "depth"].into_iter().chain(words()).collect();
        faults.extend(body.unknown(&known));
        file
    }

    fn palette(&mut self, depth: Depth, mut palette: Body, faults: &mut Vec<Fault>) {
        for (at, (_, word)) in INTENTS.iter().enumerate() {
            let place = palette.fault_at(word, "");
            let read = palette.take::<String>(word).and_then(|text| {
                let style = text.map(|text| style::parse(&text, depth)).transpose();
                style.map_err(|what| Fault { what: Fault::new(what).what, ..place })
            });
            match read {
                Ok(style) => self.entries.extend(style.map(|style| (depth, at, style))),
                Err(fault) => faults.push(fault),
            }
        }
        let known: Vec<&str> = INTENTS.iter().map(|(_, word)| *word).collect();
        faults.extend(palette.unknown(&known));
    }
}
