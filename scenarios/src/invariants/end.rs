//! What is so once everything has had its time (STATE-3, QUEUE-1, SUB-2, ROOM-6, CONN-5, BRIDGE-7, BRIDGE-9).

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Findings, Watch, us};
use crate::plan::Plan;
use crate::trace::{Actor, Observation};

impl Watch<'_> {
    /// The play is over.
    pub fn finish(&mut self) {
        let end_us = self.now_us.max(us(self.plan.last_moment() + self.plan.recovery()));
        let mut found = Findings::new(end_us);
        for (name, client) in &self.clients {
            let numbers: Vec<_> = client.connections.keys().copied().collect();
            for number in numbers {
                if !client.connections[&number].is_over_there {
                    client.is_overdue_there(end_us, number, &mut found);
                }
            }
            if !client.to_emit.is_empty() {
                found.add(
                    "IN-1",
                    format!("{name} received {} events that it did not emit", client.to_emit.len()),
                );
            }
            if client.renews(end_us) {
                continue;
            }
            if !client.wants || client.stopped.is_some() {
                if client.open().is_some() {
                    found.add("STATE-6", format!("{name} is connected, and should not be"));
                }
                continue;
            }
            let Some((number, connection)) = client.open() else {
                found.add("STATE-3", format!("{name} is {} long after the last fault", client.status));
                continue;
            };
            if client.status != "connected" {
                found.add("STATE-1", format!("{name} is {} with an open connection", client.status));
            }
            client.is_overdue(end_us, number, &mut found);
            if client.is_past_expiry(end_us, number) {
                found.add("AUTH-6", format!("{name} is connected with a token that has expired"));
            }
            if client.waiting() > 0 {
                found.add("QUEUE-1", format!("{name} has {} messages in its queue", client.waiting()));
            }
            if connection.asked != client.wanted {
                let (asked, wanted) = (&connection.asked, &client.wanted);
                found.add("SUB-2", format!("{name} has asked for {asked:?}, and wants {wanted:?}"));
            }
            if connection.unanswered_requests > 0 {
                found.add(
                    "ROOM-6",
                    format!("{name} has {} requests unanswered", connection.unanswered_requests),
                );
            }
            if let Some(owed) = connection.owed.first() {
                let (id, event) = self.published.missing(*owed);
                found.add(id, format!("{name} never received {event}"));
            }
        }
        self.keep(found);
    }

    /// What a gateway, or the broker, says of itself at the end.
    pub(super) fn is_answered(&mut self, seen: &Observation, path: &str, body: &str) {
        let Ok(said) = serde_json::from_str::<Value>(body) else { return };
        let mut found = Findings::new(seen.at_us);
        match path {
            "/stats" => self.rooms_are_right(&seen.actor, &said, &mut found),
            "/queues" => self.queues_are_empty(&said, &mut found),
            _ => {}
        }
        self.keep(found);
    }

    /// Connections and rooms of a gateway are those of the clients that are connected (CONN-5).
    fn rooms_are_right(&self, actor: &Actor, said: &Value, found: &mut Findings) {
        let gateway = (1..=self.plan.gateways).find(|number| Plan::gateway_actor(*number) == *actor);
        let mut of = self.clients.values().filter(|client| Some(client.gateway + 1) == gateway);
        if of.any(|client| client.renews(found.at_us)) {
            return;
        }
        let mut rooms = BTreeMap::<String, u64>::new();
        let mut total = 0;
        for (name, client) in self.clients.iter().filter(|(_, client)| Some(client.gateway + 1) == gateway) {
            let Some((_, connection)) = client.open() else { continue };
            total += 1;
            let role = format!("role:{}", client.role.lower_case());
            let own = ["broadcast".to_owned(), format!("user:{name}"), role];
            for room in own.into_iter().chain(connection.joined.iter().cloned()) {
                *rooms.entry(room).or_default() += 1;
            }
        }
        if said["connections"]["total"] != total {
            let counted = &said["connections"]["total"];
            found.add("CONN-5", format!("{actor} counts {counted} connections, where {total} are open"));
        }
        let counted =
            serde_json::from_value::<BTreeMap<String, u64>>(said["rooms"].clone()).unwrap_or_default();
        if counted != rooms {
            found.add("CONN-5", format!("{actor} counts {counted:?}, where there are {rooms:?}"));
        }
    }

    /// Every gateway consumes again, and nothing is left in its queue or unacknowledged (BRIDGE-7, BRIDGE-9).
    fn queues_are_empty(&self, said: &Value, found: &mut Findings) {
        let queues = said.as_object().into_iter().flatten();
        let consumed: Vec<_> = queues.filter(|(_, queue)| queue["consumers"] != 0).collect();
        if consumed.len() != self.plan.gateways {
            let (consumed, gateways) = (consumed.len(), self.plan.gateways);
            found.add("BRIDGE-9", format!("{consumed} queues are consumed, by {gateways} gateways"));
        }
        for (name, queue) in consumed {
            if queue["ready"] != 0 || queue["unacked"] != 0 {
                found.add("BRIDGE-7", format!("{name} holds {queue}"));
            }
        }
    }
}
