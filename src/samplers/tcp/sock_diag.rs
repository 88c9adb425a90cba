//! The kernel's own list of TCP sockets, as `ss` asks for it: the request as bytes, the answer as data. Pure; what
//! does not parse ends the reading, nothing is guessed.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// States by number; those without a name are not of TCP.
pub(crate) const STATES: [&str; 11] = [
    "established",
    "syn_sent",
    "syn_recv",
    "fin_wait1",
    "fin_wait2",
    "time_wait",
    "close",
    "close_wait",
    "last_ack",
    "listen",
    "closing",
];
/// Of a listener.
pub(crate) const LISTEN: u8 = 10;
/// Of a connection in use.
pub(crate) const ESTABLISHED: u8 = 1;
/// `AF_INET` and `AF_INET6`.
pub(crate) const FAMILIES: [u8; 2] = [2, 10];

const HEADER: usize = 16;
const MESSAGE: usize = 72;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const ERROR: u16 = 2;
const DONE: u16 = 3;
/// The attribute with nine numbers about memory; the last counts drops.
const SKMEMINFO: u16 = 7;

/// Which end of a socket a port is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Local,
    Remote,
}

/// One socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Socket {
    /// 1 to 11, as the kernel counts.
    pub(crate) state: u8,
    pub(crate) local: IpAddr,
    pub(crate) remote: IpAddr,
    /// Of a listener: connections that wait to be accepted.
    pub(crate) waiting: u32,
    /// Of a listener: how many may wait.
    pub(crate) limit: u32,
    pub(crate) uid: u32,
    /// Zero once no process holds it.
    pub(crate) inode: u32,
    /// What was dropped at it; `None` where the kernel does not say.
    pub(crate) drops: Option<u32>,
}

/// How a part of the answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    More,
    Done,
    /// The kernel's error number.
    Refused(i32),
}

/// Asks for every TCP socket of a family with this port at this end, in any state; the kernel does the filtering.
pub(crate) fn request(family: u8, end: End, port: u16) -> Vec<u8> {
    // "greater or equal" and "less or equal" of the kernel's little language; a comparison that fails jumps out.
    let (at_least, at_most) = match end {
        End::Local => (2, 3),
        End::Remote => (4, 5),
    };
    let step = |code: u8, past: u16| [[code, 8].as_slice(), &past.to_ne_bytes(), &[0, 0], &port.to_ne_bytes()].concat();
    let filter = [step(at_least, 20), step(at_most, 12)].concat();
    let attribute = [4 + 16_u16, 1].map(u16::to_ne_bytes).concat();
    let ask = [family, 6, 1 << (SKMEMINFO - 1), 0];
    let body = [ask.as_slice(), &0xFFF_u32.to_ne_bytes(), &[0; 48], &attribute, &filter].concat();
    let length = u32::try_from(HEADER + body.len()).unwrap_or(0);
    let dump: u16 = 0x301;
    [&length.to_ne_bytes()[..], &SOCK_DIAG_BY_FAMILY.to_ne_bytes(), &dump.to_ne_bytes(), &[0; 8], &body].concat()
}

/// Reads one part of the answer into `sockets`.
pub(crate) fn answer(mut part: &[u8], sockets: &mut Vec<Socket>) -> Ending {
    while let Some(length) = u32_at(part, 0).and_then(|length| usize::try_from(length).ok()) {
        let Some(message) = part.get(HEADER..length) else { return Ending::Done };
        match u16_at(part, 4) {
            Some(DONE) => return Ending::Done,
            Some(ERROR) => {
                return Ending::Refused(u32_at(message, 0).map_or(0, |code| code.cast_signed().wrapping_neg()));
            }
            Some(SOCK_DIAG_BY_FAMILY) => sockets.extend(socket(message)),
            _ => {}
        }
        part = part.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ending::More
}

fn socket(message: &[u8]) -> Option<Socket> {
    let family = *message.first()?;
    Some(Socket {
        state: *message.get(1)?,
        local: address(family, message.get(8..24)?)?,
        remote: address(family, message.get(24..40)?)?,
        waiting: u32_at(message, 56)?,
        limit: u32_at(message, 60)?,
        uid: u32_at(message, 64)?,
        inode: u32_at(message, 68)?,
        drops: drops(message.get(MESSAGE..)?),
    })
}

fn address(family: u8, bytes: &[u8]) -> Option<IpAddr> {
    if family == 2 {
        return Some(Ipv4Addr::from(<[u8; 4]>::try_from(bytes.get(..4)?).ok()?).into());
    }
    let address = Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?);
    // An IPv4 peer of an IPv6 socket is meant as what it is.
    Some(address.to_ipv4_mapped().map_or(address.into(), IpAddr::from))
}

fn drops(mut attributes: &[u8]) -> Option<u32> {
    loop {
        let length = usize::from(u16_at(attributes, 0)?);
        let value = attributes.get(4..length)?;
        if u16_at(attributes, 2)? == SKMEMINFO {
            return u32_at(value, 32);
        }
        attributes = attributes.get(length.next_multiple_of(4)..)?;
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().ok().map(u16::from_ne_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes)
}

/// The column of this name in `/proc/net/netstat` or `/proc/net/snmp`, whose tables stand as a line of names above a line of numbers.
pub(crate) fn netstat(text: &str, table: &str, name: &str) -> Option<f64> {
    let mut rows = text.lines().filter_map(|line| line.strip_prefix(table)?.strip_prefix(": "));
    let place = rows.next()?.split(' ').position(|known| known == name)?;
    rows.next()?.split(' ').nth(place)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(state: u8, drops: u32) -> Vec<u8> {
        let mut body = vec![2, state, 0, 0, 0x1F, 0x90, 0, 0];
        body.extend([127, 0, 0, 1].iter().chain(&[0; 12]));
        body.extend([10, 0, 0, 7].iter().chain(&[0; 12]));
        body.extend([0; 12]);
        for number in [0_u32, 3, 128, 1000, 4711] {
            body.extend(number.to_ne_bytes());
        }
        body.extend([40_u16, SKMEMINFO].map(u16::to_ne_bytes).concat());
        body.extend([0; 32].iter().chain(&drops.to_ne_bytes()));
        let length = u32::try_from(HEADER + body.len()).expect("short").to_ne_bytes();
        let head = [length.as_slice(), &SOCK_DIAG_BY_FAMILY.to_ne_bytes(), &[0; 10]];
        [head.concat(), body].concat()
    }

    #[test]
    fn an_answer_is_read_socket_by_socket_to_its_end() {
        let done = [16_u32.to_ne_bytes().as_slice(), &DONE.to_ne_bytes(), &[0; 10]].concat();
        let mut sockets = Vec::new();
        assert_eq!(answer(&[message(LISTEN, 9), message(ESTABLISHED, 0)].concat(), &mut sockets), Ending::More);
        assert_eq!(answer(&done, &mut sockets), Ending::Done);
        let first = &sockets[0];
        assert_eq!((first.state, first.waiting, first.limit, first.uid, first.inode), (LISTEN, 3, 128, 1000, 4711));
        assert_eq!((first.local, first.remote), ([127, 0, 0, 1].into(), [10, 0, 0, 7].into()));
        assert_eq!((first.drops, sockets[1].drops, sockets.len()), (Some(9), Some(0), 2));
    }

    #[test]
    fn a_refusal_carries_its_number() {
        let error =
            [20_u32.to_ne_bytes().as_slice(), &ERROR.to_ne_bytes(), &[0; 10], &(-13_i32).to_ne_bytes()].concat();
        assert_eq!(answer(&error, &mut Vec::new()), Ending::Refused(13));
    }

    #[test]
    fn a_column_of_netstat_is_found_by_its_name() {
        let text = "TcpExt: SyncookiesSent ListenOverflows ListenDrops\nTcpExt: 0 17 18\nIpExt: InNoRoutes\nIpExt: 1\n";
        assert_eq!(netstat(text, "TcpExt", "ListenOverflows"), Some(17.0));
        assert_eq!(netstat(text, "IpExt", "InNoRoutes"), Some(1.0));
        assert_eq!(netstat(text, "TcpExt", "Nothing"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(part in proptest::collection::vec(any::<u8>(), 0..400)) {
            let mut sockets = Vec::new();
            let _end = answer(&part, &mut sockets);
            prop_assert!(sockets.len() <= part.len() / HEADER);
        }
    }
}
