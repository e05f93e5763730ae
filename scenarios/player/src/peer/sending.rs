//! What an end sends: messages as they should be, and frames that need not be.

use std::io;
use std::num::NonZeroUsize;

use data_encoding::HEXLOWER;
use protocol::ClientMessage;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tungstenite::protocol::frame::coding::{Data, OpCode};

use super::{End, WaitingEvent};
use crate::compression::Compression;
use scenarios::frame::RawFrame;
use scenarios::scenario::FrameSpec;
use scenarios::trace::{Frame, FrameKind, Side};

impl<S: AsyncRead + AsyncWrite + Unpin> End<S> {
    /// Answers the ping messages that are not answered yet, unless that would cut a message of this end's.
    pub(super) async fn answer_ping_messages(&mut self) -> io::Result<()> {
        while self.held_answers > 0 && !self.is_within_message {
            self.held_answers -= 1;
            let pong = self.setup.setting.dialect.encode_client(&ClientMessage::Pong, self.now());
            self.send(RawFrame::text(pong)).await?;
        }
        Ok(())
    }

    /// Sends the events that wait. Where an event says to which subscription it belongs, there must be one.
    pub(super) async fn send_events(&mut self) -> io::Result<()> {
        let dialect = &self.setup.setting.dialect;
        if dialect.names_subscriptions() && self.pending.subscription_for("").is_none() {
            return Ok(());
        }
        for WaitingEvent { name, data, cut } in std::mem::take(&mut self.events) {
            let dialect = &self.setup.setting.dialect;
            let subscription = self.pending.subscription_for(&name);
            let whole = RawFrame::text(dialect.encode_event_by(&name, &data, self.now(), subscription));
            match cut {
                None => self.send(whole).await?,
                Some(cut) => self.send_odd(cut.frames(&whole), Some(whole), None).await?,
            }
        }
        Ok(())
    }

    /// Sends a frame as it should be.
    pub(super) async fn send(&mut self, frame: RawFrame) -> io::Result<()> {
        let sent = self.frame(&frame, self.setup.side == Side::Gateway);
        self.refer(&sent);
        let mask = (self.setup.side == Side::Client).then(|| self.masks.u32(..).to_be_bytes());
        // Recorded first: an answer must not stand before its question.
        self.note_sent(sent).await;
        let frame = if self.compression.is_some() { Compression::deflated(frame) } else { frame };
        self.stream.write_all(&frame.encode(mask)).await?;
        self.stream.flush().await
    }

    /// Sends frames that need not be right.
    pub(super) async fn send_odd(
        &mut self,
        frames: Vec<FrameSpec>,
        message: Option<RawFrame>,
        chop: Option<NonZeroUsize>,
    ) -> io::Result<()> {
        let from_gateway = self.setup.side == Side::Gateway;
        if let Some(message) = &message {
            let sent = self.frame(message, from_gateway);
            self.refer(&sent);
            self.note_sent(sent).await;
        }
        let mut bytes = Vec::new();
        for FrameSpec { frame, masked } in frames {
            if matches!(frame.opcode, OpCode::Data(_)) {
                self.is_within_message = !frame.fin;
            }
            if message.is_none() || matches!(frame.opcode, OpCode::Control(_)) {
                let whole = frame.fin && frame.rsv == 0 && masked != from_gateway;
                let seen = if whole && !matches!(frame.opcode, OpCode::Data(Data::Continue)) {
                    self.frame(&frame, from_gateway)
                } else {
                    // Shown without its mask, which carries no information.
                    Frame {
                        kind: FrameKind::Raw,
                        body: HEXLOWER.encode(&frame.clone().encode(None)),
                        message: None,
                        form: None,
                    }
                };
                self.refer(&seen);
                self.note_sent(seen).await;
            }
            let mask = masked.then(|| self.masks.u32(..).to_be_bytes());
            bytes.extend(frame.encode(mask));
        }
        for piece in bytes.chunks(chop.map_or(bytes.len(), NonZeroUsize::get).max(1)) {
            self.stream.write_all(piece).await?;
            self.stream.flush().await?;
        }
        self.answer_ping_messages().await
    }
}
