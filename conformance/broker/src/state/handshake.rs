//! From the protocol header to an open connection.

use super::connection::{Connection, Phase};
use super::{ConnectionId, Output, State};
use crate::fault::Fault;
use amq_protocol::protocol::{AMQPClass, AMQPHardError, connection};
use amq_protocol::types::parsing::parse_field_table;
use amq_protocol::types::{AMQPValue, FieldTable};

/// The smallest frame size that a client may ask for (AMQP 0-9-1, `frame-min-size`).
const FRAME_MIN_BYTES: u32 = 4096;
/// The one virtual host.
const VIRTUAL_HOST: &str = "/";
/// What this broker can do, in RabbitMQ's names.
const CAPABILITIES: [&str; 8] = [
    "authentication_failure_close",
    "basic.nack",
    "consumer_cancel_notify",
    "consumer_priorities",
    "direct_reply_to",
    "exchange_exchange_bindings",
    "per_consumer_qos",
    "publisher_confirms",
];

impl State {
    /// Answers the protocol header of a new client.
    pub(super) fn greet(&mut self, id: ConnectionId) {
        self.connections.insert(id, Connection::new(self.config.limits.channels));
        let start = connection::Start {
            version_major: 0,
            version_minor: 9,
            server_properties: server_properties(),
            mechanisms: "PLAIN AMQPLAIN".into(),
            locales: "en_US".into(),
        };
        self.send_on_connection(id, connection::AMQPMethod::Start(start));
    }

    /// Checks who it is, and proposes limits.
    pub(super) fn log_in(&mut self, id: ConnectionId, start_ok: &connection::StartOk) -> Result<(), Fault> {
        let Some(connection) = self.connections.get_mut(&id) else {
            return Ok(());
        };
        connection.wants_cancels = is_capable(&start_ok.client_properties, "consumer_cancel_notify");
        connection.wants_login_refusal =
            is_capable(&start_ok.client_properties, "authentication_failure_close");
        let mechanism = start_ok.mechanism.as_str();
        let login = match mechanism {
            "PLAIN" => plain(start_ok.response.as_bytes()),
            "AMQPLAIN" => amqplain(start_ok.response.as_bytes()),
            _ => {
                return Err(Fault::hard(
                    AMQPHardError::COMMANDINVALID,
                    format!("'{mechanism}' is not a supported authentication mechanism"),
                ));
            }
        };
        let wants_refusal = connection.wants_login_refusal;
        let claimed =
            login.as_ref().map_or_else(String::new, |(user, _)| String::from_utf8_lossy(user).into_owned());
        let user = login
            .filter(|(user, password)| self.config.users.accept(user, password))
            .and_then(|(user, _)| String::from_utf8(user).ok());
        let Some(user) = user else {
            self.count_refused_login(&claimed);
            if wants_refusal {
                return Err(Fault::refused(format!(
                    "Login was refused using authentication mechanism {mechanism}. For details see the broker logfile."
                )));
            }
            self.emit(Output::HangUp { to: id });
            self.forget_connection(id);
            return Ok(());
        };
        connection.user = user;
        connection.phase = Phase::Tuning;
        let tune = connection::Tune {
            channel_max: self.config.limits.channels,
            frame_max: self.config.limits.frame_bytes,
            heartbeat: u16::try_from(self.config.heartbeat.as_secs()).unwrap_or(u16::MAX),
        };
        self.send_on_connection(id, connection::AMQPMethod::Tune(tune));
        Ok(())
    }

    /// Takes the client's choice of limits, which may be lower than what was proposed.
    pub(super) fn tune(&mut self, id: ConnectionId, chosen: &connection::TuneOk) -> Result<(), Fault> {
        let limits = &self.config.limits;
        let (channels, frame_bytes) = (limits.channels, limits.frame_bytes);
        check_tuned("frame_max", chosen.frame_max, FRAME_MIN_BYTES, frame_bytes)?;
        check_tuned("channel_max", chosen.channel_max.into(), 1, channels.into())?;
        let Some(connection) = self.connections.get_mut(&id) else {
            return Ok(());
        };
        connection.channel_max = chosen.channel_max;
        connection.heartbeat = chosen.heartbeat;
        connection.phase = Phase::Opening;
        self.emit(Output::Tuned { to: id, frame_max: chosen.frame_max, heartbeat: chosen.heartbeat });
        Ok(())
    }

    /// Opens the virtual host.
    pub(super) fn open(&mut self, id: ConnectionId, open: &connection::Open) -> Result<(), Fault> {
        let host = open.virtual_host.as_str();
        if host != VIRTUAL_HOST {
            return Err(Fault::hard(AMQPHardError::NOTALLOWED, format!("vhost {host} not found")));
        }
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.phase = Phase::Open;
        }
        self.send_on_connection(id, connection::AMQPMethod::OpenOk(connection::OpenOk {}));
        self.emit(Output::Opened { to: id });
        Ok(())
    }

    fn send_on_connection(&mut self, id: ConnectionId, method: connection::AMQPMethod) {
        self.send(id, 0, AMQPClass::Connection(method));
    }
}

fn check_tuned(what: &str, chosen: u32, lowest: u32, highest: u32) -> Result<(), Fault> {
    let wrong = match chosen {
        // Zero asks for no limit at all.
        0 => format!("negotiated {what} = 0 is higher than the maximum allowed value ({highest})"),
        _ if chosen < lowest => {
            format!("negotiated {what} = {chosen} is lower than the minimum allowed value ({lowest})")
        }
        _ if chosen > highest => {
            format!("negotiated {what} = {chosen} is higher than the maximum allowed value ({highest})")
        }
        _ => return Ok(()),
    };
    Err(Fault::hard(AMQPHardError::NOTALLOWED, wrong))
}

/// Reads `\0user\0password` (RFC 4616).
fn plain(response: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut parts = response.splitn(3, |byte| *byte == 0);
    let _on_behalf_of = parts.next()?;
    Some((parts.next()?.to_vec(), parts.next()?.to_vec()))
}

/// Reads a table without its length, holding `LOGIN` and `PASSWORD`.
fn amqplain(response: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut table = u32::try_from(response.len()).ok()?.to_be_bytes().to_vec();
    table.extend_from_slice(response);
    let (_, table) = parse_field_table(table.as_slice()).ok()?;
    let field = |name| match table.inner().get(name) {
        Some(AMQPValue::LongString(value)) => Some(value.as_bytes().to_vec()),
        _ => None,
    };
    Some((field("LOGIN")?, field("PASSWORD")?))
}

fn is_capable(client: &FieldTable, capability: &str) -> bool {
    match client.inner().get("capabilities") {
        Some(AMQPValue::FieldTable(table)) => {
            table.inner().get(capability) == Some(&AMQPValue::Boolean(true))
        }
        _ => false,
    }
}

fn server_properties() -> FieldTable {
    let mut capabilities = FieldTable::default();
    for name in CAPABILITIES {
        capabilities.insert(name.into(), AMQPValue::Boolean(true));
    }
    let mut properties = FieldTable::default();
    properties.insert("capabilities".into(), AMQPValue::FieldTable(capabilities));
    for (name, value) in [("product", "Gatecheck"), ("version", env!("CARGO_PKG_VERSION"))] {
        properties.insert(name.into(), AMQPValue::LongString(value.into()));
    }
    properties
}
