//! The process that plays a system: its ports, a look at the time twice a second, until its lifeline (stdin) ends. All
//! of it is tasks on one thread, so a system that blocks does not answer, as the real ones.

use super::{Door, Incident, Part, Run, System, certificate, feed, genesis, norse, planar};
use crate::base::{Clock, Fault};
use crate::roles::twin::endpoint;
use crate::roles::twin::port::bind_loopback;
use crate::sys::child::own_session;
use crate::sys::clock::RealClock;
use crate::sys::limits::address_space;
use crate::sys::signal::kill_self;
use core::cell::RefCell;
use core::future::pending;
use core::time::Duration;
use hyper::Request;
use hyper::body::Incoming;
use std::ffi::CString;
use std::io::{self, Write as _};
use std::net::Ipv4Addr;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::rc::Rc;
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet, LocalSet, spawn_local};
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

/// How often a system looks at the time.
const TICK: Duration = Duration::from_millis(500);
/// Others who wait at a door where nobody is let in: at most, and how many more come at a time. One's queue holds 64.
const CROWD: usize = 62;
const COMING: usize = 4;

/// Bounds of its address space, far above what it takes: a service under a unit has some, and they are there to be read.
const SPACE: [u64; 2] = [256 << 30, 512 << 30];

/// Plays the system, started by the supervisor as the demo's service is: a lifeline for stdin, the first port's
/// listening socket for stdout; the other ports are bound here. `turn` counts the starts before. Returns the exit code.
pub(crate) fn play(folder: &Path, incident: Incident, seed: u64, turn: u32, ports: &[u16]) -> i32 {
    let name = CString::new(incident.system.name()).unwrap_or_default();
    own_session(&name, false);
    address_space(SPACE);
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
        let mut doors = Vec::new();
        for (number, port) in ports.iter().enumerate() {
            let tls = acceptor.clone().filter(|_| part.borrow().tls(number));
            let socket = Some(first(number, *port).map_err(|error| said(&error))?);
            let part = Rc::clone(&part);
            let mut door = Doorway { number, port: *port, part, tls, socket, serving: None, crowd: JoinSet::new() };
            door.stand(Door::Open).map_err(|error| said(&error))?;
            let held = if door.part.borrow().feed(number) { door.part.borrow().holds() } else { 0 };
            (0..held).for_each(|_| drop(spawn_local(feed::hold(*port))));
            doors.push(door);
        }
        spawn_local(async move {
            loop {
                let now = RealClock.now();
                part.borrow_mut().tick(now);
                if part.borrow().is_killed() {
                    kill_self();
                }
                for door in &mut doors {
                    let wanted = part.borrow().door(door.number, now);
                    let _tried_again = door.stand(wanted);
                }
                sleep(TICK).await;
            }
        });
        // Nothing is ever written to it: whatever read returns but a byte, the end has come.
        while lifeline.read_u8().await.is_ok() {}
        Ok(())
    })
}

/// One of its ports.
struct Doorway {
    number: usize,
    port: u16,
    part: Rc<RefCell<Box<dyn Part>>>,
    tls: Option<TlsAcceptor>,
    /// Listens; nothing of it is accepted by this.
    socket: Option<std::net::TcpListener>,
    serving: Option<JoinHandle<()>>,
    /// Others who wait for it.
    crowd: JoinSet<()>,
}

impl Doorway {
    /// As the system wants it now. A socket that cannot be had is tried again at the next look.
    fn stand(&mut self, door: Door) -> io::Result<()> {
        if door != Door::Open
            && let Some(serving) = self.serving.take()
        {
            serving.abort();
        }
        match door {
            Door::Open if self.serving.is_some() => {}
            Door::Open => {
                self.crowd.abort_all();
                let socket = self.socket.take().map_or_else(|| bind_loopback(self.port), Ok)?;
                socket.set_nonblocking(true)?;
                let listener = TcpListener::from_std(socket.try_clone()?)?;
                self.socket = Some(socket);
                self.serving = Some(self.serve(listener));
            }
            Door::Deaf => {
                let address = (Ipv4Addr::LOCALHOST, self.port);
                for _ in self.crowd.len()..CROWD.min(self.crowd.len().saturating_add(COMING)) {
                    self.crowd.spawn_local(async move {
                        let _held = TcpStream::connect(address).await;
                        pending::<()>().await;
                    });
                }
            }
            Door::Shut => self.socket = None,
        }
        Ok(())
    }

    fn serve(&self, listener: TcpListener) -> JoinHandle<()> {
        let (number, part) = (self.number, Rc::clone(&self.part));
        if part.borrow().feed(number) {
            return spawn_local(feed::serve(listener));
        }
        let answer = move |request: &Request<Incoming>| part.borrow_mut().answer(number, request, RealClock.now());
        spawn_local(endpoint::serve(listener, self.tls.clone(), Rc::new(answer)))
    }
}

/// The first one is handed over, so that it was open before the process was.
fn first(number: usize, port: u16) -> io::Result<std::net::TcpListener> {
    match number {
        0 => Ok(std::net::TcpListener::from(io::stdout().as_fd().try_clone_to_owned()?)),
        _ => bind_loopback(port),
    }
}
