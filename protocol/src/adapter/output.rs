//! What an adapter prints, read as the harness reads it.

use serde_json::Value;

use super::{Answer, Report};

/// A line from an adapter: an answer, which has an `id`, or a report.
#[derive(Debug, Clone, PartialEq)]
pub enum AdapterOutput {
    /// How a request went.
    Answer(Answer),
    /// What the client did by itself.
    Report(Report),
}

/// Why a line from an adapter is neither an answer nor a report.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutputError {
    /// It is no JSON object.
    #[error("the adapter printed what is no JSON object: {line:?}; noise belongs on stderr")]
    NoObject {
        /// The line.
        line: String,
    },
    /// It has an `id`, and says nothing of the request.
    #[error(
        "an answer has the `id` of its request, and `\"ok\":true`, `\"unsupported\":true` or `\"error\":\"…\"`: {line}"
    )]
    NoAnswer {
        /// What it gives as its `id`; `null` where it complains of a line without one.
        id: Value,
        /// The line.
        line: String,
    },
    /// It has no `id`, and lacks an `event` or what belongs to that.
    #[error(
        "a line is an answer with an `id`, or a report with an `event` and what belongs to it ({reason}): {line}"
    )]
    NoReport {
        /// What is wrong with it.
        reason: String,
        /// The line.
        line: String,
    },
}

impl AdapterOutput {
    /// Reads a line.
    ///
    /// # Errors
    /// When it is neither an answer nor a report. One of an unknown kind is a report nevertheless.
    pub fn parse(line: &str) -> Result<Self, OutputError> {
        let Ok(Value::Object(fields)) = serde_json::from_str(line) else {
            return Err(OutputError::NoObject { line: line.to_owned() });
        };
        let id = fields.get("id").filter(|id| !id.is_null() || !fields.contains_key("event")).cloned();
        let (fields, line) = (Value::Object(fields), line.to_owned());
        match id {
            Some(id) => serde_json::from_value(fields)
                .map(Self::Answer)
                .map_err(|_| OutputError::NoAnswer { id, line }),
            None => serde_json::from_value(fields)
                .map(Self::Report)
                .map_err(|error| OutputError::NoReport { reason: error.to_string(), line }),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::adapter::{Outcome, ReportEvent};

    fn outcome(line: &str) -> Outcome {
        match AdapterOutput::parse(line) {
            Ok(AdapterOutput::Answer(Answer { id: 1, outcome })) => outcome,
            other => panic!("{line} is {other:?}"),
        }
    }

    fn report(line: &str) -> Report {
        match AdapterOutput::parse(line) {
            Ok(AdapterOutput::Report(report)) => report,
            other => panic!("{line} is {other:?}"),
        }
    }

    /// An answer says how it went; what says more than one says the gravest.
    #[test]
    fn an_answer_says_how_it_went() {
        assert_eq!(outcome(r#"{"id":1,"ok":true}"#), Outcome::DONE);
        assert_eq!(outcome(r#"{"id":1,"ok":true,"value":[1],"took":3}"#), Outcome::value(json!([1])));
        assert_eq!(outcome(r#"{"id":1,"ok":true,"unsupported":true}"#), Outcome::UNSUPPORTED);
        assert_eq!(outcome(r#"{"id":1,"ok":true,"error":"e"}"#), Outcome::Error { error: "e".to_owned() });
        assert_eq!(outcome(r#"{"id":1,"ok":true,"error":null,"unsupported":false}"#), Outcome::DONE);
        let configured = Outcome::config(json!({ "url": "u" }));
        assert_eq!(outcome(r#"{"id":1,"ok":true,"config":{"url":"u"}}"#), configured);
    }

    /// A report is of the client, or of the consumer that it names; an unknown one is no error.
    #[test]
    fn a_report_says_what_happened() {
        let status = report(r#"{"event":"status","status":"connected","consumer":"badge"}"#);
        assert_eq!(status.consumer.as_deref(), Some("badge"));
        let connected = ReportEvent::Status { old: None, status: "connected".to_owned() };
        assert_eq!(status.event, connected);
        let fetched = report(r#"{"event":"refetch","key":["a",{"page":1}]}"#);
        assert_eq!(fetched, ReportEvent::Refetch { key: vec![json!("a"), json!({ "page": 1 })] }.into());
        let failed = ReportEvent::Report { message: "m".to_owned(), user: None };
        assert_eq!(report(r#"{"event":"report","message":"m","user":null}"#), failed.into());
        assert_eq!(report(r#"{"id":null,"event":"token_wanted"}"#), ReportEvent::TokenWanted.into());
        assert_eq!(report(r#"{"event":"rest","key":5}"#), ReportEvent::Unknown.into());
    }

    /// A line that is neither says what it lacks, and is quoted.
    #[test]
    fn what_is_neither_is_quoted() {
        for (line, words) in [
            ("listening", "what is no JSON object: \"listening\"; noise belongs on stderr"),
            ("[1]", "what is no JSON object"),
            (r#"{"id":1}"#, r#"`"ok":true`, `"unsupported":true` or `"error":"…"`: {"id":1}"#),
            (r#"{"id":1,"ok":"yes"}"#, "an answer has"),
            (r#"{"id":null,"error":"e"}"#, "an answer has the `id` of its request"),
            (r#"{"id":"1","ok":true}"#, "an answer has the `id` of its request"),
            (r#"{"status":"connected"}"#, "(missing field `event`)"),
            (r#"{"event":"refetch"}"#, "(missing field `key`): {\"event\":\"refetch\"}"),
            (r#"{"event":"report"}"#, "(missing field `message`)"),
        ] {
            let error = AdapterOutput::parse(line).expect_err(line).to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
