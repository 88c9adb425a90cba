//! Following log files and understanding their lines.
