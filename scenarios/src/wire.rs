//! WebSocket as bytes: enough of RFC 6455 to speak it, and to break it on purpose.
//!
//! A protocol library answers pings, masks frames and finishes handshakes by itself. A scripted end must be able not to.

pub mod frame;
pub mod handshake;
pub mod link;
pub mod page;
pub mod transcript;
