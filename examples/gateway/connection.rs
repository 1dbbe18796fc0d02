//! One connection: reads requests, carries them out, and writes what is to be said to its peer.
//!
//! All of it is one task, which any of these ends: the peer's last word, an error of the socket, a
//! takeover of its node id, a peer that takes nothing, or the gateway's end (which cancels the
//! task). The client's membership ends with it, before the queue of its stream closes.

use std::{future, io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::{Buf, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    select,
    sync::{Notify, mpsc},
    time::timeout,
};

use crate::{
    designs::{Design, Newcomer},
    ledger::{Entry, Ledger},
    lines::Lines,
    outbound::{ConnId, Handed, Outbound},
    protocol::{Frame, MAX_LINE, OK, PONG, Reason, Request},
};

/// Frames that wait for a slow peer before its senders are told so.
const QUEUE: usize = 256;
/// Bytes that are gathered into one write.
const BATCH: usize = 16 * 1024;
/// How long a peer may take nothing before it is cut off.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a peer that was told to go may take to hang up.
const FAREWELL: Duration = Duration::from_secs(1);

/// What all connections of a gateway share.
pub struct Hall<D> {
    pub design: Arc<D>,
    pub ledger: &'static Ledger,
}

/// Serves one peer until either side ends it.
pub async fn serve<D: Design>(
    hall: Arc<Hall<D>>,
    id: ConnId,
    mut socket: TcpStream,
    peer: SocketAddr,
) {
    let (source, sink) = socket.split();
    let (queue, frames) = mpsc::channel(QUEUE);
    let mut writer = Writer { sink, frames, pending: BytesMut::new() };
    let conversation = Conversation { hall, id, peer, queue, member: None };

    // An error of the socket says that the peer is gone: nobody is left to tell.
    let end = select! {
        end = conversation.run(source) => end.ok(),
        _ = writer.run() => None,
    };
    if let Some(end) = end
        && writer.finish().await.is_ok()
        && end == End::Evicted
    {
        // Closing with requests unread would reset the connection, and the farewell with it.
        let _ = timeout(FAREWELL, drain(&mut socket)).await;
    }
}

/// How a conversation came to its end.
#[derive(PartialEq, Eq)]
enum End {
    PeerLeft,
    Evicted,
}

/// The reading side.
struct Conversation<D: Design> {
    hall: Arc<Hall<D>>,
    id: ConnId,
    peer: SocketAddr,
    queue: mpsc::Sender<Frame>,
    member: Option<Member<D::Membership>>,
}

/// What a connection has while it is joined. The fields end in their order: the client, then its
/// entry in the ledger.
struct Member<M> {
    node: String,
    evicted: Arc<Notify>,
    _membership: M,
    _entry: Entry,
}

impl<D: Design> Conversation<D> {
    async fn run(mut self, source: ReadHalf<'_>) -> io::Result<End> {
        let mut lines = Lines::new(source, MAX_LINE);
        loop {
            let line = select! {
                biased;
                () = rung(self.member.as_ref().map(|member| &*member.evicted)) => {
                    self.member = None;
                    say(&self.queue, Reason::TakenOver.into()).await?;
                    return Ok(End::Evicted);
                }
                line = lines.next() => line?,
            };
            let Some(line) = line else {
                return Ok(End::PeerLeft);
            };
            let reply = line.and_then(|line| self.carry_out(&line));
            say(&self.queue, reply.unwrap_or_else(Frame::from)).await?;
        }
    }

    fn carry_out(&mut self, line: &[u8]) -> Result<Frame, Reason> {
        match Request::parse(line)? {
            Request::Join(node) => self.join(node),
            Request::Send { to, text } => self.send(to, text),
            Request::Ping => Ok(PONG),
            Request::Leave => self.member.take().map(|_| OK).ok_or(Reason::NotJoined),
        }
    }

    fn join(&mut self, node: &str) -> Result<Frame, Reason> {
        if self.member.is_some() {
            return Err(Reason::AlreadyJoined);
        }
        // A bell of its own for each membership: one meant for an earlier one ends nothing.
        let evicted = Arc::new(Notify::new());
        let stream =
            Outbound::new(self.hall.ledger, self.id, self.queue.clone(), Arc::clone(&evicted));
        let newcomer = Newcomer { id: self.id, node: node.to_owned(), peer: self.peer, stream };
        let membership = self.hall.design.join(newcomer)?;
        let entry = self.hall.ledger.enter();
        self.member =
            Some(Member { node: node.to_owned(), evicted, _membership: membership, _entry: entry });
        Ok(OK)
    }

    fn send(&self, to: &str, text: &str) -> Result<Frame, Reason> {
        let member = self.member.as_ref().ok_or(Reason::NotJoined)?;
        let message = format!("MSG {} {text}", member.node);
        match self.hall.design.with_stream(to, |stream| stream.hand(message.into())) {
            Some(Handed::Over) => Ok(OK),
            Some(Handed::Slow) => Err(Reason::Slow),
            Some(Handed::Dead) => Err(Reason::Gone),
            None => Err(Reason::NoSuchNode),
        }
    }
}

/// Waits for a bell, for ever if there is none.
async fn rung(bell: Option<&Notify>) {
    match bell {
        Some(bell) => bell.notified().await,
        None => future::pending().await,
    }
}

/// Waits for room in the queue, unlike a message from another peer: who does not read its replies
/// is not listened to.
async fn say(queue: &mpsc::Sender<Frame>, frame: Frame) -> io::Result<()> {
    queue.send(frame).await.map_err(|_| io::ErrorKind::BrokenPipe.into())
}

/// The writing side. Cancelling [`run`](Self::run) loses nothing: a later call goes on.
struct Writer<'a> {
    sink: WriteHalf<'a>,
    frames: mpsc::Receiver<Frame>,
    pending: BytesMut,
}

impl Writer<'_> {
    /// Writes until the queue is closed and empty.
    async fn run(&mut self) -> io::Result<()> {
        loop {
            if !self.pending.has_remaining() {
                let Some(frame) = self.frames.recv().await else {
                    return Ok(());
                };
                self.push(&frame);
            }
            while self.pending.len() < BATCH
                && let Ok(frame) = self.frames.try_recv()
            {
                self.push(&frame);
            }
            if timeout(PATIENCE, self.sink.write_buf(&mut self.pending)).await?? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
    }

    /// Writes what is left, then says that there is no more.
    async fn finish(&mut self) -> io::Result<()> {
        self.frames.close();
        self.run().await?;
        self.sink.shutdown().await
    }

    fn push(&mut self, frame: &str) {
        self.pending.extend_from_slice(frame.as_bytes());
        self.pending.extend_from_slice(b"\n");
    }
}

async fn drain(socket: &mut TcpStream) -> io::Result<()> {
    let mut scrap = [0; 1024];
    while socket.read(&mut scrap).await? > 0 {}
    Ok(())
}
