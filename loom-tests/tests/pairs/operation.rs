//! The public operations, and the atomic parts that each is made of by the contract.
//!
//! Most are one part. A disconnect by client id is a lookup and a disconnect by key (D); a connect adds its
//! aliases afterwards, each in a step of its own; `close` ends each client in a step of its own; of a batch
//! each lookup is one. A walk is none of these: it is judged by H alone.

use crate::world::{A, ALIAS, B, Setting};
use tandem_registry::Policy;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    ConnectId,
    ConnectNode,
    ConnectBoth,
    ConnectCrosswise,
    ConnectFresh,
    ConnectOverAlias,
    ConnectWithAlias,
    ShortSession,
    DisconnectId,
    DisconnectKey,
    EndSession,
    DropRemoved,
    Attach,
    Detach,
    UpdateInfo,
    AddAlias,
    TakeAlias,
    RemoveAlias,
    Flush,
    Close,
    RemoveAdded,
    Client,
    ClientByNode,
    ClientByAlias,
    Get,
    Route,
    RouteAlias,
    WithStream,
    Contains,
    Key,
    KeyByNode,
    Batch,
    Iterate,
    ForEachStream,
    Stats,
}

use Operation::*;

pub const MUTATORS: [Operation; 20] = [
    ConnectId,
    ConnectNode,
    ConnectBoth,
    ConnectCrosswise,
    ConnectFresh,
    ConnectOverAlias,
    ConnectWithAlias,
    ShortSession,
    DisconnectId,
    DisconnectKey,
    EndSession,
    DropRemoved,
    Attach,
    Detach,
    UpdateInfo,
    AddAlias,
    TakeAlias,
    RemoveAlias,
    Flush,
    Close,
];

/// After an [`AddAlias`] alone there is something to do for it.
pub const AFTERWARDS: [Operation; 1] = [RemoveAdded];

pub const READERS: [Operation; 14] = [
    Client,
    ClientByNode,
    ClientByAlias,
    Get,
    Route,
    RouteAlias,
    WithStream,
    Contains,
    Key,
    KeyByNode,
    Batch,
    Iterate,
    ForEachStream,
    Stats,
];

/// An atomic part of an operation, as the contract has it.
#[derive(Clone, Copy, Debug)]
pub enum Part {
    /// All of it.
    Whole,
    /// The connect of a [`ConnectWithAlias`] or a [`ShortSession`], and the alias of the one.
    Bare,
    Alias,
    /// The lookup of a disconnect by client id, and the disconnect of what it found, or of a session.
    Find,
    End,
    /// `close`, up to the end of one client.
    EndOf(usize),
    /// The same of one of two newcomers beside it, if it is there.
    EndOfOther(usize),
    /// One lookup of a batch.
    RouteOf(u64),
    /// Of a takeover, the eviction of one client. The calls of this registry have no commit without its
    /// evictions, so this comes before the commit here, and is for rivals that cannot tell.
    Evict(usize),
    /// That, and the place that it frees stays taken: a removal is finished later than its client ends (E).
    Unfinished(&'static Part),
    Finish,
}

impl Operation {
    /// Its parts as far as they matter against the others.
    pub fn parts(self, others: &[Self], setting: Setting) -> &'static [Part] {
        // Whatever frees a place does that in a step of its own.
        let is_full = setting.is_full() && others.iter().any(|other| other.is_connect());
        // Each eviction is a step of its own, and so is each end of a client by a close.
        let may_be_closed = others.contains(&Close) && setting.policy() == Policy::Takeover;
        match self {
            ConnectCrosswise if is_full && may_be_closed => {
                &[Part::Evict(0), Part::Unfinished(&Part::Whole), Part::Finish]
            }
            ConnectCrosswise if is_full => &[Part::Unfinished(&Part::Whole), Part::Finish],
            ShortSession if is_full => &[Part::Bare, Part::Unfinished(&Part::End), Part::Finish],
            DisconnectId if is_full => &[Part::Find, Part::Unfinished(&Part::End), Part::Finish],
            DisconnectKey | EndSession if is_full => {
                &[Part::Unfinished(&Part::Whole), Part::Finish]
            }
            ConnectCrosswise if may_be_closed => &[Part::Evict(0), Part::Whole],
            ConnectWithAlias => &[Part::Bare, Part::Alias],
            ShortSession => &[Part::Bare, Part::End],
            DisconnectId => &[Part::Find, Part::End],
            // Of two newcomers either may have ended before the other comes, or goes on.
            Close if others.iter().filter(|other| other.is_connect()).count() > 1 => &[
                Part::EndOf(0),
                Part::EndOf(1),
                Part::EndOfOther(0),
                Part::EndOfOther(1),
                Part::EndOfOther(0),
                Part::Whole,
            ],
            Close => &[Part::EndOf(0), Part::EndOf(1), Part::Whole],
            Batch => &[Part::RouteOf(A.1), Part::RouteOf(B.1)],
            _ => &[Part::Whole],
        }
    }

    pub fn is_connect(self) -> bool {
        self.names().is_some()
    }

    /// Of a newcomer: client id and node id.
    pub fn names(self) -> Option<(u64, u64)> {
        match self {
            ConnectId | ShortSession => Some((A.0, 7)),
            ConnectNode => Some((5, A.1)),
            ConnectBoth => Some(A),
            ConnectCrosswise => Some((A.0, B.1)),
            ConnectFresh | ConnectWithAlias => Some((6, 8)),
            ConnectOverAlias => Some((5, ALIAS)),
            _ => None,
        }
    }

    pub fn walks(self) -> bool {
        matches!(self, Iterate | ForEachStream)
    }
}
