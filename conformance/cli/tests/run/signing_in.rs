//! Gateways that take tokens in a way of their own, have limits of their own, or answer by reference, are judged by what their profile declares.

use crate::designs::{Design, OF_ROLES, OF_USERS, PRIVATE};

/// A token that is signed with another secret is refused.
const WRONG: &str = "gateway/auth/wrong-signature-token";
const GOOD: &str = "gateway/auth/good-token";
const NO_USER: &str = "gateway/auth/no-user-claim";
const NO_ROLE: &str = "gateway/auth/no-role-claim";
const EXPIRED: &str = "gateway/auth/expired-token";
const MISSING: &str = "gateway/auth/missing-token";
const BROKEN: &str = "gateway/auth/broken-sign-in";
const WELCOME: &str = "gateway/connections/welcome";
const PING: &str = "gateway/messages/ping";
const TOO_LONG: &str = "gateway/messages/too-long";
const ROOMS: &str = "gateway/rooms/limit";
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
        (OWN_ROOMS, "pass"),
        ("gateway/connections/own-role-room", "not_run"),
    ],
    shows: "the profile says that there are no roles",
    ..BASE
};

const PATH: Design = Design {
    name: "path",
    profile: "[dialect]\ntoken = \"path\"",
    verdicts: &[
        (GOOD, "pass"),
        (WRONG, "pass"),
        (EXPIRED, "pass"),
        (OWN_ROOMS, "pass"),
        ("gateway/auth/percent-encoded-token", "pass"),
        ("gateway/auth/exact-path", "pass"),
        (MISSING, "not_run"),
    ],
    shows: "without it, it is another path",
    ..BASE
};
const OTHER_PATH: Design = Design { profile: "", verdicts: &[], shows: "dialect.token = \"path\"", ..PATH };
const MESSAGE: Design = Design {
    name: "message",
    profile: r#"
        [dialect]
        token = "message"
        refusal = "close-4403"

        [dialect.sign_in]
        message = '{"type":"connection_init","payload":{"token":"{token}"}}'
        answer = '{"type":"connection_ack"}'
    "#,
    verdicts: &[
        (GOOD, "pass"),
        (WRONG, "pass"),
        (EXPIRED, "pass"),
        (MISSING, "pass"),
        ("gateway/auth/empty-token", "pass"),
        (BROKEN, "pass"),
        ("gateway/auth/unsigned-token", "pass"),
        ("gateway/auth/token-expires", "pass"),
        (WELCOME, "pass"),
        (OWN_ROOMS, "pass"),
        (OF_USERS, "pass"),
        ("gateway/auth/percent-encoded-token", "not_run"),
    ],
    shows: "the token travels in a message",
    ..BASE
};
/// The error before the close is a part of the refusal.
const MESSAGE_AND_ERROR: Design = Design {
    name: "message-and-error",
    verdicts: &[(GOOD, "pass"), (WRONG, "pass"), (MISSING, "pass")],
    shows: "",
    ..MESSAGE
};
/// It dies of a first message without a payload.
const MESSAGE_FRAGILE: Design = Design {
    name: "message-fragile",
    verdicts: &[(GOOD, "pass"), (MISSING, "pass"), (BROKEN, "subject_error")],
    shows: "",
    ..MESSAGE
};
const MESSAGE_UNVERIFIED: Design = Design {
    name: "message-unverified",
    verdicts: &[(GOOD, "pass"), (WRONG, "fail"), (EXPIRED, "fail"), (MISSING, "pass")],
    shows: "connection_init",
    ..MESSAGE
};
/// A refusal by another code than declared is a finding.
const MESSAGE_OTHERWISE: Design = Design {
    profile: r#"
        [dialect]
        token = "message"
        refusal = "close-4401"

        [dialect.sign_in]
        message = '{"type":"connection_init","payload":{"token":"{token}"}}'
        answer = '{"type":"connection_ack"}'
    "#,
    verdicts: &[(GOOD, "pass"), (WRONG, "fail")],
    shows: "4403",
    ..MESSAGE
};

/// As Phoenix has it: `[join_ref, ref, topic, event, payload]`, and answers that name what they answer by its reference.
const REFERENCES: Design = Design {
    name: "references",
    profile: r#"
        [dialect.frames]
        message = '["{id}","{ref}","{room}","{type}","{payload}"]'
        subscribe = '["{ref}","{ref}","{room}","phx_join",{}]'
        unsubscribe = '[null,"{ref}","{room}","phx_leave",{}]'
        subscribed = '["{id}","{ref}","{room}","phx_reply",{"status":"ok"}]'
        unsubscribed = '["{id}","{ref}","{room}","phx_reply",{"status":"ok"}]'
        ping = '[null,"{ref}","phoenix","heartbeat",{}]'
        pong = '["{id}","{ref}","phoenix","phx_reply",{"status":"ok"}]'
        error = '["{id}","{ref}","{room}","phx_reply",{"status":"error","response":{"reason":"{code}"}}]'
    "#,
    verdicts: &[
        (WELCOME, "pass"),
        (OF_USERS, "pass"),
        (PRIVATE, "pass"),
        (PING, "pass"),
        ("gateway/messages/well-formed", "pass"),
        ("gateway/rooms/subscribe-and-leave", "pass"),
        ("gateway/rooms/forbidden-is-told", "pass"),
    ],
    ..BASE
};
const WRONG_REFERENCES: Design = Design {
    name: "wrong-references",
    verdicts: &[(PING, "fail")],
    shows: "an answer to nothing that was asked",
    ..REFERENCES
};

const LIMITS: Design = Design {
    name: "limits",
    profile: "limits = { message_bytes = 16384, rooms = 40 }",
    verdicts: &[
        (TOO_LONG, "pass"),
        ("gateway/rfc6455/limits/up-to-the-limit", "pass"),
        ("gateway/rfc6455/limits/over-the-limit", "pass"),
        ("gateway/rfc6455/limits/binary-messages", "pass"),
        (ROOMS, "pass"),
    ],
    ..BASE
};
/// It keeps other limits than declared.
const OTHER_LIMITS: Design = Design {
    profile: "limits = { message_bytes = 131072, rooms = 60 }",
    verdicts: &[(TOO_LONG, "fail"), (ROOMS, "fail")],
    ..LIMITS
};
const NO_LIMITS: Design = Design {
    profile: "limits = { message_bytes = false, rooms = false }",
    verdicts: &[(TOO_LONG, "not_run"), (ROOMS, "not_run"), (GOOD, "pass")],
    shows: "the profile says that there is no such limit",
    ..LIMITS
};

pub(crate) const DESIGNS: [(&str, Design); 17] = [
    ("user_ids_that_are_integers", INTEGERS),
    ("user_ids_that_are_integers_unsaid", OTHER_INTEGERS),
    ("user_ids_that_are_uuids", UUIDS),
    ("roles_of_other_names_in_a_list", ROLES),
    ("no_roles", NO_ROLES),
    ("signing_in_by_path", PATH),
    ("signing_in_by_path_unsaid", OTHER_PATH),
    ("signing_in_by_message", MESSAGE),
    ("signing_in_by_message_with_an_error", MESSAGE_AND_ERROR),
    ("signing_in_by_message_fragile", MESSAGE_FRAGILE),
    ("signing_in_by_message_unverified", MESSAGE_UNVERIFIED),
    ("signing_in_by_message_refused_otherwise", MESSAGE_OTHERWISE),
    ("answers_by_reference", REFERENCES),
    ("answers_by_other_references", WRONG_REFERENCES),
    ("limits_of_its_own", LIMITS),
    ("limits_other_than_declared", OTHER_LIMITS),
    ("limits_that_there_are_not", NO_LIMITS),
];
