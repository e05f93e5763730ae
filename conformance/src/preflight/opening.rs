//! A gateway that says nothing, or ends the connection, until a first message has come, and which that may be.

use futures_util::future::join_all;
use miette::miette;
use protocol::{Opening, SignIn, TokenPlace};
use scenarios::SubjectKind;
use scenarios::trace::{Event, FrameKind, Side, Trace};

use super::{Look, SetupError, play};
use crate::executor::Executor;
use crate::exit::Exit;
use crate::profile::Profile;

/// A first message that gateways of a protocol wait for, and what they answer.
struct First {
    protocol: &'static str,
    subprotocol: Option<&'static str>,
    message: &'static str,
    answer: &'static str,
    /// What to write where the message is the subscription to a channel, whose name is the gateway's own.
    lines: Option<&'static str>,
}

const GRAPHQL: &str = "graphql-transport-ws";
const JOINS: &str = r#"[[dialect.opening]]
  subscribe = "…"  # the topic of its channel
  [dialect.frames]
  message = '["{subscription}","{id}","{room}","{type}","{payload}"]'
  subscribe = '["{ref}","{ref}","{room}","phx_join",{}]'
  subscribed = '["{subscription}","{ref}","{room}","phx_reply",{"status":"ok","response":"{payload}"}]'"#;

const FIRSTS: [First; 4] = [
    First {
        protocol: "the protocol `graphql-transport-ws`",
        subprotocol: Some(GRAPHQL),
        message: r#"{"type":"connection_init","payload":{"token":"{token}"}}"#,
        answer: r#"{"type":"connection_ack"}"#,
        lines: None,
    },
    First {
        protocol: "the protocol `graphql-transport-ws`",
        subprotocol: Some(GRAPHQL),
        message: r#"{"type":"connection_init"}"#,
        answer: r#"{"type":"connection_ack"}"#,
        lines: None,
    },
    First {
        protocol: "Phoenix' channels",
        subprotocol: None,
        message: r#"["1","{ref}","room:lobby","phx_join",{}]"#,
        answer: r#"["1","{ref}","room:lobby","phx_reply","{payload}"]"#,
        lines: Some(JOINS),
    },
    First {
        protocol: "Socket.IO",
        subprotocol: None,
        message: "40",
        answer: r#"40{"sid":"{id}"}"#,
        lines: None,
    },
];

/// Whether what the look has seen may come of a first message that is missing: nothing was said, or the gateway ended the connection.
pub(super) fn may_be_missing(trace: &Trace, profile: &Profile) -> bool {
    let declares = !profile.dialect.opening.is_empty() || profile.dialect.sign_in.is_some();
    let seen = || trace.observations.iter().map(|seen| &seen.event);
    let speaks = seen().any(|event| matches!(event, Event::Received(frame) if frame.kind == FrameKind::Text));
    let ends = seen().any(|event| match event {
        Event::Closed { by, .. } => *by == Side::Gateway,
        Event::Refused { status: None, .. } => true,
        _ => false,
    });
    !declares && (ends || !speaks)
}

/// The first of the known messages that the gateway answers; what to write.
pub(super) async fn found(executor: &Executor) -> Option<String> {
    let answered = join_all(FIRSTS.iter().map(|first| is_answered(executor, first))).await;
    let (first, _) = FIRSTS.iter().zip(answered).find(|(_, answered)| *answered)?;
    Some(format!(
        "it waits for a first message, as in {}; write into the profile:\n  {}",
        first.protocol,
        first.lines()
    ))
}

/// As [`found`], as the end of the run.
pub(super) async fn explained(executor: &Executor) -> Option<SetupError> {
    let help = found(executor).await?;
    let report = miette!(
        help = help,
        "the gateway lets a client in, and does not serve it until it has said something first"
    );
    Some(SetupError { exit: Exit::Usage, report })
}

async fn is_answered(executor: &Executor, first: &First) -> bool {
    let Some(profile) = first.profile(executor.profile()) else { return false };
    let look = play(&executor.with_profile(profile), SubjectKind::Gateway).await;
    // A connection counts as open once its first messages are answered.
    look.is_ok_and(|Look { trace, .. }| {
        trace.observations.iter().any(|seen| matches!(seen.event, Event::Opened))
    })
}

impl First {
    fn signs_in(&self) -> bool {
        self.message.contains("{token}")
    }

    /// The declared one with this message.
    fn profile(&self, declared: &Profile) -> Option<Profile> {
        let mut profile = declared.clone();
        let dialect = &mut profile.dialect;
        let (message, answer) = (self.message.parse().ok()?, self.answer.parse().ok()?);
        if dialect.subprotocol.is_none()
            && !matches!(dialect.token, TokenPlace::Subprotocol | TokenPlace::SubprotocolAfter(_))
        {
            dialect.subprotocol = self.subprotocol.map(str::to_owned);
        }
        if self.signs_in() {
            dialect.token = TokenPlace::Message;
            dialect.sign_in = Some(Box::new(SignIn { message, answer: Some(answer) }));
        } else {
            dialect.opening = vec![Opening { subscribe: None, send: Some(message), answer: Some(answer) }];
        }
        Some(profile)
    }

    fn lines(&self) -> String {
        if let Some(lines) = self.lines {
            return lines.to_owned();
        }
        let Self { subprotocol, message, answer, .. } = self;
        let subprotocol = subprotocol.map(|name| format!("subprotocol = \"{name}\"\n  ")).unwrap_or_default();
        let table = if subprotocol.is_empty() { "" } else { "[dialect]\n  " };
        match self.signs_in() {
            true => format!(
                "[dialect]\n  {subprotocol}token = \"message\"\n  refusal = \"close-4403\"\n  [dialect.sign_in]\n  message = '{message}'\n  answer = '{answer}'"
            ),
            false => format!(
                "{table}{subprotocol}[[dialect.opening]]\n  send = '{message}'\n  answer = '{answer}'"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use scenarios::trace::{Actor, Observation};

    /// What is proposed can be written, once a channel is named, and is what was tried.
    #[test]
    fn what_is_proposed_is_sound() {
        for first in &FIRSTS {
            let text = first.lines();
            let profile = Profile::parse("proposed", &text, Path::new("."))
                .unwrap_or_else(|error| panic!("{text}\n{error}"));
            let tried = first.profile(&Profile::bare()).unwrap().dialect;
            if first.lines.is_none() {
                assert_eq!(
                    (profile.dialect.opening, profile.dialect.sign_in),
                    (tried.opening, tried.sign_in),
                    "{text}"
                );
                assert_eq!(profile.dialect.subprotocol, tried.subprotocol);
            }
        }
    }

    /// Silence and an early end are signs; what a gateway says is none, nor is anything where a first message is declared.
    #[test]
    fn signs_are_silence_and_an_end() {
        let seen = |event| {
            let seen = Observation { at_us: 0, actor: Actor("ada".to_owned()), connection: Some(0), event };
            Trace { observations: vec![seen] }
        };
        let bare = Profile::bare();
        let closes = || Event::Closed { code: Some(protocol::CloseCode(4429)), by: Side::Gateway };
        assert!(may_be_missing(&seen(Event::Opened), &bare) && may_be_missing(&seen(closes()), &bare));
        let declared = Profile::parse("p", &FIRSTS[1].lines(), Path::new(".")).unwrap();
        assert!(!may_be_missing(&seen(closes()), &declared));
    }
}
