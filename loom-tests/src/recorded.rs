//! How many executions each model has where every load reads the newest value.

/// With at most so many preemptions.
pub const PREEMPTIONS: usize = 2;

/// In how many orders of the names: as they are, and each next one moved on by one.
pub const ROTATIONS: u32 = if cfg!(shipped_reclaimer) { 1 } else { 4 };

/// By name, on the quarantine and on the reclaimer that ships: what `LOOM_READS=newest LOOM_PREEMPTIONS=2` prints.
#[rustfmt::skip]
const RECORDED: [(&str, usize, usize); 111] = [
    ("alias_remove_end_lookup", 4_964, 2_698),
    ("aliases: against a connect", 3_736, 935),
    ("aliases: another against the end", 599, 340),
    ("aliases: the owner is disconnected", 1_032, 727),
    ("aliases: the taker is disconnected", 10_521, 5_701),
    ("aliases: one twice, and its removal", 6_216, 2_157),
    ("aliases: two of one owner", 2_002, 623),
    ("aliases: two owners", 3_641, 1_043),
    ("attach_detach_disconnect", 1_132, 456),
    ("attach_disconnect: attach", 304, 81),
    ("attach_disconnect: detach against attach", 416, 322),
    ("attach_disconnect: disconnect", 204, 346),
    ("attach_disconnect: lookup against attach", 924, 391),
    ("away_from_home: lookup, another one leaves", 116, 229),
    ("away_from_home: lookup, the home is left and taken", 188, 258),
    ("away_from_home: lookup, the name is taken over", 1_942, 864),
    ("away_from_home: one comes, another leaves", 1_757, 1_244),
    ("away_from_home: the pair of lookups", 1_732, 881),
    ("capacity: a place that was released", 1_418, 1_080),
    ("capacity: a third connect between the steps", 35_094, 18_218),
    ("capacity: takeover and disconnect", 3_128, 1_188),
    ("capacity: the last place", 2_148, 602),
    ("capacity: two takeovers of one place", 46_046, 33_680),
    ("close: connect under reject", 100, 39),
    ("close: connect under takeover", 116, 43),
    ("close: takeover of the last place", 356, 115),
    ("close_connect_disconnect", 828, 766),
    ("connect_connect: both names", 5_452, 1_673),
    ("connect_connect: crosswise", 10_140, 2_927),
    ("connect_connect: of an id that is taken", 10_690, 3_667),
    ("connect_connect: over a client", 47_808, 12_561),
    ("connect_connect: over a client of the id", 23_238, 6_255),
    ("connect_connect: over a client of the node id", 25_414, 6_808),
    ("connect_connect: the same id", 3_292, 1_101),
    ("connect_connect: the same id, beside one of its hash", 6_272, 1_751),
    ("connect_connect: the same node id", 3_856, 1_242),
    ("disconnect_lookup: an alias", 1_370, 614),
    ("disconnect_lookup: the pair", 916, 376),
    ("flush_flush_lookup", 2_424, 6_194),
    ("free_slots: a pile against its taker", 60, 15),
    ("free_slots: pop against a top that is put back", 152, 38),
    ("free_slots: pop against pop", 60, 15),
    ("free_slots: pop against push", 88, 22),
    ("growth: a spill against a split", 3_743, 2_105),
    ("growth: a spill against a split, deeper", 3_743, 2_105),
    ("growth: a split against a lookup", 279, 221),
    ("growth: a split against a split", 2_638, 2_106),
    ("growth: a split that spills against a split", 4_674, 2_664),
    ("growth: connect", 3_349, 1_818),
    ("growth: disconnect", 684, 389),
    ("growth: lookup of one that stays", 718, 495),
    ("growth: lookups of the newest", 2_744, 1_567),
    ("growth: the old array against a lookup", 527, 408),
    ("growth_begin_split_remove", 5_740, 3_121),
    ("growth_takeover: by two connects of a new name", 18_095, 8_645),
    ("growth_takeover: of one at home", 3_008, 1_104),
    ("growth_takeover: of one away", 4_726, 2_140),
    ("growth_takeover: of one in the block", 5_040, 2_450),
    ("iteration_connect: against a connect", 224, 54),
    ("iteration_connect: against a slot used again", 520, 222),
    ("leaving_level: then a lookup", 4_110, 860),
    ("leaving_level: under a lookup", 13_692, 5_759),
    ("outlived_registry: after a guard that reads", 112, 86),
    ("outlived_registry: against the last client", 88, 50),
    ("outlived_registry: against two clients", 852, 536),
    ("outlived_registry: two clients, by one thread", 32, 8),
    ("outlived_registry: two clients, by two threads", 32, 8),
    ("reclaimer: a flush against a pin", 236, 59),
    ("reclaimer: a pin against a flush", 356, 89),
    ("reclaimer: a pin against a writer that tidies", 732, 183),
    ("reclaimer: a renewed pin against a flush", 452, 113),
    ("reclaimer: nested pins against a flush", 632, 158),
    ("reclaimer: three nested pins against a flush", 960, 240),
    ("reclaimer: two flushes", 4_084, 1_021),
    ("reclaimer: two pins in a row against a flush", 560, 140),
    ("reclaimer: two writers", 7_300, 1_825),
    ("reclaimer: two writers, deeper", 7_300, 1_825),
    ("reclaimer_another_flushes", 2_576, 644),
    ("reclaimer_another_flushes: two", 9_152, 2_288),
    ("reclaimer_batches: a pile against its taker", 156, 39),
    ("reclaimer_batches: pop against a round", 996, 249),
    ("reclaimer_batches: pop against pop", 256, 64),
    ("reclaimer_batches: pop against push", 104, 26),
    ("reclaimer_batches: push against a round", 716, 179),
    ("reclaimer_batches: push against push", 252, 63),
    ("reclaimer_number_handed_on", 968, 242),
    ("reclaimer_two_readers", 2_544, 636),
    ("reuse_lookup_attach", 5_236, 3_911),
    ("reuse_removed: dropped against used again", 72, 357),
    ("reuse_removed: used again after two", 456, 12_136),
    ("reuse_removed: used again against dropped", 172, 1_391),
    ("segments: a look and a read", 60, 15),
    ("segments: a read", 56, 14),
    ("segments: a walk", 88, 22),
    ("segments: given back and made again", 176, 44),
    ("segments: two make one", 56, 14),
    ("stale_key: disconnect against a reconnect", 1_896, 670),
    ("stale_key: disconnect, the slot used again", 744, 899),
    ("stale_key: lookups, the slot used again", 823, 311),
    ("stale_level: while a level moves", 707, 454),
    ("takeover_attach: an older client", 100, 99),
    ("takeover_attach: one with an alias", 208, 284),
    ("takeover_lookup: by a node id that collides", 2_172, 782),
    ("takeover_lookup: by node id", 3_068, 1_107),
    ("takeover_lookup: one kind after another", 4_064, 1_760),
    ("takeover_lookup: the newcomer leaves", 4_072, 1_621),
    ("takeover_lookup: the newcomer leaves, in front", 4_068, 1_625),
    ("takeover_lookup: the older one disconnects", 21_160, 6_476),
    ("thread_numbers: one behind another", 2_812, 703),
    ("thread_numbers: three for one that is given back", 11_936, 2_984),
    ("thread_numbers: two at once", 176, 44),
];

/// Of the model of that name, on the reclaimer of this build. Nothing is recorded on `crossbeam-epoch`, whose own
/// atomics are loom's.
///
/// # Panics
///
/// If it has no name there: a model that is new has to be recorded.
pub fn of(name: &str) -> Option<usize> {
    let found = RECORDED.iter().find(|(known, ..)| *known == name);
    let &(_, quarantine, shipped) =
        found.unwrap_or_else(|| panic!("{name}: not recorded with the newest values read"));
    if cfg!(crossbeam_loom) {
        None
    } else if cfg!(shipped_reclaimer) {
        Some(shipped)
    } else {
        Some(quarantine)
    }
}
