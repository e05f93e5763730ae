//! Made-up payments: each is created, updated, and completed or failed; now and then something else happens.
//!
//! ```text
//!  payment:created ──► payment:updated ──► payment:completed
//!                                     └──► payment:failed
//! ```

use serde::Serialize;

/// Most payments that are under way at once; at this many one goes on before another begins.
const MAX_OPEN: usize = 6;
/// How many events in a hundred are not about payments.
const ASIDES: u32 = 15;
/// How many payments in a hundred fail.
const FAILURES: u32 = 15;
/// The users that pay.
const PAYERS: [&str; 3] = ["ada", "carl", "vera"];
const CURRENCIES: [&str; 3] = ["EUR", "USD", "UAH"];
const METHODS: [&str; 3] = ["card", "transfer", "wallet"];
const REASONS: [&str; 3] = ["insufficient funds", "card expired", "declined by the bank"];
const ITEMS: [&str; 4] = ["tea", "coffee", "cocoa", "mate"];
const DEVICES: [&str; 3] = ["phone", "laptop", "tablet"];

/// An event that never happened. It serializes to the body that a backend service would publish.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MadeUp {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Its data.
    pub data: Data,
}

/// An event's fields, in the order in which people read them.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
#[expect(missing_docs, reason = "the fields are those of the wire, and mean what they say")]
pub enum Data {
    /// `payment:*`
    Payment {
        id: String,
        user_id: &'static str,
        amount: f64,
        currency: &'static str,
        status: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        method: Option<&'static str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<&'static str>,
    },
    /// `profile:updated`
    Profile { user_id: &'static str, changed: &'static str },
    /// `session:started`
    Session { user_id: &'static str, device: &'static str },
    /// `admin:alert`
    Alert { severity: &'static str, message: String },
    /// `catalog:changed`
    Catalog { item: &'static str, price: f64 },
}

/// Makes events up, the same ones for the same seed.
#[derive(Debug, Clone)]
pub struct Payments {
    random: fastrand::Rng,
    open: Vec<Payment>,
    last_number: u32,
}

#[derive(Debug, Clone)]
struct Payment {
    id: String,
    payer: &'static str,
    cents: u32,
    currency: &'static str,
    /// Known once it was updated.
    method: Option<&'static str>,
}

impl Payments {
    /// None yet.
    pub fn new(seed: u64) -> Self {
        Self { random: fastrand::Rng::with_seed(seed), open: Vec::new(), last_number: 1000 }
    }

    /// What happens next.
    pub fn next_event(&mut self) -> MadeUp {
        let begins = self.open.len() < 2 || (self.open.len() < MAX_OPEN && self.random.bool());
        if self.random.u32(..100) < ASIDES {
            self.aside()
        } else if begins {
            self.begin()
        } else {
            self.go_on()
        }
    }

    fn begin(&mut self) -> MadeUp {
        self.last_number += 1;
        let payment = Payment {
            id: format!("pay-{}", self.last_number),
            payer: self.one_of(&PAYERS),
            cents: self.random.u32(100..50_000),
            currency: self.one_of(&CURRENCIES),
            method: None,
        };
        let event = payment.event("payment:created", "pending", None);
        self.open.push(payment);
        event
    }

    fn go_on(&mut self) -> MadeUp {
        let at = self.random.usize(..self.open.len());
        if self.open[at].method.is_none() {
            let method = self.one_of(&METHODS);
            self.open[at].method = Some(method);
            return self.open[at].event("payment:updated", "processing", None);
        }
        let payment = self.open.remove(at);
        if self.random.u32(..100) < FAILURES {
            let reason = self.one_of(&REASONS);
            payment.event("payment:failed", "failed", Some(reason))
        } else {
            payment.event("payment:completed", "completed", None)
        }
    }

    fn aside(&mut self) -> MadeUp {
        let user_id = self.one_of(&PAYERS);
        let (kind, data) = match self.random.u32(..4) {
            0 => ("profile:updated", Data::Profile { user_id, changed: "address" }),
            1 => ("session:started", Data::Session { user_id, device: self.one_of(&DEVICES) }),
            2 => {
                ("admin:alert", Data::Alert { severity: "low", message: format!("{user_id} asks for help") })
            }
            _ => {
                let price = amount(self.random.u32(100..2_000));
                ("catalog:changed", Data::Catalog { item: self.one_of(&ITEMS), price })
            }
        };
        MadeUp { kind, data }
    }

    fn one_of(&mut self, choices: &[&'static str]) -> &'static str {
        choices[self.random.usize(..choices.len())]
    }
}

impl Payment {
    fn event(&self, kind: &'static str, status: &'static str, reason: Option<&'static str>) -> MadeUp {
        let data = Data::Payment {
            id: self.id.clone(),
            user_id: self.payer,
            amount: amount(self.cents),
            currency: self.currency,
            status,
            method: self.method,
            reason,
        };
        MadeUp { kind, data }
    }
}

fn amount(cents: u32) -> f64 {
    f64::from(cents) / 100.0
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    fn events(seed: u64) -> Vec<MadeUp> {
        let mut payments = Payments::new(seed);
        (0..2000).map(|_| payments.next_event()).collect()
    }

    /// Each payment takes its steps in order, and keeps its payer; not too many are under way at once.
    #[test]
    fn payments_take_their_steps() {
        let mut steps: BTreeMap<String, (&str, Vec<&str>)> = BTreeMap::new();
        let mut open = BTreeSet::new();
        for MadeUp { kind, data } in events(7) {
            let Some(step) = kind.strip_prefix("payment:") else { continue };
            let Data::Payment { id, user_id, .. } = data else { panic!("{data:?}") };
            let (payer, seen) = steps.entry(id.clone()).or_insert((user_id, Vec::new()));
            assert_eq!(*payer, user_id);
            seen.push(step);
            match step {
                "created" => assert!(open.insert(id)),
                "updated" => assert!(open.contains(&id)),
                _ => assert!(open.remove(&id)),
            }
            assert!(open.len() <= MAX_OPEN);
        }
        let ends: BTreeSet<_> = steps.values().map(|(_, seen)| seen.join(" ")).collect();
        let whole = ["created updated completed", "created updated failed"];
        assert!(whole.iter().all(|steps| ends.contains(*steps)), "{ends:?}");
        assert!(ends.iter().all(|steps| whole.iter().any(|whole| whole.starts_with(steps))), "{ends:?}");
    }

    /// A body is what the gateway reads, owner and all.
    #[test]
    fn bodies_are_events() {
        let body = serde_json::to_string(&Payments::new(1).next_event()).unwrap();
        assert!(
            body.starts_with(r#"{"type":"payment:created","data":{"id":"pay-1001","userId":""#),
            "{body}"
        );
        assert!(body.ends_with(r#""status":"pending"}}"#), "{body}");
    }

    /// Every family of events occurs, and the same seed yields the same events.
    #[test]
    fn a_seed_is_deterministic() {
        let kinds: BTreeSet<_> = events(1).into_iter().map(|event| event.kind).collect();
        for kind in ["profile:updated", "session:started", "admin:alert", "catalog:changed"] {
            assert!(kinds.contains(kind), "{kinds:?}");
        }
        assert_eq!(events(1), events(1));
        assert_ne!(events(1), events(2));
    }
}
