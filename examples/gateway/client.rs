//! One client of the load, that lives through all that clients do to a gateway.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use rand::{RngExt, SeedableRng, rngs::SmallRng};
use tokio::{
    select,
    time::{Instant, sleep},
    try_join,
};

use crate::{
    directory::{Claim, Directory, Name, Stamp},
    protocol::{MAX_LINE, OK, PONG, Reason},
    socket::{Socket, is_error, unexpected},
    tally::Tally,
};

/// `SEND`s that are said in one breath, at most.
const BURST: usize = 8;
/// Milliseconds that a client stays away after a failure or a refusal.
const BACK_OFF: std::ops::Range<u64> = 20..60;

pub struct Client {
    name: Name,
    /// How often it has asked to be let in.
    incarnation: u32,
    /// Its connection, while it is joined.
    socket: Option<Socket>,
    rng: SmallRng,
    gateway: SocketAddr,
    directory: Arc<Directory>,
    tally: Arc<Tally>,
}

impl Client {
    pub fn new(
        client: u32,
        seed: u64,
        gateway: SocketAddr,
        directory: Arc<Directory>,
        tally: Arc<Tally>,
    ) -> Self {
        let rng = SmallRng::seed_from_u64(seed.wrapping_add(u64::from(client) << 32));
        let name = Name { client, generation: 0 };
        Self { name, incarnation: 0, socket: None, rng, gateway, directory, tally }
    }

    pub fn is_joined(&self) -> bool {
        self.socket.is_some()
    }

    /// Does one thing after another until the deadline, and finishes the last.
    pub async fn live_until(mut self, deadline: Instant) -> Self {
        while Instant::now() < deadline {
            let done = match self.socket.take() {
                None => self.arrive().await,
                Some(socket) => self.act(socket).await,
            };
            match done {
                Ok(socket) => self.socket = socket,
                Err(_) => self.tally.lost.add_one(),
            }
            if self.socket.is_none() && self.rng.random() {
                // Half of those who go come back as somebody else, half of them at once.
                self.name.generation += 1;
            }
        }
        self
    }

    /// Does one thing with a joined socket, and says what it is joined by afterwards.
    async fn act(&mut self, mut socket: Socket) -> io::Result<Option<Socket>> {
        match self.rng.random_range(0..100) {
            0..4 => self.ping(&mut socket).await?,
            4..6 => self.talk_nonsense(&mut socket).await?,
            6..10 => return self.take_over(socket).await.map(Some),
            10..11 => return self.race(socket).await.map(Some),
            11..14 => return self.rename(socket).await,
            14..17 => return self.leave(socket).await,
            17..20 => {
                socket.crash()?;
                self.tally.crashes.add_one();
                return Ok(None);
            }
            _ => self.talk(&mut socket).await?,
        }
        Ok(Some(socket))
    }

    async fn arrive(&mut self) -> io::Result<Option<Socket>> {
        let Some(mut socket) = self.connect().await else {
            return Ok(None);
        };
        if self.join(&mut socket).await? {
            return Ok(Some(socket));
        }
        drop(socket);
        self.back_off().await;
        Ok(None)
    }

    /// Reconnects under the same node id before the old socket is gone.
    async fn take_over(&mut self, mut old: Socket) -> io::Result<Socket> {
        let Some(mut new) = self.connect().await else {
            return Ok(old);
        };
        if !self.join(&mut new).await? {
            return Ok(old);
        }
        self.tally.takeovers.add_one();
        old.farewell().await?;
        Ok(new)
    }

    /// Reconnects twice at once, and goes on by the connection that wins.
    async fn race(&mut self, mut old: Socket) -> io::Result<Socket> {
        let (Some(mut one), Some(mut two)) = (self.connect().await, self.connect().await) else {
            return Ok(old);
        };
        self.incarnation += 1;
        let claim = || Claim::new(self.name, self.incarnation);
        let admitted = try_join!(one.join(self.name, claim()), two.join(self.name, claim()))?;
        if admitted == (false, false) {
            return Ok(old);
        }
        self.directory.publish(self.name, self.incarnation);
        self.tally.takeovers.add_one();
        old.farewell().await?;
        match admitted {
            (true, true) => {
                self.tally.takeovers.add_one();
                let one_lost = select! {
                    end = one.farewell() => end.map(|()| true)?,
                    end = two.farewell() => end.map(|()| false)?,
                };
                Ok(if one_lost { two } else { one })
            }
            (one_won, _) => Ok(if one_won { one } else { two }),
        }
    }

    /// Leaves, and joins under another name by the same connection.
    async fn rename(&mut self, mut socket: Socket) -> io::Result<Option<Socket>> {
        self.say_leave(&mut socket).await?;
        self.name.generation += 1;
        if self.join(&mut socket).await? {
            return Ok(Some(socket));
        }
        drop(socket);
        self.back_off().await;
        Ok(None)
    }

    /// Hangs up, with or without saying so.
    async fn leave(&mut self, mut socket: Socket) -> io::Result<Option<Socket>> {
        if self.rng.random() {
            self.say_leave(&mut socket).await?;
        }
        self.tally.left.add_one();
        Ok(None)
    }

    async fn talk(&mut self, socket: &mut Socket) -> io::Result<()> {
        let sends = self.rng.random_range(1..=BURST);
        let mut lines = String::with_capacity(sends * 32);
        for _ in 0..sends {
            let receiver = self.rng.random_range(0..self.directory.clients());
            let (mut name, oldest) = self.directory.look_up(receiver);
            let stale = self.rng.random_ratio(1, 16);
            // Now and then to a name that its owner is known to have given up.
            name.generation = name.generation.saturating_sub(stale.into());
            lines += &format!("SEND {name} {}\n", Stamp { name, oldest });
        }
        socket.say(&lines).await?;
        for _ in 0..sends {
            match &*socket.reply().await? {
                reply if reply == OK => self.tally.accepted.add_one(),
                reply if is_error(reply, Reason::NoSuchNode) => self.tally.no_such_node.add_one(),
                reply if is_error(reply, Reason::Gone) => self.tally.dead_routes.add_one(),
                reply if is_error(reply, Reason::Slow) => self.tally.slow.add_one(),
                other => return Err(unexpected(other)),
            }
        }
        Ok(())
    }

    async fn ping(&self, socket: &mut Socket) -> io::Result<()> {
        socket.say("PING\n").await?;
        expect(&socket.reply().await?, &PONG)
    }

    async fn talk_nonsense(&mut self, socket: &mut Socket) -> io::Result<()> {
        let over_long = format!("SEND {:x>MAX_LINE$}\n", "");
        let nonsense =
            ["\n", "join a\n", "JOIN \n", "SEND somebody\n", "PING PONG\n", "\u{7}\n", &over_long];
        socket.say(nonsense[self.rng.random_range(0..nonsense.len())]).await?;
        let reply = socket.reply().await?;
        if !reply.starts_with("ERR ") {
            return Err(unexpected(&reply));
        }
        self.tally.bad_frames.add_one();
        Ok(())
    }

    async fn connect(&self) -> Option<Socket> {
        match Socket::connect(self.gateway, Arc::clone(&self.tally)).await {
            Ok(socket) => Some(socket),
            Err(_) => {
                self.tally.unreachable.add_one();
                sleep(Duration::from_millis(BACK_OFF.start)).await;
                None
            }
        }
    }

    async fn join(&mut self, socket: &mut Socket) -> io::Result<bool> {
        self.incarnation += 1;
        let admitted = socket.join(self.name, Claim::new(self.name, self.incarnation)).await?;
        if admitted {
            self.directory.publish(self.name, self.incarnation);
        }
        Ok(admitted)
    }

    async fn say_leave(&self, socket: &mut Socket) -> io::Result<()> {
        socket.say("LEAVE\n").await?;
        expect(&socket.reply().await?, &OK)?;
        // From now on the name means nobody: not even this incarnation.
        self.directory.publish(self.name, self.incarnation + 1);
        Ok(())
    }

    async fn back_off(&mut self) {
        sleep(Duration::from_millis(self.rng.random_range(BACK_OFF))).await;
    }
}

fn expect(reply: &str, expected: &str) -> io::Result<()> {
    if reply == expected { Ok(()) } else { Err(unexpected(reply)) }
}
