//! How questions and answers travel: four bytes of length, little end first, then so much JSON.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{self, Read, Write};

/// No frame is longer, in bytes.
pub(super) const MOST: usize = 64 * 1024;

/// One frame.
pub(super) fn pack(message: &impl Serialize) -> io::Result<Vec<u8>> {
    let body = serde_json::to_vec(message)?;
    let length = u32::try_from(body.len()).ok().filter(|_| body.len() <= MOST).ok_or(io::ErrorKind::FileTooLarge)?;
    Ok([&length.to_le_bytes()[..], &body].concat())
}

/// Takes the first message out of what has come so far; `None` while it is not complete.
pub(super) fn unpack<T: DeserializeOwned>(come: &mut Vec<u8>) -> io::Result<Option<T>> {
    let Some((length, rest)) = come.split_first_chunk::<4>() else { return Ok(None) };
    let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
    if length > MOST {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let Some(body) = rest.get(..length) else { return Ok(None) };
    let message = serde_json::from_slice(body)?;
    come.drain(..length + 4);
    Ok(Some(message))
}

/// Reads one message; `None` at the end. Blocking.
pub(super) fn read<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<Option<T>> {
    let mut come = Vec::new();
    loop {
        if let Some(message) = unpack(&mut come)? {
            return Ok(Some(message));
        }
        let mut piece = [0; 4096];
        match from.read(&mut piece) {
            Ok(0) => return Ok(None),
            Ok(read) => come.extend_from_slice(piece.get(..read).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Writes one message. Blocking.
pub(super) fn write(to: &mut impl Write, message: &impl Serialize) -> io::Result<()> {
    to.write_all(&pack(message)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_packed_is_unpacked_however_it_is_cut(words in proptest::collection::vec(".{0,40}", 1..4), at in 0_usize..200) {
            let sent: Vec<u8> = words.iter().flat_map(|word| pack(word).expect("short")).collect();
            let (first, second) = sent.split_at(at.min(sent.len()));
            let mut come = first.to_vec();
            let mut got: Vec<String> = Vec::new();
            while let Some(word) = unpack(&mut come).expect("whole") { got.push(word); }
            come.extend_from_slice(second);
            while let Some(word) = unpack(&mut come).expect("whole") { got.push(word); }
            prop_assert_eq!(got, words);
            prop_assert!(come.is_empty());
        }

        #[test]
        fn any_bytes_are_survived(mut come in proptest::collection::vec(any::<u8>(), 0..300)) {
            drop(unpack::<String>(&mut come));
        }
    }

    #[test]
    fn more_than_64_kib_is_neither_sent_nor_read() {
        assert!(pack(&"x".repeat(MOST)).is_err());
        assert!(pack(&"x".repeat(MOST - 2)).is_ok());
        assert!(unpack::<String>(&mut vec![1, 0, 1, 0]).is_err());
        assert_eq!(read::<String>(&mut &[][..]).expect("the end"), None);
    }
}
