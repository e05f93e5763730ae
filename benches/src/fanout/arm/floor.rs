//! The floor: what the kernel asks for a delivery when a program does nothing but hand it one ready frame at a time.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};

use rustix::event::{PollFd, PollFlags, poll};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::{CommandSender, SubscriberCommand, WELCOME, report_address, report_cpu};
use crate::fanout::event::EventSize;

/// Longest request that a subscriber makes.
const MAX_REQUEST_BYTES: usize = 4096;

pub(super) fn run(size: EventSize) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    report_address(listener.local_addr()?)?;
    let mut orders = CommandSender::open()?;
    let mut sockets = Vec::new();
    let mut next = 0;
    loop {
        if !orders.are_waiting() {
            let mut ready = [PollFd::new(&listener, PollFlags::IN), PollFd::new(&orders, PollFlags::IN)];
            poll(&mut ready, None)?;
            if ready[0].revents().contains(PollFlags::IN) {
                sockets.push(accept(&listener)?);
                continue;
            }
        }
        match orders.next()? {
            Some(SubscriberCommand::Emit(count)) => {
                for number in next..next + count {
                    let frame = size.frame(number);
                    for socket in &mut sockets {
                        send(socket, &frame)?;
                    }
                }
                next += count;
            }
            Some(SubscriberCommand::Cpu) => report_cpu()?,
            None => return Ok(()),
        }
    }
}

/// One `send`; only where the socket is full does it take more.
fn send(mut socket: &TcpStream, mut frame: &[u8]) -> io::Result<()> {
    while !frame.is_empty() {
        match socket.write(frame) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(sent) => frame = &frame[sent..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                poll(&mut [PollFd::new(&socket, PollFlags::OUT)], None)?;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Takes one connection; whose it is does not matter here.
fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
    let (stream, _) = listener.accept()?;
    upgrade(stream)
}

/// Answers a request for a WebSocket, and greets.
pub(super) fn upgrade(mut stream: TcpStream) -> io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    let mut request = vec![0; MAX_REQUEST_BYTES];
    let mut length = 0;
    while !request[..length].ends_with(b"\r\n\r\n") {
        match stream.read(&mut request[length..])? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            read => length += read,
        }
    }
    let key = String::from_utf8_lossy(&request[..length])
        .lines()
        .find_map(|line| {
            line.strip_prefix("Sec-WebSocket-Key: ").map(|key| derive_accept_key(key.as_bytes()))
        })
        .ok_or_else(|| io::Error::other("a request without a key"))?;
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {key}\r\n\r\n"
    );
    let length = u8::try_from(WELCOME.len()).map_err(io::Error::other)?;
    stream.write_all(&[head.as_bytes(), &[0x81, length], WELCOME.as_bytes()].concat())?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}
