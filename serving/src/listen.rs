//! HTTP over TCP: connections as they come, and how long one is kept on which nothing is asked.

use axum::{Router, extract::ConnectInfo, serve::Listener};
use hyper::{
    Request,
    body::Incoming,
    service::{Service, service_fn},
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use std::{
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    time::sleep,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long the next request's head may take. Proxies keep a connection that they don't use for a minute; where we
/// close it first, a request that is on its way is lost.
pub(crate) const PATIENCE: Duration = Duration::from_secs(75);

/// Answers until it is told to stop, and lets requests that run end.
pub(crate) async fn serve(mut listener: TcpListener, router: Router, patience: Duration, stop: CancellationToken) {
    let mut http = Builder::new(TokioExecutor::new());
    http.http1().timer(TokioTimer::new()).header_read_timeout(patience);
    let open = TaskTracker::new();
    loop {
        let (stream, peer) = tokio::select! {
            connection = Listener::accept(&mut listener) => connection,
            () = stop.cancelled() => break,
        };
        // Answers are small and complete: waiting to join them into larger packets would only delay them.
        let _ = stream.set_nodelay(true);
        let (http, router, stop) = (http.clone(), router.clone(), stop.clone());
        open.spawn(async move { answer(&http, stream, peer, router, patience, stop).await });
    }
    drop(listener);
    open.close();
    open.wait().await;
}

async fn answer(
    http: &Builder<TokioExecutor>,
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    patience: Duration,
    stop: CancellationToken,
) {
    let asked = Arc::new(AtomicBool::new(false));
    let (asks, router) = (Arc::clone(&asked), TowerToHyperService::new(router));
    let service = service_fn(move |mut request: Request<Incoming>| {
        asks.store(true, Ordering::Relaxed);
        request.extensions_mut().insert(ConnectInfo(peer));
        router.call(request)
    });
    let mut connection = pin!(http.serve_connection_with_upgrades(TokioIo::new(stream), service));
    let mut late = pin!(sleep(patience));
    let mut stopping = false;
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::trace!(%error, "a connection broke");
                }
                return;
            }
            // The library's own limit begins when it knows which HTTP is spoken.
            () = late.as_mut(), if !late.is_elapsed() => {
                if !asked.load(Ordering::Relaxed) {
                    return;
                }
            }
            () = stop.cancelled(), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{
        body::{Body, Bytes},
        routing::get,
    };
    use futures::stream;
    use std::convert::Infallible;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        task::JoinHandle,
        time::timeout,
    };

    const SHORT: Duration = Duration::from_millis(300);
    const LONG: Duration = Duration::from_secs(20);
    const ASK: &str = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";
    const ASK_FOR_MUCH: &str = "GET /slow HTTP/1.1\r\nhost: x\r\n\r\n";

    /// A server with an answer that takes longer than it waits for requests.
    async fn start() -> (SocketAddr, CancellationToken, JoinHandle<()>) {
        let slow = async || {
            Body::from_stream(stream::unfold(0, |part| async move {
                sleep(SHORT / 2).await;
                (part < 5).then_some((Ok::<_, Infallible>(Bytes::from("part ")), part + 1))
            }))
        };
        let peer = async |ConnectInfo(peer): ConnectInfo<SocketAddr>| peer.to_string();
        let router = Router::new().route("/", get(peer)).route("/slow", get(slow));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        let serving = tokio::spawn(serve(listener, router, SHORT, stop.clone()));
        (address, stop, serving)
    }

    async fn send(address: SocketAddr, text: &str) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        stream
    }

    /// What comes until the server closes the connection.
    async fn all(stream: &mut TcpStream) -> String {
        let mut said = Vec::new();
        // It may also be reset, where more was sent than read.
        let _ = timeout(LONG, stream.read_to_end(&mut said))
            .await
            .expect("it is closed");
        String::from_utf8(said).unwrap()
    }

    #[tokio::test]
    async fn a_connection_on_which_no_request_is_completed_is_closed() {
        let (address, ..) = start().await;
        let begun = "GET / HTTP/1.1\r\nHost: x\r\nX-a: ";
        for text in ["", "PRI * HT", begun, ASK, &format!("{ASK}{begun}")] {
            let mut stream = send(address, text).await;
            let answered = text.starts_with(ASK);
            let (said, own) = (all(&mut stream).await, stream.local_addr().unwrap());
            assert_eq!(said.starts_with("HTTP/1.1 200"), answered, "{text:?}: {said}");
            assert_eq!(said.contains(&own.to_string()), answered, "{text:?}: {said}");
        }
    }

    #[tokio::test]
    async fn an_answer_may_take_longer_than_a_request_and_ends_before_the_server() {
        let (address, stop, serving) = start().await;
        for stops in [false, true] {
            let mut stream = send(address, ASK_FOR_MUCH).await;
            let mut first = [0; 12];
            stream.read_exact(&mut first).await.unwrap();
            if stops {
                stop.cancel();
            }
            let rest = all(&mut stream).await;
            assert_eq!(rest.matches("part ").count(), 5, "{rest}");
        }
        timeout(LONG, serving).await.expect("it stops").unwrap();
        assert!(TcpStream::connect(address).await.is_err());
    }
}
