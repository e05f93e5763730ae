//! A network that can go wrong: what carries bytes between the harness and what it judges.
//!
//! One mechanism serves every stream: WebSocket connections in both executors, and the AMQP connections that pass the proxy.
//! It knows nothing of what it carries. Bytes are never lost while a connection lives, since TCP loses none: a black hole
//! keeps them until it is gone.

use std::io;
use std::num::NonZeroUsize;
use std::time::Duration;

use scenarios::network::{Change, Conditions, Cut, Lane};
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, duplex, split,
};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

/// Bytes that are read at once.
const CHUNK_BYTES: usize = 4 * 1024;
/// Chunks in flight in one direction; when the channel is full the sender waits.
const CHUNKS: usize = 64;
/// What the harness's end holds.
const PIPE_BYTES: usize = 8 * 1024;
/// How much of a rate is made up for when the host wakes late. Timers are coarser than what a byte takes, and without this the
/// rate would be that of the timers.
const CATCH_UP: Duration = Duration::from_millis(100);

/// The network that a number of connections pass. Once the last handle is dropped, they end.
#[derive(Clone)]
pub struct Network {
    state: watch::Sender<State>,
}

#[derive(Clone, Copy)]
struct State {
    conditions: Conditions,
    /// Cuts so far, and the last of them.
    cuts: u64,
    cut: Cut,
    /// How often what there was has been lost.
    losses: u64,
}

impl Network {
    /// A network on which nothing is wrong yet.
    pub fn new() -> Self {
        let state = State { conditions: Conditions::default(), cuts: 0, cut: Cut::End, losses: 0 };
        Self { state: watch::Sender::new(state) }
    }

    /// Changes what happens to bytes from now on, those that are under way included.
    pub fn set(&self, conditions: Conditions) {
        self.state.send_modify(|state| state.conditions = conditions);
    }

    /// Ends every connection that there is.
    pub fn cut(&self, cut: Cut) {
        self.state.send_modify(|state| {
            state.cuts += 1;
            state.cut = cut;
        });
    }

    /// Has every connection that there is carry nothing any more, and neither end learn of it.
    pub fn lose(&self) {
        self.state.send_modify(|state| state.losses += 1);
    }

    /// Changes what a step says.
    pub fn apply(&self, change: Change) {
        match change {
            Change::Cut(cut) => self.cut(cut),
            Change::Lose => self.lose(),
            Change::Conditions(conditions) => self.set(conditions),
        }
    }

    /// Takes the stream to what is judged, and gives the harness's end of a connection that passes this network. `reset` ends
    /// such a stream without ceremony.
    pub fn pass<S>(&self, subject: S, reset: fn(S)) -> DuplexStream
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (near, far) = duplex(PIPE_BYTES);
        tokio::spawn(self.join(subject, far, reset));
        near
    }

    /// Carries bytes between what is judged and the harness until both directions have ended, or the connection is cut.
    pub fn join<S, H>(&self, subject: S, harness: H, reset: fn(S)) -> impl Future<Output = ()> + use<S, H>
    where
        S: AsyncRead + AsyncWrite + Unpin,
        H: AsyncRead + AsyncWrite + Unpin,
    {
        let state = self.state.subscribe();
        // Counted now, not when the future is first polled: no cut in between is missed.
        let since = *state.borrow();
        carry(subject, harness, state, since, reset)
    }
}

impl Default for Network {
    fn default() -> Self {
        Self::new()
    }
}

async fn carry<S, H>(subject: S, harness: H, mut state: watch::Receiver<State>, since: State, reset: fn(S))
where
    S: AsyncRead + AsyncWrite + Unpin,
    H: AsyncRead + AsyncWrite + Unpin,
{
    let (mut from_subject, mut to_subject) = split(subject);
    let (mut from_harness, mut to_harness) = split(harness);
    let State { cuts, losses, .. } = since;
    let outward = Direction { state: state.clone(), losses, lane: |conditions| conditions.to_subject }
        .run(&mut from_harness, &mut to_subject);
    let inward = Direction { state: state.clone(), losses, lane: |conditions| conditions.from_subject }
        .run(&mut from_subject, &mut to_harness);
    let cut = tokio::select! {
        biased;
        changed = state.wait_for(|state| state.cuts > cuts) => changed.map_or(Some(Cut::End), |state| Some(state.cut)),
        // However they end, both ends are dropped.
        _ = async { tokio::try_join!(outward, inward) } => None,
    };
    match cut {
        Some(Cut::Reset) => reset(from_subject.unsplit(to_subject)),
        Some(Cut::End) => {
            let _ = to_subject.shutdown().await;
        }
        None => {}
    }
}

/// One direction of one connection.
struct Direction {
    state: watch::Receiver<State>,
    /// Losses before there was this connection.
    losses: u64,
    lane: fn(&Conditions) -> Lane,
}

impl Direction {
    async fn run<R, W>(self, from: &mut ReadHalf<R>, to: &mut WriteHalf<W>) -> io::Result<()>
    where
        R: AsyncRead,
        W: AsyncWrite,
    {
        let (queue, queued) = mpsc::channel(CHUNKS);
        let reader = Self { state: self.state.clone(), ..self };
        tokio::try_join!(reader.read(from, queue), self.write(queued, to))?;
        Ok(())
    }

    /// Takes bytes and notes when each is due; no bytes are the end of the stream.
    async fn read<R: AsyncRead>(
        mut self,
        from: &mut ReadHalf<R>,
        queue: mpsc::Sender<(Instant, Vec<u8>)>,
    ) -> io::Result<()> {
        loop {
            let mut chunk = Vec::with_capacity(CHUNK_BYTES);
            let count = match from.read_buf(&mut chunk).await {
                Ok(count) => count,
                Err(error) => {
                    // Nor does a reset come out of a black hole.
                    self.passable().await?;
                    return Err(error);
                }
            };
            let due = now() + self.lane_now().delay;
            if queue.send((due, chunk)).await.is_err() || count == 0 {
                return Ok(());
            }
        }
    }

    async fn write<W: AsyncWrite>(
        mut self,
        mut queue: mpsc::Receiver<(Instant, Vec<u8>)>,
        to: &mut WriteHalf<W>,
    ) -> io::Result<()> {
        // When the rate lets the next byte go.
        let mut free = now();
        while let Some((due, mut chunk)) = queue.recv().await {
            sleep_until(due).await;
            free = free.max(due);
            if chunk.is_empty() {
                self.passable().await?;
                return to.shutdown().await;
            }
            while !chunk.is_empty() {
                let lane = self.passable().await?;
                let length = lane.slice.map_or(chunk.len(), NonZeroUsize::get).min(chunk.len());
                let mut piece: Vec<u8> = chunk.drain(..length).collect();
                if lane.corrupt {
                    piece.iter_mut().for_each(|byte| *byte = !*byte);
                }
                to.write_all(&piece).await?;
                to.flush().await?;
                if let Some(rate) = lane.rate {
                    let takes = Duration::from_secs_f64(length as f64 / f64::from(rate.get()));
                    free = free.max(now() - CATCH_UP) + takes;
                    sleep_until(free).await;
                }
            }
        }
        Ok(())
    }

    fn lane_now(&self) -> Lane {
        (self.lane)(&self.state.borrow().conditions)
    }

    /// Waits for the end of a black hole; what is lost never passes.
    async fn passable(&mut self) -> io::Result<Lane> {
        let (lane, losses) = (self.lane, self.losses);
        let gone = |_| io::Error::from(io::ErrorKind::ConnectionAborted);
        let state = self
            .state
            .wait_for(|state| state.losses == losses && !lane(&state.conditions).black_hole)
            .await
            .map_err(gone)?;
        Ok(lane(&state.conditions))
    }
}

/// When bytes were accepted.
#[expect(
    clippy::disallowed_methods,
    reason = "a network has a clock; it is tokio's, so that a simulation has it in hand"
)]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "time that passes is what is tested")]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    /// Two ends and the network between them.
    fn connection() -> (Network, DuplexStream, DuplexStream) {
        let network = Network::new();
        let (subject, other) = duplex(PIPE_BYTES);
        let harness = network.pass(other, drop);
        (network, subject, harness)
    }

    fn both(lane: Lane) -> Conditions {
        Conditions { to_subject: lane, from_subject: lane }
    }

    async fn read(stream: &mut DuplexStream, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        stream.read_exact(&mut bytes).await.unwrap();
        bytes
    }

    /// Whether anything arrives in a long time.
    async fn is_silent(stream: &mut DuplexStream) -> bool {
        tokio::time::timeout(Duration::from_secs(3600), stream.read(&mut [0])).await.is_err()
    }

    /// Where nothing is wrong, bytes and the end of the stream pass both ways.
    #[tokio::test(start_paused = true)]
    async fn it_carries() {
        let (_network, mut subject, mut harness) = connection();
        subject.write_all(b"ab").await.unwrap();
        harness.write_all(b"cd").await.unwrap();
        assert_eq!((read(&mut harness, 2).await, read(&mut subject, 2).await), (b"ab".into(), b"cd".into()));
        drop(subject);
        assert_eq!(harness.read(&mut [0]).await.unwrap(), 0);
    }

    /// Delayed bytes arrive in order, each after the delay in force when it was sent; they do not hold up later bytes.
    #[tokio::test(start_paused = true)]
    async fn it_delays() {
        let (network, mut subject, mut harness) = connection();
        let delay = Duration::from_millis(300);
        network.set(Conditions { to_subject: Lane { delay, ..Lane::default() }, ..Conditions::default() });
        let start = Instant::now();
        harness.write_all(b"a").await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        harness.write_all(b"b").await.unwrap();
        read(&mut subject, 1).await;
        assert_eq!(start.elapsed().as_millis() / 10, 30);
        read(&mut subject, 1).await;
        assert_eq!(start.elapsed().as_millis() / 10, 40);
        subject.write_all(b"c").await.unwrap();
        read(&mut harness, 1).await;
        assert_eq!(start.elapsed().as_millis() / 10, 40, "the other direction is as fast as ever");
    }

    /// A rate is kept, in pieces no larger than asked for.
    #[tokio::test(start_paused = true)]
    async fn it_throttles_in_slices() {
        let (network, mut subject, mut harness) = connection();
        network.set(both(Lane {
            rate: NonZeroU32::new(100),
            slice: NonZeroUsize::new(10),
            ..Lane::default()
        }));
        let start = Instant::now();
        harness.write_all(&[7; 50]).await.unwrap();
        let mut pieces = Vec::new();
        let mut buffer = [0; 64];
        while pieces.iter().sum::<usize>() < 50 {
            pieces.push(subject.read(&mut buffer).await.unwrap());
        }
        assert_eq!(pieces, [10; 5]);
        assert_eq!(start.elapsed().as_millis() / 100, 4, "the last of five slices leaves after 400 ms");
    }

    /// Where a byte takes less than a tick of the timer, the rate is that of the bytes.
    #[tokio::test(start_paused = true)]
    async fn it_throttles_below_a_tick() {
        let (network, mut subject, mut harness) = connection();
        network.set(both(Lane {
            rate: NonZeroU32::new(4000),
            slice: NonZeroUsize::new(1),
            ..Lane::default()
        }));
        let start = Instant::now();
        harness.write_all(&[7; 400]).await.unwrap();
        read(&mut subject, 400).await;
        assert_eq!(start.elapsed().as_millis() / 10, 10);
    }

    /// What a black hole kept is not let out at once where there is a rate.
    #[tokio::test(start_paused = true)]
    async fn it_throttles_behind_a_black_hole() {
        let (network, mut subject, mut harness) = connection();
        let rate = Lane { rate: NonZeroU32::new(100), slice: NonZeroUsize::new(1), ..Lane::default() };
        network.set(both(Lane { black_hole: true, ..rate }));
        harness.write_all(&[7; 50]).await.unwrap();
        assert!(is_silent(&mut subject).await);
        network.set(both(rate));
        let start = Instant::now();
        read(&mut subject, 50).await;
        assert_eq!(start.elapsed(), Duration::from_millis(490) - CATCH_UP);
    }

    /// Corrupted bytes are other bytes.
    #[tokio::test(start_paused = true)]
    async fn it_corrupts() {
        let (network, mut subject, mut harness) = connection();
        network.set(Conditions {
            from_subject: Lane { corrupt: true, ..Lane::default() },
            ..Conditions::default()
        });
        subject.write_all(&[0x81, 0x00]).await.unwrap();
        harness.write_all(&[0x81]).await.unwrap();
        assert_eq!(
            (read(&mut harness, 2).await, read(&mut subject, 1).await),
            (vec![0x7e, 0xff], vec![0x81])
        );
    }

    /// A black hole in one direction lets nothing through, not even the end; what it kept comes once it is gone.
    #[tokio::test(start_paused = true)]
    async fn it_swallows_one_way() {
        let (network, mut subject, mut harness) = connection();
        let black_hole = Lane { black_hole: true, ..Lane::default() };
        network.set(Conditions { from_subject: black_hole, ..Conditions::default() });
        subject.write_all(b"a").await.unwrap();
        harness.write_all(b"b").await.unwrap();
        assert_eq!(read(&mut subject, 1).await, b"b");
        drop(subject);
        assert!(is_silent(&mut harness).await);
        network.set(Conditions::default());
        assert_eq!(read(&mut harness, 1).await, b"a");
        assert_eq!(harness.read(&mut [0]).await.unwrap(), 0);
    }

    /// What is lost carries nothing ever again, and its ends learn nothing; later connections are whole.
    #[tokio::test(start_paused = true)]
    async fn it_loses() {
        let (network, mut subject, mut harness) = connection();
        network.apply(Change::Lose);
        subject.write_all(b"a").await.unwrap();
        network.set(Conditions::default());
        assert!(is_silent(&mut harness).await && is_silent(&mut subject).await);
        let (mut subject, other) = duplex(PIPE_BYTES);
        let mut harness = network.pass(other, drop);
        subject.write_all(b"b").await.unwrap();
        assert_eq!(read(&mut harness, 1).await, b"b");
    }

    /// A cut ends what there is, through a black hole too; later connections are whole.
    #[tokio::test(start_paused = true)]
    async fn it_cuts() {
        for cut in [Cut::End, Cut::Reset] {
            let (network, mut subject, mut harness) = connection();
            network.set(both(Lane { black_hole: true, ..Lane::default() }));
            tokio::time::sleep(Duration::from_secs(1)).await;
            network.cut(cut);
            assert_eq!(subject.read(&mut [0]).await.unwrap(), 0);
            assert_eq!(harness.read(&mut [0]).await.unwrap(), 0);
            network.set(Conditions::default());
            let (mut subject, other) = duplex(PIPE_BYTES);
            let mut harness = network.pass(other, drop);
            subject.write_all(b"a").await.unwrap();
            assert_eq!(read(&mut harness, 1).await, b"a");
        }
    }
}
