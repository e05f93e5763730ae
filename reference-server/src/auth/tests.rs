use super::*;
use jsonwebtoken::{EncodingKey, Header, encode};
use protocol::Role;
use serde_json::json;

const SECRET: &[u8] = b"a secret";
/// Made for these tests with `openssl genpkey`; they sign nothing else.
const RSA: &str = include_str!("tests/rsa.pem");
const RSA_PUBLIC: &str = include_str!("tests/rsa.pub.pem");
const EC: &str = include_str!("tests/p256.pem");
const EC_PUBLIC: &str = include_str!("tests/p256.pub.pem");
const P384_PUBLIC: &str = include_str!("tests/p384.pub.pem");
const ED: &str = include_str!("tests/ed25519.pem");
const ED_PUBLIC: &str = include_str!("tests/ed25519.pub.pem");

/// A secret shorter than the shortest signature can be guessed; a public key is none.
#[test]
fn a_short_secret_is_recognised() {
    for (key, is_short) in [
        (Key::secret(None, "s"), true),
        (Key::secret(None, [0; MIN_BYTES - 1]), true),
        (Key::secret(None, [0; MIN_BYTES]), false),
        (Key::public(None, ED_PUBLIC.as_bytes()).unwrap(), false),
    ] {
        assert_eq!(key.is_short(), is_short);
    }
}

fn verification() -> TokenVerifier {
    TokenVerifier::with_secret(SECRET)
}

fn token(alg: jsonwebtoken::Algorithm, secret: &[u8], claims: &Value) -> String {
    encode(&Header::new(alg), claims, &EncodingKey::from_secret(secret)).unwrap()
}

fn named(kid: &str, secret: &[u8]) -> String {
    let header = Header { kid: Some(kid.to_owned()), ..Header::default() };
    encode(&header, &claims(), &EncodingKey::from_secret(secret)).unwrap()
}

fn claims() -> Value {
    json!({"userId": "u", "email": "u@example.org", "role": "ADMIN", "exp": 100, "nbf": 50})
}

const HS256: jsonwebtoken::Algorithm = jsonwebtoken::Algorithm::HS256;
const HS512: jsonwebtoken::Algorithm = jsonwebtoken::Algorithm::HS512;

/// A genuine token signs its user in, percent-encoded or not, between its two times.
#[test]
fn a_genuine_token_signs_in() {
    let token = token(HS256, SECRET, &claims());
    assert_eq!(verification().verify(&token, 60).unwrap().user_id.as_str(), "u");
    let encoded: String = token.bytes().map(|byte| format!("%{byte:02x}")).collect();
    assert!(verification().verify(&encoded, 60).is_ok());
    assert_eq!(verification().verify(&token, 100), Err(AuthError::Time(TimeError::Expired)));
    assert_eq!(verification().verify(&token, 49), Err(AuthError::Time(TimeError::NotYetValid)));
    let lenient = TokenVerifier { leeway_s: 5, ..verification() };
    assert!(lenient.verify(&token, 104).is_ok());
}

/// Other secrets, other algorithms, missing signatures and malformed tokens are refused.
#[test]
fn forgeries_do_not() {
    for forged in [
        token(HS256, b"another", &claims()),
        token(HS512, SECRET, &claims()),
        unsigned(&claims()),
        "a.b.c".to_owned(),
        "%ff".to_owned(),
    ] {
        assert_eq!(verification().verify(&forged, 60), Err(AuthError::NotGenuine), "{forged}");
    }
    assert_eq!(verification().verify("", 60), Err(AuthError::Missing));
    let without_user = token(HS256, SECRET, &json!({"exp": 100}));
    assert_eq!(verification().verify(&without_user, 60), Err(AuthError::Claims));
}

/// Two secrets are good at once, so that one can follow the other (AUTH-7); a name picks its key and no other.
#[test]
fn secrets_can_be_rotated() {
    let keys = vec![
        Key::secret(None, SECRET),
        Key::secret(None, *b"older"),
        Key::secret(Some("n".into()), *b"named"),
    ];
    let several = TokenVerifier { keys, ..verification() };
    for good in [
        token(HS256, SECRET, &claims()),
        token(HS256, b"older", &claims()),
        token(HS256, b"named", &claims()),
        named("n", b"named"),
        named("unknown", SECRET),
    ] {
        assert!(several.verify(&good, 60).is_ok());
    }
    assert_eq!(several.verify(&named("unknown", b"named"), 60), Err(AuthError::NotGenuine));
    for secret in [&b"foreign"[..], b"older"] {
        assert_eq!(several.verify(&named("n", secret), 60), Err(AuthError::NotGenuine));
    }
}

/// Each kind of public key verifies its own signatures; none of them is ever a secret (AUTH-3).
#[test]
fn public_keys_verify() {
    let signers = [
        (Algorithm::Rs256, EncodingKey::from_rsa_pem(RSA.as_bytes()).unwrap(), RSA_PUBLIC),
        (Algorithm::Es256, EncodingKey::from_ec_pem(EC.as_bytes()).unwrap(), EC_PUBLIC),
        (Algorithm::EdDsa, EncodingKey::from_ed_pem(ED.as_bytes()).unwrap(), ED_PUBLIC),
    ];
    let keys: Vec<_> = signers.iter().map(|(.., pem)| Key::public(None, pem.as_bytes()).unwrap()).collect();
    let algorithms = BTreeSet::from([Algorithm::Hs256, Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa]);
    let all = TokenVerifier { keys, algorithms, ..verification() };
    for (algorithm, encoding, public) in &signers {
        let good = encode(&Header::new((*algorithm).into()), &claims(), encoding).unwrap();
        assert!(all.verify(&good, 60).is_ok(), "{algorithm}");
        let narrow = TokenVerifier { algorithms: BTreeSet::from([Algorithm::Hs256]), ..all.clone() };
        assert_eq!(narrow.verify(&good, 60), Err(AuthError::NotGenuine), "{algorithm} is not accepted");
        let confused = token(HS256, public.as_bytes(), &claims());
        assert_eq!(all.verify(&confused, 60), Err(AuthError::NotGenuine), "{algorithm} is no secret");
    }
    for other in [&b"no key"[..], P384_PUBLIC.as_bytes()] {
        assert_eq!(Key::public(None, other).unwrap_err(), KeyError);
    }
}

/// Audience and issuer count where they are configured, and must be there then.
#[test]
fn audience_and_issuer_are_checked_where_configured() {
    let strict = TokenVerifier { audience: vec!["us".into()], issuer: vec!["them".into()], ..verification() };
    let with = |aud: &str, iss: &str| {
        let mut claims = claims();
        claims["aud"] = json!(aud);
        claims["iss"] = json!(iss);
        token(HS256, SECRET, &claims)
    };
    assert!(strict.verify(&with("us", "them"), 60).is_ok());
    for other in [with("you", "them"), with("us", "you"), token(HS256, SECRET, &claims())] {
        assert_eq!(strict.verify(&other, 60), Err(AuthError::NotGenuine));
    }
    assert!(verification().verify(&with("other", "other"), 60).is_ok());
}

/// What is minted for trying out is accepted by the same configuration.
#[test]
fn minted_tokens_are_good() {
    let keys = vec![Key::secret(Some("k".into()), SECRET)];
    let audience = vec!["us".to_owned()];
    let algorithms = BTreeSet::from([Algorithm::Hs384]);
    let strict = TokenVerifier { keys, audience, algorithms, ..verification() };
    let request =
        TokenRequest { user_id: "u".into(), email: "u@x".into(), role: Role::Vendor, lifetime_s: 10 };
    let token = mint(&strict, &request, 1000).unwrap();
    assert_eq!(strict.verify(&token, 1009).unwrap().role, Role::Vendor);
    assert!(strict.verify(&token, 1010).is_err());
    let public =
        TokenVerifier { keys: vec![Key::public(None, ED_PUBLIC.as_bytes()).unwrap()], ..verification() };
    assert_eq!(mint(&public, &request, 0), Err(MintError));
}

/// No library signs with `none`, so the parts are put together by hand.
fn unsigned(claims: &Value) -> String {
    let good = token(HS256, SECRET, claims);
    let payload = good.split('.').nth(1).unwrap();
    // {"alg":"none","typ":"JWT"}
    format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{payload}.")
}

/// A token that must be understood beyond what is understood here is refused, though its signature is right (AUTH-12).
#[test]
fn what_must_be_understood_is_refused() {
    let header = Header { crit: Some(vec!["exp".to_owned()]), ..Header::default() };
    let token = encode(&header, &claims(), &EncodingKey::from_secret(SECRET)).unwrap();
    assert_eq!(verification().verify(&token, 60), Err(AuthError::NotGenuine));
}
