//! Somebody swaps what stands at a path as fast as he can while it is read with effect or edited: files, links, whole
//! folders. Nothing of his ever counts, and nothing outside is ever written. 10^6 swaps with `WATCHKEEPER_LONG`.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use watchkeeper::base::Clock;
use watchkeeper::sys::clock::RealClock;
use watchkeeper::sys::files::sha256;
use watchkeeper::sys::held::{Broken, Held};
use watchkeeper::sys::trust::{self, Owners};

fn swaps() -> usize {
    if std::env::var_os("WATCHKEEPER_LONG").is_some() { 1_000_000 } else { 10_000 }
}

/// A folder of ours in memory: the disk is not what is tried.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
    dir
}

fn put(path: &Path, text: &str, mode: u32) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

/// Puts something in the place of the file at once.
fn replace(dir: &Path, next: &Path, made: impl Fn(&Path)) {
    made(next);
    fs::rename(next, dir.join("conf/a.toml")).unwrap();
}

/// Our file again, or the whole folder by a link to another one, and back.
fn ours_or_folder(dir: &Path, next: &Path, turn: usize) {
    let at = |name: &str| dir.join(name);
    match turn {
        0 => replace(dir, next, |next| fs::write(next, "ours").unwrap()),
        3 => {
            fs::rename(at("conf"), at("aside")).unwrap();
            symlink(at("other"), at("conf")).unwrap();
        }
        _ => {
            fs::remove_file(at("conf")).unwrap();
            fs::rename(at("aside"), at("conf")).unwrap();
        }
    }
}

/// `work` again and again while the swapper makes all its swaps; how often.
fn race(swap: impl Fn(usize) + Send, mut work: impl FnMut()) -> usize {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            (0..swaps()).for_each(swap);
            over.store(true, Ordering::SeqCst);
        });
        let mut rounds = 0;
        while !over.load(Ordering::SeqCst) {
            work();
            rounds += 1;
        }
        rounds
    })
}

#[test]
fn whatever_is_swapped_while_a_file_is_read_only_what_is_ours_counts() {
    let dir = folder();
    let at = |name: &str| dir.path().join(name);
    for below in ["conf", "other"] {
        fs::create_dir(at(below)).unwrap();
        fs::set_permissions(at(below), PermissionsExt::from_mode(0o755)).unwrap();
    }
    let path = at("conf/a.toml");
    put(&path, "ours", 0o644);
    put(&at("other/a.toml"), "theirs", 0o644);
    put(&at("conf/open"), "theirs", 0o666);
    let next = at("conf/next");
    // Each is put in the place of the last at once: our file, a link to theirs, a file that others may write, a second
    // name of it, and the whole folder by a link to another one.
    let swap = |turn: usize| match turn % 5 {
        1 => replace(dir.path(), &next, |next| symlink(at("other/a.toml"), next).unwrap()),
        2 => replace(dir.path(), &next, |next| fs::hard_link(at("conf/open"), next).unwrap()),
        turn => ours_or_folder(dir.path(), &next, turn),
    };
    let (mut ours, mut refused, mut none) = (0, 0, 0);
    let begun = RealClock.now().mono;
    let rounds = race(swap, || match trust::read(&path, Owners::effective()) {
        Ok(content) if content.distrust.is_none() => {
            // It is written in two steps: empty, then whole.
            assert!(matches!(content.text.as_str(), "ours" | ""), "{}", content.text);
            ours += 1;
        }
        Ok(_) => refused += 1,
        Err(_) => none += 1,
    });
    let took = RealClock.now().mono.since(begun);
    println!("{} swaps, {rounds} reads: {ours} ours, {refused} refused, {none} none, {took:.1?}", swaps());
    assert!(ours > 0 && refused + none > 0, "{ours} {refused} {none}");
}

/// What an edit leaves: ours, or as it was.
fn edited(path: &Path) -> bool {
    let Ok(held) = Held::open(path) else { return false };
    let (bytes, id) = (held.bytes().to_vec(), held.id().clone());
    assert_eq!(sha256(&bytes), id.sha256);
    assert!(!bytes.starts_with(b"theirs"), "what lies behind a link was opened");
    match held.replace(b"ours, edited") {
        Ok(_) => true,
        Err(Broken::Untouched(_) | Broken::Unknown(_)) => false,
    }
}

#[test]
fn whatever_is_swapped_while_a_file_is_edited_nothing_outside_is_written() {
    let dir = folder();
    let at = |name: &str| -> PathBuf { dir.path().join(name) };
    for below in ["conf", "other"] {
        fs::create_dir(at(below)).unwrap();
    }
    let path = at("conf/a.toml");
    put(&path, "ours", 0o644);
    for name in ["other/a.toml", "other/precious"] {
        put(&at(name), "theirs", 0o644);
    }
    let next = at("conf/.next");
    let swap = |turn: usize| match turn % 5 {
        1 => replace(dir.path(), &next, |next| symlink(at("other/precious"), next).unwrap()),
        2 => replace(dir.path(), &next, |next| fs::write(next, "ours too").unwrap()),
        turn => ours_or_folder(dir.path(), &next, turn),
    };
    let (mut done, begun) = (0, RealClock.now().mono);
    let rounds = race(swap, || done += usize::from(edited(&path)));
    let took = RealClock.now().mono.since(begun);
    println!("{} swaps, {rounds} edits: {done} done, {took:.1?}", swaps());
    for name in ["other/a.toml", "other/precious"] {
        assert_eq!(fs::read_to_string(at(name)).unwrap(), "theirs");
    }
    assert_eq!(fs::read_dir(at("other")).unwrap().count(), 2, "nothing was made there");
    let left = fs::read_dir(at("conf")).unwrap().count();
    assert_eq!(left, 1, "no temporary file is left");
    assert!(done > 0 && done < rounds, "{done} of {rounds}");
}
