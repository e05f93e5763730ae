//! A client's end of AMQP 0-9-1, over any stream: what a gateway and a publisher need, and no more. lapin has a thread of its
//! own, which no simulation can step.

use std::io;
use std::time::Duration;

use amq_protocol::frame::{AMQPFrame, gen_frame, parse_frame};
use amq_protocol::protocol::{AMQPClass, basic, channel, confirm, connection, exchange, queue};
use amq_protocol::types::{AMQPValue, FieldTable};
use bytes::{Buf, BytesMut};
use reference_server::broker::{Declaration, QueueKind};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, sleep_until};

/// The protocol header of AMQP 0-9-1.
const GREETING: &[u8] = b"AMQP\0\0\x09\x01";
/// Frame type, channel and length before a payload, and the end mark after it.
const ENVELOPE_BYTES: usize = 8;
/// The class of `basic`, which content headers name.
const BASIC_CLASS: u16 = 60;

/// An open connection.
pub(crate) struct Link<S> {
    stream: S,
    read: BytesMut,
    /// The size of frames that was agreed.
    frame_max: usize,
    last_channel: u16,
    /// The heartbeat that was agreed; none where it is zero.
    heartbeat: Duration,
    heard: Instant,
    spoke: Instant,
}

/// Why a broker does not do what it is asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    /// It closed the channel, or the connection.
    #[error("{code} {text}")]
    Refused {
        /// The reply code.
        code: u16,
        /// The reply text.
        text: String,
    },
    /// It said what does not belong here.
    #[error("unexpected {0}")]
    Unexpected(String),
    /// It is gone.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A message from a queue.
pub(crate) struct Delivery {
    pub(crate) tag: u64,
    pub(crate) body: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Link<S> {
    /// Goes through the handshake as `guest`; `beats` says whether it takes the heartbeat that is proposed.
    pub(crate) async fn open(stream: S, beats: bool) -> Result<Self, LinkError> {
        use connection::AMQPMethod as Method;
        let (heard, spoke) = (now(), now());
        let (read, heartbeat) = (BytesMut::new(), Duration::ZERO);
        let mut link = Self { stream, read, frame_max: 0, last_channel: 0, heartbeat, heard, spoke };
        link.stream.write_all(GREETING).await?;
        link.method(0).await?;
        let start_ok = connection::StartOk {
            mechanism: "PLAIN".into(),
            response: "\0guest\0guest".into(),
            locale: "en_US".into(),
            client_properties: properties(),
        };
        let tune = match link.call(0, AMQPClass::Connection(Method::StartOk(start_ok))).await? {
            AMQPClass::Connection(Method::Tune(tune)) => tune,
            other => return Err(unexpected(&other)),
        };
        link.frame_max = tune.frame_max as usize;
        let heartbeat = if beats { tune.heartbeat } else { 0 };
        link.heartbeat = Duration::from_secs(heartbeat.into());
        let tune_ok =
            connection::TuneOk { channel_max: tune.channel_max, frame_max: tune.frame_max, heartbeat };
        link.send(&[AMQPFrame::Method(0, AMQPClass::Connection(Method::TuneOk(tune_ok)))]).await?;
        let open = connection::Open { virtual_host: "/".into() };
        link.call(0, AMQPClass::Connection(Method::Open(open))).await?;
        Ok(link)
    }

    /// Opens a channel that was not used before; a refusal ends a channel, and leaves the others.
    pub(crate) async fn channel(&mut self) -> Result<u16, LinkError> {
        self.last_channel += 1;
        let open = channel::AMQPMethod::Open(channel::Open {});
        self.call(self.last_channel, AMQPClass::Channel(open)).await?;
        Ok(self.last_channel)
    }

    /// Makes one of a gateway's declarations.
    pub(crate) async fn declare(&mut self, channel: u16, declaration: &Declaration) -> Result<(), LinkError> {
        self.call(channel, method_of(declaration, false)).await.map(|_| ())
    }

    /// Looks whether a declaration's exchange or queue stands, whatever its properties.
    pub(crate) async fn look_for(
        &mut self,
        channel: u16,
        declaration: &Declaration,
    ) -> Result<(), LinkError> {
        self.call(channel, method_of(declaration, true)).await.map(|_| ())
    }

    /// Deletes an exchange; one that does not stand is deleted already.
    pub(crate) async fn delete_exchange(&mut self, channel: u16, name: &str) -> Result<(), LinkError> {
        let delete = exchange::Delete { exchange: name.into(), ..exchange::Delete::default() };
        self.call(channel, AMQPClass::Exchange(exchange::AMQPMethod::Delete(delete))).await.map(|_| ())
    }

    /// Deletes a queue; one that does not stand is deleted already.
    pub(crate) async fn delete_queue(&mut self, channel: u16, name: &str) -> Result<(), LinkError> {
        let delete = queue::Delete { queue: name.into(), ..queue::Delete::default() };
        self.call(channel, AMQPClass::Queue(queue::AMQPMethod::Delete(delete))).await.map(|_| ())
    }

    /// Begins to consume, with at most `prefetch` deliveries unsettled where it acknowledges any.
    pub(crate) async fn consume(
        &mut self,
        channel: u16,
        queue: &str,
        prefetch: u16,
        acknowledges: bool,
    ) -> Result<(), LinkError> {
        let qos = basic::Qos { prefetch_count: prefetch, global: false };
        self.call(channel, AMQPClass::Basic(basic::AMQPMethod::Qos(qos))).await?;
        let consume =
            basic::Consume { queue: queue.into(), no_ack: !acknowledges, ..basic::Consume::default() };
        self.call(channel, AMQPClass::Basic(basic::AMQPMethod::Consume(consume))).await.map(|_| ())
    }

    /// Waits for a delivery, and fails where the broker has been silent for two heartbeats. Not to be cancelled once a part of it has
    /// come; see [`Assembly`] for what is.
    pub(crate) async fn delivery(&mut self, assembly: &mut Assembly) -> Result<Delivery, LinkError> {
        loop {
            let (due, silent) = (self.spoke + self.heartbeat, self.heard + self.heartbeat * 2);
            let beats = !self.heartbeat.is_zero();
            let frame = tokio::select! {
                biased;
                frame = self.frame() => frame?,
                () = sleep_until(due.min(silent)), if beats => {
                    if now() >= silent {
                        return Err(io::Error::from(io::ErrorKind::TimedOut).into());
                    }
                    self.send(&[AMQPFrame::Heartbeat]).await?;
                    continue;
                }
            };
            if let Some(delivery) = assembly.take(frame)? {
                return Ok(delivery);
            }
        }
    }

    /// Settles a delivery, or all up to it.
    pub(crate) async fn acknowledge(
        &mut self,
        channel: u16,
        delivery_tag: u64,
        multiple: bool,
    ) -> Result<(), LinkError> {
        let ack = basic::AMQPMethod::Ack(basic::Ack { delivery_tag, multiple });
        self.send(&[AMQPFrame::Method(channel, AMQPClass::Basic(ack))]).await
    }

    /// Rejects a delivery for good.
    pub(crate) async fn reject(&mut self, channel: u16, delivery_tag: u64) -> Result<(), LinkError> {
        let reject = basic::AMQPMethod::Reject(basic::Reject { delivery_tag, requeue: false });
        self.send(&[AMQPFrame::Method(channel, AMQPClass::Basic(reject))]).await
    }

    /// Has publishes on a channel confirmed.
    pub(crate) async fn confirm(&mut self, channel: u16) -> Result<(), LinkError> {
        let select = confirm::AMQPMethod::Select(confirm::Select { nowait: false });
        self.call(channel, AMQPClass::Confirm(select)).await.map(|_| ())
    }

    /// Publishes a message, without waiting for anything.
    pub(crate) async fn publish(
        &mut self,
        channel: u16,
        exchange: &str,
        routing_key: &str,
        body: &str,
    ) -> Result<(), LinkError> {
        let publish = basic::Publish {
            exchange: exchange.into(),
            routing_key: routing_key.into(),
            ..basic::Publish::default()
        };
        let properties = basic::AMQPProperties::default()
            .with_content_type("application/json".into())
            .with_delivery_mode(2);
        let header = amq_protocol::frame::AMQPContentHeader {
            class_id: BASIC_CLASS,
            body_size: body.len() as u64,
            properties,
        };
        let mut frames = vec![
            AMQPFrame::Method(channel, AMQPClass::Basic(basic::AMQPMethod::Publish(publish))),
            AMQPFrame::Header(channel, header),
        ];
        let parts = body.as_bytes().chunks(self.frame_max - ENVELOPE_BYTES);
        frames.extend(parts.map(|part| AMQPFrame::Body(channel, part.to_vec())));
        self.send(&frames).await
    }

    /// Waits until as many publishes are confirmed on the channel, counted from its first.
    pub(crate) async fn confirmed(&mut self, channel: u16, count: u64) -> Result<(), LinkError> {
        loop {
            match self.method(channel).await? {
                AMQPClass::Basic(basic::AMQPMethod::Ack(ack)) if ack.delivery_tag >= count => return Ok(()),
                AMQPClass::Basic(basic::AMQPMethod::Ack(_)) => {}
                other => return Err(unexpected(&other)),
            }
        }
    }

    /// Sends a method and waits for the answer.
    async fn call(&mut self, channel: u16, method: AMQPClass) -> Result<AMQPClass, LinkError> {
        self.send(&[AMQPFrame::Method(channel, method)]).await?;
        self.method(channel).await
    }

    /// The next method on a channel.
    async fn method(&mut self, channel: u16) -> Result<AMQPClass, LinkError> {
        match self.frame().await? {
            AMQPFrame::Method(number, AMQPClass::Channel(channel::AMQPMethod::Close(close))) => {
                let close_ok = channel::AMQPMethod::CloseOk(channel::CloseOk {});
                self.send(&[AMQPFrame::Method(number, AMQPClass::Channel(close_ok))]).await?;
                Err(LinkError::Refused { code: close.reply_code, text: close.reply_text.to_string() })
            }
            AMQPFrame::Method(0, AMQPClass::Connection(connection::AMQPMethod::Close(close))) => {
                Err(LinkError::Refused { code: close.reply_code, text: close.reply_text.to_string() })
            }
            AMQPFrame::Method(number, method) if number == channel => Ok(method),
            other => Err(LinkError::Unexpected(format!("{other:?}"))),
        }
    }

    /// The next frame. Cancel safe.
    async fn frame(&mut self) -> Result<AMQPFrame, LinkError> {
        loop {
            if let Ok((rest, frame)) = parse_frame(&self.read[..]) {
                let consumed = self.read.len() - rest.len();
                self.read.advance(consumed);
                return Ok(frame);
            }
            if self.stream.read_buf(&mut self.read).await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            self.heard = now();
        }
    }

    async fn send(&mut self, frames: &[AMQPFrame]) -> Result<(), LinkError> {
        let mut bytes = Vec::new();
        for frame in frames {
            let written = gen_frame(frame)(bytes.into()).expect("writing into memory does not fail");
            bytes = written.into_inner().0;
        }
        self.spoke = now();
        Ok(self.stream.write_all(&bytes).await?)
    }
}

/// What it says of itself: that it takes note of a consumer that the broker ends.
fn properties() -> FieldTable {
    let mut capabilities = FieldTable::default();
    capabilities.insert("consumer_cancel_notify".into(), AMQPValue::Boolean(true));
    let mut properties = FieldTable::default();
    properties.insert("capabilities".into(), AMQPValue::FieldTable(capabilities));
    properties
}

#[expect(clippy::disallowed_methods, reason = "a link has a clock; it is the simulation's")]
fn now() -> Instant {
    Instant::now()
}

/// A delivery of which parts are to come; kept between calls, so that they can be cancelled.
#[derive(Default)]
pub(crate) struct Assembly {
    tag: u64,
    missing: usize,
    body: Vec<u8>,
}

impl Assembly {
    /// Takes a part; the whole where this was the last one.
    fn take(&mut self, frame: AMQPFrame) -> Result<Option<Delivery>, LinkError> {
        match frame {
            AMQPFrame::Method(_, AMQPClass::Basic(basic::AMQPMethod::Deliver(deliver))) => {
                *self = Self { tag: deliver.delivery_tag, ..Self::default() };
                return Ok(None);
            }
            AMQPFrame::Header(_, header) => {
                self.missing = usize::try_from(header.body_size).unwrap_or(usize::MAX);
            }
            AMQPFrame::Body(_, part) => {
                self.missing = self.missing.saturating_sub(part.len());
                self.body.extend_from_slice(&part);
            }
            AMQPFrame::Heartbeat => return Ok(None),
            other => return Err(LinkError::Unexpected(format!("{other:?}"))),
        }
        Ok((self.missing == 0).then(|| Delivery { tag: self.tag, body: std::mem::take(&mut self.body) }))
    }
}

fn method_of(declaration: &Declaration, passive: bool) -> AMQPClass {
    match declaration {
        Declaration::Exchange { name } => {
            let declare = exchange::Declare {
                exchange: name.as_str().into(),
                kind: "topic".into(),
                passive,
                durable: true,
                ..exchange::Declare::default()
            };
            AMQPClass::Exchange(exchange::AMQPMethod::Declare(declare))
        }
        Declaration::Queue { name, kind, dead_letter_exchange } => {
            let mut arguments = FieldTable::default();
            if let Some(exchange) = dead_letter_exchange {
                let exchange = AMQPValue::LongString(exchange.as_str().into());
                arguments.insert("x-dead-letter-exchange".into(), exchange);
            }
            let (durable, own) = (*kind == QueueKind::Shared, *kind == QueueKind::PerInstance);
            let declare = queue::Declare {
                queue: name.as_str().into(),
                passive,
                durable,
                exclusive: own,
                auto_delete: own,
                arguments,
                ..queue::Declare::default()
            };
            AMQPClass::Queue(queue::AMQPMethod::Declare(declare))
        }
        Declaration::Binding { queue, exchange, key } => {
            let bind = queue::Bind {
                queue: queue.as_str().into(),
                exchange: exchange.as_str().into(),
                routing_key: key.as_str().into(),
                ..queue::Bind::default()
            };
            AMQPClass::Queue(queue::AMQPMethod::Bind(bind))
        }
    }
}

fn unexpected(method: &AMQPClass) -> LinkError {
    LinkError::Unexpected(format!("{method:?}"))
}
