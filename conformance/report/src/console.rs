//! The report for people: a line for each case, each failure with what explains it, and a summary.

mod blocked;
mod deaths;
mod parts;
mod summary;
mod universal;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::Path;

use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use scenarios::trace::Actor;
use scenarios::{Catalogue, Finding, Foreign, Judgement, ScenarioId, SubjectKind};

use super::Repeat;
use super::words::shortened;
use conformance::result::{CaseReport, RunReport, Verdict};
use conformance::secrets::without_credentials;
use conformance::words::counted;

/// Trace lines shown before and after the ones that a finding points at.
const CONTEXT: usize = 3;
/// Most trace lines shown for one finding.
const MAX_LINES: usize = 16;
/// Lines of a process's output shown for one case.
const MAX_OUTPUT: usize = 20;
/// Most characters of one of them.
const MAX_OUTPUT_CHARS: usize = 300;

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const DOUBT: Style = AnsiColor::Yellow.on_default();
const FAINT: Style = Style::new().dimmed();
const STRONG: Style = Style::new().bold();

/// How much is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Detail {
    /// What did not pass, and the summary; not what was left out.
    Quiet,
    /// A line for each case.
    #[default]
    Usual,
    /// A line for each expectation, and whole timelines.
    Verbose,
}

/// Prints as the run goes on.
pub struct Console {
    bar: ProgressBar,
    repeat: Repeat,
    /// The first error of writing: nothing is written after it.
    failed: Option<io::Error>,
    /// How much is printed.
    pub detail: Detail,
}

impl Console {
    /// A console for `cases` cases. Progress shows on terminals only.
    pub fn new(cases: usize, repeat: Repeat) -> Self {
        let bar = ProgressBar::with_draw_target(Some(cases as u64), ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed}")
            .unwrap_or(ProgressStyle::default_bar());
        bar.set_style(style);
        Self { bar, repeat, failed: None, detail: Detail::default() }
    }

    /// Prints a case that has ended. Where standard output is closed, [`Console::finish`] says so.
    pub fn case(&mut self, case: &CaseReport) {
        self.advance();
        let is_shown = self.detail != Detail::Quiet || is_news(&case.verdict);
        if self.failed.is_none() && is_shown {
            let text = self.line(case);
            self.failed =
                self.bar.suspend(|| write!(anstream::stdout(), "{}", without_credentials(&text))).err();
        }
    }

    /// The line of a case; with `-v`, also a line for each expectation.
    fn line(&self, case: &CaseReport) -> String {
        let (style, word) = match &case.verdict {
            Verdict::Pass => (GOOD, "pass"),
            Verdict::Fail => (BAD, "FAIL"),
            Verdict::KnownFailure { .. } => (FAINT, "known"),
            Verdict::UnexpectedPass { .. } => (BAD, "PASSES"),
            Verdict::Blocked { .. } => (DOUBT, "blocked"),
            Verdict::NotClaimed { .. } => (FAINT, "unclaimed"),
            Verdict::NotRun { .. } => (DOUBT, "not run"),
            Verdict::Inconclusive { .. } => (DOUBT, "unsure"),
            Verdict::SubjectError { .. } => (BAD, "DIED"),
            Verdict::HarnessError { .. } => (BAD, "ERROR"),
        };
        let seconds = case.duration_ms as f64 / 1000.0;
        let mut text = String::new();
        push(
            &mut text,
            format_args!(
                "{style}{word:>9}{style:#}  {:<44} {FAINT}{seconds:>6.2}s{FAINT:#}  {}",
                case.id,
                case.title.terminal()
            ),
        );
        if self.detail == Detail::Verbose {
            for check in &case.checks {
                let (style, says) = match &check.judgement {
                    Judgement::Passed => (GOOD, "holds".to_owned()),
                    Judgement::Failed(finding) => (BAD, format!("expected {}", finding.expected.terminal())),
                    Judgement::Blocked { by, .. } => (DOUBT, format!("blocked by {by}")),
                    Judgement::Undecided { why } => (DOUBT, format!("undecided: {}", why.terminal())),
                };
                push(&mut text, format_args!("           {style}{:<10}{style:#} {says}", check.requirement));
            }
            for found in &case.universal {
                let expected = found.finding.expected.terminal();
                let id = &found.requirement;
                push(
                    &mut text,
                    format_args!("           {BAD}{id:<10}{BAD:#} universal: expected {expected}"),
                );
            }
        }
        text
    }

    /// Moves the progress on by a case.
    pub fn advance(&self) {
        self.bar.inc(1);
    }

    /// Takes the progress away.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }

    /// Prints what went wrong, and the summary. `page` is where the report for browsers was written.
    ///
    /// # Errors
    /// When standard output is closed, or was when a case ended.
    pub fn finish(&self, report: &RunReport, page: Option<&Path>) -> io::Result<()> {
        self.clear();
        if let Some(error) = &self.failed {
            return Err(error.kind().into());
        }
        let mut text = self.text(report);
        if let Some(page) = page {
            push(&mut text, format_args!("report: {}", Foreign::from(page.display().to_string()).terminal()));
        }
        let mut out = anstream::stdout();
        out.write_all(without_credentials(&text).as_bytes())?;
        out.flush()
    }

    /// What went wrong, what has one cause together, and the summary.
    fn text(&self, report: &RunReport) -> String {
        let catalogue = Catalogue::builtin();
        let mut text = String::new();
        let blocked = blocked::groups(report, self.detail);
        for case in &report.cases {
            if !blocked.values().flatten().any(|found| found.id == case.id) {
                self.explain(&mut text, case, &catalogue);
            }
        }
        self.blocked(&mut text, &blocked, &catalogue);
        self.deaths(&mut text, report);
        self.universal(&mut text, report, &catalogue);
        if self.detail != Detail::Quiet {
            not_run(&mut text, report);
        }
        summary::write(&mut text, report, &catalogue);
        text
    }

    fn explain(&self, text: &mut String, case: &CaseReport, catalogue: &Catalogue) {
        match &case.verdict {
            // Deaths are printed together; what was found before one is printed here.
            Verdict::SubjectError { .. }
                if self.detail != Detail::Verbose && case.findings().next().is_none() =>
            {
                return;
            }
            // Cases that did not run are printed together; known failures have a line already.
            Verdict::Pass
            | Verdict::NotClaimed { .. }
            | Verdict::NotRun { .. }
            | Verdict::KnownFailure { .. } => {
                return;
            }
            Verdict::Fail
            | Verdict::UnexpectedPass { .. }
            | Verdict::Blocked { .. }
            | Verdict::Inconclusive { .. }
            | Verdict::SubjectError { .. }
            | Verdict::HarnessError { .. } => {}
        }
        push(text, format_args!("\n{STRONG}{}{STRONG:#}  {}", case.id, case.title.terminal()));
        if let Some(reason) = case.verdict.reason() {
            push(text, format_args!("  {DOUBT}{}{DOUBT:#}: {}", case.verdict.name(), reason.terminal()));
        }
        if !case.outcomes.is_empty() {
            let outcomes: Vec<_> =
                case.outcomes.iter().map(|(name, count)| format!("{count} {name}")).collect();
            push(text, format_args!("  of its runs: {}", outcomes.join(", ")));
        }
        if matches!(case.verdict, Verdict::Inconclusive { .. }) {
            doubts(text, case);
        }
        for requirement in &case.requirements {
            let findings: Vec<_> = case.findings().filter(|(id, _)| *id == requirement).collect();
            if !findings.is_empty() {
                let rule = catalogue.get(requirement).map_or("", |rule| rule.text.as_str());
                push(text, format_args!("  {BAD}{requirement}{BAD:#}  {rule}"));
            }
            for (_, finding) in findings {
                self.finding(text, case, finding);
            }
        }
        let has_words = match case.verdict {
            Verdict::Blocked { .. } | Verdict::UnexpectedPass { .. } => false,
            Verdict::SubjectError { .. } => self.detail == Detail::Verbose,
            _ => true,
        };
        if has_words {
            self.last_words(text, case);
        }
        self.repeat(text, &case.id);
    }

    fn last_words(&self, text: &mut String, case: &CaseReport) {
        if case.output.is_empty() {
            return;
        }
        push(text, format_args!("  {FAINT}what the {} printed last:{FAINT:#}", case.subject));
        let skipped =
            if self.detail == Detail::Verbose { 0 } else { case.output.len().saturating_sub(MAX_OUTPUT) };
        for line in &case.output[skipped..] {
            let line = line.terminal();
            let line = if self.detail == Detail::Verbose { line } else { shortened(&line, MAX_OUTPUT_CHARS) };
            push(text, format_args!("    {line}"));
        }
    }

    fn repeat(&self, text: &mut String, case: &ScenarioId) {
        let command = self.repeat.command(case).terminal();
        push(text, format_args!("  {FAINT}repeat it:{FAINT:#} {command}"));
    }

    fn finding(&self, text: &mut String, case: &CaseReport, finding: &Finding) {
        if let Some(half) = finding.half {
            push(text, format_args!("    about     {}", half_of_pair(half)));
        }
        push(text, format_args!("    expected  {}", finding.expected.terminal()));
        push(text, format_args!("    seen      {}", finding.seen.terminal()));
        let lines = timeline(case, finding, self.detail == Detail::Verbose);
        let most = if self.detail == Detail::Verbose { usize::MAX } else { MAX_LINES };
        let skipped = lines.len().saturating_sub(most);
        let half = most / 2;
        for (shown, index) in lines.into_iter().enumerate() {
            if skipped > 0 && shown == half {
                push(text, format_args!("      {FAINT}… {skipped} more: `-v` shows them …{FAINT:#}"));
            }
            if skipped > 0 && shown >= half && shown < half + skipped {
                continue;
            }
            let mark = if finding.at.contains(&index) { ">" } else { " " };
            let line = case.trace.observations[index].line();
            push(text, format_args!("    {mark} {FAINT}{}{FAINT:#}", line.terminal()));
        }
    }
}

/// Which half of a pair something is about.
fn half_of_pair(half: SubjectKind) -> &'static str {
    match half {
        SubjectKind::Gateway => "the gateway",
        SubjectKind::Client => "the client",
        SubjectKind::Pair => "both halves",
    }
}

/// The expectations that hold, and that noise may have made hold.
fn doubts(text: &mut String, case: &CaseReport) {
    for check in &case.checks {
        if let Judgement::Undecided { why } = &check.judgement {
            let requirement = &check.requirement;
            push(text, format_args!("  {DOUBT}{requirement}{DOUBT:#}  in doubt: {}", why.terminal()));
        }
    }
}

/// What did not run, together where it is for the same reason. Cases that an interruption kept from beginning are only counted.
/// Whether a case ended in a way that somebody has to look at.
fn is_news(verdict: &Verdict) -> bool {
    !matches!(
        verdict,
        Verdict::Pass | Verdict::NotClaimed { .. } | Verdict::NotRun { .. } | Verdict::KnownFailure { .. }
    )
}

fn not_run(text: &mut String, report: &RunReport) {
    let mut reasons: BTreeMap<(&str, &Foreign), Vec<&CaseReport>> = BTreeMap::new();
    for case in &report.cases {
        if let Verdict::NotRun { why, .. } | Verdict::NotClaimed { why: Some(why) } = &case.verdict {
            reasons.entry((case.verdict.name(), why)).or_default().push(case);
        }
    }
    for ((name, why), cases) in reasons {
        push(text, format_args!("\n{DOUBT}{name}{DOUBT:#}: {}", why.terminal()));
        let (unbegun, listed): (Vec<_>, Vec<_>) =
            cases.into_iter().partition(|case| case.interrupted && case.runs == 0);
        for case in listed {
            push(text, format_args!("  {}", case.id));
        }
        if !unbegun.is_empty() {
            push(text, format_args!("  {}", counted(unbegun.len(), "case")));
        }
    }
}

/// The observations that explain a finding: those that it points at and a few around them, without what other clients did.
fn timeline(case: &CaseReport, finding: &Finding, whole: bool) -> Vec<usize> {
    let concerns = |actor: &Actor| match &finding.client {
        Some(client) => actor.0 == *client || *actor == Actor::broker() || *actor == Actor::gateway(),
        None => *actor != Actor::scenario(),
    };
    let shown = case.trace.iter().filter(|(index, seen)| finding.at.contains(index) || concerns(&seen.actor));
    let shown: Vec<usize> = shown.map(|(index, _)| index).collect();
    if whole {
        return shown;
    }
    let position =
        |index: Option<&usize>| index.and_then(|index| shown.iter().position(|found| found == index));
    let range = match (position(finding.at.first()), position(finding.at.last())) {
        (Some(first), Some(last)) => first.saturating_sub(CONTEXT)..(last + CONTEXT + 1).min(shown.len()),
        _ => shown.len().saturating_sub(3 * CONTEXT)..shown.len(),
    };
    shown[range].to_vec()
}

fn push(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "{line}");
}

#[cfg(test)]
mod tests;
