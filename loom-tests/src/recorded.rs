//! How many executions each model has where every load reads the newest value.

/// With at most so many preemptions.
pub const PREEMPTIONS: usize = 2;

/// By name, on the quarantine and on the reclaimer that ships: what `LOOM_READS=newest LOOM_PREEMPTIONS=2` prints.
#[rustfmt::skip]
const RECORDED: [(&str, usize, usize); 108] = [
    ("alias_remove_end_lookup", 653, 2_011),
    ("aliases: against a connect", 804, 935),
    ("aliases: another against the end", 144, 340),
    ("aliases: the taker is disconnected", 2_654, 5_701),
    ("aliases: two of one owner", 429, 623),
    ("aliases: two owners", 912, 1_043),
    ("attach_detach_disconnect", 283, 456),
    ("attach_disconnect: attach", 76, 81),
    ("attach_disconnect: detach against attach", 104, 322),
    ("attach_disconnect: disconnect", 51, 346),
    ("attach_disconnect: lookup against attach", 231, 391),
    ("away_from_home: lookup, another one leaves", 34, 229),
    ("away_from_home: lookup, the home is left and taken", 47, 258),
    ("away_from_home: lookup, the name is taken over", 504, 864),
    ("away_from_home: one comes, another leaves", 531, 1_244),
    ("away_from_home: the pair of lookups", 501, 881),
    ("capacity: a place that was released", 290, 1_080),
    ("capacity: a third connect between the steps", 6_429, 18_218),
    ("capacity: takeover and disconnect", 733, 1_188),
    ("capacity: the last place", 423, 602),
    ("capacity: two takeovers of one place", 10_603, 33_680),
    ("close: connect under reject", 25, 39),
    ("close: connect under takeover", 29, 43),
    ("close: takeover of the last place", 85, 115),
    ("close_connect_disconnect", 207, 766),
    ("connect_connect: both names", 1_363, 1_673),
    ("connect_connect: crosswise", 2_535, 2_927),
    ("connect_connect: of an id that is taken", 2_466, 3_667),
    ("connect_connect: over a client", 11_947, 12_561),
    ("connect_connect: over a client of the id", 5_809, 6_255),
    ("connect_connect: over a client of the node id", 6_350, 6_808),
    ("connect_connect: the same id", 823, 1_101),
    ("connect_connect: the same id, beside one of its hash", 1_455, 1_751),
    ("connect_connect: the same node id", 964, 1_242),
    ("disconnect_lookup: an alias", 295, 614),
    ("disconnect_lookup: the pair", 229, 376),
    ("flush_flush_lookup", 606, 6_194),
    ("free_slots: a pile against its taker", 15, 15),
    ("free_slots: pop against a top that is put back", 38, 38),
    ("free_slots: pop against pop", 15, 15),
    ("free_slots: pop against push", 22, 22),
    ("growth: a spill against a split", 1_674, 2_105),
    ("growth: a spill against a split, deeper", 1_674, 2_105),
    ("growth: a split against a lookup", 135, 221),
    ("growth: a split against a split", 1_305, 2_106),
    ("growth: a split that spills against a split", 1_544, 2_664),
    ("growth: connect", 1_528, 1_818),
    ("growth: disconnect", 220, 389),
    ("growth: lookup of one that stays", 341, 495),
    ("growth: lookups of the newest", 1_255, 1_567),
    ("growth: the old array against a lookup", 218, 408),
    ("growth_begin_split_remove", 1_904, 3_121),
    ("growth_takeover: by two connects of a new name", 6_584, 8_645),
    ("growth_takeover: of one at home", 745, 1_104),
    ("growth_takeover: of one away", 1_575, 2_140),
    ("growth_takeover: of one in the block", 1_783, 2_450),
    ("iteration_connect: against a connect", 56, 54),
    ("iteration_connect: against a slot used again", 130, 222),
    ("leaving_level: then a lookup", 599, 860),
    ("leaving_level: under a lookup", 2_073, 5_759),
    ("outlived_registry: after a guard that reads", 28, 86),
    ("outlived_registry: against the last client", 22, 50),
    ("outlived_registry: against two clients", 213, 536),
    ("outlived_registry: two clients, by one thread", 8, 8),
    ("outlived_registry: two clients, by two threads", 8, 8),
    ("reclaimer: a flush against a pin", 59, 59),
    ("reclaimer: a pin against a flush", 89, 89),
    ("reclaimer: a pin against a writer that tidies", 183, 183),
    ("reclaimer: a renewed pin against a flush", 113, 113),
    ("reclaimer: nested pins against a flush", 158, 158),
    ("reclaimer: three nested pins against a flush", 240, 240),
    ("reclaimer: two flushes", 1_021, 1_021),
    ("reclaimer: two pins in a row against a flush", 140, 140),
    ("reclaimer: two writers", 1_825, 1_825),
    ("reclaimer: two writers, deeper", 1_825, 1_825),
    ("reclaimer_another_flushes", 644, 644),
    ("reclaimer_another_flushes: two", 2_288, 2_288),
    ("reclaimer_batches: a pile against its taker", 39, 39),
    ("reclaimer_batches: pop against a round", 249, 249),
    ("reclaimer_batches: pop against pop", 64, 64),
    ("reclaimer_batches: pop against push", 26, 26),
    ("reclaimer_batches: push against a round", 179, 179),
    ("reclaimer_batches: push against push", 63, 63),
    ("reclaimer_number_handed_on", 242, 242),
    ("reclaimer_two_readers", 636, 636),
    ("reuse_lookup_attach", 1_309, 3_911),
    ("reuse_removed: dropped against used again", 18, 357),
    ("reuse_removed: used again after two", 114, 12_136),
    ("reuse_removed: used again against dropped", 43, 1_391),
    ("segments: a look and a read", 15, 15),
    ("segments: a read", 14, 14),
    ("segments: a walk", 22, 22),
    ("segments: given back and made again", 44, 44),
    ("segments: two make one", 14, 14),
    ("stale_key: disconnect against a reconnect", 474, 670),
    ("stale_key: disconnect, the slot used again", 181, 899),
    ("stale_key: lookups, the slot used again", 197, 311),
    ("stale_level: while a level moves", 175, 454),
    ("takeover_attach: an older client", 25, 99),
    ("takeover_attach: one with an alias", 52, 284),
    ("takeover_lookup: by a node id that collides", 546, 782),
    ("takeover_lookup: by node id", 769, 1_107),
    ("takeover_lookup: one kind after another", 1_024, 1_760),
    ("takeover_lookup: the newcomer leaves", 1_023, 1_625),
    ("takeover_lookup: the older one disconnects", 5_289, 6_476),
    ("thread_numbers: one behind another", 703, 703),
    ("thread_numbers: three for one that is given back", 2_984, 2_984),
    ("thread_numbers: two at once", 44, 44),
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
