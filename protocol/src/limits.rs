//! Limits that both sides know. Each is a default; what a deployment may change is in its configuration.

/// Longest room name, in bytes (ROOM-4).
pub const MAX_ROOM_NAME_BYTES: usize = 128;
/// Most rooms one connection may be in, its own included (ROOM-5).
pub const MAX_ROOMS_PER_CONNECTION: usize = 100;
/// Largest message a client may send, in bytes (MSG-5).
pub const MAX_MESSAGE_BYTES: usize = 64 * 1024;
/// Longest ID of a request that an answer repeats, in bytes. What a peer has repeated costs the gateway memory until it is read.
pub const MAX_ID_BYTES: usize = 256;
/// Messages a client may send in one second before it receives `rate_limited` (MSG-6).
pub const MAX_MESSAGES_PER_SECOND: u32 = 100;
/// Messages a client keeps while it is not connected (QUEUE-3).
pub const OFFLINE_QUEUE_CAPACITY: usize = 1000;
