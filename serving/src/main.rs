//! The program `bilten`.

use clap::Parser;
use serving::{cli::Cli, figures, redact::redact, telemetry::Telemetry};
use std::process::ExitCode;

// Delta commits pass rows between many threads, and glibc's allocator serialises them: with this one they took a third
// of the time at 150 files.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Memory that is given back in small parts stays taken where it lies in huge pages: a fifth of all, after a burst of
    // interactions.
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_thp_disable(true);
    let cli = Cli::parse();
    let serves = cli.serves_as().is_some();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read our output has seen enough, as in `bilten sql … | head`.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        // Of a server, standard error is its log.
        Err(error) if serves => fail(&redact(&format!("{error:#}"))),
        Err(error) => fail(&format!("{error:#}")),
    }
}

fn run(cli: Cli) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    figures::install()?;
    let telemetry = Telemetry::start(cli.telemetry(), cli.serves_as(), runtime.handle())?;
    let ended = runtime.block_on(cli.run());
    telemetry.stop();
    ended
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<std::io::Error>()
        .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

#[expect(clippy::print_stderr, reason = "this is the command line's own output")]
fn fail(error: &str) -> ExitCode {
    eprintln!("bilten: {error}");
    ExitCode::FAILURE
}
