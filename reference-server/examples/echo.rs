//! An echo server on the gateway's own handshake, read and write path, for suites that judge echoes.

use std::io::{self, Write};
use std::net::Ipv4Addr;

use clap::Parser;
use reference_server::TcpListen;
use reference_server::net::EchoServer;
use tokio::net::TcpListener;

/// Sends every WebSocket message back to who sent it, on any path
#[derive(Debug, Parser)]
struct Flags {
    /// The port on the loopback interface; 0 for any
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// The largest message, in bytes
    #[arg(long, default_value_t = 32 * 1024 * 1024)]
    max_message_bytes: usize,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let Flags { port, max_message_bytes } = Flags::parse();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    writeln!(io::stdout(), "listening on ws://{}", listener.local_addr()?)?;
    match EchoServer::new(TcpListen(listener), max_message_bytes).run().await {}
}
