//! The header of a source file, its leading `//!` lines, cut out when this is compiled: what a kind says of itself is
//! written once. Pure.

/// How many bytes the leading `//!` lines have.
pub const fn length(file: &[u8]) -> usize {
    let mut rest = file;
    while let [b'/', b'/', b'!', behind @ ..] = rest {
        rest = behind;
        while let [byte, behind @ ..] = rest {
            rest = behind;
            if *byte == b'\n' {
                break;
            }
        }
    }
    file.len() - rest.len()
}

/// The header itself.
pub const fn beginning<const LENGTH: usize>(file: &[u8]) -> [u8; LENGTH] {
    match file.first_chunk() {
        Some(header) => *header,
        None => [b' '; LENGTH],
    }
}

/// The header's lines without their mark.
pub fn lines(header: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(header);
    let line = |line: &str| line.strip_prefix("//!").map(|line| line.strip_prefix(' ').unwrap_or(line).to_owned());
    text.lines().filter_map(line).collect()
}
