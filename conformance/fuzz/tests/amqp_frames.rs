//! What a client of the embedded broker sends: a gateway under test.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use embedded_broker::{Broker, BrokerConfig, Listen};
use futures_util::StreamExt;
use gatecheck_fuzz::edited;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Connection, ConnectionProperties};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, copy, duplex, sink};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// What is under way from a client to the broker at most.
const PIPE_BYTES: usize = 64 * 1024;
/// Longest time that the broker may take to end a connection whose client has ended.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whatever a client sends, the broker ends its connection with it, and serves the next.
#[test]
fn amqp_frames() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let sample = runtime.block_on(recorded());
    let (dial, dials) = mpsc::channel(1);
    let broker = {
        let _entered = runtime.enter();
        Broker::serve(Dials(dials), SocketAddr::from(([127, 0, 0, 1], 0)), BrokerConfig::default())
    };
    bolero::check!().for_each(|input: &[u8]| {
        let bytes = edited(&[&sample], input);
        runtime.block_on(async {
            let (client, end) = duplex(PIPE_BYTES);
            dial.send(end).await.expect("the broker accepts");
            let (mut answers, mut requests) = tokio::io::split(client);
            let talk = async {
                // The broker may have ended it.
                let _ = requests.write_all(&bytes).await;
                let _ = requests.shutdown().await;
            };
            let mut nowhere = sink();
            let listen = copy(&mut answers, &mut nowhere);
            let ended = timeout(PATIENCE, async { tokio::join!(talk, listen).1 }).await;
            ended.expect("the broker ends the connection").expect("a pipe does not fail");
            broker.snapshot().await.expect("the broker goes on");
        });
    });
}

/// Connections from this process.
struct Dials(mpsc::Receiver<DuplexStream>);

impl Listen for Dials {
    type Stream = DuplexStream;

    async fn accept(&mut self) -> io::Result<(DuplexStream, SocketAddr)> {
        match self.0.recv().await {
            Some(stream) => Ok((stream, SocketAddr::from(([127, 0, 0, 1], 1)))),
            None => std::future::pending().await,
        }
    }

    fn reset(_: DuplexStream) {}
}

/// What a client sends that declares, binds, publishes, consumes and acknowledges.
async fn recorded() -> Vec<u8> {
    let broker = Broker::start(BrokerConfig::default()).await.expect("a port is free");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let between = listener.local_addr().expect("it is bound");
    let url = broker.url().replace(&broker.addr().to_string(), &between.to_string());
    let address = broker.addr();
    let tap = tokio::spawn(async move {
        let (client, _) = listener.accept().await.expect("the client dials");
        let upstream = TcpStream::connect(address).await.expect("the broker listens");
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_broker, mut to_broker) = upstream.into_split();
        let back = tokio::spawn(async move { copy(&mut from_broker, &mut to_client).await });
        let (mut recorded, mut part) = (Vec::new(), [0; 4096]);
        while let Ok(count @ 1..) = from_client.read(&mut part).await {
            recorded.extend_from_slice(&part[..count]);
            to_broker.write_all(&part[..count]).await.expect("the broker reads");
        }
        back.abort();
        recorded
    });
    session(&url).await.expect("the session is well-formed");
    tap.await.expect("the tap does not panic")
}

async fn session(url: &str) -> Result<(), lapin::Error> {
    let connection = Connection::connect(url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel
        .exchange_declare("x".into(), lapin::ExchangeKind::Topic, Default::default(), FieldTable::default())
        .await?;
    channel.queue_declare("q".into(), Default::default(), FieldTable::default()).await?;
    channel
        .queue_bind("q".into(), "x".into(), "a.#".into(), Default::default(), FieldTable::default())
        .await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let properties = BasicProperties::default().with_message_id("m".into()).with_priority(1);
    channel
        .basic_publish("x".into(), "a.b".into(), BasicPublishOptions::default(), b"body", properties)
        .await?
        .await?;
    let mut deliveries = channel
        .basic_consume("q".into(), "c".into(), BasicConsumeOptions::default(), FieldTable::default())
        .await?;
    if let Some(delivery) = deliveries.next().await {
        delivery?.ack(BasicAckOptions::default()).await?;
    }
    channel.close(200, "done".into()).await?;
    connection.close(200, "done".into()).await
}
