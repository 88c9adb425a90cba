//! `watchkeeper log`: one pane, the whole screen, on files of any size or on standard input. A small shell over the
//! pure pane: keys and answers in, wishes out; it never waits for anything but the bell.

use super::effects::worker;
use super::log_frames::{LEARN, Screen};
use super::log_look;
use super::log_sources::{self, Laid, Sources};
use super::save;
use super::session;
use crate::app::Scroll;
use crate::app::log_pane::{Ask, COMMANDS, Finding, LogPane, Sifted};
use crate::base::time::Zone;
use crate::base::{Clean, Clock, Fault, Mono, Now};
use crate::clean;
use crate::command::{Command, Context};
use crate::config::{self, SearchPath, Theme};
use crate::input::{Key, Keymap, Lookup};
use crate::logs::reader::{Answer, Pager};
use crate::logs::search::{Find, Sweep};
use crate::logs::sieve::Sieve;
use crate::logs::{Filter, LogPatterns};
use crate::sys::bell::Bell;
use crate::sys::clock::RealClock;
use crate::sys::signal::Signal;
use crate::sys::{paths, zone};
use crate::term::{Caps, Input, Terminal, install_panic_hook};
use crate::ui::log_screen;
use std::sync::{Arc, Mutex, PoisonError};

/// What the command line chose.
#[derive(Debug, clap::Args)]
pub struct Opts {
    /// Files, or patterns with `*` and `?` in the file name; `-` is standard input [default: - where it is piped]
    #[arg(value_name = "FILE|GLOB|-")]
    what: Vec<String>,
    /// Theme by name
    #[arg(long, value_name = "THEME")]
    theme: Option<String>,
    /// Keymap by name
    #[arg(long, value_name = "KEYMAP")]
    keymap: Option<String>,
}

impl Opts {
    fn looks(&self, caps: Caps, search: &SearchPath) -> (Theme, Keymap) {
        let theme = self.theme.as_deref().unwrap_or("default");
        let (theme, _) = config::load_theme(theme, session::depth(caps.depth), search);
        let (layers, _) = config::load_keymap(self.keymap.as_deref().unwrap_or("default"), search);
        (theme, Keymap::merge(&layers).0)
    }
}

/// Shows logs until it is left. Returns the exit status.
///
/// # Errors
/// When there is nothing to read or no terminal to own.
pub fn run(options: &Opts) -> Result<u8, Fault> {
    install_panic_hook(paths::state_dir().unwrap_or_else(std::env::temp_dir));
    let bell = Arc::new(Bell::default());
    let Laid { gather, follower, title } = log_sources::lay(&options.what, &bell)?;
    let caps = Caps::detect(&|name| std::env::var(name).ok(), true);
    let search = SearchPath::detect(&|name| std::env::var(name).ok());
    let (theme, keymap) = options.looks(caps, &search);
    let terminal = Terminal::open(Arc::clone(&bell), caps)
        .map_err(|error| Fault::new(format!("the terminal cannot be used: {error}.")))?;
    let pager = Pager::start(gather.strands(), Arc::clone(&bell))?;
    let mut shell = Shell {
        lines: Sources { gather, pager, sweep: None, sieve: None, errors: None, _follower: follower },
        screen: Screen {
            terminal,
            theme,
            caps,
            title,
            drawn: None,
            heard: Mono::default(),
            learned: Mono::default(),
            owes: false,
            dirty: true,
            urgent: false,
            times: None,
            help: None,
        },
        keymap,
        patterns: log_look::patterns(),
        pane: LogPane::new(),
        bell,
        saved: Arc::default(),
        status: None,
    };
    let size = log_screen::room(shell.screen.terminal.size());
    let asks = shell.pane.resize(size);
    shell.carry_out(asks);
    let begun = RealClock.now().mono;
    let status = loop {
        if let Some(status) = shell.turn(begun) {
            break status;
        }
    };
    shell.screen.terminal.close();
    Ok(status)
}

struct Shell {
    lines: Sources,
    screen: Screen,
    pane: LogPane,
    keymap: Keymap,
    patterns: LogPatterns,
    bell: Arc<Bell>,
    /// What became of lines that were to be saved.
    saved: Arc<Mutex<Vec<Clean>>>,
    /// How it is to end.
    status: Option<u8>,
}

impl Shell {
    /// One turn of the loop; the exit status when it is time to leave.
    fn turn(&mut self, begun: Mono) -> Option<u8> {
        self.bell.wait(self.screen.pause(RealClock.now().mono, begun), false);
        let now = RealClock.now();
        self.take_input(now);
        self.take_news(now);
        if self.status.is_some() {
            return self.status;
        }
        self.draw(now.mono, begun);
        None
    }

    fn take_input(&mut self, now: Now) {
        for (_, input) in self.screen.terminal.inputs() {
            let asks = match input {
                Input::Key(key) => self.key(&key, now),
                Input::Paste { text, .. } if self.pane.types() => self.pane.pasted(&text, now),
                Input::Resize(..) => {
                    let size = log_screen::room(self.screen.terminal.size());
                    self.pane.resize(size)
                }
                Input::Stop(signal) => {
                    self.status = Some(u8::try_from(128 + signal.number()).unwrap_or(1));
                    Vec::new()
                }
                Input::HungUp => {
                    self.status = Some(u8::try_from(128 + Signal::Hup.number()).unwrap_or(1));
                    Vec::new()
                }
                _ => Vec::new(),
            };
            self.carry_out(asks);
            (self.screen.dirty, self.screen.urgent) = (true, true);
        }
    }

    fn key(&mut self, key: &Key, now: Now) -> Vec<Ask> {
        if self.pane.types() {
            return self.pane.typed(key, now);
        }
        let Lookup::Found(command) = self.keymap.feed(Context::Log, key) else { return Vec::new() };
        if self.screen.help.is_some() {
            self.in_help(command);
            return Vec::new();
        }
        match command {
            // Ctrl-C ends a search before it leaves.
            Command::Quit if self.pane.finding().is_some() && log_look::is_interrupt(key) => {
                return self.pane.command(Command::Back);
            }
            Command::Quit => self.status = Some(0),
            Command::Suspend => self.screen.terminal.suspend(),
            Command::Redraw => self.screen.terminal.redraw(),
            Command::Help => self.screen.help = Some(Scroll::default()),
            Command::Zone => self.turn_zone(now),
            // Nothing is to be paused here.
            Command::Pause => return self.pane.command(Command::PageDown),
            command if COMMANDS.contains(&command) => return self.pane.command(command),
            _ => self.pane.say("This key means something in the console only; ? tells the keys of here.".into()),
        }
        Vec::new()
    }

    fn in_help(&mut self, command: Command) {
        let Some(scroll) = &mut self.screen.help else { return };
        match command {
            Command::Down => scroll.by(1),
            Command::Up => scroll.by(-1),
            Command::PageDown | Command::Pause => scroll.by(10),
            Command::PageUp => scroll.by(-10),
            _ => self.screen.help = None,
        }
    }

    /// Times as they are written; beside them in UTC; on this host's clock.
    fn turn_zone(&mut self, now: Now) {
        let local = zone::local(now.wall);
        self.screen.times = match self.screen.times {
            None => Some(Zone::UTC),
            Some(Zone::UTC) if local != Zone::UTC => Some(local),
            Some(_) => None,
        };
        self.pane.zone = self.screen.times.unwrap_or_default();
        self.pane.say(match self.screen.times {
            Some(zone) => clean!("Times before the lines are {zone}."),
            None => "Times stand as they were written.".into(),
        });
    }

    fn take_sifted(&mut self) {
        let errors = self.lines.errors.as_ref().map(Sieve::pages).unwrap_or_default();
        for page in errors {
            let place = page.rows.first().map(|row| row.place);
            let asks = match page.fault.filter(|_| place.is_none()) {
                Some(fault) => {
                    self.pane.say(clean!("{fault}"));
                    Vec::new()
                }
                None => self.pane.errored(place),
            };
            (self.screen.dirty, self.screen.urgent) = (true, true);
            self.carry_out(asks);
        }
        let Some(sieve) = &self.lines.sieve else { return };
        let looked = sieve.looked();
        self.screen.dirty = true;
        self.pane.sifted(Sifted { shown: looked.passed, of: looked.lines, come: looked.come, percent: looked.percent });
        for page in sieve.pages() {
            self.screen.urgent |= !self.pane.follows();
            let asks = self.pane.page(page);
            self.carry_out(asks);
        }
    }

    fn sift(&mut self, filter: Option<Arc<Filter>>) {
        self.lines.sieve = None;
        let Some(filter) = filter else { return };
        match Sieve::start(filter, self.lines.gather.strands(), Arc::clone(&self.bell)) {
            Ok(sieve) => self.lines.sieve = Some(sieve),
            Err(fault) => self.pane.say(clean!("{fault}")),
        }
    }

    fn draw(&mut self, now: Mono, begun: Mono) {
        let screen = &mut self.screen;
        if !screen.dirty || !screen.until_frame(now, begun).is_zero() {
            return;
        }
        let mut frame = screen.terminal.blank();
        let shown = log_screen::Shown {
            pane: &self.pane,
            title: &screen.title,
            patterns: &self.patterns,
            times: screen.times.is_some(),
            help: screen.help.as_ref(),
            keymap: &self.keymap,
        };
        log_screen::draw(&shown, &screen.theme, !screen.caps.utf8, &mut frame);
        screen.terminal.submit(frame);
        (screen.drawn, screen.dirty, screen.urgent) = (Some(now), false, false);
    }

    fn take_news(&mut self, now: Now) {
        self.bell.drained();
        self.learn(now);
        for answer in self.lines.pager.answers() {
            let asks = match answer {
                Answer::Page(page) => self.pane.page(page),
                Answer::Time(place) => self.pane.timed(place),
                Answer::Number(_, number, all) => {
                    self.pane.numbered(number, all);
                    Vec::new()
                }
            };
            self.screen.dirty = true;
            // What was asked for by a key is shown as a key is.
            let first = self.screen.drawn.is_none() && self.pane.current().is_some();
            self.screen.urgent |= !self.pane.follows() || first;
            self.carry_out(asks);
        }
        self.take_sifted();
        self.take_saved();
        if let Some((_, sweep)) = &self.lines.sweep {
            let progress = sweep.progress();
            let known = self.pane.finding().map(|finding| finding.progress().clone());
            if known.as_ref() != Some(&progress) {
                let hit = self.pane.finding().and_then(Finding::hit);
                let rank = hit.and_then(|hit| sweep.hits(|hits| hits.rank(hit)));
                let asks = self.pane.found(progress, rank);
                self.screen.dirty = true;
                self.carry_out(asks);
            }
        }
    }

    fn learn(&mut self, now: Now) {
        let settles = self.lines.gather.strands().tick(now);
        let now = now.mono;
        if now.since(self.screen.learned) < LEARN {
            self.screen.owes = true;
            return;
        }
        self.screen.owes = false;
        let status = self.lines.gather.status();
        let grown = status != *self.pane.status();
        if grown || settles {
            if let Some((_, sweep)) = &self.lines.sweep {
                sweep.grown();
            }
            for sieve in [&self.lines.sieve, &self.lines.errors].into_iter().flatten() {
                sieve.grown();
            }
        }
        if grown {
            (self.screen.heard, self.screen.dirty, self.screen.learned) = (now, true, now);
        }
        let rate = self.pane.per_second();
        let asks = self.pane.learn(status, now);
        self.screen.dirty |= self.pane.per_second() != rate;
        self.carry_out(asks);
    }

    fn carry_out(&mut self, asks: Vec<Ask>) {
        for ask in asks {
            match ask {
                Ask::Page(want) => match &self.lines.sieve {
                    Some(sieve) => sieve.want(want),
                    None => self.lines.pager.want(want),
                },
                Ask::Sift(filter) => self.sift(filter),
                Ask::Error(from, forward) => {
                    if let Err(fault) = self.lines.error(from, forward, &self.bell) {
                        self.pane.say(clean!("{fault}"));
                    }
                }
                Ask::Time(time) => self.lines.pager.seek(time),
                Ask::Number(place) => self.lines.pager.number(place),
                Ask::Find(pattern, from) => self.find(&pattern, from),
                Ask::Unfind => self.lines.sweep = None,
                Ask::Step(from, forward) => {
                    let hit = self.lines.step(from, forward);
                    self.land(hit);
                }
                Ask::Nearest(from) => {
                    let hit = self.lines.nearest(from);
                    self.land(hit);
                }
                Ask::Copy(lines) => match self.screen.terminal.copy(&lines) {
                    Ok(()) => self.pane.say(clean!("{} lines offered to the terminal's clipboard.", lines.len())),
                    Err(fault) => self.pane.say(clean!("{fault}")),
                },
                Ask::Save(path, lines) => self.save(path, lines),
                Ask::Open(source, line) => {
                    let known = log_look::known(&self.patterns, self.pane.status(), source, &line);
                    self.pane.tell_line();
                    if let Some(known) = known {
                        self.pane.say(known);
                    }
                }
            }
        }
    }

    /// A disk that does not answer holds up nothing.
    fn save(&mut self, path: Clean, lines: Vec<Clean>) {
        let (saved, bell) = (Arc::clone(&self.saved), Arc::clone(&self.bell));
        let begun = worker("saver", move || {
            let told = match save::lines(&path, &lines) {
                Ok(place) => clean!("{} lines saved to {place}", lines.len()),
                Err(fault) => clean!("{fault}"),
            };
            saved.lock().unwrap_or_else(PoisonError::into_inner).push(told);
            bell.ring();
        });
        if let Err(fault) = begun {
            self.pane.say(clean!("{fault}"));
        }
    }

    fn take_saved(&mut self) {
        let saved = core::mem::take(&mut *self.saved.lock().unwrap_or_else(PoisonError::into_inner));
        for told in saved {
            self.pane.say(told);
            (self.screen.dirty, self.screen.urgent) = (true, true);
        }
    }

    fn land(&mut self, hit: Option<(u64, Option<u64>)>) {
        let asks = self.pane.landed(hit);
        self.screen.dirty = true;
        self.carry_out(asks);
    }

    fn find(&mut self, pattern: &str, from: u64) {
        self.lines.sweep = None;
        let found = Find::new(pattern).map(Arc::new).and_then(|find| {
            let strands = self.lines.gather.strands();
            let sweep = Sweep::start(Arc::clone(&find), strands, from, Arc::clone(&self.bell))?;
            self.lines.sweep = Some((Arc::clone(&find), sweep));
            Ok(find)
        });
        self.pane.compiled(found);
    }
}
