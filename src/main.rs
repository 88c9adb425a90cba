//! The binary: hands over to the roles.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(watchkeeper::roles::cli::main())
}
