//! One connection from its dial to its end. It reports; what follows from that is the machine's affair.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use protocol::CloseCode;
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use super::dial::Dial;
use super::route::Route;
use super::token::TokenProvider;
use reference_session::{ConnectionId, DialFailure, Input, Token};

/// Longest time that a gateway may take to end the connection after its close.
const CLOSING: Duration = Duration::from_secs(1);

/// What a connection is told to do.
#[derive(Debug)]
pub(super) enum Task {
    /// Dial with this token; whatever is asked for is moot.
    Dial(Token),
    /// Send a text message; `report` asks for [`Input::Written`].
    Send { text: String, report: bool },
    /// Begin the closing handshake, or give up the dial.
    Close(CloseCode),
}

/// Asks for a token where there is a provider, dials, and lives until the end of the connection.
pub(super) async fn live<D: Dial>(
    id: ConnectionId,
    route: Route<D>,
    provider: Option<Arc<dyn TokenProvider>>,
    mut tasks: mpsc::Receiver<Task>,
    inputs: mpsc::Sender<Input>,
) {
    let given_up = || Err(DialFailure::Other("given up".to_owned()));
    let outcome = match learn_token(id, provider, &mut tasks, &inputs).await {
        Some(token) => tokio::select! {
            biased;
            // Before it is open a connection is told nothing but to give up.
            _ = tasks.recv() => given_up(),
            outcome = route.open(&token) => outcome,
        },
        None => given_up(),
    };
    let last = match outcome {
        Ok(socket) => {
            if inputs.send(Input::Opened(id)).await.is_err() {
                return;
            }
            Input::Closed(id, converse(id, socket, &mut tasks, &inputs).await)
        }
        Err(failure) => Input::DialFailed(id, failure),
    };
    // Where the driver is gone, nobody needs to know.
    let _ = inputs.send(last).await;
}

/// The token to dial with, once the machine has named it; none where the dial is given up.
async fn learn_token(
    id: ConnectionId,
    provider: Option<Arc<dyn TokenProvider>>,
    tasks: &mut mpsc::Receiver<Task>,
    inputs: &mpsc::Sender<Input>,
) -> Option<Token> {
    let asking = async {
        if let Some(provider) = provider {
            let answer = provider.token().await.map(Token::from).map_err(|error| error.to_string());
            // Where the driver is gone, this task ends with its inbox.
            let _ = inputs.send(Input::Token(id, answer)).await;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        biased;
        task = tasks.recv() => match task {
            Some(Task::Dial(token)) => Some(token),
            Some(Task::Send { .. } | Task::Close(_)) | None => None,
        },
        () = asking => None,
    }
}

/// Sends and receives until the end; answers the code of the first close frame, where there was one.
async fn converse<S>(
    id: ConnectionId,
    mut socket: WebSocketStream<S>,
    tasks: &mut mpsc::Receiver<Task>,
    inputs: &mpsc::Sender<Input>,
) -> Option<CloseCode>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let mut ours = None;
    loop {
        tokio::select! {
            biased;
            Some(task) = tasks.recv() => match task {
                // It has been dialled.
                Task::Dial(_) => {}
                Task::Send { text, report } => {
                    if socket.send(Message::text(text)).await.is_err() {
                        return ours;
                    }
                    if report && inputs.send(Input::Written(id)).await.is_err() {
                        return ours;
                    }
                }
                Task::Close(code) => {
                    ours = Some(code);
                    let frame = CloseFrame { code: code.0.into(), reason: "".into() };
                    if socket.close(Some(frame)).await.is_err() {
                        return ours;
                    }
                }
            },
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => {
                    if inputs.send(Input::Text(id, text.as_str().to_owned())).await.is_err() {
                        return ours;
                    }
                }
                Some(Ok(Message::Close(frame))) => {
                    let code = frame.map(|frame| CloseCode(frame.code.into()));
                    // tungstenite answers the close; reading on lets that answer out and sees the end.
                    let end = async { while let Some(Ok(_)) = socket.next().await {} };
                    // A gateway that keeps the socket open has said goodbye all the same.
                    let _ = tokio::time::timeout(CLOSING, end).await;
                    return ours.or(code);
                }
                // tungstenite answers pings; binary messages are nothing to this client (IN-1).
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return ours,
            },
        }
    }
}
