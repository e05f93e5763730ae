//! A client in a test of one's own: the reference client behind an adapter, and a line of `cargo test` for each case.

use std::process::ExitCode;

use conformance::Suite;
use conformance::in_process::{Adapter, Reports, SubjectError};
use gatecheck_libtest::Libtest;
use protocol::Timing;
use protocol::adapter::{Configure, Operation, Outcome, ReportEvent};
use reference_client::{Client, ClientConfig, TcpDial, system_clock};

fn main() -> ExitCode {
    Suite::client(|reports| Driven { client: None, reports }).filter("client/state/**").libtest()
}

struct Driven {
    client: Option<Client>,
    reports: Reports,
}

impl Adapter for Driven {
    async fn perform(&mut self, operation: Operation) -> Outcome {
        let performed = self.try_perform(operation).await;
        performed.unwrap_or_else(|error| Outcome::Error { error: error.to_string() })
    }
}

impl Driven {
    async fn try_perform(&mut self, operation: Operation) -> Result<Outcome, SubjectError> {
        match (operation, &self.client) {
            // The client can do more: the cases that need it are ignored.
            (Operation::Configure(with), _) if with.options.token_provider.is_some() => {
                return Ok(Outcome::UNSUPPORTED);
            }
            (Operation::Configure(with), _) => self.client = Some(self.start(&with)?),
            (Operation::Connect, Some(client)) => client.connect().await?,
            (Operation::Disconnect, Some(client)) => client.disconnect().await?,
            (Operation::Send { message }, Some(client)) => client.send(message.kind, message.payload).await?,
            (Operation::On { name, listener, fails: false }, Some(client)) => {
                let (reports, event) = (self.reports.clone(), name.clone());
                client.on(name, move |payload| {
                    let (name, listener) = (event.clone(), Some(listener.clone()));
                    reports.send(ReportEvent::Emit { name, payload: Some(payload.clone()), listener });
                    Ok(())
                });
            }
            (Operation::Status, Some(client)) => return Ok(Outcome::status(client.status().as_str())),
            (Operation::Exit, _) => {}
            _ => return Ok(Outcome::UNSUPPORTED),
        }
        Ok(Outcome::DONE)
    }

    fn start(&self, with: &Configure) -> Result<Client, SubjectError> {
        let (url, token) =
            (with.url.as_deref().unwrap_or_default(), with.token.as_deref().unwrap_or_default());
        let mut config = ClientConfig::new(url, token)?;
        config.timing = Timing::from(&with.options);
        config.auto_reconnect = with.options.auto_reconnect.unwrap_or(config.auto_reconnect);
        let client = Client::start(config, TcpDial, system_clock());
        let reports = self.reports.clone();
        client.on_status(move |old, new| {
            let (old, status) = (Some(old.to_string()), new.to_string());
            reports.send(ReportEvent::Status { old, status });
        });
        Ok(client)
    }
}
