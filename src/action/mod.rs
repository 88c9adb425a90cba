//! The only floor that changes the world: plan, gate, lifecycle, runner, verify. The planning half is pure.
