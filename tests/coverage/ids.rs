//! The items of the three operating guides, by section: how many each has. An id is never renumbered.

/// A section's number and how many items it has.
type Sections = &'static [(u8, u8)];

/// Profile, prefix of its ids, and of each section its number and how many items it has.
pub(crate) const SYSTEMS: [(&str, &str, Sections); 3] = [
    (
        "cerebellar-norse",
        "CN",
        &[
            (0, 12),
            (1, 18),
            (2, 8),
            (3, 13),
            (4, 8),
            (5, 7),
            (6, 5),
            (7, 6),
            (8, 8),
            (9, 18),
            (10, 6),
            (11, 10),
            (12, 3),
        ],
    ),
    (
        "genesis",
        "GE",
        &[
            (1, 10),
            (2, 4),
            (3, 5),
            (4, 4),
            (5, 4),
            (6, 4),
            (7, 7),
            (8, 3),
            (9, 6),
            (10, 5),
            (11, 7),
            (12, 7),
            (13, 7),
            (14, 8),
            (15, 15),
            (16, 2),
        ],
    ),
    (
        "planar",
        "PL",
        &[
            (1, 4),
            (2, 15),
            (3, 8),
            (4, 13),
            (5, 27),
            (6, 7),
            (7, 11),
            (8, 3),
            (9, 8),
            (10, 3),
            (11, 19),
            (12, 4),
            (13, 1),
            (14, 32),
        ],
    ),
];

/// Every id of a system, in order.
pub(crate) fn ids(prefix: &str, sections: &[(u8, u8)]) -> Vec<String> {
    let of = |(section, items): &(u8, u8)| {
        let section = *section;
        (1..=*items).map(move |item| format!("{prefix}-{section}.{item}")).collect::<Vec<_>>()
    };
    sections.iter().flat_map(of).collect()
}
