//! One client's connection: its phase, its channels, and how it ends.

use super::channel::Channel;
use super::{ConnectionId, Output, State};
use crate::fault::Fault;
use crate::wire::Frame;
use amq_protocol::protocol::{AMQPClass, AMQPHardError, AMQPSoftError, connection};
use std::collections::BTreeMap;

/// Where a connection stands.
///
/// ```text
/// Starting ──start-ok──► Tuning ──tune-ok──► Opening ──open──► Open ──close──► (gone)
///
/// any of them ─────────── a fault with a reply code ─────────► Closing ──close-ok──► (gone)
/// Starting, Tuning, Opening ── one that is not ──────────────► (gone)
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// `start` was sent.
    Starting,
    /// Logged in; `tune` was sent.
    Tuning,
    /// Tuned; `open` is to come.
    Opening,
    /// In use.
    Open,
    /// `close` was sent: everything but its answer is ignored.
    Closing,
}

/// One client.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) phase: Phase,
    /// Who logged in.
    pub(super) user: String,
    pub(super) channels: BTreeMap<u16, Channel>,
    pub(super) channel_max: u16,
    /// What was agreed, in seconds; zero for none.
    pub(super) heartbeat: u16,
    /// The client has the capability `consumer_cancel_notify`.
    pub(super) wants_cancels: bool,
    /// The client wants a close method for a refused login, not only a closed socket.
    pub(super) wants_login_refusal: bool,
    /// What was emitted and not yet written, in bytes.
    pub(super) unflushed: usize,
}

impl Connection {
    pub(super) fn new(channel_max: u16) -> Self {
        Self {
            phase: Phase::Starting,
            user: String::new(),
            channels: BTreeMap::new(),
            channel_max,
            heartbeat: 0,
            wants_cancels: false,
            wants_login_refusal: false,
            unflushed: 0,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    pub(super) fn channel_count(&self) -> usize {
        self.channels.len()
    }
}

impl State {
    /// Handles one frame of a connection, which may have ended.
    pub(super) fn on_frame(&mut self, id: ConnectionId, frame: Frame) {
        let Some(connection) = self.connections.get(&id) else {
            return;
        };
        let phase = connection.phase;
        let (source, result) = match (phase, frame) {
            (_, Frame::Heartbeat) => return,
            (Phase::Closing, frame) => return self.on_frame_while_closing(id, &frame),
            (_, Frame::Method(0, method)) => {
                (source_of(&method), self.on_connection_method(id, phase, method))
            }
            (Phase::Open, Frame::Method(channel, method)) => {
                return self.on_channel_method(id, channel, method);
            }
            (Phase::Open, Frame::Header(channel, header)) => return self.on_header(id, channel, header),
            (Phase::Open, Frame::Body(channel, part)) => return self.on_body(id, channel, part),
            (_, Frame::Method(..) | Frame::Header(..) | Frame::Body(..)) => {
                let detail = "a frame for a channel before the connection is open";
                ((0, 0), Err(Fault::hard(AMQPHardError::UNEXPECTEDFRAME, detail)))
            }
        };
        if let Err(fault) = result {
            self.close_connection(id, &fault, source);
        }
    }

    fn on_connection_method(
        &mut self,
        id: ConnectionId,
        phase: Phase,
        method: AMQPClass,
    ) -> Result<(), Fault> {
        use connection::AMQPMethod as Method;
        let AMQPClass::Connection(method) = method else {
            return Err(command_invalid("only connection methods belong on channel 0"));
        };
        match (phase, method) {
            (Phase::Starting, Method::StartOk(start_ok)) => self.log_in(id, &start_ok),
            (Phase::Tuning, Method::TuneOk(tune_ok)) => self.tune(id, &tune_ok),
            (Phase::Opening, Method::Open(open)) => self.open(id, &open),
            (_, Method::Close(_)) => {
                self.send(id, 0, AMQPClass::Connection(Method::CloseOk(connection::CloseOk {})));
                self.emit(Output::HangUp { to: id });
                self.forget_connection(id);
                Ok(())
            }
            (_, Method::UpdateSecret(_)) => Err(Fault::not_implemented("connection.update-secret")),
            (_, method) => {
                Err(command_invalid(&format!("{method:?} makes no sense on a connection that is {phase:?}")))
            }
        }
    }

    fn on_frame_while_closing(&mut self, id: ConnectionId, frame: &Frame) {
        use connection::AMQPMethod as Method;
        match frame {
            Frame::Method(0, AMQPClass::Connection(Method::CloseOk(_))) => {}
            // Both sides may close at once.
            Frame::Method(0, AMQPClass::Connection(Method::Close(_))) => {
                self.send(id, 0, AMQPClass::Connection(Method::CloseOk(connection::CloseOk {})));
            }
            Frame::Method(..) | Frame::Header(..) | Frame::Body(..) | Frame::Heartbeat => return,
        }
        self.emit(Output::HangUp { to: id });
        self.forget_connection(id);
    }

    /// Sends the client the reason, frees everything that the connection held, and waits for its answer.
    pub(super) fn close_connection(
        &mut self,
        id: ConnectionId,
        fault: &Fault,
        (class_id, method_id): (u16, u16),
    ) {
        let Some(connection) = self.connections.get(&id) else {
            return;
        };
        // As RabbitMQ does: before the connection is open, a reason is sent only for some faults.
        let sends_reason = match connection.phase {
            Phase::Closing => return,
            Phase::Starting => fault.code() == AMQPSoftError::ACCESSREFUSED.get_id(),
            Phase::Tuning => false,
            Phase::Opening => fault.code() == AMQPHardError::NOTALLOWED.get_id(),
            Phase::Open => true,
        };
        if !sends_reason {
            self.emit(Output::HangUp { to: id });
            return self.forget_connection(id);
        }
        self.release_channels(id);
        let close =
            connection::Close { reply_code: fault.code(), reply_text: fault.text(), class_id, method_id };
        self.send(id, 0, AMQPClass::Connection(connection::AMQPMethod::Close(close)));
        self.emit(Output::Closing { to: id });
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.phase = Phase::Closing;
        }
    }

    /// Drops a connection whose socket has closed or is closing.
    pub(super) fn forget_connection(&mut self, id: ConnectionId) {
        self.release_channels(id);
        self.connections.remove(&id);
    }

    /// Gives back what the client's channels held, and deletes the queues that die with the connection.
    fn release_channels(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get(&id) else {
            return;
        };
        for channel in connection.channels.keys().copied().collect::<Vec<_>>() {
            self.forget_channel(id, channel);
        }
        let owned: Vec<_> = self
            .topology
            .queues()
            .filter(|(_, queue)| queue.owner == Some(id))
            .map(|(queue, _)| queue)
            .collect();
        for queue in owned {
            self.delete_queue(queue);
        }
    }

    /// A client has read something: its consumers may have more.
    pub(super) fn on_flushed(&mut self, id: ConnectionId, weight: usize) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        let limit = self.config.limits.outbox_bytes;
        let was_full = connection.unflushed >= limit;
        connection.unflushed = connection.unflushed.saturating_sub(weight);
        if was_full && connection.unflushed < limit {
            let consumers = connection.channels.values().flat_map(|channel| channel.consumers.values());
            let queues = consumers.filter_map(|consumer| self.consumers.get(consumer)).map(|it| it.queue);
            self.dirty.extend(queues);
        }
    }
}

/// The class and method ids that a close names as its cause.
pub(super) fn source_of(method: &AMQPClass) -> (u16, u16) {
    (method.get_amqp_class_id(), method.get_amqp_method_id())
}

pub(super) fn command_invalid(detail: &str) -> Fault {
    Fault::hard(AMQPHardError::COMMANDINVALID, detail)
}
