//! What is looked at and done behind the gateway: at its broker, on the way to it, and in its processes.

use super::Player;
use crate::stage::{GatewayStage, StageError};
use scenarios::scenario::{BrokerAct, BrokerState, Forgets, Inspection};
use scenarios::trace::{Actor, Event};

impl<S: GatewayStage> Player<'_, S> {
    /// Looks, and writes down what is there.
    pub(crate) async fn inspect(&mut self, inspection: Inspection) -> Result<(), StageError> {
        match inspection {
            Inspection::Topology => {
                let report = self.journal.during(self.stage.topology()).await?;
                let event = Event::Topology { exchange: report.exchange, queue: report.queue };
                self.journal.write(Actor::broker(), None, event);
            }
            Inspection::Queue => {
                let ready = self.journal.during(self.stage.queue_ready()).await?;
                self.journal.write(Actor::broker(), None, Event::QueueDepth { ready });
            }
            Inspection::Backlog => {
                let ready = self.journal.during(self.stage.backlog()).await?;
                self.journal.write(Actor::broker(), None, Event::QueueDepth { ready });
            }
            Inspection::Settlements => {
                let settlements = self.journal.during(self.stage.settlements()).await?;
                self.journal.write(Actor::broker(), None, Event::Settlements(settlements));
            }
            Inspection::Acknowledgement => {
                let last = self.journal.trace().iter().rev().find_map(|(_, seen)| match seen.event {
                    Event::Settlements(settlements) => Some(settlements.total()),
                    _ => None,
                });
                let (count, patience) = (last.unwrap_or_default(), self.setting.times.patience);
                let settled = self.stage.settled_beyond(count, patience);
                let settlements = self.journal.during(settled).await?;
                self.journal.write(Actor::broker(), None, Event::Settlements(settlements));
            }
            Inspection::Consumers => {
                let (limited, unlimited) = self.journal.during(self.stage.consumers()).await?;
                self.journal.write(Actor::broker(), None, Event::Consumers { limited, unlimited });
            }
            Inspection::Queues => {
                let (names, unconsumed) = self.journal.during(self.stage.queues()).await?;
                self.journal.write(Actor::broker(), None, Event::Queues { names, unconsumed });
            }
            Inspection::Resources => {
                let held = self.journal.during(self.stage.resources()).await?;
                self.journal.write(Actor::gateway(), None, Event::Resources(held));
            }
            Inspection::Log => {
                let text = self.journal.during(self.stage.log()).await?;
                self.journal.write(Actor::gateway(), None, Event::Log { text });
            }
        }
        Ok(())
    }

    /// What happens at the broker, and on the way to it.
    pub(super) async fn broker(&mut self, act: &BrokerAct) -> Result<(), StageError> {
        let what = match act {
            BrokerAct::Network(act) => {
                self.journal.during(self.stage.act_on_broker_link(act, &self.setting.times)).await?;
                format!("the network {act}")
            }
            BrokerAct::Forgets(taken) => {
                self.journal.during(self.stage.forget(*taken)).await?;
                let what = match taken {
                    Forgets::Forgets => "has lost exchange and queue",
                    Forgets::DeletesQueues => "has deleted the gateway's queues",
                    Forgets::DeletesOtherQueues => {
                        "has deleted the gateway's queues but the one that was used last"
                    }
                    Forgets::ClosesChannels => "has closed the channels that the gateway consumes on",
                    Forgets::ClosesOtherChannels => {
                        "has closed the channels that the gateway consumes on, but the one that was used last"
                    }
                };
                what.to_owned()
            }
            BrokerAct::State(state) => {
                self.journal.during(self.stage.set_broker(*state)).await?;
                let what = match state {
                    BrokerState::Up => "reachable",
                    BrokerState::Down => "cut off",
                };
                what.to_owned()
            }
        };
        self.journal.write(Actor::broker(), None, Event::Fault { what });
        Ok(())
    }
}
