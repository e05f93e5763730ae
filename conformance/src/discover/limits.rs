//! What one connection may do: the bytes of a message, and how many rooms. Only what is less than usual is looked for: a case that keeps to the
//! usual limits would be blamed on it.

use std::time::Duration;

use super::candidates::Person;
use super::form;
use super::protocols::asked;
use super::sign_in::{Dialer, Entry};
use super::socket::{Seen, Socket};
use super::talk::{Exchange, ask};

/// The usual limits (MSG-5, ROOM-5).
const USUAL_BYTES: usize = 64 * 1024;
const USUAL_ROOMS: usize = 100;
/// Shortest message that may be too long.
const FEWEST_BYTES: usize = 1024;
/// The close that refuses a message for its length (RFC 6455 section 7.4.1).
const TOO_BIG: u16 = 1009;
/// How many rooms are asked for at once, and how long the answers may take: few enough for most limits on messages.
const AT_ONCE: usize = 10;
const ANSWERED_WITHIN: Duration = Duration::from_millis(250);
/// After which a limit on messages a second has passed.
const A_SECOND: Duration = Duration::from_millis(1100);

/// What was seen of limits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObservedLimits {
    /// The longest message that does not end its connection with 1009, where that is shorter than the usual.
    pub message_bytes: Option<usize>,
    /// How many rooms were granted beside a connection's own, where the next one was refused, and how that was.
    pub rooms: Option<(usize, Exchange)>,
}

/// Looks for both; rooms are asked for in this shape, which has been granted by this answer.
pub(super) async fn observe(dialer: &Dialer, entry: &Entry, shape: Option<(&str, &str)>) -> ObservedLimits {
    let rooms = match shape {
        Some(shape) => rooms(dialer, entry, shape).await,
        None => None,
    };
    ObservedLimits { message_bytes: message_bytes(dialer, entry).await, rooms }
}

async fn message_bytes(dialer: &Dialer, entry: &Entry) -> Option<usize> {
    if !is_too_long(dialer, entry, USUAL_BYTES).await {
        return None;
    }
    let (mut accepted, mut refused) = (USUAL_BYTES / 2, USUAL_BYTES);
    while is_too_long(dialer, entry, accepted).await {
        (accepted, refused) = (accepted / 2, accepted);
        if accepted < FEWEST_BYTES {
            return None;
        }
    }
    // Most limits are powers of two.
    if is_too_long(dialer, entry, accepted + 1).await {
        return Some(accepted);
    }
    accepted += 1;
    while refused - accepted > 1 {
        let middle = accepted.midpoint(refused);
        if is_too_long(dialer, entry, middle).await { refused = middle } else { accepted = middle }
    }
    Some(accepted)
}

/// Whether a message of so many bytes ends its connection for that.
async fn is_too_long(dialer: &Dialer, entry: &Entry, bytes: usize) -> bool {
    let Ok(mut opened) = dialer.open(entry, Person::Owner).await else { return false };
    let message = |padding: &str| {
        format!(r#"{{"type":"gatecheck:nonsense","action":"gatecheck:nonsense","pad":"{padding}"}}"#)
    };
    let padding = "x".repeat(bytes.saturating_sub(message("").len()));
    ask(&mut opened.socket, &message(&padding)).await.closed == Some(Some(TOO_BIG))
}

/// Asks for one room after another, in a shape that has been granted by such an answer.
async fn rooms(dialer: &Dialer, entry: &Entry, (shape, granted): (&str, &str)) -> Option<(usize, Exchange)> {
    let mut socket = dialer.open(entry, Person::Owner).await.ok()?.socket;
    let room = |number: usize| format!("gatecheck-{number}-x");
    let grants = |answer: &str| form::kind(answer) == form::kind(granted) && !form::is_error(answer);
    for first in (0..=USUAL_ROOMS).step_by(AT_ONCE) {
        for number in first..first + AT_ONCE {
            socket.send(&asked(shape, &room(number), &format!("gcl-{number}"))).await;
        }
        let answers = answers(&mut socket).await?;
        let is_granted =
            |number: &usize| answers.iter().any(|answer| answer.contains(&room(*number)) && grants(answer));
        let Some(refused) = (first..first + AT_ONCE).find(|number| !is_granted(number)) else { continue };
        // One that is refused for its haste is granted later.
        socket.listen(A_SECOND, A_SECOND).await;
        let exchange = ask(&mut socket, &asked(shape, &room(refused), "gcl-again")).await;
        let is_refused = exchange.answer.as_deref().is_some_and(|answer| !grants(answer));
        return (is_refused && refused < USUAL_ROOMS).then_some((refused, exchange));
    }
    None
}

/// The texts that answer what was sent together; none where the connection ends over it.
async fn answers(socket: &mut Socket) -> Option<Vec<String>> {
    let seen = socket.listen(ANSWERED_WITHIN, ANSWERED_WITHIN).await;
    if socket.is_over() {
        return None;
    }
    let texts = seen.into_iter().filter_map(|seen| match seen {
        Seen::Text(text) => Some(text),
        _ => None,
    });
    Some(texts.collect())
}
