//! What a ring promises, on real sockets; and that it says so where the kernel allows none.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on is a test that has failed")]

use std::collections::BTreeMap;
use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use bytes::Bytes;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};
use send_ring::SendRing;

/// More than any socket's buffer takes.
const HUGE: usize = 16 * 1024 * 1024;

/// A ring, or none where this machine's kernel allows none: then there is nothing to test but [`a_forbidden_ring_is_an_error`].
fn ring() -> Option<SendRing> {
    SendRing::new().inspect_err(|error| eprintln!("not run: no io_uring here: {error}")).ok()
}

fn pairs(count: usize) -> Vec<(UnixStream, UnixStream)> {
    (0..count).map(|_| UnixStream::pair().unwrap()).collect()
}

/// Reads what came, without waiting for more.
fn read(mut far: &UnixStream) -> Vec<u8> {
    far.set_nonblocking(true).unwrap();
    let (mut read, mut buffer) = (Vec::new(), vec![0; 64 * 1024]);
    while let Ok(count @ 1..) = far.read(&mut buffer) {
        read.extend_from_slice(&buffer[..count]);
    }
    read
}

/// Each socket gets its own bytes, at once, and call after call in order; results stand in the order of push.
#[test]
fn each_socket_gets_its_own() {
    let Some(mut ring) = ring() else { return };
    let pairs = pairs(SendRing::SENDS);
    for round in 0..3 {
        let mut taken = vec![7];
        for (number, (near, _)) in pairs.iter().enumerate() {
            ring.push(near.as_raw_fd(), format!("{round}:{number};").into());
        }
        ring.submit(&mut taken).unwrap();
        let lengths = (0..pairs.len()).map(|number| format!("{round}:{number};").len());
        assert_eq!(taken, [7].into_iter().chain(lengths).collect::<Vec<_>>(), "what was there stays");
    }
    for (number, (_, far)) in pairs.iter().enumerate() {
        assert_eq!(read(far), format!("0:{number};1:{number};2:{number};").into_bytes());
    }
    let mut taken = Vec::new();
    ring.submit(&mut taken).unwrap();
    assert!(taken.is_empty(), "nothing was pushed: {taken:?}");
}

/// A socket takes what it has room for, and then nothing, without a wait; when its peer has read, it takes more. Blocking sockets too: the
/// flag of the send decides.
#[test]
fn a_full_socket_takes_a_part_and_then_nothing() {
    let Some(mut ring) = ring() else { return };
    let pairs = pairs(2);
    let (full, other) = (&pairs[0], &pairs[1]);
    let mut send = |bytes: Bytes| {
        let mut taken = Vec::new();
        ring.push(full.0.as_raw_fd(), bytes);
        ring.push(other.0.as_raw_fd(), Bytes::from_static(b"x"));
        ring.submit(&mut taken).unwrap();
        assert_eq!(taken[1], 1, "the other socket is not held up");
        taken[0]
    };
    let huge = Bytes::from((0..HUGE).map(|at| at as u8).collect::<Vec<_>>());
    let first = send(huge.clone());
    assert!((1..HUGE).contains(&first), "{first}");
    assert_eq!(send(huge.slice(first..)), 0);
    let mut came = read(&full.1);
    assert!(send(huge.slice(first..)) > 0);
    came.extend(read(&full.1));
    assert_eq!(came, huge[..came.len()], "what follows a part is the rest");
    assert_eq!(read(&other.1), b"xxx");
}

/// A connection that its peer has ended, a socket that was closed, and what is no socket fail alone and silently.
#[test]
fn broken_sockets_fail_alone() {
    let Some(mut ring) = ring() else { return };
    let mut pairs = pairs(3);
    let (ended, _) = pairs.remove(1);
    let (first, last) = (&pairs[0], &pairs[1]);
    let no_socket = std::fs::File::open("/dev/null").unwrap();
    let closed = i32::MAX;
    let sockets = [first.0.as_raw_fd(), ended.as_raw_fd(), closed, no_socket.as_raw_fd(), last.0.as_raw_fd()];
    for socket in sockets {
        ring.push(socket, Bytes::from_static(b"ab"));
    }
    let mut taken = Vec::new();
    ring.submit(&mut taken).unwrap();
    assert_eq!(taken, [2, 0, 0, 0, 2]);
    assert_eq!((read(&first.1), read(&last.1)), (b"ab".to_vec(), b"ab".to_vec()));
}

/// Bytes that say when they are dropped.
struct Watched(Arc<AtomicBool>);

impl AsRef<[u8]> for Watched {
    fn as_ref(&self) -> &[u8] {
        assert!(!self.0.load(Ordering::SeqCst));
        b"watched"
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// The ring keeps a buffer until its send is over, and not longer; pushed and never sent, until the ring ends.
#[test]
fn a_buffer_lives_as_long_as_its_send() {
    let Some(mut ring) = ring() else { return };
    let pair = UnixStream::pair().unwrap();
    let [sent, unsent] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
    ring.push(pair.0.as_raw_fd(), Bytes::from_owner(Watched(sent.clone())));
    assert!(!sent.load(Ordering::SeqCst));
    ring.submit(&mut Vec::new()).unwrap();
    assert!(sent.load(Ordering::SeqCst));
    ring.push(pair.0.as_raw_fd(), Bytes::from_owner(Watched(unsent.clone())));
    assert!(!unsent.load(Ordering::SeqCst));
    drop(ring);
    assert!(unsent.load(Ordering::SeqCst));
    assert_eq!(read(&pair.1), b"watched");
}

/// More than one system call makes is a mistake of the caller.
#[test]
#[should_panic(expected = "one system call makes")]
fn pushes_are_limited() {
    let Some(mut ring) = ring() else { panic!("one system call makes none here") };
    for _ in 0..=SendRing::SENDS {
        ring.push(0, Bytes::new());
    }
}

/// A ring that the kernel no longer serves says so, and takes nothing then and later: here, one that another thread made.
#[test]
fn a_ring_that_fails_stays_so() {
    let Some(mut ring) = ring() else { return };
    let pair = UnixStream::pair().unwrap();
    let far = pair.1.try_clone().unwrap();
    thread::spawn(move || {
        for _ in 0..2 {
            let mut taken = Vec::new();
            ring.push(pair.0.as_raw_fd(), Bytes::from_static(b"a"));
            assert!(ring.submit(&mut taken).is_err());
            assert_eq!(taken, [0]);
        }
    })
    .join()
    .unwrap();
    assert_eq!(read(&far), b"");
}

/// Containers forbid io_uring by a filter that answers EPERM or ENOSYS: then there is no ring, and why is said.
#[test]
fn a_forbidden_ring_is_an_error() {
    for answer in [libc::EPERM, libc::ENOSYS] {
        thread::spawn(move || {
            forbid(libc::SYS_io_uring_setup, answer);
            let error = SendRing::new().unwrap_err();
            assert_eq!(error.raw_os_error(), Some(answer));
        })
        .join()
        .unwrap();
    }
}

/// A ring whose calls are forbidden later fails without a loss: nothing was sent.
#[test]
fn a_ring_that_is_forbidden_later_takes_nothing() {
    thread::spawn(|| {
        let Some(mut ring) = ring() else { return };
        forbid(libc::SYS_io_uring_enter, libc::EPERM);
        let pair = UnixStream::pair().unwrap();
        let mut taken = Vec::new();
        ring.push(pair.0.as_raw_fd(), Bytes::from_static(b"a"));
        assert_eq!(ring.submit(&mut taken).unwrap_err().raw_os_error(), Some(libc::EPERM));
        drop(ring);
        assert_eq!((taken, read(&pair.1)), (vec![0], Vec::new()));
    })
    .join()
    .unwrap();
}

/// Forbids a system call to this thread and those that it starts.
fn forbid(call: i64, answer: i32) {
    let filter = SeccompFilter::new(
        BTreeMap::from([(call, Vec::new())]),
        SeccompAction::Allow,
        SeccompAction::Errno(answer.cast_unsigned()),
        std::env::consts::ARCH.try_into().unwrap(),
    );
    let program: BpfProgram = filter.unwrap().try_into().unwrap();
    seccompiler::apply_filter(&program).unwrap();
}
