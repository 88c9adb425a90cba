//! The binary: hands over to the roles.

fn main() {}
