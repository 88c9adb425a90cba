//! The pure core of the console: Model, Msg and `update`. No clock, no I/O.
