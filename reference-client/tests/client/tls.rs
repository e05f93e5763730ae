//! `wss://`: whom the client trusts, and whom not.

use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use reference_client::{ClientConfig, Status, Trust};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::{self, ServerConfig};

use crate::gateway::{Accepted, client, reaches, soon};

/// A gateway behind TLS, with a certificate for one name from an authority of its own.
struct Secure {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    authority: CertificateDer<'static>,
}

impl Secure {
    async fn start(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority =
            CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority");
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new([name.to_owned()]).expect("parameters");
        let certificate = params.signed_by(&key, &authority).expect("a certificate");
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("protocol versions")
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).expect("a key"),
            )
            .expect("an identity");
        Self {
            listener: soon("a port", TcpListener::bind(("127.0.0.1", 0))).await.expect("a port"),
            acceptor: TlsAcceptor::from(Arc::new(config)),
            authority: authority.der().clone(),
        }
    }

    fn config(&self, trust: Trust) -> ClientConfig {
        let port = self.listener.local_addr().expect("an address").port();
        let mut config = ClientConfig::new(&format!("wss://127.0.0.1:{port}/ws?v=1"), "t").expect("a URL");
        config.trust = trust;
        config.auto_reconnect = false;
        config
    }

    /// Why a client with this trust fails.
    async fn failure(&self, trust: Trust) -> String {
        let (client, mut statuses) = client(self.config(trust));
        soon("the order", client.connect()).await.expect("a client");
        let handshake = async {
            let (stream, _) = self.listener.accept().await.expect("a stream");
            assert!(self.acceptor.accept(stream).await.is_err());
        };
        let failing = reaches(&mut statuses, &[Status::Connecting, Status::Error, Status::Disconnected]);
        tokio::join!(soon("a handshake", handshake), failing);
        client.watch_failure().borrow().clone().expect("a reason")
    }
}

/// A gateway whose authority is trusted is spoken to like any other.
#[tokio::test]
async fn a_trusted_gateway_is_spoken_to() {
    let gateway = Secure::start("127.0.0.1").await;
    let config = gateway.config(Trust::Certificates(vec![gateway.authority.clone()]));
    let (client, mut statuses) = client(config);
    soon("the order", client.send("note", json!(1))).await.unwrap();
    soon("the order", client.connect()).await.unwrap();
    let (stream, _) = soon("a dial", gateway.listener.accept()).await.unwrap();
    let stream = soon("TLS", gateway.acceptor.accept(stream)).await.unwrap();
    let mut accepted = Accepted::over(stream).await;
    assert_eq!(accepted.query, "v=1&token=t");
    reaches(&mut statuses, &[Status::Connecting, Status::Connected]).await;
    assert_eq!(accepted.message().await["payload"], 1);
    assert_eq!(*client.watch_failure().borrow(), None);
}

/// A gateway with an unknown authority or a certificate for another name is not trusted: the token is never sent.
#[tokio::test]
async fn other_gateways_are_not() {
    let gateway = Secure::start("127.0.0.1").await;
    let untrusted = Secure::start("127.0.0.1").await;
    for trust in [Trust::System, Trust::Certificates(vec![untrusted.authority.clone()])] {
        let reason = gateway.failure(trust).await;
        assert!(reason.contains("certificate"), "{reason}");
    }
    let elsewhere = Secure::start("gateway.example").await;
    let reason = elsewhere.failure(Trust::Certificates(vec![elsewhere.authority.clone()])).await;
    assert!(reason.contains("certificate") && reason.contains("gateway.example"), "{reason}");
}

/// DIAL-2: a gateway that accepts and sends no TLS handshake is abandoned at the dial's timeout.
#[tokio::test]
async fn a_silent_handshake_is_given_up() {
    let gateway = Secure::start("127.0.0.1").await;
    let mut config = gateway.config(Trust::Certificates(vec![gateway.authority.clone()]));
    config.timing.connect_timeout = Duration::from_millis(30);
    let (client, mut statuses) = client(config);
    soon("the order", client.connect()).await.unwrap();
    let _silent = soon("a dial", gateway.listener.accept()).await.unwrap();
    reaches(&mut statuses, &[Status::Connecting, Status::Error, Status::Disconnected]).await;
    let reason = client.watch_failure().borrow().clone().expect("a reason");
    assert_eq!(reason, "no answer within the connect timeout");
}
