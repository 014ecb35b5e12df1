//! A collector of traces: it takes what OpenTelemetry's exporters post to `/v1/traces`, and reads as much of the protocol
//! as the tests ask for. Field numbers are those of opentelemetry-proto's `trace.proto`.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

#[derive(Clone, Debug)]
pub(crate) struct Span {
    pub(crate) trace_id: String,
    pub(crate) span_id: String,
    /// Empty: it begins its trace.
    pub(crate) parent_id: String,
    pub(crate) name: String,
    /// Ids of the spans that it is linked with.
    pub(crate) links: Vec<String>,
}

/// Listens on a free port until the test's process ends.
pub(crate) struct Collector {
    address: SocketAddr,
    bodies: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Collector {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let collector = Self {
            address: listener.local_addr().unwrap(),
            bodies: Arc::default(),
        };
        let bodies = collector.bodies.clone();
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let bodies = bodies.clone();
                thread::spawn(move || take_all(connection, &bodies));
            }
        });
        collector
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn spans(&self) -> Vec<Span> {
        let mut spans = Vec::new();
        for body in self.bodies.lock().unwrap().iter() {
            for of_resource in messages(body, 1) {
                for of_scope in messages(of_resource, 2) {
                    spans.extend(messages(of_scope, 2).map(Span::read));
                }
            }
        }
        spans
    }

    /// What the sender says of itself, with its texts.
    pub(crate) fn resource(&self) -> HashMap<String, String> {
        let mut attributes = HashMap::new();
        for body in self.bodies.lock().unwrap().iter() {
            for resource in messages(body, 1).flat_map(|of_resource| messages(of_resource, 1)) {
                for attribute in messages(resource, 1) {
                    let value = messages(attribute, 2)
                        .flat_map(|value| messages(value, 1))
                        .map(text)
                        .collect();
                    attributes.insert(messages(attribute, 1).map(text).collect(), value);
                }
            }
        }
        attributes
    }
}

impl Span {
    fn read(message: &[u8]) -> Self {
        let id = |number| messages(message, number).map(hex).collect();
        Self {
            trace_id: id(1),
            span_id: id(2),
            parent_id: id(4),
            name: messages(message, 5).map(text).collect(),
            links: messages(message, 13)
                .map(|link| messages(link, 2).map(hex).collect())
                .collect(),
        }
    }
}

/// Answers each request of a connection with an empty `ExportTraceServiceResponse`.
fn take_all(connection: TcpStream, bodies: &Mutex<Vec<Vec<u8>>>) {
    let mut reader = BufReader::new(connection);
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match reader.read_until(b'\n', &mut head) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
        let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
        assert!(head.starts_with("post /v1/traces "), "{head}");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
        let mut body = vec![0; length.expect("a body has a length").trim().parse().unwrap()];
        reader.read_exact(&mut body).unwrap();
        bodies.lock().unwrap().push(body);
        let answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
        reader.get_mut().write_all(answer).unwrap();
    }
}

/// The length-delimited fields of this number in a protobuf message.
fn messages(message: &[u8], wanted: u64) -> impl Iterator<Item = &[u8]> {
    let mut rest = message;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let tag = varint(&mut rest);
            let length = match tag & 7 {
                0 => {
                    varint(&mut rest);
                    continue;
                }
                1 => 8,
                2 => varint(&mut rest) as usize,
                5 => 4,
                kind => panic!("protobuf has no wire type {kind}"),
            };
            let (value, after) = rest.split_at(length);
            rest = after;
            if tag >> 3 == wanted && tag & 7 == 2 {
                return Some(value);
            }
        }
        None
    })
}

fn varint(rest: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first().expect("a number ends");
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    value
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
