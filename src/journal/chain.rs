//! The hash chain over exact bytes: `SHA-256("watchkeeper-journal-v1\n" ‖ prev as 32 bytes ‖ line before ,"hash")`.
//! A verifier needs no JSON canonical form; `sha256sum` can check it. Pure.

use sha2::{Digest, Sha256};

/// `prev` of the very first record.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";
const SEED: &[u8] = b"watchkeeper-journal-v1\n";
const HASH_KEY: &[u8] = b",\"hash\":\"";
const PREV_KEY: &[u8] = b",\"prev\":\"";
/// `"}` at the end of a line.
const END: &[u8] = b"\"}";
const HEX: usize = 64;

/// What a line says about its place in the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its number.
    pub seq: u64,
    /// The hash of the one before.
    pub prev: String,
    /// Its own.
    pub hash: String,
}

/// Closes a line: adds the hash.
pub fn seal(body: &str, prev: &str) -> String {
    format!("{body},\"hash\":\"{}\"}}", hash(body.as_bytes(), prev))
}

/// Reads a line without its line feed and checks its own hash.
///
/// # Errors
/// What is wrong with it, in words.
pub fn open(line: &[u8]) -> Result<Link, &'static str> {
    if !line.iter().all(|byte| matches!(byte, 0x20..=0x7E)) {
        return Err("holds a byte that no record holds");
    }
    let (body, hash_hex) = tail(line.strip_suffix(END), HASH_KEY).ok_or("does not end in a hash")?;
    let (_, prev) = tail(body.strip_suffix(b"\""), PREV_KEY).ok_or("does not name the record before it")?;
    if hash(body, prev) != hash_hex {
        return Err("was changed: its hash does not fit");
    }
    let seq = serde_json::from_slice::<serde_json::Value>(line).ok().and_then(|value| value.get("seq")?.as_u64());
    Ok(Link { seq: seq.ok_or("has no number")?, prev: prev.to_owned(), hash: hash_hex.to_owned() })
}

/// Splits `…KEY<64 hex>` into what is before the key and the digits.
fn tail<'a>(text: Option<&'a [u8]>, key: &[u8]) -> Option<(&'a [u8], &'a str)> {
    let text = text?;
    let (rest, digits) = text.split_at_checked(text.len().checked_sub(HEX)?)?;
    let digits = core::str::from_utf8(digits).ok()?;
    let hex = digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    hex.then_some((rest.strip_suffix(key)?, digits))
}

fn hash(body: &[u8], prev: &str) -> String {
    let mut sum = Sha256::new();
    sum.update(SEED);
    sum.update(unhex(prev));
    sum.update(body);
    crate::sys::files::hex(&sum.finalize())
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(16)).collect();
    digits
        .chunks(2)
        .map(|pair| pair.iter().fold(0, |sum, digit| sum << 4 | u8::try_from(*digit).unwrap_or(0)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> String {
        let body = format!("{{\"v\":1,\"seq\":3,\"prev\":\"{GENESIS}\"");
        seal(&body, GENESIS)
    }

    #[test]
    fn a_sealed_line_opens_and_says_its_place() {
        let link = open(line().as_bytes()).unwrap();
        assert_eq!((link.seq, link.prev.as_str()), (3, GENESIS));
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let line = line().into_bytes();
        for at in 0..line.len() {
            for bit in 0..8 {
                let mut changed = line.clone();
                changed[at] ^= 1 << bit;
                assert!(open(&changed).is_err(), "byte {at}, bit {bit}");
            }
        }
    }

    #[test]
    fn the_hash_is_the_one_that_common_tools_give() {
        // printf 'watchkeeper-journal-v1\n' + 32 zero bytes + '{"seq":1,"prev":"00…0"' | sha256sum
        let mut bytes = b"watchkeeper-journal-v1\n".to_vec();
        bytes.extend([0; 32]);
        let body = format!("{{\"seq\":1,\"prev\":\"{GENESIS}\"");
        bytes.extend(body.as_bytes());
        assert!(seal(&body, GENESIS).contains(&crate::sys::files::sha256(&bytes)));
    }
}
