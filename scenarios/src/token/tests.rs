use super::*;
use crate::identity::UserIds;
use jsonwebtoken::{DecodingKey, Validation};

const BEARER: Bearer<'_> = Bearer { user_id: "u1", email: "u1@example.org", role: Role::Customer };

fn issuer(style: TokenStyle) -> Issuer {
    Issuer::new("s", style)
}

fn payload(token: &str) -> Value {
    let part = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// The plain recipe is a token with all claims; each field changes what it says it changes.
#[test]
fn recipes_change_what_they_say() {
    let plain = payload(&TokenSpec::default().mint(&BEARER, &issuer(TokenStyle::default()), 1000).unwrap());
    assert_eq!(
        plain,
        json!({"userId":"u1","email":"u1@example.org","role":"CUSTOMER","iat":1000,"exp":4600})
    );
    let odd = TokenSpec {
        expires_in: Some(-1),
        valid_in: Some(60),
        without: vec!["email".into()],
        claims: BTreeMap::from([("role".to_owned(), json!("KING"))]),
        ..TokenSpec::default()
    };
    let odd = payload(&odd.mint(&BEARER, &issuer(TokenStyle::default()), 1000).unwrap());
    assert_eq!(odd, json!({"userId":"u1","role":"KING","iat":1000,"exp":999,"nbf":1060}));
    let none = TokenSpec { alg: Some(Alg::None), ..TokenSpec::default() };
    assert!(none.mint(&BEARER, &issuer(TokenStyle::default()), 1000).unwrap().ends_with('.'));
    assert_eq!(
        TokenSpec { omit: true, ..TokenSpec::default() }.mint(&BEARER, &issuer(TokenStyle::default()), 0),
        None
    );
}

/// Each secret signs otherwise.
#[test]
fn secrets_differ() {
    let issuer = issuer(TokenStyle::default());
    let sign = |recipe: TokenSpec| recipe.mint(&BEARER, &issuer, 1000).unwrap();
    let current = sign(TokenSpec::default());
    let previous = sign(TokenSpec { previous_secret: true, ..TokenSpec::default() });
    let wrong = sign(TokenSpec { wrong_secret: true, ..TokenSpec::default() });
    assert!(current != previous && previous != wrong && wrong != current);
}

/// What is signed stays as it is; only the signature is another.
#[test]
fn signatures_are_replaced() {
    let issuer = issuer(TokenStyle::default());
    let sign = |signature| TokenSpec { signature, ..TokenSpec::default() }.mint(&BEARER, &issuer, 1000);
    let good = sign(None).unwrap();
    let (signed, own) = halves(&good);
    for (signature, length) in
        [(Signature::Empty, 0), (Signature::Truncated, 22), (Signature::OfAnother, own.len())]
    {
        let token = sign(Some(signature)).unwrap();
        let (kept, other) = halves(&token);
        assert_eq!((kept, other.len(), other == own), (signed, length, false), "{signature:?}");
    }
    let unsigned =
        TokenSpec { signature: Some(Signature::Empty), alg: Some(Alg::None), ..TokenSpec::default() };
    assert!(unsigned.contradiction().is_some());
}

/// The public key alone verifies what each style signs; forgeries of each kind fail.
#[test]
fn pairs_sign_what_their_public_keys_verify() {
    use SigningAlgorithm::{EdDsa, Es256, Rs256};
    type Reader = fn(&[u8]) -> jsonwebtoken::errors::Result<DecodingKey>;
    let readers: [(SigningAlgorithm, Reader); 3] = [
        (Rs256, DecodingKey::from_rsa_pem),
        (Es256, DecodingKey::from_ec_pem),
        (EdDsa, DecodingKey::from_ed_pem),
    ];
    for (algorithm, reader) in readers {
        let issuer = issuer(TokenStyle { algorithm, ..TokenStyle::default() });
        let public = reader(issuer.pair.public.as_deref().unwrap().as_bytes()).unwrap();
        let mut validation = Validation::new(algorithm.into());
        validation.validate_exp = false;
        let is_good = |recipe: TokenSpec| {
            let token = recipe.mint(&BEARER, &issuer, 1000).unwrap();
            jsonwebtoken::decode::<Value>(&token, &public, &validation).is_ok()
        };
        assert!(is_good(TokenSpec::default()), "{algorithm:?}");
        assert!(!is_good(TokenSpec { wrong_secret: true, ..TokenSpec::default() }), "{algorithm:?}");
        assert!(!is_good(TokenSpec { alg: Some(Alg::PublicKeyAsSecret), ..TokenSpec::default() }));
        let another = TokenSpec { alg: Some(Alg::Another), ..TokenSpec::default() };
        assert!(another.lacks(&issuer).is_some() || !is_good(another));
    }
}

/// Another style's claims have other names, and company; what a recipe leaves out stays out.
#[test]
fn styles_rename_and_add_claims() {
    let style = TokenStyle {
        names: BTreeMap::from([("userId".to_owned(), "sub".to_owned())]),
        claims: BTreeMap::from([("iss".to_owned(), json!("https://id.example"))]),
        ..TokenStyle::default()
    };
    let plain = payload(&TokenSpec::default().mint(&BEARER, &issuer(style.clone()), 1000).unwrap());
    assert_eq!((&plain["sub"], &plain["iss"]), (&json!("u1"), &json!("https://id.example")));
    assert!(plain.get("userId").is_none());
    let numbers = TokenStyle { users: UserIds::Integers, ..TokenStyle::default() };
    let seven = Bearer { user_id: "7", ..BEARER };
    let numbered = TokenSpec::default().mint(&seven, &issuer(numbers), 1000).unwrap();
    assert_eq!(payload(&numbered)["userId"], json!(7));
    let without_user = TokenSpec { without: vec!["userId".into()], ..TokenSpec::default() };
    assert!(payload(&without_user.mint(&BEARER, &issuer(style), 1000).unwrap()).get("sub").is_none());
}

/// What a header brings verifies the token that it stands in, or that would be no forgery; a token with a `crit` is signed rightly.
#[test]
fn headers_bring_what_verifies_them() {
    use SigningAlgorithm::{EdDsa, Es256, Hs256, Rs256};
    use jsonwebtoken::jwk::Jwk;
    let verifies = |token: &str, key: &DecodingKey, algorithm: SigningAlgorithm| {
        let mut validation = Validation::new(algorithm.into());
        validation.validate_exp = false;
        jsonwebtoken::decode::<Value>(token, key, &validation).is_ok()
    };
    for algorithm in [Hs256, Es256, Rs256, EdDsa] {
        let issuer = issuer(TokenStyle { algorithm, ..TokenStyle::default() });
        let sign = |brings| {
            let recipe = TokenSpec { brings: Some(brings), ..TokenSpec::default() };
            recipe.mint(&BEARER, &issuer, 1000).unwrap()
        };
        let public = if algorithm.is_public() { algorithm } else { Es256 };
        for (brings, signed) in [(Brings::Jwk, algorithm), (Brings::PublicJwk, public)] {
            let token = sign(brings);
            let header = jsonwebtoken::decode_header(&token).unwrap();
            let key = DecodingKey::from_jwk(&header.jwk.unwrap()).unwrap();
            assert!(verifies(&token, &key, signed), "{algorithm:?} {brings:?}");
        }
        let jwk: Jwk = serde_json::from_value(public.untrusted_jwk()).unwrap();
        for brings in [Brings::X5c, Brings::Jku, Brings::X5u, Brings::JkuHttp, Brings::X5uHttp] {
            assert!(verifies(&sign(brings), &DecodingKey::from_jwk(&jwk).unwrap(), public), "{brings:?}");
        }
        let symmetric = if algorithm.is_public() { Hs256 } else { algorithm };
        assert!(verifies(&sign(Brings::KidPath), &DecodingKey::from_secret(b""), symmetric));
        assert!(verifies(&sign(Brings::KidQuery), &DecodingKey::from_secret(b"gatecheck"), symmetric));
        let lower = sign(Brings::AlgInLowerCase);
        let header = URL_SAFE_NO_PAD.decode(lower.split('.').next().unwrap()).unwrap();
        let header: Value = serde_json::from_slice(&header).unwrap();
        assert_eq!(header["alg"], algorithm.to_string().to_lowercase());
        if !algorithm.is_public() {
            assert!(verifies(&sign(Brings::Crit), &DecodingKey::from_secret(b"s"), algorithm));
        }
    }
    // Where it is said to be, it is served.
    let host = "127.0.0.1:1234".parse().unwrap();
    let issuer = Issuer { key_host: Some(host), ..Issuer::with_secret("s") };
    for (brings, path) in [(Brings::JkuHttp, "/ES256/keys.json"), (Brings::X5uHttp, "/ES256/certificate.pem")]
    {
        let token =
            TokenSpec { brings: Some(brings), ..TokenSpec::default() }.mint(&BEARER, &issuer, 0).unwrap();
        let header = jsonwebtoken::decode_header(&token).unwrap();
        assert_eq!(header.jku.or(header.x5u), Some(format!("http://{host}{path}")));
        assert!(fetched(path).is_some());
    }
    let both = TokenSpec { brings: Some(Brings::Jwk), wrong_secret: true, ..TokenSpec::default() };
    assert!(both.contradiction().is_some());
}
