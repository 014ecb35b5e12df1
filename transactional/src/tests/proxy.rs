//! A way to the database that breaks when a test wants it to.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    Nothing = 0,
    /// The next commit never reaches the server.
    BeforeCommit = 1,
    /// The server commits, and its answer is lost.
    AfterCommit = 2,
    /// No connection gets through.
    Everything = 3,
}

#[derive(Clone)]
pub(super) struct Proxy {
    pub(super) address: String,
    cut: Arc<AtomicU8>,
}

impl Proxy {
    /// Forwards to a server (`host:port`).
    pub(super) async fn to(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Self {
            address: listener.local_addr().unwrap().to_string(),
            cut: Arc::default(),
        };
        let cut = proxy.cut.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if cut.load(Ordering::SeqCst) != Cut::Everything as u8 {
                    let server = TcpStream::connect(&server).await.unwrap();
                    tokio::spawn(forward(client, server, cut.clone()));
                }
            }
        });
        proxy
    }

    pub(super) fn cut(&self, cut: Cut) {
        self.cut.store(cut as u8, Ordering::SeqCst);
    }
}

async fn forward(mut client: TcpStream, mut server: TcpStream, cut: Arc<AtomicU8>) {
    let (mut asked, mut answered) = (vec![0; 65_536], vec![0; 65_536]);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Ok(read @ 1..) = read else { return };
                let commits = asked[..read].windows(7).any(|window| window == b"commit;");
                let now = cut.load(Ordering::SeqCst);
                if now == Cut::Everything as u8 {
                    return;
                }
                if commits && now == Cut::BeforeCommit as u8 {
                    cut.store(Cut::Nothing as u8, Ordering::SeqCst);
                    return;
                }
                if server.write_all(&asked[..read]).await.is_err() {
                    return;
                }
                if commits && now == Cut::AfterCommit as u8 {
                    let _ = server.read(&mut answered).await;
                    cut.store(Cut::Nothing as u8, Ordering::SeqCst);
                    return;
                }
            }
            read = server.read(&mut answered) => {
                let Ok(read @ 1..) = read else { return };
                if client.write_all(&answered[..read]).await.is_err() {
                    return;
                }
            }
        }
    }
}
