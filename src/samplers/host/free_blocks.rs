//! Free memory by block size, from /proc/buddyinfo, and how much of it is too small for a huge page.

use super::{absent, word};
use crate::base::{Observation, Point};
use std::path::Path;

/// A block of this order is a huge page on x86-64 (2 MiB of 4 KiB pages).
const HUGE: usize = 9;
const BLOCKS: &str = "node_buddyinfo_blocks";
const RATIO: &str = "watchkeeper_host_memory_fragmentation_ratio";

pub(super) fn read(root: &Path, seen: &mut Observation) {
    let Some(text) = word(&root.join("proc/buddyinfo")) else {
        absent(&[BLOCKS, RATIO], "/proc/buddyinfo cannot be read", seen);
        return;
    };
    for (node, zone, blocks) in zones(&text) {
        for (order, count) in blocks.iter().enumerate() {
            let labels = [("node", node), ("zone", zone), ("size", &*order.to_string())];
            seen.points.push(Point::gauge(BLOCKS, &labels, *count as f64));
        }
        let ratio = unusable(&blocks, HUGE);
        seen.points.extend(ratio.map(|ratio| Point::gauge(RATIO, &[("node", node), ("zone", zone)], ratio)));
    }
}

/// Node, zone, and the free blocks of each order.
fn zones(text: &str) -> impl Iterator<Item = (&str, &str, Vec<u64>)> {
    text.lines().filter_map(|line| {
        let (node, rest) = line.strip_prefix("Node ")?.split_once(", zone")?;
        let mut words = rest.split_ascii_whitespace();
        let zone = words.next()?;
        Some((node, zone, words.map_while(|word| word.parse().ok()).take(32).collect()))
    })
}

/// The share of free memory in blocks below `order`: 0 is whole, 1 means that no block of it is left. `None` where
/// nothing is free at all.
fn unusable(blocks: &[u64], order: usize) -> Option<f64> {
    let pages = blocks.iter().enumerate().map(|(at, count)| *count as f64 * (1_u64 << at.min(63)) as f64);
    let (mut all, mut small) = (0.0, 0.0);
    for (at, pages) in pages.enumerate() {
        all += pages;
        small += if at < order { pages } else { 0.0 };
    }
    (all > 0.0).then(|| small / all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_below_a_huge_page_is_fragmented() {
        let text = "Node 0, zone   Normal   4 2 0 0 0 0 0 0 0 1 0\nNode 1, zone  DMA32 8 0 0 0 0 0 0 0 0 0 0\nbad\n";
        let read: Vec<_> = zones(text).map(|(node, zone, blocks)| (node, zone, unusable(&blocks, HUGE))).collect();
        assert_eq!(read, [("0", "Normal", Some(8.0 / 520.0)), ("1", "DMA32", Some(1.0))]);
        assert_eq!(unusable(&[0, 0], HUGE), None, "nothing free is not known, not whole");
    }
}
