//! Drives one design with real TCP clients, and takes samples while they hold still.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use indicatif::ProgressBar;
use tokio::{
    select,
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::{
    client::Client,
    designs::Design,
    directory::Directory,
    ledger::Ledger,
    report::{Outcome, Sample},
    server::Gateway,
    tally::Tally,
};

/// Samples of a run, the first and the last not counted.
const SAMPLES: u32 = 5;
/// How often the progress bar moves.
const REFRESH: Duration = Duration::from_millis(100);
/// How long the gateway may take to notice that sockets are gone.
const SETTLING: Duration = Duration::from_secs(10);

/// The load, the same for every design.
pub struct Plan {
    pub clients: u32,
    pub duration: Duration,
    pub max_clients: usize,
    pub seed: u64,
}

/// Starts a gateway on a design, drives it, ends it, and says what came of it.
pub async fn run<D: Design>(
    name: &'static str,
    plan: &Plan,
    bar: &ProgressBar,
) -> io::Result<Outcome> {
    let ledger = Ledger::open();
    let design = Arc::new(D::new(plan.max_clients));
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let gateway = Gateway::start(anywhere, Arc::clone(&design), ledger)?;

    let directory = Arc::new(Directory::new(plan.clients));
    let tally = Arc::new(Tally::default());
    let mut clients: Vec<_> = (0..plan.clients)
        .map(|client| {
            Client::new(
                client,
                plan.seed,
                gateway.address(),
                Arc::clone(&directory),
                Arc::clone(&tally),
            )
        })
        .collect();

    bar.set_prefix(name);
    let progress = Progress { bar, before: bar.position(), duration: plan.duration, ledger };
    let mut driven = Duration::ZERO;
    let mut samples = vec![Sample::take(driven, ledger, &*design, 0)];
    for _ in 0..SAMPLES {
        let start = Instant::now();
        let part = drive(clients, start + plan.duration / SAMPLES);
        clients = select! {
            clients = part => clients,
            never = progress.keep_showing(driven, start) => match never {},
        };
        driven += start.elapsed();
        let joined = clients.iter().filter(|client| client.is_joined()).count();
        settle(ledger, &*design, joined).await;
        samples.push(Sample::take(driven, ledger, &*design, joined));
    }

    // The clients are still connected: their ends come by cancelled tasks.
    gateway.stop().await;
    settle(ledger, &*design, 0).await;
    samples.push(Sample::take(driven, ledger, &*design, 0));
    drop(design);
    progress.show(plan.duration);
    Ok(Outcome::new(name, driven, samples, ledger, tally))
}

/// Lets every client do as it likes until the deadline. Returns when the last has finished what it
/// was doing.
async fn drive(clients: Vec<Client>, deadline: Instant) -> Vec<Client> {
    let lives: JoinSet<_> = clients.into_iter().map(|client| client.live_until(deadline)).collect();
    lives.join_all().await
}

/// Waits until the gateway knows of no more clients than the sockets do.
async fn settle<D: Design>(ledger: &Ledger, design: &D, joined: usize) {
    let deadline = Instant::now() + SETTLING;
    while ledger.clients() != joined as u64 && Instant::now() < deadline {
        sleep(Duration::from_millis(1)).await;
    }
    design.settle();
}

/// One design's part of the progress bar.
struct Progress<'a> {
    bar: &'a ProgressBar,
    before: u64,
    duration: Duration,
    ledger: &'static Ledger,
}

enum Never {}

impl Progress<'_> {
    fn show(&self, driven: Duration) {
        let connects = self.ledger.connects();
        let clients = self.ledger.clients();
        let streams = self.ledger.streams();
        self.bar.set_message(format!("{connects} connects, {clients} clients, {streams} streams"));
        self.bar.set_position(self.before + driven.min(self.duration).as_millis() as u64);
    }

    /// Shows how far it has come, over and over again.
    async fn keep_showing(&self, driven: Duration, start: Instant) -> Never {
        loop {
            self.show(driven + start.elapsed());
            sleep(REFRESH).await;
        }
    }
}
