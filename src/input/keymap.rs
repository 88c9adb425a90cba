//! The keymap in use: rows of files merged over the complete default, looked up both ways.

use super::Chord;
use super::rows::{Binding, read, shown};
use crate::base::{Body, Clean, Fault};
use crate::command::{Command, Context, TABLE};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What a key led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// A command.
    Found(Command),
    /// The start of a longer sequence.
    Pending,
    /// Nothing.
    Unbound,
}

/// One line of the help page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HelpRow {
    /// Every key for it, as shown: `["Down", "j"]`.
    pub keys: Vec<String>,
    /// What it asks for.
    pub command: Command,
    /// The row's own words, else the command's.
    pub desc: Clean,
}

impl HelpRow {
    /// The keys in one text: `Down j`.
    pub fn keys(&self) -> String {
        self.keys.join("  ")
    }
}

/// Keys to commands in every context, with the sequence that is being typed.
#[derive(Clone, Debug, Default)]
pub struct Keymap {
    bindings: Vec<Binding>,
    typed: Vec<Chord>,
    typed_in: Option<Context>,
}

impl Keymap {
    /// Merges keymap files, the complete default first; a later file's keys win over an earlier one's.
    /// Rows that are wrong or clash with another of their own file are faults and are left out.
    pub fn merge(layers: &[Body]) -> (Self, Vec<Fault>) {
        let mut keymap = Self::default();
        let mut faults = Vec::new();
        for layer in layers {
            let mut rows = read(layer, &mut faults);
            keymap.bindings.retain(|old| !rows.iter().any(|row| row.clashes(old)));
            rows.retain(|row| row.command.is_some());
            rows.append(&mut keymap.bindings);
            keymap.bindings = rows;
        }
        for needed in [Command::Help, Command::Back, Command::Quit] {
            for context in Context::ALL {
                if needed.works_in(*context) && keymap.keys_for(*context, needed).is_none() {
                    let (name, word) = (needed.spec().map_or("", |spec| spec.word), context.word());
                    faults.push(
                        Fault::new(format!("no key is left for `{name}` in `{word}`."))
                            .hint(format!("Add a row: [[{word}]] with on = \"…\" and run = \"{name}\".")),
                    );
                }
            }
        }
        (keymap, faults)
    }

    /// Takes the next key. A sequence that leads nowhere is dropped whole; Esc only drops what was begun.
    pub fn feed(&mut self, context: Context, event: &KeyEvent) -> Lookup {
        let Some(chord) = Chord::of(event) else { return Lookup::Unbound };
        if self.typed_in != Some(context) {
            self.typed.clear();
        }
        self.typed_in = Some(context);
        if !self.typed.is_empty() && event.code == KeyCode::Esc && event.modifiers == KeyModifiers::NONE {
            self.typed.clear();
            return Lookup::Unbound;
        }
        self.typed.push(chord);
        let mut open = self.bindings.iter().filter(|row| row.context == context && row.keys.starts_with(&self.typed));
        let lookup = match open.next() {
            Some(row) if row.keys.len() > self.typed.len() => return Lookup::Pending,
            Some(row) => row.command.map_or(Lookup::Unbound, Lookup::Found),
            None => Lookup::Unbound,
        };
        self.typed.clear();
        lookup
    }

    /// What was typed of a sequence that is not complete, for the hint line; empty when nothing is pending.
    pub fn typed(&self) -> String {
        shown(&self.typed)
    }

    /// The key for a command there, as shown: `Ctrl-Z`, `g g`. The user's own rows come first.
    pub fn keys_for(&self, context: Context, command: Command) -> Option<String> {
        self.rows_for(context, command).next().map(|row| shown(&row.keys))
    }

    /// Every bound command there in the table's order, for the help page.
    pub fn rows(&self, context: Context) -> Vec<HelpRow> {
        TABLE
            .iter()
            .filter_map(|spec| {
                let desc = self.rows_for(context, spec.command).next()?.desc.clone();
                let keys = self.rows_for(context, spec.command).map(|row| shown(&row.keys)).collect();
                Some(HelpRow { keys, command: spec.command, desc: desc.unwrap_or_else(|| spec.about.into()) })
            })
            .collect()
    }

    /// What a command is called on the hint line: the row's own words, else the command's.
    pub fn describe(&self, context: Context, command: Command) -> Clean {
        let own = self.rows_for(context, command).next().and_then(|row| row.desc.clone());
        own.unwrap_or_else(|| command.spec().map_or_else(Clean::default, |spec| spec.hint.into()))
    }

    fn rows_for(&self, context: Context, command: Command) -> impl Iterator<Item = &Binding> {
        self.bindings.iter().filter(move |row| row.context == context && row.command == Some(command))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DEFAULT: &str = include_str!("../../keymaps/default.toml");

    fn body(text: &str) -> Body {
        Body::parse("k.toml", text).expect("parses")
    }

    fn over_default(text: &str) -> (Keymap, Vec<String>) {
        let (keymap, faults) = Keymap::merge(&[body(DEFAULT), body(text)]);
        (keymap, faults.iter().map(ToString::to_string).collect())
    }

    fn key(text: &str) -> KeyEvent {
        let (code, held) = match text {
            "esc" => (KeyCode::Esc, KeyModifiers::NONE),
            "ctrl-z" => (KeyCode::Char('z'), KeyModifiers::CONTROL),
            letter => (KeyCode::Char(letter.chars().next().expect("a letter")), KeyModifiers::NONE),
        };
        KeyEvent::new(code, held)
    }

    #[test]
    fn the_default_is_complete_and_without_fault() {
        let (keymap, faults) = over_default("");
        assert_eq!(faults, [""; 0]);
        for spec in TABLE {
            for context in spec.contexts {
                assert!(keymap.keys_for(*context, spec.command).is_some(), "{} in {}", spec.word, context.word());
            }
        }
    }

    #[test]
    fn the_keys_of_the_house_do_what_the_design_says() {
        let (mut keymap, _) = over_default("");
        for (context, text, command) in [
            (Context::Triage, "q", Command::Quit),
            (Context::Overlay, "q", Command::Back),
            (Context::Log, "esc", Command::Back),
            (Context::Triage, "?", Command::Help),
            (Context::Triage, " ", Command::Pause),
            (Context::Log, "z", Command::Zoom),
            (Context::Triage, "a", Command::Actions),
            (Context::Triage, "A", Command::Arm),
            (Context::Triage, "L", Command::OwnLog),
            (Context::Log, "G", Command::Bottom),
            (Context::Overlay, "j", Command::Down),
            (Context::Triage, "ctrl-z", Command::Suspend),
        ] {
            assert_eq!(keymap.feed(context, &key(text)), Lookup::Found(command), "{text} in {}", context.word());
        }
        assert_eq!(keymap.feed(Context::Prompt, &key("q")), Lookup::Unbound);
    }

    #[test]
    fn the_users_rows_win_and_hints_follow_them() {
        let (mut keymap, faults) = over_default(
            "[[everywhere]]\non = \"f1\"\nrun = \"help\"\ndesc = \"the manual\"\n\
             [[log]]\non = \"g g\"\nrun = \"top\"\n[[triage]]\non = \"q\"\nrun = \"none\"\n",
        );
        assert_eq!(faults, [""; 0]);
        assert_eq!(keymap.keys_for(Context::Log, Command::Help).as_deref(), Some("F1"));
        assert_eq!(keymap.describe(Context::Log, Command::Help).as_str(), "the manual");
        assert_eq!(keymap.describe(Context::Log, Command::Quit).as_str(), "quit");
        let help = keymap.rows(Context::Overlay).into_iter().find(|row| row.command == Command::Help).expect("a row");
        assert_eq!((help.keys(), help.desc.as_str()), ("F1  ?".to_owned(), "the manual"));
        assert_eq!(keymap.feed(Context::Log, &key("g")), Lookup::Pending);
        assert_eq!(keymap.typed(), "g");
        assert_eq!(keymap.feed(Context::Log, &key("g")), Lookup::Found(Command::Top));
        assert_eq!(keymap.feed(Context::Triage, &key("q")), Lookup::Unbound);
        assert_eq!(keymap.keys_for(Context::Triage, Command::Quit).as_deref(), Some("Ctrl-C"));
    }

    #[test]
    fn a_sequence_that_leads_nowhere_runs_nothing() {
        let (mut keymap, _) = over_default("[[log]]\non = \"g g\"\nrun = \"top\"\n");
        for second in ["q", "esc"] {
            assert_eq!(keymap.feed(Context::Log, &key("g")), Lookup::Pending);
            assert_eq!(keymap.feed(Context::Log, &key(second)), Lookup::Unbound);
            assert_eq!(keymap.typed(), "");
        }
        assert_eq!(keymap.feed(Context::Log, &key("g")), Lookup::Pending);
        assert_eq!(keymap.feed(Context::Triage, &key("q")), Lookup::Found(Command::Quit));
    }

    #[test]
    fn wrong_rows_are_placed_faults_and_the_rest_holds() {
        for (text, said) in [
            ("[[log]]\non = \"x\"\nrun = \"tpo\"\n", "k.toml:3:7: unknown command `tpo`. Did you mean `top`?"),
            ("[[log]]\non = \"xx\"\nrun = \"top\"\n", "k.toml:2:6: `xx` is no key. Write one character, "),
            ("[[log]]\non = \"\"\nrun = \"top\"\n", "k.toml:2:6: a row needs 1 to 4 keys, this one has 0."),
            ("[[log]]\nkey = \"x\"\n", "k.toml:2:1: unknown key `key`."),
            ("[[lgo]]\non = \"x\"\n", "k.toml:1:3: unknown key `lgo`. Did you mean `log`?"),
            ("[[overlay]]\non = \"x\"\nrun = \"pause\"\n", "k.toml:3:7: `pause` means nothing in `overlay`."),
            (
                "[[prompt]]\non = \"x\"\nrun = \"arm\"\n",
                "k.toml:1:1: a prompt takes keys raw: nothing can be bound there.",
            ),
            (
                "[[log]]\non = \"x\"\nrun = \"top\"\n[[log]]\non = \"x\"\nrun = \"bottom\"\n",
                "k.toml:5:6: `x` in `log` clashes with `x` of line 2: one of them could never be typed.",
            ),
            (
                "[[everywhere]]\non = \"x y\"\nrun = \"help\"\n[[log]]\non = \"x\"\nrun = \"top\"\n",
                "k.toml:5:6: `x` in `log` clashes with `x y` of line 2: one of them could never be typed.",
            ),
        ] {
            let (keymap, faults) = over_default(text);
            assert_eq!(faults.len(), 1, "{faults:?}");
            assert!(faults.first().is_some_and(|fault| fault.starts_with(said)), "{faults:?} for {said}");
            assert!(keymap.keys_for(Context::Log, Command::Help).is_some());
        }
    }

    #[test]
    fn losing_the_way_out_is_said() {
        let (_, faults) = Keymap::merge(&[body("[[everywhere]]\non = \"?\"\nrun = \"help\"\n")]);
        let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
        assert!(
            faults.contains(
                &"no key is left for `quit` in `log`. Add a row: [[log]] with on = \"…\" and run = \"quit\"."
                    .to_owned()
            ),
            "{faults:?}"
        );
        assert_eq!(faults.len(), 6);
    }

    proptest! {
        #[test]
        fn no_two_rows_in_use_clash(keys in proptest::collection::vec("[a-c]( [a-c]){0,2}", 0..12), log in any::<bool>()) {
            let word = if log { "log" } else { "everywhere" };
            let rows: Vec<String> =
                keys.iter().map(|on| format!("[[{word}]]\non = \"{on}\"\nrun = \"help\"\n")).collect();
            let text = rows.concat();
            let (keymap, _) = over_default(&text);
            for (at, one) in keymap.bindings.iter().enumerate() {
                prop_assert!(keymap.bindings.iter().skip(at + 1).all(|other| !one.clashes(other)));
            }
        }
    }
}
