//! What errors are called, and by which codes connections end.

use std::collections::BTreeMap;

use protocol::{CloseCode, ErrorCode, ErrorCodes, ServerMessage};

use super::{ERROR, Spelling, shown};
use crate::discover::form::Known;
use crate::discover::observed::ObservedGateway;

impl Spelling {
    pub(super) fn error(&mut self, seen: &ObservedGateway) {
        match seen.talk.error() {
            Some(error) => {
                let is_error = |message: &ServerMessage| matches!(message, ServerMessage::Error { .. });
                if self.fit(ERROR, error, &Known::default(), &is_error) {
                    self.note("error", format!("junk was answered by {}", shown(error)));
                } else {
                    self.open.push(format!(
                        "junk was answered by {}, which cannot be told from other messages",
                        shown(error)
                    ));
                }
            }
            None => {
                let closed = seen.talk.junk.iter().find_map(|junk| junk.closed.map(|code| (junk, code)));
                self.open.push(match closed {
                    Some((junk, Some(code))) => format!(
                        "`{}` was answered by a close with {code}, and nothing by an error",
                        junk.sent
                    ),
                    Some((junk, None)) => {
                        format!("`{}` ended the connection, and nothing was answered by an error", junk.sent)
                    }
                    None => "nothing that it cannot understand was answered by an error (MSG-4)".to_owned(),
                });
            }
        }
    }

    /// The close at a token's expiry, where that is not a refusal's.
    pub(super) fn expiry(&mut self, seen: &ObservedGateway) {
        let code = seen.unfinished.expired.map(CloseCode);
        if let Some(code) = code.filter(|code| *code != self.dialect.expiry()) {
            self.dialect.closes.expired = Some(code);
            let own = format!("a token's expiry ended its connection with {}", code.0);
            let seen = self.seen.remove("closes").map_or(own.clone(), |seen| format!("{seen}; {own}"));
            self.note("closes", seen);
        }
    }

    /// What its errors are called, as far as they were provoked.
    pub(super) fn error_codes(&mut self, seen: &ObservedGateway) {
        let (mut names, mut lines) = (BTreeMap::new(), Vec::new());
        let private = seen.talk.private.as_ref();
        let provoked = [
            (ErrorCode::Forbidden, private.map(|(_, exchange)| exchange), "for another user's room"),
            (ErrorCode::BadRoom, seen.talk.nameless.as_ref(), "for a room without a name"),
            (
                ErrorCode::TooManyRooms,
                seen.talk.limits.rooms.as_ref().map(|(_, exchange)| exchange),
                "for one room too many",
            ),
        ];
        for (known, exchange, asked) in provoked {
            let Some(answer) = exchange.and_then(|exchange| exchange.answer.as_deref()) else { continue };
            let read = self.dialect.decode_server(answer).map(|read| read.message);
            if let Ok(ServerMessage::Error { code, .. }) = read
                && !code.is_empty()
            {
                lines.push(format!("a request {asked} was answered by `{code}`"));
                if code != known.as_str() {
                    names.insert(known, code);
                }
            }
        }
        if let Some((room, exchange)) = private
            && let Some(answer) = &exchange.answer
            && matches!(
                self.dialect.decode_server(answer).map(|read| read.message),
                Ok(ServerMessage::Subscribed(_))
            )
        {
            self.open.push(format!(
                "a request for `{room}` was granted to another user: what are the rooms of users called (`gateway.rooms`)? If it is so, ROOM-3 does \
                 not hold"
            ));
        }
        if !names.is_empty() {
            self.open.push(
                "its errors have words of its own; what it calls `rate_limited` was not seen (`errors`)"
                    .to_owned(),
            );
            self.dialect.errors = ErrorCodes::Named(names);
        }
        if !lines.is_empty() {
            self.note("errors", lines.join("; "));
        }
    }
}
