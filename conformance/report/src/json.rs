//! The report for programs.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;

use super::About;
use conformance::amqp::Identity;
use conformance::result::{
    CaseReport, Death, Reason, RequirementReport, RequirementStatus, RunReport, Universal, Unplayed,
};
use scenarios::foreign::is_hidden;
use scenarios::{Catalogue, Foreign, Level, RequirementId, Source, SubjectKind, Times};

/// The version of the document's shape; it grows when a reader of the old shape would be wrong. Fields, and kinds of events in
/// traces, may be added within a version.
pub const REPORT_VERSION: u32 = 3;

/// What a run of gatecheck found.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "A report of gatecheck")]
pub struct Document<'a> {
    /// The version of this shape.
    #[schemars(extend("const" = REPORT_VERSION))]
    version: u32,
    /// The version of gatecheck.
    gatecheck: &'static str,
    /// When the run began, in UTC (RFC 3339).
    began: &'a str,
    /// The exit code of the run.
    exit_code: u8,
    /// The signal that interrupted the run, where one did: then the report is about what had ended by then.
    #[serde(skip_serializing_if = "Option::is_none")]
    interrupted: Option<&'a str>,
    /// Whether only selected cases were run, which says nothing of conformance.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    selection: bool,
    /// What ran.
    #[schemars(extend("uniqueItems" = true))]
    subjects: &'a [SubjectKind],
    /// The level that was judged.
    level: Level,
    /// The broker that fed the gateway, where one was judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    broker: Option<&'a BrokerUsed>,
    /// What the symbolic times meant.
    times: &'a Times,
    /// The design that the client declares, where it differs from the default: a line for each part.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    design: &'a [Foreign],
    /// Where randomness began.
    seed: u64,
    /// How long the run took, in milliseconds.
    duration_ms: u64,
    /// Requirements by how they stand.
    summary: Summary,
    /// Entries of the list of known failures whose time is over, in words.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    expired: &'a [Foreign],
    /// Each requirement.
    requirements: Vec<RequirementLine<'a>>,
    /// Each universal rule that was violated, once.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    universal: &'a [Universal],
    /// How the subject died, by cause.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    deaths: &'a [Death],
    /// Each case.
    cases: &'a [CaseReport],
}

/// The broker that fed the gateway.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct BrokerUsed {
    /// `embedded` or `url`.
    pub kind: &'static str,
    /// Where, without its password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// What it says of itself.
    #[serde(flatten)]
    pub identity: Identity,
}

/// Requirements by how they stand.
#[derive(Serialize, JsonSchema)]
struct Summary {
    shown: usize,
    shown_in_part: usize,
    failed: usize,
    known_failure: usize,
    undecided: usize,
    not_claimed: usize,
    not_shown: usize,
}

/// One requirement.
#[derive(Serialize, JsonSchema)]
struct RequirementLine<'a> {
    /// Its stable name.
    id: RequirementId,
    /// How much it matters.
    level: Level,
    /// Where it comes from.
    source: Source,
    /// What the run says of it.
    standing: RequirementStatus,
    /// Why it is undecided, where it is.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    reasons: &'a [Reason],
    /// How many cases of it ran to where they say something of it.
    ran: usize,
    /// Its cases that were not run, though the design has a place for them.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    not_run: &'a [Unplayed],
    /// The rule.
    text: String,
}

impl<'a> Document<'a> {
    /// The document on a run.
    pub fn new(report: &'a RunReport, about: &'a About) -> Self {
        Self {
            version: REPORT_VERSION,
            gatecheck: env!("CARGO_PKG_VERSION"),
            began: &about.began,
            exit_code: report.exit().code(),
            interrupted: report.interrupted,
            selection: report.is_selection,
            subjects: &about.subjects,
            level: about.level,
            broker: about.broker.as_ref(),
            times: &about.times,
            design: &report.design,
            seed: about.seed,
            duration_ms: u64::try_from(report.took.as_millis()).unwrap_or(u64::MAX),
            summary: Summary::of(report),
            expired: &report.expired,
            requirements: RequirementLine::of(report),
            universal: &report.universal,
            deaths: &report.deaths,
            cases: &report.cases,
        }
    }

    /// Its text.
    ///
    /// # Panics
    /// Never: every key is a string.
    pub fn text(&self) -> String {
        plain(&serde_json::to_string_pretty(self).expect("the report has string keys")) + "\n"
    }

    /// The JSON Schema of every such document.
    ///
    /// # Panics
    /// Never: every key is a string.
    pub fn schema() -> String {
        let generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
        let schema = generator.into_root_schema_for::<Document<'_>>();
        serde_json::to_string_pretty(&schema).expect("schemas have string keys") + "\n"
    }
}

/// JSON in which what no reader sees is written by its number: the same document, that can be printed to a terminal.
pub(crate) fn plain(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    let mut units = [0; 2];
    for c in json.chars() {
        match (c.is_control() && c != '\n') || is_hidden(c) {
            false => text.push(c),
            true => c.encode_utf16(&mut units).iter().for_each(|unit| text += &format!("\\u{unit:04x}")),
        }
    }
    text
}

impl Summary {
    fn of(report: &RunReport) -> Self {
        Self {
            shown: report.count(RequirementStatus::Shown),
            shown_in_part: report.count(RequirementStatus::ShownInPart),
            failed: report.count(RequirementStatus::Failed),
            known_failure: report.count(RequirementStatus::KnownFailure),
            undecided: report.count(RequirementStatus::Undecided),
            not_claimed: report.count(RequirementStatus::NotClaimed),
            not_shown: report.count(RequirementStatus::NotShown),
        }
    }
}

impl<'a> RequirementLine<'a> {
    fn of(report: &'a RunReport) -> Vec<Self> {
        let catalogue = Catalogue::builtin();
        let line = |RequirementReport { id, standing, reasons, ran, unplayed }: &'a RequirementReport| {
            let rule = catalogue.get(id)?;
            let (level, source, text) = (rule.level, rule.source, rule.text.clone());
            Some(Self {
                id: id.clone(),
                level,
                source,
                standing: *standing,
                reasons,
                ran: *ran,
                not_run: unplayed,
                text,
            })
        };
        report.requirements.iter().filter_map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    /// The schema in the tree is the one that this build prints.
    #[test]
    fn the_schema_in_the_tree_is_current() {
        let kept = include_str!("../../schemas/report.schema.json");
        assert_eq!(
            kept,
            Document::schema(),
            "gatecheck schema report > conformance/schemas/report.schema.json"
        );
    }

    /// A report with every verdict in it is as the schema says; one that is not is refused.
    #[test]
    fn reports_are_as_the_schema_says() {
        let schema = serde_json::from_str(&Document::schema()).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let (report, about) = sample::run();
        let mut document = serde_json::to_value(Document::new(&report, &about)).unwrap();
        let errors: Vec<_> = validator.iter_errors(&document).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:#?}");
        document["cases"][0]["verdict"] = "splendid".into();
        assert!(!validator.is_valid(&document));
    }
}
