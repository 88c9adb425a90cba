//! The terminal as the loop sees it: frames in, inputs out, never a wait.

use super::caps::Caps;
use super::fence::Fences;
use super::guard;
use super::inbox::Input;
use super::reader::{Reader, Shared, Watch, size};
use super::writer::{Mailbox, Writer};
use crate::base::{Clean, Fault, Mono};
use crate::sys::bell::Bell;
use crate::sys::signal::{Signals, listen};
use core::sync::atomic::Ordering;
use core::time::Duration;
use crossterm::Command;
use crossterm::clipboard::CopyToClipboard;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use rustix::termios::{QueueSelector, tcflush};
use std::io;
use std::sync::Arc;
use std::thread::Builder;

/// The clipboard takes at most this many bytes.
const COPY_LIMIT: usize = 64 * 1024;

/// The open terminal; there is one per process. Dropping it restores the terminal.
pub struct Terminal {
    shared: Arc<Shared>,
    mailbox: Arc<Mailbox>,
    signals: &'static Signals,
}

impl Terminal {
    /// Sets the terminal raw and starts the reader and the writer; the screen changes with the first frame.
    /// `bell` rings when an input waits.
    ///
    /// # Errors
    /// When there is no terminal, it is open already, or a thread cannot be started.
    pub fn open(bell: Arc<Bell>, caps: Caps) -> io::Result<Self> {
        let signals = listen()?;
        guard::open_tty()?;
        let tty = guard::tty().ok_or(io::ErrorKind::NotConnected)?;
        let terminal = Self { shared: Arc::default(), mailbox: Arc::new(Mailbox::new()), signals };
        let fences = Arc::new(Fences::default());
        let (columns, rows) = size(tty);
        terminal.mailbox.set_size(columns, rows);
        let writer = Writer::new(Arc::clone(&terminal.mailbox), Arc::clone(&fences), signals, caps);
        let reader = Reader {
            shared: Arc::clone(&terminal.shared),
            mailbox: Arc::clone(&terminal.mailbox),
            fences,
            bell,
            signals,
            watch: Watch::default(),
        };
        Builder::new().name("term-writer".to_owned()).stack_size(256 * 1024).spawn(move || writer.run())?;
        Builder::new().name("term-reader".to_owned()).stack_size(256 * 1024).spawn(move || reader.run(tty))?;
        Ok(terminal)
    }

    /// Columns and rows, as last told by [`Input::Resize`]; 80×24 when the kernel does not know.
    pub fn size(&self) -> (u16, u16) {
        self.mailbox.size()
    }

    /// An empty frame of the terminal's size, from used memory where there is some.
    pub fn blank(&self) -> Buffer {
        let (columns, rows) = self.size();
        let area = Rect::new(0, 0, columns, rows);
        match self.mailbox.spare() {
            Some(mut buffer) => {
                buffer.resize(area);
                buffer.reset();
                buffer
            }
            None => Buffer::empty(area),
        }
    }

    /// Hands a frame to the writer. Never blocks; an older frame that still waits is dropped.
    pub fn submit(&self, frame: Buffer) {
        self.mailbox.submit(frame);
    }

    /// Asks the terminal to answer once it has consumed the newest frame: [`Input::Fence`] with this number.
    pub fn fence(&self, id: u64) {
        self.mailbox.fence(id);
    }

    /// What has come, with the time at which it was read.
    pub fn inputs(&self) -> Vec<(Mono, Input)> {
        self.shared.lock().inbox.drain()
    }

    /// Drops everything typed so far: in the kernel, in the parser, in the queue. Signals and sizes stay.
    pub fn discard_input(&self) {
        let mut typed = self.shared.lock();
        if let Some(tty) = guard::tty() {
            // A terminal that is gone has nothing to drop.
            let _gone = tcflush(tty, QueueSelector::IFlush);
        }
        typed.keys.reset();
        typed.inbox.drop_typed();
    }

    /// How long the terminal has not taken all of a frame; `None` when it is not behind.
    pub fn stalled_for(&self) -> Option<Duration> {
        self.mailbox.blocked_for()
    }

    /// Sends the last frame again, whole.
    pub fn redraw(&self) {
        self.mailbox.redraw();
    }

    /// As the terminal's Ctrl-Z: restores and stops the whole process group; `Suspended` and `Resumed` tell.
    pub fn suspend(&self) {
        self.shared.suspend.store(true, Ordering::SeqCst);
        self.signals.wake();
    }

    /// Cells that the second gate has refused, ever; anything but 0 is a bug of ours.
    pub fn gate_count(&self) -> u64 {
        self.mailbox.refused()
    }

    /// Whether the terminal was left raw by a program that died; closing then leaves it as `stty sane` would.
    pub fn found_raw(&self) -> bool {
        guard::found_raw()
    }

    /// Offers lines of text to the terminal's clipboard (OSC 52). Only on a key press; whether the terminal
    /// takes it, nobody learns.
    ///
    /// # Errors
    /// When it is more than 64 KiB.
    pub fn copy(&self, lines: &[Clean]) -> Result<(), Fault> {
        let text = lines.iter().map(Clean::as_str).collect::<Vec<_>>().join("\n");
        if text.len() > COPY_LIMIT {
            return Err(Fault::new(format!("{} bytes are too many for the clipboard.", text.len()))
                .hint("It takes 64 KiB; save to a file instead."));
        }
        let mut sequence = String::new();
        // Writing to a String cannot fail.
        let _infallible = CopyToClipboard::to_clipboard_from(text).write_ansi(&mut sequence);
        self.mailbox.copy(sequence);
        Ok(())
    }

    /// Rings the bell and shows a sentence as a desktop notification, where the terminal can. Never blocks; of
    /// several that wait the newest is kept.
    pub fn alarm(&self, text: Clean) {
        self.mailbox.alarm(text);
    }

    /// Restores the terminal and ends the threads. Idempotent; at most 200 ms.
    pub fn close(&self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        guard::restore();
        self.mailbox.stop();
        self.signals.wake();
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.close();
    }
}
