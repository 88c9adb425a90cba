//! What a program writes, line by line; both outputs. Never a shell.

use super::outlet::Outlet;
use super::program::{Listener, keep};
use crate::base::Clean;
use crate::logs::Format;
use crate::logs::cutter::Cutter;
use crate::sys::program::Order;

/// A program and its arguments.
#[derive(Clone, Debug)]
pub struct CommandLine {
    /// Absolute path of the program, then its arguments.
    pub argv: Vec<String>,
    /// Whether it is started again when it has ended.
    pub again: bool,
}

struct Lines {
    order: Order,
    cutter: Cutter,
    format: Format,
}

impl Listener for Lines {
    fn order(&mut self) -> Order {
        self.order.clone()
    }

    fn hear(&mut self, chunk: &[u8], outlet: &mut Outlet) {
        let format = self.format;
        self.cutter.feed(chunk, |line, more| outlet.line(format.read(line, more)));
    }

    fn complain(&mut self, line: &[u8], outlet: &mut Outlet) {
        outlet.line(self.format.read(line, 0));
    }

    fn end(&mut self, outlet: &mut Outlet) {
        if !self.cutter.is_empty() {
            let format = self.format;
            self.cutter.finish(|line, more| outlet.line(format.read(line, more)));
        }
    }
}

pub(super) fn read(command: &CommandLine, format: Format, outlet: &mut Outlet) {
    let Some((program, args)) = command.argv.split_first() else { return };
    // Without its arguments, which may hold what nobody else is to read.
    let what = Clean::text(program.rsplit('/').next().unwrap_or(program));
    let order = Order { program: program.into(), args: args.to_vec(), ..Order::default() };
    let mut lines = Lines { order, cutter: Cutter::default(), format };
    keep(outlet, &mut lines, &what, command.again);
}
