//! The parent's side: starts the one child of a class, asks it, and says what hangs since when. Whoever waits may be
//! dropped at any time: the question stays noted, and nothing is asked or started over it.

use super::question::{Answer, Question};
use super::{Class, arguments, frame};
use crate::base::{Clean, Mono, Now, Unit};
use crate::clean;
use crate::sys::child::{Child, OURSELVES};
use crate::sys::process::inherited_where;
use crate::sys::program::Ended;
use core::time::Duration;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::Mutex as AsyncMutex;

/// After the first death; doubled by each further one.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// So many answers in a row make a child that died before a good one.
const GOOD: u32 = 3;

/// The one place in this process from which a class is asked.
#[derive(Debug)]
pub(crate) struct Prober {
    class: Class,
    state: AsyncMutex<State>,
    /// What is being asked, for whoever finds the place taken.
    asking: Mutex<Option<Asking>>,
}

/// "NVML about GPU 1 (probe process 7) has not answered", and since when.
#[derive(Clone, Debug)]
struct Asking {
    what: Clean,
    since: Now,
}

#[derive(Debug, Default)]
struct State {
    link: Option<Link>,
    deaths: u32,
    good: u32,
    not_before: Mono,
}

/// A child that was started and is not gone.
#[derive(Debug)]
struct Link {
    child: Child,
    /// `None` once it was given up: the child then ends by itself.
    socket: Option<Arc<UnixStream>>,
    come: Vec<u8>,
    asked: Option<Question>,
    /// Why it was given up, and when.
    given_up: Option<(Clean, Now)>,
}

impl Prober {
    /// The one of this class. They are kept for the life of the process: dropping one could double its child.
    pub(crate) fn of(class: &Class) -> Arc<Self> {
        static ALL: Mutex<BTreeMap<Class, Arc<Prober>>> = Mutex::new(BTreeMap::new());
        let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Self { class: class.clone(), state: AsyncMutex::default(), asking: Mutex::default() };
        Arc::clone(all.entry(class.clone()).or_insert_with(|| Arc::new(new())))
    }

    /// Asks. `about` names what is asked ("NVML about GPU 1"). The late answer to the same question counts; one to
    /// another question is thrown away. The error is why there is no child to ask, without its full stop. Waits for
    /// ever when the child hangs: whoever gives up says [`Self::hangs`].
    pub(crate) async fn ask(&self, now: Now, about: &Clean, question: &Question) -> Result<Answer, Clean> {
        self.state.lock().await.ask(self, now, about, question).await
    }

    /// What hangs and since when, to someone who has waited for `patience` after `now`; without its full stop.
    pub(crate) fn hangs(&self, now: Now, patience: Duration) -> Clean {
        let asking = self.asking.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(Asking { what, since }) = asking else {
            return clean!("the {} probe could not be asked in time", self.class.name());
        };
        let age = Unit::Seconds.show((now.mono.since(since.mono) + patience).as_secs_f64());
        clean!("{what} since {} ({age})", since.wall.hms())
    }

    fn note(&self, asking: Option<Asking>) {
        *self.asking.lock().unwrap_or_else(PoisonError::into_inner) = asking;
    }

    /// The child's environment: where the driver's library lies, and the library's own switches.
    fn environment(&self) -> Vec<(OsString, OsString)> {
        match self.class {
            Class::Nvml(_) => inherited_where(|name| name == "LD_LIBRARY_PATH" || name.contains("NVML")),
            Class::Disks => Vec::new(),
        }
    }
}

impl State {
    async fn ask(&mut self, of: &Prober, now: Now, about: &Clean, question: &Question) -> Result<Answer, Clean> {
        loop {
            let link = self.alive(of, now).await?;
            if link.asked.is_none() {
                if let Err(error) = link.say(question) {
                    link.give_up(&error, now);
                    continue;
                }
                link.asked = Some(question.clone());
                let what = clean!("{about} (probe process {}) has not answered", link.child.pid());
                of.note(Some(Asking { what, since: now }));
            }
            match link.hear().await {
                Ok(answer) => {
                    of.note(None);
                    let wanted = link.asked.take().as_ref() == Some(question);
                    self.good += 1;
                    if self.good >= GOOD {
                        self.deaths = 0;
                    }
                    if wanted {
                        return Ok(answer);
                    }
                }
                Err(error) => link.give_up(&error, now),
            }
        }
    }

    /// The child that can be asked: the one there is, or a new one when there is none.
    async fn alive(&mut self, of: &Prober, now: Now) -> Result<&mut Link, Clean> {
        let class = of.class.name();
        if let Some(link) = self.link.as_mut()
            && let Some((why, since)) = link.given_up.clone()
        {
            // Its socket closes shortly before it is gone; one that stays is not doubled.
            let pid = link.child.pid();
            let what = clean!("the {class} probe (process {pid}) {why} and is not gone");
            of.note(Some(Asking { what: what.clone(), since }));
            let watched = link.end().await;
            let ended = watched.map_err(|error| clean!("{what}, as far as can be seen: {error}"))?;
            of.note(None);
            self.link = None;
            // After an answer it may end to be started anew, maybe with the next question already on its way.
            if ended != Some(Ended::Code(0)) || self.good == 0 {
                return Err(self.died(&clean!("the {class} probe (process {pid}) {why}"), ended, now));
            }
        }
        if now.mono < self.not_before {
            let wait = Unit::Seconds.show(self.not_before.since(now.mono).as_secs_f64());
            return Err(clean!(
                "the {class} probe ended {} times in a row; it is started again in {wait}",
                self.deaths
            ));
        }
        if self.link.is_none() {
            self.link = Some(Link::start(of).map_err(|error| clean!("the {class} probe cannot be started: {error}"))?);
            self.good = 0;
        }
        self.link.as_mut().ok_or_else(|| clean!("the {class} probe is not there"))
    }

    fn died(&mut self, what: &Clean, ended: Option<Ended>, now: Now) -> Clean {
        let pause = PAUSE.saturating_mul(1_u32.checked_shl(self.deaths).unwrap_or(u32::MAX)).min(LONGEST_PAUSE);
        self.deaths = self.deaths.saturating_add(1);
        self.not_before = now.mono + pause;
        let how = ended.map_or_else(|| clean!("in an unknown way"), |ended| clean!("{ended}"));
        let pause = Unit::Seconds.show(pause.as_secs_f64());
        clean!("{what} ({how}); it is started again in {pause}")
    }
}

impl Link {
    fn start(of: &Prober) -> io::Result<Self> {
        let (child, socket) = Child::converse(Path::new(OURSELVES), &arguments(&of.class), &of.environment())?;
        Ok(Self { child, socket: Some(Arc::new(socket)), come: Vec::new(), asked: None, given_up: None })
    }

    /// A question always finds room: it is short, and the one before it was answered.
    fn say(&mut self, question: &Question) -> io::Result<()> {
        let socket = self.socket.as_deref().ok_or(io::ErrorKind::NotConnected)?;
        (&mut &*socket).write_all(&frame::pack(question)?)
    }

    async fn hear(&mut self) -> io::Result<Answer> {
        let socket = Arc::clone(self.socket.as_ref().ok_or(io::ErrorKind::UnexpectedEof)?);
        // Registered anew each time: whoever asks may live on another runtime than whoever asked last.
        #[expect(
            deprecated,
            reason = "its heir is unsafe for types that lie about their descriptor; this one does not"
        )]
        let watched = AsyncFd::with_interest(socket, Interest::READABLE)?;
        loop {
            if let Some(answer) = frame::unpack(&mut self.come)? {
                return Ok(answer);
            }
            let mut ready = watched.readable().await?;
            let mut piece = [0; 16 * 1024];
            let read = ready.try_io(|socket| (&mut &**socket.get_ref()).read(&mut piece));
            match read {
                Err(_not_yet) => {}
                Ok(Ok(0)) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(Ok(read)) => self.come.extend_from_slice(piece.get(..read).unwrap_or_default()),
                Ok(Err(error)) => return Err(error),
            }
        }
    }

    /// Closes the socket: the child ends as soon as it sees that.
    fn give_up(&mut self, error: &io::Error, now: Now) {
        use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
        let ended = matches!(error.kind(), BrokenPipe | ConnectionReset | UnexpectedEof);
        let why = if ended { clean!("ended") } else { clean!("cannot be understood: {error}") };
        self.socket = None;
        self.given_up = Some((why, now));
    }

    /// Waits until it is gone, and reaps it.
    async fn end(&mut self) -> io::Result<Option<Ended>> {
        let ending: OwnedFd = self.child.as_fd().try_clone_to_owned()?;
        #[expect(deprecated, reason = "its heir is unsafe for types that lie about their descriptor; OwnedFd does not")]
        let watched = AsyncFd::with_interest(ending, Interest::READABLE)?;
        drop(watched.readable().await?);
        Ok(self.child.outcome())
    }
}
