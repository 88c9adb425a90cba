//! Who we are and where: host, machine, boot, login. Read from `/proc` and `/etc`, never through NSS, which can hang.

use crate::base::Clean;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;

/// This host by identity, not only by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// The kernel's host name.
    pub name: Clean,
    /// `/etc/machine-id`; empty when the host has none.
    pub machine_id: Clean,
    /// Changes at every boot.
    pub boot_id: Clean,
    /// Digest of the public key by which ssh knows it; `None` where it has none. A copied machine may have the same
    /// machine-id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssh_key: Option<Clean>,
}

/// The public keys that a host has for ssh; the first that is there counts.
const SSH_KEYS: [&str; 3] = ["ssh_host_ed25519_key.pub", "ssh_host_ecdsa_key.pub", "ssh_host_rsa_key.pub"];

/// This login. `login_uid` survives sudo; `sudo_uid` and `ssh` are claims of the environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// From `/proc/self/loginuid`; `None` when unset.
    pub login_uid: Option<u32>,
    /// The name of `login_uid`, else of the claimed sudo user, else of the effective user.
    pub login: Clean,
    /// The effective user.
    pub uid: u32,
    /// The effective user's name, or its number.
    pub user: Clean,
    /// What sudo says.
    pub sudo_uid: Option<u32>,
    /// `pts/3`, when standard input is a terminal.
    pub tty: Option<Clean>,
    /// Client address and port, when the session came by ssh.
    pub ssh: Option<Clean>,
}

impl Host {
    /// Reads it now.
    pub fn current() -> Self {
        Self {
            name: Clean::text(rustix::system::uname().nodename().to_bytes()),
            machine_id: line("/etc/machine-id"),
            boot_id: line("/proc/sys/kernel/random/boot_id"),
            ssh_key: ssh_key(Path::new("/etc/ssh")),
        }
    }
}

impl Login {
    /// Whether this folder is the login's own, whoever it acts as: then nothing protects what is in it from that login.
    pub fn owns(&self, folder: &Path) -> bool {
        use std::os::unix::fs::MetadataExt;
        let own = self.login_uid.unwrap_or(self.uid);
        fs::symlink_metadata(folder).is_ok_and(|about| about.uid() == own)
    }

    /// Reads it now.
    pub fn current() -> Self {
        let number = |text: &str| text.trim().parse::<u32>().ok();
        let login_uid = fs::read_to_string("/proc/self/loginuid")
            .ok()
            .and_then(|text| number(&text))
            .filter(|uid| *uid != u32::MAX);
        let sudo_uid = std::env::var("SUDO_UID").ok().and_then(|text| number(&text));
        let uid = rustix::process::geteuid().as_raw();
        let passwd = fs::read("/etc/passwd").unwrap_or_default();
        Self {
            login_uid,
            login: name_of(&passwd, login_uid.or(sudo_uid).unwrap_or(uid)),
            uid,
            user: name_of(&passwd, uid),
            sudo_uid,
            tty: tty(),
            ssh: std::env::var_os("SSH_CONNECTION").and_then(|claim| ssh_claim(claim.as_encoded_bytes())),
        }
    }
}

/// Of its kind and the key itself: what stands behind it is only a note.
fn ssh_key(folder: &Path) -> Option<Clean> {
    let text = SSH_KEYS.iter().find_map(|name| fs::read_to_string(folder.join(name)).ok())?;
    let mut words = text.split_ascii_whitespace();
    let (kind, key) = (words.next()?, words.next()?);
    Some(Clean::text(super::files::sha256(format!("{kind} {key}").as_bytes())))
}

/// The login name of a process' owner and its command, for "who holds this?". `None` when it is gone or hidden.
pub fn describe_process(pid: u32) -> Option<Clean> {
    use std::os::unix::fs::MetadataExt;
    let owner = fs::metadata(format!("/proc/{pid}")).ok()?.uid();
    let uid = fs::read_to_string(format!("/proc/{pid}/loginuid"))
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .filter(|uid| *uid != u32::MAX)
        .unwrap_or(owner);
    let passwd = fs::read("/etc/passwd").unwrap_or_default();
    Some(crate::clean!("process {pid} of {}", name_of(&passwd, uid)))
}

/// Bytes of a page of memory.
pub fn page_bytes() -> f64 {
    #[expect(unsafe_code, reason = "sysconf has no safe wrapper here")]
    // SAFETY: takes a number and gives a number.
    let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    bytes as f64
}

/// The name of a user, from `/etc/passwd` alone; else the number.
pub fn user_name(uid: u32) -> Clean {
    name_of(&fs::read("/etc/passwd").unwrap_or_default(), uid)
}

/// The name of a group, from `/etc/group` alone; else the number.
pub fn group_name(gid: u32) -> Clean {
    // Name and number stand where a passwd file has them.
    name_of(&fs::read("/etc/group").unwrap_or_default(), gid)
}

/// The groups of a login by its name: its own and those that list it, from `/etc/passwd` and `/etc/group` alone.
pub fn groups_of(login: &str) -> Vec<Clean> {
    groups_in(&fs::read("/etc/passwd").unwrap_or_default(), &fs::read("/etc/group").unwrap_or_default(), login)
}

fn groups_in(passwd: &[u8], group: &[u8], login: &str) -> Vec<Clean> {
    let rows = |text: &[u8]| -> Vec<Vec<Vec<u8>>> {
        let fields = |row: &[u8]| row.split(|byte| *byte == b':').map(<[u8]>::to_vec).collect();
        text.split(|byte| *byte == b'\n').map(fields).collect()
    };
    let own = rows(passwd)
        .into_iter()
        .find(|row| row.first().is_some_and(|name| name == login.as_bytes()))
        .and_then(|row| row.get(3).cloned());
    let mut found = Vec::new();
    for row in rows(group) {
        let [name, _, gid, members] = row.as_slice() else { continue };
        let listed = members.split(|byte| *byte == b',').any(|member| member == login.as_bytes());
        if (listed || own.as_ref() == Some(gid)) && !name.is_empty() {
            found.push(Clean::text(name));
        }
    }
    found
}

/// The number of a user: a number already, or a name in `/etc/passwd` alone.
pub fn user_id(name: &str) -> Option<u32> {
    id_of(&fs::read("/etc/passwd").unwrap_or_default(), name)
}

/// The number of a group: a number already, or a name in `/etc/group` alone.
pub fn group_id(name: &str) -> Option<u32> {
    id_of(&fs::read("/etc/group").unwrap_or_default(), name)
}

fn id_of(passwd: &[u8], name: &str) -> Option<u32> {
    // The highest number means "leave it" to the kernel.
    let number = name.parse().ok().filter(|id| *id != u32::MAX);
    number.or_else(|| {
        passwd.split(|byte| *byte == b'\n').find_map(|row| {
            let mut fields = row.split(|byte| *byte == b':');
            let same = fields.next() == Some(name.as_bytes()) && !name.is_empty();
            core::str::from_utf8(fields.nth(1)?).ok()?.parse().ok().filter(|_| same)
        })
    })
}

/// The name of `uid` in the text of a passwd file, else the number.
fn name_of(passwd: &[u8], uid: u32) -> Clean {
    passwd
        .split(|byte| *byte == b'\n')
        .find_map(|row| {
            let mut fields = row.split(|byte| *byte == b':');
            let name = fields.next()?;
            let number = core::str::from_utf8(fields.nth(1)?).ok()?.parse::<u32>().ok()?;
            (number == uid && !name.is_empty()).then(|| Clean::text(name))
        })
        .unwrap_or_else(|| crate::clean!("{uid}"))
}

/// `address:port` of the client, from `client port server port`.
fn ssh_claim(claim: &[u8]) -> Option<Clean> {
    let text = Clean::text(claim);
    let mut words = text.as_str().split(' ');
    let (address, port) = (words.next()?, words.next()?);
    (!address.is_empty()).then(|| crate::clean!("{address}:{port}"))
}

fn tty() -> Option<Clean> {
    let link = fs::read_link("/proc/self/fd/0").ok()?;
    let name = link.to_str()?.strip_prefix("/dev/")?;
    (name.starts_with("pts/") || name.starts_with("tty")).then(|| Clean::text(name))
}

fn line(path: &str) -> Clean {
    Clean::text(fs::read(path).unwrap_or_default().trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_from_the_passwd_text_and_fall_back_to_the_number() {
        let passwd = b"root:x:0:0::/root:/bin/sh\noncall:x:1000:1000::/home/oncall:/bin/sh\nbroken\n";
        assert_eq!(name_of(passwd, 1000).as_str(), "oncall");
        assert_eq!(name_of(passwd, 7).as_str(), "7");
        assert_eq!((id_of(passwd, "oncall"), id_of(passwd, "7"), id_of(passwd, "nobody")), (Some(1000), Some(7), None));
        assert_eq!((id_of(passwd, ""), id_of(passwd, "4294967295")), (None, None));
    }

    #[test]
    fn the_groups_of_a_login_are_its_own_and_those_that_list_it() {
        let passwd = b"root:x:0:0::/root:/bin/sh\nada:x:1000:100::/home/ada:/bin/sh\n";
        let group = b"root:x:0:\nusers:x:100:\nsre:x:27:bob,ada\nwheel:x:10:adam\n:x:11:ada\n";
        assert_eq!(groups_in(passwd, group, "ada"), ["users".into(), Clean::from("sre")]);
        assert!(groups_in(passwd, group, "nobody").is_empty());
    }

    #[test]
    fn an_ssh_claim_is_the_client_alone() {
        assert_eq!(ssh_claim(b"10.0.0.5 50222 10.0.0.9 22"), Some("10.0.0.5:50222".into()));
        assert_eq!(ssh_claim(b""), None);
    }

    #[test]
    fn this_host_has_a_name_and_a_boot() {
        let host = Host::current();
        assert!(!host.name.as_str().is_empty());
        assert_eq!(host.boot_id.as_str().len(), 36);
    }

    #[test]
    fn the_ssh_key_of_a_host_is_its_best_one_without_the_note_behind_it() {
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
        assert_eq!(ssh_key(dir.path()), None);
        put("ssh_host_rsa_key.pub", "ssh-rsa AAAA root@a\n");
        let rsa = ssh_key(dir.path()).unwrap();
        put("ssh_host_ed25519_key.pub", "ssh-ed25519 BBBB root@a\n");
        let best = ssh_key(dir.path()).unwrap();
        put("ssh_host_ed25519_key.pub", "ssh-ed25519 BBBB root@b\n");
        assert_eq!(ssh_key(dir.path()).as_ref(), Some(&best), "the note is no part of it");
        put("ssh_host_ed25519_key.pub", "ssh-ed25519 CCCC root@b\n");
        assert!(rsa != best && ssh_key(dir.path()).unwrap() != best && best.as_str().len() == 64);
    }
}
