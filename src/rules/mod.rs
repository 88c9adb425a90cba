//! Conditions over series: selectors, bands, alert state machine. Pure.
