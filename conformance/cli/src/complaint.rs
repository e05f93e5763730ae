//! Complaints on standard error. What they quote is text, whatever a terminal would make of it, and has no secrets.

use std::error::Error;
use std::fmt;

use miette::{
    Diagnostic, LabeledSpan, MietteHandler, MietteHandlerOpts, ReportHandler, Severity, SourceCode,
};
use scenarios::Foreign;

use conformance::secrets::redacted;

/// Longest source that is quoted, in bytes.
const QUOTED_BYTES: usize = 2000;

/// Has every report print so.
pub(super) fn install() {
    // There is one already where this is run twice, as a test may.
    let _ = miette::set_hook(Box::new(|_| Box::new(Handler(handler()))));
}

/// No line is quoted beside the one that is wrong: there may be secrets.
fn handler() -> MietteHandler {
    MietteHandlerOpts::new().context_lines(0).build()
}

struct Handler(MietteHandler);

impl ReportHandler for Handler {
    fn debug(&self, error: &dyn Diagnostic, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let help = error.help().map(|help| shown(&help));
        let shown = Shown { text: shown(&error), help, cause: Cause::of(error.source()), error };
        self.0.debug(&shown, f)
    }
}

/// A text that is fit to show.
fn shown(text: &dyn fmt::Display) -> String {
    Foreign::from(redacted(&text.to_string())).terminal_lines()
}

/// An error whose texts are fit to show.
struct Shown<'a> {
    text: String,
    help: Option<String>,
    cause: Option<Box<Cause>>,
    error: &'a dyn Diagnostic,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for Shown<'_> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as &(dyn Error + 'static))
    }
}

impl Diagnostic for Shown<'_> {
    fn severity(&self) -> Option<Severity> {
        self.error.severity()
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display + 'a>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.error.source_code().filter(|source| self.is_short(*source))
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.error.labels()
    }
}

impl Shown<'_> {
    /// Whether what would be quoted is short enough to be read.
    fn is_short(&self, source: &dyn SourceCode) -> bool {
        let mut places = self.error.labels().into_iter().flatten();
        places.all(|place| {
            let quoted = source.read_span(place.inner(), 0, 0);
            quoted.is_ok_and(|quoted| quoted.data().len() <= QUOTED_BYTES)
        })
    }
}

/// What an error comes from.
#[derive(Debug)]
struct Cause {
    text: String,
    cause: Option<Box<Self>>,
}

impl Cause {
    fn of(error: Option<&(dyn Error + 'static)>) -> Option<Box<Self>> {
        let error = error?;
        Some(Box::new(Self { text: shown(&error), cause: Self::of(error.source()) }))
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for Cause {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as &(dyn Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use miette::miette;

    /// A terminal obeys nothing that a message, its help or its cause quotes.
    #[test]
    fn a_complaint_is_text() {
        const HOSTILE: &str = "\u{1b}]0;own\u{7}\u{9b}31m\u{202e}";
        let cause = std::io::Error::other(format!("cause {HOSTILE}"));
        let report = miette::Report::from_err(cause).wrap_err(format!("message {HOSTILE}"));
        let handler = Handler(handler());
        for report in [report, miette!(help = format!("help {HOSTILE}"), "message")] {
            let text = format!("{}", Printed(&handler, &*report));
            let own = |part: &str| {
                part.split_once('m')
                    .is_some_and(|(code, _)| code.chars().all(|c| c.is_ascii_digit() || c == ';'))
            };
            assert!(text.split("\u{1b}[").skip(1).all(own), "{text:?}");
            assert!(!text.contains(['\u{7}', '\u{9b}', '\u{202e}']) && !text.contains("\u{1b}]"), "{text:?}");
        }
    }

    /// What stands beside the place of an error is not quoted, and a secret at the place is not shown.
    #[test]
    fn a_complaint_quotes_no_secret() {
        let profile = "[gateway]\ncommand = [\"a\"]\nenv = { JWT_SECRET = \"the-secret\" }\npoort = 1\n[token]\nprivate = \"other\"\n";
        let beside =
            conformance::profile::Profile::parse("gatecheck.toml", profile, ".".as_ref()).unwrap_err();
        let at = "[gateway]\ncommand = [\"a\"]\nenv = \"JWT_SECRET=the-secret\"\n";
        let at = conformance::profile::Profile::parse("gatecheck.toml", at, ".".as_ref()).unwrap_err();
        for (error, quoted) in [(beside, "poort"), (at, "JWT_SECRET=***")] {
            let text = format!("{}", Printed(&Handler(handler()), &error));
            assert!(text.contains(quoted) && !text.contains("the-secret"), "{text}");
        }
    }

    /// A line that is too long to be read is not quoted.
    #[test]
    fn a_complaint_is_short() {
        let nested = format!("[gateway]\ncommand = {}{}\n", "[".repeat(50_000), "]".repeat(50_000));
        let error =
            conformance::profile::Profile::parse("gatecheck.toml", &nested, ".".as_ref()).unwrap_err();
        let text = format!("{}", Printed(&Handler(handler()), &error));
        assert!(text.contains("gatecheck.toml") && text.len() < 4000, "{}", text.len());
    }

    struct Printed<'a>(&'a Handler, &'a dyn Diagnostic);

    impl fmt::Display for Printed<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.debug(self.1, f)
        }
    }
}
