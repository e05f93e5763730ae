//! Tokens that are asked for (TOKEN-2).

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use reference_client::{ClientConfig, Status, TokenError};
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

use crate::gateway::{Gateway, client, reaches, soon};

/// A provider that counts: its first token is `n1`.
fn counting(mut config: ClientConfig) -> ClientConfig {
    let asked = AtomicU32::new(0);
    config.token_provider = Some(Arc::new(move || {
        let number = asked.fetch_add(1, Ordering::Relaxed) + 1;
        async move {
            // A provider may answer later.
            tokio::task::yield_now().await;
            Ok(format!("n{number}"))
        }
    }));
    config
}

/// TOKEN-2: each dial signs in with what the provider answers then, after a refusal too.
#[tokio::test]
async fn each_dial_asks_the_provider() {
    let gateway = Gateway::start().await;
    let (client, mut statuses) = client(counting(gateway.config()));
    soon("the order", client.connect()).await.unwrap();
    let mut refused = gateway.stream().await;
    let answer = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n";
    soon("the answer", refused.write_all(answer)).await.unwrap();
    assert_eq!(gateway.accept().await.query, "v=1&token=n2");
    let path =
        [Status::Connecting, Status::Error, Status::Reconnecting, Status::Connecting, Status::Connected];
    reaches(&mut statuses, &path).await;
    assert_eq!(gateway.accept().await.query, "v=1&token=n3");
    soon("the order", client.set_token("given")).await.unwrap();
    assert_eq!(gateway.accept().await.query, "v=1&token=given");
}

/// STATE-3: a provider that fails is a failed dial, without a socket.
#[tokio::test]
async fn a_failing_provider_is_a_failed_dial() {
    let gateway = Gateway::start().await;
    let mut config = gateway.config();
    config.token_provider = Some(Arc::new(|| async { Err(TokenError("signed out".to_owned())) }));
    config.timing.max_reconnect_attempts = 1;
    let (client, mut statuses) = client(config);
    soon("the order", client.connect()).await.unwrap();
    let path = [
        Status::Connecting,
        Status::Error,
        Status::Reconnecting,
        Status::Connecting,
        Status::Error,
        Status::Disconnected,
    ];
    reaches(&mut statuses, &path).await;
}

/// DIAL-2, STATE-6: a provider that never answers is given up after the connect timeout, and by `disconnect()`; its future is
/// dropped both times.
#[tokio::test]
async fn a_hanging_provider_is_given_up() {
    struct Asked(mpsc::UnboundedSender<()>);
    impl Drop for Asked {
        fn drop(&mut self) {
            self.0.send(()).unwrap_or(());
        }
    }
    let gateway = Gateway::start().await;
    let (sender, mut dropped) = mpsc::unbounded_channel();
    let mut config = gateway.config();
    config.token_provider = Some(Arc::new(move || {
        let asked = Asked(sender.clone());
        async move {
            let _asked = asked;
            std::future::pending().await
        }
    }));
    config.timing.connect_timeout = Duration::from_millis(20);
    let (client, mut statuses) = client(config);
    soon("the order", client.connect()).await.unwrap();
    reaches(&mut statuses, &[Status::Connecting, Status::Error, Status::Reconnecting, Status::Connecting])
        .await;
    soon("the first to go", dropped.recv()).await.unwrap();
    soon("the order", client.disconnect()).await.unwrap();
    soon("the second to go", dropped.recv()).await.unwrap();
}
