//! What an input means. Any bytes mean something, and one byte more or less changes little: a byte that
//! chooses the operation, then a byte for each of its arguments.

use arbitrary::{Arbitrary, Result, Unstructured};

/// One input: a registry, and what is done to it.
#[derive(Debug)]
pub struct Ops {
    pub setup: Setup,
    pub ops: Vec<Op>,
}

#[derive(Clone, Copy, Debug)]
pub struct Setup {
    pub reject: bool,
    pub max_clients: Option<usize>,
    pub capacity: usize,
    pub shards: usize,
    pub hashing: Hashing,
    /// How many different ids there are, and how many names. Few meet often; many make tables grow.
    pub span: u64,
}

#[derive(Clone, Copy, Debug)]
pub enum Hashing {
    /// The default hasher, seeded the same each time.
    Seeded,
    /// Only so many bits are left of each hash: with none, everything collides.
    FewBits(u8),
    /// A number is its own hash.
    Identity,
}

/// A client id, before it is brought into the span.
pub type Id = u8;
/// A node id or an alias, likewise.
pub type Name = u8;
/// Chooses a key among those given out: 0 is the newest, and most are stale.
pub type Age = u8;

#[derive(Clone, Copy, Debug, Arbitrary)]
pub struct Newcomer {
    pub id: Id,
    pub node: Name,
    pub extras: Extras,
}

/// What a newcomer brings along.
#[derive(Clone, Copy, Debug)]
pub struct Extras {
    pub stream: bool,
    pub aliases: [Option<Name>; 2],
}

#[derive(Clone, Copy, Debug)]
pub enum SessionEnd {
    Drop,
    Disconnect,
    IntoKey,
}

#[derive(Clone, Copy, Debug)]
pub enum Op {
    Connect(Newcomer),
    OpenSession(Newcomer),
    EndSession(Age, SessionEnd),
    /// Connects one after the other: so many that the tables grow.
    ConnectCrowd(Newcomer, u8),
    Disconnect(Id),
    DisconnectCrowd(Id, u8),
    DisconnectKey(Age),
    Attach(Age),
    Detach(Age),
    UpdateInfo(Age),
    AddAlias(Age, Name),
    RemoveAlias(Age, Name),
    LookUp(Id, Name, Age),
    LookUpBatch(Name, u8),
    /// Keeps guards over the next operations.
    Hold(Hold),
    /// Drops one of the things that were handed back.
    Release(u8),
    ReleaseAll,
    Flush,
    Shrink,
    Audit,
    Close,
}

/// Two guards whose lives overlap, in operations.
#[derive(Clone, Copy, Debug, Arbitrary)]
pub struct Hold {
    /// How far the first guard's iteration gets before the operations go on.
    pub visited: u8,
    pub first_alone: u8,
    pub both: u8,
    pub second_alone: u8,
}

impl<'a> Arbitrary<'a> for Ops {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let setup = u.arbitrary()?;
        let mut ops = Vec::new();
        while !u.is_empty() {
            ops.push(u.arbitrary()?);
        }
        Ok(Self { setup, ops })
    }
}

impl<'a> Arbitrary<'a> for Setup {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let [policy, max, capacity, shards, hashing, span] = u.arbitrary::<[u8; 6]>()?;
        Ok(Self {
            reject: policy % 2 == 1,
            // Mostly a few places, so that it matters how many are taken.
            max_clients: match max {
                0..=63 => None,
                max => Some(usize::from(max - 64) % 12 + 1),
            },
            capacity: usize::from(capacity),
            shards: usize::from(shards % 8) + 1,
            hashing: match hashing {
                0..=95 => Hashing::Seeded,
                96..=191 => Hashing::FewBits(hashing % 12),
                _ => Hashing::Identity,
            },
            span: match span {
                0..=127 => 6,
                128..=223 => 16,
                _ => 256,
            },
        })
    }
}

impl<'a> Arbitrary<'a> for Extras {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let extras = u.arbitrary::<u8>()?;
        let mut alias = |wanted| {
            if wanted { u.arbitrary().map(Some) } else { Ok(None) }
        };
        Ok(Self {
            stream: extras % 4 != 0,
            aliases: [alias(extras & 0x10 != 0)?, alias(extras & 0x30 == 0x30)?],
        })
    }
}

impl<'a> Arbitrary<'a> for Op {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(match u.arbitrary::<u8>()? % 64 {
            0..=11 => Self::Connect(u.arbitrary()?),
            12..=14 => Self::OpenSession(u.arbitrary()?),
            15 => Self::EndSession(u.arbitrary()?, SessionEnd::Drop),
            16 => Self::EndSession(u.arbitrary()?, SessionEnd::Disconnect),
            17 => Self::EndSession(u.arbitrary()?, SessionEnd::IntoKey),
            18 => Self::ConnectCrowd(u.arbitrary()?, u.arbitrary()?),
            19..=21 => Self::Disconnect(u.arbitrary()?),
            22 => Self::DisconnectCrowd(u.arbitrary()?, u.arbitrary()?),
            23..=27 => Self::DisconnectKey(u.arbitrary()?),
            28..=31 => Self::Attach(u.arbitrary()?),
            32..=35 => Self::Detach(u.arbitrary()?),
            36..=39 => Self::UpdateInfo(u.arbitrary()?),
            40..=44 => Self::AddAlias(u.arbitrary()?, u.arbitrary()?),
            45..=47 => Self::RemoveAlias(u.arbitrary()?, u.arbitrary()?),
            48..=50 => Self::LookUp(u.arbitrary()?, u.arbitrary()?, u.arbitrary()?),
            51 => Self::LookUpBatch(u.arbitrary()?, u.arbitrary()?),
            52..=54 => Self::Hold(u.arbitrary()?),
            55 | 56 => Self::Release(u.arbitrary()?),
            57 => Self::ReleaseAll,
            58 | 59 => Self::Flush,
            60 => Self::Shrink,
            61 | 62 => Self::Audit,
            // Everything after it is refused: not often, please.
            _ if u.arbitrary::<u8>()? % 16 == 0 => Self::Close,
            _ => Self::Audit,
        })
    }
}
