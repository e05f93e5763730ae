//! Instruction counts, under valgrind: `cargo bench -p instructions`. What is set up is not counted.

#![expect(missing_docs, unused_qualifications, reason = "gungraun's macros write them")]

use std::hint::black_box;

use gungraun::{library_benchmark, library_benchmark_group, main};
use instructions::bounds::bounded;
use instructions::machine::{self, gateway, payment, route};
use instructions::session::{self, connected};
use protocol::{ClientMessage, Dialect, ServerMessage, Target, Timestamp};
use reference_gateway::{ConnectionId, Gateway, Input};
use reference_session::{Input as SessionInput, Session};

/// Connections that an event reaches in a fan-out step.
const RECEIVERS: u64 = 1000;

fn request() -> String {
    let target = Target::EventType("payment:updated".to_owned());
    Dialect::default().encode_client(&ClientMessage::Subscribe(target), Timestamp::EPOCH)
}

/// The frame of a payment event, as a client receives it.
fn event() -> String {
    let data: serde_json::Value = serde_json::from_slice(&payment(7)).expect("the body is JSON");
    Dialect::default().encode_event("payment:updated", &data["data"], Timestamp::EPOCH)
}

fn answer() -> ServerMessage {
    ServerMessage::Subscribed(Target::Room("user:7".to_owned()))
}

/// A gateway, and what is delivered to all of its connections.
fn fan_out() -> (Gateway, Input) {
    (gateway(RECEIVERS), Input::Deliver(route(&payment(7))))
}

fn subscription() -> (Gateway, Input) {
    (gateway(1), Input::Text(ConnectionId(0), request()))
}

fn received() -> (Session, SessionInput) {
    let (session, connection) = connected();
    (session, SessionInput::Text(connection, event()))
}

#[library_benchmark(config = bounded("decode_request"))]
#[bench::it(request())]
fn decode_request(text: String) -> bool {
    black_box(Dialect::default().decode_client(black_box(&text))).is_ok()
}

#[library_benchmark(config = bounded("encode_answer"))]
#[bench::it(answer())]
fn encode_answer(message: ServerMessage) -> String {
    Dialect::default().encode_server(black_box(&message), Timestamp::EPOCH, None)
}

#[library_benchmark(config = bounded("decode_event"))]
#[bench::it(event())]
fn decode_event(text: String) -> bool {
    black_box(Dialect::default().decode_server(black_box(&text))).is_ok()
}

// An event is read, its rooms are found, and its frame is encoded.
#[library_benchmark(config = bounded("route_event"))]
#[bench::it(payment(7))]
fn route_event(body: Vec<u8>) -> usize {
    black_box(route(black_box(&body)));
    body.len()
}

// The gateway's machine hands one event to a thousand connections.
#[library_benchmark(config = bounded("gateway_fan_out"))]
#[bench::it(fan_out())]
fn gateway_fan_out((mut gateway, input): (Gateway, Input)) -> (u64, Gateway) {
    gateway.handle(machine::NOW, input);
    let mut sent = 0;
    while let Some(output) = gateway.poll() {
        black_box(output);
        sent += 1;
    }
    assert_eq!(sent, RECEIVERS);
    // Dropped outside of the count.
    (sent, gateway)
}

// The gateway's machine reads a request, joins the room, and answers.
#[library_benchmark(config = bounded("gateway_request"))]
#[bench::it(subscription())]
fn gateway_request((mut gateway, input): (Gateway, Input)) -> (bool, Gateway) {
    gateway.handle(machine::NOW, input);
    let answered = black_box(gateway.poll()).is_some();
    assert!(answered);
    (answered, gateway)
}

// The client's machine reads an event and calls its listeners.
#[library_benchmark(config = bounded("session_event"))]
#[bench::it(received())]
fn session_event((mut session, input): (Session, SessionInput)) -> (bool, Session) {
    let accepted = session.handle(session::NOW, input).is_ok();
    let emitted = black_box(session.poll()).is_some();
    assert!(accepted && emitted);
    while let Some(output) = session.poll() {
        black_box(output);
    }
    (emitted, session)
}

library_benchmark_group!(name = codec, benchmarks = [decode_request, encode_answer, decode_event]);
library_benchmark_group!(
    name = machines,
    benchmarks = [route_event, gateway_fan_out, gateway_request, session_event]
);
main!(library_benchmark_groups = [codec, machines]);
