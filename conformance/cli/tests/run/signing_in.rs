//! Gateways that take tokens in a way of their own, and answer by reference, are judged by what their profile declares.

use crate::designs::{Design, OF_ROLES, OF_USERS, PRIVATE};

/// A token that is signed with another secret is refused.
const WRONG: &str = "gateway/auth/wrong-signature-token";
const GOOD: &str = "gateway/auth/good-token";
const NO_USER: &str = "gateway/auth/no-user-claim";
const NO_ROLE: &str = "gateway/auth/no-role-claim";
const OWN_ROOMS: &str = "gateway/connections/own-rooms";

const BASE: Design = Design {
    name: "",
    unacknowledged: "",
    profile: "",
    verdicts: &[],
    shows: "",
    elsewhere: false,
    source: include_str!("signing_in.mjs"),
};

const INTEGERS: Design = Design {
    name: "integers",
    profile: r#"
        [token]
        users = "integers"
        names = { userId = "sub" }
    "#,
    verdicts: &[
        (GOOD, "pass"),
        (WRONG, "pass"),
        (NO_USER, "pass"),
        (OWN_ROOMS, "pass"),
        (OF_USERS, "pass"),
        (PRIVATE, "pass"),
        ("gateway/rooms/private", "pass"),
    ],
    ..BASE
};
const UUIDS: Design = Design {
    name: "uuids",
    profile: "[token]\nusers = \"uuids\"",
    verdicts: &[(GOOD, "pass"), (OWN_ROOMS, "pass"), (OF_USERS, "pass")],
    ..BASE
};

/// Words are refused, and it is not the secret.
const OTHER_INTEGERS: Design =
    Design { profile: "", verdicts: &[], shows: "users = \"integers\"", ..INTEGERS };
const ROLES: Design = Design {
    name: "roles",
    profile: r#"
        [token]
        roles = { ADMIN = "superuser", CUSTOMER = "buyer", VENDOR = "seller" }
        claims = { roles = ["{role}"] }
    "#,
    verdicts: &[
        (GOOD, "pass"),
        (NO_ROLE, "pass"),
        ("gateway/auth/unknown-role-claim", "pass"),
        (OWN_ROOMS, "pass"),
        (OF_ROLES, "pass"),
        ("gateway/rooms/private-role", "pass"),
    ],
    ..BASE
};
const NO_ROLES: Design = Design {
    name: "no-roles",
    profile: "[token]\nroles = false",
    verdicts: &[
        (GOOD, "pass"),
        (OF_USERS, "pass"),
        (NO_ROLE, "not_run"),
        (OF_ROLES, "not_run"),
        (OWN_ROOMS, "not_run"),
    ],
    shows: "the profile says that there are no roles",
    ..BASE
};

pub(crate) const DESIGNS: [(&str, Design); 5] = [
    ("user_ids_that_are_integers", INTEGERS),
    ("user_ids_that_are_integers_unsaid", OTHER_INTEGERS),
    ("user_ids_that_are_uuids", UUIDS),
    ("roles_of_other_names_in_a_list", ROLES),
    ("no_roles", NO_ROLES),
];
