//! What must stand at the broker before events are consumed, apart from any client library.

use super::rabbitmq::{QueueKind, RabbitMqConfig};

/// A queue to consume from, and the declarations that make it stand (BRIDGE-1, BRIDGE-8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topology {
    /// What is consumed from.
    pub queue: String,
    /// In the order in which they are to be made, each time the broker is reached (BRIDGE-9).
    pub declarations: Vec<Declaration>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Declaration {
    /// A durable topic exchange.
    Exchange {
        /// Its name.
        name: String,
    },
    /// A queue.
    Queue {
        /// Its name.
        name: String,
        /// Whose it is: durable and open, or exclusive and gone with its consumer.
        kind: QueueKind,
        /// Where rejected messages go.
        dead_letter_exchange: Option<String>,
    },
    /// What of an exchange goes to a queue.
    Binding {
        /// The queue.
        queue: String,
        /// The exchange.
        exchange: String,
        /// Which routing keys.
        key: String,
    },
}

impl Topology {
    /// What a gateway with these settings declares. `suffix` distinguishes the queues of several gateways.
    pub fn new(config: &RabbitMqConfig, suffix: u64) -> Self {
        let queue = match config.queue_kind {
            QueueKind::Shared => config.queue.clone(),
            QueueKind::PerInstance => format!("{}.{suffix:016x}", config.queue),
        };
        let mut declarations = vec![Declaration::Exchange { name: config.exchange.clone() }];
        if let Some(exchange) = &config.dead_letter_exchange {
            let dead = format!("{exchange}.dead");
            declarations.push(Declaration::Exchange { name: exchange.clone() });
            declarations.extend(bound(dead, QueueKind::Shared, None, exchange, "#"));
        }
        let letters = config.dead_letter_exchange.clone();
        declarations.extend(bound(
            queue.clone(),
            config.queue_kind,
            letters,
            &config.exchange,
            &config.binding,
        ));
        Self { queue, declarations }
    }
}

fn bound(
    queue: String,
    kind: QueueKind,
    dead_letter_exchange: Option<String>,
    exchange: &str,
    key: &str,
) -> [Declaration; 2] {
    let (exchange, key) = (exchange.to_owned(), key.to_owned());
    [
        Declaration::Queue { name: queue.clone(), kind, dead_letter_exchange },
        Declaration::Binding { queue, exchange, key },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(queue_kind: QueueKind, dead_letter_exchange: Option<&str>) -> RabbitMqConfig {
        RabbitMqConfig {
            url: String::new(),
            exchange: "events".to_owned(),
            queue: "ws_events".to_owned(),
            queue_kind,
            binding: "payment.*".to_owned(),
            prefetch: 1,
            max_event_bytes: 1,
            dead_letter_exchange: dead_letter_exchange.map(str::to_owned),
        }
    }

    /// The dead-letter exchange stands before the queue that names it.
    #[test]
    fn dead_letters_have_a_queue_of_their_own() {
        let topology = Topology::new(&config(QueueKind::Shared, Some("lost")), 7);
        let names: Vec<_> = topology
            .declarations
            .iter()
            .map(|declaration| match declaration {
                Declaration::Exchange { name } => format!("exchange {name}"),
                Declaration::Queue { name, dead_letter_exchange: None, .. } => format!("queue {name}"),
                Declaration::Queue { name, dead_letter_exchange: Some(exchange), .. } => {
                    format!("queue {name} to {exchange}")
                }
                Declaration::Binding { queue, exchange, key } => format!("{exchange} {key} {queue}"),
            })
            .collect();
        let expected = [
            "exchange events",
            "exchange lost",
            "queue lost.dead",
            "lost # lost.dead",
            "queue ws_events to lost",
            "events payment.* ws_events",
        ];
        assert_eq!(names, expected);
    }

    /// Gateways with a queue each do not share it.
    #[test]
    fn queues_per_instance_differ() {
        let queue = |suffix| Topology::new(&config(QueueKind::PerInstance, None), suffix).queue;
        assert_eq!([queue(1), queue(2)], ["ws_events.0000000000000001", "ws_events.0000000000000002"]);
    }
}
