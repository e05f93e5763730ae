//! What a network does to the connections that pass it.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

/// What happens to the bytes of a connection, each way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Conditions {
    /// Towards what is judged.
    pub to_subject: Lane,
    /// From what is judged.
    pub from_subject: Lane,
}

/// What happens to the bytes of one direction. By default nothing does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lane {
    /// How much later each byte arrives.
    pub delay: Duration,
    /// Bytes a second, at most.
    pub rate: Option<NonZeroU32>,
    /// Bytes of each write, at most.
    pub slice: Option<NonZeroUsize>,
    /// Whether every bit is inverted.
    pub corrupt: bool,
    /// Whether bytes are held back without an error on either side.
    pub black_hole: bool,
}

/// How connections are ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The end of the stream (FIN), behind whatever has been carried so far.
    End,
    /// A reset (RST).
    Reset,
}

/// What a step changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Every connection that there is ends.
    Cut(Cut),
    /// Every connection that there is carries nothing any more.
    Lose,
    /// Bytes are treated so from now on, those that are under way included.
    Conditions(Conditions),
}
