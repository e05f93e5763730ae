//! The body of what is published, as a template.

use serde_json::Value;

/// The event's type with dots for colons.
pub(super) const KEY: &str = "{key}";
/// The event's type.
pub(super) const TYPE: &str = "{type}";
/// The event's data, which need not be a text.
const DATA: &str = "{data}";
/// The user whom the data names, which need not be a text.
pub(super) const USER: &str = "{user}";

/// A JSON text in which the text `"{data}"` stands for an event's data, and `"{user}"` for the user in it, null where there is none;
/// `{type}`, `{key}` and `{user}` are filled within texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BodyTemplate(Value);

/// Why a text is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It is no JSON.
    #[error("is no JSON: {0}")]
    Json(String),
    /// It leaves the data out.
    #[error("needs `\"{{data}}\"`, for the event's data")]
    NoData,
    /// It names what is not filled in there.
    #[error(
        "has `{{{0}}}`, which stands for nothing there; `{{key}}`, `{{type}}` and `{{user}}` do, and the whole text `\"{{data}}\"` in a body"
    )]
    Unknown(String),
}

impl BodyTemplate {
    pub(super) fn parse(text: &str) -> Result<Self, BodyError> {
        let body = serde_json::from_str(text).map_err(|error| BodyError::Json(error.to_string()))?;
        check_places(&body)?;
        match has_text(&body, &|text| text == DATA) {
            true => Ok(Self(body)),
            false => Err(BodyError::NoData),
        }
    }

    /// Whether it says which type an event has.
    pub(super) fn tells_types_apart(&self) -> bool {
        has_text(&self.0, &|text| [KEY, TYPE].iter().any(|placeholder| text.contains(placeholder)))
    }

    /// Whether it is an event's data and nothing else.
    fn is_data_alone(&self) -> bool {
        self.0.as_str() == Some(DATA)
    }

    /// What is no event by this template: where any JSON may be one, a body that is JSON is cut short.
    pub(super) fn poisoned(&self, body: &str) -> String {
        let mut body = body.to_owned();
        if self.is_data_alone() && serde_json::from_str::<Value>(&body).is_ok() {
            body.pop();
        }
        body
    }

    /// The body of an event whose owner stands under `owner_key` in its data.
    pub(super) fn fill(&self, kind: &str, data: &Value, owner_key: &str) -> String {
        let mut body = self.0.clone();
        fill(&mut body, kind, (data, &data[owner_key]));
        body.to_string()
    }
}

/// The text with type and key in it.
pub(super) fn fill_text(text: &str, kind: &str) -> String {
    text.replace(TYPE, kind).replace(KEY, &kind.replace(':', "."))
}

/// The text with the user in it whom an event's data names; where it names none, with a word that is none.
pub(super) fn fill_user(text: &str, user: Option<&Value>) -> String {
    match user {
        _ if !text.contains(USER) => text.to_owned(),
        Some(Value::String(user)) => text.replace(USER, user),
        None | Some(Value::Null) => text.replace(USER, "nobody"),
        Some(user) => text.replace(USER, &user.to_string()),
    }
}

/// Checks that each placeholder in a text stands for something.
pub(super) fn check_text(text: &str) -> Result<(), BodyError> {
    let known = [KEY, TYPE, USER];
    let words = text.match_indices('{').filter_map(|(at, _)| text[at + 1..].split_once('}'));
    let mut words = words.map(|(word, _)| word).filter(|word| is_word(word));
    let unknown = words.find(|word| !known.contains(&format!("{{{word}}}").as_str()));
    unknown.map_or(Ok(()), |word| Err(BodyError::Unknown(word.to_owned())))
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c))
}

fn check_places(value: &Value) -> Result<(), BodyError> {
    match value {
        Value::String(text) if text == DATA => Ok(()),
        Value::String(text) => check_text(text),
        Value::Array(items) => items.iter().try_for_each(check_places),
        Value::Object(members) => members.values().try_for_each(check_places),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

fn has_text(value: &Value, suits: &impl Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) => suits(text),
        Value::Array(items) => items.iter().any(|item| has_text(item, suits)),
        Value::Object(members) => members.values().any(|member| has_text(member, suits)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn fill(value: &mut Value, kind: &str, (data, user): (&Value, &Value)) {
    match value {
        Value::String(text) if text == DATA => *value = data.clone(),
        Value::String(text) if text == USER => *value = user.clone(),
        Value::String(text) => {
            *text = fill_text(text, kind);
            if text.contains(USER) {
                let user = user.as_str().map_or_else(|| user.to_string(), str::to_owned);
                *text = text.replace(USER, &user);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| fill(item, kind, (data, user))),
        Value::Object(members) => members.values_mut().for_each(|member| fill(member, kind, (data, user))),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
