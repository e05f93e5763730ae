//! What the exit codes of `gatecheck` mean.

use std::process::ExitCode;

/// How a run ended. The codes are part of the interface that CI gates on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: everything that was run is as required.
    Conformant,
    /// 1: a requirement does not hold.
    NotConformant,
    /// 2: the command line, a file or a setting is wrong.
    Usage,
    /// 3: this host kept the cases waiting so long that they say nothing.
    Inconclusive,
    /// 4: the subject could not be started, or died.
    Subject,
    /// 5: the harness failed.
    Harness,
    /// 6: nothing failed, and something that was judged stayed undecided, or a requirement of the core level was not judged that the design has a place for.
    Incomplete,
    /// 130: interrupted.
    Interrupted,
}

impl Exit {
    /// Every ending with its meaning, for help texts.
    pub const MEANINGS: &'static str = "Exit codes:\n  \
        0    conformant\n  \
        1    not conformant\n  \
        2    wrong usage or configuration; or nothing was judged, since every case was left out\n  \
        3    inconclusive: this host was too busy to tell\n  \
        4    the subject could not be started, or died\n  \
        5    the harness failed\n  \
        6    incomplete: nothing failed, but something that was judged stayed undecided, or a core requirement was not judged that the design has a place for\n  \
        130  interrupted";

    /// It in a sign and in words, for reports.
    pub fn sentence(self) -> (&'static str, &'static str) {
        match self {
            Self::Conformant => ("✅", "conformant"),
            Self::NotConformant => ("❌", "not conformant"),
            Self::Usage => ("❌", "wrong usage or configuration"),
            Self::Inconclusive => ("❔", "inconclusive: this host was too busy to tell"),
            Self::Subject => ("❌", "the subject could not be started, or died"),
            Self::Harness => ("❌", "the harness failed"),
            Self::Incomplete => {
                ("❔", "incomplete: something stayed undecided, or was not judged that must be")
            }
            Self::Interrupted => ("❌", "interrupted"),
        }
    }

    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Self::Conformant => 0,
            Self::NotConformant => 1,
            Self::Usage => 2,
            Self::Inconclusive => 3,
            Self::Subject => 4,
            Self::Harness => 5,
            Self::Incomplete => 6,
            Self::Interrupted => 130,
        }
    }
}

/// How `gatecheck bench compare` ended, where it came to an end; else as [`Exit`] says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ComparisonExit {
    /// 0: the builds are the same within what does not matter.
    Same,
    /// 1: the new build is slower, or loses more.
    Slower,
    /// 3: this host is too noisy to say.
    TooNoisy,
    /// 7: the new build is faster.
    Faster,
    /// 130: interrupted.
    Interrupted,
}

impl ComparisonExit {
    /// Every ending with its meaning, for help texts.
    pub const MEANINGS: &'static str = "Exit codes:\n  \
        0    the same within the difference that does not matter (or allowed by `--allow`)\n  \
        1    slower in some measure, or deliveries were lost that the base did not lose\n  \
        2    wrong usage, workload or profile; or a revision that cannot be built\n  \
        3    too noisy to say\n  \
        4    a build could not be started, did not let every client in, got no events, or died\n  \
        5    the harness failed\n  \
        7    faster in some measure, and slower in none\n  \
        130  interrupted";

    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Self::Same => Exit::Conformant.code(),
            Self::Slower => Exit::NotConformant.code(),
            Self::TooNoisy => Exit::Inconclusive.code(),
            Self::Faster => 7,
            Self::Interrupted => Exit::Interrupted.code(),
        }
    }
}

impl From<ComparisonExit> for ExitCode {
    fn from(exit: ComparisonExit) -> Self {
        Self::from(exit.code())
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
