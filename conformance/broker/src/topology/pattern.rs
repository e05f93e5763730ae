//! Topic patterns: words divided by dots, `*` for one word, `#` for any number of them.

/// Whether a topic `pattern` matches a routing `key`, in time proportional to the product of their words at worst.
///
/// An empty key has no words, so `#` matches it and `*` does not, as in RabbitMQ.
pub(crate) fn matches(pattern: &str, key: &str) -> bool {
    let pattern = words(pattern);
    let key = words(key);
    let (mut at, mut seen) = (0, 0);
    // Where to resume when the words after the last `#` do not fit: that `#` then takes one word more.
    let mut resume = None;
    while seen < key.len() {
        match pattern.get(at) {
            Some(&"#") => {
                resume = Some((at + 1, seen));
                at += 1;
            }
            Some(&word) if word == "*" || word == key[seen] => {
                at += 1;
                seen += 1;
            }
            Some(_) | None => {
                let Some((after, skipped)) = resume else {
                    return false;
                };
                resume = Some((after, skipped + 1));
                at = after;
                seen = skipped + 1;
            }
        }
    }
    pattern[at..].iter().all(|&word| word == "#")
}

fn words(text: &str) -> Vec<&str> {
    if text.is_empty() { Vec::new() } else { text.split('.').collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The table of the AMQP model, and the corners that RabbitMQ settles.
    #[test]
    fn words_stars_and_hashes() {
        for (pattern, key, expected) in [
            ("payment.created", "payment.created", true),
            ("payment.created", "payment.updated", false),
            ("payment.*", "payment.created", true),
            ("payment.*", "payment", false),
            ("payment.*", "payment.created.late", false),
            ("*.created", "payment.created", true),
            ("#", "", true),
            ("#", "a.b.c", true),
            ("*", "", false),
            ("", "", true),
            ("payment.#", "payment", true),
            ("payment.#", "payment.created.late", true),
            ("#.late", "payment.created.late", true),
            ("#.late", "late", true),
            ("a.#.b", "a.b", true),
            ("a.#.b", "a.x.y.b", true),
            ("a.#.b", "a.x.y", false),
            ("a.#.*.b", "a.b", false),
            ("a.#.*.b", "a.x.b", true),
            ("#.#", "a", true),
            ("a.*.b", "a..b", true),
            ("stock", "stock.", false),
        ] {
            assert_eq!(matches(pattern, key), expected, "{pattern:?} against {key:?}");
        }
    }

    /// The obvious, exponential definition.
    fn defined(pattern: &[&str], key: &[&str]) -> bool {
        match (pattern, key) {
            ([], key) => key.is_empty(),
            (["#", rest @ ..], key) => (0..=key.len()).any(|skipped| defined(rest, &key[skipped..])),
            (["*", rest @ ..], [_, key @ ..]) => defined(rest, key),
            ([word, rest @ ..], [first, key @ ..]) => word == first && defined(rest, key),
            ([_, ..], []) => false,
        }
    }

    proptest! {
        /// The linear matcher agrees with the definition.
        #[test]
        fn agrees_with_the_definition(
            pattern in proptest::collection::vec(prop_oneof![Just("a"), Just("b"), Just("*"), Just("#")], 1..7),
            key in proptest::collection::vec(prop_oneof![Just("a"), Just("b")], 1..7),
        ) {
            prop_assert_eq!(matches(&pattern.join("."), &key.join(".")), defined(&pattern, &key));
        }
    }
}
