//! What an input means. Any bytes mean something, and one byte more or less changes little: six bytes for
//! the registry, then a byte that chooses the operation and a byte for each of its arguments, and so on.
//!
//! The first byte says also how the names behave. If it is 0 or 1 they are lawful, and no operation sets a
//! trap.

use arbitrary::{Arbitrary, Result, Unstructured};

use crate::{
    fixtures::{
        hashers::{FewBits, NeverTheSame},
        lockstep::Setup,
        model::Policy,
        ops::{Hold, Newcomer, Op, SessionEnd},
        unruly::{Call, Deed, Trap},
    },
    hashing::Hashing,
};

/// One input: a registry, and what is done to it.
#[derive(Debug)]
pub struct Ops {
    pub(crate) setup: Setup,
    pub(crate) hashing: Hashing,
    pub(crate) names: Names,
    pub(crate) ops: Vec<Op>,
}

/// How the `Hash`, `Eq` and `Drop` of names behave.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Names {
    Lawful,
    /// They panic when a trap is set.
    Panicking,
    /// They panic or lie when a trap is set; and one answer in so many is a lie, unless that is 0.
    Unlawful {
        seed: u8,
        lies_one_in: u8,
    },
}

impl<'a> Arbitrary<'a> for Ops {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let bytes: [u8; 6] = u.arbitrary()?;
        let names = names(bytes[0], u)?;
        let (setup, hashing) = setup(bytes, names);
        let mut ops = Vec::new();
        while !u.is_empty() {
            ops.push(op(u, names)?);
        }
        Ok(Self { setup, hashing, names, ops })
    }
}

fn names(chosen: u8, u: &mut Unstructured<'_>) -> Result<Names> {
    Ok(match chosen / 2 % 4 {
        0 => Names::Lawful,
        1 | 2 => Names::Panicking,
        _ => {
            let [seed, lies] = u.arbitrary()?;
            Names::Unlawful { seed, lies_one_in: lies % 64 }
        }
    })
}

fn setup(bytes: [u8; 6], names: Names) -> (Setup, Hashing) {
    let [policy, max, capacity, shards, hashing, span] = bytes;
    let span = match span {
        0..=127 => 6,
        128..=223 => 16,
        _ => 256,
    };
    let setup = Setup {
        policy: if policy % 2 == 1 { Policy::Reject } else { Policy::Takeover },
        // Mostly a few places, so that it matters how many are taken.
        max_clients: match max {
            0..=63 => None,
            max => Some(usize::from(max - 64) % 12 + 1),
        },
        capacity: usize::from(capacity),
        shards: usize::from(shards % 8) + 1,
        ids: span,
        names: span,
        // Where everything is a little, everything is asked for each time.
        audit_every: if span <= 16 { 1 } else { 32 },
    };
    let hashing = match hashing {
        0..=95 => Hashing::seeded(),
        96..=191 => Hashing::FewBits(FewBits(u32::from(hashing % 12))),
        240.. if matches!(names, Names::Unlawful { .. }) => {
            Hashing::NeverTheSame(NeverTheSame::new(1))
        }
        _ => Hashing::Identity,
    };
    (setup, hashing)
}

fn newcomer(u: &mut Unstructured<'_>) -> Result<Newcomer> {
    let [id, node, extras] = u.arbitrary::<[u8; 3]>()?;
    let mut alias = |wanted| if wanted { u.arbitrary().map(Some) } else { Ok(None) };
    let aliases = [alias(extras & 0x10 != 0)?, alias(extras & 0x30 == 0x30)?];
    Ok(Newcomer { id, node, stream: extras % 4 != 0, aliases })
}

fn hold(u: &mut Unstructured<'_>) -> Result<Hold> {
    let [visited, first_alone, both, second_alone] = u.arbitrary::<[u8; 4]>()?;
    Ok(Hold { visited, first_alone, both, second_alone })
}

fn trap(chosen: u8, names: Names, u: &mut Unstructured<'_>) -> Result<Trap> {
    let call = [Call::Hash, Call::Eq, Call::Drop][usize::from(chosen) % 3];
    let how: u8 = u.arbitrary()?;
    let may_lie = matches!(names, Names::Unlawful { .. }) && call != Call::Drop;
    let deed = if may_lie && how & 0x40 != 0 { Deed::Lie } else { Deed::Panic };
    Ok(Trap { call, after: how % 64, deed, lasting: how & 0x80 != 0 })
}

fn op(u: &mut Unstructured<'_>, names: Names) -> Result<Op> {
    let chosen: u8 = u.arbitrary()?;
    if chosen >= 192 && !matches!(names, Names::Lawful) {
        return Ok(Op::Arm(trap(chosen, names, u)?));
    }
    Ok(match chosen % 64 {
        0..=11 => Op::Connect(newcomer(u)?),
        12..=14 => Op::OpenSession(newcomer(u)?),
        15 => Op::EndSession(u.arbitrary()?, SessionEnd::Drop),
        16 => Op::EndSession(u.arbitrary()?, SessionEnd::Disconnect),
        17 => Op::EndSession(u.arbitrary()?, SessionEnd::IntoKey),
        18 => Op::ConnectCrowd(newcomer(u)?, u.arbitrary()?),
        19..=21 => Op::Disconnect(u.arbitrary()?),
        22 => Op::DisconnectCrowd(u.arbitrary()?, u.arbitrary()?),
        23..=27 => Op::DisconnectKey(u.arbitrary()?),
        28..=31 => Op::Attach(u.arbitrary()?),
        32..=35 => Op::Detach(u.arbitrary()?),
        36..=39 => Op::UpdateInfo(u.arbitrary()?),
        40..=44 => Op::AddAlias(u.arbitrary()?, u.arbitrary()?),
        45..=47 => Op::RemoveAlias(u.arbitrary()?, u.arbitrary()?),
        48..=50 => Op::LookUp(u.arbitrary()?, u.arbitrary()?, u.arbitrary()?),
        51 => Op::LookUpBatch(u.arbitrary()?, u.arbitrary()?),
        52..=54 => Op::Hold(hold(u)?),
        55 | 56 => Op::Release(u.arbitrary()?),
        57 => Op::ReleaseAll,
        58 | 59 => Op::Flush,
        60 => Op::Shrink,
        61 | 62 => Op::Audit,
        // Everything after it is refused: not often, please.
        _ if u.arbitrary::<u8>()? % 16 == 0 => Op::Close,
        _ => Op::Audit,
    })
}
