//! An HTTP server that takes webhooks: it remembers what came, and answers by the path's first word.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

/// Listens until the process ends.
#[derive(Debug)]
pub struct Receiver {
    address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
}

#[derive(Clone, Debug)]
pub struct Received {
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Received {
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(found, _)| found == name);
        found.map_or("", |(_, value)| value)
    }
}

impl Receiver {
    #[expect(clippy::new_without_default, reason = "a value that listens is no default")]
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let received = Arc::new(Mutex::new(Vec::new()));
        let into = received.clone();
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let into = into.clone();
                // A client that goes away is its own affair.
                thread::spawn(move || serve(connection, &into).ok());
            }
        });
        Self { address, received }
    }

    /// `/ok`, `/fail`, `/flaky` (fails once for each id), `/slow`, `/redirect` and `/gone` do what they say.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn received(&self, path: &str) -> Vec<Received> {
        let received = self.received.lock().expect("no thread panics with it");
        received.iter().filter(|one| one.path == path).cloned().collect()
    }
}

fn serve(connection: TcpStream, received: &Mutex<Vec<Received>>) -> io::Result<()> {
    let mut from = BufReader::new(connection);
    loop {
        let mut line = String::new();
        if from.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            from.read_line(&mut line)?;
            match line.trim_end().split_once(':') {
                Some((name, value)) => headers.push((name.to_ascii_lowercase(), value.trim().to_owned())),
                None => break,
            }
        }
        let mut request = Received {
            path,
            headers,
            body: String::new(),
        };
        let length = request.header("content-length").parse().unwrap_or(0);
        from.by_ref().take(length).read_to_string(&mut request.body)?;
        let (path, id) = (request.path.clone(), request.header("webhook-id").to_owned());
        let seen = {
            let mut received = received.lock().expect("no thread panics with it");
            let seen = received.iter().any(|one| one.header("webhook-id") == id);
            received.push(request);
            seen
        };
        let answer = match path.split('/').nth(1).unwrap_or_default() {
            "fail" => "500 Internal Server Error\r\n",
            "flaky" if !seen => "503 Service Unavailable\r\n",
            "redirect" => "302 Found\r\nlocation: /trap\r\n",
            "gone" => "410 Gone\r\n",
            "slow" => {
                thread::sleep(Duration::from_secs(20));
                "200 OK\r\n"
            }
            _ => "204 No Content\r\n",
        };
        from.get_mut()
            .write_all(format!("HTTP/1.1 {answer}content-length: 0\r\n\r\n").as_bytes())?;
    }
}
