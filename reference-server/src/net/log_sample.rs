//! Lines of which a peer sets the pace: some of them are logged, the others are counted.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::context::now;

/// Lines of one kind that are logged each second.
const LINES_PER_SECOND: u32 = 10;

/// Lines of one kind. They are rare where all is well, so a lock serves.
#[derive(Debug)]
pub(super) struct LogSample {
    origin: Instant,
    window: Mutex<Window>,
}

#[derive(Debug, Default)]
struct Window {
    second: u64,
    lines: u32,
    left_out: u64,
}

impl Default for LogSample {
    fn default() -> Self {
        Self { origin: now(), window: Mutex::default() }
    }
}

impl LogSample {
    /// Logs a line, which is given how many before it were left out, or leaves it out.
    pub(super) fn log(&self, line: impl FnOnce(u64)) {
        let left_out = self.window.lock().unwrap_or_else(PoisonError::into_inner).take(now() - self.origin);
        if let Some(left_out) = left_out {
            line(left_out);
        }
    }
}

impl Window {
    /// How many lines were left out before this one, where it is logged.
    fn take(&mut self, at: Duration) -> Option<u64> {
        if self.second != at.as_secs() {
            self.second = at.as_secs();
            self.lines = 0;
        }
        if self.lines == LINES_PER_SECOND {
            self.left_out += 1;
            return None;
        }
        self.lines += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A few lines each second, and in the next one how many there would have been more.
    #[test]
    fn the_rest_is_counted() {
        let mut window = Window::default();
        let logged = |window: &mut Window, second| window.take(Duration::from_secs(second));
        for _ in 0..LINES_PER_SECOND {
            assert_eq!(logged(&mut window, 7), Some(0));
        }
        for _ in 0..1000 {
            assert_eq!(logged(&mut window, 7), None);
        }
        assert_eq!((logged(&mut window, 8), logged(&mut window, 8)), (Some(1000), Some(0)));
    }
}
