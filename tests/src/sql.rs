//! Who asks in SQL: HTTP, psql, Python's psycopg and its driver for Flight SQL, and bare bytes that no client sends.

use crate::{Client, Server, python::python};
use serde_json::{Value, json};
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

/// The doors that take SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// psycopg, which wants values as text or in binary form.
    Text,
    Binary,
    /// ADBC, which logs in by a password or with a Bearer token.
    Flight,
    Bearer,
    /// No tool's: `/v1/sql`, in Arrow's columns.
    Http,
}

/// Those that tools come by.
pub const DOORS: [Door; 4] = [Door::Text, Door::Binary, Door::Flight, Door::Bearer];

/// Somebody with a token.
#[derive(Debug)]
pub struct Asker {
    address: SocketAddr,
    postgres: SocketAddr,
    flight: SocketAddr,
    pub http: Client,
    pub token: String,
    /// Whose rows are meant, if the token does not tell.
    pub organizer: Option<String>,
}

impl Server {
    #[track_caller]
    pub fn asker(&self, token: &str) -> Asker {
        let listens = "the server was told to listen for tools";
        Asker {
            address: self.address(),
            postgres: self.postgres().expect(listens),
            flight: self.flight().expect(listens),
            http: self.bearer(token),
            token: token.to_owned(),
            organizer: None,
        }
    }
}

impl Asker {
    /// What a Python driver gets for each statement, a text or `[text, [value, …]]`: `rows` and `types`, or `error`
    /// and `code`.
    #[track_caller]
    pub fn ask(&self, door: Door, statements: &Value) -> Vec<Value> {
        let output = self
            .start(door, statements)
            .wait_with_output()
            .expect("Python runs to its end");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("the script prints JSON")
    }

    /// The same, left running.
    pub fn start(&self, door: Door, statements: &Value) -> Child {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/python/ask_sql.py");
        let (name, address) = match door {
            Door::Text | Door::Binary => ("postgres", self.postgres),
            Door::Flight | Door::Bearer => ("flight", self.flight),
            Door::Http => ("http", self.address),
        };
        let task = json!({
            "door": name, "host": address.ip().to_string(), "port": address.port(), "token": self.token,
            "organizer": self.organizer, "statements": statements, "binary": door == Door::Binary,
            "bearer": door == Door::Bearer,
        });
        let mut command = Command::new(python());
        command.arg(script).arg(task.to_string());
        let piped = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        piped.spawn().expect("Python can be run")
    }

    pub fn psql(&self) -> Command {
        let mut command = Command::new("psql");
        command
            .args(["--no-psqlrc", "--csv", "--pset", "null=<null>"])
            .env("PGHOST", self.postgres.ip().to_string())
            .env("PGPORT", self.postgres.port().to_string())
            .env("PGUSER", "ada@example.org")
            .env("PGPASSWORD", &self.token)
            .env("PGDATABASE", self.database())
            .env("PGTZ", "UTC")
            .stdin(Stdio::null());
        command
    }

    fn database(&self) -> &str {
        self.organizer.as_deref().unwrap_or("bilten")
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

    /// A connection that has logged in, without a client's manners.
    pub fn bare(&self) -> TcpStream {
        self.try_bare().unwrap_or_else(|why| panic!("{why}"))
    }

    /// The same, or why the server doesn't log it in.
    pub fn try_bare(&self) -> Result<TcpStream, String> {
        let mut stream = TcpStream::connect(self.postgres).expect("the server listens");
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let mut startup = 196_608_i32.to_be_bytes().to_vec();
        for text in ["user", "ada", "database", self.database(), ""] {
            startup.extend([text.as_bytes(), &[0]].concat());
        }
        stream.write_all(&(startup.len() as i32 + 4).to_be_bytes()).unwrap();
        stream.write_all(&startup).unwrap();
        assert_eq!(message(&mut stream).0, b'R');
        send(&mut stream, b'p', &[self.token.as_bytes(), &[0]].concat());
        let (mut kind, mut said) = message(&mut stream);
        if kind == b'E' {
            return Err(String::from_utf8_lossy(&said).into_owned());
        }
        while kind != b'Z' {
            (kind, said) = message(&mut stream);
            assert_ne!(
                kind,
                b'E',
                "it was logged in already: {}",
                String::from_utf8_lossy(&said)
            );
        }
        Ok(stream)
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
