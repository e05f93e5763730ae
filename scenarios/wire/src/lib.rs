//! WebSocket as bytes: enough of RFC 6455 to speak it, and to break it on purpose.
//!
//! | module | what it is about |
//! |---|---|
//! | [`frame`], [`handshake`], [`transcript`] | scripted ends: what they read and write, and its bytes for a report |
//! | [`link`] | a network that delays, cuts, corrupts and swallows |
//! | [`page`] | plain HTTP, for `/health` and its like |
//!
//! A protocol library answers pings, masks frames and finishes handshakes by itself. A scripted end must be able not to.
//!
//! ```
//! use wire::frame::FrameReader;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! let mut reader = FrameReader::after(vec![0x81, 0x02, b'h', b'i']);
//! let frame = reader.next(&mut tokio::io::empty()).await?.expect("a frame");
//! assert_eq!(frame.payload, b"hi");
//! assert_eq!(reader.mask(), None, "RFC 6455 section 5.1: a server does not mask");
//! # Ok(())
//! # }
//! ```

pub mod frame;
pub mod handshake;
pub mod link;
pub mod page;
pub mod transcript;
