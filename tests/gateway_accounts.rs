//! The judges of the `gateway` example can be trusted: its ledger sees a leak and a second drop,
//! its sockets see a message that came to the wrong place or too late.

#![allow(dead_code, reason = "the example's own modules, of which a test needs a part")]

use std::{mem, sync::Arc};

use tokio::sync::{Notify, mpsc};

use crate::{
    directory::{Claim, Directory, Name, Stamp},
    ledger::Ledger,
    outbound::{Handed, Outbound},
};

#[path = "../examples/gateway/directory.rs"]
mod directory;
#[path = "../examples/gateway/ledger.rs"]
mod ledger;
#[path = "../examples/gateway/outbound.rs"]
mod outbound;
#[path = "../examples/gateway/protocol.rs"]
mod protocol;

fn stream(ledger: &'static Ledger) -> (Outbound, mpsc::Receiver<protocol::Frame>) {
    let (queue, frames) = mpsc::channel(1);
    (Outbound::new(ledger, 1, queue, Arc::new(Notify::new())), frames)
}

#[test]
fn the_ledger_counts_handles_and_clients() {
    let ledger = Ledger::open();
    let (one, _frames) = stream(ledger);
    let (two, _frames) = stream(ledger);
    let entry = ledger.enter();
    assert_eq!((ledger.streams(), ledger.connects(), ledger.disconnects()), (2, 1, 0));
    drop((one, entry));
    assert_eq!((ledger.streams(), ledger.connects(), ledger.disconnects()), (1, 1, 1));
    mem::forget(two);
    assert_eq!((ledger.streams(), ledger.double_drops()), (1, 0), "leaked");
}

#[test]
fn the_ledger_sees_a_second_drop() {
    let ledger = Ledger::open();
    let (stream, frames) = stream(ledger);
    // SAFETY: the copy owns parts that the original frees, and is made never to touch them: a
    // second drop only forgets them. That is what this test is about.
    let copy = unsafe { std::ptr::read(&stream) };
    drop(stream);
    assert_eq!((ledger.streams(), ledger.double_drops()), (0, 0));
    drop(copy);
    assert_eq!((ledger.streams(), ledger.double_drops()), (0, 1));
    drop(frames);
}

#[test]
fn a_handle_says_whether_its_receiver_is_slow_or_gone() {
    let (stream, frames) = stream(Ledger::open());
    assert_eq!(stream.hand("MSG a b".into()), Handed::Over);
    assert_eq!(stream.hand("MSG a c".into()), Handed::Slow);
    drop(frames);
    assert_eq!(stream.hand("MSG a d".into()), Handed::Dead);
}

#[test]
fn a_socket_admits_only_what_was_sent_to_it() {
    let directory = Directory::new(3);
    let name = Name { client: 2, generation: 4 };
    let text = |name, oldest| Stamp { name, oldest }.to_string();
    let socket = Claim::new(name, 7);

    directory.publish(name, 7);
    let (found, oldest) = directory.look_up(2);
    assert!(found == name && oldest == 7);
    assert!(socket.admits(&text(found, oldest)));
    assert!(socket.admits(&text(name, 6)), "sent before this incarnation, routed after");

    assert!(!socket.admits(&text(name, 8)), "sent when a newer incarnation was confirmed");
    assert!(!socket.admits(&text(Name { client: 1, ..name }, 7)), "another client's");
    assert!(!socket.admits(&text(Name { generation: 3, ..name }, 7)), "another name's");
    assert!(!socket.admits("garbled") && !socket.admits("c2.4 x") && !socket.admits(""));
}
