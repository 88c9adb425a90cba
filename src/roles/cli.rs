//! The command line: what can be asked of the binary, and who does it. stdout is data, stderr messages.

use super::manner::Manner;
use super::session::Options;
use super::{
    bundle, burst, console, demo, describe, dry_run, init, journal_tool, lmdb_child, log_tool, plain, probe,
    probe_child, procedure_tool, query, report, rule_check, rules_test, snapshot, twin, validate,
};
use crate::base::Fault;
use crate::config::builtin::DISCOVER;
use crate::journal::Anchor;
use crate::samplers::probe::Class;
use crate::sys::limits::no_core_dumps;
use clap::{CommandFactory, Parser, Subcommand};
use std::io::Write;
use std::path::{Path, PathBuf};

/// The operations console for the engineer on watch.
#[derive(Debug, Parser)]
#[command(name = "watchkeeper", version, about, disable_help_subcommand = true, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(flatten)]
    look: Look,
    #[command(subcommand)]
    role: Option<Role>,
}

#[derive(Debug, clap::Args)]
struct Look {
    /// Profile: a file, a folder, or a name on the search path [default: this host]
    #[arg(long, value_name = "PROFILE")]
    profile: Option<String>,
    /// Ask listening ports of this host for metrics too, each once in five minutes
    #[arg(long, conflicts_with = "profile")]
    discover: bool,
    #[command(flatten)]
    manner: Manner,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// A living incident on real processes, files and sockets of a stand-in system; leaves nothing behind
    Demo {
        #[command(flatten)]
        story: Story,
        /// Fixes the faults
        #[arg(long, default_value_t = 1)]
        seed: u64,
        #[command(flatten)]
        manner: Manner,
    },
    /// A procedure on the stand-in system: the same keys and prompts, and nothing real can be reached
    Rehearse {
        /// Its id, as `procedures` of the demo lists it
        procedure: String,
        #[command(flatten)]
        story: Story,
        /// Fixes the faults
        #[arg(long, default_value_t = 1)]
        seed: u64,
        #[command(flatten)]
        manner: Manner,
    },
    /// A commented profile of your own service from five answers, in a new folder
    Init(init::Ask),
    /// Checks a profile: every fault with file, line, column and how to mend it; exit status 1 when there is one
    #[command(args_conflicts_with_subcommands = true)]
    Validate {
        #[command(subcommand)]
        what: Option<ValidateTool>,
        /// A file, a folder, or a name on the search path
        #[arg(default_value = "host")]
        profile: String,
        /// Says what a lint means and how to mend it, and nothing else
        #[arg(long, value_name = "ID")]
        explain: Option<String>,
    },
    /// Runs unit tests; exit status 1 when one fails
    Test {
        #[command(subcommand)]
        what: TestTool,
    },
    /// One PromQL expression, one answer: of this host, of a profile, or of a file of series
    Query(Box<query::Ask>),
    /// One round of every sampler, then every reading; its exit status is that of a monitoring plugin
    #[command(after_help = snapshot::STATUS)]
    Snapshot(snapshot::Ask),
    /// A bounded burst of probes of a port, a page or a WebSocket: figures and a histogram
    #[command(after_help = burst::STATUS)]
    Burst(burst::Ask),
    /// What can be watched, shown and done, and a profile of what is found here
    Describe {
        #[command(subcommand)]
        what: describe::Ask,
    },
    /// The plan of an action as its prompt would show it, and nothing done; without a name, what can be done
    Run(dry_run::Ask),
    /// Procedures: a template, how one reads, what is wrong with it, a card for paper, the console at work on one
    Procedure {
        #[command(subcommand)]
        what: procedure_tool::Ask,
    },
    /// One log, the whole screen: follow it, scroll back as far as it goes, search all of it
    Log(log_tool::Opts),
    /// The trail of everything asked, done and decided
    Journal {
        #[command(subcommand)]
        what: JournalTool,
        /// The folder that holds it, when not at the usual place
        #[arg(long, value_name = "FOLDER", global = true)]
        state: Option<PathBuf>,
    },
    /// What happened, as Markdown: an incident with its timeline, alerts, actions, follow-ups and values
    Report(report::Ask),
    /// What a good report of a fault needs, as a folder to look at before it is packed; nothing is sent
    SupportBundle(bundle::Ask),
    /// Completions for a shell, on standard output
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    #[command(hide = true)]
    Runner { run_dir: PathBuf },
    #[command(hide = true)]
    Lmdb,
    #[command(hide = true)]
    Probe {
        #[arg(long, value_parser = class)]
        class: Class,
    },
    #[command(hide = true)]
    Twin {
        part: TwinPart,
        dir: PathBuf,
        #[arg(long)]
        port: Vec<u16>,
        #[command(flatten)]
        story: Story,
        #[arg(long)]
        seed: u64,
        #[arg(long, default_value_t = 0)]
        turn: u32,
    },
}

/// What the stand-in plays.
#[derive(Debug, clap::Args)]
struct Story {
    /// Which system, with its shipped profile [default: a service of the demo's own]
    #[arg(long, value_name = "cerebellar-norse|genesis|planar")]
    system: Option<String>,
    /// Which incident [default: gpu-memory, and quiet of a system]: quiet, gpu-memory, config-change; a system has its own
    #[arg(long, value_name = "NAME", long_help = scenarios())]
    scenario: Option<String>,
}

/// Every incident, for the long help.
fn scenarios() -> String {
    let own = twin::Scenario::ALL.map(twin::Scenario::name).join(", ");
    let mut text = format!("Which incident [default: gpu-memory, and quiet of a system]: {own}; of a system:\n");
    for system in twin::systems::System::ALL {
        text.extend(["\n", system.name(), ":\n"]);
        for story in system.stories() {
            text.extend(["  ", &story.name, ": ", &story.about, "\n"]);
        }
    }
    text
}

impl Story {
    fn play(&self) -> Result<twin::Play, Fault> {
        twin::Play::of(self.system.as_deref(), self.scenario.as_deref())
    }
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum TwinPart {
    Supervisor,
    Service,
    Reader,
}

#[derive(Debug, Subcommand)]
enum ValidateTool {
    /// Checks rule files: every fault and lint, and which rules can work on this system
    Rules(rule_check::Ask),
}

#[derive(Debug, Subcommand)]
enum TestTool {
    /// Unit tests of rules in Prometheus' test-file format: a line a test, and what differs
    Rules(rules_test::Ask),
}

#[derive(Clone, Debug, Subcommand)]
enum JournalTool {
    /// Every record as a sentence, oldest first
    Show {
        /// As the records stand in their files, for a program
        #[arg(long)]
        json: bool,
    },
    /// Checks the hash chain; exit status 1 when it is broken
    Verify {
        /// A record that the system log or a console named: the chain must still have it, as it was
        #[arg(long, value_name = "RECORD:HASH")]
        anchor: Vec<Anchor>,
    },
}

/// Runs what the command line asks for. Returns the exit status.
pub fn main() -> u8 {
    no_core_dumps();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(said) => return not_run(&said),
    };
    let unable = unable(matches!(cli.role, Some(Role::Snapshot(_))));
    let outcome = match cli.role {
        None => look(&cli.look.into_options()),
        Some(Role::Demo { story, seed, manner }) => demo(manner.into_options(None), &story, seed),
        Some(Role::Rehearse { procedure, story, seed, manner }) => {
            rehearse(manner.into_options(None), procedure, &story, seed)
        }
        Some(Role::Validate { what: Some(ValidateTool::Rules(ask)), .. }) => {
            rule_check::run(&ask, &mut std::io::stdout().lock())
        }
        Some(Role::Validate { explain: Some(id), .. }) => rule_check::explain(&id, &mut std::io::stdout().lock()),
        Some(Role::Validate { profile, .. }) => validate::validate(&profile, &mut std::io::stdout().lock()),
        Some(Role::Test { what: TestTool::Rules(ask) }) => rules_test::run(&ask, &mut std::io::stdout().lock()),
        Some(Role::Query(ask)) => query::run(&ask),
        Some(Role::Snapshot(ask)) => snapshot::run(&ask),
        Some(Role::Burst(ask)) => burst::run(&ask, &mut std::io::stdout().lock()),
        Some(Role::Describe { what }) => describe::run(&what, &mut std::io::stdout().lock()),
        Some(Role::Procedure { what: procedure_tool::Ask::Run { procedure, profile, manner } }) => {
            work(procedure, manner.into_options(profile))
        }
        Some(Role::Procedure { what }) => procedure_tool::run(&what, &mut std::io::stdout().lock()),
        Some(Role::Run(ask)) => dry_run::run(&ask, &mut std::io::stdout().lock()),
        Some(Role::Log(options)) => log_tool::run(&options),
        Some(Role::Journal { what: JournalTool::Show { json }, state }) => {
            journal_tool::show(state, json, &mut std::io::stdout().lock())
        }
        Some(Role::Journal { what: JournalTool::Verify { anchor }, state }) => {
            journal_tool::verify(state, &anchor, &mut std::io::stdout().lock())
        }
        Some(Role::Init(ask)) => init::run(&ask, &mut std::io::stdout().lock()),
        Some(Role::SupportBundle(ask)) => bundle::run(&ask, &mut std::io::stdout().lock()),
        Some(Role::Report(ask)) => report::run(&ask, &mut std::io::stdout().lock()),
        Some(Role::Completions { shell }) => {
            clap_complete::generate(shell, &mut Cli::command(), "watchkeeper", &mut std::io::stdout().lock());
            Ok(0)
        }
        Some(Role::Runner { run_dir }) => Ok(probe::run(&run_dir)),
        Some(Role::Lmdb) => Ok(lmdb_child::run()),
        Some(Role::Probe { class }) => Ok(probe_child::run(&class)),
        Some(Role::Twin { part, dir, port, story, seed, turn }) => {
            story.play().map(|play| twin_part(part, play, (&dir, &port), seed, turn))
        }
    };
    outcome.unwrap_or_else(|fault| {
        // Nothing is left to report to when standard error is gone.
        let _gone = writeln!(std::io::stderr().lock(), "watchkeeper: {fault}");
        unable
    })
}

fn twin_part(part: TwinPart, play: twin::Play, (dir, ports): (&Path, &[u16]), seed: u64, turn: u32) -> u8 {
    status(match (part, play) {
        (TwinPart::Reader, _) => twin::systems::reader(dir),
        (TwinPart::Supervisor, play) => twin::supervisor(dir, ports, play, seed),
        (TwinPart::Service, twin::Play::Service(scenario)) => twin::service(dir, scenario, seed),
        (TwinPart::Service, twin::Play::System(incident)) => twin::systems::play(dir, incident, seed, turn, ports),
    })
}

/// Help, version, or what is wrong with the command line. Returns the exit status.
fn not_run(said: &clap::Error) -> u8 {
    let _gone = said.print();
    let snapshot = std::env::args_os().nth(1).is_some_and(|role| role == "snapshot");
    if said.use_stderr() { unable(snapshot) } else { 0 }
}

/// The exit status when what was asked for cannot be done at all: 2 of a snapshot says CRITICAL.
const fn unable(snapshot: bool) -> u8 {
    if snapshot { snapshot::UNKNOWN } else { 2 }
}

fn look(options: &Options) -> Result<u8, Fault> {
    if plain::wanted() { plain::run(options) } else { console::run(options) }
}

fn demo(mut options: Options, story: &Story, seed: u64) -> Result<u8, Fault> {
    let demo = demo::Demo::start(story.play()?, seed)?;
    options.profile = Some(demo.profile.to_string_lossy().into_owned());
    options.state_dir = Some(demo.state_dir.clone());
    look(&options)
}

/// The console of this profile, with the procedure begun.
fn work(procedure: String, options: Options) -> Result<u8, Fault> {
    if plain::wanted() {
        return Err(Fault::new("working through a procedure needs a terminal that can show the console."));
    }
    console::run(&Options { procedure: Some(procedure), ..options })
}

fn rehearse(mut options: Options, procedure: String, story: &Story, seed: u64) -> Result<u8, Fault> {
    if plain::wanted() {
        return Err(Fault::new("a rehearsal needs a terminal that can show the console."));
    }
    let demo = demo::Demo::rehearsal(story.play()?, seed)?;
    options.profile = Some(demo.profile.to_string_lossy().into_owned());
    options.state_dir = Some(demo.state_dir.clone());
    options.procedure = Some(procedure);
    options.within = Some(demo.stand_in());
    console::run(&options)
}

fn class(name: &str) -> Result<Class, String> {
    Class::named(name).ok_or_else(|| "no such class".to_owned())
}

fn status(code: i32) -> u8 {
    u8::try_from(code).unwrap_or(1)
}

impl Look {
    fn into_options(self) -> Options {
        let discover = self.discover.then(|| DISCOVER.to_owned());
        self.manner.into_options(self.profile.or(discover))
    }
}
