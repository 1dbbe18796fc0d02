//! The `gateway` example with `--listen`, over raw sockets: garbage, half frames, over-long frames,
//! peers that never read, resets, a full pool, and as many connections as the file limit allows.
//!
//! Two bystanders talk through the gateway all the while: whatever one peer does, it harms nobody
//! else's connection.

mod gateway;
#[path = "gateway/peer.rs"]
mod peer;

use std::{io::Write, iter, net::Shutdown, process::Command, thread, time::Duration};

use gateway::binary;
use peer::{PATIENCE, Peer, Serving, eventually};
use rand::{Rng, SeedableRng, rngs::SmallRng};

/// Lines longer than this are refused, ends not counted.
const MAX_LINE: usize = 1024;

#[test]
fn clients_converse_by_node_id() {
    let gateway = Serving::start(&[]);
    let (mut ann, mut bob) = (gateway.connect(), gateway.connect());
    ann.ask("SEND bob too early", "ERR not joined");
    ann.ask("LEAVE", "ERR not joined");
    ann.ask("JOIN ann", "OK");
    ann.ask("JOIN ann", "ERR already joined: LEAVE first");
    ann.ask("SEND bob hello", "ERR no such node");
    bob.ask("JOIN bob\r", "OK");
    ann.ask("SEND bob hello,  Bob ", "OK");
    bob.expect("MSG ann hello,  Bob ");
    bob.ask("SEND ann grüß dich\r", "OK");
    ann.expect("MSG bob grüß dich");
    ann.ask("SEND ann note to self", "MSG ann note to self");
    ann.expect("OK");
    bob.ask("LEAVE", "OK");
    ann.ask("SEND bob hello", "ERR no such node");
    bob.ask("JOIN robert", "OK");
    ann.ask("SEND robert hello", "OK");
    bob.expect("MSG ann hello");

    // As `printf 'PING\n' | nc` does: the last word is answered after the peer's end was seen.
    bob.send("PING\nLEAVE\n");
    bob.0.get_ref().shutdown(Shutdown::Write).expect("a socket can be shut down by half");
    bob.expect("PONG");
    bob.expect("OK");
    bob.expect_end();
}

#[test]
fn a_takeover_ends_the_old_connection_and_nothing_of_the_new_one() {
    let gateway = Serving::start(&["--max-clients", "3"]);
    let mut bystanders = gateway.bystanders();
    let mut old = gateway.join("node");
    for round in 0..20 {
        // The pool is full: a takeover needs no place of its own.
        let new = gateway.join("node");
        bystanders.one.ask(&format!("SEND node {round}"), "OK");
        old.expect("ERR taken over");
        old.expect_end();
        old = new;
        old.expect(&format!("MSG bystander-1 {round}"));
        bystanders.are_unharmed();
    }
}

#[test]
fn a_full_pool_refuses_newcomers_until_somebody_goes() {
    let gateway = Serving::start(&["--max-clients", "3"]);
    let mut bystanders = gateway.bystanders();
    let mut third = gateway.join("third");
    let mut fourth = gateway.connect();
    fourth.ask("JOIN fourth", "ERR full");
    fourth.ask("PING", "PONG");
    third.ask("LEAVE", "OK");
    fourth.ask("JOIN fourth", "OK");
    third.ask("JOIN third", "ERR full");
    fourth.crash();
    eventually(|| {
        third.send("JOIN third\n");
        third.line() == "OK"
    });
    bystanders.are_unharmed();
}

#[test]
fn garbage_gets_an_error_a_line_and_harms_nobody() {
    let gateway = Serving::start(&[]);
    let mut bystanders = gateway.bystanders();
    let mut rng = SmallRng::seed_from_u64(3);
    for _ in 0..50 {
        let mut garbage = vec![0; 4096];
        rng.fill_bytes(&mut garbage);
        garbage.push(b'\n');
        let lines = garbage.iter().filter(|&&byte| byte == b'\n').count();
        let mut peer = gateway.connect();
        peer.send(&garbage);
        for _ in 0..lines {
            peer.expect_error();
        }
        peer.ask("PING", "PONG");
        bystanders.are_unharmed();
    }

    let mut peer = gateway.join("peer");
    let cases = [
        ("", "ERR expected JOIN <node>, SEND <to> <text>, PING or LEAVE"),
        ("ping", "ERR expected JOIN <node>, SEND <to> <text>, PING or LEAVE"),
        ("PING PONG", "ERR PING and LEAVE stand alone"),
        ("LEAVE now", "ERR PING and LEAVE stand alone"),
        ("SEND", "ERR SEND needs a node id and a text"),
        ("SEND peer", "ERR SEND needs a node id and a text"),
        ("SEND peer ", "ERR SEND needs a node id and a text"),
        ("SEND  text", "ERR a node id is 1 to 64 bytes without spaces"),
        ("SEND bystander-1 \u{1b}[2J", "ERR not a line of text (UTF-8 without control characters)"),
        ("SEND bystander-1 \0", "ERR not a line of text (UTF-8 without control characters)"),
    ];
    for (request, reply) in cases {
        peer.ask(request, reply);
    }
    peer.ask("LEAVE", "OK");
    for node in ["", "a b", "a\u{2003}b", &"x".repeat(65)] {
        peer.ask(&format!("JOIN {node}"), "ERR a node id is 1 to 64 bytes without spaces");
    }
    peer.ask(&format!("JOIN {}", "x".repeat(64)), "OK");
    peer.send(b"SEND bystander-1 \xff\xfe\n");
    peer.expect("ERR not a line of text (UTF-8 without control characters)");
    bystanders.are_unharmed();
}

#[test]
fn half_frames_are_waited_for_and_forgotten_with_their_connection() {
    let gateway = Serving::start(&[]);
    let mut bystanders = gateway.bystanders();
    let mut slow = gateway.connect();
    for byte in b"JOIN slow\nPING\n".chunks(1) {
        slow.send(byte);
        bystanders.are_unharmed();
    }
    slow.expect("OK");
    slow.expect("PONG");

    slow.send("SEND bystander-1 half a ");
    bystanders.are_unharmed();
    slow.send("message\nPI");
    slow.expect("OK");
    bystanders.one.expect("MSG slow half a message");
    slow.0.get_ref().shutdown(Shutdown::Write).expect("a socket can be shut down by half");
    slow.expect("ERR the last line has no end");
    slow.expect_end();

    for end in [Peer::crash, drop] {
        for half in ["J", "JOIN half", "JOIN half\nSEND bystander-1 never"] {
            let mut peer = gateway.connect();
            peer.send(half);
            end(peer);
            bystanders.are_unharmed();
        }
    }
    eventually(|| {
        bystanders.one.send("SEND half gone?\n");
        bystanders.one.line() == "ERR no such node"
    });
}

#[test]
fn over_long_frames_are_refused_once_and_skipped() {
    let gateway = Serving::start(&[]);
    let mut bystanders = gateway.bystanders();
    let mut peer = gateway.join("peer");
    let frame = |length: usize, end: &str| format!("SEND peer {}{end}", "x".repeat(length - 10));
    for end in ["\n", "\r\n"] {
        peer.send(frame(MAX_LINE, end));
        peer.expect(&format!("MSG peer {}", "x".repeat(MAX_LINE - 10)));
        peer.expect("OK");
        for length in [MAX_LINE + 1, MAX_LINE + 2, 2 * MAX_LINE, 1 << 20] {
            peer.send(frame(length, end));
            peer.expect("ERR line longer than 1024 bytes");
            peer.ask("PING", "PONG");
        }
    }
    // Without an end in sight, the error comes all the same, and only once.
    for _ in 0..64 {
        peer.send([b'x'; 64 * 1024]);
        bystanders.are_unharmed();
    }
    peer.expect("ERR line longer than 1024 bytes");
    peer.send("\nPING\n");
    peer.expect("PONG");
    bystanders.are_unharmed();
}

#[test]
fn a_peer_that_never_reads_costs_its_senders_an_error_and_no_time() {
    let gateway = Serving::start(&[]);
    let mut bystanders = gateway.bystanders();
    let deaf = gateway.join("deaf");
    let mut sender = gateway.join("sender");
    let request = format!("SEND deaf {}", "x".repeat(1000));
    let slow = (0..100_000).find(|_| {
        sender.send(format!("{request}\n"));
        sender.line() == "ERR the receiver's queue is full"
    });
    assert!(slow.is_some(), "100 MB went into a queue of bounded length");
    sender.ask("PING", "PONG");
    bystanders.are_unharmed();

    // Nor does one who asks without end and never reads a reply.
    let mut asker = gateway.connect();
    asker.0.get_ref().set_nonblocking(true).expect("a socket takes O_NONBLOCK");
    let asked = asker.0.get_mut().write_all(&b"PING\n".repeat(4 << 20));
    assert!(asked.is_err(), "20 MB of requests were read, and their replies kept");
    bystanders.are_unharmed();
    deaf.crash();
    asker.crash();
    bystanders.are_unharmed();
}

#[test]
fn many_requests_in_one_write_are_answered_in_order() {
    let gateway = Serving::start(&[]);
    let mut peer = gateway.join("peer");
    let requests: String = (0..1000).map(|number| format!("PING\nSEND peer {number}\n")).collect();
    let mut writer = peer.0.get_ref().try_clone().expect("a socket can be cloned");
    let writing = thread::spawn(move || writer.write_all(requests.as_bytes()));
    for number in 0..1000 {
        peer.expect("PONG");
        // The queue may be full for a message, never for a reply.
        match &*peer.line() {
            "ERR the receiver's queue is full" => continue,
            message => assert_eq!(message, format!("MSG peer {number}")),
        }
        peer.expect("OK");
    }
    writing.join().expect("the writer returns").expect("the gateway reads");
}

#[test]
fn resets_give_every_place_back() {
    let gateway = Serving::start(&["--max-clients", "102"]);
    let mut bystanders = gateway.bystanders();
    for round in 0..5 {
        let mut peers: Vec<_> =
            (0..100).map(|peer| gateway.join(&format!("{round}.{peer}"))).collect();
        gateway.connect().ask("JOIN one-too-many", "ERR full");
        for peer in &mut peers {
            peer.send("SEND bystander-1 unfin");
        }
        peers.into_iter().for_each(Peer::crash);
        eventually(|| {
            let mut peer = gateway.connect();
            peer.send("JOIN probe\n");
            peer.line() == "OK"
        });
        eventually(|| {
            let joined: Vec<_> = (0..100)
                .map_while(|peer| {
                    let mut joining = gateway.connect();
                    joining.send(format!("JOIN again-{round}.{peer}\n"));
                    (joining.line() == "OK").then_some(joining)
                })
                .collect();
            joined.len() == 100
        });
        bystanders.are_unharmed();
    }
}

/// 10,000 of them where the limit on open files allows, which holds for the gateway's ends too.
#[test]
fn as_many_connections_as_there_can_be_are_served() {
    /// What the tests beside this one need.
    const OTHERS: u64 = 1000;
    let limit = rlimit::increase_nofile_limit(u64::MAX).expect("the limit on files can be read");
    let many = limit.saturating_sub(OTHERS).clamp(100, 10_000);
    let gateway = Serving::start(&["--max-clients", &many.to_string()]);
    let mut peers: Vec<_> = (0..many).map(|peer| gateway.join(&format!("n{peer}"))).collect();
    gateway.connect().ask("JOIN one-too-many", "ERR full");

    // Each hears from its neighbour, all at a time.
    let neighbours = (1..many).chain(iter::once(0));
    for (peer, neighbour) in peers.iter_mut().zip(neighbours) {
        peer.send(format!("SEND n{neighbour} hello\n"));
    }
    for (peer, number) in peers.iter_mut().zip(0..many) {
        let mut lines = [peer.line(), peer.line()];
        lines.sort();
        let before = number.checked_sub(1).unwrap_or(many - 1);
        assert_eq!(lines, [format!("MSG n{before} hello"), "OK".to_owned()]);
    }
    // Half go politely, half do not, and their places are free again.
    for (number, peer) in peers.into_iter().enumerate() {
        if number % 2 == 0 { drop(peer) } else { peer.crash() }
    }
    eventually(|| {
        let mut peer = gateway.connect();
        peer.send("JOIN newcomer\n");
        peer.line() == "OK"
    });
}

#[cfg(unix)]
#[test]
fn running_out_of_files_delays_newcomers_and_harms_nobody() {
    let command = format!("ulimit -n 40 && exec '{}' --listen 127.0.0.1:0", binary().display());
    let gateway = Serving::start_by(Command::new("sh").args(["-c", &command]));
    let mut bystanders = gateway.bystanders();
    let mut crowd: Vec<_> = (0..60).map(|_| gateway.connect()).collect();
    for peer in &mut crowd {
        peer.send("PING\n");
    }
    crowd[0].expect("PONG");
    thread::sleep(Duration::from_millis(100));
    bystanders.are_unharmed();
    // The kernel holds the last of them in its queue, until there are files again.
    let mut last = crowd.pop().expect("sixty");
    drop(crowd);
    last.expect("PONG");
    last.ask("JOIN last", "OK");
    bystanders.are_unharmed();
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_the_gateway_and_hangs_up_on_everybody() {
    let gateway = Serving::start(&[]);
    let mut peer = gateway.join("peer");
    let mut idle = gateway.connect();
    idle.ask("PING", "PONG");
    let kill =
        Command::new("kill").args(["-INT", &gateway.gateway.child.id().to_string()]).status();
    assert!(kill.is_ok_and(|status| status.success()));
    peer.expect_end();
    idle.expect_end();
    let ended = gateway.gateway.finish(PATIENCE);
    assert_eq!((ended.status, &*ended.stdout, &*ended.stderr), (Some(0), "", ""));
}
