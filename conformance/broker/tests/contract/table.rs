//! What was seen, as a table: behaviours as rows, brokers as columns.

use crate::arms::Arm;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Mutex;

/// The outcomes of a run: whether a broker showed a behaviour.
#[derive(Default)]
pub(crate) struct Table(Mutex<BTreeMap<(&'static str, Arm), bool>>);

impl Table {
    pub(crate) fn note(&self, behaviour: &'static str, arm: Arm, shown: bool) {
        self.0.lock().expect("no entry panics").insert((behaviour, arm), shown);
    }

    /// Markdown, with a column for each broker that took part.
    pub(crate) fn markdown(&self, behaviours: &[&'static str]) -> String {
        let seen = self.0.lock().expect("no entry panics");
        let arms: BTreeSet<_> = seen.keys().map(|(_, arm)| *arm).collect();
        let mut text = "| behaviour |".to_owned();
        for arm in &arms {
            let _ = write!(text, " {} |", arm.name());
        }
        let _ = writeln!(text, "\n|---|{}", "---|".repeat(arms.len()));
        for behaviour in behaviours {
            let _ = write!(text, "| {} |", behaviour.replace('_', " "));
            for arm in &arms {
                let shown = match seen.get(&(*behaviour, *arm)) {
                    None => "not run",
                    Some(true) => "yes",
                    Some(false) => "**no**",
                };
                let _ = write!(text, " {shown} |");
            }
            text.push('\n');
        }
        text
    }
}
