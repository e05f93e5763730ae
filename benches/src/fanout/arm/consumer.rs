//! The plain consumer: what lapin's examples add up to, with sockets. A delivery is read, written to each socket in turn, and acknowledged.

use std::io;

use futures_util::StreamExt;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicQosOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties, Consumer};
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use super::floor::upgrade;
use super::{follow, report_address};
use crate::fanout::bridge::{EXCHANGE, PREFETCH};
use crate::fanout::event::EventSize;

pub(super) fn run(size: EventSize, broker: &str) -> io::Result<()> {
    follow(drop)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (_connection, mut consumer) = consume(broker).await.map_err(io::Error::other)?;
        report_address(listener.local_addr()?)?;
        let mut sockets = Vec::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    let stream = accepted?.0.into_std()?;
                    stream.set_nonblocking(false)?;
                    sockets.push(TcpStream::from_std(upgrade(stream)?)?);
                }
                delivery = consumer.next() => {
                    let delivery = delivery.ok_or(io::ErrorKind::UnexpectedEof)?.map_err(io::Error::other)?;
                    let frame = size.frame(number(&delivery.data)?);
                    for socket in &mut sockets {
                        socket.write_all(&frame).await?;
                    }
                    delivery.ack(BasicAckOptions::default()).await.map_err(io::Error::other)?;
                }
            }
        }
    })
}

/// Which event this is.
fn number(body: &[u8]) -> io::Result<usize> {
    let body: Value = serde_json::from_slice(body)?;
    body["data"]["number"]
        .as_str()
        .and_then(|number| number.parse().ok())
        .ok_or(io::ErrorKind::InvalidData.into())
}

async fn consume(broker: &str) -> Result<(Connection, Consumer), lapin::Error> {
    let connection = Connection::connect(broker, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let exclusive = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
    let queue = channel.queue_declare("".into(), exclusive, FieldTable::default()).await?;
    let name = queue.name().clone();
    channel
        .queue_bind(
            name.clone(),
            EXCHANGE.into(),
            "#".into(),
            QueueBindOptions::default(),
            FieldTable::default(),
        )
        .await?;
    channel.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
    let consumer =
        channel.basic_consume(name, "".into(), BasicConsumeOptions::default(), FieldTable::default()).await?;
    Ok((connection, consumer))
}
