//! Claims as a style has them: under other names, or within other claims.

use serde_json::{Map, Value};

use super::TokenStyle;

/// What stands for a claim within others.
const PLACES: [(&str, &str); 3] = [("userId", "{user}"), ("email", "{email}"), ("role", "{role}")];

impl TokenStyle {
    /// The placeholders of `claims`, without their braces.
    pub const PLACEHOLDERS: [&'static str; 3] = ["user", "email", "role"];
}

/// The claims of a token. What a style has a place for stands there alone, and not at all where there is nothing to say.
pub(super) fn styled(mut claims: Map<String, Value>, style: &TokenStyle) -> Map<String, Value> {
    let mut styled: Map<String, Value> = style.claims.clone().into_iter().collect();
    for (claim, place) in PLACES {
        if !styled.values().any(|value| mentions(value, place)) {
            continue;
        }
        match claims.remove(claim) {
            Some(said) => styled.values_mut().for_each(|value| fill(value, place, &said)),
            None => styled.retain(|_, value| !mentions(value, place)),
        }
    }
    let named = claims.into_iter().map(|(claim, value)| match style.names.get(&claim) {
        Some(name) => (name.clone(), value),
        None => (claim, value),
    });
    styled.into_iter().chain(named).collect()
}

fn mentions(value: &Value, place: &str) -> bool {
    match value {
        Value::String(text) => text.contains(place),
        Value::Array(items) => items.iter().any(|item| mentions(item, place)),
        Value::Object(members) => members.values().any(|member| mentions(member, place)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn fill(value: &mut Value, place: &str, said: &Value) {
    match value {
        Value::String(text) if text == place => *value = said.clone(),
        Value::String(text) if text.contains(place) => {
            let plain = said.as_str().map_or_else(|| said.to_string(), str::to_owned);
            *text = text.replace(place, &plain);
        }
        Value::Array(items) => items.iter_mut().for_each(|item| fill(item, place, said)),
        Value::Object(members) => members.values_mut().for_each(|member| fill(member, place, said)),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A claim stands where the style has a place for it, as what it is; without a value, what would hold it is left out.
    #[test]
    fn claims_stand_where_they_have_a_place() {
        let object = |value: Value| value.as_object().expect("an object").clone();
        let places = json!({
            "sub": "{user}", "upn": "u{user}", "realm_access": { "roles": ["{role}"] }, "iss": "https://id.example",
        });
        let style = TokenStyle {
            claims: object(places).into_iter().collect(),
            names: [("email".to_owned(), "mail".to_owned())].into(),
            ..TokenStyle::default()
        };
        let said = json!({ "userId": 7, "role": "superuser", "email": "e", "exp": 1 });
        assert_eq!(
            Value::Object(styled(object(said), &style)),
            json!({
                "sub": 7, "upn": "u7", "realm_access": { "roles": ["superuser"] }, "iss": "https://id.example",
                "mail": "e", "exp": 1,
            })
        );
        let nobody = styled(object(json!({ "email": "e" })), &style);
        assert_eq!(Value::Object(nobody), json!({ "iss": "https://id.example", "mail": "e" }));
    }
}
