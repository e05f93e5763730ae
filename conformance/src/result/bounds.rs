//! How much of what strangers say is kept with a case: enough to show what happened, whatever was said.

use scenarios::trace::Event;
use scenarios::{Finding, Foreign, Judgement, Trace};
use serde_json::Value;

use super::case::CaseReport;
use super::verdict::Verdict;

/// Longest text of a verdict or a finding, in bytes.
const MAX_TEXT_BYTES: usize = 4 * 1024;
/// What a trace may take before texts in it are cut, in bytes.
const MAX_TRACE_BYTES: usize = 2 * 1024 * 1024;
/// Longest text of a trace that takes more, in bytes.
const CUT_TEXT_BYTES: usize = 1024;
/// Observations that are kept of a trace that takes more, unless a finding points behind them.
const MAX_OBSERVATIONS: usize = 10_000;

impl CaseReport {
    /// Cuts what is longer than anyone reads. Indices into the trace stay right.
    pub(crate) fn bound(&mut self) {
        match &mut self.verdict {
            Verdict::Blocked { detail, .. }
            | Verdict::SubjectError { detail }
            | Verdict::HarnessError { detail }
            | Verdict::NotRun { why: detail, .. } => cut_text(detail),
            Verdict::Pass
            | Verdict::Fail
            | Verdict::KnownFailure { .. }
            | Verdict::UnexpectedPass { .. }
            | Verdict::NotClaimed { .. }
            | Verdict::Inconclusive { .. } => {}
        }
        let mut last = 0;
        for check in &mut self.checks {
            match &mut check.judgement {
                Judgement::Failed(finding) => last = last.max(bound(finding)),
                Judgement::Blocked { detail, .. } | Judgement::Undecided { why: detail } => {
                    cut_text(detail);
                }
                Judgement::Passed => {}
            }
        }
        for found in &mut self.universal {
            last = last.max(bound(&mut found.finding));
        }
        bound_trace(&mut self.trace, last);
    }
}

/// Cuts a finding's texts, and returns the last place that it points at.
fn bound(finding: &mut Finding) -> usize {
    cut_text(&mut finding.expected);
    cut_text(&mut finding.seen);
    finding.at.iter().copied().max().unwrap_or_default()
}

fn bound_trace(trace: &mut Trace, last: usize) {
    let mut left = MAX_TRACE_BYTES;
    for observation in &mut trace.observations {
        let bytes = serde_json::to_string(&observation.event).map_or(0, |text| text.len());
        if bytes > left {
            shorten(&mut observation.event);
        }
        left = left.saturating_sub(bytes);
    }
    if left == 0 {
        trace.observations.truncate(MAX_OBSERVATIONS.max(last + 1));
    }
}

fn shorten(event: &mut Event) {
    match event {
        Event::Sent(frame) | Event::Received(frame) if frame.body.len() > CUT_TEXT_BYTES => {
            cut(&mut frame.body, CUT_TEXT_BYTES);
            frame.message = None;
        }
        Event::Emitted { name, payload, listener } => {
            [name, listener].into_iter().for_each(|text| cut(text, CUT_TEXT_BYTES));
            cut_value(payload);
        }
        Event::Refetched { key } => key.iter_mut().for_each(cut_value),
        Event::Read { value, .. } => cut_value(value),
        Event::Reported { message, user } => {
            cut(message, CUT_TEXT_BYTES);
            cut_value(user);
        }
        Event::Status { old, new } => [old, new].into_iter().for_each(|text| cut(text, CUT_TEXT_BYTES)),
        Event::RequestFailed { error: text, .. }
        | Event::Refused { reason: text, .. }
        | Event::Answered { body: text, .. }
        | Event::Log { text } => {
            cut(text, CUT_TEXT_BYTES);
        }
        _ => {}
    }
}

fn cut_value(value: &mut Value) {
    let mut text = value.to_string();
    if text.len() > CUT_TEXT_BYTES {
        cut(&mut text, CUT_TEXT_BYTES);
        *value = Value::String(text);
    }
}

fn cut_text(text: &mut Foreign) {
    let mut raw = std::mem::take(text).into_raw();
    cut(&mut raw, MAX_TEXT_BYTES);
    *text = raw.into();
}

fn cut(text: &mut String, most: usize) {
    if text.len() > most {
        let bytes = text.len();
        let end = (0..=most).rev().find(|at| text.is_char_boundary(*at));
        text.truncate(end.unwrap_or_default());
        text.push_str(&format!("… (the beginning of {bytes} bytes)"));
        text.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::sample::case;
    use scenarios::trace::{Actor, Observation};

    /// Whatever a subject says, in however many pieces, little of it is kept; what is usual is kept whole.
    #[test]
    fn little_is_kept() {
        let said = |bytes: usize, count: usize| {
            let event = || Event::RequestFailed { op: "on".to_owned(), error: "é".repeat(bytes / 2) };
            let seen = |_| Observation { at_us: 0, actor: Actor::client(), connection: None, event: event() };
            let detail = "x".repeat(bytes).into();
            let mut report = case("a", Verdict::SubjectError { detail }, &[]);
            report.trace.observations = (0..count).map(seen).collect();
            report.bound();
            let verdict = report.verdict.reason().map_or(0, |reason| reason.raw().len());
            verdict + serde_json::to_string(&report.trace).unwrap().len()
        };
        assert!((1_000_000..3_000_000).contains(&said(1_000_000, 30)));
        assert!(said(100, 200_000) < 4_000_000);
        assert!(said(1000, 1000) > 1_000_000);
    }
}
