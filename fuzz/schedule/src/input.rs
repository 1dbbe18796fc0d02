//! What an input means. Any bytes mean something; those that are missing are zeros. A header, three bytes
//! for each operation, and what is left chooses who goes on.

/// The most operations of one thread: the search for an order is short only for short histories.
const MOST_CALLS: u8 = 5;

/// One input.
#[derive(Clone, Debug)]
pub struct Input {
    pub chooser: Chooser,
    pub setup: Setup,
    /// What is done before the threads start.
    pub first: Vec<Op>,
    pub threads: Vec<Vec<Op>>,
    /// See `scheduler::ByBytes`.
    pub schedule: Vec<u8>,
}

/// Who chooses the thread that goes on.
#[derive(Clone, Copy, Debug)]
pub enum Chooser {
    /// The input's bytes, and when they are used up nobody: each thread runs to its end. Or chance
    /// instead, once in so many steps.
    Bytes { then_one_in: Option<u64>, seed: u64 },
    /// Priorities, with so many changes of them less one.
    Pct { depth: usize, seed: u64 },
    /// Chance, at each step.
    Random { seed: u64 },
}

#[derive(Clone, Copy, Debug)]
pub struct Setup {
    pub reject: bool,
    pub max_clients: Option<usize>,
    pub capacity: usize,
    pub shards: usize,
    /// Bits that are left of each hash: with none, everything collides.
    pub bits: u32,
    /// How many ids, and how many names, the threads fight for.
    pub names: u8,
    /// Clients that nobody fights for.
    pub crowd: u8,
    /// Whether what the calls handed back is dropped after the registry.
    pub outlived: bool,
}

/// A client id or a name: one of those that all fight for, or one that nobody else has.
#[derive(Clone, Copy, Debug)]
pub enum Name {
    Shared(u8),
    Fresh,
}

/// Chooses among the keys, or whatever, that a thread has: 0 is the newest.
pub type Age = u8;

#[derive(Clone, Copy, Debug)]
pub struct Newcomer {
    pub id: Name,
    pub node: Name,
    pub stream: bool,
    pub alias: Option<u8>,
}

#[derive(Clone, Copy, Debug)]
pub enum Op {
    Connect(Newcomer),
    OpenSession(Newcomer),
    EndSession(Age),
    Disconnect(u8),
    DisconnectNode(u8),
    DisconnectKey(Age),
    Attach(Age),
    Detach(Age),
    UpdateInfo(Age),
    AddAlias(Age, u8),
    RemoveAlias(Age, u8),
    /// By one of the ways that there are.
    Route(u8, u8),
    ById(u8),
    ByNode(u8),
    ByKey(Age),
    Keys(u8, u8),
    Batch(u8, u8),
    Walk,
    Streams,
    /// Keeps a guard, what it reached and a walk that has begun over so many operations.
    Hold(u8, u8),
    /// Drops what was handed back.
    Release,
    Flush,
    Stats,
    Close,
}

struct Bytes<'b>(std::slice::Iter<'b, u8>);

impl Bytes<'_> {
    fn next(&mut self) -> u8 {
        self.0.next().copied().unwrap_or(0)
    }
}

impl Input {
    pub fn read(bytes: &[u8]) -> Self {
        let mut bytes = Bytes(bytes.iter());
        let chooser = Chooser::read(&mut bytes);
        let setup = Setup::read(&mut bytes);
        let lengths = [bytes.next(), bytes.next(), bytes.next()];
        let threads = 2 + usize::from(lengths[0] >> 4) % 3;
        let length = |nibble: u8| usize::from(1 + nibble % MOST_CALLS);
        let lengths = [
            usize::from(lengths[0] & 0xF) % 6,
            length(lengths[1] & 0xF),
            length(lengths[1] >> 4),
            length(lengths[2] & 0xF),
            length(lengths[2] >> 4),
        ];
        let mut programs = lengths.into_iter().take(1 + threads).map(|length| {
            let ops = (0..length).map(|_| Op::read(&mut bytes, setup.names));
            ops.collect::<Vec<_>>()
        });
        let first = programs.next().expect("there is always the first");
        let threads = programs.collect();
        Self { chooser, setup, first, threads, schedule: bytes.0.copied().collect() }
    }
}

impl Chooser {
    fn read(bytes: &mut Bytes<'_>) -> Self {
        let (kind, low, high) = (bytes.next(), bytes.next(), bytes.next());
        let (seed, more) = (u64::from(low) | u64::from(high) << 8, kind >> 2);
        match kind % 4 {
            0 => Self::Bytes { then_one_in: None, seed },
            1 => Self::Bytes { then_one_in: Some(2 << (more % 7)), seed },
            2 => Self::Pct { depth: 1 + usize::from(more % 6), seed },
            _ => Self::Random { seed },
        }
    }
}

impl Setup {
    fn read(bytes: &mut Bytes<'_>) -> Self {
        let [policy, hashing, crowd, names] =
            [bytes.next(), bytes.next(), bytes.next(), bytes.next()];
        let crowd_of = |nibble: u8| if nibble < 8 { 0 } else { nibble };
        let crowd_size = crowd_of(crowd & 0xF);
        Self {
            reject: policy & 1 == 1,
            outlived: policy & 2 == 2,
            max_clients: match policy >> 2 & 7 {
                0..=3 => None,
                free => Some(usize::from(crowd_size) + usize::from(free) - 3),
            },
            bits: [64, 64, 0, 1, 2, 3, 64, 4][usize::from(hashing) % 8],
            shards: 1 + usize::from(hashing >> 3) % 2,
            crowd: crowd_size,
            capacity: usize::from(crowd >> 4) * 4,
            names: 1 + names % 3,
        }
    }
}

impl Newcomer {
    fn read(a: u8, b: u8, names: u8) -> Self {
        let name =
            |byte: u8| if byte % 8 == 7 { Name::Fresh } else { Name::Shared(byte % 8 % names) };
        Self {
            id: name(a),
            node: name(b),
            stream: a >> 3 & 3 != 0,
            alias: (a >> 5 == 7).then_some((b >> 3) % names),
        }
    }
}

impl Op {
    fn read(bytes: &mut Bytes<'_>, names: u8) -> Self {
        let (choice, a, b) = (bytes.next(), bytes.next(), bytes.next());
        match choice % 64 {
            0..=16 => Self::Connect(Newcomer::read(a, b, names)),
            17 | 18 => Self::OpenSession(Newcomer::read(a, b, names)),
            19 => Self::EndSession(a),
            20..=23 => Self::Disconnect(a % names),
            24 => Self::DisconnectNode(a % names),
            25..=28 => Self::DisconnectKey(a),
            29..=31 => Self::Attach(a),
            32 | 33 => Self::Detach(a),
            34 | 35 => Self::UpdateInfo(a),
            36..=39 => Self::AddAlias(a, b % names),
            40 | 41 => Self::RemoveAlias(a, b % names),
            42..=45 => Self::Route(a % names, b),
            46..=48 => Self::ById(a % names),
            49 | 50 => Self::ByNode(a % names),
            51 | 52 => Self::ByKey(a),
            53 => Self::Keys(a % names, b % names),
            54 | 55 => Self::Batch(a % names, b % names),
            56 => Self::Walk,
            57 => Self::Streams,
            58 | 59 => Self::Hold(a % names, 1 + b % 3),
            60 => Self::Release,
            61 => Self::Flush,
            62 => Self::Stats,
            // Everything after it is refused: not often, please.
            _ if a % 4 == 0 => Self::Close,
            _ => Self::Walk,
        }
    }
}
