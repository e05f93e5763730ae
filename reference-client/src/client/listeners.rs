//! The registry of listeners (SUB-3).

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::report::Reports;
use reference_session::Status;

/// Identifies a listener, so that it alone can be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListenerId(u64);

/// A listener failed. It is logged, and the others are called (SUB-3).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ListenerError(pub String);

pub(super) type Listener = Box<dyn FnMut(&Value) -> Result<(), ListenerError> + Send>;
pub(super) type AnyListener = Box<dyn FnMut(&str, &Value) -> Result<(), ListenerError> + Send>;
pub(super) type Observer = Box<dyn FnMut(Status, Status) + Send>;

/// Listeners by event, and those who hear of every change of status. Callbacks run on the client's task alone, one after the
/// other. The register is not locked while they run, so that they can change it.
#[derive(Default)]
pub(super) struct Listeners {
    register: Mutex<Register>,
}

#[derive(Default)]
struct Register {
    next: u64,
    of_events: BTreeMap<String, Vec<(ListenerId, Callback<Listener>)>>,
    of_anything: Vec<Callback<AnyListener>>,
    of_status: Vec<(ListenerId, Callback<Observer>)>,
}

impl Register {
    fn name(&mut self) -> ListenerId {
        let id = ListenerId(self.next);
        self.next += 1;
        id
    }
}

/// A callback that outlives its place in the register while it is called.
type Callback<F> = Arc<Mutex<F>>;

impl Listeners {
    pub(super) fn on(&self, name: String, listener: Listener) -> ListenerId {
        let mut register = self.register();
        let id = register.name();
        register.of_events.entry(name).or_default().push((id, shared(listener)));
        id
    }

    pub(super) fn off(&self, id: ListenerId) {
        let mut gone = Vec::new();
        let mut register = self.register();
        let observers: Vec<_> = register.of_status.extract_if(.., |(found, _)| *found == id).collect();
        for of_event in register.of_events.values_mut() {
            gone.extend(of_event.extract_if(.., |(found, _)| *found == id));
        }
        register.of_events.retain(|_, of_event| !of_event.is_empty());
        drop(register);
        // What a listener owns may use the register when it is dropped.
        drop((gone, observers));
    }

    pub(super) fn on_any(&self, listener: AnyListener) {
        self.register().of_anything.push(shared(listener));
    }

    pub(super) fn on_status(&self, observer: Observer) -> ListenerId {
        let mut register = self.register();
        let id = register.name();
        register.of_status.push((id, shared(observer)));
        id
    }

    /// Calls the current listeners. A listener removed before its turn is not called; one added meanwhile receives the next
    /// event.
    pub(super) fn call(&self, name: &str, payload: &Value, reports: &Reports) {
        let of_event = self.register().of_events.get(name).cloned().unwrap_or_default();
        for (id, listener) in of_event {
            if self.has(name, id) {
                guarded(name, reports, || locked(&listener)(payload));
            }
        }
        let of_anything = self.register().of_anything.clone();
        for listener in of_anything {
            guarded(name, reports, || locked(&listener)(name, payload));
        }
    }

    pub(super) fn status(&self, old: Status, new: Status, reports: &Reports) {
        let observers = self.register().of_status.clone();
        for (id, observer) in observers {
            if self.register().of_status.iter().any(|(found, _)| *found == id) {
                guarded("the status", reports, || {
                    locked(&observer)(old, new);
                    Ok(())
                });
            }
        }
    }

    fn has(&self, name: &str, id: ListenerId) -> bool {
        self.register()
            .of_events
            .get(name)
            .is_some_and(|of_event| of_event.iter().any(|(found, _)| *found == id))
    }

    fn register(&self) -> MutexGuard<'_, Register> {
        locked(&self.register)
    }
}

fn shared<F>(callback: F) -> Callback<F> {
    Arc::new(Mutex::new(callback))
}

/// A callback that panicked once is called again all the same.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Calls a listener; one that panics is as good as one that fails: it is logged and reported, no more (SUB-3, OBS-1).
fn guarded(name: &str, reports: &Reports, listener: impl FnOnce() -> Result<(), ListenerError>) {
    let trouble = match catch_unwind(AssertUnwindSafe(listener)) {
        Ok(Ok(())) => return,
        Ok(Err(error)) => format!("a listener of {name} failed: {error}"),
        Err(_) => format!("a listener of {name} panicked"),
    };
    tracing::warn!("{trouble}");
    reports.report(trouble);
}
