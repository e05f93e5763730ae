//! What one client saw, against what it should have seen: every event of its rooms, once, in order, and no other's.

use super::feed::Audience;
use super::summary::Problem;

/// One client's ledger.
#[derive(Debug)]
pub(super) struct Ledger {
    identity: Identity,
    /// Events from this number on must come; earlier ones were under way when the client came.
    from: u64,
    /// The number behind the last one that came, or that was accounted for.
    cursor: u64,
}

/// Whose the ledger is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    /// Which client, counted over the whole run.
    pub(super) client: u64,
    /// Its user.
    pub(super) user: u64,
    /// Whether it is an administrator.
    pub(super) is_administrator: bool,
    /// Whether it subscribed to the catalogue.
    pub(super) is_subscriber: bool,
}

impl Ledger {
    /// A client that is in its rooms, and has been since before event `from` was published.
    pub(super) fn new(identity: Identity, from: u64) -> Self {
        Self { identity, from, cursor: 0 }
    }

    /// An event came.
    pub(super) fn take(&mut self, number: u64, audiences: &[Audience]) -> Result<(), Problem> {
        let client = self.identity.client;
        let Some(audience) = audiences.get(number as usize) else {
            return Err(Problem::Unpublished { client, number });
        };
        if !self.identity.is_in(*audience) {
            return Err(Problem::Foreign { client, number });
        }
        if number < self.cursor {
            return Err(Problem::Again { client, number, after: self.cursor - 1 });
        }
        let lost = self.missing(number, audiences);
        self.cursor = number + 1;
        lost.map_or(Ok(()), |number| Err(Problem::Lost { client, number }))
    }

    /// The first event below `until` that should have come and has not.
    pub(super) fn missing(&self, until: u64, audiences: &[Audience]) -> Option<u64> {
        let due = self.cursor.max(self.from)..until.min(audiences.len() as u64);
        due.into_iter().find(|number| self.identity.is_in(audiences[*number as usize]))
    }

    /// Says what is still missing when the client goes.
    pub(super) fn close(&self, until: u64, audiences: &[Audience]) -> Result<(), Problem> {
        let client = self.identity.client;
        self.missing(until, audiences).map_or(Ok(()), |number| Err(Problem::Lost { client, number }))
    }
}

impl Identity {
    fn is_in(&self, audience: Audience) -> bool {
        match audience {
            Audience::All => true,
            Audience::User(user) => user == self.user,
            Audience::Administrators => self.is_administrator,
            Audience::Subscribers => self.is_subscriber,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLISHED: [Audience; 6] = [
        Audience::All,
        Audience::User(7),
        Audience::User(8),
        Audience::Administrators,
        Audience::Subscribers,
        Audience::All,
    ];

    fn ledger(from: u64) -> Ledger {
        let identity = Identity { client: 1, user: 7, is_administrator: false, is_subscriber: true };
        Ledger::new(identity, from)
    }

    fn takes(ledger: &mut Ledger, numbers: &[u64]) -> Result<(), Problem> {
        numbers.iter().try_for_each(|number| ledger.take(*number, &PUBLISHED))
    }

    /// Every event of its rooms, once and in order, is as it should be; what was under way at the start may come or not.
    #[test]
    fn a_complete_ledger_is_clean() {
        let mut all = ledger(0);
        takes(&mut all, &[0, 1, 4, 5]).unwrap();
        all.close(6, &PUBLISHED).unwrap();
        for numbers in [&[1, 4, 5][..], &[4, 5]] {
            let mut late = ledger(2);
            takes(&mut late, numbers).unwrap();
            late.close(6, &PUBLISHED).unwrap();
        }
    }

    /// Each kind of defect is named.
    #[test]
    fn defects_are_named() {
        let client = 1;
        assert_eq!(takes(&mut ledger(0), &[0, 4]), Err(Problem::Lost { client, number: 1 }));
        assert_eq!(takes(&mut ledger(0), &[0, 1, 1]), Err(Problem::Again { client, number: 1, after: 1 }));
        assert_eq!(takes(&mut ledger(2), &[4, 1]), Err(Problem::Again { client, number: 1, after: 4 }));
        assert_eq!(takes(&mut ledger(0), &[0, 1, 2]), Err(Problem::Foreign { client, number: 2 }));
        assert_eq!(takes(&mut ledger(0), &[0, 1, 3]), Err(Problem::Foreign { client, number: 3 }));
        assert_eq!(takes(&mut ledger(0), &[6]), Err(Problem::Unpublished { client, number: 6 }));
        let mut cut = ledger(0);
        takes(&mut cut, &[0, 1, 4]).unwrap();
        assert_eq!(cut.close(6, &PUBLISHED), Err(Problem::Lost { client, number: 5 }));
        assert_eq!(
            cut.close(5, &PUBLISHED),
            Ok(()),
            "what was not confirmed when it left need not have come"
        );
    }
}
