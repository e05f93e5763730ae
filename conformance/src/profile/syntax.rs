//! What a reader of profiles learns where a value is of another kind than what may stand there.

use toml::de::Error;

use super::RawProfile;

/// A word that no list of words has.
const NO_WORD: &str = "\"?\"";
/// What the parser says of a value that is no word, where only some words may stand.
const NO_LIST: &str = "wanted string or table";
/// The parser's words for kinds of values, and a profile's.
const KINDS: [(&str, &str); 4] = [
    ("expected a string", "expected a text in quotes"),
    ("expected a map", "expected a table"),
    ("expected a sequence", "expected a list"),
    ("expected a boolean", "expected `true` or `false`"),
];

/// What is wrong, in the words of TOML: what may stand in the place.
pub(super) fn explained(text: &str, error: &Error) -> String {
    let message = error.message();
    if message == NO_LIST
        && let Some(words) = words_in_place(text, error)
    {
        return words;
    }
    KINDS.iter().fold(message.to_owned(), |message, (from, to)| message.replace(from, to))
}

/// The words that may stand where the error is: the parser lists them where another word stands.
fn words_in_place(text: &str, error: &Error) -> Option<String> {
    let place = error.span()?;
    let other = format!("{}{NO_WORD}{}", text.get(..place.start)?, text.get(place.end..)?);
    let error = toml::from_str::<RawProfile>(&other).err()?;
    let at = error.message().find("expected")?;
    Some(error.message()[at..].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each kind of slip names what may stand in its place, and no type of this program.
    #[test]
    fn slips_say_what_may_stand_there() {
        for (text, says) in [
            ("[dialect]\nwelcome = 7", "`true`, `false`, or the type of the first message"),
            ("[dialect]\nsubscribe = \"channel\"", "a table with `event_type` or `room`"),
            ("[dialect]\nheartbeat = 7", "expected `control`, `message`, or a table with `ping` and `pong`"),
            ("[token]\nusers = 7", "expected one of"),
            ("[token]\nnames = 7", "expected a table"),
            ("[timing]\nping_interval = 7", "expected a text in quotes"),
            ("[gateway]\ncommand = [\"a\"]\nqueues = 7", "expected a list"),
            ("[gateway]\ncommand = [\"a\"]\nready = 7", "expected a table, such as `{ path"),
            ("[[event]]\nfor = \"owner\"\ntype = \"a\"\nexchange = \"x\"", "a table with `name` and `type`"),
        ] {
            let error = toml::from_str::<RawProfile>(text).err().expect("it is a slip");
            let said = explained(text, &error);
            assert!(said.contains(says), "{text}: {said}");
            assert!(!said.contains("struct") && !said.contains("enum"), "{said}");
        }
    }
}
