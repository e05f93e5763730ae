//! The report for people: a line for each case, each failure with what explains it, and a summary.

use std::fmt::Write as _;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use scenarios::trace::Actor;
use scenarios::{Catalogue, Finding, Judgement, RequirementId, SubjectKind};

use super::Repeat;
use crate::result::{CaseReport, RunReport, Standing, Verdict};

/// Trace lines shown before and after the ones that a finding points at.
const CONTEXT: usize = 3;
/// Most trace lines shown for one finding.
const MAX_LINES: usize = 16;
/// Lines of a process's output shown for one case.
const MAX_OUTPUT: usize = 20;

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const DOUBT: Style = AnsiColor::Yellow.on_default();
const FAINT: Style = Style::new().dimmed();
const STRONG: Style = Style::new().bold();

/// Prints as the run goes on.
pub struct Console {
    bar: ProgressBar,
    repeat: Repeat,
}

impl Console {
    /// A console for `cases` cases. Progress shows on terminals only.
    pub fn new(cases: usize, repeat: Repeat) -> Self {
        let bar = ProgressBar::with_draw_target(Some(cases as u64), ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed}")
            .unwrap_or(ProgressStyle::default_bar());
        bar.set_style(style);
        Self { bar, repeat }
    }

    /// Prints a case that has ended.
    ///
    /// # Errors
    /// When standard output is closed.
    pub fn case(&self, case: &CaseReport) -> io::Result<()> {
        let (style, word) = match &case.verdict {
            Verdict::Pass => (GOOD, "pass"),
            Verdict::Fail => (BAD, "FAIL"),
            Verdict::Blocked { .. } => (DOUBT, "blocked"),
            Verdict::NotClaimed => (FAINT, "unclaimed"),
            Verdict::NotRun { .. } => (DOUBT, "not run"),
            Verdict::Inconclusive { .. } => (DOUBT, "unsure"),
            Verdict::SubjectError { .. } => (BAD, "DIED"),
            Verdict::HarnessError { .. } => (BAD, "ERROR"),
        };
        let seconds = case.duration_ms as f64 / 1000.0;
        let line = format!(
            "{style}{word:>9}{style:#}  {:<44} {FAINT}{seconds:>6.2}s{FAINT:#}  {}",
            case.id, case.title
        );
        self.bar.suspend(|| writeln!(anstream::stdout(), "{line}"))?;
        self.advance();
        Ok(())
    }

    /// Moves the progress on by a case.
    pub fn advance(&self) {
        self.bar.inc(1);
    }

    /// Takes the progress away.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }

    /// Prints what went wrong, and the summary.
    ///
    /// # Errors
    /// When standard output is closed.
    pub fn finish(&self, report: &RunReport) -> io::Result<()> {
        self.clear();
        let catalogue = Catalogue::builtin();
        let mut text = String::new();
        for case in report.cases.iter().filter(|case| case.verdict != Verdict::Pass) {
            self.explain(&mut text, case, &catalogue);
        }
        summary(&mut text, report, &catalogue);
        let mut out = anstream::stdout();
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    fn explain(&self, text: &mut String, case: &CaseReport, catalogue: &Catalogue) {
        let reason = match &case.verdict {
            Verdict::Pass | Verdict::NotClaimed => return,
            Verdict::Fail => String::new(),
            Verdict::Blocked { by, detail } => format!("blocked by {by}: {detail}"),
            Verdict::NotRun { why } => format!("not run: {why}"),
            Verdict::Inconclusive { stall_ms } => {
                format!("inconclusive: this host stalled for {stall_ms} ms")
            }
            Verdict::SubjectError { detail } | Verdict::HarnessError { detail } => detail.clone(),
        };
        push(text, format_args!("\n{STRONG}{}{STRONG:#}  {}", case.id, case.title));
        if !reason.is_empty() {
            push(text, format_args!("  {reason}"));
        }
        for (requirement, finding) in case.findings() {
            self.finding(text, case, requirement, finding, catalogue);
        }
        if !matches!(case.verdict, Verdict::NotRun { .. } | Verdict::Blocked { .. })
            && !case.output.is_empty()
        {
            push(text, format_args!("  {FAINT}what the {} printed last:{FAINT:#}", case.subject));
            for line in &case.output[case.output.len().saturating_sub(MAX_OUTPUT)..] {
                push(text, format_args!("    {line}"));
            }
        }
        push(text, format_args!("  {FAINT}repeat it:{FAINT:#} {}", self.repeat.command(&case.id)));
    }

    fn finding(
        &self,
        text: &mut String,
        case: &CaseReport,
        requirement: &RequirementId,
        finding: &Finding,
        catalogue: &Catalogue,
    ) {
        let rule = catalogue.get(requirement).map_or("", |rule| rule.text.as_str());
        push(text, format_args!("  {BAD}{requirement}{BAD:#}  {rule}"));
        push(text, format_args!("    expected  {}", finding.expected));
        push(text, format_args!("    seen      {}", finding.seen));
        let lines = timeline(case, finding);
        let skipped = lines.len().saturating_sub(MAX_LINES);
        let half = MAX_LINES / 2;
        for (shown, index) in lines.into_iter().enumerate() {
            if skipped > 0 && shown == half {
                push(text, format_args!("      {FAINT}… {skipped} more …{FAINT:#}"));
            }
            if skipped > 0 && shown >= half && shown < half + skipped {
                continue;
            }
            let mark = if finding.at.contains(&index) { ">" } else { " " };
            push(text, format_args!("    {mark} {FAINT}{}{FAINT:#}", case.trace.observations[index]));
        }
    }
}

/// The observations that explain a finding: those that it points at and a few around them, without what other clients did.
fn timeline(case: &CaseReport, finding: &Finding) -> Vec<usize> {
    let concerns = |actor: &Actor| match &finding.client {
        Some(client) => actor.0 == *client || *actor == Actor::broker() || *actor == Actor::gateway(),
        None => *actor != Actor::scenario(),
    };
    let told = case.trace.iter().filter(|(index, seen)| finding.at.contains(index) || concerns(&seen.actor));
    let told: Vec<usize> = told.map(|(index, _)| index).collect();
    let position =
        |index: Option<&usize>| index.and_then(|index| told.iter().position(|found| found == index));
    let range = match (position(finding.at.first()), position(finding.at.last())) {
        (Some(first), Some(last)) => first.saturating_sub(CONTEXT)..(last + CONTEXT + 1).min(told.len()),
        _ => told.len().saturating_sub(3 * CONTEXT)..told.len(),
    };
    told[range].to_vec()
}

fn summary(text: &mut String, report: &RunReport, catalogue: &Catalogue) {
    let passed = report.cases.iter().filter(|case| case.verdict == Verdict::Pass).count();
    push(
        text,
        format_args!(
            "\n{passed} of {} cases passed in {:.1} s",
            report.cases.len(),
            report.took.as_secs_f64()
        ),
    );
    for subject in [SubjectKind::Gateway, SubjectKind::Client] {
        let of_subject = |id: &&RequirementId| catalogue.get(id).is_some_and(|rule| rule.subject == subject);
        let total = report.requirements.iter().filter(|(id, _)| of_subject(&id)).count();
        if total == 0 {
            continue;
        }
        let count = |standing| report.standing(standing).filter(of_subject).count();
        push(
            text,
            format_args!(
                "{STRONG}{subject} requirements{STRONG:#}: {} of {total} shown",
                count(Standing::Shown)
            ),
        );
        for (standing, style, words) in [
            (Standing::Failed, BAD, "do not hold"),
            (Standing::Undecided, DOUBT, "undecided"),
            (Standing::NotClaimed, FAINT, "not claimed"),
            (Standing::NotShown, FAINT, "not yet shown"),
        ] {
            let names: Vec<_> =
                report.standing(standing).filter(of_subject).map(ToString::to_string).collect();
            if !names.is_empty() {
                push(text, format_args!("  {style}{} {words}{style:#}: {}", names.len(), names.join(", ")));
            }
        }
    }
    let blocked = report.cases.iter().flat_map(|case| &case.checks);
    let blocked = blocked.filter(|check| matches!(check.judgement, Judgement::Blocked { .. })).count();
    if blocked > 0 {
        push(
            text,
            format_args!(
                "{DOUBT}{blocked} expectations were blocked by requirements that do not hold{DOUBT:#}"
            ),
        );
    }
}

fn push(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "{line}");
}
