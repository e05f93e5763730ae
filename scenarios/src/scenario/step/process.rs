//! What happens to the processes of what is judged.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What happens to every process of what is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProcessAct {
    /// They are stopped, as by `SIGSTOP`: they do nothing, and learn of nothing.
    Stop,
    /// They go on, as by `SIGCONT`.
    Continue,
}

impl ProcessAct {
    /// What the trace says of it.
    pub fn fault(self) -> &'static str {
        match self {
            Self::Stop => "its processes are stopped",
            Self::Continue => "its processes go on",
        }
    }
}

impl fmt::Display for ProcessAct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stop => "stop its processes",
            Self::Continue => "let its processes go on",
        })
    }
}
