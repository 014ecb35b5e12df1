//! One connection, message by message. The library reads and writes them; how long and how much it waits for is ours.

use super::{
    Postgres,
    error::{fatal, stopping},
};
use crate::{problem::Problem, tools::Connection};
use futures::{SinkExt, StreamExt};
use pgwire::{
    api::{ClientInfo, DefaultClient, PgWireConnectionState},
    messages::{
        PgWireBackendMessage, PgWireFrontendMessage, SslNegotiationMetaMessage,
        response::{GssEncResponse, SslResponse},
    },
    tokio::server::{PgWireMessageServerCodec, process_error, process_message},
};
use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::timeout,
};
use tokio_util::{codec::Framed, sync::CancellationToken};

/// A query has a few kilobytes, and its values not much more. What announces more would be kept until it is complete.
const MESSAGE_BYTES: usize = 256 << 10;
/// Pools keep connections for hours, and nobody needs one that has been quiet for so long.
const IDLE: Duration = Duration::from_secs(2 * 3600);
/// Longer than a query may wait and run: then whoever should read its rows doesn't.
const STATEMENT: Duration = Duration::from_secs(120);

type Socket = Framed<Bounded, PgWireMessageServerCodec<super::prepared::Prepared>>;

pub(super) async fn run(connection: Connection, postgres: Arc<Postgres>, stop: CancellationToken) -> io::Result<()> {
    let Connection { stream, peer, guest } = connection;
    let stream = Arc::new(stream);
    let codec = PgWireMessageServerCodec::new(DefaultClient::new(peer, false));
    let bounded = Bounded {
        stream: Arc::clone(&stream),
        read: 0,
    };
    let mut socket = Framed::new(bounded, codec);
    let logged_in = tokio::select! {
        logged_in = log_in(&mut socket, &postgres) => logged_in?,
        () = guest.shown_out() => false,
    };
    if !logged_in {
        return Ok(());
    }
    serve(&mut socket, &stream, &postgres, &stop).await
}

/// Up to the first statement; whether there will be one.
async fn log_in(socket: &mut Socket, postgres: &Arc<Postgres>) -> io::Result<bool> {
    while !matches!(socket.state(), PgWireConnectionState::ReadyForQuery) {
        let Some(message) = socket.next().await else {
            return Ok(false);
        };
        let message = message.map_err(io::Error::other)?;
        if let PgWireFrontendMessage::SslNegotiation(asked) = message {
            negotiate(socket, &asked).await?;
        } else if !answer(socket, postgres, message).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// No encryption here; the client may go on without, or not.
async fn negotiate(socket: &mut Socket, asked: &SslNegotiationMetaMessage) -> io::Result<()> {
    match asked {
        SslNegotiationMetaMessage::PostgresSsl(_) => {
            let no = PgWireBackendMessage::SslResponse(SslResponse::Refuse);
            socket.send(no).await
        }
        SslNegotiationMetaMessage::PostgresGss(_) => {
            let no = PgWireBackendMessage::GssEncResponse(GssEncResponse::Refuse);
            socket.send(no).await
        }
        SslNegotiationMetaMessage::None => {
            socket.set_state(PgWireConnectionState::AwaitingStartup);
            Ok(())
        }
    }
}

async fn serve(
    socket: &mut Socket,
    stream: &TcpStream,
    postgres: &Arc<Postgres>,
    stop: &CancellationToken,
) -> io::Result<()> {
    loop {
        socket.get_mut().read = 0;
        let message = tokio::select! {
            () = stop.cancelled() => return process_error(socket, stopping(), false).await,
            message = timeout(IDLE, socket.next()) => message?,
        };
        let Some(message) = message else {
            return Ok(());
        };
        let message = match message {
            Ok(PgWireFrontendMessage::Terminate(_)) => return Ok(()),
            Ok(message) => message,
            Err(broken) => {
                let broken = Problem::new("invalid_body", broken.to_string());
                return process_error(socket, fatal(broken), false).await;
            }
        };
        let goes_on = tokio::select! {
            goes_on = timeout(STATEMENT, answer(socket, postgres, message)) => goes_on??,
            () = gone(stream) => false,
        };
        if !goes_on {
            return Ok(());
        }
    }
}

/// Until the client has hung up: what it asked for need not be computed any more.
async fn gone(stream: &TcpStream) {
    while matches!(stream.peek(&mut [0]).await, Ok(1)) {
        // It has said more already, and what comes after that can't be seen.
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Whether the connection goes on.
async fn answer(socket: &mut Socket, postgres: &Arc<Postgres>, message: PgWireFrontendMessage) -> io::Result<bool> {
    let is_cancel = matches!(message, PgWireFrontendMessage::CancelRequest(_));
    let extended = message.is_extended_query();
    let handlers = (postgres.clone(), postgres.clone(), postgres.clone());
    let cancels = Arc::new(postgres.cancels.clone());
    let nothing = Arc::new(pgwire::api::NoopHandler);
    let done = process_message(message, socket, handlers.0, handlers.1, handlers.2, nothing, cancels).await;
    let Err(failed) = done else {
        return Ok(!is_cancel);
    };
    let goes_on = !failed.is_fatal();
    process_error(socket, failed, extended).await?;
    Ok(goes_on && !is_cancel)
}

/// A stream that ends a connection when one message takes more than its share.
pub(super) struct Bounded {
    stream: Arc<TcpStream>,
    read: usize,
}

impl AsyncRead for Bounded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.read > MESSAGE_BYTES {
            return Poll::Ready(Err(io::Error::other("a message has at most 256 KiB")));
        }
        loop {
            ready!(self.stream.poll_read_ready(context))?;
            match self.stream.try_read(buffer.initialize_unfilled()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => {
                    let read = read?;
                    buffer.advance(read);
                    self.read += read;
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }
}

impl AsyncWrite for Bounded {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.stream.poll_write_ready(context))?;
            match self.stream.try_write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// The stream is closed when the last who has it lets go.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
