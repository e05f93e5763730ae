//! A comparison for people: a table for the console, and one in Markdown.

use std::fmt::Write;

use super::report::Report;
use super::verdict::{Finding, Verdict};
use crate::show::figure;

const COLUMNS: [&str; 6] = ["measure", "base", "new", "change", "interval", "verdict"];

impl Report {
    /// A table, and what is said in all.
    pub fn text(&self) -> String {
        let rows: Vec<_> = self.findings.iter().map(|found| self.row(found)).collect();
        let width = |column: usize| {
            let cells = rows.iter().map(|row| row[column].chars().count());
            cells.chain([COLUMNS[column].chars().count()]).max().unwrap_or(0)
        };
        let line = |cells: &[String; 6]| {
            let padded = cells.iter().enumerate().map(|(column, cell)| format!("{cell:<0$}", width(column)));
            format!("  {}\n", padded.collect::<Vec<_>>().join("  ").trim_end())
        };
        let mut text =
            format!("base {}\nnew  {}\n\n{}", self.base, self.new, line(&COLUMNS.map(str::to_owned)));
        text.extend(rows.iter().map(line));
        let _ = writeln!(text, "\n{}", self.sentence());
        text
    }

    /// The same for a job's page or a pull request.
    pub fn markdown(&self) -> String {
        let mut text = format!("### {} {}\n\n", self.sign(), self.sentence());
        let _ = writeln!(text, "`{}` against `{}`\n", escaped(&self.new), escaped(&self.base));
        let _ = writeln!(text, "| {} |\n|{}", COLUMNS.join(" | "), "---|".repeat(COLUMNS.len()));
        for found in &self.findings {
            let _ = writeln!(text, "| {} |", self.row(found).join(" | "));
        }
        text
    }

    /// What is said of the new build, in a sentence or two.
    pub fn sentence(&self) -> String {
        let within = percent(self.within);
        let verdict = match self.verdict {
            Verdict::Same => format!("The new build is the same within {within}"),
            Verdict::Slower => "The new build is slower".to_owned(),
            Verdict::Faster => "The new build is faster".to_owned(),
            Verdict::TooNoisy => {
                "Too noisy to say: a longer `--time`, or a larger `--within`, can".to_owned()
            }
        };
        let interrupted = if self.interrupted { "Interrupted. " } else { "" };
        let blocks = self.blocks.len();
        let mut text = format!(
            "{interrupted}{verdict} (`{}`, {blocks} blocks in {:.0} s).",
            self.workload, self.duration
        );
        if self.limited_blocks > 0 {
            let _ = write!(
                text,
                " The load generator limited {} of the blocks: fewer clients or a lower rate say more.",
                self.limited_blocks
            );
        }
        if self.losses.new > 0.0 {
            let _ =
                write!(text, " It lost {} deliveries; the base lost {}.", self.losses.new, self.losses.base);
        }
        text
    }

    fn sign(&self) -> &'static str {
        match self.verdict {
            _ if self.loses_more() => "❌",
            Verdict::Same => "✅",
            Verdict::Faster => "🚀",
            Verdict::Slower => "❌",
            Verdict::TooNoisy => "❔",
        }
    }

    fn row(&self, found: &Finding) -> [String; 6] {
        let value = |value: Option<f64>| value.map_or("–".to_owned(), |value| figure(found.measure, value));
        let change = |ratio: Option<f64>| ratio.map_or("–".to_owned(), |ratio| signed(ratio - 1.0));
        let sure = match (found.ratio_low, found.ratio_high) {
            (Some(low), Some(high)) => format!("{} to {}", signed(low - 1.0), signed(high - 1.0)),
            _ => "–".to_owned(),
        };
        let verdict = match found.verdict {
            Verdict::Same => format!("same within {}", percent(self.within)),
            other => other.to_string(),
        };
        [found.measure.to_string(), value(found.base), value(found.new), change(found.ratio), sure, verdict]
    }
}

fn percent(share: f64) -> String {
    format!("{} %", (share * 10_000.0).round() / 100.0)
}

fn signed(share: f64) -> String {
    format!("{:+.1} %", share * 100.0)
}

/// A command between backticks, in a cell or not, ends neither.
fn escaped(text: &str) -> String {
    text.replace('`', "'").replace('|', "\\|").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::{ERROR_RATE, Losses, REPORT_VERSION};
    use crate::measure::Measure;

    fn report(verdict: Verdict, lost: f64) -> Report {
        Report {
            version: REPORT_VERSION,
            gatecheck: "0.1.0".to_owned(),
            workload: "paced".to_owned(),
            base: "./old".to_owned(),
            new: "./new `x` | y".to_owned(),
            within: 0.03,
            error_rate: ERROR_RATE,
            seed: 1,
            duration: 61.4,
            interrupted: false,
            limited_blocks: 0,
            verdict,
            findings: vec![Finding {
                measure: Measure::CpuPerDelivery,
                verdict,
                ratio: Some(1.102),
                ratio_low: Some(1.051),
                ratio_high: Some(1.149),
                base: Some(5.0),
                new: Some(5.51),
                observations: 9,
            }],
            losses: Losses { base: 0.0, new: lost },
            blocks: Vec::new(),
        }
    }

    /// Each figure stands in its column, and the sentence says it in all.
    #[test]
    fn a_table_has_the_numbers_behind_the_verdict() {
        assert_eq!(
            report(Verdict::Slower, 0.0).text(),
            "base ./old\nnew  ./new `x` | y\n\n  \
             measure           base     new      change   interval           verdict\n  \
             cpu_per_delivery  5.00 µs  5.51 µs  +10.2 %  +5.1 % to +14.9 %  slower\n\n\
             The new build is slower (`paced`, 0 blocks in 61 s).\n"
        );
    }

    /// Markdown is not broken by what a command holds; losses are told.
    #[test]
    fn markdown_stays_a_table() {
        let text = report(Verdict::Same, 3.0).markdown();
        assert!(text.starts_with("### ❌ The new build is the same within 3 %"), "{text}");
        assert!(text.contains("It lost 3 deliveries; the base lost 0."));
        assert!(text.contains("`./new 'x' \\| y` against `./old`"), "{text}");
        assert!(text.ends_with("| +5.1 % to +14.9 % | same within 3 % |\n"), "{text}");
    }
}
