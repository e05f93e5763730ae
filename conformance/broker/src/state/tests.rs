//! The machine by itself: limits, time, and what no client library lets one see.

use super::report::{MAX_COUNTED_NAMES, OTHERS};
use super::*;
use crate::config::Limits;
use crate::message::encode_properties;
use crate::wire::ContentHeader;
use amq_protocol::protocol::{AMQPClass, basic, channel, confirm, connection, exchange, queue, tx};
use amq_protocol::types::{AMQPValue, FieldTable, ShortString};
use bytes::Bytes;

/// The channel on which everything happens.
const CHANNEL: u16 = 1;

/// A machine, and a clock for it.
struct Machine {
    state: State,
    elapsed: Duration,
}

impl Machine {
    fn new(limits: Limits) -> Self {
        let config = BrokerConfig { limits, ..BrokerConfig::default() };
        Self { state: State::new(config), elapsed: Duration::ZERO }
    }

    /// Gives one input, and drains what follows.
    fn give(&mut self, input: Input) -> Vec<Output> {
        self.state.handle(Moment { elapsed: self.elapsed, unix_seconds: 1 }, input);
        std::iter::from_fn(|| self.state.poll()).collect()
    }

    fn send(&mut self, id: ConnectionId, methods: impl IntoIterator<Item = AMQPClass>) -> Vec<Output> {
        let frames = methods.into_iter().map(|method| Frame::Method(CHANNEL, method)).collect();
        self.give(Input::Frames(id, frames))
    }

    /// A client with an open channel in confirm mode, and all of its outputs written.
    fn client(&mut self, id: u64) -> ConnectionId {
        use connection::AMQPMethod as Method;
        let id = ConnectionId(id);
        self.give(Input::Connected(id));
        let limits = self.state.config.limits.clone();
        let start_ok = connection::StartOk {
            mechanism: "PLAIN".into(),
            response: "\0guest\0guest".into(),
            ..connection::StartOk::default()
        };
        let tune_ok =
            connection::TuneOk { channel_max: limits.channels, frame_max: limits.frame_bytes, heartbeat: 0 };
        let open = connection::Open { virtual_host: "/".into() };
        for method in [Method::StartOk(start_ok), Method::TuneOk(tune_ok), Method::Open(open)] {
            self.give(Input::Frames(id, vec![Frame::Method(0, AMQPClass::Connection(method))]));
        }
        self.send(id, [AMQPClass::Channel(channel::AMQPMethod::Open(channel::Open {}))]);
        self.send(id, [AMQPClass::Confirm(confirm::AMQPMethod::Select(confirm::Select { nowait: true }))]);
        self.give(Input::Flushed(id, usize::MAX));
        id
    }

    fn publish(&mut self, id: ConnectionId, queue: &str, bodies: &[&'static str]) -> Vec<Output> {
        self.give(Input::Frames(id, bodies.iter().flat_map(|body| publish(queue, body)).collect()))
    }

    fn declare(&mut self, id: ConnectionId, queue: &str, arguments: FieldTable) -> Vec<Output> {
        self.send(id, [declare(queue, arguments)])
    }

    fn ready(&self, queue: &str) -> usize {
        self.state.snapshot().queues[queue].ready
    }
}

fn declare(queue: &str, arguments: FieldTable) -> AMQPClass {
    let declare = queue::Declare { queue: queue.into(), arguments, ..queue::Declare::default() };
    AMQPClass::Queue(queue::AMQPMethod::Declare(declare))
}

fn consume(queue: &str) -> AMQPClass {
    let consume = basic::Consume { queue: queue.into(), nowait: true, ..basic::Consume::default() };
    AMQPClass::Basic(basic::AMQPMethod::Consume(consume))
}

fn publish(queue: &str, body: &'static str) -> Vec<Frame> {
    let publish = basic::Publish { routing_key: queue.into(), ..basic::Publish::default() };
    let header = ContentHeader {
        body_size: body.len() as u64,
        properties: encode_properties(&basic::AMQPProperties::default()),
        ..ContentHeader::default()
    };
    let mut frames = vec![
        Frame::Method(CHANNEL, AMQPClass::Basic(basic::AMQPMethod::Publish(publish))),
        Frame::Header(CHANNEL, header),
    ];
    if !body.is_empty() {
        frames.push(Frame::Body(CHANNEL, Bytes::from_static(body.as_bytes())));
    }
    frames
}

fn table(name: &str, value: AMQPValue) -> FieldTable {
    let mut table = FieldTable::default();
    table.insert(name.into(), value);
    table
}

/// The bodies that were delivered.
fn delivered(outputs: &[Output]) -> Vec<Bytes> {
    let bodies = outputs.iter().filter_map(|output| match output {
        Output::Content { message, .. } => Some(message.body.clone()),
        _ => None,
    });
    bodies.collect()
}

/// The code with which a channel or a connection was closed.
fn closed_with(outputs: &[Output]) -> Option<u16> {
    outputs.iter().find_map(|output| match output {
        Output::Method { method: AMQPClass::Connection(connection::AMQPMethod::Close(close)), .. } => {
            Some(close.reply_code)
        }
        Output::Method { method: AMQPClass::Channel(channel::AMQPMethod::Close(close)), .. } => {
            Some(close.reply_code)
        }
        _ => None,
    })
}

/// The confirms: tag, whether it stands for several, and whether it is an ack.
fn confirms(outputs: &[Output]) -> Vec<(u64, bool, bool)> {
    let confirms = outputs.iter().filter_map(|output| match output {
        Output::Method { method: AMQPClass::Basic(basic::AMQPMethod::Ack(ack)), .. } => {
            Some((ack.delivery_tag, ack.multiple, true))
        }
        Output::Method { method: AMQPClass::Basic(basic::AMQPMethod::Nack(nack)), .. } => {
            Some((nack.delivery_tag, nack.multiple, false))
        }
        _ => None,
    });
    confirms.collect()
}

/// One confirm stands for all messages that arrived together.
#[test]
fn confirms_of_one_batch_are_one() {
    let mut machine = Machine::new(Limits::default());
    let client = machine.client(1);
    machine.declare(client, "q", FieldTable::default());
    assert_eq!(confirms(&machine.publish(client, "q", &["a"])), [(1, false, true)]);
    assert_eq!(confirms(&machine.publish(client, "q", &["b", "c", "d"])), [(4, true, true)]);
}

/// A queue at its limit refuses: a nack for each, and acks before it do not cover it.
#[test]
fn a_full_queue_refuses() {
    let mut machine = Machine::new(Limits { queue_messages: 2, ..Limits::default() });
    let client = machine.client(1);
    machine.declare(client, "q", FieldTable::default());
    let outputs = machine.publish(client, "q", &["a", "b", "c", "d"]);
    assert_eq!(confirms(&outputs), [(2, true, true), (3, false, false), (4, false, false)]);
    assert_eq!((machine.ready("q"), machine.state.snapshot().refused), (2, 2));
}

/// A queue's bytes are limited as well, whatever their number.
#[test]
fn a_heavy_queue_refuses() {
    let mut machine = Machine::new(Limits { queue_bytes: 1, ..Limits::default() });
    let client = machine.client(1);
    machine.declare(client, "q", FieldTable::default());
    machine.publish(client, "q", &["a", "b"]);
    assert_eq!(machine.ready("q"), 1, "the limit is noticed once it is passed");
}

/// All queues together are limited, too.
#[test]
fn many_queues_hold_no_more_than_one() {
    let mut machine = Machine::new(Limits { held_bytes: 1, ..Limits::default() });
    let client = machine.client(1);
    for name in ["q", "r"] {
        machine.declare(client, name, FieldTable::default());
        machine.publish(client, name, &["a"]);
    }
    assert_eq!((machine.ready("q"), machine.ready("r")), (1, 0), "the limit is noticed once it is passed");
}

/// A consumer that does not read gets no more than the outbox holds, and the rest once it does.
#[test]
fn a_slow_reader_costs_bounded_memory() {
    let mut machine = Machine::new(Limits { outbox_bytes: 1000, ..Limits::default() });
    let (publisher, reader) = (machine.client(1), machine.client(2));
    machine.declare(publisher, "q", FieldTable::default());
    machine.send(reader, [consume("q")]);
    let outputs = machine.publish(publisher, "q", &["body"; 100]);
    let first = delivered(&outputs).len();
    assert!((1..10).contains(&first), "{first} deliveries");
    assert_eq!(machine.ready("q"), 100 - first);
    // Each time it has read what it got, it gets about as much again.
    let mut got = first;
    for _ in 0..100 {
        got += delivered(&machine.give(Input::Flushed(reader, 1000))).len();
    }
    assert_eq!((got, machine.ready("q")), (100, 0));
}

/// Replies are not held back, so a client that asks and never reads is cut off in the end, and what it held returns.
#[test]
fn a_client_that_never_reads_is_cut_off() {
    let mut machine = Machine::new(Limits { outbox_max_bytes: 1000, ..Limits::default() });
    let (publisher, greedy) = (machine.client(1), machine.client(2));
    machine.declare(publisher, "q", FieldTable::default());
    machine.publish(publisher, "q", &["body"]);
    machine.give(Input::Flushed(publisher, usize::MAX));
    let get = basic::Get { queue: "q".into(), no_ack: false };
    let get = || AMQPClass::Basic(basic::AMQPMethod::Get(get.clone()));
    let outputs = machine.send(greedy, (0..100).map(|_| get()));
    assert!(matches!(outputs.last(), Some(Output::Abort { to }) if *to == greedy));
    assert_eq!((machine.state.snapshot().connections, machine.ready("q")), (1, 1));
}

/// Each thing that a client can make is limited, and asking for one too many closes the connection with 506.
#[test]
fn one_thing_too_many_closes_with_506() {
    let limits = Limits { exchanges: 7, queues: 1, bindings: 1, consumers: 1, ..Limits::default() };
    let exchange = |name: &str| {
        let declare =
            exchange::Declare { exchange: name.into(), kind: "topic".into(), ..exchange::Declare::default() };
        AMQPClass::Exchange(exchange::AMQPMethod::Declare(declare))
    };
    let bind = |key: &str| {
        let bind = queue::Bind {
            queue: "q0".into(),
            exchange: "amq.topic".into(),
            routing_key: key.into(),
            ..queue::Bind::default()
        };
        AMQPClass::Queue(queue::AMQPMethod::Bind(bind))
    };
    let cases = [
        [exchange("e0"), exchange("e1")],
        [declare("q0", FieldTable::default()), declare("q1", FieldTable::default())],
        [bind("a"), bind("b")],
        [consume("q0"), consume("q0")],
    ];
    for [first, second] in cases {
        let mut machine = Machine::new(limits.clone());
        let client = machine.client(1);
        machine.declare(client, "q0", FieldTable::default());
        assert_eq!(closed_with(&machine.send(client, [first.clone()])), None, "{first:?}");
        assert_eq!(closed_with(&machine.send(client, [second.clone()])), Some(506), "{second:?}");
    }
}

/// A message whose header announces too large a body is refused before the body is read.
#[test]
fn a_message_too_large_closes_the_channel_with_406() {
    let mut machine = Machine::new(Limits { message_bytes: 3, ..Limits::default() });
    let client = machine.client(1);
    machine.declare(client, "q", FieldTable::default());
    assert_eq!(closed_with(&machine.publish(client, "q", &["abc"])), None);
    assert_eq!(closed_with(&machine.publish(client, "q", &["abcd"])), Some(406));
}

/// Bodies that are announced and do not come are limited together, whichever connections announce them; what is whole is not counted.
#[test]
fn unfinished_bodies_are_limited_together() {
    let mut machine = Machine::new(Limits { unfinished_bytes: 5, ..Limits::default() });
    let (one, two) = (machine.client(1), machine.client(2));
    machine.declare(one, "q", FieldTable::default());
    assert_eq!(closed_with(&machine.publish(one, "q", &["abc", "abc"])), None);
    let announce = || publish("q", "abc")[..2].to_vec();
    assert_eq!(closed_with(&machine.give(Input::Frames(one, announce()))), None);
    assert_eq!(closed_with(&machine.give(Input::Frames(two, announce()))), Some(406));
}

/// A body longer than announced is a framing error.
#[test]
fn a_body_longer_than_announced_closes_with_501() {
    let mut machine = Machine::new(Limits::default());
    let client = machine.client(1);
    let mut frames = publish("q", "abc");
    frames[2] = Frame::Body(CHANNEL, Bytes::from_static(b"abcd"));
    assert_eq!(closed_with(&machine.give(Input::Frames(client, frames))), Some(501));
}

/// A channel beyond the negotiated number, and transactions, are refused.
#[test]
fn what_is_beyond_the_agreement_is_refused() {
    let mut machine = Machine::new(Limits { channels: 1, ..Limits::default() });
    let client = machine.client(1);
    let open = AMQPClass::Channel(channel::AMQPMethod::Open(channel::Open {}));
    assert_eq!(closed_with(&machine.give(Input::Frames(client, vec![Frame::Method(2, open)]))), Some(530));
    let other = machine.client(2);
    let select = AMQPClass::Tx(tx::AMQPMethod::Select(tx::Select {}));
    assert_eq!(closed_with(&machine.send(other, [select])), Some(540));
}

/// The machine asks to be woken when a message expires. An early tick changes nothing.
#[test]
fn messages_expire_on_time() {
    let mut machine = Machine::new(Limits::default());
    let client = machine.client(1);
    machine.elapsed = Duration::from_secs(5);
    machine.declare(client, "q", table("x-message-ttl", AMQPValue::LongInt(1000)));
    assert_eq!(machine.state.deadline(), None);
    machine.publish(client, "q", &["a"]);
    assert_eq!(machine.state.deadline(), Some(Duration::from_secs(6)));
    machine.elapsed = Duration::from_millis(5999);
    machine.give(Input::Tick);
    assert_eq!(machine.ready("q"), 1);
    machine.elapsed = Duration::from_secs(6);
    machine.give(Input::Tick);
    assert_eq!((machine.ready("q"), machine.state.deadline()), (0, None));
}

/// Late inputs of a closed connection are ignored, and its unacknowledged messages are requeued.
#[test]
fn a_dead_connection_stays_dead() {
    let mut machine = Machine::new(Limits::default());
    let (publisher, gone) = (machine.client(1), machine.client(2));
    machine.declare(publisher, "q", FieldTable::default());
    machine.publish(publisher, "q", &["a"]);
    assert_eq!(delivered(&machine.send(gone, [consume("q")])).len(), 1);
    machine.give(Input::Gone(gone));
    assert_eq!(machine.ready("q"), 1);
    for input in [
        Input::Frames(gone, vec![Frame::Method(CHANNEL, consume("q"))]),
        Input::Flushed(gone, 1),
        Input::Gone(gone),
        Input::Malformed(gone, Fault::not_implemented("anything")),
    ] {
        assert!(machine.give(input).is_empty());
    }
    assert_eq!(machine.ready("q"), 1);
}

/// A shutdown closes every connection, and further input from clients is ignored.
#[test]
fn a_shutdown_closes_every_connection() {
    let mut machine = Machine::new(Limits::default());
    let clients = [machine.client(1), machine.client(2)];
    let outputs = machine.give(Input::Shutdown);
    for client in clients {
        let received = outputs.iter().filter(|output| output.recipient() == client);
        assert_eq!(received.count(), 2, "a close, and a deadline for its answer");
    }
    assert_eq!(closed_with(&outputs), Some(320));
    assert!(machine.send(clients[0], [declare("q", FieldTable::default())]).is_empty());
    let close_ok = AMQPClass::Connection(connection::AMQPMethod::CloseOk(connection::CloseOk {}));
    let outputs = machine.give(Input::Frames(clients[0], vec![Frame::Method(0, close_ok)]));
    assert!(matches!(outputs[..], [Output::HangUp { to }] if to == clients[0]));
}

/// Ignored arguments are counted by name up to a limit, since clients choose the names.
#[test]
fn ignored_arguments_are_counted_within_bounds() {
    let mut machine = Machine::new(Limits::default());
    let client = machine.client(1);
    let mut arguments = FieldTable::default();
    for number in 0..MAX_COUNTED_NAMES + 50 {
        arguments.insert(format!("x-{number:03}").into(), AMQPValue::Boolean(true));
    }
    machine.declare(client, "q", arguments);
    machine.declare(client, "other", table("x-000", AMQPValue::Boolean(true)));
    let ignored = machine.state.snapshot().ignored_arguments;
    assert_eq!((ignored.len(), ignored["x-000"], ignored[OTHERS]), (MAX_COUNTED_NAMES + 1, 2, 50));
}

/// A queue that expires is the machine's next deadline, and use puts it off.
#[test]
fn an_unused_queue_expires_on_time() {
    let mut machine = Machine::new(Limits::default());
    let client = machine.client(1);
    machine.declare(client, "q", table("x-expires", AMQPValue::LongInt(1000)));
    assert_eq!(machine.state.deadline(), Some(Duration::from_secs(1)));
    machine.elapsed = Duration::from_millis(400);
    machine.declare(client, "q", table("x-expires", AMQPValue::LongInt(1000)));
    assert_eq!(machine.state.deadline(), Some(Duration::from_millis(1400)));
    machine.send(client, [consume("q")]);
    assert_eq!(machine.state.deadline(), None);
    machine.elapsed = Duration::from_secs(2);
    machine.give(Input::Gone(client));
    assert_eq!(machine.state.deadline(), Some(Duration::from_secs(3)));
    machine.elapsed = Duration::from_secs(3);
    machine.give(Input::Tick);
    assert!(machine.state.snapshot().queues.is_empty());
}

/// Names that the broker makes up depend on its seed alone.
#[test]
fn made_up_names_are_reproducible() {
    let names = |seed| -> Vec<String> {
        let mut state = State::new(BrokerConfig { seed, ..BrokerConfig::default() });
        (0..3).map(|_| state.make_up_name("amq.gen-")).collect()
    };
    assert_eq!(names(1), names(1));
    assert_ne!(names(1), names(2));
    assert!(names(1).iter().all(|name| ShortString::try_new(name.clone()).is_ok()));
}
