//! What sampling costs the whole program: `cargo bench --bench crowd`. Each row is the binary without a screen, run for a
//! while on one sampler (or on 500), against the same without any: processor time a second and the largest memory.
#![expect(clippy::print_stdout, reason = "the table is the program's result")]
#![expect(clippy::disallowed_methods, reason = "it measures the program from outside")]

use std::error::Error;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_watchkeeper");
/// Seconds of each row.
const SPAN: u32 = 20;

/// Processor time and largest memory of one run, children included.
struct Cost {
    seconds: f64,
    mib: f64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let at = serve()?;
    let number = folder.path().join("number");
    std::fs::write(&number, "7\n")?;
    let file = format!("kind = \"file\"\npath = \"{}\"\nparse = \"number\"\nmetric = \"n\"\n", number.display());
    let run = |name: &str, table: &str| -> Result<Cost, Box<dyn Error>> {
        let path = folder.path().join(format!("{name}.toml"));
        std::fs::write(&path, format!("title = \"{name}\"\nenvironment = \"bench\"\n{table}"))?;
        run(&path.to_string_lossy())
    };
    let none = run("none", "")?;
    println!("{:<34} {:>14} {:>12}", "one sampler at its default rate", "CPU a second", "memory");
    println!("{:<34} {:>11.3} ms {:>8.1} MiB", "none (the console's own cost)", per_second(&none), none.mib);
    let kinds = [
        ("host", "kind = \"host\"\n".to_owned()),
        ("process, by command", "kind = \"process\"\ncommand = \"crowd\"\n".to_owned()),
        ("process, top = 10", "kind = \"process\"\ntop = 10\n".to_owned()),
        ("http", format!("kind = \"http\"\nurl = \"http://{at}/\"\n")),
        ("scrape", format!("kind = \"scrape\"\nurl = \"http://{at}/\"\n")),
        ("tcp", format!("kind = \"tcp\"\nurl = \"{at}\"\n")),
        ("file", file.clone()),
        ("command", "kind = \"command\"\nargv = [\"/bin/true\"]\n".to_owned()),
        ("gpu (no driver here: a sentence)", "kind = \"gpu\"\n".to_owned()),
        ("discover", "kind = \"discover\"\n".to_owned()),
    ];
    for (name, table) in &kinds {
        let cost = run("one", &format!("[samplers.one]\n{table}"))?;
        let more = (per_second(&cost) - per_second(&none)).max(0.0);
        println!("{name:<34} {more:>11.3} ms {:>8.1} MiB", cost.mib - none.mib);
    }
    let mut crowd = String::new();
    for at in 0..500 {
        write!(crowd, "[samplers.s{at}]\nevery = \"1s\"\n{file}")?;
    }
    let cost = run("crowd", &crowd)?;
    println!("{:<34} {:>11.3} ms {:>8.1} MiB", "500 files at 1 s (50 looks a second)", per_second(&cost), cost.mib);
    Ok(())
}

fn per_second(cost: &Cost) -> f64 {
    cost.seconds * 1e3 / f64::from(SPAN)
}

fn run(profile: &str) -> Result<Cost, Box<dyn Error>> {
    let before = children()?.seconds;
    let status = Command::new(PROGRAM)
        .args(["snapshot", "--json", "--wait", &format!("{SPAN}s"), "--profile", profile])
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .status()?;
    if status.code() == Some(2) {
        return Err(format!("{profile}: the snapshot failed").into());
    }
    let after = children()?;
    Ok(Cost { seconds: after.seconds - before, mib: after.mib })
}

/// What all children that have ended cost so far; the memory is that of the largest one.
fn children() -> Result<Cost, Box<dyn Error>> {
    // SAFETY: all-zero bytes are a valid rusage.
    #[expect(unsafe_code, reason = "the usage of children has no safe wrapper here")]
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: `usage` is a valid place for the answer.
    #[expect(unsafe_code, reason = "the usage of children has no safe wrapper here")]
    let found = unsafe { libc::getrusage(libc::RUSAGE_CHILDREN, &raw mut usage) };
    if found != 0 {
        return Err(std::io::Error::last_os_error().into());
    }
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    Ok(Cost { seconds: seconds(usage.ru_utime) + seconds(usage.ru_stime), mib: usage.ru_maxrss as f64 / 1024.0 })
}

/// Answers every request with one metric.
fn serve() -> Result<String, Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let at = listener.local_addr()?.to_string();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut heard = [0; 4_096];
                while stream.read(&mut heard).is_ok_and(|count| count > 0) {
                    let text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nup 1\n";
                    if stream.write_all(text.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    Ok(at)
}
