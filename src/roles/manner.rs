//! How a console looks and behaves, as every role of the command line that opens one is told it.

use super::session::Options;
use crate::base::Support;

/// How a console looks and behaves.
#[derive(Debug, clap::Args)]
pub struct Manner {
    /// Theme by name: themes/NAME.toml beside your profiles, or a built-in one
    #[arg(long, value_name = "THEME")]
    theme: Option<String>,
    /// Keymap by name: keymaps/NAME.toml beside your profiles, merged over the complete default
    #[arg(long, value_name = "KEYMAP")]
    keymap: Option<String>,
    /// Look only: nothing can be armed
    #[arg(long)]
    read_only: bool,
    /// Support level at most, whatever the profile grants to this login
    #[arg(long, value_name = "L0|L1|L2|L3", value_parser = support)]
    max_level: Option<Support>,
    /// No bell and no desktop notification when a new critical alert fires
    #[arg(long)]
    no_bell: bool,
    /// Ask everything five times less often
    #[arg(long)]
    gentle: bool,
}

impl Manner {
    /// What a session of this profile goes by.
    pub(super) fn into_options(self, profile: Option<String>) -> Options {
        Options {
            profile,
            theme: self.theme,
            keymap: self.keymap,
            read_only: self.read_only,
            max_level: self.max_level,
            no_bell: self.no_bell,
            gentle: self.gentle,
            state_dir: None,
            procedure: None,
            within: None,
        }
    }
}

fn support(name: &str) -> Result<Support, String> {
    Support::parse(name).ok_or_else(|| "expected L0, L1, L2 or L3".to_owned())
}
