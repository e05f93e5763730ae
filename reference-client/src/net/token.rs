//! The provider of the newest token (TOKEN-2).

use futures_util::future::BoxFuture;

/// Answers the token to sign in with, as often as a dial begins. A closure that answers a future is one.
///
/// The future is part of the dial: it is dropped when the dial is given up, and shares its `connect_timeout` (DIAL-2).
pub trait TokenProvider: Send + Sync + 'static {
    /// The newest token.
    fn token(&self) -> BoxFuture<'_, Result<String, TokenError>>;
}

/// There is no token now; the dial has failed, and the next one asks again. The text goes to the log, so it must not hold a
/// token (TOKEN-3).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TokenError(pub String);

impl<F, T> TokenProvider for F
where
    F: Fn() -> T + Send + Sync + 'static,
    T: Future<Output = Result<String, TokenError>> + Send + 'static,
{
    fn token(&self) -> BoxFuture<'_, Result<String, TokenError>> {
        Box::pin(self())
    }
}
