//! Cuts a stream of bytes into lines. What has no newline yet is held; of a long line the beginning is held
//! and the rest is counted, so that no input makes us grow.

use crate::base::clean::LINE_LIMIT;
use memchr::{memchr, memchr_iter, memrchr};

#[derive(Debug, Default)]
pub(super) struct Cutter {
    held: Vec<u8>,
    /// Bytes of the held line beyond its limit.
    more: usize,
}

impl Cutter {
    /// Hands every line that `chunk` completes to `line`, with the number of bytes that were cut off it.
    pub(super) fn feed(&mut self, mut chunk: &[u8], mut line: impl FnMut(&[u8], usize)) {
        while let Some((head, rest)) = memchr(b'\n', chunk).and_then(|at| chunk.split_at_checked(at)) {
            if self.held.is_empty() && self.more == 0 && head.len() <= LINE_LIMIT {
                line(bare(head), 0);
            } else {
                self.hold(head);
                self.finish(&mut line);
            }
            chunk = rest.strip_prefix(b"\n").unwrap_or(rest);
        }
        self.hold(chunk);
    }

    /// The number of lines that `chunk` completes, which nobody will see.
    pub(super) fn count(&mut self, chunk: &[u8]) -> u64 {
        let ended = memrchr(b'\n', chunk).map_or(0, |at| at + 1);
        let (ended, rest) = chunk.split_at_checked(ended).unwrap_or((chunk, &[]));
        if !ended.is_empty() {
            self.held.clear();
            self.more = 0;
        }
        self.hold(rest);
        u64::try_from(memchr_iter(b'\n', ended).count()).unwrap_or(0)
    }

    /// The last line, which will never get its newline.
    pub(super) fn finish(&mut self, mut line: impl FnMut(&[u8], usize)) {
        line(if self.more == 0 { bare(&self.held) } else { &self.held }, self.more);
        self.held.clear();
        self.more = 0;
    }

    /// True between lines.
    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty() && self.more == 0
    }

    fn hold(&mut self, bytes: &[u8]) {
        let room = LINE_LIMIT.saturating_sub(self.held.len()).min(bytes.len());
        let (kept, rest) = bytes.split_at_checked(room).unwrap_or((bytes, &[]));
        self.held.extend_from_slice(kept);
        self.more += rest.len();
    }
}

fn bare(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cut(chunks: &[&[u8]]) -> Vec<(Vec<u8>, usize)> {
        let mut cutter = Cutter::default();
        let mut lines = Vec::new();
        for chunk in chunks {
            cutter.feed(chunk, |line, more| lines.push((line.to_vec(), more)));
        }
        lines
    }

    #[test]
    fn a_line_waits_for_its_newline() {
        assert_eq!(cut(&[b"one\ntw", b"o\r\n", b"three"]), [(b"one".to_vec(), 0), (b"two".to_vec(), 0)]);
    }

    #[test]
    fn a_long_line_is_cut_and_its_rest_counted() {
        let long = vec![b'x'; LINE_LIMIT + 5];
        let found = cut(&[&long, b"yy\nz\n"]);
        assert_eq!(found.iter().map(|(line, more)| (line.len(), *more)).collect::<Vec<_>>(), [(LINE_LIMIT, 7), (1, 0)]);
    }

    proptest! {
        #[test]
        fn chunks_make_no_difference(text in "[a\n\r]{0,200}", size in 1_usize..9) {
            let whole = cut(&[text.as_bytes()]);
            let parts: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
            prop_assert_eq!(cut(&parts), whole);
        }
    }
}
