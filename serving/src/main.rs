//! The program `bilten`.

use clap::Parser;
use serving::cli::Cli;
use std::{io::IsTerminal, process::ExitCode};
use tracing_subscriber::EnvFilter;

// Delta commits pass rows between many threads, and glibc's allocator serialises them: with this one they took a third
// of the time at 150 files.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Ours in detail, others' when it matters. The kernel calls a table that does not exist yet an error, and the database
/// driver prints whole statements; what they mean reaches us as typed errors.
const LOG: &str = "warn,serving=info,ingest=info,lakehouse=info,transactional=info,buoyant_kernel=off,sqlx=error";

fn main() -> ExitCode {
    let cli = Cli::parse();
    let default = if cli.is_quiet() {
        "off,serving=error,ingest=error,lakehouse=error,transactional=error"
    } else {
        LOG
    };
    let filter = EnvFilter::try_from_env("BILTEN_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let log = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(filter);
    if std::io::stderr().is_terminal() {
        log.init();
    } else {
        log.with_ansi(false).init();
    }
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read our output has seen enough, as in `bilten sql … | head`.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

fn run(cli: Cli) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(cli.run())
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<std::io::Error>()
        .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

#[expect(clippy::print_stderr, reason = "this is the command line's own output")]
fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("bilten: {error:#}");
    ExitCode::FAILURE
}
