//! A client's end of its connections: what is written and read, and how it ends.

use protocol::CloseCode;
use reference_session::{DialFailure, Input};
use scenarios::Event;
use scenarios::trace::{FrameKind, Side};

use super::super::connection::{Connection, GatewayFrame, Near, Waiting, control, frames, received, sent};
use super::super::pipe::Item;
use super::super::{Due, World};

/// How long a client waits for a gateway to end a connection that both have closed, as the driver does.
const FINISHING_US: u64 = 1_000_000;

impl World<'_> {
    /// Writes what waits first, as far as the socket takes it. `Some` where something was written, with what the machine is to learn.
    pub(super) fn write(&mut self, at: usize) -> Option<Option<reference_session::SendKind>> {
        let connection = &mut self.connections[at];
        if connection.near != Near::Open || connection.ours.is_some() || !connection.up.takes_more() {
            return None;
        }
        let waiting = connection.waiting.pop_front()?;
        let (actor, number) = (&self.clients[connection.client].actor, Some(connection.number));
        let (item, kind) = match waiting {
            Waiting::Text(text, kind) => {
                let frame = sent(text.clone(), &self.dialect);
                self.recorder.note(actor, number, Event::Sent(frame));
                (Item::Text(text), Some(kind))
            }
            Waiting::Pong => {
                self.recorder.note(actor, number, Event::Sent(control(FrameKind::Pong)));
                (Item::Pong, None)
            }
            Waiting::Close(code) => {
                connection.ours = Some(code);
                self.recorder.note(actor, number, Event::Sent(control(FrameKind::Close)));
                (Item::Close(code), None)
            }
        };
        self.send_up(at, item);
        Some(kind)
    }

    pub(super) fn send_up(&mut self, at: usize, item: Item) {
        let (now_us, latency_us) = (self.now_us, self.latency_us());
        let connection = &mut self.connections[at];
        let lane = &self.clients[connection.client].up;
        let arrives_us = connection.up.send(now_us, latency_us, lane, item);
        self.later(arrives_us, Due::Up(at));
    }

    /// What has arrived at the client's end is read.
    pub(in crate::engine) fn arrive_down(&mut self, at: usize) {
        loop {
            let now_us = self.now_us;
            let connection = &mut self.connections[at];
            let client = &self.clients[connection.client];
            let is_read = client.reads || connection.near == Near::Dialling;
            if connection.is_lost || client.down.black_hole || client.is_asleep || !is_read {
                return;
            }
            let Some(item) = connection.down.receive(now_us) else { return };
            self.take_down(at, item);
            // There is room for more.
            self.write_down(at);
        }
    }

    fn take_down(&mut self, at: usize, item: Item) {
        let connection = &self.connections[at];
        let (client, dial, number) = (connection.client, connection.dial, Some(connection.number));
        match (connection.near, item) {
            (Near::Over, _) => {}
            (Near::Dialling, Item::Granted) => {
                self.connections[at].near = Near::Open;
                self.recorder.note(&self.clients[client].actor, number, Event::Opened);
                self.tell_client(client, Input::Opened(dial));
            }
            (Near::Dialling, item) => {
                let status = match item {
                    Item::Refused(status) => Some(status),
                    _ => None,
                };
                let failure = match status {
                    Some(401) => DialFailure::Unauthorized,
                    _ => DialFailure::Other("no upgrade".to_owned()),
                };
                self.over_near(at);
                let by = Some(Side::Gateway);
                let event = Event::Refused { status, code: None, by, reason: String::new() };
                self.recorder.note(&self.clients[client].actor, number, event);
                self.tell_client(client, Input::DialFailed(dial, failure));
            }
            (_, Item::Frames(bytes)) => {
                for frame in frames(&bytes) {
                    self.take_frame(at, frame);
                }
            }
            (Near::Finishing(code), _) => self.end_near(at, Some(code), Side::Gateway),
            (_, Item::Garbage) => {
                self.send_up(at, Item::Reset);
                self.end_near(at, None, Side::Client);
            }
            (_, _) => self.end_near(at, None, Side::Gateway),
        }
    }

    fn take_frame(&mut self, at: usize, frame: GatewayFrame) {
        let connection = &mut self.connections[at];
        if connection.near != Near::Open {
            return;
        }
        let (client, dial, number) = (connection.client, connection.dial, Some(connection.number));
        match frame {
            GatewayFrame::Text(text) => {
                let frame = received(text.clone(), &self.dialect);
                self.recorder.note(&self.clients[client].actor, number, Event::Received(frame));
                self.tell_client(client, Input::Text(dial, text));
            }
            GatewayFrame::Ping => {
                // tungstenite answers the last one, before anything else that waits.
                if !matches!(connection.waiting.front(), Some(Waiting::Pong)) {
                    connection.waiting.push_front(Waiting::Pong);
                }
                self.recorder.note(
                    &self.clients[client].actor,
                    number,
                    Event::Received(control(FrameKind::Ping)),
                );
                self.write(at);
            }
            GatewayFrame::Close(code) => {
                let code = code.unwrap_or(CloseCode(1005));
                self.recorder.note(
                    &self.clients[client].actor,
                    number,
                    Event::Received(control(FrameKind::Close)),
                );
                if self.connections[at].ours.is_none() {
                    self.send_up(at, Item::Close(code));
                }
                self.connections[at].near = Near::Finishing(code);
                self.later(self.now_us + FINISHING_US, Due::Finish(at));
            }
        }
    }

    pub(in crate::engine) fn finish_near(&mut self, at: usize) {
        if let Near::Finishing(code) = self.connections[at].near {
            self.end_near(at, Some(code), Side::Gateway);
        }
    }

    /// The client's end of an open connection is over, and the machine learns of it.
    fn end_near(&mut self, at: usize, code: Option<CloseCode>, by: Side) {
        let Connection { client, dial, number, ours, .. } = self.connections[at];
        self.over_near(at);
        let by = if ours.is_some() { Side::Client } else { by };
        let code = ours.or(code);
        self.recorder.note(&self.clients[client].actor, Some(number), Event::Closed { code, by });
        self.send_up(at, Item::End);
        self.tell_client(client, Input::Closed(dial, code));
    }

    /// The client drops its end; the machine knows.
    pub(super) fn drop_near(&mut self, at: usize, reason: &str) {
        let Connection { client, number, near, ours, .. } = self.connections[at];
        self.over_near(at);
        let event = match near {
            Near::Over => return,
            Near::Dialling => {
                let (by, reason) = (Some(Side::Client), reason.to_owned());
                Event::Refused { status: None, code: None, by, reason }
            }
            Near::Open | Near::Finishing(_) => Event::Closed { code: ours, by: Side::Client },
        };
        self.recorder.note(&self.clients[client].actor, Some(number), event);
        self.send_up(at, Item::Reset);
    }

    fn over_near(&mut self, at: usize) {
        let connection = &mut self.connections[at];
        connection.near = Near::Over;
        connection.waiting.clear();
        connection.down.clear();
        self.clients[connection.client].live.remove(&connection.dial);
    }

    /// The gateway has not answered the client's close.
    pub(in crate::engine) fn cut_short(&mut self, at: usize) {
        self.drop_near(at, "not closed in time");
    }

    pub(in crate::engine) fn given_up(&mut self, at: usize) {
        let Connection { client, dial, near, .. } = self.connections[at];
        if near != Near::Over {
            self.drop_near(at, "given up");
            self.tell_client(client, Input::DialFailed(dial, DialFailure::Other("given up".to_owned())));
        }
    }

    /// Gives the machine room again where the socket takes more.
    pub(in crate::engine) fn write_up(&mut self, at: usize) {
        let Connection { client, dial, .. } = self.connections[at];
        while let Some(kind) = self.write(at) {
            if let Some(kind) = kind {
                self.tell_client(client, Input::Written(dial, kind));
            }
        }
    }
}
