//! Owns the tty: guard, writer, reader, hang-up watch, capabilities.
