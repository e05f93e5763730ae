//! A token provider whose answers come from the harness (TOKEN-2).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use protocol::adapter::ReportEvent;
use tokio::sync::oneshot;

use super::exchange::Lines;
use crate::net::{TokenError, TokenProvider};

pub(super) type Answer = Result<String, TokenError>;

/// Dials that wait for a token, the oldest first.
#[derive(Clone)]
pub(super) struct Tokens {
    waiting: Arc<Mutex<VecDeque<oneshot::Sender<Answer>>>>,
    lines: Lines,
}

impl Tokens {
    pub(super) fn new(lines: Lines) -> Self {
        Self { waiting: Arc::default(), lines }
    }

    /// A provider that reports that it was asked, and waits for [`Tokens::answer`].
    pub(super) fn provider(&self) -> Arc<dyn TokenProvider> {
        let tokens = self.clone();
        Arc::new(move || {
            let (answer, answered) = oneshot::channel();
            tokens.waiting.lock().unwrap_or_else(PoisonError::into_inner).push_back(answer);
            tokens.lines.report(ReportEvent::TokenWanted);
            async move { answered.await.unwrap_or_else(|_| Err(TokenError("nobody answers".to_owned()))) }
        })
    }

    /// Answers the oldest dial that still waits; false where none does.
    pub(super) fn answer(&self, answer: Answer) -> bool {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(oldest) = waiting.pop_front() {
            // A dial that was given up wants no token any more.
            if !oldest.is_closed() {
                return oldest.send(answer).is_ok();
            }
        }
        false
    }
}
