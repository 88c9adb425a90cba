//! Series with gaps, log rings, freshness. Pure.
