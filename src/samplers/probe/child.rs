//! The child's side: reads a question, does what may hang, writes the answer; ends when its socket closes.

use super::nvml::Eyes;
use super::question::{Answer, Question, Refusal, Space};
use super::{Class, frame};
use crate::sys::child::own_session;
use crate::sys::signal::exit_now;
use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};

/// Answers on `socket` until it closes. Returns the exit status: 0 also when it wants to be started anew.
pub fn serve(class: &Class, socket: OwnedFd) -> u8 {
    own_session(if *class == Class::Disks { c"probe-disks" } else { c"probe-nvml" }, true);
    let mut answers = File::from(socket);
    let Ok(questions) = answers.try_clone() else { return 1 };
    // A thread of its own sees the end of the socket also while a call hangs: who waits for a file system may be
    // ended there and then. Who is inside NVML never is: it ends when the call comes back.
    let disposable = *class == Class::Disks;
    let alone = Arc::new(AtomicBool::new(false));
    let Some(questions) = listen(questions, disposable, Arc::clone(&alone)) else { return 1 };
    let mut eyes = Eyes::new(alone);
    while let Ok(question) = questions.recv() {
        let answer = match question {
            Question::Gpus { library } => eyes.gpus(library.as_deref()).map(Answer::Gpus),
            Question::Gpu { library, index } => eyes.gpu(library.as_deref(), index).map(Answer::Gpu),
            Question::Space(point) => space(&point).map(Answer::Space),
        };
        let answer = answer.unwrap_or_else(Answer::Refused);
        let too_long = || Answer::Refused(Refusal::Other("its answer is longer than 64 KiB".to_owned()));
        let told = frame::write(&mut answers, &answer).or_else(|_| frame::write(&mut answers, &too_long()));
        if told.is_err() {
            return 0;
        }
        if eyes.are_spent() {
            return 0;
        }
    }
    0
}

fn listen(mut socket: File, disposable: bool, alone: Arc<AtomicBool>) -> Option<Receiver<Question>> {
    let (give, take) = sync_channel(1);
    let listening = move || {
        while let Ok(Some(question)) = frame::read(&mut socket) {
            if give.send(question).is_err() {
                return;
            }
        }
        alone.store(true, Ordering::Relaxed);
        if disposable {
            exit_now(0);
        }
    };
    std::thread::Builder::new().name("probe-listen".to_owned()).spawn(listening).ok()?;
    Some(take)
}

fn space(point: &[u8]) -> Result<Space, Refusal> {
    let found = rustix::fs::statvfs(OsStr::from_bytes(point)).map_err(|error| match error {
        rustix::io::Errno::ACCESS | rustix::io::Errno::PERM => Refusal::NotPermitted,
        error => Refusal::Other(std::io::Error::from(error).to_string()),
    })?;
    let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
    Ok(Space {
        size: bytes(found.f_blocks),
        free: bytes(found.f_bfree),
        available: bytes(found.f_bavail),
        files: found.f_files,
        files_free: found.f_ffree,
    })
}
