//! Changes to WebSocket connections, a closure for each direction.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use scenarios::frame::RawFrame;
use serde_json::{Value, json};
use sim::boundary::{Boundary, Passed, Wire};
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

type OnHead = Box<dyn FnMut(String) -> String + Send>;
type OnMask = Box<dyn FnMut([u8; 4]) -> Option<[u8; 4]> + Send>;
type OnFrame = Box<dyn FnMut(RawFrame) -> Passed + Send>;

/// What changes one connection; what is not said stays as it is.
#[derive(Default)]
pub(super) struct Change {
    request: Option<OnHead>,
    answer: Option<OnHead>,
    up: Option<OnFrame>,
    down: Option<OnFrame>,
    mask: Option<OnMask>,
    unmasks: bool,
    half_duplex: bool,
    idle_timeout: Option<Duration>,
}

/// Changes every connection; they are counted from 0.
pub(super) fn wire(make: impl Fn(usize) -> Change + Send + Sync + 'static) -> Boundary {
    Boundary { wire: Some(Arc::new(move |number| Some(Box::new(make(number))))), ..Boundary::default() }
}

impl Change {
    pub(super) fn idle_timeout(self, limit: Duration) -> Self {
        Self { idle_timeout: Some(limit), ..self }
    }

    pub(super) fn request(mut self, on: impl FnMut(String) -> String + Send + 'static) -> Self {
        self.request = Some(Box::new(on));
        self
    }

    pub(super) fn answer(mut self, on: impl FnMut(String) -> String + Send + 'static) -> Self {
        self.answer = Some(Box::new(on));
        self
    }

    pub(super) fn up(mut self, on: impl FnMut(RawFrame) -> Passed + Send + 'static) -> Self {
        self.up = Some(Box::new(on));
        self
    }

    pub(super) fn down(mut self, on: impl FnMut(RawFrame) -> Passed + Send + 'static) -> Self {
        self.down = Some(Box::new(on));
        self
    }

    /// Removes the masks of a gateway's frames.
    pub(super) fn unmasks(self) -> Self {
        Self { unmasks: true, ..self }
    }

    /// Masks the client's frames so, given a fresh key for each.
    pub(super) fn mask(mut self, on: impl FnMut([u8; 4]) -> Option<[u8; 4]> + Send + 'static) -> Self {
        self.mask = Some(Box::new(on));
        self
    }

    /// Reads nothing of the gateway's while something waits to be written to it.
    pub(super) fn half_duplex(mut self) -> Self {
        self.half_duplex = true;
        self
    }

    /// Lets no message of these types through to the client.
    pub(super) fn silent(self, types: &'static [&'static str]) -> Self {
        self.down(
            move |frame| if types.iter().any(|name| is(&frame, name)) { nothing() } else { down([frame]) },
        )
    }

    /// Lets no close frame with this code through to the client: the connection just ends.
    pub(super) fn speechless(self, code: u16) -> Self {
        self.down(move |frame| {
            if frame.opcode == OpCode::Control(Control::Close)
                && frame.payload.starts_with(&code.to_be_bytes())
            {
                end()
            } else {
                down([frame])
            }
        })
    }
}

impl Wire for Change {
    fn idle_timeout(&self) -> Option<Duration> {
        self.idle_timeout
    }

    fn request(&mut self, head: String) -> String {
        match &mut self.request {
            Some(on) => on(head),
            None => head,
        }
    }

    fn answer(&mut self, text: String) -> String {
        match &mut self.answer {
            Some(on) => on(text),
            None => text,
        }
    }

    fn up(&mut self, frame: RawFrame) -> Passed {
        match &mut self.up {
            Some(on) => on(frame),
            None => up([frame]),
        }
    }

    fn down(&mut self, frame: RawFrame) -> Passed {
        match &mut self.down {
            Some(on) => on(frame),
            None => down([frame]),
        }
    }

    fn mask(&mut self, fresh: [u8; 4]) -> Option<[u8; 4]> {
        match &mut self.mask {
            Some(on) => on(fresh),
            None => Some(fresh),
        }
    }

    fn keeps_masks(&self) -> bool {
        !self.unmasks
    }

    fn is_half_duplex(&self) -> bool {
        self.half_duplex
    }
}

/// Something that all connections of a play share.
pub(super) struct SharedState<T>(Arc<Mutex<T>>);

impl<T> Clone for SharedState<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Default> SharedState<T> {
    pub(super) fn new() -> Self {
        Self(Arc::default())
    }
}

impl<T> SharedState<T> {
    pub(super) fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

pub(super) fn up(frames: impl IntoIterator<Item = RawFrame>) -> Passed {
    Passed { up: frames.into_iter().collect(), ..Passed::default() }
}

pub(super) fn down(frames: impl IntoIterator<Item = RawFrame>) -> Passed {
    Passed { down: frames.into_iter().collect(), ..Passed::default() }
}

pub(super) fn nothing() -> Passed {
    Passed::default()
}

/// The connection ends without a close frame.
pub(super) fn end() -> Passed {
    Passed { end: true, ..Passed::default() }
}

/// The message in a text frame.
pub(super) fn message(frame: &RawFrame) -> Option<Value> {
    let is_text = frame.opcode == OpCode::Data(Data::Text);
    is_text.then(|| serde_json::from_slice(&frame.payload).ok()).flatten()
}

/// Whether a frame is a message of this type.
pub(super) fn is(frame: &RawFrame, name: &str) -> bool {
    message(frame).is_some_and(|message| message["type"] == name)
}

pub(super) fn is_control(frame: &RawFrame, kind: Control) -> bool {
    frame.opcode == OpCode::Control(kind)
}

pub(super) fn text(message: &Value) -> RawFrame {
    RawFrame::text(message.to_string())
}

/// A message with another member.
pub(super) fn with(frame: &RawFrame, key: &str, value: Value) -> RawFrame {
    let mut changed = message(frame).unwrap_or_else(|| json!({}));
    changed[key] = value;
    text(&changed)
}
