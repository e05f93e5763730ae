//! What a process printed of its own end: the error, and the place in its own code.
//!
//! | written in | the error | the place |
//! |---|---|---|
//! | Node.js | behind the source line and the caret, or the first that a stack follows | the first frame outside of Node.js and `node_modules` |
//! | Python | the last line of the last traceback | its last frame outside of the library and `site-packages` |
//! | Rust | the message of the first panic | where it panicked |
//! | Go | the first `panic:` or `fatal error:` | the first frame outside of Go and its modules |
//! | Java | the first `Exception in thread` | the first frame outside of the JDK |

use scenarios::Foreign;

/// Most characters of an error that are kept.
const MAX_ERROR_CHARS: usize = 300;
/// Lines of a message before the stack that belongs to it.
const MAX_MESSAGE_LINES: usize = 5;

/// Why a process ended, by its own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cause {
    /// The error.
    pub(super) error: String,
    /// The place in the subject's own code.
    pub(super) frame: Option<String>,
}

impl Cause {
    /// The cause that this output names, where it names one.
    pub(super) fn read(output: &[Foreign]) -> Option<Self> {
        let lines: Vec<&str> = output.iter().map(Foreign::raw).collect();
        let readers = [node_fatal, python, rust, go, java, node_logged];
        readers.iter().find_map(|read| read(&lines))
    }

    /// The cause of an end of which the output says nothing.
    pub(super) fn unsaid(detail: &str, output: &[Foreign]) -> Self {
        let last = output.iter().map(Foreign::raw).rev().find(|line| !line.trim().is_empty());
        let last = last.map(|line| format!("; its last line: {}", line.trim())).unwrap_or_default();
        Self::of(&format!("{detail}{last}"), None)
    }

    /// What two ends have in common that are due to the same defect: the kind of the error and its place. Where there is no place,
    /// the whole text, without numbers: ports, times and ids differ from case to case.
    pub(super) fn key(&self) -> String {
        match &self.frame {
            Some(frame) => {
                let kind = self.error.split(':').next().unwrap_or_default();
                format!("{kind} {}", line_of(frame))
            }
            None => without_numbers(&self.error),
        }
    }

    fn of(error: &str, frame: Option<&str>) -> Self {
        Self {
            error: error.trim().chars().take(MAX_ERROR_CHARS).collect(),
            frame: frame.map(|frame| frame.trim().to_owned()),
        }
    }
}

/// What Node.js prints of an error that nothing catches: a place, its line, a caret, the error, its stack, and its version.
fn node_fatal(lines: &[&str]) -> Option<Cause> {
    let end = lines.iter().rposition(|line| line.starts_with("Node.js v"))?;
    let is_place = |line: &&str| {
        ["/", "file:", "node:", "<"].iter().any(|start| line.starts_with(start)) && ends_with_number(line)
    };
    let place = lines[..end].iter().rposition(is_place)?;
    let is_caret = |line: &&str| line.trim_start().starts_with('^');
    let source = (place + 2).min(end);
    let caret =
        lines[source..end.min(source + 1)].iter().position(is_caret).map_or(source, |at| source + at + 1);
    let error = caret + lines[caret..end].iter().position(|line| !line.trim().is_empty())?;
    let own_place = Some(lines[place]).filter(|place| !place.starts_with('<') && is_own_node(place));
    Some(Cause::of(lines[error], own_node_frame(&lines[error..end]).or(own_place)))
}

/// An error that a program in Node.js has printed itself, with its stack.
fn node_logged(lines: &[&str]) -> Option<Cause> {
    lines.iter().enumerate().find_map(|(at, line)| {
        let error = node_error(line)?;
        let rest = &lines[at + 1..];
        let stack = rest.iter().take(MAX_MESSAGE_LINES).position(|line| is_node_frame(line))?;
        Some(Cause::of(error, own_node_frame(&rest[stack..])))
    })
}

/// The line from the name of an error on.
fn node_error(line: &str) -> Option<&str> {
    let mut from = 0;
    for word in line.split_inclusive(' ') {
        let name = word.trim_end().trim_end_matches(':');
        let is_name = ["Error", "Exception", "Rejection"].iter().any(|end| name.ends_with(end))
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_$.".contains(&byte));
        let rest = &line[from + word.len()..];
        if is_name && (word.trim_end().ends_with(':') || rest.is_empty() || rest.starts_with('[')) {
            return Some(&line[from..]);
        }
        from += word.len();
    }
    None
}

fn is_node_frame(line: &str) -> bool {
    line.trim_start().starts_with("at ")
}

/// The first frame of a stack, up to the next text at the margin, that is the program's own.
fn own_node_frame<'a>(stack: &[&'a str]) -> Option<&'a str> {
    let frames = stack.iter().filter(|line| is_node_frame(line));
    frames
        .copied()
        .find(|frame| is_own_node(frame) && ends_with_number(frame.trim_end().trim_end_matches(')')))
}

fn is_own_node(place: &str) -> bool {
    !["node:", "node_modules", "<anonymous>)"].iter().any(|foreign| place.contains(foreign))
}

fn python(lines: &[&str]) -> Option<Cause> {
    // Of a group of exceptions, the one inside is printed last.
    let lines: Vec<&str> = lines.iter().map(|line| outside_of_group(line)).collect();
    let begin = lines.iter().rposition(|line| line.ends_with("Traceback (most recent call last):"))?;
    let traceback = &lines[begin + 1..];
    let end = traceback.iter().position(|line| !line.is_empty() && !line.starts_with(' '))?;
    let is_own = |line: &&&str| {
        let line = line.trim_start();
        line.starts_with("File \"")
            && !["site-packages", "/lib/python", "\"<"].iter().any(|foreign| line.contains(foreign))
    };
    let frame = traceback[..end].iter().rev().find(is_own);
    Some(Cause::of(traceback[end], frame.copied()))
}

/// A line of a group of exceptions without the bar at its side.
fn outside_of_group(line: &str) -> &str {
    line.trim_start().strip_prefix("| ").unwrap_or(line)
}

fn rust(lines: &[&str]) -> Option<Cause> {
    const PANICKED: &str = "panicked at ";
    lines.iter().enumerate().find_map(|(at, line)| {
        let rest = &line[line.find(PANICKED)? + PANICKED.len()..];
        let (message, place) = match rest.strip_suffix(':') {
            // Since Rust 1.73 the message stands on a line of its own.
            Some(place) => (*lines.get(at + 1)?, place),
            None => rest.rsplit_once(", ")?,
        };
        Some(Cause::of(&format!("panicked: {message}"), Some(place)))
    })
}

fn go(lines: &[&str]) -> Option<Cause> {
    let is_end = |line: &&str| ["panic: ", "fatal error: "].iter().any(|start| line.starts_with(start));
    let at = lines.iter().position(is_end)?;
    let is_own = |line: &&str| {
        line.starts_with('\t')
            && line.contains(".go:")
            && !["/go/src/", "/pkg/mod/"].iter().any(|foreign| line.contains(foreign))
    };
    let frame = lines[at..].iter().copied().find(is_own);
    Some(Cause::of(lines[at], frame.map(|frame| frame.split(" +0x").next().unwrap_or(frame))))
}

fn java(lines: &[&str]) -> Option<Cause> {
    const THREAD: &str = "Exception in thread \"";
    let at = lines.iter().position(|line| line.starts_with(THREAD))?;
    let (_, error) = lines[at][THREAD.len()..].split_once("\" ")?;
    let is_own = |line: &&str| {
        let frame = line.trim_start().strip_prefix("at ");
        let foreign = ["java.", "javax.", "jdk.", "sun."];
        frame.is_some_and(|frame| !foreign.iter().any(|foreign| frame.starts_with(foreign)))
    };
    Some(Cause::of(error, lines[at + 1..].iter().copied().find(is_own)))
}

/// A frame's file and line, without what was called there and the column.
fn line_of(frame: &str) -> &str {
    let place = frame.trim_end_matches(')');
    let place = place.rsplit_once('(').map_or(place, |(_, place)| place);
    match place.rsplit_once(':') {
        Some((line, column)) if is_number(column) && ends_with_number(line) => line,
        _ => place,
    }
}

fn ends_with_number(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(_, number)| is_number(number))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn without_numbers(text: &str) -> String {
    let mut kept = String::new();
    for character in text.chars() {
        match character {
            '0'..='9' if kept.ends_with('#') => {}
            '0'..='9' => kept.push('#'),
            other => kept.push(other),
        }
    }
    kept
}

#[cfg(test)]
mod tests;
