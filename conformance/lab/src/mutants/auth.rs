//! Gateways that let in whom they should not, or the other way round.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use protocol::Role;
use scenarios::frame::RawFrame;
use scenarios::token::{Alg, Bearer, Issuer, Signature, TokenSpec};
use serde_json::{Value, json};
use sim::boundary::Boundary;
use tungstenite::protocol::frame::coding::Control;

use super::Mutant;
use super::wire::{Change, SharedState, down, is, is_control, message, text, up, wire};

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        id: "gateway/refuses-otherwise-than-declared",
        requirement: "AUTH-2",
        about: "A token is refused with 403, where the dialect says 401.",
        boundary: || wire(|_| Change::default().answer(|text| text.replacen(" 401 ", " 403 ", 1))),
    },
    Mutant {
        id: "gateway/good-token-refused",
        requirement: "AUTH-1",
        about: "The token is compared with another secret than the one that is configured.",
        boundary: || retoken(|_| Some("no-token-at-all".to_owned())),
    },
    Mutant {
        id: "gateway/missing-token-admitted",
        requirement: "AUTH-2",
        about: "Without a token there is nothing to verify, and so nothing fails.",
        boundary: || retoken(|token| if token.is_empty() { Some(good(token)) } else { None }),
    },
    Mutant {
        id: "gateway/serves-before-it-signs-in",
        requirement: "AUTH-2",
        about: "What a client may do is asked of its rooms, which it can join before it has signed in.",
        boundary: || {
            wire(|_| {
                let mut signed_in = false;
                Change::default().up(move |frame| {
                    let is_first = !std::mem::replace(&mut signed_in, true);
                    match is_first && is(&frame, "subscribe") {
                        true => up([text(&sign_in("somebody")), frame]),
                        false => up([frame]),
                    }
                })
            })
        },
    },
    Mutant {
        id: "gateway/flushes-alerts-before-it-signs-in",
        requirement: "AUTH-2",
        about: "A connection that is closed gets the alerts that it has missed first, signed in or not.",
        boundary: || {
            let alerts = SharedState::<Vec<RawFrame>>::new();
            wire(move |_| {
                let (alerts, signed_in) = (alerts.clone(), SharedState::<bool>::new());
                let is_known = signed_in.clone();
                Change::default()
                    .up(move |frame| {
                        signed_in.with(|signed_in| *signed_in |= is(&frame, "connection_init"));
                        up([frame])
                    })
                    .down(move |frame| {
                        if is(&frame, "admin:alert") {
                            alerts.with(|alerts| alerts.push(frame.clone()));
                        }
                        let is_last = is_control(&frame, Control::Close);
                        let missed = is_last && !is_known.with(|signed_in| *signed_in);
                        let missed = missed.then(|| alerts.with(|alerts| alerts.clone()));
                        down(missed.unwrap_or_default().into_iter().chain([frame]))
                    })
            })
        },
    },
    Mutant {
        id: "gateway/leaves-rooms-before-it-signs-in",
        requirement: "AUTH-2",
        about: "To join takes a user, to leave takes none.",
        boundary: || {
            wire(|_| {
                let mut signed_in = false;
                Change::default().up(move |frame| {
                    let is_first = !std::mem::replace(&mut signed_in, true);
                    match is_first && is(&frame, "unsubscribe") {
                        true => up([text(&sign_in("somebody")), frame]),
                        false => up([frame]),
                    }
                })
            })
        },
    },
    Mutant {
        id: "gateway/signs-in-as-another-joins-again",
        requirement: "BRIDGE-5",
        about: "Who signs in as another stays who it was, and is put into its rooms, which are lists, once more.",
        boundary: || again(|frame, _| is(frame, "profile:updated").then(|| frame.clone())),
    },
    Mutant {
        id: "gateway/signs-in-again-joins-again",
        requirement: "BRIDGE-5",
        about: "Each message that signs in adds the connection to its rooms, which are lists.",
        boundary: || again(|frame, _| is(frame, "payment:created").then(|| frame.clone())),
    },
    Mutant {
        id: "gateway/signs-in-as-another-besides",
        requirement: "BRIDGE-4",
        about: "Who signs in as another gets that user's events, and goes on getting those of the first.",
        boundary: || {
            again(|frame, user| {
                let mut event = message(frame).filter(|event| event["type"] == "profile:updated")?;
                event["payload"]["userId"] = json!(user);
                Some(text(&event))
            })
        },
    },
    Mutant {
        id: "gateway/keeps-the-rooms-of-an-administrator",
        requirement: "BRIDGE-4",
        about: "Who signs in again is welcomed as what it is by now, and stays in the rooms that it was in.",
        boundary: || {
            wire(|_| {
                let sign_ins = SharedState::<u32>::new();
                let (seen, mut welcome) = (sign_ins.clone(), None);
                Change::default()
                    .up(move |frame| {
                        sign_ins.with(|count| *count += u32::from(is(&frame, "connection_init")));
                        up([frame])
                    })
                    .down(move |frame| {
                        if is(&frame, "connection:established") {
                            welcome = Some(frame.clone());
                        }
                        let again = welcome.take_if(|_| seen.with(|count| *count > 1));
                        down(again.into_iter().chain([frame]))
                    })
            })
        },
    },
    Mutant {
        id: "gateway/expired-token-admitted",
        requirement: "AUTH-2",
        about: "The library was told to ignore the expiry.",
        boundary: || retoken(|token| (claim(token, "exp").as_i64()? < now_s()).then(|| good(token))),
    },
    Mutant {
        id: "gateway/tokens-are-remembered",
        requirement: "AUTH-2",
        about: "What was verified once is not verified again, and so does not expire.",
        boundary: || {
            let verified = SharedState::<BTreeSet<String>>::new();
            retoken(move |token| {
                let is_new = verified.with(|verified| verified.insert(token.to_owned()));
                (!is_new).then(|| good(token))
            })
        },
    },
    Mutant {
        id: "gateway/early-token-admitted",
        requirement: "AUTH-2",
        about: "`nbf` is not looked at.",
        boundary: || retoken(|token| (claim(token, "nbf").as_i64()? > now_s()).then(|| good(token))),
    },
    Mutant {
        id: "gateway/signature-not-verified",
        requirement: "AUTH-2",
        about: "The token is decoded, not verified.",
        boundary: || retoken(|token| claim(token, "userId").is_string().then(|| good(token))),
    },
    Mutant {
        id: "gateway/signature-compared-as-far-as-it-goes",
        requirement: "AUTH-2",
        about: "The signature is compared up to its own length: one of no bytes is always right.",
        boundary: || {
            retoken(|token| {
                let is_short = [Signature::Empty, Signature::Truncated]
                    .into_iter()
                    .any(|signature| is_signed_as(token, signature));
                is_short.then(|| good(token))
            })
        },
    },
    Mutant {
        id: "gateway/signature-of-whatever-token",
        requirement: "AUTH-2",
        about: "A signature that has been right is remembered, and not what it was under.",
        boundary: || retoken(|token| is_signed_as(token, Signature::OfAnother).then(|| good(token))),
    },
    Mutant {
        id: "gateway/alg-none-admitted",
        requirement: "AUTH-3",
        about: "The token's own header chooses the algorithm, and `none` is one.",
        boundary: || retoken(|token| (header(token)["alg"] == "none").then(|| good(token))),
    },
    Mutant {
        id: "gateway/public-key-as-secret",
        requirement: "AUTH-3",
        about: "The token's own header chooses the algorithm, and the one key that there is verifies it, be it public.",
        boundary: || retoken(|token| is_signed_with_public_key(token).then(|| good(token))),
    },
    Mutant {
        id: "gateway/token-not-decoded",
        requirement: "AUTH-4",
        about: "The query is taken as it is, percent signs and all.",
        boundary: || retoken(|token| token.contains('%').then(|| token.replace('%', "%25"))),
    },
    Mutant {
        id: "gateway/claims-not-looked-at",
        requirement: "AUTH-5",
        about: "Whatever is signed is good enough; what is missing becomes a default.",
        boundary: || {
            retoken(|token| {
                let role = claim(token, "role");
                let known = ["ADMIN", "CUSTOMER", "VENDOR"].iter().any(|name| role == *name);
                let whole = claim(token, "userId").is_string() && claim(token, "email").is_string() && known;
                (claim(token, "exp").is_i64() && !whole).then(|| good(token))
            })
        },
    },
    Mutant {
        id: "gateway/expiry-without-a-word",
        requirement: "AUTH-6",
        about: "When its token expires a connection ends without a close frame.",
        boundary: || wire(|_| Change::default().speechless(4401)),
    },
    Mutant {
        id: "gateway/expiry-of-the-first-alone",
        requirement: "AUTH-6",
        about: "The timer is kept by user, and where there is one, none is set.",
        boundary: || {
            let users = SharedState::<BTreeSet<String>>::new();
            retoken(move |token| {
                let user = claim(token, "userId").as_str().unwrap_or_default().to_owned();
                let is_another = !users.with(|users| users.insert(user));
                let lasts = claim(token, "exp").as_i64().unwrap_or_default() > now_s();
                (is_another && lasts).then(|| good(token))
            })
        },
    },
    Mutant {
        id: "gateway/one-secret-at-a-time",
        requirement: "AUTH-7",
        about: "The old secret is forgotten as soon as there is a new one.",
        boundary: || retoken(|token| is_of_previous_secret(token).then(|| "no-token-at-all".to_owned())),
    },
    Mutant {
        id: "gateway/tokens-in-the-log",
        requirement: "AUTH-8",
        about: "The request's target is logged with its query.",
        boundary: || {
            wire(|_| {
                Change::default().request(|head| {
                    let line = head.lines().next().unwrap_or_default();
                    tracing::info!(target: "reference_server", "{line}");
                    head
                })
            })
        },
    },
    Mutant {
        id: "gateway/any-path-upgrades",
        requirement: "AUTH-9",
        about: "The path is matched by its beginning.",
        boundary: || {
            wire(|_| {
                Change::default()
                    .request(|head| head.replacen("/ws-evil", "/ws", 1).replacen("/wsx", "/ws", 1))
            })
        },
    },
    Mutant {
        id: "gateway/origins-not-looked-at",
        requirement: "AUTH-10",
        about: "The list of origins is read and never used.",
        boundary: || {
            wire(|_| {
                Change::default().request(|head| {
                    let kept = head
                        .split_inclusive("\r\n")
                        .filter(|line| !line.to_lowercase().starts_with("origin:"));
                    kept.collect()
                })
            })
        },
    },
    Mutant {
        id: "gateway/any-hmac-admitted",
        requirement: "AUTH-11",
        about: "The library accepts the whole family of an algorithm.",
        boundary: || retoken(|token| (header(token)["alg"] == "HS512").then(|| good(token))),
    },
    Mutant {
        id: "gateway/algorithms-in-any-case",
        requirement: "AUTH-11",
        about: "The name of the algorithm is put into capitals before it is looked up.",
        boundary: || retoken(|token| (header(token)["alg"] == "hs256").then(|| good(token))),
    },
];

/// Replaces the token where `change` returns another; `change` receives the token as it stands in the query.
pub(super) fn retoken(change: impl Fn(&str) -> Option<String> + Clone + Send + Sync + 'static) -> Boundary {
    wire(move |_| {
        let change = change.clone();
        Change::default().request(move |head| {
            let Some((line, rest)) = head.split_once("\r\n") else { return head };
            let mut words = line.splitn(3, ' ');
            let (method, target, version) = (words.next(), words.next(), words.next());
            let (Some(method), Some(target), Some(version)) = (method, target, version) else { return head };
            let (path, query) = target.split_once('?').unwrap_or((target, ""));
            let token = query.split('&').find_map(|pair| pair.strip_prefix("token=")).unwrap_or_default();
            match change(token) {
                Some(token) => format!("{method} {path}?token={token} {version}\r\n{rest}"),
                None => head,
            }
        })
    })
}

/// Gives a connection on which more than one message has signed in something beside a frame, given the user whom the last one named.
fn again(besides: impl Fn(&RawFrame, &str) -> Option<RawFrame> + Clone + Send + Sync + 'static) -> Boundary {
    wire(move |_| {
        let (users, besides) = (SharedState::<Vec<String>>::new(), besides.clone());
        let signed_in = users.clone();
        Change::default()
            .up(move |frame| {
                if let Some(message) = message(&frame).filter(|_| is(&frame, "connection_init")) {
                    let user = claim(message["payload"]["token"].as_str().unwrap_or_default(), "userId");
                    users.with(|users| users.push(user.as_str().unwrap_or_default().to_owned()));
                }
                up([frame])
            })
            .down(move |frame| {
                let last = signed_in.with(|users| users.last().filter(|_| users.len() > 1).cloned());
                let besides = last.and_then(|user| besides(&frame, &user));
                down([frame].into_iter().chain(besides))
            })
    })
}

/// The first message of a client that signs in as this user.
fn sign_in(user: &str) -> Value {
    json!({ "type": "connection_init", "payload": { "token": good_for(user) } })
}

/// A good token for the user that the given one names.
pub(super) fn good(token: &str) -> String {
    good_for(claim(token, "userId").as_str().unwrap_or("somebody"))
}

fn good_for(user_id: &str) -> String {
    let bearer = Bearer { user_id, email: "somebody@example.org", role: Role::Customer };
    let token = TokenSpec::default().mint(&bearer, &Issuer::with_secret(sim::SECRET), now_s());
    token.expect("a recipe that omits nothing makes a token")
}

/// Whether a token is signed with the secret before the newest.
fn is_of_previous_secret(token: &str) -> bool {
    is_made_by(token, TokenSpec { previous_secret: true, ..TokenSpec::default() })
}

/// Whether a token is signed with the public key, as if that were a secret.
fn is_signed_with_public_key(token: &str) -> bool {
    is_made_by(token, TokenSpec { alg: Some(Alg::PublicKeyAsSecret), ..TokenSpec::default() })
}

/// Whether this stands in the place of a token's signature.
fn is_signed_as(token: &str, signature: Signature) -> bool {
    is_made_by(token, TokenSpec { signature: Some(signature), ..TokenSpec::default() })
}

/// Whether a token is signed as a recipe says: signing its claims so gives the very same.
pub(super) fn is_made_by(token: &str, recipe: TokenSpec) -> bool {
    let Value::Object(claims) = part(token, 1) else { return false };
    let recipe = TokenSpec { claims: claims.into_iter().collect(), ..recipe };
    let unnamed = Bearer { user_id: "", email: "", role: Role::Customer };
    recipe.mint(&unnamed, &Issuer::with_secret(sim::SECRET), now_s()).as_deref() == Some(token)
}

/// When simulations begin, in seconds since the Unix epoch: they are over before an hour has passed.
fn now_s() -> i64 {
    sim::EPOCH_MS / 1000
}

/// A claim of a token, verified or not.
pub(super) fn claim(token: &str, name: &str) -> Value {
    part(token, 1)[name].take()
}

pub(super) fn header(token: &str) -> Value {
    part(token, 0)
}

fn part(token: &str, number: usize) -> Value {
    let part = token.split('.').nth(number).unwrap_or_default();
    let json = URL_SAFE_NO_PAD.decode(part).unwrap_or_default();
    serde_json::from_slice(&json).unwrap_or_default()
}
