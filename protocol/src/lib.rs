//! What a gateway and its clients must agree on, and nothing else: no I/O, no clock, no randomness.
//!
//! ```text
//!  text frame ◄──► Envelope ◄──[ Dialect ]──► ClientMessage / ServerMessage
//!                                                     │
//!  token ──► Claims ──► Role, UserId ──► RoomName ◄───┘   may_join decides who gets in
//!
//!  Timing, Backoff, limits, close codes: the numbers both sides know by name
//! ```
//!
//! Messages are plain values; a [`Dialect`] is data that says how a particular implementation spells them on the wire.
//! [`adapter`] is another protocol: how a harness speaks with a client under test.
//!
//! ```
//! use protocol::{ClientMessage, Dialect, Target, Timestamp};
//!
//! let dialect = Dialect::default();
//! let request = ClientMessage::Subscribe(Target::EventType("payment:created".to_owned()));
//! let text = dialect.encode_client(&request, Timestamp::EPOCH);
//! assert_eq!(dialect.decode_client(&text)?.message, request);
//! # Ok::<(), protocol::DecodeError>(())
//! ```

pub mod adapter;
mod backoff;
mod claims;
pub mod close;
mod dialect;
mod duration;
mod envelope;
pub mod limits;
mod message;
mod room;
mod timestamp;
mod timing;

pub use backoff::Backoff;
pub use claims::{Claims, ClaimsError, Role, TimeError, UserId};
pub use close::CloseCode;
pub use dialect::{
    DecodeError, Decoded, Dialect, DialectError, ErrorCloses, ErrorCodes, EventStyle, Frames, Heartbeat,
    HeartbeatNames, Opener, Opening, PendingRequests, Refusal, RequestNames, SignIn, SignInAnswer,
    SubscriptionKeys, Template, TemplateError, TokenPlace, TokenPlaceError, Welcome,
};
pub use duration::{DurationError, format_duration, parse_duration};
pub use envelope::{Envelope, EnvelopeError};
pub use message::{ClientMessage, ErrorCode, ServerMessage, Target};
pub use room::{RoomName, RoomNameError, may_join};
pub use timestamp::{Timestamp, TimestampError};
pub use timing::{DEFAULT_URL, DEFAULT_URL_TLS, Timing, TimingError, URL_VARIABLE};
