use super::*;
use crate::entry::Tag;
use crate::reclaim::{Panics, Reclaimer};

/// Some clients, as far as the slots know of them.
fn with_entered<const N: usize>(act: impl FnOnce(&Slots<(), (), (), ()>, [Address; N], &Pin<'_>)) {
    let reclaimer = Reclaimer::new();
    let slots = Slots::new(0, 1);
    {
        let pin = reclaimer.pin();
        let hash = Hash::of_tag(Tag::of(0));
        let entered = [(); N].map(|()| {
            let fresh = slots.allocate(&pin).expect("there are slots");
            let contents = Contents { id: (), node: (), info: (), stream: None };
            let entered = slots.fill(fresh, (hash, hash), contents);
            slots.publish(&entered, Word::armed);
            slots.see(entered.slot(), &pin).address()
        });
        act(&slots, entered, &pin);
        entered.iter().for_each(|entered| slots.verdicts(entered.slot).clear());
    }
    // SAFETY: no pin is left, and no slot was retired.
    unsafe { reclaimer.drain(&slots, &mut Panics::default()) };
}

#[test]
fn a_place_is_promised_to_one() {
    with_entered(|slots, [older, other], _| {
        for newcomer in [5, 6] {
            assert_eq!(slots.promise(older.slot, newcomer), Some(newcomer));
            assert_eq!(slots.promise(older.slot, 7), Some(newcomer), "it is promised");
            assert_eq!(slots.break_promise(older.slot, 7), Promise::PassedOn, "not to this one");
            assert_eq!(slots.promise(older.slot, 7), Some(newcomer), "it is promised");
            assert_eq!(slots.break_promise(older.slot, newcomer), Promise::Broken);
        }
        assert_eq!(slots.promise(older.slot, 0), Some(0));
        assert!(slots.inherit(older.slot));
        assert_eq!(slots.break_promise(older.slot, 0), Promise::Kept);
        assert_eq!(slots.break_promise(older.slot, 7), Promise::PassedOn, "it alone has the place");
        assert_eq!(slots.promise(older.slot, 7), None);
        assert!(!slots.inherit(other.slot), "nobody was promised it");
        assert_eq!(slots.promise(other.slot, 7), None);
    });
}

#[test]
fn a_promise_is_passed_on_by_its_heir_until_the_end() {
    with_entered(|slots, [older], _| {
        assert_eq!(slots.promise(older.slot, 5), Some(5));
        assert!(slots.pass_promise_on(older.slot, 5, 6));
        assert!(!slots.pass_promise_on(older.slot, 5, 7), "it is another's");
        assert_eq!(slots.promise(older.slot, 7), Some(6));
        assert_eq!(slots.break_promise(older.slot, 5), Promise::PassedOn);
        assert!(slots.inherit(older.slot));
        assert!(!slots.pass_promise_on(older.slot, 6, 7), "the place is given");
        assert_eq!(slots.break_promise(older.slot, 6), Promise::Kept);
    });
}

#[test]
fn an_evicted_client_is_handed_to_the_first_that_has_yet_to_collect() {
    with_entered(|slots, [older, first, second, third], pin| {
        let evictor = || slots.evictor(older.slot);
        assert_eq!(evictor(), None);
        for newcomer in [first, second, first] {
            slots.appoint_evictor(older.slot, newcomer, pin);
            assert_eq!(evictor(), Some(Evictor::of(first)));
        }
        assert!(!slots.has_collected(Evictor::of(first), pin));
        slots.set_collected(first.slot);
        assert!(slots.has_collected(Evictor::of(first), pin));
        slots.appoint_evictor(older.slot, second, pin);
        assert_eq!(evictor(), Some(Evictor::of(second)), "the first one is over");
        assert!(!slots.claim_evicted(older.slot, Evictor::of(first)));

        // An owner that has left, and whose slot is another's by now.
        let left = Address { generation: third.generation + 1, ..third };
        assert!(slots.has_collected(Evictor::of(left), pin));
        assert_ne!(Evictor::of(left), Evictor::of(third));

        assert!(slots.claim_evicted(older.slot, Evictor::of(second)));
        assert_eq!(evictor(), None);
        assert!(!slots.claim_evicted(older.slot, Evictor::of(second)), "once");
        slots.appoint_evictor(older.slot, third, pin);
        assert_eq!(evictor(), None, "it was handed over");
    });
}

#[test]
fn verdicts_are_those_of_a_slot() {
    with_entered(|slots, [first, second], pin| {
        let known = |slot| slots.verdicts(slot).read(pin).iter().map(|known| known.rival);
        for rivals in [vec![second], vec![first, second]] {
            let verdict = |&rival: &Address| Verdict { rival, same_id: true, same_node: false };
            slots.verdicts(first.slot).set(rivals.iter().map(verdict).collect(), pin);
            assert!(known(first.slot).eq(rivals));
            assert_eq!(known(second.slot).count(), 0);
        }
    });
}
