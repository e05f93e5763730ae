//! A case whose evidence does not come about does not pass, though nothing forbidden happens in it.

use std::sync::Arc;

use scenarios::{Ending, Judgement, Library, judge};
use sim::boundary::{Boundary, Wire};
use sim::{Options, play_through};

/// Turns an upgrade away.
struct TurnsAway;

impl Wire for TurnsAway {
    fn answer(&mut self, text: String) -> String {
        text.replacen("101 Switching Protocols", "503 Service Unavailable", 1)
    }
}

/// CONN-12 is about connections that were let in. Where all but the first are turned away, rooms and counts stay as they were.
#[test]
fn connections_that_are_turned_away_show_nothing_of_churn() {
    let library = Library::builtin().expect("the built-in scenarios are sound");
    let id = "gateway/connections/churn-is-not-counted";
    let scenario = library.iter().find(|scenario| scenario.id.0 == id).expect("it is built in");
    let wire = Arc::new(|number| (number > 0).then(|| Box::new(TurnsAway) as Box<dyn Wire>));
    let boundary = Boundary { wire: Some(wire), ..Boundary::default() };
    let played = play_through(scenario, &Options::default(), boundary).expect("it is for simulation");
    assert_eq!(played.play.outcome, Ok(()));
    let found = judge(&played.scenario, &played.play.trace, &Ending::Complete, &played.times);
    for judged in &found.judged {
        assert!(
            matches!(&judged.judgement, Judgement::Blocked { by, .. } if by.to_string() == "AUTH-1"),
            "{judged:?}"
        );
    }
    assert!(!found.judged.is_empty());
}
