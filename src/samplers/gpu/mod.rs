//! GPUs as points, and by `nvidia-smi` where the library cannot be loaded.

pub(crate) mod nvidia_smi;
pub(crate) mod points;
