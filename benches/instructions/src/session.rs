//! The client's machine without sockets.

use std::time::Duration;

use protocol::{Dialect, Timestamp, Timing};
use reference_session::{Command, ConnectionId, Input, Now, Output, Session, SessionConfig};

/// The moment at which everything happens.
pub const NOW: Now = Now { monotonic: Duration::ZERO, wall: Timestamp::EPOCH };

/// A connected session, and its connection.
///
/// # Panics
/// When the machine does not dial.
pub fn connected() -> (Session, ConnectionId) {
    let mut session = Session::new(SessionConfig {
        timing: Timing::default(),
        dialect: Dialect::default(),
        auto_reconnect: true,
        queue_capacity: 100,
        request_window: 16,
        token: "a token".into(),
        asks_for_token: false,
        seed: 1,
    });
    session.handle(NOW, Input::Command(Command::Connect)).expect("nothing is queued");
    let mut dialled = None;
    while let Some(output) = session.poll() {
        if let Output::Dial { connection, .. } = output {
            dialled = Some(connection);
        }
    }
    let connection = dialled.expect("a session that connects dials");
    session.handle(NOW, Input::Opened(connection)).expect("nothing is queued");
    while session.poll().is_some() {}
    (session, connection)
}
