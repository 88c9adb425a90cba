//! Commands as data: what the operator can ask for, with the line that explains it.
