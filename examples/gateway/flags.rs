//! The command line.

use std::net::SocketAddr;

use clap::{CommandFactory, Parser, ValueEnum, error::ErrorKind};

/// Files that the process needs beside its clients' sockets.
const OTHER_FILES: u64 = 128;
/// Sockets that one client of the load may hold at a time, the gateway's ends included.
const FILES_PER_CLIENT: u64 = 6;

/// A TCP gateway on loopback, on top of tandem-registry.
///
/// Without --listen it drives itself: real TCP clients join, route messages, leave, reconnect
/// before the old socket has gone, crash, and find the pool full; the same load in turn on the
/// registry, on two maps that nothing links, and on two maps kept in step by hand.
#[derive(Parser)]
#[command(name = "gateway")]
pub struct Flags {
    /// Serve only, at this loopback address (port 0: any free one), until Ctrl-C. Speak to it
    /// with `nc`: JOIN <node>, SEND <node> <text>, PING, LEAVE
    #[arg(long, value_name = "ADDR", value_parser = loopback)]
    #[arg(conflicts_with_all = ["clients", "seconds", "seed", "json", "judge"])]
    pub listen: Option<SocketAddr>,

    /// Clients of the load
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub clients: u32,

    /// Seconds that each design is driven
    #[arg(long, value_name = "S", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub seconds: u64,

    /// Clients that the pool takes at a time [default: nine tenths of --clients, so that it fills
    /// up; 10000 with --listen]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub max_clients: Option<u32>,

    /// Seed of the clients' choices
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,

    /// Print one JSON object instead of tables
    #[arg(long)]
    pub json: bool,

    /// The design whose faults make the exit status 1
    #[arg(long, value_name = "DESIGN", default_value = "registry")]
    pub judge: Which,
}

/// One of the designs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Which {
    Registry,
    Naive,
    Careful,
}

impl Which {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Registry => "registry",
            Self::Naive => "naive",
            Self::Careful => "careful",
        }
    }
}

impl Flags {
    /// Reads the command line. Ends the process with status 2 if it makes no sense.
    pub fn read() -> Self {
        let flags = Self::parse();
        let limit = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(u64::MAX);
        let needed = u64::from(flags.clients) * FILES_PER_CLIENT + OTHER_FILES;
        if flags.listen.is_none() && needed > limit {
            let most = limit.saturating_sub(OTHER_FILES) / FILES_PER_CLIENT;
            let message = format!(
                "--clients {} needs more files than the limit of {limit} allows: at most {most} here",
                flags.clients
            );
            Self::command().error(ErrorKind::ValueValidation, message).exit();
        }
        flags
    }

    pub fn max_clients(&self) -> usize {
        let default = match self.listen {
            Some(_) => 10_000,
            None => (self.clients * 9 / 10).max(1),
        };
        self.max_clients.unwrap_or(default) as usize
    }
}

fn loopback(address: &str) -> Result<SocketAddr, String> {
    let parsed: SocketAddr = address
        .parse()
        .map_err(|_| "expected an address and a port, like 127.0.0.1:7000".to_owned())?;
    let local = parsed.ip().is_loopback();
    local
        .then_some(parsed)
        .ok_or_else(|| "the gateway knows no passwords: loopback addresses only".to_owned())
}
