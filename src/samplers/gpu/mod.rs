//! GPUs as points, which of them were here before, and by `nvidia-smi` where the library cannot be loaded.

pub(crate) mod history;
pub(crate) mod inventory;
pub(crate) mod nvidia_smi;
pub(crate) mod points;
