//! How fast scenarios run in virtual time: the reference pair's real drivers over turmoil's network. One case about the gateway, one about
//! the client, and the longest of each; the time that passes inside stands in the name. Then the standard world on the event engine, beside
//! its floor: both machines alone, given by hand what happens to them in that world, without a network, a broker, a trace or a judge.

use std::time::Duration;

use benches::{machine, session};
use criterion::{BenchmarkId, Criterion, SamplingMode, criterion_group, criterion_main};
use protocol::{Dialect, Timestamp, Timing};
use reference_gateway as gateway;
use reference_session::{Command, DialFailure, Input, Now, Output, Session};
use scenarios::{Library, Plan, ScenarioId};
use sim::Options;

/// What is played.
const CASES: [&str; 4] = [
    "gateway/auth/good-token",
    "gateway/heartbeat/answering-peer",
    "client/state/connect-and-lose",
    "client/backoff/attempts-are-limited",
];
/// A run takes tens of milliseconds.
const SAMPLES: usize = 10;
const MEASURED: Duration = Duration::from_secs(3);

fn simulation(c: &mut Criterion) {
    let library = Library::builtin().expect("the built-in scenarios are well-formed");
    let options = Options { seed: 1, timing: Timing::default(), dialect: Dialect::default() };
    let mut group = c.benchmark_group("simulation");
    group.sample_size(SAMPLES).sampling_mode(SamplingMode::Flat).measurement_time(MEASURED);
    for case in CASES {
        let scenario = library.iter().find(|scenario| scenario.id.0 == case).expect("it is built in");
        let play = || sim::play(scenario, &options).expect("it is for simulation");
        let observed = &play().play.trace.observations;
        let virtual_s = observed.last().map_or(0.0, |last| last.at_us as f64 / 1e6);
        group.bench_function(BenchmarkId::new(case, format!("{virtual_s:.0} s inside")), |b| b.iter(play));
    }
    group.finish();
}

/// Clients of the standard world, attempts of each that fail, and messages that it flushes.
const CLIENTS: u64 = 3;
const FAILED_ATTEMPTS: usize = 10;
const MESSAGES: u64 = 20;
/// Pings of each client until its play is over.
const PINGS: usize = 5;

fn standard_world(c: &mut Criterion) {
    let plan = Plan::parse(ScenarioId("standard-world".to_owned()), include_str!("standard-world.toml"));
    let plan = plan.expect("it is a plan");
    let played = swarm::play(&plan, swarm::Options::default());
    assert_eq!(played.violations, [], "the standard world keeps every rule");
    let inside = format!("{:.0} s inside", played.simulated.as_secs_f64());
    let mut group = c.benchmark_group("standard_world");
    group.measurement_time(MEASURED);
    group.bench_function(BenchmarkId::new("event", &inside), |b| {
        b.iter(|| swarm::play(&plan, swarm::Options::default()));
    });
    group.bench_function(BenchmarkId::new("floor", &inside), |b| b.iter(floor));
    group.finish();
}

/// What the machines do in the standard world. Returns how much they have put out.
fn floor() -> u64 {
    let mut outputs = 0;
    let mut gateway = machine::gateway(CLIENTS);
    for number in 0..CLIENTS {
        let mut client = session::disconnected();
        let mut connection = session::connect(&mut client);
        for _ in 0..FAILED_ATTEMPTS {
            let failure = DialFailure::Other("no one listens".to_owned());
            feed(&mut client, Input::DialFailed(connection, failure));
            session::drain(&mut client);
            connection = redial(&mut client);
        }
        feed(&mut client, Input::Opened(connection));
        outputs += exchange(&mut client, &mut gateway, number);
        for message in 0..MESSAGES {
            let payload = serde_json::json!({ "of": number, "seq": message });
            feed(&mut client, Input::Command(Command::Send { kind: "note".to_owned(), payload }));
            outputs += exchange(&mut client, &mut gateway, number);
        }
        for _ in 0..PINGS {
            let deadline = client.deadline().expect("it is connected");
            let now = Now { monotonic: deadline, wall: Timestamp::EPOCH };
            client.handle(now, Input::Timer).expect("nothing is queued");
            outputs += exchange(&mut client, &mut gateway, number);
            let pong = r#"{"type":"pong","timestamp":"1970-01-01T00:00:00.000Z"}"#.to_owned();
            client.handle(now, Input::Text(connection, pong)).expect("nothing is queued");
            outputs += session::drain(&mut client);
        }
    }
    outputs
}

fn feed(client: &mut Session, input: Input) {
    client.handle(session::NOW, input).expect("nothing is refused");
}

/// Lets the delay pass.
fn redial(client: &mut Session) -> reference_session::ConnectionId {
    let deadline = client.deadline().expect("it waits");
    let now = Now { monotonic: deadline, wall: Timestamp::EPOCH };
    client.handle(now, Input::Timer).expect("nothing is queued");
    let dialled = std::iter::from_fn(|| client.poll()).filter_map(|output| match output {
        Output::Dial { connection, .. } => Some(connection),
        _ => None,
    });
    dialled.last().expect("the delay is over")
}

/// The gateway takes what the client sends, and answers.
fn exchange(client: &mut Session, to: &mut gateway::Gateway, number: u64) -> u64 {
    let mut outputs = 0;
    while let Some(output) = client.poll() {
        outputs += 1;
        if let Output::Send { connection, text, kind } = output {
            to.handle(machine::NOW, gateway::Input::Text(gateway::ConnectionId(number), text));
            while to.poll().is_some() {
                outputs += 1;
            }
            feed(client, Input::Written(connection, kind));
        }
    }
    outputs
}

criterion_group!(benches, simulation, standard_world);
criterion_main!(benches);
