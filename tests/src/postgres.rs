//! PostgreSQL's clients at the program's door: psql, Python's psycopg, and bare bytes for what no client would send.

use crate::python::python;
use serde_json::{Value, json};
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

/// Where to connect, and as whom.
#[derive(Clone, Debug)]
pub struct PgLogin {
    pub address: SocketAddr,
    pub token: String,
    /// `bilten`, or an organizer's id.
    pub database: String,
}

impl PgLogin {
    pub fn new(address: SocketAddr, token: &str) -> Self {
        Self {
            address,
            token: token.to_owned(),
            database: "bilten".to_owned(),
        }
    }

    pub fn psql(&self) -> Command {
        let mut command = Command::new("psql");
        command
            .args(["--no-psqlrc", "--csv", "--pset", "null=<null>"])
            .env("PGHOST", self.address.ip().to_string())
            .env("PGPORT", self.address.port().to_string())
            .env("PGUSER", "ada@example.org")
            .env("PGPASSWORD", &self.token)
            .env("PGDATABASE", &self.database)
            .env("PGTZ", "UTC")
            .stdin(Stdio::null());
        command
    }

    /// What psql says to one command.
    pub fn ask_psql(&self, sql: &str) -> Output {
        self.psql().args(["--command", sql]).output().expect("psql can be run")
    }

    /// The same, left running.
    pub fn start_psql(&self, sql: &str) -> Child {
        let mut psql = self.psql();
        psql.args(["--command", sql])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        psql.spawn().expect("psql can be run")
    }

    /// What psycopg gets for each statement: `rows`, or `error` and `code`.
    #[track_caller]
    pub fn ask_psycopg(&self, statements: &[String], binary: bool) -> Vec<Value> {
        self.ask_psycopg_with(json!(statements), binary)
    }

    /// Statements may come with parameters, as `[sql, [value, …]]`.
    #[track_caller]
    pub fn ask_psycopg_with(&self, statements: Value, binary: bool) -> Vec<Value> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/python/ask_postgres.py");
        let task = json!({
            "host": self.address.ip().to_string(), "port": self.address.port(), "token": self.token,
            "database": self.database, "statements": statements, "binary": binary,
        });
        let output = Command::new(python()).arg(script).arg(task.to_string()).output();
        let output = output.expect("Python can be run");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("the script prints JSON")
    }

    /// A connection that has logged in, without a client's manners.
    pub fn bare(&self) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).expect("the server listens");
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let mut startup = 196_608_i32.to_be_bytes().to_vec();
        for text in ["user", "ada", "database", &self.database, ""] {
            startup.extend([text.as_bytes(), &[0]].concat());
        }
        stream.write_all(&(startup.len() as i32 + 4).to_be_bytes()).unwrap();
        stream.write_all(&startup).unwrap();
        assert_eq!(message(&mut stream).0, b'R');
        send(&mut stream, b'p', &[self.token.as_bytes(), &[0]].concat());
        while message(&mut stream).0 != b'Z' {}
        stream
    }
}

/// One message to a server.
pub fn send(stream: &mut TcpStream, kind: u8, body: &[u8]) {
    let length = (body.len() as i32 + 4).to_be_bytes();
    stream.write_all(&[&[kind], &length[..], body].concat()).unwrap();
}

/// The next message of a server.
pub fn message(stream: &mut TcpStream) -> (u8, Vec<u8>) {
    let mut head = [0; 5];
    stream.read_exact(&mut head).expect("the server answers");
    let length = i32::from_be_bytes([head[1], head[2], head[3], head[4]]) - 4;
    let mut body = vec![0; usize::try_from(length).unwrap()];
    stream.read_exact(&mut body).expect("the server answers in full");
    (head[0], body)
}
