//! How the names of an input are hashed: one type for all ways, so that the registry is compiled once, and
//! what the fuzzer has seen under one of them is not new to it under each of the others.

use std::hash::{BuildHasher, Hasher};

use crate::fixtures::hashers::{
    FewBits, FewBitsHasher, Fixed, Identity, IdentityHasher, NeverTheSame,
};

#[derive(Debug)]
pub(crate) enum Hashing {
    /// The default hasher, seeded the same each time.
    Seeded(ahash::RandomState),
    /// Only so many bits are left of each hash: with none, everything collides.
    FewBits(FewBits),
    /// A number is its own hash.
    Identity,
    /// Another answer each time. Of unlawful names only.
    NeverTheSame(NeverTheSame),
}

impl Hashing {
    pub(crate) fn seeded() -> Self {
        Self::Seeded(ahash::RandomState::with_seeds(1, 2, 3, 4))
    }
}

pub(crate) enum EitherHasher {
    Seeded(ahash::AHasher),
    FewBits(FewBitsHasher),
    Identity(IdentityHasher),
    Fixed(Fixed),
}

impl BuildHasher for Hashing {
    type Hasher = EitherHasher;

    fn build_hasher(&self) -> EitherHasher {
        match self {
            Self::Seeded(seeded) => EitherHasher::Seeded(seeded.build_hasher()),
            Self::FewBits(few) => EitherHasher::FewBits(few.build_hasher()),
            Self::Identity => EitherHasher::Identity(Identity.build_hasher()),
            Self::NeverTheSame(never) => EitherHasher::Fixed(never.build_hasher()),
        }
    }
}

impl EitherHasher {
    fn chosen(&mut self) -> &mut dyn Hasher {
        match self {
            Self::Seeded(hasher) => hasher,
            Self::FewBits(hasher) => hasher,
            Self::Identity(hasher) => hasher,
            Self::Fixed(hasher) => hasher,
        }
    }
}

impl Hasher for EitherHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.chosen().write(bytes);
    }

    fn write_u64(&mut self, n: u64) {
        self.chosen().write_u64(n);
    }

    fn finish(&self) -> u64 {
        match self {
            Self::Seeded(hasher) => hasher.finish(),
            Self::FewBits(hasher) => hasher.finish(),
            Self::Identity(hasher) => hasher.finish(),
            Self::Fixed(hasher) => hasher.finish(),
        }
    }
}
