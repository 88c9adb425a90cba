//! What is acted on through a socket or by a signal: requests are counted by who gets them.

use crate::peer::running::Running;
use crate::peer::{self, Peer};
use crate::scene::Sleeper;
use crate::strace::long;
use crate::world::Case;
use std::cell::RefCell;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::thread;

/// Kinds with one request, statement or signal.
pub(crate) fn talks() -> Vec<Case> {
    let servers = [redis_clear(), postgres_setting(), postgres_index(), postgres_cancel()];
    let looks = if long() { postgres_explain() } else { None };
    here().into_iter().chain(servers.into_iter().flatten()).chain(looks).collect()
}

/// Those of them that need no server of others.
pub(crate) fn here() -> Vec<Case> {
    vec![http_call(), process_signal()]
}

/// Kinds that have a manager stop and start something.
pub(crate) fn services() -> Vec<Case> {
    let more = if long() { [commands(), container()] } else { [None, None] };
    [supervisor(), crate::units::restarted()].into_iter().chain(more).flatten().collect()
}

/// A server that serves one connection after the other, so that whoever asks it last knows of all before.
fn counting() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        let mut puts = 0;
        for mut stream in listener.incoming().flatten() {
            let mut request = Vec::new();
            let mut some = [0; 4096];
            while !request.windows(4).any(|end| end == b"\r\n\r\n") {
                match stream.read(&mut some) {
                    Ok(read) if read > 0 => request.extend_from_slice(&some[..read]),
                    _ => break,
                }
            }
            puts += u32::from(request.starts_with(b"PUT /x "));
            let body = puts.to_string();
            let _gone = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        }
    });
    at
}

fn asked(at: &str) -> u32 {
    let mut stream = TcpStream::connect(at).unwrap();
    stream.write_all(b"GET /count HTTP/1.1\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.rsplit("\r\n").next().unwrap().parse().unwrap()
}

fn http_call() -> Case {
    let at = counting();
    let (to, of) = (at.clone(), at.clone());
    let before = Rc::new(RefCell::new(0));
    let since = Rc::clone(&before);
    Case::new(
        "http_call",
        move |_| *before.borrow_mut() = asked(&at),
        move |_| format!("method = \"PUT\"\nurl = \"http://{to}/x\"\nbody = \"on\"\nundo = \"none\""),
        move |_| format!("{} requests", asked(&of) - *since.borrow()),
    )
}

fn redis_clear() -> Option<Case> {
    let peer = Rc::new(peer::start("redis").filter(|_| cfg!(feature = "redis"))?);
    let (fill, at) = (Rc::clone(&peer), Rc::clone(&peer));
    let cli = |peer: &Peer, words: &[&str]| {
        let output = Command::new("redis-cli").args(["-s", peer.env("REDIS_SOCKET")]).args(words).output().unwrap();
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    // More than one batch of what a server is asked to remove at once.
    let script = "for i = 1, 1500 do redis.call('set', 'cache:' .. i, i) end";
    let case = Case::new(
        "redis_clear",
        move |_| _ = cli(&fill, &["eval", script, "0"]),
        move |_| format!("url = \"redis+unix://{}\"\nprefix = \"cache:\"", at.env("REDIS_SOCKET")),
        move |_| cli(&peer, &["dbsize"]),
    );
    Some(case.in_parts())
}

fn sql(peer: &Peer, statement: &str) -> String {
    let mut output = Command::new("psql");
    output.args(["-XqAt", "-v", "ON_ERROR_STOP=1", "-c", statement]);
    let output = output.arg(peer.env("DATABASE_URL")).output().unwrap();
    assert!(output.status.success(), "{statement}: {output:?}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Once no session but ours is left: a server ends a statement whose client is gone.
fn at_rest(peer: &Peer, statement: &str) -> String {
    let others =
        "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
    while sql(peer, others) != "0" {}
    sql(peer, statement)
}

fn postgres() -> Option<(Rc<Peer>, Rc<Peer>, Rc<Peer>)> {
    let peer = Rc::new(peer::start("postgres").filter(|_| cfg!(feature = "postgres"))?);
    Some((Rc::clone(&peer), Rc::clone(&peer), peer))
}

fn postgres_setting() -> Option<Case> {
    let (reset, at, peer) = postgres()?;
    let case = Case::new(
        "postgres_setting",
        move |_| {
            sql(&reset, "ALTER SYSTEM RESET work_mem");
            sql(&reset, "SELECT pg_reload_conf()");
            while sql(&reset, "SHOW work_mem") != "4MB" {}
        },
        move |_| {
            format!("url = \"{}\"\nsetting = \"work_mem\"\nvalue = 8192\nrange = [64, 65536]", at.env("DATABASE_URL"))
        },
        move |_| {
            let written = "SELECT count(*) FROM pg_file_settings WHERE name = 'work_mem'";
            format!("{} written, {} in force", at_rest(&peer, written), sql(&peer, "SHOW work_mem"))
        },
    );
    Some(case.in_parts())
}

fn postgres_index() -> Option<Case> {
    let (reset, at, peer) = postgres()?;
    let case = Case::new(
        "postgres_index",
        move |_| _ = sql(&reset, "DROP INDEX IF EXISTS idx_total"),
        move |_| {
            let what = "table = \"public.orders\"\nname = \"idx_total\"\ncolumns = [\"total\"]\ntimeout = \"9s\"";
            format!("url = \"{}\"\n{what}", at.env("DATABASE_URL"))
        },
        move |_| at_rest(&peer, "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('public.idx_total')"),
    );
    Some(case)
}

/// A statement that is explained and measured.
fn postgres_explain() -> Option<Case> {
    let (_, at, peer) = postgres()?;
    let case = Case::new(
        "postgres_explain",
        |_| {},
        move |_| {
            let what = "query = \"SELECT count(*) FROM orders\"\nanalyze = true";
            format!("url = \"{}\"\n{what}", at.env("DATABASE_URL"))
        },
        move |_| at_rest(&peer, "SELECT count(*), sum(total) FROM orders"),
    );
    Some(Case { looks: true, ..case })
}

/// A statement that takes long, in a session of its own.
fn postgres_cancel() -> Option<Case> {
    let (begins, at, peer) = postgres()?;
    const STATEMENT: &str = "SELECT pg_sleep(900)";
    let ours = "backend_type = 'client backend' AND pid <> pg_backend_pid()";
    let sleeps =
        format!("SELECT count(*) FROM pg_stat_activity WHERE {ours} AND state = 'active' AND query = '{STATEMENT}'");
    let others = format!("SELECT count(*) FROM pg_stat_activity WHERE {ours} AND query <> '{STATEMENT}'");
    let (asks, session) = (sleeps.clone(), RefCell::new(None));
    let case = Case::new(
        "postgres_cancel",
        move |_| {
            // The one before ends with its session.
            drop(session.borrow_mut().take());
            while sql(&begins, &asks) != "0" {
                sql(
                    &begins,
                    &format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = '{STATEMENT}'"),
                );
            }
            let mut psql = Command::new("psql");
            psql.args(["-XqAt", "-c", STATEMENT]).arg(begins.env("DATABASE_URL"));
            *session.borrow_mut() = Some(Running::start(&mut psql, Stdio::null(), Stdio::null()));
            while sql(&begins, &asks) != "1" {}
        },
        move |_| format!("url = \"{}\"\nquery = \"^SELECT pg_sleep\"\nolder_than = \"1ms\"", at.env("DATABASE_URL")),
        move |_| {
            while sql(&peer, &others) != "0" {}
            // What was sent on its way has arrived.
            sql(&peer, "SELECT pg_sleep(0.2)");
            format!("{} at work", sql(&peer, &sleeps))
        },
    );
    Some(case)
}

/// A signal that is on its way counts as arrived.
fn asleep(sleeper: &Sleeper) -> &'static str {
    let status = fs::read_to_string(format!("/proc/{}/status", sleeper.pid)).unwrap_or_default();
    let runs = status.contains("\nShdPnd:\t0000000000000000\n") && !status.contains("\nState:\tZ");
    if runs && status.starts_with("Name:\tsleep\n") { "runs" } else { "ended" }
}

fn process_signal() -> Case {
    let sleeper: Rc<RefCell<Option<Sleeper>>> = Rc::default();
    let begins = Rc::clone(&sleeper);
    Case::new(
        "process_signal",
        move |scene| *begins.borrow_mut() = Some(Sleeper::start(&scene.path("pid"))),
        |scene| format!("pid_file = \"{}\"\nprogram = \"sleep\"\nsignal = \"TERM\"", scene.path("pid").display()),
        move |_| asleep(sleeper.borrow().as_ref().unwrap()).to_owned(),
    )
}

/// A program of a supervisor.
fn supervisor() -> Option<Case> {
    supervised("supervisor", |peer| {
        format!("kind = \"supervisor\", path = \"{}\", program = \"good\"", peer.env("SUPERVISOR_SOCKET"))
    })
}

/// The same by the commands that an engineer would type.
fn commands() -> Option<Case> {
    supervised("commands", |peer| {
        let config = Path::new(peer.env("SUPERVISOR_SOCKET")).with_file_name("supervisord.conf");
        let command = |verb: &str| {
            let words = ["/usr/bin/supervisorctl", "-c", config.to_str().unwrap(), verb, "good"];
            format!("{verb} = {words:?}")
        };
        let pid = "pid_after = \"RUNNING   pid \"";
        format!("kind = \"commands\", unit = \"good\", {pid}, {}, {}", command("status"), command("restart"))
    })
}

fn supervised(through: &'static str, service: impl Fn(&Peer) -> String + 'static) -> Option<Case> {
    let peer = Rc::new(peer::start("supervisord")?);
    let (begins, at) = (Rc::clone(&peer), Rc::clone(&peer));
    let ctl = |peer: &Peer, words: &[&str]| String::from_utf8_lossy(&peer.exec(words).stdout).trim().to_owned();
    let status = move |peer: &Peer| loop {
        let said = ctl(peer, &["status", "good"]);
        if !said.contains("STARTING") && !said.contains("STOPPING") {
            return said;
        }
    };
    let pid = |said: &str| said.split("pid ").nth(1).and_then(|rest| rest.split(',').next()).map(str::to_owned);
    let before = Rc::new(RefCell::new(None));
    let was = Rc::clone(&before);
    let case = Case::new(
        "service_restart",
        move |_| {
            ctl(&begins, &["start", "good"]);
            *before.borrow_mut() = pid(&status(&begins));
        },
        move |_| format!("service = {{ {} }}\nstable_for = \"1s\"", service(&at)),
        move |_| since(was.borrow().as_ref(), pid(&status(&peer)).as_ref()),
    );
    Some(Case { through, ..case.in_parts() })
}

fn since(before: Option<&String>, now: Option<&String>) -> String {
    match now {
        None => "down".to_owned(),
        now if now == before => "as before".to_owned(),
        Some(_) => "another process".to_owned(),
    }
}

/// A container of an engine.
fn container() -> Option<Case> {
    let peer = Rc::new(peer::start("container")?);
    let podman = |peer: &Peer, words: &[&str]| String::from_utf8_lossy(&peer.exec(words).stdout).trim().to_owned();
    podman(&peer, &["run", "--detach", "--stop-timeout=0", "--name", "good", "tiny", "sleep", "1000"]);
    let (begins, at) = (Rc::clone(&peer), Rc::clone(&peer));
    // A request that nobody waits for any more is still carried out.
    let pid = move |peer: &Peer| {
        let says = || podman(peer, &["inspect", "--format", "{{.State.Status}} {{.State.Pid}}", "good"]);
        let mut last = says();
        loop {
            let now = says();
            if now == last {
                return now.strip_prefix("running ").map(str::to_owned);
            }
            last = now;
        }
    };
    let before = Rc::new(RefCell::new(None));
    let was = Rc::clone(&before);
    let case = Case::new(
        "service_restart",
        move |_| {
            podman(&begins, &["start", "good"]);
            *before.borrow_mut() = pid(&begins);
        },
        move |_| {
            let path = at.env("CONTAINER_SOCKET");
            format!("service = {{ kind = \"container\", path = \"{path}\", name = \"good\" }}\nstable_for = \"1s\"")
        },
        move |_| since(was.borrow().as_ref(), pid(&peer).as_ref()),
    );
    Some(Case { through: "container", limit: 30, ..case.in_parts() })
}
