//! The smallest HTTP/1.1 client that can test and load a server: one kept-alive connection, blocking. It shares two
//! cores with the server that it measures, so it does nothing that isn't needed.

use serde_json::Value;
use std::{
    cell::RefCell,
    io::{self, BufRead, BufReader, Write},
    net::{SocketAddr, TcpStream},
    process::Command,
    time::{Duration, Instant},
};

/// Longer than anything that a test waits for; a server that hangs fails the test and not the whole run.
const PATIENCE: Duration = Duration::from_secs(120);

/// A server may close a connection that nobody has used for longer.
const IDLE: Duration = Duration::from_secs(60);

/// A larger body is sent only when the server agreed to its head, as curl does it: a server that refuses need not read
/// it, and its refusal is not lost.
const ASK_FIRST: usize = 1 << 20;

/// One client: what it sends with every request, and its connection.
#[derive(Debug)]
pub struct Client {
    address: SocketAddr,
    headers: String,
    /// With when it was used last.
    connection: RefCell<Option<(Instant, BufReader<TcpStream>)>>,
}

/// A request under construction.
#[derive(Debug)]
#[must_use]
pub struct Request<'c> {
    client: &'c Client,
    head: String,
    body: Vec<u8>,
}

#[derive(Clone, Debug)]
pub struct Response {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Client {
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            headers: String::new(),
            connection: RefCell::default(),
        }
    }

    /// Another client of the same server, that sends this with every request.
    pub fn with(&self, name: &str, value: &str) -> Self {
        let headers = format!("{}{name}: {value}\r\n", self.headers);
        Self {
            address: self.address,
            headers,
            connection: RefCell::default(),
        }
    }

    pub fn bearer(&self, token: &str) -> Self {
        self.with("authorization", &format!("Bearer {token}"))
    }

    pub fn request(&self, method: &str, path: &str) -> Request<'_> {
        let head = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n{}", self.address, self.headers);
        Request {
            client: self,
            head,
            body: Vec::new(),
        }
    }

    pub fn get(&self, path: &str) -> Response {
        self.request("GET", path).send()
    }

    pub fn delete(&self, path: &str) -> Response {
        self.request("DELETE", path).send()
    }

    pub fn post(&self, path: &str, body: &Value) -> Response {
        self.request("POST", path).json(body).send()
    }

    pub fn put(&self, path: &str, body: &Value) -> Response {
        self.request("PUT", path).json(body).send()
    }

    /// The answer to a query, an object a row.
    #[track_caller]
    pub fn sql(&self, sql: &str) -> Vec<Value> {
        let answer = self.post("/v1/sql", &serde_json::json!({ "sql": sql }));
        assert_eq!(answer.status, 200, "{sql}\n{}", answer.text());
        serde_json::from_slice(&answer.body).expect("rows are a JSON array")
    }

    /// The answer to a query of one number.
    #[track_caller]
    pub fn count(&self, sql: &str) -> i64 {
        let rows = self.sql(sql);
        let value = rows
            .first()
            .and_then(Value::as_object)
            .and_then(|row| row.values().next());
        value
            .and_then(Value::as_i64)
            .unwrap_or_else(|| panic!("{sql} answered {rows:?}"))
    }

    fn exchange(&self, head: &str, body: &[u8]) -> io::Result<Response> {
        let mut slot = self.connection.borrow_mut();
        let mut connection = match slot.take() {
            Some((used, connection)) if used.elapsed() < IDLE => connection,
            _ => connect(self.address)?,
        };
        let mut message = Vec::with_capacity(head.len() + body.len() + 64);
        write!(message, "{head}content-length: {}\r\n", body.len())?;
        if body.len() > ASK_FIRST {
            write!(message, "expect: 100-continue\r\n\r\n")?;
            connection.get_mut().write_all(&message)?;
            let answer = read_response(&mut connection)?;
            if answer.status != 100 {
                return Ok(answer);
            }
            message.clear();
        } else {
            message.extend_from_slice(b"\r\n");
        }
        message.extend_from_slice(body);
        // A server that has seen enough answers and closes while we still write: its answer counts.
        let written = connection.get_mut().write_all(&message);
        let response = match read_response(&mut connection) {
            Ok(response) => response,
            Err(error) => return Err(written.err().unwrap_or(error)),
        };
        if written.is_ok() && response.header("connection") != Some("close") {
            *slot = Some((Instant::now(), connection));
        }
        Ok(response)
    }
}

impl Request<'_> {
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.head.push_str(&format!("{name}: {value}\r\n"));
        self
    }

    pub fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }

    pub fn body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.header("content-type", content_type)
    }

    pub fn idempotent(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }

    #[track_caller]
    pub fn send(self) -> Response {
        self.try_send().expect("the server answers")
    }

    /// An error says that the connection failed, so nobody knows what became of the request.
    pub fn try_send(self) -> io::Result<Response> {
        self.client.exchange(&self.head, &self.body)
    }
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in: {}", self.text()))
    }

    /// The body of an answer that has to have this status.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        if self.body.is_empty() { Value::Null } else { self.json() }
    }

    /// The problem that this answer has to be: RFC 9457, complete, with this status and code.
    #[track_caller]
    pub fn problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        let problem = self.json();
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["status"], status, "{problem}");
        for member in ["type", "title", "detail"] {
            assert!(
                problem[member].as_str().is_some_and(|text| !text.is_empty()),
                "{member} in {problem}"
            );
        }
        problem
    }
}

/// The bytes as gzip packs them: the program that every Debian has.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut file = tempfile::NamedTempFile::new().expect("there is room for a temporary file");
    file.write_all(bytes).expect("there is room for a temporary file");
    let packed = Command::new("gzip")
        .arg("--fast")
        .arg("--stdout")
        .arg(file.path())
        .output();
    packed.expect("gzip can be run").stdout
}

fn connect(address: SocketAddr) -> io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(BufReader::with_capacity(16 << 10, stream))
}

fn read_response(from: &mut impl BufRead) -> io::Result<Response> {
    let status_line = read_line(from)?;
    let status = status_line
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .ok_or_else(|| broken(&status_line))?;
    let mut headers = Vec::new();
    loop {
        let line = read_line(from)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or_else(|| broken(&line))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut response = Response {
        status,
        headers,
        body: Vec::new(),
    };
    if response.header("transfer-encoding") == Some("chunked") {
        read_chunks(from, &mut response.body)?;
    } else if let Some(length) = response.header("content-length") {
        response.body = vec![0; length.parse().map_err(|_| broken(length))?];
        from.read_exact(&mut response.body)?;
    }
    Ok(response)
}

fn read_chunks(from: &mut impl BufRead, body: &mut Vec<u8>) -> io::Result<()> {
    loop {
        let line = read_line(from)?;
        let length = usize::from_str_radix(line.split(';').next().unwrap_or(""), 16).map_err(|_| broken(&line))?;
        let start = body.len();
        body.resize(start + length, 0);
        from.read_exact(&mut body[start..])?;
        let end = read_line(from)?;
        if length == 0 {
            return Ok(());
        }
        if !end.is_empty() {
            return Err(broken(&end));
        }
    }
}

fn read_line(from: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    if from.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("this is no HTTP: {what}"))
}
