//! The client's machine without sockets.

use std::time::Duration;

use protocol::{Dialect, Timestamp, Timing};
use reference_session::{Command, ConnectionId, Input, Now, Output, Session, SessionConfig};

/// The moment at which everything happens.
pub const NOW: Now = Now { monotonic: Duration::ZERO, wall: Timestamp::EPOCH };

/// A session that has not been asked for anything.
pub fn disconnected() -> Session {
    Session::new(SessionConfig {
        timing: Timing::default(),
        dialect: Dialect::default(),
        auto_reconnect: true,
        queue_capacity: 1000,
        request_window: 16,
        token: "a token".into(),
        asks_for_token: false,
        seed: 1,
    })
}

/// Asks for a connection; the one that is dialled.
///
/// # Panics
/// When the machine does not dial.
pub fn connect(session: &mut Session) -> ConnectionId {
    session.handle(NOW, Input::Command(Command::Connect)).expect("nothing is queued");
    let mut dialled = None;
    while let Some(output) = session.poll() {
        if let Output::Dial { connection, .. } = output {
            dialled = Some(connection);
        }
    }
    dialled.expect("a session that connects dials")
}

/// A connected session, and its connection.
///
/// # Panics
/// When the machine does not dial.
pub fn connected() -> (Session, ConnectionId) {
    let mut session = disconnected();
    let connection = connect(&mut session);
    session.handle(NOW, Input::Opened(connection)).expect("nothing is queued");
    drain(&mut session);
    (session, connection)
}

/// Drops what is to be done; how much it was.
pub fn drain(session: &mut Session) -> u64 {
    let mut outputs = 0;
    while session.poll().is_some() {
        outputs += 1;
    }
    outputs
}

/// Writes whatever is to be sent, at once; how many messages it were.
///
/// # Panics
/// When the machine refuses that something has been written.
pub fn flushed(session: &mut Session, connection: ConnectionId) -> u64 {
    let mut sent = 0;
    while let Some(output) = session.poll() {
        if let Output::Send { kind, .. } = output {
            sent += 1;
            session.handle(NOW, Input::Written(connection, kind)).expect("nothing is queued");
        }
    }
    sent
}
