//! Which size a map may be given, and what forbids it here and now.

use super::identity::show;
use super::size;
use crate::action::files::free;
use crate::base::{Clean, Fault};
use crate::sys::holders::is_of_32_bits;
use crate::sys::lmdb::outside::{Mapper, Outside};
use crate::sys::quota::{self, Left};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// No map is larger when the profile does not say: catches slips of units.
const CAP: u64 = 1 << 40;
/// A 32-bit program has less room than this.
const NARROW: u64 = 2 << 30;

/// What is asked of a size.
pub(crate) struct Wanted {
    /// As the profile says it.
    pub(crate) to: Option<String>,
    /// Instead of it: so much more than `above`, as the profile says it.
    pub(crate) by: Option<String>,
    /// As the profile says it.
    pub(crate) cap: Option<String>,
    /// It must be larger, in bytes: the limit that counts today.
    pub(crate) above: u64,
    /// The environment grows by so many bytes a second.
    pub(crate) growth: f64,
}

impl Wanted {
    /// The new size, in bytes.
    ///
    /// # Errors
    /// No growth, no whole pages, above the cap, or no size at all.
    pub(crate) fn size(&self, seen: &Outside) -> Result<u64, Fault> {
        let (stored, used) = (seen.meta.map_size, seen.meta.used());
        let page = u64::from(seen.meta.page_size).max(u64::try_from(rustix::param::page_size()).unwrap_or(0));
        let to = match (&self.to, &self.by) {
            (Some(to), _) => size::parse(to)?,
            (None, Some(by)) => match size::parse(by)? {
                0 => return Err(Fault::new("`by` is nothing: that is no growth.")),
                by => self.above.saturating_add(by).checked_next_multiple_of(page).unwrap_or(u64::MAX),
            },
            (None, None) => size::proposal(used, self.growth),
        };
        let cap = self.cap.as_deref().map_or(Ok(CAP), size::parse)?;
        if to <= self.above || to <= used {
            let (to, stored) = (size::exact(to), size::exact(stored));
            let fault = Fault::new(format!("{to} is no growth: the map has {stored}, {} used.", show(used)));
            let fits = "What is used and what will come fits: say `to` if it must grow.";
            return Err(fault.hint(if self.to.is_none() && self.by.is_none() {
                fits
            } else {
                "A size never shrinks in place."
            }));
        }
        if !to.is_multiple_of(page) {
            let (below, above) = size::around(to, page);
            let what = format!("{} is no multiple of the page size of {page} bytes.", size::exact(to));
            return Err(
                Fault::new(what).hint(format!("{below}B and {above}B are; GB counts in thousands, GiB in 1024."))
            );
        }
        if to > cap {
            let what = format!("{} is more than the cap of {}.", size::exact(to), size::exact(cap));
            return Err(Fault::new(what).hint("Is the unit right? If so, raise `cap`."));
        }
        Ok(to)
    }
}

/// What does not forbid a larger size, and must be told.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// What could not be seen, in words.
    pub(crate) unknown: Option<Clean>,
    /// There is not the room for all of it, and by how much.
    pub(crate) short: Option<Clean>,
}

/// What forbids a larger size now. That the disk or a quota has no room for all of it forbids it too, unless the profile
/// leaves that to the operator (facts.md B.3 step 2: "override needs typed word"): `overridden`.
///
/// # Errors
/// Dead readers, a disk or a quota that is smaller than the map, or a program that cannot have so much address space.
pub(crate) fn obstacles(seen: &Outside, mappers: &[Mapper], to: u64, overridden: bool) -> Result<Told, Fault> {
    let dead = seen.dead().len();
    if dead > 0 {
        return Err(Fault::new(format!("dead readers pin pages of {}: {dead}.", seen.data.display()))
            .hint("Clear them first (lmdb_clear_readers): then it may have room enough."));
    }
    let folder = seen.data.parent().unwrap_or(Path::new("/"));
    let (growth, free) = (to.saturating_sub(seen.about.len()), free(folder)?);
    let full = (free < growth).then(|| {
        let (growth, free) = (show(growth), show(free));
        Fault::new(format!("the file may grow by {growth}, and {} has {free} free.", folder.display()))
            .hint("Make room first: a map larger than the disk fills it.")
    });
    let (unknown, quota) = match quota::left(folder, seen.about.uid(), seen.about.gid()) {
        Ok(quota) => (None, quota.and_then(|quota| too_small(&quota, growth, folder))),
        Err(unknown) => (Some(unknown), None),
    };
    let short = match full.or(quota) {
        Some(fault) if !overridden => return Err(fault),
        short => short.map(|fault| fault.what),
    };
    for it in mappers {
        let who = format!("{} (process {})", it.name, it.pid);
        if to >= NARROW && is_of_32_bits(Path::new("/proc"), it.pid) == Some(true) {
            return Err(Fault::new(format!("{who} is a 32-bit program: it cannot map {}.", show(to))));
        }
        let (limit, all) = address_space(it.pid);
        // What else it has mapped stays.
        let wanted = to.saturating_add(all.saturating_sub(it.bytes));
        if let Some(limit) = limit.filter(|limit| *limit < wanted) {
            let (limit, wanted) = (show(limit), show(wanted));
            return Err(Fault::new(format!("{who} would have {wanted} of address space and may have {limit}."))
                .hint("Raise the limit of its unit first (LimitAS)."));
        }
    }
    Ok(Told { unknown, short })
}

/// What a quota leaves counts like what the disk has free.
fn too_small(quota: &Left, growth: u64, folder: &Path) -> Option<Fault> {
    let (free, whose) = (quota.bytes, &quota.whose);
    let what = || {
        let (growth, free, folder) = (show(growth), show(free), folder.display());
        format!("the file may grow by {growth}, and the quota of {whose} leaves {free} at {folder}.")
    };
    (free < growth).then(|| Fault::new(what()).hint("Raise that quota, or make room: a map larger than it fills it."))
}

/// The limit of a process in bytes, `None` when there is none or it cannot be seen, and what it has.
fn address_space(pid: u32) -> (Option<u64>, u64) {
    let read = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let number = |text: &str, name: &str| -> Option<u64> {
        text.lines().find_map(|line| line.strip_prefix(name)?.split_ascii_whitespace().next()?.parse().ok())
    };
    let has = number(&read("status"), "VmSize:").unwrap_or(0).saturating_mul(1024);
    (number(&read("limits"), "Max address space"), has)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_quota_leaves_counts_like_what_the_disk_has_free() {
        let quota = |bytes| Left { bytes, whose: "user 1000".into() };
        let said = |bytes| too_small(&quota(bytes), 7 << 20, Path::new("/srv/db")).map(|fault| fault.what.to_string());
        assert_eq!(said(7 << 20), None);
        let why = "the file may grow by 7.00 MiB, and the quota of user 1000 leaves 2.00 MiB at /srv/db.";
        assert_eq!(said(2 << 20).as_deref(), Some(why));
    }
}
