//! A TCP proxy that can be told to fail as networks do.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// How soon a connection notices that the mode has changed.
const TICK: Duration = Duration::from_millis(20);
/// A connection of this machine may have a port for a moment that nobody else wants.
const LISTEN: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Mode {
    Pass,
    /// Connections break, and new ones are closed at once.
    Cut,
    /// Connections stay, and nothing moves in either direction.
    Stall,
    /// Requests arrive and are carried out, but their answers do not: the connection breaks instead.
    LoseAnswers,
}

const MODES: [Mode; 4] = [Mode::Pass, Mode::Cut, Mode::Stall, Mode::LoseAnswers];

/// Listens for as long as it lives; its end is a cut.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    mode: Arc<AtomicU8>,
    ended: Arc<AtomicBool>,
}

impl Proxy {
    /// On a port of its own.
    pub fn before(target: SocketAddr) -> Self {
        Self::start(TcpListener::bind("127.0.0.1:0").expect("there is a port"), target)
    }

    /// At an address that the server tells its clients.
    pub fn at(address: SocketAddr, target: SocketAddr) -> Self {
        let began = Instant::now();
        loop {
            match TcpListener::bind(address) {
                Ok(listener) => return Self::start(listener, target),
                Err(error) => assert!(began.elapsed() < LISTEN, "{address} can't be listened at: {error}"),
            }
            thread::sleep(TICK);
        }
    }

    fn start(listener: TcpListener, target: SocketAddr) -> Self {
        let address = listener.local_addr().expect("it has an address");
        let mode = Arc::new(AtomicU8::new(Mode::Pass as u8));
        let ended = Arc::new(AtomicBool::new(false));
        let (shared, at_end) = (Arc::clone(&mode), Arc::clone(&ended));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if at_end.load(Ordering::SeqCst) {
                    return;
                }
                if now(&shared) == Mode::Cut {
                    continue;
                }
                if let Ok(server) = TcpStream::connect(target) {
                    forward(&client, &server, &shared, false);
                    forward(&server, &client, &shared, true);
                }
            }
        });
        Self { address, mode, ended }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn set(&self, mode: Mode) {
        self.mode.store(mode as u8, Ordering::SeqCst);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.set(Mode::Cut);
        self.ended.store(true, Ordering::SeqCst);
        // The listener waits for a connection before it looks up.
        let _ = TcpStream::connect(self.address);
    }
}

fn now(mode: &AtomicU8) -> Mode {
    MODES[usize::from(mode.load(Ordering::SeqCst)) % MODES.len()]
}

fn forward(from: &TcpStream, to: &TcpStream, mode: &Arc<AtomicU8>, answers: bool) {
    let (Ok(mut from), Ok(mut to)) = (from.try_clone(), to.try_clone()) else {
        return;
    };
    let mode = Arc::clone(mode);
    thread::spawn(move || {
        let _ = from.set_read_timeout(Some(TICK));
        let _ = to.set_nodelay(true);
        let mut buffer = [0; 64 << 10];
        loop {
            match now(&mode) {
                Mode::Cut => break,
                Mode::Stall => {
                    thread::sleep(TICK);
                    continue;
                }
                Mode::Pass | Mode::LoseAnswers => {}
            }
            let read = match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => continue,
                Err(_) => break,
            };
            while now(&mode) == Mode::Stall {
                thread::sleep(TICK);
            }
            let lost = match now(&mode) {
                Mode::Cut => true,
                Mode::LoseAnswers => answers,
                Mode::Pass | Mode::Stall => false,
            };
            if lost || to.write_all(&buffer[..read]).is_err() {
                break;
            }
        }
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that counts what it gets and answers each byte with its successor.
    fn echo() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for mut client in listener.incoming().flatten() {
                thread::spawn(move || {
                    let mut byte = [0];
                    while client.read_exact(&mut byte).is_ok() && client.write_all(&[byte[0] + 1]).is_ok() {}
                });
            }
        });
        address
    }

    fn ask(client: &mut TcpStream) -> std::io::Result<u8> {
        client.write_all(&[1])?;
        let mut answer = [0];
        client.read_exact(&mut answer).map(|()| answer[0])
    }

    #[test]
    fn it_passes_cuts_stalls_and_loses_answers_as_it_is_told() {
        let proxy = Proxy::before(echo());
        let connect = || {
            let client = TcpStream::connect(proxy.address()).unwrap();
            client.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
            client
        };
        let mut client = connect();
        assert_eq!(ask(&mut client).unwrap(), 2);
        proxy.set(Mode::Stall);
        thread::sleep(2 * TICK);
        let stalled = ask(&mut client).unwrap_err().kind();
        assert!(
            matches!(stalled, ErrorKind::WouldBlock | ErrorKind::TimedOut),
            "{stalled}"
        );
        proxy.set(Mode::Pass);
        let mut late = [0];
        client.read_exact(&mut late).unwrap();
        assert_eq!(late[0], 2, "what was stalled arrives later");
        proxy.set(Mode::LoseAnswers);
        assert!(ask(&mut client).is_err());
        proxy.set(Mode::Cut);
        thread::sleep(2 * TICK);
        assert!(ask(&mut connect()).is_err());
        proxy.set(Mode::Pass);
        let mut open = connect();
        assert_eq!(ask(&mut open).unwrap(), 2);
        drop(proxy);
        assert!(ask(&mut open).is_err(), "the end of the proxy is a cut");
    }
}
