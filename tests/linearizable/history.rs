//! What was recorded: calls, what came of them, and when.

use std::fmt;

use tandem_registry::{AliasErrorKind, ConnectErrorKind};

/// Names a connection: part of the info that it was connected with.
pub type Tag = u8;

/// A stream: no two attached ones are the same.
pub type Value = u16;

/// A client as a caller sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seen {
    pub tag: Tag,
    /// How often its info was updated, as the info says.
    pub version: u8,
    pub stream: Option<Value>,
}

/// One call, or one of the atomic steps that a longer call says when it took: each visit of an iteration,
/// each client that a close ends, each alias that comes with a connect.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Call {
    Connect {
        tag: Tag,
        id: u8,
        node: u8,
        stream: Option<Value>,
    },
    Disconnect {
        id: u8,
    },
    /// Also the end of a session, which may be silent about what came of it.
    DisconnectKey(Tag),
    Close,
    /// The close ends this client.
    Sweep(Tag),
    /// The close returns.
    Shut,
    Attach(Tag, Value),
    Detach(Tag, Value),
    Update(Tag, u8),
    AddAlias(Tag, u8),
    RemoveAlias(Tag, u8),
    Route(u8),
    ById(u8),
    ByNode(u8),
    ByKey(Tag),
    KeyById(u8),
    KeyByNode(u8),
    Lives(Tag),
    Contains(u8),
    IsClosed,
    Flush,
    /// An iteration begins: of all clients, or of those with streams.
    Walk {
        streams: bool,
    },
    /// The iteration yields this client.
    Visit(Tag),
    /// The iteration is at its end.
    WalkEnds,
}

/// What came of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// The caller was not told, or it does not matter.
    Unknown,
    Connected {
        by_id: Option<Seen>,
        by_node: Option<Seen>,
    },
    Refused(ConnectErrorKind),
    Ended(Option<Seen>),
    Done(bool),
    Alias(Result<(), AliasErrorKind>),
    Found(Option<Seen>),
    Names(Option<Tag>),
    Routed(Option<Value>),
}

#[derive(Clone, Debug)]
pub struct Event {
    pub call: Call,
    pub answer: Answer,
    pub called: u64,
    pub returned: u64,
    /// It may have had no effect at all.
    pub optional: bool,
    /// Of a refusal for want of a place: clients that may have held one during the call without being live.
    pub holders: Vec<Tag>,
}

impl Event {
    pub fn new(call: Call, answer: Answer, called: u64, returned: u64) -> Self {
        Self { call, answer, called, returned, optional: false, holders: Vec::new() }
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.called < other.returned && other.called < self.returned
    }

    /// Who may hold a place on account of this call, live or not: its own newcomer and whom it ends.
    fn holders(&self) -> impl Iterator<Item = Tag> {
        let own = match self.call {
            Call::Connect { tag, .. } | Call::DisconnectKey(tag) | Call::Sweep(tag) => Some(tag),
            _ => None,
        };
        let ended = match self.answer {
            Answer::Connected { by_id, by_node } => [by_id, by_node],
            Answer::Ended(ended) => [ended, None],
            _ => [None, None],
        };
        own.into_iter().chain(ended.into_iter().flatten().map(|seen| seen.tag))
    }
}

/// The calls of each thread, in order. The first is not one of those that ran at the same time.
#[derive(Clone, Debug)]
pub struct History(pub Vec<Vec<Event>>);

impl History {
    /// How many pairs of calls of two threads ran at the same time.
    pub fn overlaps(&self) -> u64 {
        let threads = self.0.iter().enumerate();
        let pairs =
            threads.flat_map(|(at, one)| self.0[at + 1..].iter().map(move |two| (one, two)));
        let calls = pairs.flat_map(|(one, two)| {
            one.iter().flat_map(move |first| two.iter().map(move |second| (first, second)))
        });
        calls.filter(|(one, two)| one.overlaps(two)).count() as u64
    }

    /// Notes for each refusal for want of a place who may have held one.
    pub fn find_holders(&mut self) {
        let all = self.0.clone();
        for (thread, events) in self.0.iter_mut().enumerate() {
            let refused = Answer::Refused(ConnectErrorKind::Full);
            for event in events.iter_mut().filter(|event| event.answer == refused) {
                let others = all.iter().enumerate().filter(|&(other, _)| other != thread);
                let others = others.flat_map(|(_, events)| events);
                let during = others.filter(|other| other.overlaps(event));
                let mut holders: Vec<Tag> = during.flat_map(Event::holders).collect();
                holders.sort_unstable();
                holders.dedup();
                event.holders = holders;
            }
        }
    }
}

/// One line for each call, in the order in which they began, with a bar for the time that it took.
impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const WIDTH: u64 = 48;
        let threads = self.0.iter().enumerate();
        let mut lines: Vec<_> = threads
            .flat_map(|(thread, events)| events.iter().map(move |event| (thread, event)))
            .collect();
        lines.sort_by_key(|(_, event)| event.called);
        let end = lines.iter().map(|(_, event)| event.called).max().unwrap_or(0) + 2;
        let column = |time: u64| (time.min(end) * WIDTH / end) as usize;
        for (thread, event) in lines {
            let Event { call, answer, called, returned, optional, .. } = event;
            let (from, to) = (column(*called), column(*returned));
            let bar = format!("{:from$}{}", "", "=".repeat((to - from).max(1)));
            let returned = match *returned {
                u64::MAX => "  ?".to_owned(),
                returned => format!("{returned:3}"),
            };
            let answer = match (answer, optional) {
                (Answer::Unknown, false) => "?".to_owned(),
                (Answer::Unknown, true) => "whatever, or nothing".to_owned(),
                (answer, _) => format!("{answer:?}"),
            };
            let width = WIDTH as usize;
            writeln!(f, "  {thread} {called:3}-{returned} |{bar:width$}| {call:?} -> {answer}")?;
        }
        Ok(())
    }
}
