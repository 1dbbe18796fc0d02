//! What the rounds showed, as a Markdown table.

use std::fmt::{self, Display, Formatter};

use crate::{jobs::Unit, rounds::Rates};

/// One job at one size: what each design did, the crate first.
pub struct Row {
    pub job: String,
    pub clients: usize,
    pub threads: usize,
    pub unit: Unit,
    pub rates: Vec<Rates>,
}

impl Row {
    /// How many times as fast as the best of the others the crate is.
    pub fn ratio_to_best_peer(&self) -> f64 {
        self.rates[0].ratio_to(self.best_peer())
    }

    /// How many times as fast as one of the others the crate is.
    pub fn ratio_to(&self, design: &str) -> f64 {
        let peer = self.rates.iter().find(|rates| rates.design == design);
        self.rates[0].ratio_to(peer.expect("one of the designs"))
    }

    fn best_peer(&self) -> &Rates {
        let peers = self.rates[1..].iter();
        peers.max_by(|a, b| a.median().total_cmp(&b.median())).expect("there are peers")
    }

    /// The heading of a table of such rows.
    pub fn heading(&self) -> String {
        let designs: Vec<_> = self.rates.iter().map(|rates| rates.design).collect();
        let rule = "|---".repeat(3) + &"|---:".repeat(designs.len());
        format!("| job | clients | threads | {} |\n{rule}|", designs.join(" | "))
    }
}

/// Each cell: the absolute, and beside it the ratio to the best peer.
impl Display for Row {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { job, threads, unit, .. } = self;
        write!(f, "| {job} | {} | {threads} |", size(self.clients))?;
        let best = self.best_peer();
        for rates in &self.rates {
            let rate = rates.median();
            let absolute = match unit {
                Unit::Nanos => format!("{:.1} ns", 1e9 / rate),
                Unit::MillionsPerSecond => format!("{:.2} M/s", rate / 1e6),
            };
            write!(f, " {absolute}, {:.2}x |", rates.ratio_to(best))?;
        }
        Ok(())
    }
}

/// `1k`, `100k`, `1M`.
fn size(clients: usize) -> String {
    match clients {
        whole if whole >= 1_000_000 && whole.is_multiple_of(1_000_000) => {
            format!("{}M", whole / 1_000_000)
        }
        whole if whole >= 1_000 && whole.is_multiple_of(1_000) => format!("{}k", whole / 1_000),
        other => other.to_string(),
    }
}
