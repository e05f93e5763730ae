//! What the gateway's machine costs, apart from sockets: an event is read, routed and encoded once, and handed to each
//! receiver. The second figure is the fan-out; the ratio of the two says what a receiver costs beside the event itself.

use benches::machine::{NOW, gateway, payment, route};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use reference_gateway::Input;

/// Connections that an event reaches.
const RECEIVERS: u64 = 1000;

fn event(c: &mut Criterion) {
    let body = payment(7);
    let mut group = c.benchmark_group("gateway_machine");
    group.throughput(Throughput::Elements(1));
    group.bench_function("read, route and encode an event", |b| b.iter(|| route(&body)));
    group.throughput(Throughput::Elements(RECEIVERS));
    let routed = route(&body);
    let mut machine = gateway(RECEIVERS);
    group.bench_function("hand an event to 1,000 receivers", |b| {
        b.iter_batched(
            || Input::Deliver(routed.clone()),
            |input| {
                machine.handle(NOW, input);
                let mut sent = 0;
                while machine.poll().is_some() {
                    sent += 1;
                }
                assert_eq!(sent, RECEIVERS);
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

criterion_group!(benches, event);
criterion_main!(benches);
