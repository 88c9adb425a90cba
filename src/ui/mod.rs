//! Draws a Model into a Buffer; reads, never acts.
