//! Rule files: places, error rows, bounds.
