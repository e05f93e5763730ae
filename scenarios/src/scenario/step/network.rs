//! What the network does to connections.

use std::fmt;
use std::num::{NonZeroU32, NonZeroUsize};

use serde::{Deserialize, Serialize};

use crate::network::{Change, Conditions, Cut, Lane};
use crate::scenario::is_default;
use crate::times::{Expr, Times};

/// What the network does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "expected `\"clear\"`, `\"end\"`, `\"reset\"`, `\"lose\"`, or `{ to_subject = …, from_subject = … }`"
)]
pub enum NetworkAct {
    /// It acts at once on the connections that there are, or becomes whole again.
    Sudden(Sudden),
    /// It treats bytes so from now on, also those of connections to come.
    Shape(Shape),
}

/// What needs no details.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sudden {
    /// Nothing is wrong any more.
    Clear,
    /// Connections end as if the other side had ended them (FIN).
    End,
    /// Connections are reset (RST).
    Reset,
    /// Connections carry nothing from now on, and neither end learns of it; those to come are whole.
    Lose,
}

/// How bytes are treated. A direction that is not named is whole.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Shape {
    /// Both directions.
    #[serde(skip_serializing_if = "is_default")]
    pub both: LaneSpec,
    /// Towards what is judged, where it differs.
    pub to_subject: Option<LaneSpec>,
    /// From what is judged, where it differs.
    pub from_subject: Option<LaneSpec>,
}

/// How the bytes of one direction are treated.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LaneSpec {
    /// How much later each byte arrives.
    pub delay: Option<Expr>,
    /// Bytes a second, at most.
    pub rate: Option<NonZeroU32>,
    /// Bytes of each write, at most.
    pub slice: Option<NonZeroUsize>,
    /// Whether every bit is inverted.
    #[serde(skip_serializing_if = "is_default")]
    pub corrupt: bool,
    /// Whether bytes are held back without an error on either side; they arrive once this is cleared.
    #[serde(skip_serializing_if = "is_default")]
    pub black_hole: bool,
}

impl NetworkAct {
    /// Whether nothing reaches the subject any more.
    pub(in crate::scenario) fn holds_back_all(&self) -> bool {
        match self {
            Self::Shape(shape) => shape.to_subject.as_ref().unwrap_or(&shape.both).black_hole,
            Self::Sudden(_) => false,
        }
    }

    /// What kind of fault it is, in two words at most.
    pub fn kind(&self) -> &'static str {
        let Self::Shape(Shape { both, to_subject, from_subject }) = self else {
            return match self {
                Self::Sudden(Sudden::End) => "network ends",
                Self::Sudden(Sudden::Reset) => "network resets",
                Self::Sudden(Sudden::Lose) => "connections lost",
                _ => "network clear",
            };
        };
        let lanes = [to_subject.as_ref().unwrap_or(both), from_subject.as_ref().unwrap_or(both)];
        let any = |is: fn(&LaneSpec) -> bool| lanes.iter().any(|lane| is(lane));
        match () {
            () if lanes.iter().all(|lane| lane.black_hole) => "partition",
            () if any(|lane| lane.black_hole) => "one-way partition",
            () if any(|lane| lane.corrupt) => "corruption",
            () if any(|lane| lane.rate.is_some()) => "slow link",
            () => "latency",
        }
    }

    /// Whether connections are reset, which a simulation cannot do.
    pub fn resets(&self) -> bool {
        matches!(self, Self::Sudden(Sudden::Reset))
    }

    /// Whether connections are lost for good.
    pub fn loses(&self) -> bool {
        matches!(self, Self::Sudden(Sudden::Lose))
    }

    /// Whether it holds back what goes to the subject from now on, or does so no more; nothing where it does anything else.
    pub fn holds_back(&self) -> Option<bool> {
        let hole = LaneSpec { black_hole: true, ..LaneSpec::default() };
        match self {
            Self::Sudden(Sudden::Clear) => Some(false),
            Self::Shape(Shape { both, to_subject: Some(to), from_subject: None }) => {
                (*both == LaneSpec::default() && *to == hole).then_some(true)
            }
            _ => None,
        }
    }

    /// What it changes, at these times.
    pub fn change(&self, times: &Times) -> Change {
        match self {
            Self::Sudden(Sudden::End) => Change::Cut(Cut::End),
            Self::Sudden(Sudden::Reset) => Change::Cut(Cut::Reset),
            Self::Sudden(Sudden::Lose) => Change::Lose,
            Self::Sudden(Sudden::Clear) => Change::Conditions(Conditions::default()),
            Self::Shape(Shape { both, to_subject, from_subject }) => Change::Conditions(Conditions {
                to_subject: to_subject.as_ref().unwrap_or(both).lane(times),
                from_subject: from_subject.as_ref().unwrap_or(both).lane(times),
            }),
        }
    }
}

impl LaneSpec {
    fn lane(&self, times: &Times) -> Lane {
        Lane {
            delay: self.delay.as_ref().map(|delay| delay.duration(times)).unwrap_or_default(),
            rate: self.rate,
            slice: self.slice,
            corrupt: self.corrupt,
            black_hole: self.black_hole,
        }
    }
}

impl NetworkAct {
    /// What it does, where the two directions are called so.
    pub fn between(&self, to: &str, from: &str) -> String {
        match self {
            Self::Sudden(Sudden::Clear) => "is whole again".to_owned(),
            Self::Sudden(Sudden::End) => "ends connections".to_owned(),
            Self::Sudden(Sudden::Reset) => "resets connections".to_owned(),
            Self::Sudden(Sudden::Lose) => "loses connections".to_owned(),
            Self::Shape(Shape { both, to_subject: None, from_subject: None }) => both.to_string(),
            Self::Shape(Shape { both, to_subject, from_subject }) => {
                let [there, back] = [to_subject, from_subject].map(|lane| lane.as_ref().unwrap_or(both));
                format!("{there} {to}, {back} {from}")
            }
        }
    }
}

impl fmt::Display for NetworkAct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.between("to the subject", "from it"))
    }
}

impl fmt::Display for LaneSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = Vec::new();
        said.extend(self.delay.as_ref().map(|delay| format!("delays by {delay}")));
        said.extend(self.rate.map(|rate| format!("carries {rate} bytes a second")));
        said.extend(self.slice.map(|slice| format!("carries {slice} bytes at a time")));
        said.extend(self.corrupt.then(|| "corrupts".to_owned()));
        said.extend(self.black_hole.then(|| "lets nothing through".to_owned()));
        if said.is_empty() { f.write_str("carries") } else { f.write_str(&said.join(", ")) }
    }
}
