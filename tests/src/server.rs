//! A data folder of its own, and the program `bilten` on it: started, stopped, killed, started again.

use crate::Client;
use serde_json::Value;
use std::{
    fs::{self, File},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// A debug build on two busy cores replays a log in less.
const START: Duration = Duration::from_secs(60);
const STOP: Duration = Duration::from_secs(30);

/// A data folder, empty at first, and gone at the end.
#[derive(Debug)]
pub struct Home {
    folder: TempDir,
}

/// The program serving a data folder. Dropped, it is killed.
#[derive(Debug)]
pub struct Server {
    child: Child,
    announced: Announced,
    log: PathBuf,
}

/// What a server says of itself.
#[derive(Debug)]
struct Announced {
    address: SocketAddr,
    admin_token: String,
    postgres: Option<SocketAddr>,
    flight: Option<SocketAddr>,
}

/// The program under test: `BILTEN_BIN`, or what cargo built beside this test.
pub fn program() -> PathBuf {
    if let Some(path) = std::env::var_os("BILTEN_BIN") {
        return path.into();
    }
    let own = std::env::current_exe().expect("a test has a path");
    let found = own
        .ancestors()
        .skip(1)
        .map(|folder| folder.join("bilten"))
        .find(|path| path.is_file());
    found.expect("the program is built before its tests: run `make test`, or `cargo build --workspace --bin bilten`")
}

impl Home {
    #[expect(clippy::new_without_default, reason = "two defaults would differ")]
    pub fn new() -> Self {
        Self {
            folder: TempDir::with_prefix("bilten-test-").expect("there is room for a temporary folder"),
        }
    }

    /// The data folder itself.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// A place for a test's own files.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The program with these arguments on this folder.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command
            .args(arguments)
            .arg("--home")
            .arg(self.path())
            .stdin(Stdio::null());
        for variable in [
            "DATABASE_URL",
            "EVENT_LOG_URL",
            "LAKE_URL",
            "MAIL_URL",
            "BILTEN_WEBHOOKS_ALLOW_PRIVATE",
            "BILTEN_PUBLIC_URL",
            "BILTEN_DASHBOARDS",
            "BILTEN_HOME",
            "BILTEN_LISTEN",
            "BILTEN_PG_LISTEN",
            "BILTEN_FLIGHT_LISTEN",
            "BILTEN_SQL_ALLOW_CLEARTEXT",
            "BILTEN_LOG",
            "BILTEN_LOG_FORMAT",
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "OTEL_TRACES_SAMPLER_ARG",
        ] {
            command.env_remove(variable);
        }
        // One machine plays all buyers, so what holds for one address would hold for all of them.
        command.env("BILTEN_RATE_LIMIT", "0");
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the program can be run")
    }

    /// Standard output of a command that has to succeed.
    #[track_caller]
    pub fn output(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).expect("the output is text")
    }

    #[track_caller]
    pub fn serve(&self) -> Server {
        self.serve_with(|command| command)
    }

    /// A server that tools can ask in SQL.
    #[track_caller]
    pub fn serve_tools(&self) -> Server {
        let anywhere = ["--pg-listen", "127.0.0.1:0", "--flight-listen", "127.0.0.1:0"];
        self.serve_with(|command| command.args(anywhere))
    }

    /// The demo with its traffic, from when it answers on; its world may still be filled.
    #[track_caller]
    pub fn demo(&self) -> Server {
        let mut command = self.command(&["demo", "--listen", "127.0.0.1:0"]);
        Server::start(&mut command, &self.path(), self.beside("server.log"))
    }

    /// Serves with more flags or other variables, and waits until the server is ready.
    #[track_caller]
    pub fn serve_with(&self, change: impl FnOnce(&mut Command) -> &mut Command) -> Server {
        let mut command = self.command(&["serve", "--listen", "127.0.0.1:0"]);
        change(&mut command);
        Server::start(&mut command, &self.path(), self.beside("server.log"))
    }
}

impl Server {
    #[track_caller]
    fn start(command: &mut Command, home: &Path, log: PathBuf) -> Self {
        let file = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .expect("the log can be written");
        let mut child = command
            .stdout(Stdio::null())
            .stderr(file)
            .spawn()
            .expect("the program can be run");
        let started = Instant::now();
        loop {
            if let Some(announced) = announced(home, child.id()) {
                let ready = Client::new(announced.address).request("GET", "/readyz").try_send();
                if ready.is_ok_and(|ready| ready.status == 200) {
                    return Self { child, announced, log };
                }
            }
            let ended = child.try_wait().expect("a child can be asked");
            let told = || fs::read_to_string(&log).unwrap_or_default();
            assert!(ended.is_none(), "the server ended at once: {}", told());
            assert!(
                started.elapsed() < START,
                "the server is not ready after {START:?}: {}",
                told()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// A client nobody knows.
    pub fn public(&self) -> Client {
        Client::new(self.announced.address)
    }

    /// The operator.
    pub fn admin(&self) -> Client {
        self.public().bearer(&self.announced.admin_token)
    }

    /// The operator's token, for those who speak to the server by themselves.
    pub fn admin_token(&self) -> &str {
        &self.announced.admin_token
    }

    pub fn bearer(&self, token: &str) -> Client {
        self.public().bearer(token)
    }

    pub fn address(&self) -> SocketAddr {
        self.announced.address
    }

    /// Where PostgreSQL's clients connect, if it was told to listen for them.
    pub fn postgres(&self) -> Option<SocketAddr> {
        self.announced.postgres
    }

    pub fn flight(&self) -> Option<SocketAddr> {
        self.announced.flight
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What the server has said so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// SIGKILL: the process is gone before this returns.
    pub fn kill_9(mut self) {
        self.child.kill().expect("a child can be killed");
        self.child.wait().expect("a child can be waited for");
    }

    /// Asks politely, and fails the test if the server doesn't end well.
    #[track_caller]
    pub fn stop(self) {
        let log = self.log.clone();
        let status = self.signal("TERM");
        assert!(
            status.success(),
            "{status}: {}",
            fs::read_to_string(log).unwrap_or_default()
        );
    }

    /// Sends a signal and waits for the end.
    #[track_caller]
    pub fn signal(mut self, name: &str) -> ExitStatus {
        let pid = self.child.id().to_string();
        // The standard library can only kill, and a shell is everywhere.
        let sent = Command::new("sh")
            .args(["-c", "kill -s \"$0\" \"$1\"", name, &pid])
            .status();
        assert!(
            sent.expect("there is a shell").success(),
            "the signal {name} was not sent"
        );
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child can be asked") {
                return status;
            }
            assert!(
                started.elapsed() < STOP,
                "still running {STOP:?} after {name}: {}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where this process says that it listens.
fn announced(home: &Path, pid: u32) -> Option<Announced> {
    let text = fs::read(home.join("server.json")).ok()?;
    let server: Value = serde_json::from_slice(&text).ok()?;
    if server["pid"] != pid {
        return None;
    }
    Some(Announced {
        address: server["url"].as_str()?.strip_prefix("http://")?.parse().ok()?,
        admin_token: server["admin_token"].as_str()?.to_owned(),
        postgres: server["postgres"].as_str().and_then(|address| address.parse().ok()),
        flight: server["flight"].as_str().and_then(|address| address.parse().ok()),
    })
}
