//! Files of the scenario language.

use gatecheck_fuzz::edited;
use scenarios::scenario::ScenarioId;
use scenarios::{Library, Scenario};

/// A scenario that is read is the same when it is written and read again; otherwise its error says something.
#[test]
fn scenario_files() {
    let library = Library::builtin().expect("the built-in scenarios are well-formed");
    let samples: Vec<_> = library.iter().map(Scenario::to_toml).collect();
    bolero::check!().for_each(|input: &[u8]| {
        let bytes = edited(&samples, input);
        let Ok(text) = std::str::from_utf8(&bytes) else { return };
        match Scenario::parse(ScenarioId("fuzzed".to_owned()), text) {
            Ok(scenario) => {
                let written = scenario.to_toml();
                let again = Scenario::parse(scenario.id.clone(), &written);
                assert_eq!(again.expect("what is written can be read"), scenario, "{written}");
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    });
}
