//! Our own image as the owner of an environment: enters its folder, gives up every other right, does one task with the
//! library, answers over the socket that is its stdin, and ends. Whoever asks never calls the library (safety.md F6).

use super::foreign::{Census, Foreign, Way};
use crate::base::{Clean, Fault};
use crate::sys::child::{Child, OURSELVES, wait_readable};
use crate::sys::files;
use core::time::Duration;
use rustix::fs::{AtFlags, OFlags, statat};
use serde::{Deserialize, Serialize};
use std::ffi::{CString, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

pub use super::foreign::Census as Count;

/// The hidden role of our binary.
pub const ROLE: &str = "lmdb";
/// How a test plays that role.
static PLAYED: OnceLock<Vec<OsString>> = OnceLock::new();
/// It may be silent for so long.
const SILENCE: Duration = Duration::from_secs(60);
/// While it is silent, who asked is asked this often whether it shall go on.
const GLANCE: Duration = Duration::from_millis(500);
/// It ends by itself when its socket closes; a process inside the kernel may take a while.
const PATIENCE: Duration = Duration::from_secs(5);
/// No answer is longer: names of databases.
const LONGEST: u32 = 4 << 20;
const DATA: u8 = b'd';
const ANSWER: u8 = b'a';

/// Which environment, as who.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The folder of its data file, reached through no link.
    pub folder: PathBuf,
    /// The data file's name.
    pub data: String,
    /// It has no folder of its own: its lock file is named after it.
    pub file: bool,
    /// Device and inode of the data file.
    pub inode: (u64, u64),
    /// Its owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Task {
    /// Count what a copy holds that nobody has open.
    CountCopy,
    /// Send a copy.
    Copy {
        /// Without free pages.
        compact: bool,
    },
    /// Free the slots of dead readers.
    ClearReaders,
    /// Store a larger size of the map, in bytes.
    StoreSize(u64),
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// What the copy holds.
    Counted(Census),
    /// All of it was sent; what the environment held just before, and just after.
    Copied {
        /// Before.
        before: Census,
        /// After.
        after: Census,
    },
    /// So many slots.
    Cleared(u64),
    /// Stored and synced.
    Stored,
    /// Nothing, and why.
    Refused(String),
}

#[derive(Serialize, Deserialize)]
struct Request {
    place: Place,
    task: Task,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Stop {
    /// It was certainly not done.
    Refused(Fault),
    /// It may have been done.
    Silent(Fault),
}

impl Stop {
    /// The sentence.
    pub fn into_fault(self) -> Fault {
        match self {
            Self::Refused(fault) | Self::Silent(fault) => fault,
        }
    }
}

/// Lets a test play the child with these arguments of its own image.
pub fn played_by(arguments: &[&str]) {
    PLAYED.get_or_init(|| arguments.iter().map(OsString::from).collect());
}

/// Has a child do the task; `take` is given the bytes of a copy, and none now and then while there are none.
///
/// # Errors
/// It was refused, `take` wanted no more, or the child fell silent or died.
pub fn ask(place: &Place, task: Task, take: &mut dyn FnMut(&[u8]) -> Result<(), Fault>) -> Result<Answer, Stop> {
    let args = PLAYED.get().cloned().unwrap_or_else(|| vec![ROLE.into()]);
    let refused = |error: io::Error| Stop::Refused(Fault::new(format!("the LMDB child was not started: {error}.")));
    let (child, mut socket) = Child::converse(Path::new(OURSELVES), &args, &[]).map_err(refused)?;
    let answer = converse(&mut socket, &Request { place: place.clone(), task }, take);
    // A copy under way ends its read transaction when nobody takes it any more.
    drop(socket);
    child.stop(PATIENCE);
    match answer? {
        Answer::Refused(why) => Err(Stop::Refused(Fault::new(format!("LMDB refused: {}.", Clean::text(why))))),
        answer => Ok(answer),
    }
}

fn converse(
    socket: &mut UnixStream,
    request: &Request,
    take: &mut dyn FnMut(&[u8]) -> Result<(), Fault>,
) -> Result<Answer, Stop> {
    let early = |error: io::Error| Stop::Refused(Fault::new(format!("the LMDB child cannot be asked: {error}.")));
    let late = |error: io::Error| {
        let what = match error.kind() {
            io::ErrorKind::WouldBlock => format!("said nothing for {} s", SILENCE.as_secs()),
            io::ErrorKind::UnexpectedEof => "died".to_owned(),
            _ => format!("cannot be heard: {error}"),
        };
        Stop::Silent(Fault::new(format!("the LMDB child {what}.")))
    };
    let asked = serde_json::to_vec(request).map_err(|error| early(error.into()))?;
    socket.set_nonblocking(false).and_then(|()| socket.set_read_timeout(Some(SILENCE))).map_err(early)?;
    send(socket, ANSWER, &asked).map_err(early)?;
    let mut piece = Vec::new();
    let mut silent = Duration::ZERO;
    loop {
        while silent < SILENCE && !wait_readable(&[socket.as_fd()], Some(GLANCE)).map_err(late)?.contains(&true) {
            take(&[]).map_err(Stop::Refused)?;
            silent += GLANCE;
        }
        silent = Duration::ZERO;
        match receive(socket, &mut piece).map_err(late)? {
            DATA => take(&piece).map_err(Stop::Refused)?,
            _ => return serde_json::from_slice(&piece).map_err(|error| late(error.into())),
        }
    }
}

/// Plays the child on its socket. Returns the exit status.
pub fn serve(socket: OwnedFd) -> u8 {
    let _best_effort = rustix::thread::set_name(c"lmdb-child");
    let mut socket = File::from(socket);
    let mut asked = Vec::new();
    let request = receive(&mut socket, &mut asked).and_then(|_| Ok(serde_json::from_slice::<Request>(&asked)?));
    let answer = match request {
        Ok(request) => work(&request, &socket).unwrap_or_else(Answer::Refused),
        Err(error) => Answer::Refused(format!("the question cannot be read: {error}")),
    };
    let told = serde_json::to_vec(&answer).map_err(Into::into).and_then(|text| send(&mut socket, ANSWER, &text));
    u8::from(told.is_err())
}

fn work(request: &Request, socket: &File) -> Result<Answer, String> {
    let Request { place, task } = request;
    enter(place).map_err(|error| format!("{}: {error}", place.folder.display()))?;
    let name = if place.file || *task == Task::CountCopy { place.data.as_str() } else { "." };
    let name = CString::new(name).map_err(|error| error.to_string())?;
    let words = |error: super::LmdbError| error.to_string();
    let open = |way| Foreign::open(&name, place.file || way == Way::ReadAlone, way).map_err(words);
    match *task {
        Task::CountCopy => open(Way::ReadAlone)?.census().map(Answer::Counted).map_err(words),
        Task::ClearReaders => open(Way::Read)?.clear_readers().map(Answer::Cleared).map_err(words),
        Task::StoreSize(bytes) => {
            let bytes = usize::try_from(bytes).map_err(|error| error.to_string())?;
            open(Way::Write(bytes))?.store_size().map(|()| Answer::Stored).map_err(words)
        }
        Task::Copy { compact } => {
            let env = open(Way::Read)?;
            let before = env.census().map_err(words)?;
            copy(&env, socket, compact)?;
            Ok(Answer::Copied { before, after: env.census().map_err(words)? })
        }
    }
}

/// The library writes to a pipe; what comes out of it goes over the socket in pieces that can be told from the answer.
fn copy(env: &Foreign, socket: &File, compact: bool) -> Result<(), String> {
    let words = |error: io::Error| error.to_string();
    let (mut from, to) = io::pipe().map_err(words)?;
    let mut socket = socket.try_clone().map_err(words)?;
    let pump = move || -> io::Result<()> {
        let mut piece = vec![0; 256 * 1024];
        loop {
            match from.read(&mut piece) {
                Ok(0) => return Ok(()),
                Ok(n) => send(&mut socket, DATA, piece.get(..n).unwrap_or_default())?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    };
    let pump = std::thread::Builder::new().name("lmdb-pump".to_owned()).spawn(pump).map_err(words)?;
    let copied = env.copy(to.as_fd(), compact);
    drop(to);
    let pumped = pump.join().map_err(|_| "the copy was lost".to_owned())?;
    copied.map_err(|error| error.to_string())?;
    pumped.map_err(words)
}

/// Stands in the folder, sure of the data file, with the rights of its owner and of nobody else.
fn enter(place: &Place) -> io::Result<()> {
    let folder = files::open_without_links(&place.folder, OFlags::RDONLY | OFlags::DIRECTORY)?;
    let data = statat(&folder, place.data.as_str(), AtFlags::SYMLINK_NOFOLLOW)?;
    if (data.st_dev, data.st_ino, data.st_uid) != (place.inode.0, place.inode.1, place.uid) {
        return Err(io::Error::other(format!("{} is another one now", place.data)));
    }
    rustix::process::fchdir(&folder)?;
    become_user(place.uid, place.gid)
}

#[expect(unsafe_code, reason = "rustix changes one thread only")]
fn become_user(uid: u32, gid: u32) -> io::Result<()> {
    let own = rustix::process::geteuid().as_raw();
    if own == uid {
        return Ok(());
    }
    if own != 0 {
        return Err(io::Error::other(format!("it belongs to user {uid}: only that user and root may act on it")));
    }
    // SAFETY: no pointer is read for a count of zero; the C library changes every thread, and none of ours runs.
    let groups = unsafe { libc::setgroups(0, core::ptr::null()) };
    // SAFETY: plain numbers.
    let group = unsafe { libc::setresgid(gid, gid, gid) };
    if groups != 0 || group != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the same, and last: after it nothing of this could be done.
    let user = unsafe { libc::setresuid(uid, uid, uid) };
    if user == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn send(to: &mut impl Write, kind: u8, bytes: &[u8]) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).ok().filter(|length| *length <= LONGEST);
    let length = length.ok_or(io::ErrorKind::FileTooLarge)?.to_le_bytes();
    to.write_all(&[&[kind][..], &length].concat())?;
    to.write_all(bytes)
}

fn receive(from: &mut impl Read, into: &mut Vec<u8>) -> io::Result<u8> {
    let mut head = [0; 5];
    from.read_exact(&mut head)?;
    let [kind, length @ ..] = head;
    let length = u32::from_le_bytes(length);
    if length > LONGEST {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    into.resize(usize::try_from(length).unwrap_or(0), 0);
    from.read_exact(into)?;
    Ok(kind)
}
