//! `wss://`, end to end.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use protocol::Role;
use reference_server::TlsListen;
use reference_server::config::TlsFiles;
use reference_server::net::TlsIdentity;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

use crate::client::Client;
use crate::running::{Running, config, start_wrapped, token, within};

/// A certificate that signs itself, as two files.
struct Certificate {
    files: TlsFiles,
    root: CertificateDer<'static>,
}

impl Certificate {
    fn write(folder: &Path, name: &str) -> Self {
        let made = rcgen::generate_simple_self_signed(["gateway.test".to_owned()]).unwrap();
        let files =
            TlsFiles { cert: folder.join(format!("{name}.pem")), key: folder.join(format!("{name}.key")) };
        std::fs::write(&files.cert, made.cert.pem()).unwrap();
        std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
        Self { root: CertificateDer::from_pem_slice(made.cert.pem().as_bytes()).unwrap(), files }
    }

    /// Connects, trusting this certificate and no other.
    async fn connect(&self, address: SocketAddr) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("gateway.test").unwrap();
        within(TlsConnector::from(Arc::new(config)).connect(name, stream)).await
    }

    async fn sign_in(&self, address: SocketAddr) -> Client<TlsStream<TcpStream>> {
        Client::over(self.connect(address).await.unwrap(), "ann").await
    }
}

async fn start(identity: TlsIdentity) -> (Running, SocketAddr, watch::Sender<TlsIdentity>) {
    let (newest, identity) = watch::channel(identity);
    let (gateway, address) =
        start_wrapped(config(), move |listener| TlsListen::new(listener, identity)).await;
    (gateway, address, newest)
}

/// Messages and events of all sizes pass through TLS, in both directions; to so many clients that plain sockets would be written to at once.
#[tokio::test]
async fn events_pass_through_tls() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = Certificate::write(folder.path(), "a");
    let (mut gateway, address, _newest) = start(TlsIdentity::read(&certificate.files).unwrap()).await;
    let mut clients = Vec::new();
    for _ in 0..8 {
        clients.push(certificate.sign_in(address).await);
    }
    let notes: Vec<String> = [1, 20_000, 300_000, 3].map(|length| "x".repeat(length)).into();
    for note in &notes {
        gateway.broker.publish("payment:created", &serde_json::json!({ "note": note }));
    }
    for client in &mut clients {
        for note in &notes {
            assert_eq!(client.event().await.1["note"].as_str().map(str::len), Some(note.len()));
        }
        assert!(client.is_served().await);
    }
}

/// A new certificate is for new connections; old ones live on.
#[tokio::test]
async fn a_certificate_can_be_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let [old, new] = ["old", "new"].map(|name| Certificate::write(folder.path(), name));
    let (_gateway, address, newest) = start(TlsIdentity::read(&old.files).unwrap()).await;
    let mut early = old.sign_in(address).await;
    newest.send(TlsIdentity::read(&new.files).unwrap()).unwrap();
    let mut late = new.sign_in(address).await;
    assert!(early.is_served().await && late.is_served().await);
    assert!(old.connect(address).await.is_err(), "the old one is not shown any more");
}

/// An error about an invalid certificate, or one that does not match its key, names the file.
#[tokio::test]
async fn bad_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let [a, b] = ["a", "b"].map(|name| Certificate::write(folder.path(), name).files);
    let mixed = TlsFiles { cert: a.cert.clone(), key: b.key };
    assert!(TlsIdentity::read(&mixed).unwrap_err().to_string().contains("cannot be used"));
    let missing = TlsFiles { cert: folder.path().join("missing.pem"), key: a.key };
    assert!(TlsIdentity::read(&missing).unwrap_err().to_string().contains("missing.pem"));
}

/// Handshakes that are not begun, not ended, or none, many more than are served at once, keep no one else from signing in.
#[tokio::test]
async fn a_flood_of_handshakes_shuts_no_one_out() {
    const FLOOD: usize = 600;
    /// A record of TLS (RFC 8446 section 5.1) that announces 512 bytes of a ClientHello.
    const BEGINNING: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    let folder = tempfile::tempdir().unwrap();
    let certificate = Certificate::write(folder.path(), "a");
    let (_gateway, address, _newest) = start(TlsIdentity::read(&certificate.files).unwrap()).await;
    let mut early = certificate.sign_in(address).await;
    let mut flood = Vec::new();
    for number in 0..FLOOD {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let said = [&b""[..], BEGINNING, &[0xff; 300]][number % 3];
        // What is no handshake may have been ended by then.
        let _ = stream.write_all(said).await;
        flood.push(stream);
    }
    let mut late = certificate.sign_in(address).await;
    assert!(early.is_served().await && late.is_served().await);
}

/// Plain text on a TLS port is refused, and other connections are unaffected.
#[tokio::test]
async fn plain_text_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = Certificate::write(folder.path(), "a");
    let (_gateway, address, _newest) = start(TlsIdentity::read(&certificate.files).unwrap()).await;
    let plain = TcpStream::connect(address).await.unwrap();
    let url = format!("ws://{address}/ws?token={}", token("ann", Role::Customer));
    assert!(within(tokio_tungstenite::client_async(url, plain)).await.is_err());
    let mut client = certificate.sign_in(address).await;
    assert!(client.is_served().await);
}
