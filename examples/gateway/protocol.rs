//! The line protocol: what a peer may say, and what it hears back.
//!
//! One request or reply a line, so that `nc` makes a client. A line ends in LF or CRLF, is UTF-8
//! without control characters, and has at most [`MAX_LINE`] bytes before its end.
//!
//! | request            | reply                                                             |
//! |--------------------|-------------------------------------------------------------------|
//! | `JOIN <node>`      | `OK`: messages for that node id come here, from now on only here   |
//! | `SEND <to> <text>` | `OK`: it is in the receiver's queue, who reads `MSG <from> <text>` |
//! | `PING`             | `PONG`                                                            |
//! | `LEAVE`            | `OK`: the node id is free; the connection stays, and may join again|
//!
//! Whatever cannot be done is answered by `ERR <reason>`, and the conversation goes on. There is
//! one reason that ends it: `ERR taken over`, said to a connection whose node id a newer one took.

use std::{borrow::Cow, fmt};

/// Longest line that a peer may send, in bytes, its end not counted.
pub const MAX_LINE: usize = 1024;
/// Longest node id, in bytes.
pub const MAX_NODE: usize = 64;
/// Longest line that the gateway sends: a relayed text has its sender in front of it.
pub const MAX_REPLY: usize = MAX_LINE + MAX_NODE;

/// A line on its way to a peer, without its end.
pub type Frame = Cow<'static, str>;

/// The reply to a request that was carried out.
pub const OK: Frame = Cow::Borrowed("OK");
/// The reply to `PING`.
pub const PONG: Frame = Cow::Borrowed("PONG");

/// A request, borrowed from the line that it came in.
#[derive(Debug, PartialEq, Eq)]
pub enum Request<'a> {
    Join(&'a str),
    Send { to: &'a str, text: &'a str },
    Ping,
    Leave,
}

/// Why a request was not carried out: what follows `ERR`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    TooLong,
    CutShort,
    NotText,
    UnknownVerb,
    BadNode,
    NoText,
    Surplus,
    AlreadyJoined,
    NotJoined,
    NoSuchNode,
    Slow,
    Gone,
    Full,
    TakenOver,
    Unavailable,
}

impl Reason {
    /// The reason in words, as it goes over the wire.
    pub const fn as_str(self) -> &'static str {
        const { assert!(MAX_LINE == 1024 && MAX_NODE == 64, "the words below say so") };
        match self {
            Self::TooLong => "line longer than 1024 bytes",
            Self::CutShort => "the last line has no end",
            Self::NotText => "not a line of text (UTF-8 without control characters)",
            Self::UnknownVerb => "expected JOIN <node>, SEND <to> <text>, PING or LEAVE",
            Self::BadNode => "a node id is 1 to 64 bytes without spaces",
            Self::NoText => "SEND needs a node id and a text",
            Self::Surplus => "PING and LEAVE stand alone",
            Self::AlreadyJoined => "already joined: LEAVE first",
            Self::NotJoined => "not joined",
            Self::NoSuchNode => "no such node",
            Self::Slow => "the receiver's queue is full",
            Self::Gone => "the receiver is gone",
            Self::Full => "full",
            Self::TakenOver => "taken over",
            Self::Unavailable => "the gateway takes no clients",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<Reason> for Frame {
    fn from(reason: Reason) -> Self {
        format!("ERR {reason}").into()
    }
}

impl<'a> Request<'a> {
    /// Reads one line, its end already taken off.
    pub fn parse(line: &'a [u8]) -> Result<Self, Reason> {
        let line = str::from_utf8(line).map_err(|_| Reason::NotText)?;
        // A relayed control character could play tricks on the receiver's terminal.
        if line.chars().any(char::is_control) {
            return Err(Reason::NotText);
        }
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        match verb {
            "JOIN" => node(rest).map(Self::Join),
            "SEND" => {
                let (to, text) = rest.split_once(' ').ok_or(Reason::NoText)?;
                if text.is_empty() {
                    return Err(Reason::NoText);
                }
                Ok(Self::Send { to: node(to)?, text })
            }
            "PING" | "LEAVE" if !rest.is_empty() => Err(Reason::Surplus),
            "PING" => Ok(Self::Ping),
            "LEAVE" => Ok(Self::Leave),
            _ => Err(Reason::UnknownVerb),
        }
    }
}

fn node(word: &str) -> Result<&str, Reason> {
    let fits = (1..=MAX_NODE).contains(&word.len()) && !word.contains(char::is_whitespace);
    fits.then_some(word).ok_or(Reason::BadNode)
}
