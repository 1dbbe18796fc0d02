//! What a run showed: samples, rates and faults, as tables for people or as JSON for programs.

use std::{fmt::Display, sync::Arc, time::Duration};

use comfy_table::{CellAlignment, LineStyle, Table, TableStyle};
use serde::Serialize;

use crate::{designs::Design, ledger::Ledger, tally::Tally};

/// Columns by spaces alone, and a line below their heads.
const STYLE: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// The state of a gateway at a moment when nothing was on its way.
#[derive(Serialize)]
pub struct Sample {
    pub seconds: f64,
    pub connects: u64,
    pub disconnects: u64,
    /// Clients by the design's own count.
    pub clients: usize,
    /// Clients by the sockets.
    pub joined: usize,
    /// Stream handles alive by the ledger.
    pub streams: usize,
    /// Stream handles alive beyond one for each joined socket.
    pub leaked: i64,
}

impl Sample {
    pub fn take<D: Design>(driven: Duration, ledger: &Ledger, design: &D, joined: usize) -> Self {
        let streams = ledger.streams();
        Self {
            seconds: driven.as_secs_f64(),
            connects: ledger.connects(),
            disconnects: ledger.disconnects(),
            clients: design.clients(),
            joined,
            streams,
            leaked: streams as i64 - joined as i64,
        }
    }
}

/// All that one run showed.
#[derive(Serialize)]
pub struct Outcome {
    design: &'static str,
    samples: Vec<Sample>,
    connects_per_second: f64,
    messages_per_second: f64,
    double_drops: u64,
    /// Stream handles alive after the design itself was dropped.
    never_dropped: usize,
    traffic: Arc<Tally>,
    faults: Vec<String>,
}

impl Outcome {
    /// To be called when the gateway is stopped and its design dropped.
    pub fn new(
        design: &'static str,
        driven: Duration,
        samples: Vec<Sample>,
        ledger: &Ledger,
        traffic: Arc<Tally>,
    ) -> Self {
        let per_second = |count: u64| (count as f64 / driven.as_secs_f64()).round();
        let mut outcome = Self {
            design,
            samples,
            connects_per_second: per_second(ledger.connects()),
            messages_per_second: per_second(traffic.delivered.get()),
            double_drops: ledger.double_drops(),
            never_dropped: ledger.streams(),
            traffic,
            faults: Vec::new(),
        };
        outcome.faults = outcome.find_faults();
        outcome
    }

    pub fn design(&self) -> &str {
        self.design
    }

    pub fn faults(&self) -> &[String] {
        &self.faults
    }

    fn leaked(&self) -> i64 {
        self.samples.last().map_or(0, |sample| sample.leaked)
    }

    fn find_faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut fault = |is: bool, what: String| faults.extend(is.then_some(what));
        let leaks = self.samples.iter().map(|sample| sample.leaked);
        let most = leaks.clone().max().unwrap_or(0);
        let least = leaks.min().unwrap_or(0);
        fault(most > 0, format!("{most} streams leaked"));
        fault(least < 0, format!("{} joined clients without a stream", -least));
        for Sample { clients, joined, .. } in &self.samples {
            fault(
                clients != joined,
                format!("counts {clients} clients where the sockets count {joined}"),
            );
        }
        let Tally { misroutes, lost, delivered, .. } = &*self.traffic;
        fault(misroutes.get() > 0, format!("{} messages misrouted", misroutes.get()));
        fault(self.double_drops > 0, format!("{} streams dropped twice", self.double_drops));
        fault(self.never_dropped > 0, format!("{} streams never dropped", self.never_dropped));
        fault(lost.get() > 0, format!("{} connections lost", lost.get()));
        fault(delivered.get() == 0, "no message delivered".to_owned());
        faults
    }
}

/// The runs of all designs under one load.
#[derive(Serialize)]
pub struct Report {
    pub clients: u32,
    pub max_clients: usize,
    pub seconds: u64,
    pub seed: u64,
    pub designs: Vec<Outcome>,
    /// No fault in the design that the exit status is about.
    pub ok: bool,
}

impl Report {
    pub fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self)
    }

    pub fn tables(&self) -> String {
        let Self { clients, max_clients, seconds, seed, designs, .. } = self;
        let mut text = format!(
            "{clients} TCP clients, a pool of {max_clients}, {seconds} s a design, seed {seed}\n"
        );
        for outcome in designs {
            text += &format!("\n{}\n{}\n", outcome.design, growth(outcome));
        }
        text += &format!("\nall designs\n{}\n", comparison(designs));
        for outcome in designs {
            for fault in &outcome.faults {
                text += &format!("{}: {fault}\n", outcome.design);
            }
        }
        text
    }
}

/// The table of the leak: what a gateway holds as time goes by.
fn growth(outcome: &Outcome) -> Table {
    let header = ["Time", "Connects", "Disconnects", "clients", "client_streams", "Leaked"];
    let last = outcome.samples.len() - 1;
    table(
        header,
        outcome.samples.iter().enumerate().map(|(index, sample)| {
            let time = if index == last {
                "stopped".to_owned()
            } else {
                format!("T+{:.1}s", sample.seconds)
            };
            let Sample { connects, disconnects, clients, streams, leaked, .. } = sample;
            [&time as &dyn Display, connects, disconnects, clients, streams, leaked]
                .map(ToString::to_string)
        }),
    )
}

fn comparison(designs: &[Outcome]) -> Table {
    let header = [
        "Design",
        "connects/s",
        "messages/s",
        "refused",
        "takeovers",
        "crashes",
        "dead routes",
        "misroutes",
        "double drops",
        "leaked",
    ];
    table(
        header,
        designs.iter().map(|outcome| {
            let traffic = &outcome.traffic;
            [
                &outcome.design as &dyn Display,
                &outcome.connects_per_second,
                &outcome.messages_per_second,
                &traffic.refused.get(),
                &traffic.takeovers.get(),
                &traffic.crashes.get(),
                &traffic.dead_routes.get(),
                &traffic.misroutes.get(),
                &outcome.double_drops,
                &outcome.leaked(),
            ]
            .map(ToString::to_string)
        }),
    )
}

fn table<const N: usize>(header: [&str; N], rows: impl Iterator<Item = [String; N]>) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE).set_header(header).add_rows(rows);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
