//! What a gateway says of itself and in answer: its welcome, pongs, errors, and acknowledgements of each shape of request.

use std::time::Duration;

use super::candidates::{JOIN, JUNK, Person, VERBS};
use super::form::{is_error, key_of_kind, kind};
use super::limits::{self, ObservedLimits};
use super::protocols::{Protocol, asked};
use super::rooms::NamedRooms;
use super::sign_in::{Dialer, Entry, Opened};
use super::socket::{Seen, Socket};
use super::{Hints, Progress, graphql};

/// How long an answer may take.
const ANSWERS_WITHIN: Duration = Duration::from_millis(250);
/// How long a gateway may be silent before its answer is complete.
const QUIET: Duration = Duration::from_millis(60);

/// An answer to something that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// What was sent.
    pub sent: String,
    /// The text that came back; none where the connection was closed.
    pub answer: Option<String>,
    /// The code of the close that came back, where one did.
    pub closed: Option<Option<u16>>,
}

/// A shape of request to join, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The request, with `{room}`.
    pub shape: String,
    /// Its answer.
    pub answer: RequestAnswer,
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestAnswer {
    /// An answer that names the room.
    Acknowledged(String),
    /// An answer that does not name it, and refuses nothing.
    Answered(String),
    /// An error.
    Refused(String),
    /// The end of the connection.
    Closed,
    /// Nothing.
    Silence,
}

/// What was heard.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Talk {
    /// The protocol that it speaks, where it is one that is known.
    pub protocol: Option<Protocol>,
    /// What comes first on a connection.
    pub first: Vec<String>,
    /// The answer to a ping message.
    pub pong: Option<Exchange>,
    /// Answers to what no gateway understands.
    pub junk: Vec<Exchange>,
    /// Each shape of request that was tried.
    pub requests: Vec<Request>,
    /// A request for another user's room, and its answer.
    pub private: Option<(String, Exchange)>,
    /// The answer to a request for a room without a name.
    pub nameless: Option<Exchange>,
    /// What one connection may do.
    pub limits: ObservedLimits,
}

impl Request {
    /// Whether it was granted, or is not known to be refused.
    pub(super) fn may_be_understood(&self) -> bool {
        match &self.answer {
            RequestAnswer::Acknowledged(_) | RequestAnswer::Answered(_) | RequestAnswer::Silence => true,
            RequestAnswer::Refused(_) | RequestAnswer::Closed => false,
        }
    }
}

impl Talk {
    /// The first answer that refuses junk by a message. What is called otherwise than an error may be one all the same.
    pub(super) fn error(&self) -> Option<&str> {
        let answers = || self.junk.iter().filter_map(|exchange| exchange.answer.as_deref());
        answers().find(|answer| is_error(answer)).or_else(|| answers().next())
    }

    /// Whether an answer refuses something: what answers junk refuses that.
    fn refuses(&self, answer: &str) -> bool {
        let is_of_junk = || {
            let of_junk = self.junk.iter().filter_map(|exchange| kind(exchange.answer.as_deref()?));
            let own = kind(answer);
            own.is_some() && of_junk.into_iter().any(|kind| Some(kind) == own)
        };
        is_error(answer) || is_of_junk()
    }

    /// Whether messages of its first shape are acknowledged.
    pub(super) fn acknowledged(&self) -> impl Iterator<Item = (&str, &str)> {
        self.requests.iter().filter_map(|request| match &request.answer {
            RequestAnswer::Acknowledged(answer) => Some((request.shape.as_str(), answer.as_str())),
            _ => None,
        })
    }
}

/// Listens, and tries each question.
pub(super) async fn observe(
    dialer: &Dialer,
    entry: &Entry,
    room: &str,
    hints: &Hints,
    progress: &Progress<'_>,
) -> Talk {
    let mut talk = Talk { protocol: entry.protocol().filter(|_| !hints.checks()), ..Talk::default() };
    progress("frames: the first ones");
    let Some((mut socket, first)) = opened(dialer, entry).await else { return talk };
    talk.first = first;
    progress("frames: answers to what no gateway understands");
    for junk in JUNK {
        if !reopen(&mut socket, dialer, entry).await {
            return talk;
        }
        let exchange = ask(&mut socket, junk).await;
        if exchange.answer.is_some() || exchange.closed.is_some() {
            talk.junk.push(exchange);
        }
    }
    progress("frames: a ping message");
    let key = talk.first.first().and_then(|first| key_of_kind(first));
    for ping in hints.pings(key.as_deref()) {
        if !reopen(&mut socket, dialer, entry).await {
            return talk;
        }
        let exchange = ask(&mut socket, &ping.replace("{ref}", "gc-ping")).await;
        if exchange.answer.as_deref().is_some_and(|answer| !talk.refuses(answer)) {
            talk.protocol = talk.protocol.or(Protocol::of_ping(&ping)).filter(|_| !hints.checks());
            talk.pong = Some(exchange);
            break;
        }
    }
    let shapes = match talk.protocol {
        Some(protocol) => {
            progress(&format!("frames: requests of {}", protocol.name()));
            shapes(protocol, &mut talk, &mut socket, dialer, entry).await
        }
        None => hints.subscribes(),
    };
    progress("frames: answers to each shape of request");
    for (number, shape) in shapes.into_iter().enumerate() {
        if !reopen(&mut socket, dialer, entry).await {
            return talk;
        }
        let exchange = ask(&mut socket, &asked(&shape, room, &format!("gcr-{number}"))).await;
        let answer = match (exchange.answer, exchange.closed) {
            (Some(answer), _) if talk.refuses(&answer) => RequestAnswer::Refused(answer),
            (Some(answer), _) if answer.contains(room) => RequestAnswer::Acknowledged(answer),
            (Some(answer), _) => RequestAnswer::Answered(answer),
            (None, Some(_)) => RequestAnswer::Closed,
            (None, None) => RequestAnswer::Silence,
        };
        talk.requests.push(Request { shape, answer });
    }
    let shape = talk.acknowledged().next().map(|(shape, answer)| (shape.to_owned(), answer.to_owned()));
    let shape = shape.filter(|_| talk.protocol.is_none());
    if !hints.knows_limits() {
        progress("frames: how long a message may be, and how many rooms there may be");
        talk.limits = limits::observe(
            dialer,
            entry,
            shape.as_ref().map(|(shape, answer)| (shape.as_str(), answer.as_str())),
        )
        .await;
    }
    // What a profile declares is asked for in its words, however that is answered.
    let understood = || {
        let mut requests =
            talk.requests.iter().filter(|request| hints.checks() && request.may_be_understood());
        requests.next_back().map(|request| request.shape.clone())
    };
    if let Some(shape) = shape.map(|(shape, _)| shape).or_else(understood) {
        progress("frames: answers to requests for what is another's, and for nothing");
        refused(&mut talk, &shape, &mut socket, dialer, entry, hints).await;
    }
    talk
}

/// What is another user's, and what has no name, asked for in a shape that is understood.
async fn refused(
    talk: &mut Talk,
    shape: &str,
    socket: &mut Socket,
    dialer: &Dialer,
    entry: &Entry,
    hints: &Hints,
) {
    let other = entry.id_text(Person::Other);
    let declared = hints.rooms().map(|rooms| rooms.user.of(&other));
    let named = || NamedRooms::said(&talk.first, entry).user.map(|(_, name)| name.replace("{user}", &other));
    let another = match declared {
        // There is no such room.
        Some(None) => return,
        Some(Some(room)) => room,
        None => named().unwrap_or_else(|| format!("user:{other}")),
    };
    if reopen(socket, dialer, entry).await {
        let exchange = ask(socket, &asked(shape, &another, "gco-1")).await;
        talk.private = Some((another, exchange));
    }
    if reopen(socket, dialer, entry).await {
        talk.nameless = Some(ask(socket, &asked(shape, "", "gco-2")).await);
    }
}

/// The requests of a protocol; what it refuses by a message is noted.
async fn shapes(
    protocol: Protocol,
    talk: &mut Talk,
    socket: &mut Socket,
    dialer: &Dialer,
    entry: &Entry,
) -> Vec<String> {
    let shapes = match protocol {
        Protocol::GraphQl => {
            if !reopen(socket, dialer, entry).await {
                return Vec::new();
            }
            let exchange = ask(socket, &graphql::introspection()).await;
            graphql::subscriptions(exchange.answer.as_deref().unwrap_or_default())
        }
        Protocol::Phoenix => vec![JOIN.to_owned()],
    };
    // What is another's, and what no one has, is refused.
    let another = format!("user:{}", entry.id_text(Person::Other));
    let refused = shapes.iter().map(|shape| asked(shape, &another, "gcn-1"));
    let nonsense = (protocol == Protocol::GraphQl).then(graphql::nonsense);
    for request in refused.chain(nonsense) {
        if !reopen(socket, dialer, entry).await {
            break;
        }
        let exchange = ask(socket, &request).await;
        if exchange.answer.as_deref().is_some_and(is_error) {
            talk.junk.push(exchange);
        }
    }
    shapes
}

/// The answer to an unsubscription in the shape of a subscription that was understood.
pub(super) async fn leave(
    dialer: &Dialer,
    entry: &Entry,
    shape: &str,
    room: &str,
    hints: &Hints,
) -> Option<String> {
    let leaving = hints.leave_of(shape).or_else(|| leaving(shape))?;
    let (mut socket, _) = opened(dialer, entry).await?;
    ask(&mut socket, &asked(shape, room, "gcl-1")).await;
    let answer = ask(&mut socket, &asked(&leaving, room, "gcl-1")).await.answer;
    answer.filter(|answer| !is_error(answer))
}

/// The request to leave that belongs to one to join.
pub(super) fn leaving(shape: &str) -> Option<String> {
    let (join, leave) = VERBS.iter().find(|(join, _)| shape.contains(&format!("\"{join}\"")))?;
    Some(shape.replacen(&format!("\"{join}\""), &format!("\"{leave}\""), 1))
}

async fn opened(dialer: &Dialer, entry: &Entry) -> Option<(Socket, Vec<String>)> {
    let Opened { socket, said } = dialer.open(entry, Person::Owner).await.ok()?;
    Some((socket, said))
}

/// A connection that is still open, a new one where the last has ended.
async fn reopen(socket: &mut Socket, dialer: &Dialer, entry: &Entry) -> bool {
    if !socket.is_over() {
        return true;
    }
    match opened(dialer, entry).await {
        Some((new, _)) => {
            *socket = new;
            true
        }
        None => false,
    }
}

/// Sends a text, and takes the first that comes back. What came before is none of it.
pub(super) async fn ask(socket: &mut Socket, text: &str) -> Exchange {
    socket.listen(Duration::ZERO, Duration::from_millis(1)).await;
    socket.send(text).await;
    let mut exchange = Exchange { sent: text.to_owned(), answer: None, closed: None };
    let end = super::now() + ANSWERS_WITHIN;
    while let Some(seen) = socket.next(end).await {
        match seen {
            Seen::Text(answer) => {
                exchange.answer = Some(answer);
                break;
            }
            Seen::Close(code) => {
                exchange.closed = Some(code);
                break;
            }
            Seen::End => {
                exchange.closed = Some(None);
                break;
            }
            Seen::Binary | Seen::Ping | Seen::Pong | Seen::Muted => {}
        }
    }
    // An answer of several messages is no answer to the next question.
    socket.listen(QUIET.min(ANSWERS_WITHIN), QUIET).await;
    exchange
}
