//! scratch
use swarm::{Options, draw, play};
fn main() {
    let seed: u64 = std::env::args().nth(1).unwrap().parse().unwrap();
    let who = std::env::args().nth(2).unwrap_or_default();
    let plan = draw(seed);
    println!("{plan}\n{:?}", plan.timing);
    let played = play(&plan, Options { keeps_trace: true, ..Options::default() });
    for o in &played.trace.unwrap().observations {
        if who.is_empty() || o.actor.0 == who || o.actor.0 == "scenario" {
            let s = serde_json::to_string(&o.event).unwrap();
            println!(
                "{:>12} {:8} {:?} {}",
                o.at_us,
                o.actor.0,
                o.connection,
                s.chars().take(170).collect::<String>()
            );
        }
    }
    println!("{:#?}", played.violations);
}
