//! What the terminal can show, told by the environment alone: no query, no wait. Pure: the look-up is given.

/// How many colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// None: words, bold, dim, underline and reverse carry the meaning.
    None,
    /// The 16 of ANSI.
    Ansi16,
    /// The 256 of xterm.
    Ansi256,
    /// 24 bits.
    True,
}

/// Which sequences of a desktop notification are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Popup {
    /// None: it would show them as text.
    None,
    /// OSC 9.
    Osc9,
    /// OSC 777.
    Osc777,
    /// Both: a terminal takes the one it knows and ignores the other.
    Both,
}

/// What the terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// Colours.
    pub depth: Depth,
    /// Whether the locale is UTF-8; otherwise only ASCII is drawn.
    pub utf8: bool,
    /// No screen to draw on (`TERM=dumb`, no TERM, not a tty): print a snapshot instead.
    pub dumb: bool,
    /// Inside tmux or screen: a fence proves only that the multiplexer has the frame.
    pub multiplexer: bool,
    /// How it is told of an alarm beside the bell.
    pub popup: Popup,
}

impl Caps {
    /// Judges by the environment: `lookup` gives a variable's value, `is_tty` says whether the output is a terminal.
    pub fn detect(lookup: &dyn Fn(&str) -> Option<String>, is_tty: bool) -> Self {
        let set = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let term = set("TERM").unwrap_or_default();
        let dumb = !is_tty || term.is_empty() || term == "dumb";
        let screen = set("STY").is_some() || term.starts_with("screen");
        let tmux = set("TMUX").is_some() || term.starts_with("tmux");
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set).unwrap_or_default().to_ascii_lowercase();
        let depth = if dumb || set("NO_COLOR").is_some() {
            Depth::None
        } else {
            // GNU screen cannot pass 24-bit colours on, whatever the terminal around it can.
            depth(&term, set("COLORTERM").as_deref(), screen && !tmux)
        };
        Self {
            depth,
            utf8: locale.contains("utf-8") || locale.contains("utf8"),
            dumb,
            multiplexer: screen || tmux,
            popup: popup(&term),
        }
    }
}

/// By the name alone, which ssh carries on. A multiplexer drops both sequences and passes the bell on.
fn popup(term: &str) -> Popup {
    let is = |names: &[&str]| names.iter().any(|name| term.starts_with(name));
    if is(&["linux", "vt", "cons", "dumb"]) {
        Popup::None
    } else if is(&["rxvt", "foot", "xterm-ghostty", "wezterm"]) {
        // They know both, but for the first, which knows this one: never two notifications for one alarm.
        Popup::Osc777
    } else if is(&["xterm-kitty", "iterm"]) {
        Popup::Osc9
    } else {
        Popup::Both
    }
}

fn depth(term: &str, colorterm: Option<&str>, screen: bool) -> Depth {
    let full = matches!(colorterm, Some("truecolor" | "24bit")) || term.ends_with("-direct");
    if full && !screen {
        Depth::True
    } else if full || term.contains("256color") {
        Depth::Ansi256
    } else if term.starts_with("vt1") || term.starts_with("vt2") || term.ends_with("-m") || term.ends_with("-mono") {
        Depth::None
    } else {
        Depth::Ansi16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detect(vars: &[(&str, &str)]) -> Caps {
        let find = |name: &str| vars.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Caps::detect(&find, true)
    }

    #[test]
    fn colours_follow_the_environment() {
        for (vars, depth) in [
            (&[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")][..], Depth::True),
            (&[("TERM", "xterm"), ("COLORTERM", "24bit")], Depth::True),
            (&[("TERM", "xterm-direct")], Depth::True),
            (&[("TERM", "xterm-256color")], Depth::Ansi256),
            (&[("TERM", "xterm-256color"), ("COLORTERM", "yes")], Depth::Ansi256),
            (&[("TERM", "screen-256color"), ("COLORTERM", "truecolor")], Depth::Ansi256),
            (&[("TERM", "screen-256color"), ("TMUX", "/tmp/x"), ("COLORTERM", "truecolor")], Depth::True),
            (&[("TERM", "linux")], Depth::Ansi16),
            (&[("TERM", "vt100")], Depth::None),
            (&[("TERM", "xterm-256color"), ("COLORTERM", "truecolor"), ("NO_COLOR", "1")], Depth::None),
            (&[("TERM", "xterm-256color"), ("NO_COLOR", "")], Depth::Ansi256),
        ] {
            assert_eq!(detect(vars).depth, depth, "{vars:?}");
        }
    }

    #[test]
    fn the_first_locale_variable_that_is_set_decides() {
        assert!(detect(&[("LANG", "en_US.UTF-8")]).utf8);
        assert!(detect(&[("LC_CTYPE", "C.utf8"), ("LANG", "C")]).utf8);
        assert!(!detect(&[("LC_ALL", "C"), ("LANG", "en_US.UTF-8")]).utf8);
        assert!(detect(&[("LC_ALL", ""), ("LANG", "en_US.UTF-8")]).utf8);
        assert!(!detect(&[]).utf8);
    }

    #[test]
    fn a_dumb_terminal_and_a_pipe_get_no_screen() {
        assert!(detect(&[("TERM", "dumb")]).dumb);
        assert!(detect(&[]).dumb);
        assert!(!detect(&[("TERM", "xterm")]).dumb);
        assert!(Caps::detect(&|_| Some("xterm".to_owned()), false).dumb);
    }

    #[test]
    fn no_terminal_is_notified_twice_and_a_console_not_at_all() {
        for (term, popup) in [
            ("linux", Popup::None),
            ("vt220", Popup::None),
            ("rxvt-unicode-256color", Popup::Osc777),
            ("foot", Popup::Osc777),
            ("xterm-ghostty", Popup::Osc777),
            ("xterm-kitty", Popup::Osc9),
            ("xterm-256color", Popup::Both),
            ("tmux-256color", Popup::Both),
        ] {
            assert_eq!(detect(&[("TERM", term)]).popup, popup, "{term}");
        }
    }

    #[test]
    fn a_multiplexer_is_told_from_a_terminal() {
        assert!(detect(&[("TERM", "screen")]).multiplexer);
        assert!(detect(&[("TERM", "xterm"), ("TMUX", "/tmp/tmux-0/default,1,0")]).multiplexer);
        assert!(!detect(&[("TERM", "xterm")]).multiplexer);
    }
}
