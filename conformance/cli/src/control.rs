//! A small HTTP interface beside a program that runs: how tests in any language read its state and change it.
//!
//! `GET /` answers with the state; `PUT /PART` with a JSON value changes a part, and answers with the state then. What is wrong with a request
//! is said in `{"error": …}`.

use std::convert::Infallible;
use std::fmt::Write;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Longest body of a request.
const MAX_BODY_BYTES: usize = 64 * 1024;
/// How long a request's head may take.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// Connections at once; the next one waits.
const CONNECTIONS: usize = 64;
/// How long to wait after the system refused to accept a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What can be read and changed.
pub(crate) trait Control: Send + Sync + 'static {
    /// The parts that can be changed.
    const PARTS: &'static [&'static str];

    /// What there is now.
    fn state(&self) -> impl Future<Output = Result<Value, String>> + Send;

    /// Changes a part, one of [`Self::PARTS`].
    ///
    /// # Errors
    /// What is wrong with the value.
    fn change(&self, part: &str, value: Value) -> impl Future<Output = Result<(), String>> + Send;
}

/// Serves until it is dropped.
pub(crate) async fn serve(listener: TcpListener, control: Arc<impl Control>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    // Connections end with the task that holds them.
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let control = Arc::clone(&control);
        connections.spawn(async move {
            let _place = place;
            let service = service_fn(move |request| {
                let control = Arc::clone(&control);
                async move { Ok::<_, Infallible>(answer(request, &*control).await) }
            });
            let mut http = hyper::server::conn::http1::Builder::new();
            let http = http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME);
            // A connection that breaks is its peer's affair.
            drop(http.serve_connection(TokioIo::new(stream), service).await);
        });
    }
}

async fn answer<C: Control>(request: Request<Incoming>, control: &C) -> Response<Full<Bytes>> {
    let path = request.uri().path().trim_matches('/').to_owned();
    let known = C::PARTS.iter().find(|part| **part == path);
    match (request.method(), path.is_empty(), known) {
        (&Method::GET, true, _) => state(control).await,
        (&Method::PUT, _, Some(part)) => match changed(request, control, part).await {
            Ok(()) => state(control).await,
            Err(error) => reply(StatusCode::BAD_REQUEST, &json!({ "error": error })),
        },
        (_, is_state, part) if is_state || part.is_some() => {
            let method = if is_state { "GET" } else { "PUT" };
            let error = json!({ "error": format!("/{path} takes {method}") });
            let mut refusal = reply(StatusCode::METHOD_NOT_ALLOWED, &error);
            refusal.headers_mut().insert(ALLOW, HeaderValue::from_static(method));
            refusal
        }
        (..) => {
            let mut there_is = "there is GET /".to_owned();
            for part in C::PARTS {
                let _ = write!(there_is, ", PUT /{part}");
            }
            reply(StatusCode::NOT_FOUND, &json!({ "error": there_is }))
        }
    }
}

async fn changed<C: Control>(request: Request<Incoming>, control: &C, part: &str) -> Result<(), String> {
    let body = Limited::new(request.into_body(), MAX_BODY_BYTES).collect().await;
    let body = body.map_err(|error| format!("the body: {error}"))?.to_bytes();
    let value = serde_json::from_slice(&body).map_err(|error| format!("the body is no JSON: {error}"))?;
    control.change(part, value).await
}

async fn state(control: &impl Control) -> Response<Full<Bytes>> {
    match control.state().await {
        Ok(state) => reply(StatusCode::OK, &state),
        Err(error) => reply(StatusCode::INTERNAL_SERVER_ERROR, &json!({ "error": error })),
    }
}

fn reply(status: StatusCode, body: &Value) -> Response<Full<Bytes>> {
    let mut reply = Response::new(Full::new(Bytes::from(format!("{body}\n"))));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    reply
}

/// Prints lines to standard output for the program that started this one.
pub(crate) fn announce(lines: &[String]) -> io::Result<()> {
    use io::Write;
    let mut out = io::stdout().lock();
    lines.iter().try_for_each(|line| writeln!(out, "{line}"))?;
    out.flush()
}
