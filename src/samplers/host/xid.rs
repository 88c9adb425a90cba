//! What the NVIDIA driver's Xid numbers mean, in words for whoever is on watch, after the driver's own catalogue.

/// The meaning of a number; `None` for those that need the vendor's catalogue.
pub(crate) fn meaning(xid: u32) -> Option<&'static str> {
    let at = XIDS.binary_search_by_key(&xid, |(known, _)| *known).ok()?;
    XIDS.get(at).map(|(_, meaning)| *meaning)
}

/// Sorted by number.
const XIDS: &[(u32, &str)] = &[
    (1, "invalid or corrupted push buffer stream"),
    (6, "invalid or corrupted push buffer stream"),
    (8, "the GPU stopped processing: a kernel ran too long or hangs"),
    (11, "invalid or corrupted push buffer stream"),
    (12, "driver error while handling an exception of the GPU"),
    (13, "graphics engine exception: usually a fault of the program (out-of-bounds access)"),
    (16, "display engine hung"),
    (31, "GPU memory page fault: usually a program that used an illegal address"),
    (32, "invalid or corrupted push buffer stream: driver, bus or memory"),
    (38, "driver firmware error"),
    (43, "the GPU stopped processing: reset of one program's channel, others go on"),
    (44, "graphics engine fault during context switch"),
    (45, "preemptive clean-up: a program ended or failed before"),
    (48, "double-bit ECC error: memory is damaged, restart what used the GPU and reset it"),
    (54, "auxiliary power is not connected to the GPU"),
    (56, "display engine error"),
    (57, "error programming the video memory interface"),
    (58, "unstable video memory interface"),
    (61, "internal micro-controller breakpoint or warning: reset the GPU"),
    (62, "internal micro-controller halt: reset the GPU, look at its temperature and power"),
    (63, "a page or row of memory was retired or remapped; it takes effect at the next reset"),
    (64, "a page or row of memory could not be retired or remapped: reset the GPU, then replace it"),
    (65, "video processor exception"),
    (66, "illegal access by the driver"),
    (67, "illegal access by the driver"),
    (68, "video processor exception"),
    (69, "graphics engine class error: a program's command was refused"),
    (74, "NVLink error: a link failed, look at the other GPU and the bridge"),
    (79, "the GPU has fallen off the bus: power, heat, seating or PCIe; the host must restart"),
    (80, "corrupted data sent to the GPU"),
    (92, "high rate of single-bit ECC errors"),
    (94, "contained memory error: only the program that used it must restart"),
    (95, "uncontained memory error: every program on the GPU must restart, and the GPU be reset"),
    (109, "context switch timeout"),
    (110, "security fault: reset the GPU"),
    (119, "the GPU's system processor (GSP) did not answer in time: reset the GPU"),
    (120, "error of the GPU's system processor (GSP): reset the GPU"),
    (121, "error on the chip-to-chip link (C2C)"),
    (122, "the GPU's flash memory or status page could not be read"),
    (123, "the GPU's power management unit did not answer"),
    (124, "the NVLink fabric cannot be used"),
    (140, "unrecovered ECC error: reset the GPU"),
    (143, "the GPU could not be initialised"),
    (144, "NVLink error of a local link"),
    (145, "NVLink error of a remote link"),
    (149, "NVLink error: network interface"),
    (154, "the recovery that the GPU needs has changed: see what the driver says"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_in_order_so_that_each_is_found() {
        assert!(XIDS.is_sorted_by(|(a, _), (b, _)| a < b));
        assert!(XIDS.iter().all(|(xid, text)| meaning(*xid) == Some(text)));
        assert!(meaning(79).is_some_and(|text| text.contains("fallen off the bus")));
        assert_eq!(meaning(9_999), None);
    }
}
