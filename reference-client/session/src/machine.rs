//! The machine itself: one owner of the status, the queue, the subscriptions and the timers.

mod writing;

use std::collections::VecDeque;
use std::time::Duration;

use protocol::{ClientMessage, CloseCode, ErrorCode, PendingRequests, ServerMessage, SignInAnswer};
use serde_json::{Value, json};

use super::backlog::Backlog;
use super::config::SessionConfig;
use super::heartbeat::{Due, Heartbeat};
use super::io::{Command, ConnectionId, DialFailure, Input, Now, Output, SendKind};
use super::outbox::{Outbox, QueueFull};
use super::reconnect::{Decision, Reconnect};
use super::status::Status;
use super::subscriptions::Subscriptions;
use super::token::{Token, Tokens};

/// A client without I/O.
#[derive(Debug)]
pub struct Session {
    config: SessionConfig,
    state: State,
    status: Status,
    /// The newest dial.
    newest: ConnectionId,
    /// What `disconnect()` closed and is not over yet: nothing is dialled beside it.
    leaving: Option<Leaving>,
    tokens: Tokens,
    reconnect: Reconnect,
    outbox: Outbox,
    subscriptions: Subscriptions,
    /// What the newest connection has asked for, where answers refer to it.
    pending: PendingRequests,
    outputs: VecDeque<Output>,
}

/// Where the session stands; the status is what of it is announced.
#[derive(Debug)]
enum State {
    /// No connection, and none is sought. After a refused token a new one makes a new attempt (STATE-8).
    Idle { refused: bool },
    /// A dial begins with the question for its token, under the same deadline (TOKEN-2).
    Asking { connection: ConnectionId, until: Duration },
    /// A dial is under way, until its deadline; where the token travels in the first message, that it is granted is part of it.
    Dialling { connection: ConnectionId, until: Duration, signs_in: bool },
    /// The connection is open.
    Open { connection: ConnectionId, since: Duration, heartbeat: Heartbeat, backlog: Backlog },
    /// The backoff's delay is running.
    Waiting { until: Duration },
    /// The old connection is closing; once it is gone, or by its deadline, another is dialled (TOKEN-1, QUEUE-4).
    Replacing(Leaving),
}

/// A connection that the client has closed, and until when it may take to end.
#[derive(Debug, Clone, Copy)]
struct Leaving {
    connection: ConnectionId,
    until: Duration,
}

impl Session {
    /// A client that is `disconnected` (STATE-1).
    pub fn new(config: SessionConfig) -> Self {
        Self {
            state: State::Idle { refused: false },
            status: Status::Disconnected,
            newest: ConnectionId(0),
            leaving: None,
            tokens: Tokens::new(config.token.clone(), config.asks_for_token),
            reconnect: Reconnect::new(&config.timing, config.auto_reconnect, config.seed),
            outbox: Outbox::new(config.queue_capacity),
            subscriptions: Subscriptions::default(),
            pending: PendingRequests::default(),
            outputs: VecDeque::new(),
            config,
        }
    }

    /// The status that was announced last.
    pub fn status(&self) -> Status {
        self.status
    }

    /// The next thing to be done, until there is none.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Input::Timer`] is due at the latest.
    pub fn deadline(&self) -> Option<Duration> {
        match &self.state {
            State::Idle { .. } => None,
            State::Asking { until, .. }
            | State::Dialling { until, .. }
            | State::Waiting { until }
            | State::Replacing(Leaving { until, .. }) => Some(*until),
            State::Open { heartbeat, .. } => Some(heartbeat.deadline()),
        }
    }

    /// Takes in what happened.
    ///
    /// # Errors
    /// A [`Command::Send`] is refused when the queue is full; nothing else fails.
    pub fn handle(&mut self, now: Now, input: Input) -> Result<(), QueueFull> {
        match input {
            Input::Command(Command::Connect) => self.connect(now),
            Input::Command(Command::Disconnect) => self.disconnect(now),
            Input::Command(Command::Send { kind, payload }) => return self.send(now, kind, payload),
            Input::Command(Command::Subscribe(target)) => {
                self.subscriptions.add(target);
                self.request(now);
            }
            Input::Command(Command::Unsubscribe(target)) => {
                self.subscriptions.remove(&target);
                self.request(now);
            }
            Input::Command(Command::SetToken(token)) => self.set_token(now, token),
            Input::Token(connection, answer) => self.answered(now, connection, answer),
            Input::Opened(connection) => self.opened(now, connection),
            Input::DialFailed(connection, failure) => self.dial_failed(now, connection, failure),
            Input::Text(connection, text) => self.text(now, connection, &text),
            Input::Written(connection, kind) => self.written(now, connection, kind),
            Input::Closed(connection, code) => self.closed(now, connection, code),
            Input::Timer => self.timer(now),
        }
        Ok(())
    }

    fn connect(&mut self, now: Now) {
        match self.state {
            State::Idle { .. } => {
                self.reconnect.reset();
                self.tokens.forgive();
                self.dial_after_leaving(now);
            }
            // One is sought or open already (STATE-5).
            State::Asking { .. }
            | State::Dialling { .. }
            | State::Open { .. }
            | State::Waiting { .. }
            | State::Replacing(_) => {}
        }
    }

    /// A closing connection may still write what it was given. What remains to be sent is known only once it has ended, so a
    /// dial waits for it (QUEUE-4), and there are never two sockets (STATE-5).
    fn dial_after_leaving(&mut self, now: Now) {
        match self.leaving.take() {
            Some(leaving) if now.monotonic < leaving.until => {
                self.state = State::Replacing(leaving);
                self.announce(Status::Connecting);
            }
            Some(leaving) => self.drop_and_dial(now, leaving.connection),
            None => self.dial(now),
        }
    }

    fn disconnect(&mut self, now: Now) {
        match self.state {
            State::Dialling { connection, .. } | State::Open { connection, .. } => {
                self.leaving = Some(self.close(now, connection));
            }
            State::Asking { connection, .. } => self.outputs.push_back(Output::Drop(connection)),
            State::Replacing(leaving) => self.leaving = Some(leaving),
            State::Idle { .. } | State::Waiting { .. } => {}
        }
        self.rest(false);
    }

    fn set_token(&mut self, now: Now, token: Token) {
        self.tokens.give(token);
        if let State::Open { since, .. } = self.state {
            self.reconnect.lived(now.monotonic.saturating_sub(since));
        }
        match self.state {
            State::Dialling { connection, .. } | State::Open { connection, .. } => {
                self.state = State::Replacing(self.close(now, connection));
                self.announce(Status::Reconnecting);
            }
            // What is asked for is here.
            State::Asking { connection, until } => self.dial_with_the_newest(connection, until),
            State::Idle { refused: true } => self.connect(now),
            State::Idle { refused: false } | State::Waiting { .. } | State::Replacing(_) => {}
        }
    }

    fn close(&mut self, now: Now, connection: ConnectionId) -> Leaving {
        self.outputs.push_back(Output::Close { connection, code: CloseCode::NORMAL });
        Leaving { connection, until: now.monotonic + self.config.timing.connect_timeout }
    }

    /// The token provider answered. A token that was refused before is not tried again (STATE-8).
    fn answered(&mut self, now: Now, connection: ConnectionId, answer: Result<Token, String>) {
        let State::Asking { connection: asked, until } = self.state else { return };
        if asked != connection {
            return;
        }
        match answer {
            Ok(token) if self.tokens.is_refused(&token) => {
                self.outputs.push_back(Output::Drop(connection));
                let reason = "the token provider has no newer token than the one that was refused";
                self.outputs.push_back(Output::DialFailed(DialFailure::Other(reason.to_owned())));
                self.announce(Status::Error);
                self.stop_refused();
            }
            Ok(token) => {
                self.tokens.give(token);
                self.dial_with_the_newest(connection, until);
            }
            Err(reason) => {
                self.dial_over(now, DialFailure::Other(format!("no token: {reason}")));
            }
        }
    }

    /// The upgrade is granted. A token that travels in the first message is sent, and its answer awaited.
    fn opened(&mut self, now: Now, connection: ConnectionId) {
        let State::Dialling { connection: dialled, signs_in, .. } = &mut self.state else { return };
        if *dialled != connection {
            return;
        }
        let Some(sign_in) = &self.config.dialect.sign_in else { return self.established(now, connection) };
        *signs_in = true;
        let text = sign_in.write(Some(self.tokens.spent().reveal()));
        self.outputs.push_back(Output::Send { connection, text, kind: SendKind::SignIn });
    }

    /// The connection can be used. QUEUE-2: the order of what happens now is part of the contract. The count of redials, though, is
    /// reset only once the connection has proved stable: see [`Reconnect::lived`].
    fn established(&mut self, now: Now, connection: ConnectionId) {
        self.pending = PendingRequests::default();
        let heartbeat = Heartbeat::start(now.monotonic, &self.config.timing);
        let backlog = Backlog::default();
        self.state = State::Open { connection, since: now.monotonic, heartbeat, backlog };
        self.announce(Status::Connected);
        self.flush(now, connection);
        self.subscriptions.renew();
        self.request(now);
        self.emit("connected", json!({ "message": "WebSocket connected" }));
    }

    fn dial_failed(&mut self, now: Now, connection: ConnectionId, failure: DialFailure) {
        match self.state {
            State::Dialling { connection: dialled, .. } if dialled == connection => {
                self.dial_over(now, failure);
            }
            _ => self.left(now, connection),
        }
    }

    fn dial_over(&mut self, now: Now, failure: DialFailure) {
        let refused = failure == DialFailure::Unauthorized;
        self.outputs.push_back(Output::DialFailed(failure));
        self.announce(Status::Error);
        if refused { self.refused(now) } else { self.seek_again(now) }
    }

    fn closed(&mut self, now: Now, connection: ConnectionId, code: Option<CloseCode>) {
        self.outbox.withdraw(connection);
        match self.state {
            State::Open { connection: open, since, .. } if open == connection => {
                self.reconnect.lived(now.monotonic.saturating_sub(since));
                match code {
                    Some(CloseCode::NORMAL) => self.rest(false),
                    Some(CloseCode::UNAUTHORIZED | CloseCode::POLICY) => self.refused(now),
                    _ => self.seek_again(now),
                }
            }
            State::Dialling { connection: dialled, signs_in, .. } if dialled == connection => {
                let refusals = [
                    Some(CloseCode::UNAUTHORIZED),
                    Some(CloseCode::POLICY),
                    self.config.dialect.refusal.close_code(),
                ];
                self.dial_over(
                    now,
                    match signs_in && code.is_some() && refusals.contains(&code) {
                        true => DialFailure::Unauthorized,
                        false => DialFailure::Other("closed".to_owned()),
                    },
                );
            }
            _ => self.left(now, connection),
        }
    }

    /// A connection is over that was none of the present: the way may be free now. Any other sign is late, and nothing.
    fn left(&mut self, now: Now, connection: ConnectionId) {
        self.leaving = self.leaving.filter(|leaving| leaving.connection != connection);
        match self.state {
            State::Replacing(leaving) if leaving.connection == connection => self.dial(now),
            _ => {}
        }
    }

    /// What comes before the client is signed in. An error is followed by a close, which says what it means for the client.
    fn sign_in_text(&mut self, now: Now, connection: ConnectionId, text: &str) {
        match self.config.dialect.sign_in_answer(text) {
            SignInAnswer::Granted => self.established(now, connection),
            SignInAnswer::Welcomed => {
                self.established(now, connection);
                self.text(now, connection, text);
            }
            SignInAnswer::Error | SignInAnswer::Unrelated => {
                self.log("a message came before the client was signed in".to_owned());
            }
        }
    }

    fn text(&mut self, now: Now, connection: ConnectionId, text: &str) {
        if let State::Dialling { connection: dialled, signs_in: true, .. } = self.state
            && dialled == connection
        {
            return self.sign_in_text(now, connection, text);
        }
        let State::Open { connection: open, heartbeat, backlog, .. } = &mut self.state else { return };
        if *open != connection {
            return;
        }
        let message = match self.config.dialect.decode_answer(text, Some(&self.pending)) {
            Ok(decoded) => {
                decoded.id.iter().for_each(|reference| self.pending.answered(reference));
                decoded.message
            }
            Err(error) => {
                self.log(format!("a message cannot be read: {error}"));
                return;
            }
        };
        match message {
            ServerMessage::Pong => heartbeat.pong(),
            ServerMessage::Ping => {
                if backlog.add_pong() {
                    self.give(now, connection, &ClientMessage::Pong, SendKind::Pong);
                }
            }
            ServerMessage::Welcome { user_id, rooms } => {
                let name = self.config.dialect.welcome_type().unwrap_or_default().to_owned();
                self.emit(&name, json!({ "userId": user_id, "rooms": rooms }));
            }
            ServerMessage::Subscribed(target) => self.emit("subscribed", json!(target)),
            ServerMessage::Unsubscribed(target) => self.emit("unsubscribed", json!(target)),
            ServerMessage::Error { code, message } => {
                self.emit("error", json!({ "code": code, "message": message }));
            }
            ServerMessage::Event { name, payload } => self.emit(&name, payload),
        }
    }

    fn timer(&mut self, now: Now) {
        match &mut self.state {
            State::Idle { .. } => {}
            State::Asking { connection, until } | State::Dialling { connection, until, .. }
                if now.monotonic >= *until =>
            {
                let connection = *connection;
                self.outputs.push_back(Output::Drop(connection));
                self.dial_over(now, DialFailure::Other("no answer within the connect timeout".to_owned()));
            }
            State::Waiting { until } if now.monotonic >= *until => self.dial(now),
            State::Replacing(Leaving { connection, until }) if now.monotonic >= *until => {
                let connection = *connection;
                self.drop_and_dial(now, connection);
            }
            State::Asking { .. } | State::Dialling { .. } | State::Waiting { .. } | State::Replacing(_) => {}
            State::Open { connection, heartbeat, backlog, .. } => {
                let connection = *connection;
                match heartbeat.due(now.monotonic) {
                    Due::Nothing => {}
                    Due::Ping if backlog.add_ping() => {
                        self.give(now, connection, &ClientMessage::Ping, SendKind::Ping);
                        self.log("Ping sent".to_owned());
                    }
                    Due::Ping => self.log("the last ping has not been written yet".to_owned()),
                    Due::Dead => {
                        self.log("no pong: the connection is taken for dead".to_owned());
                        self.outputs.push_back(Output::Drop(connection));
                        self.closed(now, connection, None);
                    }
                }
            }
        }
    }

    fn drop_and_dial(&mut self, now: Now, connection: ConnectionId) {
        self.outputs.push_back(Output::Drop(connection));
        self.outbox.withdraw(connection);
        self.dial(now);
    }

    fn dial(&mut self, now: Now) {
        self.newest = ConnectionId(self.newest.0 + 1);
        let connection = self.newest;
        let until = now.monotonic + self.config.timing.connect_timeout;
        // A dial that waited for the old socket to end was announced already.
        if self.status != Status::Connecting {
            self.announce(Status::Connecting);
        }
        if self.tokens.must_ask() {
            self.state = State::Asking { connection, until };
            self.outputs.push_back(Output::AskToken { connection });
        } else {
            self.dial_with_the_newest(connection, until);
        }
    }

    fn dial_with_the_newest(&mut self, connection: ConnectionId, until: Duration) {
        self.state = State::Dialling { connection, until, signs_in: false };
        self.outputs.push_back(Output::Dial { connection, token: self.tokens.spend() });
    }

    /// Waits for the next attempt, or gives up.
    fn seek_again(&mut self, now: Now) {
        match self.reconnect.decide() {
            Decision::After { attempt, delay } => {
                self.state = State::Waiting { until: now.monotonic + delay };
                self.outputs.push_back(Output::Redial { attempt, delay });
                self.announce(Status::Reconnecting);
                self.log(format!("redial {attempt} in {} ms", delay.as_millis()));
            }
            Decision::Exhausted(attempts) => {
                self.rest(false);
                self.emit("max_reconnect_attempts", json!({ "attempts": attempts }));
            }
            Decision::Off => self.rest(false),
        }
    }

    /// The token was refused. A token provider may have a newer one: an expired token is the usual cause. Without a provider
    /// there is no attempt until a new token is set (STATE-8).
    fn refused(&mut self, now: Now) {
        self.tokens.refuse();
        if self.config.asks_for_token && self.config.auto_reconnect {
            self.log("the gateway refused the token".to_owned());
            self.seek_again(now);
        } else {
            self.stop_refused();
        }
    }

    fn stop_refused(&mut self) {
        self.rest(true);
        let message = "the gateway refused the token";
        self.emit("error", json!({ "code": ErrorCode::Unauthorized.as_str(), "message": message }));
    }

    fn rest(&mut self, refused: bool) {
        self.state = State::Idle { refused };
        if self.status != Status::Disconnected {
            self.announce(Status::Disconnected);
        }
    }

    fn announce(&mut self, new: Status) {
        let old = std::mem::replace(&mut self.status, new);
        assert!(old.may_become(new), "{old} → {new} is no transition");
        self.outputs.push_back(Output::Status { old, new });
    }

    fn open_connection(&self) -> Option<ConnectionId> {
        match self.state {
            State::Open { connection, .. } => Some(connection),
            _ => None,
        }
    }

    fn emit(&mut self, name: &str, payload: Value) {
        self.outputs.push_back(Output::Emit { name: name.to_owned(), payload });
    }

    fn log(&mut self, line: String) {
        self.outputs.push_back(Output::Log(line));
    }
}
