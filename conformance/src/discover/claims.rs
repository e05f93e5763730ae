//! How a token may name its user and their role, as styles that a profile's `[token]` can say.

use std::collections::BTreeMap;

use protocol::Role;
use scenarios::token::TokenStyle;
use scenarios::{RoleNames, UserIds};
use serde_json::{Value, json};

/// A user's claim by itself.
const SINGLE: [(&str, UserIds); 10] = [
    ("userId", UserIds::Words),
    ("sub", UserIds::Words),
    ("userId", UserIds::Integers),
    ("sub", UserIds::Integers),
    ("userId", UserIds::Uuids),
    ("sub", UserIds::Uuids),
    ("id", UserIds::Words),
    ("user_id", UserIds::Words),
    ("uid", UserIds::Words),
    ("uid", UserIds::Integers),
];
/// Where a user may be named.
const USERS: [&str; 8] = [
    r#"{"userId":"{user}"}"#,
    r#"{"sub":"{user}"}"#,
    r#"{"uid":"{user}"}"#,
    r#"{"id":"{user}"}"#,
    r#"{"user_id":"{user}"}"#,
    r#"{"user":{"id":"{user}"}}"#,
    r#"{"preferred_username":"{user}"}"#,
    r#"{"https://hasura.io/jwt/claims":{"x-hasura-user-id":"{user}"}}"#,
];
/// Where a role may be named.
const ROLES: [&str; 10] = [
    r#"{"role":"{role}"}"#,
    r#"{"roles":["{role}"]}"#,
    r#"{"scope":"{role}"}"#,
    r#"{"scopes":["{role}"]}"#,
    r#"{"scp":["{role}"]}"#,
    r#"{"groups":["{role}"]}"#,
    r#"{"permissions":["{role}"]}"#,
    r#"{"authorities":["{role}"]}"#,
    r#"{"realm_access":{"roles":["{role}"]}}"#,
    r#"{"cognito:groups":["{role}"]}"#,
];

/// What roles may be called: administrators, customers, vendors.
const NAMES: [[&str; 3]; 4] = [
    ["ADMIN", "CUSTOMER", "VENDOR"],
    ["admin", "customer", "vendor"],
    ["admin", "user", "vendor"],
    ["Admin", "Customer", "Vendor"],
];

/// Styles in which one claim names the user, the seed's first.
pub(super) fn single(base: &TokenStyle) -> Vec<TokenStyle> {
    let of = |(claim, users): (&str, UserIds)| TokenStyle {
        names: match claim {
            "userId" => BTreeMap::new(),
            other => BTreeMap::from([("userId".to_owned(), other.to_owned())]),
        },
        users,
        ..constant(base)
    };
    SINGLE.map(of).to_vec()
}

/// Styles with these claims.
pub(super) fn given(claims: &BTreeMap<String, Value>, users: Option<UserIds>) -> Vec<TokenStyle> {
    let says_roles = claims.values().any(|value| value.to_string().contains("{role}"));
    let names = if says_roles { &NAMES[..] } else { &NAMES[..1] };
    let kinds = UserIds::ALL.into_iter().filter(|kind| users.is_none_or(|users| users == *kind));
    let styles = kinds.flat_map(|users| {
        names.iter().map(move |names| {
            plainly(TokenStyle {
                users,
                roles: called(names),
                claims: claims.clone(),
                ..TokenStyle::default()
            })
        })
    });
    styles.collect()
}

/// Styles that name the user and their role in every place: whichever a gateway reads, it finds.
pub(super) fn generous(base: &TokenStyle) -> Vec<TokenStyle> {
    let pairs = NAMES.iter().flat_map(|names| UserIds::ALL.map(|users| (names, users)));
    let styles = pairs.map(|(names, users)| {
        let style = TokenStyle { users, roles: called(names), ..constant(base) };
        with(&style, &[&USERS[..], &ROLES[..]].concat())
    });
    styles.collect()
}

/// The same with one place for the user.
pub(super) fn one_user(generous: &TokenStyle, base: &TokenStyle) -> Vec<TokenStyle> {
    let plain = TokenStyle { claims: constant(base).claims, ..generous.clone() };
    USERS.iter().map(|user| with(&plain, &[&[*user][..], &ROLES[..]].concat())).collect()
}

/// The same with one place for the role, too; the last has none.
pub(super) fn one_role(one_user: &TokenStyle, base: &TokenStyle) -> Vec<TokenStyle> {
    let plain = TokenStyle { claims: constant(base).claims, ..one_user.clone() };
    let own = USERS.iter().find(|user| object(user).keys().all(|key| one_user.claims.contains_key(key)));
    let own = own.copied().unwrap_or(USERS[0]);
    let mut styles: Vec<TokenStyle> = ROLES.iter().map(|role| with(&plain, &[own, role])).collect();
    styles.push(TokenStyle { roles: RoleNames::Absent, ..with(&plain, &[own]) });
    styles
}

/// Other styles of roles, where it was not seen which one is read.
pub(super) fn other_roles(style: &TokenStyle) -> Vec<TokenStyle> {
    let mut plain = style.clone();
    plain.claims.retain(|_, value| !value.to_string().contains("{role}"));
    let pairs = NAMES.iter().flat_map(|names| ROLES.iter().map(move |role| (names, role)));
    let styles = pairs.map(|(names, role)| {
        let style = TokenStyle { roles: called(names), ..plain.clone() };
        plainly(with(&style, &[role]))
    });
    styles.filter(|other| other != style).collect()
}

/// A style as a profile would say it: a claim that only has another name is one of `names`.
pub(super) fn plainly(mut style: TokenStyle) -> TokenStyle {
    for (claim, place) in [("userId", "{user}"), ("role", "{role}")] {
        let held: Vec<String> = style
            .claims
            .iter()
            .filter(|(_, value)| value.to_string().contains(place))
            .map(|(key, _)| key.clone())
            .collect();
        let [one] = &held[..] else { continue };
        if style.claims[one] == json!(place) {
            style.claims.remove(one);
            if one != claim {
                style.names.insert(claim.to_owned(), one.clone());
            }
        }
    }
    let is_usual = |names: &BTreeMap<Role, String>| names.iter().all(|(role, name)| name == role.as_str());
    if matches!(&style.roles, RoleNames::Called(names) if is_usual(names)) {
        style.roles = RoleNames::default();
    }
    style
}

/// What a style says, for people.
pub(super) fn described(style: &TokenStyle) -> String {
    let kind = match style.users {
        UserIds::Words => "a word",
        UserIds::Integers => "an integer",
        UserIds::Uuids => "a UUID",
    };
    let held = |claim: &str, place: &str| -> Vec<String> {
        let own = style.names.get(claim).map_or(claim, String::as_str).to_owned();
        let held: Vec<String> =
            style.claims.iter().filter_map(|(key, value)| spot(key, value, place)).collect();
        if held.is_empty() { vec![own] } else { held }
    };
    let users = held("userId", "{user}").join(", ");
    match style.roles.name(Role::Customer) {
        Some(role) => format!("{kind} in `{users}`, \"{role}\" in `{}`", held("role", "{role}").join(", ")),
        None => format!("{kind} in `{users}`, no role"),
    }
}

/// The claims that are tried.
pub(super) fn tried() -> Vec<String> {
    let of = |claims: &[&str], place: &str| -> Vec<String> {
        claims
            .iter()
            .flat_map(|text| object(text))
            .filter_map(|(key, value)| spot(&key, &value, place))
            .collect()
    };
    [of(&USERS, "{user}"), of(&ROLES, "{role}")].concat()
}

/// What a customer's role was called.
pub(super) fn customers() -> Vec<String> {
    NAMES.iter().map(|[_, customer, _]| format!("`{customer}`")).collect()
}

/// Where in a claim a placeholder stands: `realm_access.roles[]`.
fn spot(key: &str, value: &Value, place: &str) -> Option<String> {
    match value {
        Value::String(text) => text.contains(place).then(|| key.to_owned()),
        Value::Array(items) => items.iter().find_map(|item| spot(&format!("{key}[]"), item, place)),
        Value::Object(members) => {
            members.iter().find_map(|(inner, value)| spot(&format!("{key}.{inner}"), value, place))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// What is said of every token: an algorithm, an issuer, an audience.
fn constant(base: &TokenStyle) -> TokenStyle {
    let claims = base.claims.iter().filter(|(_, value)| !value.to_string().contains('{'));
    TokenStyle {
        algorithm: base.algorithm,
        claims: claims.map(|(key, value)| (key.clone(), value.clone())).collect(),
        ..TokenStyle::default()
    }
}

fn with(style: &TokenStyle, claims: &[&str]) -> TokenStyle {
    let mut style = style.clone();
    style.claims.extend(claims.iter().flat_map(|text| object(text)));
    style
}

fn object(text: &str) -> BTreeMap<String, Value> {
    serde_json::from_str(text).unwrap_or_default()
}

fn called(names: &[&str; 3]) -> RoleNames {
    let roles = [Role::Admin, Role::Customer, Role::Vendor];
    RoleNames::Called(roles.into_iter().zip(names.map(str::to_owned)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What accepts a token with every claim is narrowed to the claims that it reads, as a profile says them.
    #[test]
    fn styles_are_narrowed() {
        let base = TokenStyle::default();
        let all = generous(&base);
        assert_eq!(all.len(), 12);
        let integers = all
            .iter()
            .find(|style| style.users == UserIds::Integers && style.roles.name(Role::Admin) == Some("admin"));
        let users = one_user(integers.unwrap(), &base);
        let uid = users.iter().find(|style| style.claims.contains_key("uid")).unwrap();
        let roles = one_role(uid, &base);
        let listed = plainly(roles[1].clone());
        assert_eq!(listed.names, BTreeMap::from([("userId".to_owned(), "uid".to_owned())]));
        assert_eq!(listed.claims, BTreeMap::from([("roles".to_owned(), json!(["{role}"]))]));
        assert_eq!(described(&listed), "an integer in `uid`, \"customer\" in `roles[]`");
        assert_eq!(described(&roles[8]), "an integer in `uid`, \"customer\" in `realm_access.roles[]`");
        assert_eq!(described(roles.last().unwrap()), "an integer in `uid`, no role");
        assert_eq!(plainly(one_role(&one_user(&all[0], &base)[0], &base)[0].clone()), base);
    }
}
