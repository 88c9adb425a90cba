//! Graphics devices as the kernel lists them: NVIDIA's by its driver's own files, all others by their PCI vendor. No
//! library is loaded and no device opened.

use super::found::{Found, Keep, What};
use crate::base::Clean;
use crate::clean;
use std::fs;
use std::path::Path;

/// Vendors of graphics devices by the number that PCI gives them.
const VENDORS: &[(&str, &str)] = &[("0x1002", "AMD"), ("0x8086", "Intel"), ("0x10de", "NVIDIA")];

/// Every device, NVIDIA's first.
pub(super) fn look(root: &Path) -> Result<Vec<Found>, Clean> {
    let [dev, sys] = ["dev", "sys"].map(|folder| fs::read_dir(root.join(folder)).is_ok());
    if !dev && !sys {
        return Err(Clean::from("neither /dev nor /sys can be read by this login"));
    }
    let mut found = nvidia(root);
    found.extend(others(root, !found.is_empty()));
    Ok(found)
}

/// By what NVIDIA's driver says, in the order of PCI addresses, which is NVML's. Without it, by device files.
fn nvidia(root: &Path) -> Vec<Found> {
    let files = numbered(&root.join("dev"), "nvidia");
    let mut addresses = names(&root.join("proc/driver/nvidia/gpus"));
    addresses.sort();
    let told = addresses.iter().filter_map(|address| {
        let path = root.join("proc/driver/nvidia/gpus").join(address).join("information");
        let text = fs::read_to_string(path).ok()?;
        let line = |name: &str| text.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim()));
        // A container sees every device of its host here, and has files for its own only.
        let minor = line("Device Minor").and_then(|minor| minor.parse::<u32>().ok());
        let ours = files.is_empty() || minor.is_none_or(|minor| files.contains(&minor));
        ours.then(|| clean!("{} ({address})", line("Model").unwrap_or("NVIDIA")))
    });
    let mut models: Vec<Clean> = told.collect();
    if models.is_empty() {
        models = files.iter().map(|minor| clean!("NVIDIA (/dev/nvidia{minor})")).collect();
    }
    let gpu = |(index, model): (usize, Clean)| Found {
        what: What::Gpu,
        name: clean!("{index}"),
        says: clean!("GPU {index}, {model}"),
        keep: Some(Keep { kind: "gpu", keys: Vec::new(), wanted: true, why: "" }),
    };
    models.into_iter().enumerate().map(gpu).collect()
}

/// By the vendor of what draws; NVIDIA's only where its own driver does not run.
fn others(root: &Path, nvidia: bool) -> Vec<Found> {
    let drm = root.join("sys/class/drm");
    let card = |number: u32| {
        let device = drm.join(format!("card{number}/device"));
        let vendor = fs::read_to_string(device.join("vendor")).ok()?;
        let (_, vendor) = VENDORS.iter().find(|(number, _)| *number == vendor.trim())?;
        let driver = match *vendor {
            "NVIDIA" if nvidia => return None,
            "NVIDIA" => "NVIDIA's driver is not loaded, so it is not watched",
            _ => "no kind of sampler reads it; its maker's exporter can be scraped",
        };
        let to = fs::read_link(&device).unwrap_or_default();
        let address = to.file_name().map(|address| clean!(" ({})", address.display())).unwrap_or_default();
        let name = clean!("card{number}");
        Some(Found { what: What::Gpu, says: clean!("{name}, {vendor}{address}: {driver}"), name, keep: None })
    };
    numbered(&drm, "card").into_iter().filter_map(card).collect()
}

/// Numbers behind this beginning of a name: 0 of `nvidia0`, none of `nvidiactl`.
fn numbered(folder: &Path, beginning: &str) -> Vec<u32> {
    let number = |name: String| name.strip_prefix(beginning)?.parse().ok();
    let mut numbers: Vec<u32> = names(folder).into_iter().filter_map(number).collect();
    numbers.sort_unstable();
    numbers
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    }

    fn says(root: &Path) -> Vec<String> {
        look(root).expect("readable").iter().map(|found| found.says.to_string()).collect()
    }

    #[test]
    fn nvidia_devices_are_told_by_their_driver_in_nvmls_order() {
        let root = tempfile::tempdir().expect("a folder");
        let root = root.path();
        assert!(look(root).is_err(), "nothing to look at is not nothing found");
        let information = |minor: u32| format!("Model: \t\t NVIDIA H100 PCIe\nIRQ: 1\nDevice Minor: \t {minor}\n");
        put(root, "proc/driver/nvidia/gpus/0000:c1:00.0/information", &information(0));
        put(root, "proc/driver/nvidia/gpus/0000:01:00.0/information", &information(1));
        for file in ["nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm"] {
            put(root, &format!("dev/{file}"), "");
        }
        let both = ["GPU 0, NVIDIA H100 PCIe (0000:01:00.0)", "GPU 1, NVIDIA H100 PCIe (0000:c1:00.0)"];
        assert_eq!(says(root), both);
        assert_eq!(look(root).expect("two")[0].keep.as_ref().map(Keep::to_string).as_deref(), Some("kind = \"gpu\""));

        fs::remove_file(root.join("dev/nvidia1")).expect("gone");
        assert_eq!(says(root), ["GPU 0, NVIDIA H100 PCIe (0000:c1:00.0)"], "a container with one of two");
        fs::remove_dir_all(root.join("proc/driver")).expect("gone");
        assert_eq!(says(root), ["GPU 0, NVIDIA (/dev/nvidia0)"]);
        fs::remove_file(root.join("dev/nvidia0")).expect("gone");
        assert_eq!(says(root), [""; 0]);
    }

    #[test]
    fn other_vendors_are_named_and_what_only_draws_in_a_virtual_machine_is_not() {
        let root = tempfile::tempdir().expect("a folder");
        let root = root.path();
        for (card, vendor) in [(0, "0x1af4"), (1, "0x1002"), (2, "0x8086"), (3, "0x10de")] {
            put(root, &format!("sys/class/drm/card{card}/device/vendor"), &format!("{vendor}\n"));
        }
        fs::create_dir(root.join("sys/class/drm/card1-HDMI-A-1")).expect("made");
        let all = says(root);
        assert_eq!(all.len(), 3, "{all:?}");
        assert!(all[0].starts_with("card1, AMD: no kind") && all[1].starts_with("card2, Intel: "), "{all:?}");
        assert_eq!(all[2], "card3, NVIDIA: NVIDIA's driver is not loaded, so it is not watched");
        put(root, "dev/nvidia0", "");
        assert_eq!(says(root).len(), 3, "the same device is told once");
    }
}
