//! ULIDs: sortable by time, unique without a server. Specification: github.com/ulid/spec.

use super::Wall;
use core::fmt;
use core::str::FromStr;

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// 48 bits of milliseconds, 80 bits of randomness; 26 characters of Crockford's base 32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ulid(pub u128);

impl Ulid {
    /// Made at `at` from 80 random bits (the upper 48 of `random` are ignored).
    pub fn new(at: Wall, random: u128) -> Self {
        let ms = u128::from(u64::try_from(at.0 / 1_000_000).unwrap_or(0)) & ((1 << 48) - 1);
        Self(ms << 80 | random & ((1 << 80) - 1))
    }
}

impl fmt::Display for Ulid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for at in (0..26).rev() {
            let digit = usize::try_from(self.0 >> (at * 5) & 31).unwrap_or(0);
            fmt::Write::write_char(f, char::from(*ALPHABET.get(digit).unwrap_or(&b'0')))?;
        }
        Ok(())
    }
}

impl FromStr for Ulid {
    type Err = super::Fault;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fault = || super::Fault::new("not a ULID: 26 characters of 0-9 and A-Z without I, L, O, U.");
        if text.len() != 26 || text.as_bytes().first().is_none_or(|first| *first > b'7') {
            return Err(fault());
        }
        text.bytes().try_fold(Self(0), |Self(sum), byte| {
            let digit = ALPHABET.iter().position(|known| *known == byte).ok_or_else(fault)?;
            Ok(Self(sum << 5 | digit as u128))
        })
    }
}

impl serde::Serialize for Ulid {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Ulid {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
        text.parse().map_err(|_| serde::de::Error::custom("not a ULID"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_ulid_reads_back_and_sorts_by_time(ms in 0_i64..1 << 47, random in any::<u128>()) {
            let id = Ulid::new(Wall(ms.saturating_mul(1_000_000).min(i64::MAX - 2_000_000)), random);
            prop_assert_eq!(id.to_string().parse::<Ulid>().ok(), Some(id));
            let later = Ulid::new(Wall(i64::MAX), 0);
            prop_assert!(id <= later || id.0 >> 80 == later.0 >> 80);
        }
    }
}
