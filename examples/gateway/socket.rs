//! One socket of the load: says lines to the gateway, and checks whatever messages come in.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};

use crate::{
    directory::Claim,
    lines::Lines,
    protocol::{MAX_REPLY, OK, Reason},
    tally::Tally,
};

/// How long the gateway may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

pub struct Socket {
    lines: Lines<TcpStream>,
    /// All that this socket has been.
    claims: Vec<Claim>,
    tally: Arc<Tally>,
}

impl Socket {
    pub async fn connect(gateway: SocketAddr, tally: Arc<Tally>) -> io::Result<Self> {
        let stream = TcpStream::connect(gateway).await?;
        stream.set_nodelay(true)?;
        Ok(Self { lines: Lines::new(stream, MAX_REPLY), claims: Vec::new(), tally })
    }

    /// Says one or more whole lines.
    pub async fn say(&mut self, lines: &str) -> io::Result<()> {
        timeout(PATIENCE, self.lines.source().write_all(lines.as_bytes())).await?
    }

    /// Asks to be let in. False if the pool is full.
    pub async fn join(&mut self, node: impl std::fmt::Display, claim: Claim) -> io::Result<bool> {
        // Messages may come in before the OK does.
        self.claims.push(claim);
        self.say(&format!("JOIN {node}\n")).await?;
        self.admission().await
    }

    /// The answer to a JOIN.
    pub async fn admission(&mut self) -> io::Result<bool> {
        match &*self.reply().await? {
            reply if reply == OK => Ok(true),
            reply if is_error(reply, Reason::Full) => {
                self.tally.refused.add_one();
                Ok(false)
            }
            other => Err(unexpected(other)),
        }
    }

    /// Reads up to the line that tells this socket to go.
    pub async fn farewell(&mut self) -> io::Result<()> {
        let reply = self.reply().await?;
        if is_error(&reply, Reason::TakenOver) { Ok(()) } else { Err(unexpected(&reply)) }
    }

    /// The next line that is no message. Safe to cancel.
    pub async fn reply(&mut self) -> io::Result<String> {
        timeout(PATIENCE, async {
            loop {
                let line = self.lines.next().await?.ok_or(io::ErrorKind::UnexpectedEof)?;
                let line = line.map_err(|reason| unexpected(reason.as_str()))?;
                let line = str::from_utf8(&line).map_err(io::Error::other)?;
                match line.strip_prefix("MSG ") {
                    Some(message) => self.receive(message),
                    None => return Ok(line.to_owned()),
                }
            }
        })
        .await?
    }

    fn receive(&self, message: &str) {
        self.tally.delivered.add_one();
        let text = message.split_once(' ').map_or("", |(_from, text)| text);
        if !self.claims.iter().rev().any(|claim| claim.admits(text)) {
            self.tally.misroutes.add_one();
        }
    }

    /// Resets the connection without a word, like a host that loses its power.
    pub fn crash(mut self) -> io::Result<()> {
        self.lines.source().set_zero_linger()
    }
}

/// Whether a reply is this error.
pub fn is_error(reply: &str, reason: Reason) -> bool {
    reply.strip_prefix("ERR ") == Some(reason.as_str())
}

/// The error of a gateway that says what it should not.
pub fn unexpected(reply: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the gateway said: {reply}"))
}
