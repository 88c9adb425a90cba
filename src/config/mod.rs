//! Layers, profiles and diagnostics. Kind bodies stay opaque tables.
