//! What a host has only so much of: descriptors, processes, memory, ports, room on its disks. Where the harness runs out of it, that
//! is the harness's error, and never the subject's.

use std::fs;
use std::io;
use std::sync::Arc;

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::watch;

/// Descriptors that a process gets without being asked for more: as many as there are ports. Where the host would allow a
/// thousand million, programs that close each descriptor they could have would take minutes to start.
const ENOUGH_DESCRIPTORS: u64 = 1 << 16;
/// Descriptors that a process is assumed to hold when the number cannot be read.
const USUAL_DESCRIPTORS: u64 = 64;
/// Descriptors that a process must be allowed: what is judged inherits the limit, and runtimes need some dozens before they serve
/// anything.
const FEWEST_DESCRIPTORS: u64 = 64;
/// Descriptors that must be left for what else goes on: the runtime, pages, reports, other cases.
const SPARE_DESCRIPTORS: u64 = 32;

/// The host refused the harness something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {lack}")]
pub struct HostLimit {
    what: String,
    lack: Lack,
}

/// What there is too little of, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Lack {
    #[error(
        "this process may have {allowed} files and connections open, and has them: raise the limit (`ulimit -n 4096`), or \
         run fewer cases at once (`--jobs`)"
    )]
    Descriptors { allowed: u64 },
    #[error(
        "{needed} files and connections must be allowed to be open, and this process may have {allowed}: raise the limit \
         (`ulimit -n {needed}`), or ask for less"
    )]
    MoreDescriptors { needed: u64, allowed: u64 },
    #[error("this host has no file left to open: raise `fs.file-max`, or end what else runs")]
    Files,
    #[error(
        "this host has no process left to start: raise the limit (`ulimit -u`, or that of the container)"
    )]
    Processes,
    #[error("this host has no memory left: end what else runs, or run fewer cases at once (`--jobs`)")]
    Memory,
    #[error("this host has no room left on a disk")]
    Disk,
    #[error(
        "this host has no port left to connect from, or no such address: widen `net.ipv4.ip_local_port_range`, or wait a minute"
    )]
    Ports,
}

impl HostLimit {
    /// The limit that an error comes from, where it comes from one. `what` is what could not be done.
    pub fn of(what: &str, error: &io::Error) -> Option<Self> {
        let lack = match Errno::from_io_error(error)? {
            Errno::MFILE => Lack::Descriptors { allowed: descriptors_allowed() },
            Errno::NFILE => Lack::Files,
            Errno::NOMEM | Errno::NOBUFS => Lack::Memory,
            Errno::NOSPC | Errno::DQUOT => Lack::Disk,
            Errno::ADDRNOTAVAIL => Lack::Ports,
            _ => return None,
        };
        Some(Self { what: what.to_owned(), lack })
    }

    /// The same, of a process that could not be started: there, `EAGAIN` is a limit, too (fork(2)).
    pub fn of_start(what: &str, error: &io::Error) -> Option<Self> {
        match Errno::from_io_error(error) {
            Some(Errno::AGAIN) => Some(Self { what: what.to_owned(), lack: Lack::Processes }),
            _ => Self::of(what, error),
        }
    }

    /// What an error says: the limit that it comes from, or itself.
    pub fn explain(what: &str, error: &io::Error) -> String {
        Self::of(what, error).map_or_else(|| format!("{what}: {error}"), |limit| limit.to_string())
    }

    /// Whether this process, and so what it starts, may have as many descriptors as anything needs.
    ///
    /// # Errors
    /// When it may not.
    pub fn check_fewest_descriptors(what: &str) -> Result<(), Self> {
        Self::check(what, FEWEST_DESCRIPTORS - SPARE_DESCRIPTORS, descriptors_allowed())
    }

    /// Whether this process can have so many descriptors more.
    ///
    /// # Errors
    /// When it can not.
    pub fn check_descriptors(what: &str, more: u64) -> Result<(), Self> {
        Self::check(what, descriptors_open().saturating_add(more), descriptors_allowed())
    }

    fn check(what: &str, held: u64, allowed: u64) -> Result<(), Self> {
        let needed = held.saturating_add(SPARE_DESCRIPTORS);
        if needed <= allowed {
            return Ok(());
        }
        Err(Self { what: what.to_owned(), lack: Lack::MoreDescriptors { needed, allowed } })
    }
}

/// Lets this process, and what it starts, have as many descriptors as the host allows, within reason. Call it once, at the start.
pub fn raise_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(ENOUGH_DESCRIPTORS, |most| most.min(ENOUGH_DESCRIPTORS));
    if limit.current.is_none_or(|current| current >= wanted) {
        return;
    }
    // A host that refuses leaves the limit as it was; what needs more says so.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), ..limit });
}

/// How many descriptors this process may have.
fn descriptors_allowed() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// How many descriptors this process has.
fn descriptors_open() -> u64 {
    let open = fs::read_dir("/proc/self/fd").or_else(|_| fs::read_dir("/dev/fd"));
    open.map_or(USUAL_DESCRIPTORS, |entries| entries.count() as u64)
}

/// Notices where the host refuses the harness something in the middle of a case: the case says nothing then, whatever the subject
/// made of it. Its copies are one.
#[derive(Debug, Clone)]
pub(crate) struct Refusals(Arc<watch::Sender<Option<HostLimit>>>);

impl Refusals {
    /// None so far.
    pub(crate) fn none() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }

    /// Looks at what came of something, and passes it on.
    pub(crate) fn look<T>(&self, what: &str, result: io::Result<T>) -> io::Result<T> {
        result.inspect_err(|error| {
            if let Some(limit) = HostLimit::of(what, error) {
                self.0.send_if_modified(|first| {
                    let is_first = first.is_none();
                    first.get_or_insert(limit);
                    is_first
                });
            }
        })
    }

    /// The first, where there is any.
    pub(crate) fn noticed(&self) -> Option<HostLimit> {
        self.0.borrow().clone()
    }

    /// Waits for the first.
    pub(crate) async fn first(&self) -> HostLimit {
        let mut refusals = self.0.subscribe();
        loop {
            if let Some(limit) = refusals.borrow_and_update().clone() {
                return limit;
            }
            // This keeps a sender itself, so that there is always one.
            let _ = refusals.changed().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(errno: Errno) -> io::Error {
        errno.into()
    }

    /// An error from a host limit names the remedy; other errors are not attributed to the host.
    #[test]
    fn limits_are_known_by_their_errors() {
        for (errno, says) in [
            (Errno::MFILE, "`ulimit -n"),
            (Errno::NFILE, "`fs.file-max`"),
            (Errno::NOMEM, "memory"),
            (Errno::NOBUFS, "memory"),
            (Errno::NOSPC, "disk"),
            (Errno::ADDRNOTAVAIL, "`net.ipv4.ip_local_port_range`"),
        ] {
            let text = HostLimit::of("cannot dial", &error(errno)).unwrap().to_string();
            assert!(text.starts_with("cannot dial: ") && text.contains(says), "{text}");
        }
        for errno in [Errno::CONNREFUSED, Errno::CONNRESET, Errno::NOENT, Errno::ACCESS, Errno::AGAIN] {
            assert_eq!(HostLimit::of("cannot dial", &error(errno)), None);
        }
        assert!(
            HostLimit::of_start("cannot start", &error(Errno::AGAIN))
                .unwrap()
                .to_string()
                .contains("`ulimit -u`")
        );
        assert_eq!(HostLimit::of_start("cannot start", &error(Errno::NOENT)), None);
        assert_eq!(HostLimit::of("", &io::Error::other("no errno")), None);
    }

    /// What is needed is known before it is asked for.
    #[test]
    fn too_many_descriptors_are_refused_early() {
        assert_eq!(HostLimit::check_descriptors("a client", 1), Ok(()));
        assert_eq!(HostLimit::check("a fleet", 600, 1024), Ok(()));
        let text = HostLimit::check("a fleet", 600, 120).unwrap_err().to_string();
        assert!(
            text.starts_with("a fleet: 632 files")
                && text.contains("may have 120")
                && text.contains("`ulimit -n 632`"),
            "{text}"
        );
    }

    /// The first refusal is noticed, whenever it is asked for; what is no refusal is not.
    #[tokio::test]
    async fn the_first_refusal_is_noticed() {
        let refusals = Refusals::none();
        let copy = refusals.clone();
        assert_eq!(refusals.noticed(), None);
        let noticed = tokio::spawn(async move { copy.first().await });
        for errno in [Errno::CONNREFUSED, Errno::NFILE, Errno::MFILE] {
            let passed: io::Result<()> = refusals.look("cannot accept", Err(error(errno)));
            assert_eq!(passed.unwrap_err().raw_os_error(), Some(errno.raw_os_error()));
        }
        let first = HostLimit::of("cannot accept", &error(Errno::NFILE)).unwrap();
        assert_eq!(noticed.await.unwrap(), first);
        assert_eq!((refusals.noticed(), refusals.first().await), (Some(first.clone()), first));
    }
}
