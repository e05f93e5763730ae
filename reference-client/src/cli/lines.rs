//! What a person types.

use protocol::Target;
use serde_json::Value;

/// A line.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Line {
    Subscribe(Target),
    Unsubscribe(Target),
    Send { kind: String, payload: Value },
    Status,
    Quit,
    Empty,
}

/// Why a line means nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum LineError {
    #[error("`{0}` is no command; there are /subscribe, /unsubscribe, /send, /status and /quit")]
    Unknown(String),
    #[error("`{0}` needs a name")]
    NoName(String),
    #[error("the payload is not JSON: {0}")]
    Json(String),
}

impl Line {
    pub(super) fn parse(text: &str) -> Result<Self, LineError> {
        let text = text.trim();
        let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let rest = rest.trim();
        let named = || if rest.is_empty() { Err(LineError::NoName(word.to_owned())) } else { Ok(rest) };
        match word {
            "" => Ok(Self::Empty),
            "/subscribe" => Ok(Self::Subscribe(target(named()?))),
            "/unsubscribe" => Ok(Self::Unsubscribe(target(named()?))),
            "/send" => {
                let (kind, json) = named()?.split_once(char::is_whitespace).unwrap_or((rest, "null"));
                let payload =
                    serde_json::from_str(json).map_err(|error| LineError::Json(error.to_string()))?;
                Ok(Self::Send { kind: kind.to_owned(), payload })
            }
            "/status" => Ok(Self::Status),
            "/quit" => Ok(Self::Quit),
            other => Err(LineError::Unknown(other.to_owned())),
        }
    }
}

/// Rooms of one's own are asked for as rooms, everything else as an event type.
pub(super) fn target(name: &str) -> Target {
    if name.starts_with("user:") || name.starts_with("role:") {
        Target::Room(name.to_owned())
    } else {
        Target::EventType(name.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Each command is parsed; an unknown one is an error that says why.
    #[test]
    fn lines_are_read() {
        assert_eq!(Line::parse(" /subscribe a:b "), Ok(Line::Subscribe(Target::EventType("a:b".into()))));
        assert_eq!(Line::parse("/unsubscribe user:1"), Ok(Line::Unsubscribe(Target::Room("user:1".into()))));
        let send = |payload| Ok(Line::Send { kind: "note".into(), payload });
        assert_eq!(Line::parse("/send note {\"a\": 1}"), send(json!({"a": 1})));
        assert_eq!(Line::parse("/send note"), send(json!(null)));
        assert_eq!(Line::parse(""), Ok(Line::Empty));
        assert!(matches!(Line::parse("/send note {"), Err(LineError::Json(_))));
        assert!(matches!(Line::parse("/subscribe"), Err(LineError::NoName(_))));
        assert!(matches!(Line::parse("hello"), Err(LineError::Unknown(_))));
    }
}
