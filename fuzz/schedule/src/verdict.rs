//! Whether what the threads noted down is allowed.

use std::collections::BTreeMap;

use tandem_registry::{ClientKey, Policy, StreamKey};

use crate::{
    calls::Notes,
    input::Setup,
    linearizable::{
        check::is_linearizable,
        history::{Answer, Call, Event, History, Tag},
        shrink::minimized,
        spec::Rules,
    },
};

/// Panics if no order of the calls explains what was seen.
pub fn judge(notes: &mut [Notes], setup: Setup) {
    let tags = tags(notes);
    for notes in notes.iter_mut() {
        for (at, key) in std::mem::take(&mut notes.unnamed) {
            let tag = *tags.get(&key).unwrap_or_else(|| panic!("nobody was given {key:?}"));
            let event = &mut notes.events[at];
            match &mut event.call {
                Call::Visit(met) | Call::DisconnectKey(met) => *met = tag,
                _ => event.answer = Answer::Names(Some(tag)),
            }
        }
    }
    let own = notes.iter().map(|notes| notes.events.clone());
    let aside = notes.iter().flat_map(|notes| notes.aside.iter().cloned());
    let mut history = History(own.chain(aside).collect());
    history.find_holders();
    let policy = if setup.reject { Policy::Reject } else { Policy::Takeover };
    let rules = Rules { policy, limit: setup.max_clients };
    if !is_linearizable(&history, rules).0 {
        let shorter = minimized(&history, rules);
        panic!("{setup:?}: no order explains\n{shorter}\nwhich is a part of\n{history}");
    }
}

/// Each key was given to one client, and each stream key to one stream (B).
fn tags(notes: &[Notes]) -> BTreeMap<ClientKey, Tag> {
    let (mut tags, mut values) = (BTreeMap::new(), BTreeMap::<StreamKey, u16>::new());
    for notes in notes {
        for &(tag, key) in &notes.keys {
            let other = tags.insert(key, tag).filter(|&other| other != tag);
            assert_eq!(other, None, "{tag} has the same key: {key:?}");
        }
        for &(_, value, key) in &notes.streams {
            let other = values.insert(key, value).filter(|&other| other != value);
            assert_eq!(other, None, "{value} has the same key: {key:?}");
        }
    }
    tags
}

/// How many clients the last iteration of these met.
pub fn met_last(events: &[Event]) -> usize {
    let visits = events.iter().rev().skip(1);
    visits.take_while(|event| matches!(event.call, Call::Visit(_))).count()
}
