//! What the gateway's machine costs, apart from sockets: an event is read, routed and encoded once, and handed to each
//! receiver. *Hand* figures are the fan-out; beside the event's own they say what a receiver costs. The floor is a walk over as many
//! numbers.

use std::hint::black_box;

use benches::machine::{NOW, gateway, payment, route};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use reference_gateway::Input;

/// Connections that an event reaches.
const RECEIVERS: [u64; 4] = [1, 100, 1_000, 10_000];

fn event(c: &mut Criterion) {
    let body = payment(7);
    let mut group = c.benchmark_group("routing/event");
    group.throughput(Throughput::Elements(1));
    group.bench_function("read, route and encode", |b| b.iter(|| route(&body)));
    group.bench_function("plain: read and write it as JSON", |b| {
        b.iter(|| serde_json::from_slice::<serde_json::Value>(&body).expect("it is JSON").to_string());
    });
    group.finish();
}

fn receivers(c: &mut Criterion) {
    let routed = route(&payment(7));
    let mut group = c.benchmark_group("routing/hand");
    for receivers in RECEIVERS {
        group.throughput(Throughput::Elements(receivers));
        let mut machine = gateway(receivers);
        group.bench_with_input(BenchmarkId::new("gatecheck", receivers), &receivers, |b, &receivers| {
            b.iter_batched(
                || Input::Deliver(routed.clone()),
                |input| {
                    machine.handle(NOW, input);
                    let mut sent = 0;
                    while machine.poll().is_some() {
                        sent += 1;
                    }
                    assert_eq!(sent, receivers);
                },
                BatchSize::SmallInput,
            );
        });
        group.bench_with_input(BenchmarkId::new("floor", receivers), &receivers, |b, &receivers| {
            b.iter(|| (0..receivers).map(black_box).sum::<u64>());
        });
    }
    group.finish();
}

criterion_group!(benches, event, receivers);
criterion_main!(benches);
