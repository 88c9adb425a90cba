//! One look as text, for a terminal that cannot show a screen (`TERM=dumb`, or no terminal at all).

use super::session::{self, Look, Options};
use super::validate::written;
use crate::app::Msg;
use crate::base::{Clock, Fault};
use crate::sys::bell::Bell;
use crate::sys::clock::RealClock;
use crate::term::Caps;
use crate::{app, ui};
use core::time::Duration;
use std::io::{IsTerminal, Write};
use std::sync::Arc;

/// The size of the look.
const SIZE: (u16, u16) = (80, 24);
/// Rates need two observations a second apart; this is waited for at most.
const LONGEST: Duration = Duration::from_millis(2_500);
/// Exit status: the console was asked for and could not be shown.
const NO_SCREEN: u8 = 3;

/// Whether there is no screen to draw on.
pub fn wanted() -> bool {
    let tty = std::io::stdout().is_terminal() && std::io::stdin().is_terminal();
    Caps::detect(&|name| std::env::var(name).ok(), tty).dumb
}

/// Prints the triage screen once, then why there is no more.
///
/// # Errors
/// When nothing can be sampled or the output cannot be written.
pub fn run(options: &Options) -> Result<u8, Fault> {
    let bell = Arc::new(Bell::default());
    let Look { mut model, theme, samples, lines, engine, .. } = session::look(options, &bell, Some(SIZE))?;
    let clock = RealClock;
    let begun = clock.now().mono;
    loop {
        let left = LONGEST.saturating_sub(clock.now().mono.since(begun));
        bell.wait(left.min(Duration::from_millis(250)), false);
        let now = clock.now();
        app::update(&mut model, Msg::Samples(samples.drain()), now);
        app::update(&mut model, Msg::Logs(lines.drain()), now);
        if left.is_zero() {
            break;
        }
    }
    app::update(&mut model, Msg::Tick, clock.now());
    let mut screen = ui::text::lines(&model, &theme, true);
    // The last line tells keys, and there are none here.
    screen.pop();
    written(&mut std::io::stdout().lock(), &screen)?;
    engine.leave();
    let why = "watchkeeper: this terminal cannot show the console (TERM=dumb or no terminal); this was one look.";
    written(&mut std::io::stderr().lock() as &mut dyn Write, &[why.to_owned()])?;
    Ok(NO_SCREEN)
}
