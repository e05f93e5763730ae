//! Deaths of the subject, by what they are due to: one defect is one finding, however many cases it ends.

mod cause;

use std::collections::BTreeMap;

use scenarios::{Foreign, ScenarioId};
use schemars::JsonSchema;
use serde::Serialize;

use super::case::CaseReport;
use super::verdict::Verdict;
use cause::Cause;

/// One way in which the subject died, or did not start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Death {
    /// The first error that the process printed, of its own words; where there is none, how it ended and the last line that it
    /// printed.
    pub cause: Foreign,
    /// The place in the subject's own code that the error names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frame: Option<Foreign>,
    /// The cases that ended so, in the order of their ids.
    pub cases: Vec<ScenarioId>,
}

impl Death {
    /// The cause, and the place.
    pub fn name(&self) -> Foreign {
        match &self.frame {
            Some(frame) => format!("{} {}", self.cause.raw(), frame.raw()).into(),
            None => self.cause.clone(),
        }
    }

    /// The deaths in these cases, those that ended most of them first.
    pub(super) fn grouped(cases: &[CaseReport]) -> Vec<Self> {
        let mut deaths: BTreeMap<String, Self> = BTreeMap::new();
        for case in cases {
            let Verdict::SubjectError { detail } = &case.verdict else { continue };
            let cause =
                Cause::read(&case.output).unwrap_or_else(|| Cause::unsaid(detail.raw(), &case.output));
            let key = cause.key();
            let Cause { error, frame } = cause;
            let death = Self { cause: error.into(), frame: frame.map(Foreign::from), cases: Vec::new() };
            let death = deaths.entry(key).or_insert(death);
            death.cases.push(case.id.clone());
        }
        let mut deaths: Vec<_> = deaths.into_values().collect();
        deaths.sort_by(|a, b| b.cases.len().cmp(&a.cases.len()).then_with(|| a.cases.cmp(&b.cases)));
        deaths
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::sample::case;

    fn died(id: &str, detail: &str, output: &str) -> CaseReport {
        CaseReport {
            output: output.lines().map(Foreign::from).collect(),
            ..case(id, Verdict::SubjectError { detail: detail.into() }, &[])
        }
    }

    /// Cases that one line of code ended are one death, whatever they sent it; another line is another death.
    #[test]
    fn one_defect_is_one_death() {
        let parse = |message: &str| {
            format!(
                "<anonymous_script>:1\n{message}\n^\n\nSyntaxError: Unexpected token in {message}\n    \
                 at JSON.parse (<anonymous>)\n    at onMessage (/app/gateway.js:3:24)\n\nNode.js v22.11.0"
            )
        };
        let read = "/app/gateway.js:4\n  x.y\n    ^\n\nTypeError: Cannot read properties of undefined (reading 'y')\n    \
                    at onMessage (/app/gateway.js:4:31)\n\nNode.js v22.11.0";
        let deaths = Death::grouped(&[
            died("a", "exit code 1", read),
            died("b", "exit code 1", &parse("x")),
            died("c", "exit code 1", &parse("[1")),
            case("d", Verdict::Fail, &[]),
            died("e", "exit code 7", "listening on 4711"),
            died("f", "exit code 7", "listening on 4712"),
            died("g", "signal 9", "listening on 4713"),
        ]);
        let groups: Vec<_> = deaths
            .iter()
            .map(|Death { cause, frame, cases }| {
                let cases: Vec<_> = cases.iter().map(ToString::to_string).collect();
                let frame = frame.as_ref().map_or("nowhere", Foreign::raw);
                format!("{}: {} | {frame}", cases.join(" "), cause.raw())
            })
            .collect();
        assert_eq!(
            groups,
            [
                "b c: SyntaxError: Unexpected token in x | at onMessage (/app/gateway.js:3:24)",
                "e f: exit code 7; its last line: listening on 4711 | nowhere",
                "a: TypeError: Cannot read properties of undefined (reading 'y') | at onMessage (/app/gateway.js:4:31)",
                "g: signal 9; its last line: listening on 4713 | nowhere",
            ]
        );
    }
}
