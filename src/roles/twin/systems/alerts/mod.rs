//! Each story of a system raises the alerts that its shipped profile has for it, whose procedure is the right one, and a
//! quiet run raises none of them: the real part, files, logs, patterns, rules and procedures under an injected clock. What
//! looks at this host or at a port is played; programs and files are really looked at.

mod genesis;
mod norse;
mod planar;
mod watch;

use watch::{Played, Promise, Watch, all_are_promised, is_quiet, keeps, page};
