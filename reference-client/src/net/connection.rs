//! One connection from its dial to its end. It reports; what follows from that is the machine's affair.

use std::sync::Arc;
use std::time::Duration;

use protocol::CloseCode;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;

use super::dial::Dial;
use super::route::Route;
use super::socket::{Progress, Received, Socket};
use super::token::TokenProvider;
use reference_session::{ConnectionId, DialFailure, Input, SendKind, Token};

/// Longest time that a gateway may take to end the connection after its close.
const CLOSING: Duration = Duration::from_secs(1);

/// What the driver has a connection do.
#[derive(Debug)]
pub(super) enum ConnectionCommand {
    /// Dial with this token; whatever is asked for is moot.
    Dial(Token),
    /// Send a text message, and report it by [`Input::Written`].
    Send { text: String, kind: SendKind },
    /// Begin the closing handshake, or give up the dial.
    Close(CloseCode),
}

/// Asks for a token where there is a provider, dials, and lives until the end of the connection.
pub(super) async fn live<D: Dial>(
    id: ConnectionId,
    route: Route<D>,
    provider: Option<Arc<dyn TokenProvider>>,
    mut commands: mpsc::Receiver<ConnectionCommand>,
    inputs: mpsc::Sender<Input>,
) {
    let given_up = || Err(DialFailure::Other("given up".to_owned()));
    let outcome = match learn_token(id, provider, &mut commands, &inputs).await {
        Some(token) => tokio::select! {
            biased;
            // Until it is open, the only command for a connection is to give up.
            _ = commands.recv() => given_up(),
            outcome = route.open(&token) => outcome,
        },
        None => given_up(),
    };
    let last = match outcome {
        Ok(socket) => {
            if inputs.send(Input::Opened(id)).await.is_err() {
                return;
            }
            Input::Closed(id, converse(id, Socket::new(socket), &mut commands, &inputs).await)
        }
        Err(failure) => Input::DialFailed(id, failure),
    };
    // The driver may have ended.
    let _ = inputs.send(last).await;
}

/// The token to dial with, once the machine has named it; none where the dial is given up.
async fn learn_token(
    id: ConnectionId,
    provider: Option<Arc<dyn TokenProvider>>,
    commands: &mut mpsc::Receiver<ConnectionCommand>,
    inputs: &mpsc::Sender<Input>,
) -> Option<Token> {
    let asking = async {
        if let Some(provider) = provider {
            let answer = provider.token().await.map(Token::from).map_err(|error| error.to_string());
            // If the driver has ended, this task ends as well: its inbox closes.
            let _ = inputs.send(Input::Token(id, answer)).await;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        biased;
        command = commands.recv() => match command {
            Some(ConnectionCommand::Dial(token)) => Some(token),
            Some(ConnectionCommand::Send { .. } | ConnectionCommand::Close(_)) | None => None,
        },
        () = asking => None,
    }
}

/// Sends and receives until the end; answers the code of the first close frame, where there was one. Neither waits for the other
/// (IN-2).
async fn converse<S>(
    id: ConnectionId,
    mut socket: Socket<S>,
    commands: &mut mpsc::Receiver<ConnectionCommand>,
    inputs: &mpsc::Sender<Input>,
) -> Option<CloseCode>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut ours = None;
    loop {
        let Progress { written, received } = tokio::select! {
            biased;
            // One at a time: what has not been given to the socket can still go to the next connection (QUEUE-4).
            Some(command) = commands.recv(), if socket.is_writable() => {
                match command {
                    // It has been dialled.
                    ConnectionCommand::Dial(_) => {}
                    ConnectionCommand::Send { text, kind } => socket.send(text, kind).await,
                    ConnectionCommand::Close(code) => {
                        ours = Some(code);
                        socket.close(code).await;
                    }
                }
                continue;
            }
            progress = socket.next() => progress,
        };
        if let Some(kind) = written
            && inputs.send(Input::Written(id, kind)).await.is_err()
        {
            return ours;
        }
        match received {
            Some(Received::Text(text)) => {
                if inputs.send(Input::Text(id, text)).await.is_err() {
                    return ours;
                }
            }
            Some(Received::Close(code)) => {
                // A gateway that keeps the socket open has closed it all the same.
                let _ = tokio::time::timeout(CLOSING, finish(id, &mut socket, inputs)).await;
                return ours.or(code);
            }
            Some(Received::End) => return ours,
            Some(Received::Other) | None => {}
        }
    }
}

/// Lets out the answer to a close, and what stands before it, up to the end.
async fn finish<S>(id: ConnectionId, socket: &mut Socket<S>, inputs: &mpsc::Sender<Input>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        let Progress { written, received } = socket.next().await;
        if let Some(kind) = written
            && inputs.send(Input::Written(id, kind)).await.is_err()
        {
            return;
        }
        if received == Some(Received::End) {
            return;
        }
    }
}
