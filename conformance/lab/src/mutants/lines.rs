//! Changes to what a client's adapter receives and sends.

use std::sync::Arc;

use serde_json::{Value, json};
use sim::boundary::{AdapterLine, Boundary, Lines};

type OnLine = Box<dyn FnMut(Value) -> AdapterLine + Send>;

/// What changes one adapter; what is not said stays as it is.
#[derive(Default)]
pub(super) struct Change {
    request: Option<OnLine>,
    report: Option<OnLine>,
}

/// Changes every adapter.
pub(super) fn lines(make: impl Fn() -> Change + Send + Sync + 'static) -> Boundary {
    Boundary { lines: Some(Arc::new(move || Box::new(make()))), ..Boundary::default() }
}

/// Changes an option of the client's configuration.
pub(super) fn configured(option: &'static str, change: fn(&Value) -> Value) -> Boundary {
    lines(move || {
        Change::default().request(move |mut line| {
            if line["op"] == "configure" {
                let given = line["options"][option].take();
                line["options"][option] = change(&given);
            }
            asked([line])
        })
    })
}

/// Answers these requests without doing what they ask for.
pub(super) fn ignoring(op: &'static str) -> Boundary {
    lines(move || {
        Change::default().request(move |line| if line["op"] == op { answered(&line) } else { asked([line]) })
    })
}

impl Change {
    pub(super) fn request(mut self, on: impl FnMut(Value) -> AdapterLine + Send + 'static) -> Self {
        self.request = Some(Box::new(on));
        self
    }

    pub(super) fn report(mut self, on: impl FnMut(Value) -> AdapterLine + Send + 'static) -> Self {
        self.report = Some(Box::new(on));
        self
    }
}

impl Lines for Change {
    fn request(&mut self, line: Value) -> AdapterLine {
        match &mut self.request {
            Some(on) => on(line),
            None => asked([line]),
        }
    }

    fn report(&mut self, line: Value) -> AdapterLine {
        match &mut self.report {
            Some(on) => on(line),
            None => reported([line]),
        }
    }
}

pub(super) fn asked(lines: impl IntoIterator<Item = Value>) -> AdapterLine {
    AdapterLine { to_adapter: lines.into_iter().collect(), ..AdapterLine::default() }
}

pub(super) fn reported(lines: impl IntoIterator<Item = Value>) -> AdapterLine {
    AdapterLine { to_judge: lines.into_iter().collect(), ..AdapterLine::default() }
}

/// The answer to a request that is not passed on.
pub(super) fn answered(request: &Value) -> AdapterLine {
    reported([json!({ "id": request["id"], "ok": true })])
}
