//! scratch
use swarm::{Seeds, planted};
fn main() {
    let n: u64 = std::env::args().nth(1).unwrap().parse().unwrap();
    let t = std::time::Instant::now();
    let s = Seeds { jobs: 2, ..Seeds::new(0, n) }.play(|_| {});
    println!(
        "clean: {} seeds in {:?}, {} h inside, {} obs, found {}",
        s.seeds,
        t.elapsed(),
        s.simulated.as_secs() / 3600,
        s.observed,
        s.found.len()
    );
    let mut by = std::collections::BTreeMap::<_, Vec<_>>::new();
    for (seed, v) in &s.found {
        by.entry(v.requirement).or_default().push((seed, v));
    }
    for (r, v) in by {
        println!("{r} {}: {:?}", v.len(), &v[..v.len().min(3)]);
    }
    println!("{:#?}", s.coverage.goals);
    println!("missing {:?}", s.coverage.missing().collect::<Vec<_>>());
    println!("{:?}", s.coverage.faults);
    for p in planted::all() {
        let s = Seeds { stops: true, defect: Some(p.make), ..Seeds::new(1_000_000, 2000) }.play(|_| {});
        match s.found.first() {
            Some((seed, v)) => {
                let plan = swarm::draw(*seed);
                let t = std::time::Instant::now();
                let small = swarm::shrink(&plan, v.requirement, Some(p.make));
                println!(
                    "{} {} → {} after {} seeds: {} → {} entries in {} plays {:?}: {}",
                    p.id,
                    p.requirement,
                    v.requirement,
                    s.seeds,
                    plan.entries.len(),
                    small.plan.entries.len(),
                    small.plays,
                    t.elapsed(),
                    v.detail.chars().take(90).collect::<String>()
                )
            }
            None => println!("{} SURVIVES {}", p.id, s.seeds),
        }
    }
}
