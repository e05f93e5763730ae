use std::net::IpAddr;

use proptest::prelude::*;
use protocol::Role;

use super::*;
use crate::{Admission, ConnectionLimits};

const GOOD: &str = "GET /ws?token=ann HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, upgrade\r\nUpgrade: WebSocket\r\n\
                    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const RULES: UpgradeRules<'_> = UpgradeRules {
    allowed_origins: &[],
    token: &TokenPlace::Query,
    subprotocol: None,
    refusal: Refusal::Http(401),
    over_limit: &[],
};
const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

fn head(request: &str) -> Head {
    Head::parse(request.as_bytes()).unwrap().expect("a whole head")
}

fn asks_as(user: &str, lines: &str) -> Head {
    head(&GOOD.replacen("ann", user, 1).replacen("Host: h\r\n", &format!("Host: h\r\n{lines}"), 1))
}

/// A token that says whose it is; `bad` is refused.
fn verify(token: &str) -> Result<Claims, &'static str> {
    match token {
        "bad" => Err("not genuine"),
        user => Ok(Claims {
            user_id: UserId::new(user),
            email: "e".to_owned(),
            role: Role::Customer,
            expires_at: u64::MAX,
            not_before: None,
        }),
    }
}

fn decided(
    rules: &UpgradeRules<'_>,
    head: &Head,
    admission: &mut Admission,
) -> Result<UserId, (UpgradeError<&'static str>, u16)> {
    match decide(rules, head, verify, |user| admission.admit(user, HERE)) {
        Ok(upgrade) => Ok(upgrade.claims.user_id),
        Err(Refused { error, reply: Reply::Status(status) }) => Err((error, status.code)),
        Err(Refused { error, reply: Reply::Close(_, code) }) => Err((error, code.0)),
    }
}

/// Each part of a handshake is asked for (RFC 6455 section 4.2.1).
#[test]
fn every_part_is_asked_for() {
    assert!(Handshake::read(&head(GOOD)).is_ok());
    assert!(Handshake::read(&asks_as("ann", "Content-Length: 0\r\n")).is_ok());
    for (from, to, wanted) in [
        ("GET", "POST", 426),
        ("keep-alive, upgrade", "keep-alive", 426),
        ("WebSocket\r", "h2c\r", 426),
        ("Version: 13", "Version: 8", 426),
        ("Host: h\r\n", "", 400),
        ("HTTP/1.1", "HTTP/1.0", 400),
        ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", 400),
        ("Host: h\r\n", "Host: h\r\nContent-Length: 5\r\n", 400),
        ("Host: h\r\n", "Host: h\r\nTransfer-Encoding: chunked\r\n", 400),
        ("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZQ==", 400),
        ("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZ", 400),
    ] {
        let request = GOOD.replacen(from, to, 1);
        assert_ne!(request, GOOD, "{from}");
        assert_eq!(Handshake::read(&head(&request)).unwrap_err().code, wanted, "{from} → {to}");
    }
}

/// Handshake, origin, token, place: with several wrong, the first one is what is said, and none of them takes a place.
#[test]
fn the_first_mistake_is_answered() {
    let allowed_origins = ["https://app.example.org".to_owned()];
    let rules = UpgradeRules { allowed_origins: &allowed_origins, ..RULES };
    let mut none = Admission::new(ConnectionLimits { total: Some(0), ..ConnectionLimits::default() });
    let foreign = "Origin: https://evil.example.org\r\n";
    let no_upgrade = GOOD.replacen("Version: 13", "Version: 8", 1).replacen("ann", "bad", 1);
    for (head, expected) in [
        (head(&no_upgrade.replacen("Host", "Origin: x\r\nHost", 1)), (UpgradeError::NoUpgrade, 426)),
        (asks_as("bad", foreign), (UpgradeError::Origin, 403)),
        (asks_as("bad", "Origin: null\r\n"), (UpgradeError::Origin, 403)),
        (asks_as("bad", "Origin: HTTPS://app.example.org\r\n"), (UpgradeError::Token("not genuine"), 401)),
        (asks_as("", ""), (UpgradeError::NoToken, 401)),
        (asks_as("ann", ""), (UpgradeError::Full(Full::Total), 503)),
    ] {
        assert_eq!(decided(&rules, &head, &mut none), Err(expected), "{head:?}");
        assert!(none.is_empty());
    }
    let mut free = Admission::new(ConnectionLimits::default());
    assert_eq!(decided(&rules, &asks_as("ann", ""), &mut free), Ok(UserId::new("ann")));
}

/// A dialect may answer a bad token by a close; the subprotocol is agreed to where it carries the token, and nowhere else.
#[test]
fn a_bad_token_can_get_a_close() {
    let close = UpgradeRules { refusal: Refusal::Close(CloseCode(4401)), ..RULES };
    let mut free = Admission::new(ConnectionLimits::default());
    assert_eq!(
        decided(&close, &asks_as("bad", ""), &mut free),
        Err((UpgradeError::Token("not genuine"), 4401))
    );
    let head = asks_as("ann", "Sec-WebSocket-Protocol: bob\r\n");
    for (token, user, subprotocol) in
        [(TokenPlace::Query, "ann", None), (TokenPlace::Subprotocol, "bob", Some("bob"))]
    {
        let rules = UpgradeRules { token: &token, ..RULES };
        let upgrade = decide(&rules, &head, verify, |user| free.admit(user, HERE)).unwrap();
        assert_eq!((upgrade.claims.user_id.as_str(), upgrade.handshake.subprotocol), (user, subprotocol));
    }
    for (declared, agreed) in [("bob", Some("bob")), ("alice", None)] {
        let rules = UpgradeRules { subprotocol: Some(declared), ..RULES };
        let shaken = shake::<&str>(&rules, &head).unwrap();
        assert_eq!(shaken.subprotocol, agreed, "a declared one is agreed to before anyone signs in");
    }
}

/// Who finds no place is told so as the dialect declares it (CONN-7).
#[test]
fn a_full_gateway_answers_as_declared() {
    for (over_limit, expected) in [(Refusal::Http(429), 429), (Refusal::Close(CloseCode(4014)), 4014)] {
        let rules = UpgradeRules { over_limit: &[over_limit], ..RULES };
        let mut none = Admission::new(ConnectionLimits { total: Some(0), ..ConnectionLimits::default() });
        let refused = decided(&rules, &asks_as("ann", ""), &mut none);
        assert_eq!(refused, Err((UpgradeError::Full(Full::Total), expected)));
    }
}

/// CONN-6: a gateway that drains admits no one, and says when to come back.
#[test]
fn a_draining_gateway_admits_no_one() {
    let mut admission = Admission::new(ConnectionLimits::default());
    assert!(decided(&RULES, &asks_as("ann", ""), &mut admission).is_ok());
    admission.drain();
    let head = asks_as("bob", "");
    let refused = decide(&RULES, &head, verify, |user| admission.admit(user, HERE)).unwrap_err();
    assert_eq!(refused.error, UpgradeError::Full(Full::Draining));
    let Reply::Status(status) = refused.reply else { panic!("a status, not {:?}", refused.reply) };
    assert_eq!((status.code, status.fields), (503, &[("Retry-After", "5")][..]));
}

proptest! {
    /// CONN-7: whoever comes and goes in whatever order, each limit is reached and never passed; pages of other origins and bad tokens
    /// take no place; and once all have gone, nothing is left.
    #[test]
    fn no_limit_is_passed(steps in proptest::collection::vec((0..4_u8, 0..3_u8, any::<prop::sample::Index>(), 0..4), 1..80)) {
        const USERS: [&str; 4] = ["ann", "bob", "cat", "bad"];
        let limits = ConnectionLimits { total: Some(5), per_user: Some(2), per_address: Some(3) };
        let mut admission = Admission::new(limits);
        let mut open: Vec<(UserId, IpAddr)> = Vec::new();
        for (user, address, leaves, kind) in steps {
            if kind == 0 && !open.is_empty() {
                let (user, address) = open.swap_remove(leaves.index(open.len()));
                admission.release(&user, address);
                continue;
            }
            let (user, peer) = (USERS[usize::from(user)], IpAddr::from([127, 0, 0, address]));
            let of_user = open.iter().filter(|(other, _)| other.as_str() == user).count();
            let from_peer = open.iter().filter(|(_, other)| *other == peer).count();
            let expected = match user {
                "bad" => Some(UpgradeError::Token("not genuine")),
                _ if open.len() == 5 => Some(UpgradeError::Full(Full::Total)),
                _ if of_user == 2 => Some(UpgradeError::Full(Full::User)),
                _ if from_peer == 3 => Some(UpgradeError::Full(Full::Address)),
                _ => None,
            };
            match decide(&RULES, &asks_as(user, ""), verify, |user| admission.admit(user, peer)) {
                Ok(upgrade) => {
                    prop_assert_eq!(expected, None);
                    open.push((upgrade.claims.user_id, peer));
                }
                Err(refused) => prop_assert_eq!(expected, Some(refused.error)),
            }
        }
        for (user, address) in open {
            admission.release(&user, address);
        }
        prop_assert!(admission.is_empty());
    }
}
