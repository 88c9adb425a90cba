//! The only thread that writes frames. It takes the newest from a one-slot mailbox, sends what differs from what it
//! really wrote, and is the only one that a terminal which stops reading can hold up.

use super::alarm;
use super::caps::Caps;
use super::encode::Encoder;
use super::fence::Fences;
use super::guard;
use crate::base::{Clean, Clock, Mono};
use crate::sys::clock::RealClock;
use crate::sys::signal::Signals;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use core::time::Duration;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// A terminal that took nothing for this long may have lost its screen: it gets a whole frame.
const STALL: Duration = Duration::from_secs(2);
/// A write buffer is not kept larger than this.
const KEEP: usize = 64 * 1024;
const FENCE: &[u8] = b"\x1b[5n";

/// What waits for the writer.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "four wishes that do not exclude one another")]
struct Slot {
    frame: Option<Buffer>,
    spare: Option<Buffer>,
    fence: Option<u64>,
    copy: Option<String>,
    alarm: Option<Clean>,
    /// The terminal shows something else than we wrote: the next frame goes out whole.
    stale: bool,
    /// Draw the last frame again now.
    redraw: bool,
    /// The enter string is due before anything else.
    enter: bool,
    stop: bool,
}

/// One slot: the newest frame wins.
pub(super) struct Mailbox {
    slot: Mutex<Slot>,
    wake: Condvar,
    /// Nanoseconds on CLOCK_BOOTTIME since which a write waits; 0 when none does.
    blocked_since: AtomicU64,
    refused: AtomicU64,
    /// Columns in the high half, rows in the low.
    size: AtomicU32,
}

impl Mailbox {
    pub(super) fn new() -> Self {
        Self {
            slot: Mutex::new(Slot { enter: true, ..Slot::default() }),
            wake: Condvar::new(),
            blocked_since: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            size: AtomicU32::new(0),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Slot)) {
        change(&mut self.lock());
        self.wake.notify_one();
    }

    pub(super) fn submit(&self, frame: Buffer) {
        self.change(|slot| {
            if let Some(old) = slot.frame.replace(frame) {
                slot.spare = Some(old);
            }
        });
    }

    pub(super) fn spare(&self) -> Option<Buffer> {
        self.lock().spare.take()
    }

    pub(super) fn fence(&self, id: u64) {
        self.change(|slot| slot.fence = Some(id));
    }

    pub(super) fn copy(&self, sequence: String) {
        self.change(|slot| slot.copy = Some(sequence));
    }

    pub(super) fn alarm(&self, text: Clean) {
        self.change(|slot| slot.alarm = Some(text));
    }

    /// The terminal's content is not what we wrote: whole frame, when the next one comes.
    pub(super) fn distrust(&self) {
        self.lock().stale = true;
    }

    /// Draws the last frame again, whole.
    pub(super) fn redraw(&self) {
        self.change(|slot| (slot.stale, slot.redraw) = (true, true));
    }

    /// The terminal was given away and comes back: the enter string is due before the next frame.
    pub(super) fn enter(&self) {
        let mut slot = self.lock();
        (slot.stale, slot.enter) = (true, true);
    }

    pub(super) fn stop(&self) {
        self.change(|slot| slot.stop = true);
    }

    pub(super) fn blocked_for(&self) -> Option<Duration> {
        match self.blocked_since.load(Ordering::SeqCst) {
            0 => None,
            since => Some(RealClock.now().mono.since(Mono(since))),
        }
    }

    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    pub(super) fn size(&self) -> (u16, u16) {
        let [a, b, c, d] = self.size.load(Ordering::SeqCst).to_be_bytes();
        (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]))
    }

    pub(super) fn set_size(&self, columns: u16, rows: u16) {
        self.size.store(u32::from(columns) << 16 | u32::from(rows), Ordering::SeqCst);
    }

    fn fits(&self, area: Rect) -> bool {
        let (columns, rows) = self.size();
        area.width <= columns && area.height <= rows
    }
}

/// How a write ended.
enum End {
    /// All of it is out; the longest time without progress.
    Written(Duration),
    /// The terminal was given away meanwhile.
    Cancelled,
    /// The terminal is gone.
    Lost,
}

/// The writer's thread.
pub(super) struct Writer {
    mailbox: Arc<Mailbox>,
    fences: Arc<Fences>,
    signals: &'static Signals,
    encoder: Encoder,
    caps: Caps,
    /// Characters of alarms that the gate has refused, ever.
    refused: u64,
    out: Vec<u8>,
    shows: bool,
}

impl Writer {
    pub(super) fn new(mailbox: Arc<Mailbox>, fences: Arc<Fences>, signals: &'static Signals, caps: Caps) -> Self {
        let encoder = Encoder::new(caps.depth, caps.utf8);
        Self { mailbox, fences, signals, encoder, caps, refused: 0, out: Vec::new(), shows: false }
    }

    pub(super) fn run(mut self) {
        while let Some(mut work) = self.next() {
            self.out.clear();
            if work.enter {
                self.out.extend_from_slice(guard::ENTER);
            }
            self.draw(&mut work);
            if let Some(sequence) = &work.copy {
                self.out.extend_from_slice(sequence.as_bytes());
            }
            if let Some(text) = &work.alarm {
                self.refused += alarm::ring(text, self.caps, &mut self.out);
            }
            self.mailbox.refused.store(self.encoder.refused() + self.refused, Ordering::Relaxed);
            let fence = work.fence.filter(|id| self.fences.sent(*id, RealClock.now().mono));
            if fence.is_some() {
                self.out.extend_from_slice(FENCE);
            }
            match self.write() {
                End::Written(quiet) if quiet > STALL => self.mailbox.redraw(),
                End::Written(_) => {}
                End::Cancelled => {
                    if let Some(id) = fence {
                        self.fences.unsent(id);
                    }
                    // Whoever gives the terminal back asks for a redraw.
                    self.mailbox.enter();
                }
                End::Lost => {
                    guard::hang_up();
                    self.signals.wake();
                    return;
                }
            }
            self.out.shrink_to(KEEP);
        }
    }

    /// Waits for something to do; `None` when it is over.
    fn next(&self) -> Option<Slot> {
        let shows = self.shows;
        let idle = |slot: &mut Slot| {
            !(slot.stop
                || slot.frame.is_some()
                || slot.fence.is_some()
                || slot.copy.is_some()
                || slot.alarm.is_some()
                || (slot.redraw && shows))
        };
        let mut slot = self.mailbox.wake.wait_while(self.mailbox.lock(), idle).unwrap_or_else(PoisonError::into_inner);
        if slot.stop {
            return None;
        }
        let spare = slot.spare.take();
        let work = core::mem::take(&mut *slot);
        slot.spare = spare;
        Some(work)
    }

    fn draw(&mut self, work: &mut Slot) {
        let mut shown = if work.stale || work.enter { self.encoder.forget() } else { None };
        let newest = work.frame.take().filter(|frame| self.mailbox.fits(frame.area));
        let frame = match newest {
            Some(frame) => frame,
            None => match shown.take() {
                Some(frame) if self.mailbox.fits(frame.area) => frame,
                _ => return,
            },
        };
        let old = self.encoder.encode(frame, &mut self.out);
        self.shows = true;
        if let Some(old) = old.or(shown) {
            self.mailbox.lock().spare = Some(old);
        }
    }

    fn write(&self) -> End {
        let Some(fd) = guard::tty() else { return End::Lost };
        let mut rest = self.out.as_slice();
        let mut quiet = Duration::ZERO;
        let mut since = None;
        while !rest.is_empty() {
            match guard::write_some(rest) {
                Ok(written) => {
                    rest = rest.get(written..).unwrap_or_default();
                    quiet = quiet.max(since.take().map_or(Duration::ZERO, |since| RealClock.now().mono.since(since)));
                }
                Err(Errno::AGAIN) => {
                    let now = RealClock.now().mono;
                    since.get_or_insert(now);
                    // The first wait of a frame counts: a terminal that drips is behind, too.
                    let _counted =
                        self.mailbox.blocked_since.compare_exchange(0, now.0, Ordering::SeqCst, Ordering::SeqCst);
                    // A second at most, to notice that the terminal was given away meanwhile.
                    let limit = Timespec { tv_sec: 1, tv_nsec: 0 };
                    let _again = poll(&mut [PollFd::new(&fd, PollFlags::OUT)], Some(&limit));
                }
                Err(Errno::INTR) => {}
                Err(Errno::CANCELED) => {
                    self.mailbox.blocked_since.store(0, Ordering::SeqCst);
                    return End::Cancelled;
                }
                Err(_) => return End::Lost,
            }
        }
        self.mailbox.blocked_since.store(0, Ordering::SeqCst);
        End::Written(quiet)
    }
}
