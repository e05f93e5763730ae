//! Putting a published message together from its frames.

use super::reply_to::REPLY_TO;
use super::{ConnectionId, State};
use crate::fault::Fault;
use crate::message::Message;
use crate::wire::ContentHeader;
use amq_protocol::protocol::{AMQPHardError, basic};
use bytes::{Bytes, BytesMut};
use std::sync::Arc;
use std::time::Duration;

/// Class and method ids of `basic.publish`, which every fault in its content names as the cause.
const PUBLISH: (u16, u16) = (60, 40);

/// A message of which parts are to come.
#[derive(Debug)]
pub(super) struct Incoming {
    publish: basic::Publish,
    header: Option<ContentHeader>,
    body: BytesMut,
}

impl Incoming {
    /// A message of which the header is to come.
    pub(super) fn new(publish: basic::Publish) -> Self {
        Self { publish, header: None, body: BytesMut::new() }
    }
}

impl State {
    /// Takes a content header.
    pub(super) fn on_header(&mut self, id: ConnectionId, number: u16, header: ContentHeader) {
        let result = match self.channel_mut(id, number) {
            None => Err(not_open()),
            Some(channel) if channel.closing => return,
            Some(channel) => match channel.incoming.take() {
                Some(Incoming { publish, header: None, .. }) => self.begin_body(id, number, publish, header),
                Some(_) | None => Err(unexpected("a content header")),
            },
        };
        if let Err(fault) = result {
            self.fail(id, number, &fault, PUBLISH);
        }
    }

    /// Takes a part of a body.
    pub(super) fn on_body(&mut self, id: ConnectionId, number: u16, part: Bytes) {
        let result = match self.channel_mut(id, number) {
            None => Err(not_open()),
            Some(channel) if channel.closing => return,
            Some(channel) => match channel.incoming.take() {
                Some(Incoming { publish, header: Some(header), body }) => {
                    self.extend_body(id, number, publish, header, body, part)
                }
                Some(_) | None => Err(unexpected("a content body")),
            },
        };
        if let Err(fault) = result {
            self.fail(id, number, &fault, PUBLISH);
        }
    }

    fn begin_body(
        &mut self,
        id: ConnectionId,
        number: u16,
        publish: basic::Publish,
        header: ContentHeader,
    ) -> Result<(), Fault> {
        let limit = self.config.limits.message_bytes;
        if header.body_size > limit as u64 {
            return Err(Fault::precondition(format!(
                "message size {} is larger than configured max size {limit}",
                header.body_size
            )));
        }
        let limit = self.config.limits.unfinished_bytes;
        if limit < usize::MAX && self.unfinished_bytes().saturating_add(header.body_size) > limit as u64 {
            return Err(Fault::precondition(format!("bodies of more than {limit} bytes are not whole")));
        }
        if header.body_size == 0 {
            return self.complete(id, number, publish, header, Bytes::new());
        }
        if let Some(channel) = self.channel_mut(id, number) {
            channel.incoming = Some(Incoming { publish, header: Some(header), body: BytesMut::new() });
        }
        Ok(())
    }

    /// What was announced of bodies of which parts are to come.
    fn unfinished_bytes(&self) -> u64 {
        let channels = self.connections.values().flat_map(|connection| connection.channels.values());
        let headers = channels.filter_map(|channel| channel.incoming.as_ref()?.header.as_ref());
        headers.map(|header| header.body_size).sum()
    }

    fn extend_body(
        &mut self,
        id: ConnectionId,
        number: u16,
        publish: basic::Publish,
        header: ContentHeader,
        mut body: BytesMut,
        part: Bytes,
    ) -> Result<(), Fault> {
        let size = body.len() + part.len();
        // What was announced was within the message limit, so it fits an usize.
        let announced = header.body_size as usize;
        if size > announced {
            return Err(Fault::hard(
                AMQPHardError::FRAMEERROR,
                format!("a body of {size} bytes where {announced} were announced"),
            ));
        }
        if size == announced {
            // The usual message is one frame, and needs no copy.
            let body = if body.is_empty() { part } else { [body.freeze(), part].concat().into() };
            return self.complete(id, number, publish, header, body);
        }
        body.extend_from_slice(&part);
        if let Some(channel) = self.channel_mut(id, number) {
            channel.incoming = Some(Incoming { publish, header: Some(header), body });
        }
        Ok(())
    }

    fn complete(
        &mut self,
        id: ConnectionId,
        number: u16,
        publish: basic::Publish,
        header: ContentHeader,
        body: Bytes,
    ) -> Result<(), Fault> {
        let expiration = match &header.expiration {
            None => None,
            Some(text) => {
                let millis = text
                    .as_str()
                    .parse::<u32>()
                    .map_err(|_| Fault::precondition(format!("invalid expiration '{text}': no_integer")))?;
                Some(Duration::from_millis(millis.into()))
            }
        };
        if let Some(user) = &header.user_id
            && let Some(connection) = self.connections.get(&id)
            && user.as_str() != connection.user
        {
            return Err(Fault::precondition(format!(
                "user_id property set to '{user}' but authenticated user was '{}'",
                connection.user
            )));
        }
        if header.has_copies {
            return Err(Fault::not_implemented("CC and BCC headers"));
        }
        let properties = match &header.reply_to {
            Some(name) if name.as_str() == REPLY_TO => {
                self.with_reply_name(id, number, &header.properties)?
            }
            Some(_) | None => header.properties,
        };
        let message = Message {
            exchange: publish.exchange,
            routing_key: publish.routing_key,
            properties,
            body,
            expiration,
            priority: header.priority.unwrap_or_default(),
        };
        self.publish(id, number, &Arc::new(message), publish.mandatory)
    }
}

fn not_open() -> Fault {
    Fault::hard(AMQPHardError::CHANNELERROR, "expected 'channel.open'")
}

fn unexpected(what: &str) -> Fault {
    Fault::hard(AMQPHardError::UNEXPECTEDFRAME, format!("expected a method frame, got {what} instead"))
}
