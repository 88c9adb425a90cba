//! Sockets at which engines tell of what they run, where they usually lie. Nothing is connected to.

use super::found::{Found, Keep, What};
use crate::base::Clean;
use crate::clean;
use rustix::fs::{Access, AtFlags, CWD, accessat};
use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

/// Where they lie, whose they are, and the kind of sampler that asks there. Of the same engine the first counts.
const PLACES: &[(&str, &str, &str)] = &[
    ("run/docker.sock", "Docker", "container"),
    ("run/podman/podman.sock", "Podman", "container"),
    ("run/supervisor.sock", "supervisord", "supervisor"),
    ("run/supervisor/supervisor.sock", "supervisord", "supervisor"),
    ("var/run/supervisor.sock", "supervisord", "supervisor"),
    ("tmp/supervisor.sock", "supervisord", "supervisor"),
];

/// Every socket that is there.
pub(super) fn look(root: &Path) -> Vec<Found> {
    let own = format!("run/user/{}/podman/podman.sock", rustix::process::geteuid().as_raw());
    let places = PLACES.iter().copied().chain([(own.as_str(), "Podman of this login", "container")]);
    let (mut found, mut engines) = (Vec::new(), Vec::new());
    for (place, engine, kind) in places {
        let at = root.join(place);
        let there = fs::metadata(&at).is_ok_and(|about| about.file_type().is_socket());
        if !there || engines.contains(&engine) {
            continue;
        }
        engines.push(engine);
        let path = format!("/{place}");
        let open = accessat(CWD, &at, Access::WRITE_OK, AtFlags::EACCESS).is_ok();
        let state = if open { "open to this login" } else { "closed to this login: be root or of its group" };
        let keep = Keep::text(kind, "path", &path);
        let keep = if open { keep } else { keep.map(|keep| keep.possible("Its socket is closed to this login")) };
        found.push(Found {
            what: What::Socket,
            name: Clean::text(&path),
            says: clean!("{path}, {engine}: {state}"),
            keep,
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    #[test]
    fn a_socket_is_found_once_and_a_plain_file_is_none() {
        let root = tempfile::tempdir().expect("a folder");
        for folder in ["run/supervisor", "var/run"] {
            fs::create_dir_all(root.path().join(folder)).expect("made");
        }
        fs::write(root.path().join("run/docker.sock"), "").expect("written");
        assert_eq!(look(root.path()), []);
        let places = ["run/supervisor/supervisor.sock", "var/run/supervisor.sock"];
        let _open = places.map(|place| UnixListener::bind(root.path().join(place)).expect("bound"));
        let found = look(root.path());
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].says.as_str(), "/run/supervisor/supervisor.sock, supervisord: open to this login");
        let keep = found[0].keep.as_ref().expect("a kind");
        assert_eq!(keep.to_string(), "kind = \"supervisor\", path = \"/run/supervisor/supervisor.sock\"");
    }
}
