//! What a sign-in costs before its connection is opened: a token is verified, by each algorithm. *Plain* is `jsonwebtoken` alone, which
//! checks the signature and reads the claims as any JSON.

use std::collections::BTreeSet;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use jsonwebtoken::{Algorithm as Jwt, DecodingKey, EncodingKey, Header, Validation};
use reference_server::auth::{Algorithm, Key, TokenVerifier};
use serde_json::{Value, json};

const SECRET: &[u8] = b"the secret of a benchmark, 32 bytes or more";

macro_rules! key {
    ($name:literal) => {
        include_bytes!(concat!("../../reference-server/src/auth/tests/", $name))
    };
}

/// An algorithm: how tokens are signed, verified plainly, and verified by the gateway.
struct Signer {
    algorithm: Algorithm,
    jwt: Jwt,
    signs: EncodingKey,
    verifies: DecodingKey,
    key: Key,
}

fn signers() -> Vec<Signer> {
    const BROKEN: &str = "the keys of the tests are well-formed";
    let secret = |algorithm, jwt| Signer {
        algorithm,
        jwt,
        signs: EncodingKey::from_secret(SECRET),
        verifies: DecodingKey::from_secret(SECRET),
        key: Key::secret(None, SECRET),
    };
    let public = |algorithm, jwt, signs, verifies, pem| Signer {
        algorithm,
        jwt,
        signs,
        verifies,
        key: Key::public(None, pem).expect(BROKEN),
    };
    let (rsa, rsa_public) = (key!("rsa.pem"), key!("rsa.pub.pem"));
    let (ec, ec_public) = (key!("p256.pem"), key!("p256.pub.pem"));
    let (ed, ed_public) = (key!("ed25519.pem"), key!("ed25519.pub.pem"));
    vec![
        secret(Algorithm::Hs256, Jwt::HS256),
        secret(Algorithm::Hs512, Jwt::HS512),
        public(
            Algorithm::Rs256,
            Jwt::RS256,
            EncodingKey::from_rsa_pem(rsa).expect(BROKEN),
            DecodingKey::from_rsa_pem(rsa_public).expect(BROKEN),
            rsa_public,
        ),
        public(
            Algorithm::Es256,
            Jwt::ES256,
            EncodingKey::from_ec_pem(ec).expect(BROKEN),
            DecodingKey::from_ec_pem(ec_public).expect(BROKEN),
            ec_public,
        ),
        public(
            Algorithm::EdDsa,
            Jwt::EdDSA,
            EncodingKey::from_ed_pem(ed).expect(BROKEN),
            DecodingKey::from_ed_pem(ed_public).expect(BROKEN),
            ed_public,
        ),
    ]
}

fn verify(c: &mut Criterion) {
    let claims = json!({ "userId": "u-1", "email": "u@example.org", "role": "CUSTOMER", "exp": u32::MAX });
    let mut group = c.benchmark_group("auth/verify");
    group.throughput(Throughput::Elements(1));
    for Signer { algorithm, jwt, signs, verifies, key } in signers() {
        let token = jsonwebtoken::encode(&Header::new(jwt), &claims, &signs).expect("the key fits");
        let verifier = TokenVerifier {
            keys: vec![key],
            algorithms: BTreeSet::from([algorithm]),
            ..TokenVerifier::with_secret(SECRET)
        };
        group.bench_function(BenchmarkId::new("gatecheck", algorithm.as_str()), |b| {
            b.iter(|| verifier.verify(&token, 0).expect("it is genuine"));
        });
        let mut validation = Validation::new(jwt);
        validation.validate_exp = false;
        group.bench_function(BenchmarkId::new("plain", algorithm.as_str()), |b| {
            b.iter(|| jsonwebtoken::decode::<Value>(&token, &verifies, &validation).expect("it is genuine"));
        });
    }
    group.finish();
}

criterion_group!(benches, verify);
criterion_main!(benches);
