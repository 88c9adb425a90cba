//! The process that plays a system: its ports, a look at the time twice a second, until its lifeline (stdin) ends. All
//! of it is tasks on one thread, so a system that blocks does not answer, as the real ones.

use super::{Incident, Part, Run, System, certificate, feed, genesis, norse, planar};
use crate::base::{Clock, Fault};
use crate::roles::twin::endpoint;
use crate::roles::twin::port::bind_loopback;
use crate::sys::child::own_session;
use crate::sys::clock::RealClock;
use core::cell::RefCell;
use core::time::Duration;
use hyper::Request;
use hyper::body::Incoming;
use std::ffi::CString;
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::path::Path;
use std::rc::Rc;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio::net::unix::pipe;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::sleep;

/// How often a system looks at the time.
const TICK: Duration = Duration::from_millis(500);

/// Plays the system, started by the supervisor as the demo's service is: a lifeline for stdin, the first port's
/// listening socket for stdout; the other ports are bound here. `turn` counts the starts before. Returns the exit code.
pub(crate) fn play(folder: &Path, incident: Incident, seed: u64, turn: u32, ports: &[u16]) -> i32 {
    let name = CString::new(incident.system.name()).unwrap_or_default();
    own_session(&name, false);
    let run = Run { folder, incident, seed, turn, began: RealClock.now() };
    match part(run).and_then(|part| live(run, part, ports)) {
        Ok(()) => 0,
        Err(fault) => {
            // The supervisor keeps this stream in a file.
            let _best_effort = writeln!(io::stderr(), "{}: {fault}", incident.system.name());
            1
        }
    }
}

fn part(run: Run<'_>) -> Result<Box<dyn Part>, Fault> {
    Ok(match run.incident.system {
        System::CerebellarNorse => Box::new(norse::Norse::start(run)?),
        System::Genesis => Box::new(genesis::Genesis::start(run)?),
        System::Planar => Box::new(planar::Planar::start(run)?),
    })
}

fn live(run: Run<'_>, part: Box<dyn Part>, ports: &[u16]) -> Result<(), Fault> {
    let said = |error: &dyn core::fmt::Display| Fault::new(format!("cannot take over the sockets: {error}."));
    let tls = run.folder.join("etc/tls");
    // A system without a port that speaks it has no certificate either.
    let acceptor = if tls.is_dir() { Some(certificate::acceptor(&tls)?) } else { None };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| said(&error))?;
    let part = Rc::new(RefCell::new(part));
    LocalSet::new().block_on(&runtime, async {
        let mut lifeline = io::stdin()
            .as_fd()
            .try_clone_to_owned()
            .and_then(pipe::Receiver::from_owned_fd)
            .map_err(|error| said(&error))?;
        for (number, port) in ports.iter().enumerate() {
            let listener = listener(number, *port).map_err(|error| said(&error))?;
            if part.borrow().feed(number) {
                spawn_local(feed::serve(listener));
                continue;
            }
            let tls = acceptor.clone().filter(|_| part.borrow().tls(number));
            let asked = Rc::clone(&part);
            let answer = move |request: &Request<Incoming>| asked.borrow_mut().answer(number, request, RealClock.now());
            spawn_local(endpoint::serve(listener, tls, Rc::new(answer)));
        }
        spawn_local(async move {
            loop {
                part.borrow_mut().tick(RealClock.now());
                sleep(TICK).await;
            }
        });
        // Nothing is ever written to it: whatever read returns but a byte, the end has come.
        while lifeline.read_u8().await.is_ok() {}
        Ok(())
    })
}

/// The first one is handed over, so that it was open before the process was.
fn listener(number: usize, port: u16) -> io::Result<TcpListener> {
    let listener = match number {
        0 => std::net::TcpListener::from(io::stdout().as_fd().try_clone_to_owned()?),
        _ => bind_loopback(port)?,
    };
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}
