//! Through an HTTP proxy.

#![expect(clippy::disallowed_methods, reason = "what prints the lines is this workspace's own")]

use reference_client::Status;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

use crate::gateway::{Accepted, Gateway, client, reaches, soon};

/// A proxy for one tunnel at a time; answers the head of the request.
async fn serve(proxy: &TcpListener, answer: &[u8]) -> (TcpStream, Vec<String>) {
    let (stream, _) = soon("a dial", proxy.accept()).await.expect("a stream");
    let mut lines = BufReader::new(stream).lines();
    let mut head = Vec::new();
    loop {
        match soon("a line", lines.next_line()).await.expect("a line") {
            Some(line) if line.is_empty() => break,
            Some(line) => head.push(line),
            None => panic!("half a request"),
        }
    }
    let mut stream = lines.into_inner().into_inner();
    soon("the answer", stream.write_all(answer)).await.expect("an open stream");
    (stream, head)
}

/// The client requests a tunnel with its name and password; the traffic inside is the same as without a proxy.
#[tokio::test]
async fn a_proxy_is_gone_through() {
    let gateway = Gateway::start().await;
    let proxy = soon("a port", TcpListener::bind(("127.0.0.1", 0))).await.unwrap();
    let mut config = gateway.config();
    let url = format!("http://me:word@{}", proxy.local_addr().unwrap());
    config.proxy = Some(url.parse().unwrap());
    let (client, mut statuses) = client(config.check().unwrap());
    soon("the order", client.connect()).await.unwrap();

    let (mut near, head) = serve(&proxy, b"HTTP/1.1 200 Connection established\r\n\r\n").await;
    let address = gateway.address();
    let expected = [
        format!("CONNECT {address} HTTP/1.1"),
        format!("Host: {address}"),
        "Proxy-Authorization: Basic bWU6d29yZA==".to_owned(),
    ];
    assert_eq!(head, expected);
    let mut far = soon("the gateway", TcpStream::connect(address)).await.unwrap();
    // The tunnel ends with the test.
    let _tunnel = AbortOnDropHandle::new(tokio::spawn(async move {
        tokio::io::copy_bidirectional(&mut near, &mut far).await
    }));
    let accepted = Accepted::over(gateway.stream().await).await;
    assert_eq!(accepted.query, "v=1&token=a%2Bb");
    reaches(&mut statuses, &[Status::Connecting, Status::Connected]).await;
}

/// STATE-3: a proxy that refuses is a failed dial; the reason says so, and holds no password.
#[tokio::test]
async fn a_proxy_that_refuses_is_a_failed_dial() {
    let gateway = Gateway::start().await;
    let proxy = soon("a port", TcpListener::bind(("127.0.0.1", 0))).await.unwrap();
    let mut config = gateway.config();
    config.proxy = Some(format!("http://me:s3cr3t@{}", proxy.local_addr().unwrap()).parse().unwrap());
    config.auto_reconnect = false;
    let (client, mut statuses) = client(config.check().unwrap());
    soon("the order", client.connect()).await.unwrap();
    serve(&proxy, b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n").await;
    reaches(&mut statuses, &[Status::Connecting, Status::Error, Status::Disconnected]).await;
    let reason = client.watch_failure().borrow().clone().expect("a reason");
    assert!(reason.contains("a name and a password") && !reason.contains("s3cr3t"), "{reason}");
}
