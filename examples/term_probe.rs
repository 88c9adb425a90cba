//! A tiny program on the `term` floor, driven by `tests/pty`: shows a counter, the size and the last input, and can
//! panic, crash or show hostile text on request. `term_probe DIR [--fast] [--noise] [--raw] [--program] [--hostile FILE]`:
//! `--program` runs another program, as a sampler would, which writes its number to `DIR/program`.

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier, Style};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use watchkeeper::base::Clean;
use watchkeeper::clean;
use watchkeeper::sys::bell::Bell;
use watchkeeper::sys::program::{Order, Program};
use watchkeeper::sys::signal::exit_now;
use watchkeeper::term::{Caps, Input, Terminal, contain, install_panic_hook};

struct Probe {
    terminal: Terminal,
    dir: PathBuf,
    beat: std::fs::File,
    hostile: Vec<Vec<u8>>,
    raw: bool,
    noise: bool,
    ticks: u64,
    inputs: u64,
    last: Clean,
    contained: u32,
}

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let dir = PathBuf::from(args.next().unwrap_or_else(|| ".".to_owned()));
    let (mut pause, mut raw, mut noise, mut program) = (Duration::from_millis(100), false, false, false);
    let mut hostile = Vec::new();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--fast" => pause = Duration::from_millis(5),
            "--noise" => noise = true,
            "--raw" => raw = true,
            "--program" => program = true,
            "--hostile" => {
                let text = std::fs::read(args.next().unwrap_or_default()).unwrap_or_default();
                hostile = text.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
            }
            _ => return ExitCode::from(2),
        }
    }
    install_panic_hook(dir.clone());
    let bell = Arc::new(Bell::default());
    let caps = Caps::detect(&|name| std::env::var(name).ok(), true);
    let (Ok(terminal), Ok(beat)) = (Terminal::open(Arc::clone(&bell), caps), std::fs::File::create(dir.join("beat")))
    else {
        return ExitCode::from(1);
    };
    // Held for ever: nothing but the end of this process ends it.
    let _program = program.then(|| {
        let script = format!(
            "trap '' HUP TERM; cd '{}'; echo $$ > program; while [ -e program ]; do sleep 0.1; done",
            dir.display()
        );
        Program::start(&Order { program: "/bin/sh".into(), args: vec!["-c".to_owned(), script], ..Order::default() })
    });
    let last = Clean::default();
    let mut probe = Probe { terminal, dir, beat, hostile, raw, noise, ticks: 0, inputs: 0, last, contained: 0 };
    loop {
        probe.draw();
        bell.wait(pause, false);
        for (_, input) in probe.terminal.inputs() {
            probe.inputs += 1;
            probe.last = clean!("{input:?}");
            probe.obey(&input);
        }
        probe.ticks += 1;
        let stalled = probe.terminal.stalled_for().unwrap_or_default().as_millis();
        let _full_disk = probe.beat.write_at(format!("{:>10} {stalled:>10}\n", probe.ticks).as_bytes(), 0);
    }
}

impl Probe {
    fn draw(&self) {
        let mut frame = self.terminal.blank();
        let (columns, rows) = (frame.area.width, frame.area.height);
        let lines = [
            clean!("size {columns}x{rows}"),
            clean!("tick {}", self.ticks),
            clean!("inputs {}", self.inputs),
            clean!("last {}", self.last),
            clean!("gate {} found-raw {}", self.terminal.gate_count(), self.terminal.found_raw()),
            clean!("contained {}", self.contained),
        ];
        for (y, line) in (0..rows).zip(&lines) {
            frame.set_string(0, y, line.as_str(), Style::new().fg(Color::LightGreen).add_modifier(Modifier::BOLD));
        }
        for (y, line) in (6..rows.saturating_sub(1)).zip(&self.hostile) {
            if self.raw {
                put_raw(&mut frame, y, line);
            } else {
                frame.set_string(0, y, Clean::text(line).as_str(), Style::new());
            }
        }
        if self.noise {
            for y in 6..rows.saturating_sub(1) {
                let noise = (self.ticks * 7_919 + u64::from(y) * 104_729) % 1_000_003;
                frame.set_string(0, y, format!("{noise:07}").repeat(40), Style::new());
            }
        }
        // The last row marks both corners, so that a test sees whether the screen is whole.
        if rows > 6 {
            frame.set_string(0, rows - 1, "<".to_owned() + &"-".repeat(usize::from(columns) - 2) + ">", Style::new());
        }
        self.terminal.submit(frame);
    }

    #[expect(clippy::panic, reason = "that is what the tests ask for")]
    fn obey(&mut self, input: &Input) {
        match input {
            Input::HungUp => exit_now(129),
            Input::Stop(signal) => {
                self.terminal.close();
                exit_now(128 + signal.number());
            }
            Input::Key(key) if key.modifiers.is_empty() || key.code.as_char() == Some('T') => {
                match key.code.as_char() {
                    Some('q') => {
                        self.terminal.close();
                        exit_now(0);
                    }
                    Some('p') => panic!("the loop panics on request"),
                    Some('c') => self.contained += u32::from(contain(|| panic!("a pane panics on request")).is_err()),
                    Some('t') => {
                        let thread = std::thread::spawn(|| contain(|| panic!("a sampler panics on request")).is_err());
                        self.contained += u32::from(thread.join().unwrap_or(false));
                    }
                    Some('T') => {
                        let _fatal = std::thread::spawn(|| panic!("a thread panics on request")).join();
                    }
                    Some('a') => std::process::abort(),
                    Some('o') => self.last = clean!("{}", overflow(1)),
                    Some('h') => {
                        let _told = std::fs::write(self.dir.join("hangs"), "");
                        loop {
                            std::thread::park();
                        }
                    }
                    Some('z') => self.terminal.suspend(),
                    Some('f') => self.terminal.fence(self.inputs),
                    Some('x') => {
                        // Until then, more is typed.
                        let _full_disk = std::fs::write(self.dir.join("busy"), "");
                        while !self.dir.join("go").exists() {
                            std::thread::yield_now();
                        }
                        self.terminal.discard_input();
                    }
                    Some('l') => self.terminal.redraw(),
                    Some('y') => {
                        let _fits = self.terminal.copy(&[Clean::from("copied"), Clean::from("text")]);
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }
}

/// Text as no widget would draw it: past `Clean`, straight into cells, four bytes each.
#[expect(clippy::disallowed_methods, reason = "cells that no widget would draw")]
fn put_raw(frame: &mut Buffer, y: u16, line: &[u8]) {
    let text = String::from_utf8_lossy(line);
    let chars: Vec<char> = text.chars().collect();
    for (x, piece) in (0..frame.area.width).step_by(2).zip(chars.chunks(4)) {
        let mut cell = Cell::default();
        cell.set_symbol(&piece.iter().collect::<String>());
        if let Some(place) = frame.cell_mut((x, y)) {
            *place = cell;
        }
    }
}

/// Runs out of stack unless someone asks for 0.
fn overflow(depth: u64) -> u64 {
    let ballast = std::hint::black_box([depth; 512]);
    if depth == 0 { 0 } else { overflow(depth + 1) + ballast.iter().sum::<u64>() }
}
