//! What was piped into us, to its end.

use super::outlet::{CHUNK, Outlet};
use crate::base::Fault;
use crate::logs::Format;
use crate::logs::cutter::Cutter;
use rustix::io::Errno;
use std::os::fd::{AsFd, BorrowedFd};

pub(super) fn read(format: Format, outlet: &mut Outlet) {
    let input = rustix::stdio::stdin();
    if rustix::termios::isatty(input) {
        let fault = Fault::new("standard input is a terminal: nothing is read from it.");
        outlet.failure = Some(fault.hint("Pipe something into this command, or leave this source out."));
        return outlet.post();
    }
    from(input, format, outlet);
}

fn from(input: BorrowedFd<'_>, format: Format, outlet: &mut Outlet) {
    let mut cutter = Cutter::default();
    let mut chunk = vec![0; CHUNK];
    // What is piped into us happens now, from its first line on.
    outlet.post();
    loop {
        if outlet.wait(&[input.as_fd()], None).is_none() {
            return;
        }
        match rustix::io::read(input, &mut *chunk) {
            Ok(length) if length > 0 => {
                let bytes = chunk.get(..length).unwrap_or_default();
                cutter.feed(bytes, |line, more| outlet.line(format.read(line, more)));
            }
            Err(Errno::AGAIN | Errno::INTR) => {}
            ended => {
                if !cutter.is_empty() {
                    cutter.finish(|line, more| outlet.line(format.read(line, more)));
                }
                let why = ended.err().map_or_else(String::new, |error| format!(": {error}"));
                outlet.mark(crate::clean!("standard input has ended{why}"));
                return outlet.post();
            }
        }
        outlet.post();
    }
}
