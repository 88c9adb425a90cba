//! Who is at the other end of a connection: names that a profile gives to addresses, networks and hosts.

use crate::base::Clean;
use crate::samplers::resolve::Names;
use core::net::IpAddr;
use core::time::Duration;
use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, PoisonError};

/// Hosts of one table.
const HOSTS: usize = 16;
/// Addresses that are remembered of one host: behind a name they change, and a connection stays with the old one.
const KEPT: usize = 256;
/// All hosts together are asked for no longer at a look.
const PATIENCE: Duration = Duration::from_millis(300);
/// Other ends without a name that are told apart by their address.
const UNNAMED: usize = 10;

/// The names.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    rows: Vec<(String, Vec<End>)>,
    hosts: Vec<Host>,
}

#[derive(Debug)]
enum End {
    Net(IpAddr, u8),
    /// The host's place.
    Host(usize),
}

#[derive(Debug)]
struct Host {
    name: String,
    names: Names,
    known: Mutex<HashSet<IpAddr>>,
}

/// Connections by peer and state.
pub(super) type Counted = BTreeMap<(String, &'static str), u64>;

impl Peers {
    /// Reads the table.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn read(table: BTreeMap<String, Vec<String>>) -> Result<Self, String> {
        let mut peers = Self::default();
        for (name, ends) in table {
            if name.trim().is_empty() || ends.is_empty() {
                return Err("each peer has a name and at least one address, network or host.".to_owned());
            }
            let ends = ends.iter().map(|end| peers.end(end)).collect::<Result<_, _>>()?;
            peers.rows.push((name, ends));
        }
        Ok(peers)
    }

    fn end(&mut self, text: &str) -> Result<End, String> {
        let wrong = || format!("`{}` is no address, network (`10.0.0.0/8`) or host.", Clean::text(text));
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        if let Ok(ip) = address.parse::<IpAddr>() {
            let most = if ip.is_ipv4() { 32 } else { 128 };
            let bits = bits.map_or(Ok(most), |bits| bits.parse::<u8>().map_err(|_| wrong()))?;
            return if bits <= most { Ok(End::Net(ip, bits)) } else { Err(wrong()) };
        }
        let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if bits.is_some() || text.is_empty() || !text.chars().all(letters) || text.starts_with('-') {
            return Err(wrong());
        }
        if self.hosts.len() >= HOSTS {
            return Err(format!("more than {HOSTS} hosts."));
        }
        self.hosts.push(Host { name: text.to_owned(), names: Names::new(), known: Mutex::default() });
        Ok(End::Host(self.hosts.len() - 1))
    }

    /// Asks for the addresses of the hosts. One that is not answered for keeps those that it had.
    pub(crate) async fn resolve(&self) {
        let one = async |host: &Host| {
            let Ok(found) = host.names.look_up(&host.name).await else { return };
            let mut known = host.known.lock().unwrap_or_else(PoisonError::into_inner);
            if known.len() > KEPT {
                known.clear();
            }
            known.extend(found.iter().map(|at| at.ip().to_canonical()));
        };
        let all = futures_util::future::join_all(self.hosts.iter().map(one));
        let _late = tokio::time::timeout(PATIENCE, all).await;
    }

    /// Hosts without an address: what belongs to them is told by address.
    pub(crate) fn unresolved(&self) -> Vec<&str> {
        let unknown = |host: &&Host| host.known.lock().unwrap_or_else(PoisonError::into_inner).is_empty();
        self.hosts.iter().filter(unknown).map(|host| host.name.as_str()).collect()
    }

    fn name(&self, ip: IpAddr) -> Option<&str> {
        let is = |end: &End| match end {
            End::Net(net, bits) => inside(ip, *net, *bits),
            End::Host(at) => self
                .hosts
                .get(*at)
                .is_some_and(|host| host.known.lock().unwrap_or_else(PoisonError::into_inner).contains(&ip)),
        };
        self.rows.iter().find(|(_, ends)| ends.iter().any(is)).map(|(name, _)| name.as_str())
    }

    /// Counts by peer: each that has a name, the ten largest others by their address, the rest as `other`. Who has a name
    /// and no connection is there with zero.
    pub(super) fn count(&self, ends: &BTreeMap<(IpAddr, &'static str), u64>) -> Counted {
        let mut counted: Counted = self.rows.iter().map(|(name, _)| ((name.clone(), "established"), 0)).collect();
        let mut unnamed: BTreeMap<IpAddr, u64> = BTreeMap::new();
        for ((ip, _), count) in ends.iter().filter(|((ip, _), _)| self.name(*ip).is_none()) {
            *unnamed.entry(*ip).or_default() += count;
        }
        let mut largest: Vec<(u64, IpAddr)> = unnamed.into_iter().map(|(ip, count)| (count, ip)).collect();
        largest.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        largest.truncate(UNNAMED);
        for ((ip, state), count) in ends {
            let own = || largest.iter().any(|(_, known)| known == ip).then(|| ip.to_string());
            let peer = self.name(*ip).map(str::to_owned).or_else(own).unwrap_or_else(|| "other".to_owned());
            *counted.entry((peer, *state)).or_default() += count;
        }
        counted
    }
}

/// Whether an address lies in a network.
fn inside(ip: IpAddr, net: IpAddr, bits: u8) -> bool {
    let (ip, net, whole) = match (ip, net) {
        (IpAddr::V4(ip), IpAddr::V4(net)) => (u128::from(u32::from(ip)), u128::from(u32::from(net)), 32),
        (IpAddr::V6(ip), IpAddr::V6(net)) => (u128::from(ip), u128::from(net), 128),
        _ => return false,
    };
    let past = u32::from(u8::saturating_sub(whole, bits));
    ip.checked_shr(past).unwrap_or(0) == net.checked_shr(past).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peers(rows: &[(&str, &[&str])]) -> Result<Peers, String> {
        let text = |text: &&str| (*text).to_owned();
        Peers::read(rows.iter().map(|(name, ends)| (text(name), ends.iter().map(text).collect())).collect())
    }

    #[test]
    fn an_end_is_named_by_address_or_network_and_the_rest_by_itself() {
        let peers = peers(&[("binance", &["10.1.0.0/16", "2001:db8::/32"]), ("db", &["10.2.0.7"])]).expect("reads");
        let mut ends = BTreeMap::new();
        for (ip, state, count) in [
            ("10.1.200.3", "established", 4),
            ("10.1.0.1", "close_wait", 1),
            ("10.2.0.7", "established", 2),
            ("10.2.0.8", "established", 3),
            ("2001:db8::9", "established", 5),
        ] {
            ends.insert((ip.parse().expect("an address"), state), count);
        }
        let counted = peers.count(&ends);
        let of = |peer: &str, state| counted.get(&(peer.to_owned(), state)).copied();
        assert_eq!((of("binance", "established"), of("binance", "close_wait")), (Some(9), Some(1)));
        assert_eq!((of("db", "established"), of("10.2.0.8", "established")), (Some(2), Some(3)));
        assert_eq!(peers.count(&BTreeMap::new()).get(&("db".to_owned(), "established")), Some(&0));
        let many = (0..30).map(|n| ((IpAddr::from([192, 0, 2, n]), "established"), u64::from(n) + 1)).collect();
        let counted = peers.count(&many);
        assert_eq!(counted.len(), 2 + UNNAMED + 1);
        assert_eq!(counted.get(&("other".to_owned(), "established")), Some(&(1..=20).sum()));
        assert!(inside("0.0.0.1".parse().expect("an address"), "9.9.9.9".parse().expect("an address"), 0));
    }

    #[test]
    fn what_is_no_end_is_refused() {
        for wrong in ["10.0.0.0/33", "10.0.0.0/x", "::/129", "", "a b", "-x", "host/8"] {
            let fault = peers(&[("p", &[wrong])]).expect_err(wrong);
            assert!(fault.contains("is no address, network"), "{wrong}: {fault}");
        }
        assert!(peers(&[("p", &[])]).is_err() && peers(&[(" ", &["::1"])]).is_err());
        let many: Vec<String> = (0..=HOSTS).map(|n| format!("h{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(peers(&[("p", &many)]).expect_err("too many").contains("more than 16 hosts"));
    }

    #[tokio::test]
    async fn a_host_is_known_by_every_address_that_it_had() {
        let peers = peers(&[("here", &["localhost"]), ("there", &["no-such-host.invalid"])]).expect("reads");
        assert_eq!(peers.unresolved(), ["localhost", "no-such-host.invalid"]);
        peers.resolve().await;
        assert_eq!(peers.unresolved(), ["no-such-host.invalid"]);
        assert_eq!(peers.name("127.0.0.1".parse().expect("an address")), Some("here"));
    }
}
