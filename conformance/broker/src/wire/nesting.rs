//! A guard against tables nested so deeply that reading them would exhaust the stack.

use super::WireError;
use crate::fault::Fault;
use amq_protocol::protocol::AMQPHardError;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The deepest nesting of tables and arrays that is read.
const MAX_DEPTH: usize = 64;

/// Refuses a payload in which tables or arrays may be nested deeper than [`MAX_DEPTH`].
///
/// `amq-protocol` reads tables by recursion, and a frame has room for twenty thousand levels. This looks for anything
/// that could be a nested value (a type letter and a length that fits) and counts how many lie around each other: at
/// least as many as there are levels, and in honest payloads about as many.
///
/// # Errors
///
/// 502.
pub(super) fn check(payload: &[u8]) -> Result<(), WireError> {
    let mut open = BinaryHeap::new();
    for at in 0..payload.len() {
        while open.peek().is_some_and(|&Reverse(end)| end <= at) {
            open.pop();
        }
        if !matches!(payload[at], b'F' | b'A') {
            continue;
        }
        let Some(&[a, b, c, d]) = payload.get(at + 1..at + 5) else {
            continue;
        };
        let end = at + 5 + u32::from_be_bytes([a, b, c, d]) as usize;
        if end <= payload.len() {
            open.push(Reverse(end));
        }
        if open.len() > MAX_DEPTH {
            let fault = Fault::hard(AMQPHardError::SYNTAXERROR, "tables are nested too deeply");
            return Err(WireError::Frame(fault));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use amq_protocol::protocol::basic::AMQPProperties;
    use amq_protocol::types::{AMQPValue, FieldTable};

    fn nested(depth: usize) -> Vec<u8> {
        let mut table = FieldTable::default();
        for _ in 1..depth {
            let mut outer = FieldTable::default();
            outer.insert("t".into(), AMQPValue::FieldTable(table));
            table = outer;
        }
        crate::message::encode_properties(&AMQPProperties::default().with_headers(table)).to_vec()
    }

    /// Reasonable nesting passes; a frame that is nothing but nesting does not.
    #[test]
    fn deep_nesting_is_refused() {
        assert!(check(&nested(MAX_DEPTH)).is_ok());
        assert!(check(&nested(MAX_DEPTH + 2)).is_err());
        assert!(check(&b"F\0\0\0\0".repeat(1000)).is_ok(), "a row of empty tables is not deep");
    }
}
