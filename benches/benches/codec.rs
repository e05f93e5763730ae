//! What reading and writing messages costs, in both built-in forms: members that the code knows, and templates of a profile. The floor
//! copies the text; *plain* reads any JSON into a `Value`.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use protocol::{ClientMessage, Dialect, Target, Timestamp};
use serde_json::{Value, json};

/// Bytes of an event's text, about.
const SIZES: [usize; 3] = [200, 2_048, 32_768];
/// Dialects with templates and without.
const DIALECTS: [&str; 2] = ["seed", "event-data"];

fn dialect(name: &str) -> Dialect {
    Dialect::builtin(name).expect("it is built in")
}

fn payment(bytes: usize) -> Value {
    json!({ "userId": "7", "paymentId": "p-1", "amount": 12.5, "note": "x".repeat(bytes.saturating_sub(150)) })
}

fn requests(c: &mut Criterion) {
    let mut group = c.benchmark_group("codec/request");
    group.throughput(Throughput::Elements(1));
    let message = ClientMessage::Subscribe(Target::EventType("payment:updated".to_owned()));
    for name in DIALECTS {
        let dialect = dialect(name);
        let text = dialect.encode_client(&message, Timestamp::EPOCH);
        group.bench_function(BenchmarkId::new("encode", name), |b| {
            b.iter(|| dialect.encode_client(black_box(&message), Timestamp::EPOCH));
        });
        group.bench_function(BenchmarkId::new("decode", name), |b| {
            b.iter(|| dialect.decode_client(black_box(&text)).expect("it was encoded"));
        });
    }
    group.finish();
}

fn events(c: &mut Criterion) {
    let mut group = c.benchmark_group("codec/event");
    for bytes in SIZES {
        let data = payment(bytes);
        for name in DIALECTS {
            let dialect = dialect(name);
            let text = dialect.encode_event("payment:updated", &data, Timestamp::EPOCH);
            group.throughput(Throughput::Bytes(text.len() as u64));
            group.bench_function(BenchmarkId::new(format!("encode/{name}"), bytes), |b| {
                b.iter(|| dialect.encode_event("payment:updated", black_box(&data), Timestamp::EPOCH));
            });
            group.bench_function(BenchmarkId::new(format!("decode/{name}"), bytes), |b| {
                b.iter(|| dialect.decode_server(black_box(&text)).expect("it was encoded"));
            });
        }
        let text = dialect(DIALECTS[0]).encode_event("payment:updated", &data, Timestamp::EPOCH);
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(BenchmarkId::new("decode/plain", bytes), |b| {
            b.iter(|| serde_json::from_str::<Value>(black_box(&text)).expect("it is JSON"));
        });
        group.bench_function(BenchmarkId::new("floor", bytes), |b| b.iter(|| black_box(&text).clone()));
    }
    group.finish();
}

criterion_group!(benches, requests, events);
criterion_main!(benches);
