//! A TCP gateway on top of the registry, and a load that shows what it is good for.
//!
//! `cargo run --release --example gateway` drives the gateway with real TCP clients on loopback,
//! in turn on three designs, and prints what each of them held, leaked and misrouted.
//! `cargo run --release --example gateway -- --listen 127.0.0.1:7000` serves only: try it with
//! `nc 127.0.0.1 7000`.
//!
//! Read `designs/registry.rs` for the registry's part, `connection.rs` for a connection's life,
//! `directory.rs` and `ledger.rs` for how the designs are judged.
//!
//! Exit status: 0 if the registry did well; 1 if it leaked, misrouted or dropped twice, or if the
//! gateway cannot run; 2 for flags that make no sense.

mod client;
mod connection;
mod designs;
mod directory;
mod flags;
mod ledger;
mod lines;
mod load;
mod outbound;
mod protocol;
mod report;
mod server;
mod socket;
mod tally;

use std::{
    io::{self, Write},
    net::SocketAddr,
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};

use crate::{
    designs::{Careful, Design, Naive, Tandem},
    flags::{Flags, Which},
    ledger::Ledger,
    load::Plan,
    report::Report,
    server::Gateway,
};

#[tokio::main]
async fn main() -> ExitCode {
    let flags = Flags::read();
    let done = match flags.listen {
        Some(address) => serve(address, flags.max_clients()).await.map(|()| true),
        None => compare(&flags).await,
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("gateway: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Serves whoever connects, until Ctrl-C.
async fn serve(address: SocketAddr, max_clients: usize) -> io::Result<()> {
    let design = Arc::new(Tandem::new(max_clients));
    let gateway = Gateway::start(address, design, Ledger::open()).map_err(|error| {
        io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
    })?;
    let announcement = async { writeln!(io::stdout(), "listening on {}", gateway.address()) };
    // In this order: whoever reads the announcement may interrupt the gateway at once.
    tokio::try_join!(biased; tokio::signal::ctrl_c(), announcement)?;
    gateway.stop().await;
    Ok(())
}

/// Drives every design, and says whether the one to be judged did well.
async fn compare(flags: &Flags) -> io::Result<bool> {
    let plan = Plan {
        clients: flags.clients,
        duration: Duration::from_secs(flags.seconds),
        max_clients: flags.max_clients(),
        seed: flags.seed,
    };
    // The bar goes to standard error, and only to a terminal.
    let bar = ProgressBar::new(3 * plan.duration.as_millis() as u64);
    let style = ProgressStyle::with_template("{prefix:8} [{bar:30}] {percent:>3}%  {msg}")
        .map_err(io::Error::other)?;
    bar.set_style(style.progress_chars("=> "));
    let designs = vec![
        load::run::<Tandem>(Which::Registry.name(), &plan, &bar).await?,
        load::run::<Naive>(Which::Naive.name(), &plan, &bar).await?,
        load::run::<Careful>(Which::Careful.name(), &plan, &bar).await?,
    ];
    bar.finish_and_clear();

    let ok = designs
        .iter()
        .all(|outcome| outcome.design() != flags.judge.name() || outcome.faults().is_empty());
    let Flags { clients, seconds, seed, .. } = *flags;
    let report = Report { clients, max_clients: plan.max_clients, seconds, seed, designs, ok };
    let text = if flags.json { report.json()? + "\n" } else { report.tables() };
    io::stdout().write_all(text.as_bytes())?;
    Ok(ok)
}
