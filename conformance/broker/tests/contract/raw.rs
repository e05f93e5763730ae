//! A client that says what no library would: bytes and single frames, as written.

use amq_protocol::frame::{AMQPFrame, gen_frame, parse_frame};
use amq_protocol::protocol::{AMQPClass, channel, connection};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use url::Url;

/// The protocol header of AMQP 0-9-1.
pub(crate) const GREETING: &[u8] = b"AMQP\0\0\x09\x01";
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A socket to a broker.
pub(crate) struct RawClient {
    stream: TcpStream,
    read: Vec<u8>,
}

impl RawClient {
    /// Dials, and says nothing.
    pub(crate) async fn dial(url: &str) -> Self {
        let url = Url::parse(url).expect("a URL");
        let address = (url.host_str().expect("a host"), url.port().unwrap_or(5672));
        Self { stream: TcpStream::connect(address).await.expect("a socket"), read: Vec::new() }
    }

    /// Goes through the handshake as `guest`, asking for this heartbeat in seconds.
    pub(crate) async fn open(url: &str, heartbeat: u16) -> Self {
        Self::open_with(url, heartbeat, u32::MAX).await
    }

    /// The same, asking for frames of at most `frame_max` bytes.
    pub(crate) async fn open_with(url: &str, heartbeat: u16, frame_max: u32) -> Self {
        use connection::AMQPMethod as Method;
        let mut client = Self::dial(url).await;
        client.send_bytes(GREETING).await;
        let start = client.method().await;
        assert!(matches!(start, AMQPClass::Connection(Method::Start(_))), "{start:?}");
        let start_ok = connection::StartOk {
            mechanism: "PLAIN".into(),
            response: "\0guest\0guest".into(),
            locale: "en_US".into(),
            ..connection::StartOk::default()
        };
        client.send(0, AMQPClass::Connection(Method::StartOk(start_ok))).await;
        let AMQPClass::Connection(Method::Tune(tune)) = client.method().await else { panic!("no tune") };
        let tune_ok = connection::TuneOk {
            channel_max: tune.channel_max,
            frame_max: tune.frame_max.min(frame_max),
            heartbeat,
        };
        client.send(0, AMQPClass::Connection(Method::TuneOk(tune_ok))).await;
        let open = connection::Open { virtual_host: "/".into() };
        client.send(0, AMQPClass::Connection(Method::Open(open))).await;
        let opened = client.method().await;
        assert!(matches!(opened, AMQPClass::Connection(Method::OpenOk(_))), "{opened:?}");
        client
    }

    /// Opens a channel.
    pub(crate) async fn open_channel(&mut self, number: u16) {
        self.send(number, AMQPClass::Channel(channel::AMQPMethod::Open(channel::Open {}))).await;
        let opened = self.method().await;
        assert!(matches!(opened, AMQPClass::Channel(channel::AMQPMethod::OpenOk(_))), "{opened:?}");
    }

    pub(crate) async fn send(&mut self, channel: u16, method: AMQPClass) {
        self.send_frame(&AMQPFrame::Method(channel, method)).await;
    }

    pub(crate) async fn send_frame(&mut self, frame: &AMQPFrame) {
        let (bytes, _) = gen_frame(frame)(Vec::new().into()).expect("a frame").into_inner();
        self.send_bytes(&bytes).await;
    }

    pub(crate) async fn send_bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("a broker that listens");
    }

    /// The next frame; none where the broker has closed.
    pub(crate) async fn frame(&mut self) -> Option<AMQPFrame> {
        loop {
            if let Ok((rest, frame)) = parse_frame(self.read.as_slice()) {
                self.read = rest.to_vec();
                return Some(frame);
            }
            let read = tokio::time::timeout(PATIENCE, self.stream.read_buf(&mut self.read)).await;
            match read.expect("a word from the broker in time") {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// The next method, heartbeats left out.
    pub(crate) async fn method(&mut self) -> AMQPClass {
        loop {
            match self.frame().await.expect("a broker that goes on") {
                AMQPFrame::Method(_, method) => return method,
                AMQPFrame::Heartbeat => {}
                other => panic!("no method but {other:?}"),
            }
        }
    }

    /// The first method that is wanted, whatever comes before.
    pub(crate) async fn skip_to<T>(&mut self, wanted: impl Fn(&AMQPClass) -> Option<T>) -> T {
        loop {
            let frame = self.frame().await.expect("a broker that goes on");
            if let AMQPFrame::Method(_, method) = frame
                && let Some(found) = wanted(&method)
            {
                return found;
            }
        }
    }

    /// The code with which the broker closes the connection, whatever it says before.
    pub(crate) async fn closed_with(&mut self) -> u16 {
        self.skip_to(|method| match method {
            AMQPClass::Connection(connection::AMQPMethod::Close(close)) => Some(close.reply_code),
            _ => None,
        })
        .await
    }

    /// The code with which the broker closes a channel, whatever it says before.
    pub(crate) async fn channel_closed_with(&mut self) -> u16 {
        self.skip_to(|method| match method {
            AMQPClass::Channel(channel::AMQPMethod::Close(close)) => Some(close.reply_code),
            _ => None,
        })
        .await
    }

    /// Everything that the broker says until it closes the socket.
    pub(crate) async fn rest(mut self) -> Vec<u8> {
        // A reset is an end as well.
        let _ = tokio::time::timeout(PATIENCE, self.stream.read_to_end(&mut self.read))
            .await
            .expect("an end in time");
        self.read
    }
}
