//! What the client's machine costs, apart from sockets: an event is read and emitted, a queue is flushed on connecting, a
//! connection is lost and found again. The plain figure beside an event is the codec alone.

use std::hint::black_box;

use benches::machine::payment;
use benches::session::{self, NOW, connected, disconnected};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use protocol::{Dialect, Timestamp};
use reference_session::{Command, Input};
use serde_json::{Value, json};

/// Messages that wait for a connection.
const QUEUED: u64 = 100;

fn event(c: &mut Criterion) {
    let data: Value = serde_json::from_slice(&payment(7)).expect("the body is JSON");
    let text = Dialect::default().encode_event("payment:updated", &data["data"], Timestamp::EPOCH);
    let (mut session, connection) = connected();
    let mut group = c.benchmark_group("session/event");
    group.throughput(Throughput::Elements(1));
    group.bench_function("gatecheck", |b| {
        b.iter_batched(
            || text.clone(),
            |text| {
                session.handle(NOW, Input::Text(connection, text)).expect("nothing is queued");
                assert!(session::drain(&mut session) > 0);
            },
            BatchSize::SmallInput,
        );
    });
    group.bench_function("plain: the codec alone", |b| {
        b.iter(|| Dialect::default().decode_server(black_box(&text)).expect("it was encoded"));
    });
    group.finish();
}

fn flush(c: &mut Criterion) {
    let mut group = c.benchmark_group("session/queue");
    group.throughput(Throughput::Elements(QUEUED));
    group.bench_function("100 messages wait, and go out on connecting", |b| {
        b.iter_batched(
            disconnected,
            |mut session| {
                for seq in 0..QUEUED {
                    let send = Command::Send { kind: "note".to_owned(), payload: json!({ "seq": seq }) };
                    session.handle(NOW, Input::Command(send)).expect("there is room");
                }
                let connection = session::connect(&mut session);
                session.handle(NOW, Input::Opened(connection)).expect("nothing is queued");
                assert!(session::flushed(&mut session, connection) >= QUEUED);
                session
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

fn reconnect(c: &mut Criterion) {
    let mut group = c.benchmark_group("session/reconnect");
    group.throughput(Throughput::Elements(1));
    group.bench_function("dialled, opened and lost", |b| {
        b.iter_batched(
            disconnected,
            |mut session| {
                let connection = session::connect(&mut session);
                for input in [Input::Opened(connection), Input::Closed(connection, None)] {
                    session.handle(NOW, input).expect("nothing is queued");
                    session::drain(&mut session);
                }
                session
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

criterion_group!(benches, event, flush, reconnect);
criterion_main!(benches);
