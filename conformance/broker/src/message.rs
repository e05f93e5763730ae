//! A message at rest: what a publisher sent, unchanged until it is dead-lettered.

use amq_protocol::frame::parsing::parse_content_header;
use amq_protocol::protocol::basic::{AMQPProperties, gen_properties};
use amq_protocol::types::{AMQPValue, FieldTable, ShortString};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;

/// What a message weighs besides its body and properties, for the byte accounts: the entry itself, its routing.
const OVERHEAD_BYTES: usize = 128;
/// The header that counts earlier deliveries.
const DELIVERY_COUNT: &str = "x-delivery-count";

/// A published message. Queues share it; only the bytes that the publisher sent are kept, so that a consumer sees
/// every field, field order and field type as sent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Message {
    pub(crate) exchange: ShortString,
    pub(crate) routing_key: ShortString,
    /// Property flags and property list, as they stand in a content header.
    pub(crate) properties: Bytes,
    pub(crate) body: Bytes,
    /// How long it may wait, from the `expiration` property.
    pub(crate) expiration: Option<Duration>,
    /// Where it stands in a queue that heeds priorities; zero where the publisher set none.
    pub(crate) priority: u8,
}

impl Message {
    /// Decodes the properties.
    pub(crate) fn decode_properties(&self) -> AMQPProperties {
        decode_properties(&self.properties).unwrap_or_default()
    }

    /// The headers, where there are any.
    pub(crate) fn headers(&self) -> Option<FieldTable> {
        self.decode_properties().headers().clone()
    }

    /// This message under another exchange, key and set of properties, sharing the body and
    /// without an expiration.
    pub(crate) fn rewritten(
        &self,
        exchange: ShortString,
        routing_key: ShortString,
        properties: &AMQPProperties,
    ) -> Arc<Self> {
        Arc::new(Self {
            exchange,
            routing_key,
            properties: encode_properties(properties),
            body: self.body.clone(),
            expiration: None,
            priority: self.priority,
        })
    }

    /// This message with the number of earlier deliveries in its headers, as quorum queues deliver it.
    pub(crate) fn with_delivery_count(&self, count: u32) -> Arc<Self> {
        let properties = self.decode_properties();
        let mut headers = properties.headers().clone().unwrap_or_default();
        headers.insert(DELIVERY_COUNT.into(), AMQPValue::LongLongInt(count.into()));
        Arc::new(Self { properties: encode_properties(&properties.with_headers(headers)), ..self.clone() })
    }

    /// What it weighs in queues and outboxes, in bytes.
    pub(crate) fn weight(&self) -> usize {
        OVERHEAD_BYTES + self.properties.len() + self.body.len()
    }
}

/// Reads a property list; none where it is malformed.
pub(crate) fn decode_properties(properties: &[u8]) -> Option<AMQPProperties> {
    // The content header's fixed part (class, weight, body size) stands before the properties on the wire.
    let mut header = vec![0; 12];
    header.extend_from_slice(properties);
    match parse_content_header(header.as_slice()) {
        Ok(([], header)) => Some(header.properties),
        Ok(_) | Err(_) => None,
    }
}

/// Writes a property list.
pub(crate) fn encode_properties(properties: &AMQPProperties) -> Bytes {
    let (buffer, _) = gen_properties(properties)(Vec::new().into())
        .expect("writing into memory does not fail, and the lengths came from the wire")
        .into_inner();
    buffer.into()
}

#[cfg(test)]
impl Message {
    /// A message without properties, published to the default exchange.
    pub(crate) fn text(body: &'static str) -> Self {
        Self {
            exchange: ShortString::default(),
            routing_key: ShortString::default(),
            properties: encode_properties(&AMQPProperties::default()),
            body: Bytes::from_static(body.as_bytes()),
            expiration: None,
            priority: 0,
        }
    }
}
