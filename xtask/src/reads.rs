//! Which of the values that a word once had a load of a loom model returns.

/// As `LOOM_READS` has it.
#[derive(Clone, Copy, clap::ValueEnum)]
pub enum Reads {
    /// The newest: every order of steps.
    Newest,
    /// Each that the memory model allows: far more executions.
    Any,
}

impl Reads {
    pub fn name(self) -> &'static str {
        match self {
            Self::Newest => "newest",
            Self::Any => "any",
        }
    }

    /// What is said of a campaign.
    pub fn said(self) -> &'static str {
        match self {
            Self::Newest => "newest values read",
            Self::Any => "all values read that the memory model allows",
        }
    }
}
