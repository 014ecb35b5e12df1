//! An installation of several processes on PostgreSQL, Apache Kafka and S3, each test's with a database, topics and a
//! folder of its own on the servers that `tests/services` runs.

use crate::{Home, Server, uuid7};
use std::{
    collections::BTreeMap,
    io::{self, Write},
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    process::Command,
};

/// The servers, or why they are not there.
#[derive(Clone, Debug)]
pub struct Services {
    script: String,
    /// Where all servers keep their data, each in a folder of its name.
    pub folder: PathBuf,
    pub postgres: String,
    pub kafka: String,
    /// Where a proxy before Kafka listens, and what it forwards to: clients that come that way always come that way.
    pub kafka_proxy: SocketAddr,
    pub kafka_proxied: SocketAddr,
    pub s3: String,
    pub bucket: String,
}

impl Services {
    /// None if tests without servers were asked for; otherwise their absence is a failure.
    pub fn find() -> Option<Self> {
        let found = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let address = |name| Some(found(name)?.parse().expect("an address with a port"));
        let services = || {
            Some(Self {
                script: found("BILTEN_SERVICES")?,
                folder: found("BILTEN_SERVICES_DIR")?.into(),
                postgres: found("BILTEN_TEST_POSTGRES")?,
                kafka: found("BILTEN_TEST_KAFKA")?,
                kafka_proxy: address("BILTEN_TEST_KAFKA_PROXY")?,
                kafka_proxied: address("BILTEN_TEST_KAFKA_PROXIED")?,
                s3: found("BILTEN_TEST_S3")?,
                bucket: found("BILTEN_TEST_S3_BUCKET")?,
            })
        };
        let services = services();
        if services.is_none() && found("BILTEN_EMBEDDED").is_some() {
            let _ = writeln!(io::stderr(), "left out: it needs servers, and BILTEN_EMBEDDED is set");
            return None;
        }
        Some(services.expect("the servers run: use `make test`, or see tests/services/README.md"))
    }

    /// `start` or `kill` (-9), of `postgres`, `kafka` or `s3`.
    #[track_caller]
    pub fn order(&self, command: &str, name: &str) {
        let done = Command::new(&self.script).args([command, name]).output();
        let done = done.expect("the services' script can be run");
        assert!(
            done.status.success(),
            "{command} {name}: {}",
            String::from_utf8_lossy(&done.stderr)
        );
    }
}

/// What a statement answers, a row a line.
#[track_caller]
fn psql(database_url: &str, sql: &str) -> String {
    let done = Command::new("psql")
        .args(["-q", "-A", "-t", database_url, "-c", sql])
        .output();
    let done = done.expect("psql can be run");
    assert!(
        done.status.success(),
        "{sql}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
    String::from_utf8_lossy(&done.stdout).trim().to_owned()
}

/// Where an installation's backends are: the servers themselves, or a proxy before one.
#[derive(Clone, Debug)]
pub struct Backends {
    pub database_url: String,
    pub event_log_url: String,
    pub lake_url: String,
}

pub struct Cluster {
    pub services: Services,
    pub backends: Backends,
    database: String,
    members: BTreeMap<&'static str, Member>,
}

struct Member {
    home: Home,
    port: u16,
    roles: &'static str,
    running: Option<Server>,
}

impl Cluster {
    /// An installation without processes yet.
    pub fn new(services: Services) -> Self {
        let database = format!("bilten_{}", uuid7().replace('-', ""));
        psql(&services.postgres, &format!("create database {database}"));
        let server = services.postgres.rsplit_once('/').expect("a URL with a database").0;
        Self {
            backends: Backends {
                database_url: format!("{server}/{database}"),
                event_log_url: format!("kafka://{}?topic_prefix={database}.", services.kafka),
                lake_url: format!("s3://{}/{database}?endpoint={}", services.bucket, services.s3),
            },
            services,
            database,
            members: BTreeMap::new(),
        }
    }

    /// Adds a process with these roles and starts it.
    pub fn add(&mut self, name: &'static str, roles: &'static str) {
        // The port stays the same through restarts, as an address in a real installation does.
        let port = TcpListener::bind("127.0.0.1:0").expect("there is a port");
        let member = Member {
            home: Home::new(),
            port: port.local_addr().expect("it has a number").port(),
            roles,
            running: None,
        };
        drop(port);
        self.members.insert(name, member);
        self.start(name);
    }

    /// Starts a process that was killed, and waits until it is ready.
    pub fn start(&mut self, name: &str) {
        let backends = self.backends.clone();
        let member = self.members.get_mut(name).expect("a member of that name");
        let (listen, roles) = (format!("127.0.0.1:{}", member.port), member.roles);
        let running = member.home.serve_with(|command| {
            command
                .env("DATABASE_URL", &backends.database_url)
                .env("EVENT_LOG_URL", &backends.event_log_url)
                .env("LAKE_URL", &backends.lake_url)
                .env("BILTEN_LISTEN", &listen)
                .args(["--role", roles])
        });
        member.running = Some(running);
    }

    pub fn kill_9(&mut self, name: &str) {
        let member = self.members.get_mut(name).expect("a member of that name");
        if let Some(running) = member.running.take() {
            running.kill_9();
        }
    }

    #[track_caller]
    pub fn server(&self, name: &str) -> &Server {
        let member = self.members.get(name).and_then(|member| member.running.as_ref());
        member.unwrap_or_else(|| panic!("{name} does not run"))
    }

    /// The data folder of a process.
    #[track_caller]
    pub fn home(&self, name: &str) -> &Home {
        let member = self.members.get(name);
        &member.unwrap_or_else(|| panic!("{name} is no member")).home
    }

    /// Asks the database itself, as its superuser.
    #[track_caller]
    pub fn psql(&self, sql: &str) -> String {
        psql(&self.backends.database_url, sql)
    }

    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.members.keys().copied()
    }

    /// What every process has said, for a test that fails.
    pub fn logs(&self) -> String {
        let logs = self.members.iter();
        logs.map(|(name, member)| {
            format!(
                "--- {name}\n{}\n",
                member.running.as_ref().map(Server::log).unwrap_or_default()
            )
        })
        .collect()
    }

    /// Ends every process politely.
    pub fn stop(mut self) {
        for member in self.members.values_mut() {
            if let Some(running) = member.running.take() {
                running.stop();
            }
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = writeln!(io::stderr(), "{}", self.logs());
        }
        self.members.clear();
        if !std::thread::panicking() {
            let drop = format!("drop database if exists {} with (force)", self.database);
            psql(&self.services.postgres, &drop);
        }
    }
}
