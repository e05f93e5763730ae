//! The other end: subscribers that are cheap, and that compare every byte.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;
use std::thread;
use std::time::{Duration, Instant};

use jsonwebtoken::{EncodingKey, Header};
use rustix::buffer::spare_capacity;
use rustix::event::epoll;
use rustix::time::Timespec;
use serde_json::json;

use super::event::EventSize;

/// What the gateway's tokens are signed with.
pub(super) const SECRET: &str = "the secret of the fan-out benchmark";

/// Threads that read: enough to keep up, too few to crowd out what is measured.
const THREADS: usize = 2;
/// Bytes that one read takes at most; one buffer serves all subscribers of a thread.
const READ_BYTES: usize = 64 * 1024;
/// Sockets that one wait names at most.
const READY: usize = 256;
/// Longest silence while something must come.
const PATIENCE: Duration = Duration::from_secs(20);
/// Longest answer to a handshake, greeting included.
const MAX_GREETING_BYTES: usize = 1024;

/// Why a run counts for nothing.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A socket failed.
    #[error("a subscriber's socket: {0}")]
    Io(#[from] io::Error),
    /// A subscriber was not let in.
    #[error("a subscriber was answered {0:?}")]
    Refused(String),
    /// A connection ended before everything had come.
    #[error("subscriber {subscriber} was left after {events} events")]
    Ended {
        /// Which one, counted within its thread.
        subscriber: usize,
        /// Whole events that it had got.
        events: usize,
    },
    /// Bytes came that should not have.
    #[error("subscriber {subscriber} got something else than event {event}")]
    Broken {
        /// Which one, counted within its thread.
        subscriber: usize,
        /// The event that was due.
        event: usize,
    },
    /// More came than was emitted.
    #[error("subscriber {subscriber} got more than was emitted")]
    Unasked {
        /// Which one.
        subscriber: usize,
    },
    /// Nothing came for a long time.
    #[error("{subscribers} subscribers miss events that never came")]
    Missing {
        /// How many.
        subscribers: usize,
    },
}

/// Connections that are signed in and wait for events.
#[derive(Debug)]
pub struct Subscribers {
    readers: Vec<Reader>,
}

/// The connections of one thread.
#[derive(Debug)]
struct Reader {
    epoll: std::os::fd::OwnedFd,
    streams: Vec<TcpStream>,
}

/// Subscribers that are reading.
#[derive(Debug)]
pub(super) struct Receiving {
    readers: Vec<thread::JoinHandle<Result<(Reader, Received), LoadError>>>,
}

/// What was seen on the way.
#[derive(Debug)]
pub(super) struct Received {
    /// When every subscriber had every event.
    pub(super) finished: Instant,
    /// When each event came, for each subscriber.
    pub(super) arrivals: Vec<Arrival>,
}

/// An event at one subscriber.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival {
    pub(super) event: usize,
    pub(super) at: Instant,
}

impl Subscribers {
    /// Signs so many users in. Each has been greeted, so it will get whatever is emitted from now on.
    ///
    /// # Errors
    /// When one is refused.
    pub fn connect(address: SocketAddr, count: usize) -> Result<Self, LoadError> {
        let connecting: Vec<_> = (0..THREADS)
            .map(|thread| {
                let users = (thread..count).step_by(THREADS);
                thread::spawn(move || Reader::connect(address, users))
            })
            .collect();
        let readers = connecting.into_iter().map(join).collect::<Result<_, _>>()?;
        Ok(Self { readers })
    }

    /// Reads these events, which are emitted afterwards, on threads of its own.
    pub(super) fn receive(self, size: EventSize, events: Range<usize>) -> Receiving {
        let readers = self.readers.into_iter().map(|mut reader| {
            let events = events.clone();
            thread::spawn(move || {
                let received = reader.receive(size, events)?;
                Ok((reader, received))
            })
        });
        Receiving { readers: readers.collect() }
    }

    /// Checks that no subscriber has received more than was emitted.
    pub(super) fn expect_silence(&self) -> Result<(), LoadError> {
        for (subscriber, mut stream) in self.readers.iter().flat_map(|reader| &reader.streams).enumerate() {
            match stream.read(&mut [0]) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
                Ok(_) => return Err(LoadError::Unasked { subscriber }),
            }
        }
        Ok(())
    }
}

impl Receiving {
    /// Waits until every subscriber has every event.
    pub(super) fn finish(self) -> Result<(Subscribers, Received), LoadError> {
        let mut readers = Vec::new();
        let mut all: Option<Received> = None;
        for handle in self.readers {
            let (reader, received) = join(handle)?;
            readers.push(reader);
            all = Some(match all {
                None => received,
                Some(mut all) => {
                    all.finished = all.finished.max(received.finished);
                    all.arrivals.extend(received.arrivals);
                    all
                }
            });
        }
        let all = all.expect("there is at least one thread");
        Ok((Subscribers { readers }, all))
    }
}

impl Reader {
    fn connect(address: SocketAddr, users: impl Iterator<Item = usize>) -> Result<Self, LoadError> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(io::Error::from)?;
        let mut streams = Vec::new();
        for user in users {
            let stream = sign_in(address, user)?;
            let number = epoll::EventData::new_u64(streams.len() as u64);
            epoll::add(&epoll, &stream, number, epoll::EventFlags::IN).map_err(io::Error::from)?;
            streams.push(stream);
        }
        Ok(Self { epoll, streams })
    }

    fn receive(&mut self, size: EventSize, events: Range<usize>) -> Result<Received, LoadError> {
        let expected: Vec<u8> = events.clone().flat_map(|number| size.frame(number)).collect();
        let frame_bytes = size.frame_bytes();
        let patience = Timespec::try_from(PATIENCE).map_err(io::Error::other)?;
        let mut buffer = vec![0; READ_BYTES];
        let mut ready = Vec::with_capacity(READY);
        let mut received = vec![0; self.streams.len()];
        let mut missing = if expected.is_empty() { 0 } else { self.streams.len() };
        let mut arrivals = Vec::with_capacity(self.streams.len() * events.len());
        while missing > 0 {
            ready.clear();
            match epoll::wait(&self.epoll, spare_capacity(&mut ready), Some(&patience)) {
                Ok(0) => return Err(LoadError::Missing { subscribers: missing }),
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(io::Error::from(error).into()),
            }
            for event in &ready {
                let subscriber = event.data.u64() as usize;
                let so_far: usize = received[subscriber];
                let read = match self.streams[subscriber].read(&mut buffer) {
                    Ok(0) => return Err(LoadError::Ended { subscriber, events: so_far / frame_bytes }),
                    Ok(read) => read,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                    Err(error) => return Err(error.into()),
                };
                let (due, came) = (&expected[so_far..], &buffer[..read]);
                if !due.starts_with(came) {
                    let alike = due.iter().zip(came).take_while(|(due, came)| due == came).count();
                    let event = events.start + (so_far + alike) / frame_bytes;
                    return Err(LoadError::Broken { subscriber, event });
                }
                let at = now();
                let whole = so_far / frame_bytes..(so_far + read) / frame_bytes;
                arrivals.extend(whole.map(|event| Arrival { event: events.start + event, at }));
                received[subscriber] += read;
                if received[subscriber] == expected.len() {
                    missing -= 1;
                }
            }
        }
        Ok(Received { finished: now(), arrivals })
    }
}

/// The handshake, and whatever message greets.
fn sign_in(address: SocketAddr, user: usize) -> Result<TcpStream, LoadError> {
    let claims =
        json!({ "userId": user.to_string(), "email": "u@example.org", "role": "CUSTOMER", "exp": u32::MAX });
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let token = jsonwebtoken::encode(&Header::default(), &claims, &key).map_err(io::Error::other)?;
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let request = format!(
        "GET /ws?token={token} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = vec![0; MAX_GREETING_BYTES];
    let mut length = 0;
    loop {
        match stream.read(&mut answer[length..])? {
            0 => return Err(LoadError::Refused(String::from_utf8_lossy(&answer[..length]).into_owned())),
            read => length += read,
        }
        if is_greeted(&answer[..length]) {
            stream.set_nonblocking(true)?;
            return Ok(stream);
        }
    }
}

/// Whether this is a whole answer, and a whole short message behind it.
fn is_greeted(answer: &[u8]) -> bool {
    let head = answer.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4);
    match head.map(|head| &answer[head..]) {
        Some([0x81, 126, high, low, payload @ ..]) => {
            payload.len() == usize::from(u16::from_be_bytes([*high, *low]))
        }
        Some([0x81, length, payload @ ..]) => payload.len() == usize::from(*length),
        _ => false,
    }
}

fn join<T>(handle: thread::JoinHandle<T>) -> T {
    handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

#[expect(clippy::disallowed_methods, reason = "a measurement is of real time")]
pub(super) fn now() -> Instant {
    Instant::now()
}
