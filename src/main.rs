//! The binary: hands over to the roles.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;
use watchkeeper::roles::twin;

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    ExitCode::from(u8::try_from(run(&args).unwrap_or(2)).unwrap_or(2))
}

/// The twin's hidden subcommands; `None` when the line cannot be understood.
fn run(args: &[OsString]) -> Option<i32> {
    let text = |at: usize| args.get(at).and_then(|arg| arg.to_str());
    let option = |name: &str| args.iter().position(|arg| arg == name).and_then(|at| text(at + 1));
    let folder = Path::new(args.get(2)?);
    let scenario = option("--scenario")?.parse().ok()?;
    let seed = option("--seed")?.parse().ok()?;
    match (text(0)?, text(1)?) {
        ("twin", "supervisor") => Some(twin::supervisor(folder, option("--port")?.parse().ok()?, scenario, seed)),
        ("twin", "service") => Some(twin::service(folder, scenario, seed)),
        _ => None,
    }
}
