//! On a WebSocket connection: its handshake and its frames, whole ones, unmasked.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use scenarios::frame::RawFrame;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use wire::frame::FrameReader;

/// Longest head of a request or an answer.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// From one mask to the next. Any odd number goes through all of them.
const NEXT_MASK: u32 = 0x9e37_79b1;

/// What one frame becomes.
#[derive(Debug, Default)]
pub struct Passed {
    /// Frames for the gateway.
    pub up: Vec<RawFrame>,
    /// Frames for the client.
    pub down: Vec<RawFrame>,
    /// Whether the connection ends then.
    pub end: bool,
}

/// Changes one connection.
pub trait Wire: Send {
    /// How long the next bytes of a request are waited for, where that has an end. Each byte begins it anew.
    fn idle_timeout(&self) -> Option<Duration> {
        None
    }

    /// What becomes of the request's head, its blank line included.
    fn request(&mut self, head: String) -> String {
        head
    }

    /// What becomes of the answer: its head, and the body of what is no upgrade.
    fn answer(&mut self, text: String) -> String {
        text
    }

    /// Frames for the client behind an answer that had been a refusal, and has become an upgrade.
    fn granted(&mut self) -> Vec<RawFrame> {
        Vec::new()
    }

    /// What becomes of a client's frame.
    fn up(&mut self, frame: RawFrame) -> Passed {
        Passed { up: vec![frame], ..Passed::default() }
    }

    /// What becomes of a gateway's frame.
    fn down(&mut self, frame: RawFrame) -> Passed {
        Passed { down: vec![frame], ..Passed::default() }
    }

    /// The mask of the next of a client's frames, given a fresh one.
    fn mask(&mut self, fresh: [u8; 4]) -> Option<[u8; 4]> {
        Some(fresh)
    }

    /// Whether a frame of a gateway's that is masked, which it should not be, comes so.
    fn keeps_masks(&self) -> bool {
        true
    }

    /// Whether nothing of the gateway's is read while something waits to be written to it.
    fn is_half_duplex(&self) -> bool {
        false
    }
}

/// Carries a connection between its two ends until one of them ends. What is no frame ends it too. Each end is read while what
/// came of it last is written, so an end that does not read holds up one direction only.
///
/// # Errors
/// When an end fails before the upgrade is over.
pub async fn join<C, G>(mut wire: Box<dyn Wire>, client: C, gateway: G) -> io::Result<()>
where
    C: AsyncRead + AsyncWrite + Unpin,
    G: AsyncRead + AsyncWrite + Unpin,
{
    let (mut from_client, mut to_client) = split(client);
    let (mut from_gateway, mut to_gateway) = split(gateway);
    let (request, rest_up) = head(&mut from_client, wire.idle_timeout()).await?;
    to_gateway.write_all(wire.request(request).as_bytes()).await?;
    let (mut answer, mut rest_down) = head(&mut from_gateway, None).await?;
    if !answer.starts_with("HTTP/1.1 101") {
        from_gateway.read_to_end(&mut rest_down).await?;
        answer += &String::from_utf8_lossy(&rest_down);
        to_client.write_all(wire.answer(answer).as_bytes()).await?;
        for frame in wire.granted() {
            to_client.write_all(&frame.encode(None)).await?;
        }
        return to_client.shutdown().await;
    }
    to_client.write_all(wire.answer(answer).as_bytes()).await?;
    let (mut ups, mut downs) = (FrameReader::after(rest_up), FrameReader::after(rest_down));
    let (mut up, mut down) = (VecDeque::new(), VecDeque::new());
    let mut mask = NEXT_MASK;
    loop {
        let reads_gateway = down.is_empty() && (up.is_empty() || !wire.is_half_duplex());
        let passed = tokio::select! {
            biased;
            written = to_client.write_buf(&mut down), if !down.is_empty() => match written? {
                0 => break,
                _ => continue,
            },
            written = to_gateway.write_buf(&mut up), if !up.is_empty() => match written? {
                0 => break,
                _ => continue,
            },
            frame = downs.next(&mut from_gateway), if reads_gateway => match frame {
                Ok(Some(frame)) => wire.down(frame),
                Ok(None) | Err(_) => break,
            },
            frame = ups.next(&mut from_client), if up.is_empty() => match frame {
                Ok(Some(frame)) => wire.up(frame),
                Ok(None) | Err(_) => break,
            },
        };
        for frame in passed.up {
            up.extend(frame.encode(wire.mask(mask.to_be_bytes())));
            mask = mask.wrapping_add(NEXT_MASK);
        }
        for frame in passed.down {
            down.extend(frame.encode(downs.mask().filter(|_| wire.keeps_masks())));
        }
        if passed.end {
            to_gateway.write_all_buf(&mut up).await?;
            to_client.write_all_buf(&mut down).await?;
            break;
        }
    }
    // Either end may be gone already.
    let _ = to_client.shutdown().await;
    let _ = to_gateway.shutdown().await;
    Ok(())
}

/// Reads up to the blank line; answers what came behind it too.
async fn head(
    stream: &mut (impl AsyncRead + Unpin),
    idle_timeout: Option<Duration>,
) -> io::Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let rest = bytes.split_off(at + 4);
            return Ok((String::from_utf8_lossy(&bytes).into_owned(), rest));
        }
        let read = stream.read_buf(&mut bytes);
        let read = match idle_timeout {
            Some(limit) => tokio::time::timeout(limit, read).await?,
            None => read.await,
        };
        if bytes.len() > MAX_HEAD_BYTES || read? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}
