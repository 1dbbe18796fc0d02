//! Raw sockets to a `gateway --listen`, and the two bystanders that must not notice anything.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use socket2::SockRef;

use crate::gateway::{Gateway, binary};

/// For whatever the gateway owes a peer, on a machine that may be busy with other things.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// A gateway that serves at a free port.
pub struct Serving {
    pub gateway: Gateway,
    address: SocketAddr,
}

impl Serving {
    pub fn start(flags: &[&str]) -> Self {
        Self::start_by(Command::new(binary()).args(["--listen", "127.0.0.1:0"]).args(flags))
    }

    pub fn start_by(command: &mut Command) -> Self {
        let gateway = Gateway::start(command);
        let line =
            gateway.stdout.recv_timeout(PATIENCE).expect("the gateway says where it listens");
        let address = line.strip_prefix("listening on ").expect("that line comes first");
        let address = address.trim_end().parse().expect("an address follows");
        Self { gateway, address }
    }

    pub fn connect(&self) -> Peer {
        Peer::connect(self.address)
    }

    pub fn join(&self, node: &str) -> Peer {
        let mut peer = self.connect();
        peer.ask(&format!("JOIN {node}"), "OK");
        peer
    }

    pub fn bystanders(&self) -> Bystanders {
        Bystanders { one: self.join("bystander-1"), two: self.join("bystander-2") }
    }
}

/// A raw socket, and the lines that it reads.
pub struct Peer(pub BufReader<TcpStream>);

impl Peer {
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&address, PATIENCE).expect("the gateway accepts");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket takes a timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("a socket takes a timeout");
        stream.set_nodelay(true).expect("a socket takes TCP_NODELAY");
        Self(BufReader::with_capacity(2048, stream))
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.get_mut().write_all(bytes.as_ref()).expect("the gateway reads");
    }

    /// The next line, without its end.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("the gateway answers in time, in UTF-8");
        assert_eq!(line.pop(), Some('\n'), "the gateway hung up after {line:?}");
        line
    }

    #[track_caller]
    pub fn expect(&mut self, expected: &str) {
        assert_eq!(self.line(), expected);
    }

    #[track_caller]
    pub fn ask(&mut self, request: &str, reply: &str) {
        self.send(format!("{request}\n"));
        assert_eq!(self.line(), reply, "to {:.80}", request);
    }

    #[track_caller]
    pub fn expect_error(&mut self) {
        let line = self.line();
        assert!(line.starts_with("ERR "), "{line}");
    }

    /// Nothing more comes: the gateway has hung up.
    #[track_caller]
    pub fn expect_end(&mut self) {
        let mut rest = Vec::new();
        self.0.read_to_end(&mut rest).expect("an orderly end");
        assert_eq!(String::from_utf8_lossy(&rest), "");
    }

    /// Resets the connection.
    pub fn crash(self) {
        let linger = SockRef::from(self.0.get_ref()).set_linger(Some(Duration::ZERO));
        linger.expect("a socket takes SO_LINGER");
    }
}

/// Two clients that mind their own business.
pub struct Bystanders {
    pub one: Peer,
    pub two: Peer,
}

impl Bystanders {
    #[track_caller]
    pub fn are_unharmed(&mut self) {
        self.one.ask("SEND bystander-2 still there?", "OK");
        self.two.expect("MSG bystander-1 still there?");
        self.two.ask("SEND bystander-1 yes", "OK");
        self.one.expect("MSG bystander-2 yes");
        self.one.ask("PING", "PONG");
    }
}

/// Asks again until it is so: the gateway learns of a reset a moment later.
#[track_caller]
pub fn eventually(mut so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}");
        thread::sleep(Duration::from_millis(10));
    }
}
