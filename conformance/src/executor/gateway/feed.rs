//! The exchanges and queues of a case.

use scenarios::scenario::Bindings;

use crate::amqp::{Feed, Queues};
use crate::executor::{BrokerChoice, Executor};
use crate::profile::{GatewayAccess, GatewayProfile};

impl Executor {
    /// The case's own exchange and queue, where the command lets the harness name them; the profile's otherwise.
    pub(super) fn feed(&self, gateway: &GatewayProfile, bindings: &Bindings) -> Feed {
        let own = self.broker != BrokerChoice::Embedded && self.gives_names(gateway);
        let name = |name: &String| if own { format!("{name}.{}", bindings.case) } else { name.clone() };
        let exchange = name(&gateway.exchange);
        let exchanges = self.profile.events.exchanges(&exchange).expect("a profile is checked for this");
        let queues = match &gateway.queues {
            Queues::Named(names) => Queues::Named(names.iter().map(name).collect()),
            Queues::Any => Queues::Any,
        };
        Feed { exchange, exchanges, queues }
    }

    /// Whether the harness names exchange and queue, and the command takes the names.
    pub(in crate::executor) fn gives_names(&self, gateway: &GatewayProfile) -> bool {
        let GatewayAccess::Spawn { command, .. } = &gateway.access else { return false };
        command.uses("exchange")
            && command.uses("queue")
            && gateway.queues.named().len() == 1
            && self.profile.events.uses_own_exchange_only()
    }
}
