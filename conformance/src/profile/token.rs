//! `[token]`: how tokens look that a gateway accepts, where they are not as the seed has them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use scenarios::token::{Issuer, KeyPair, SigningAlgorithm, TokenStyle};
use scenarios::{RoleNames, Scenario, UserIds};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;

use super::{GatewayAccess, GatewayProfile, ProfileError, ValueError};
use crate::template::{self, TemplateError};

/// Tokens of one profile.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TokenProfile {
    /// How they look.
    pub style: TokenStyle,
    /// What signs them, where that is not a key pair of this harness's own.
    pub pair: Option<KeyPair>,
}

#[derive(Deserialize, Default, JsonSchema)]
#[serde(deny_unknown_fields, default, expecting = "a table, such as `[token]` with `claims`")]
pub(super) struct RawToken {
    /// What they are signed with.
    algorithm: SigningAlgorithm,
    /// What user ids are.
    users: UserIds,
    /// What ADMIN, CUSTOMER and VENDOR are called; `false` where there are no roles.
    roles: RoleNames,
    /// What the claims `userId`, `email` and `role` are called.
    names: BTreeMap<String, String>,
    /// More claims; `{user}`, `{email}` and `{role}` may stand in them.
    claims: BTreeMap<String, Value>,
    /// Signs; usually a key of Gatecheck's own, handed over as `{jwt_public_key_file}`.
    private_key_file: Option<PathBuf>,
    /// Verifies what that signs.
    public_key_file: Option<PathBuf>,
}

/// Claims that can have another name.
const CLAIMS: [&str; 3] = ["userId", "email", "role"];

/// Checks what stands for something in claims.
///
/// # Errors
/// Names the first that stands for nothing.
pub fn check_claims(claims: &BTreeMap<String, Value>) -> Result<(), ClaimError> {
    claims.iter().try_for_each(|(claim, said)| {
        let unknown = |TemplateError { name, hint }| ClaimError { claim: claim.clone(), name, hint };
        check_places(said).map_err(unknown)
    })
}

/// A placeholder in what a claim says that stands for nothing.
#[derive(Debug, Error)]
#[error("`token.claims.{claim}`: there is no placeholder `{{{name}}}`")]
pub struct ClaimError {
    claim: String,
    name: String,
    /// What there is instead.
    pub hint: String,
}

impl TokenProfile {
    /// Who signs the tokens of a gateway that has this secret.
    pub fn issuer(&self, secret: impl Into<String>) -> Issuer {
        let issuer = Issuer::new(secret, self.style.clone());
        match &self.pair {
            Some(pair) => Issuer { pair: pair.clone(), ..issuer },
            None => issuer,
        }
    }

    /// Why a scenario about a gateway means nothing, if so: it needs roles, and there are none.
    pub fn lacks(&self, scenario: &Scenario) -> Option<String> {
        let lacks = self.style.roles == RoleNames::Absent && scenario.needs_roles();
        lacks.then(|| "the profile says that there are no roles (`token.roles`)".to_owned())
    }

    /// Whether a public key verifies them.
    pub fn is_public(&self) -> bool {
        self.style.algorithm.is_public()
    }
}

impl RawToken {
    pub(super) fn algorithm(&self) -> SigningAlgorithm {
        self.algorithm
    }

    pub(super) fn check(
        self,
        gateway: Option<&GatewayProfile>,
        folder: &Path,
        value: ValueError<'_>,
    ) -> Result<TokenProfile, ProfileError> {
        if let Some(claim) = self.names.keys().find(|claim| !CLAIMS.contains(&claim.as_str())) {
            let help = "there are `userId`, `email` and `role`; `token.claims` adds others";
            return Err(value(format!("`token.names` has no claim `{claim}`"), Some(help)));
        }
        check_claims(&self.claims).map_err(|error| value(error.to_string(), Some(&error.hint)))?;
        self.roles.check().map_err(|message| value(format!("`token.roles`: {message}"), None))?;
        let read = |key: &str, path: &PathBuf| {
            let path = folder.join(path);
            scenarios::text_file::read(&path).map_err(|error| {
                value(format!("`token.{key}`: cannot read {}: {error}", path.display()), None)
            })
        };
        let public = self.public_key_file.as_ref().map(|path| read("public_key_file", path)).transpose()?;
        let private =
            self.private_key_file.as_ref().map(|path| read("private_key_file", path)).transpose()?;
        let pair = match (private, public, self.algorithm.is_public()) {
            (Some(private), public, true) => {
                let checked = self.algorithm.check(&private);
                checked.map_err(|message| value(format!("`token.private_key_file`: {message}"), None))?;
                Some(KeyPair { private, public })
            }
            (None, None, _) => None,
            (None, Some(_), true) => {
                let help = "the private key signs; the public one beside it is for AUTH-3";
                return Err(value(
                    "`token.public_key_file` needs `token.private_key_file`".to_owned(),
                    Some(help),
                ));
            }
            (_, _, false) => {
                let help =
                    "`algorithm = \"RS256\"`, `\"RS512\"`, `\"ES256\"` or `\"EdDSA\"` signs with a key";
                return Err(value(
                    "`[token]` names a key file for an algorithm that has a secret".to_owned(),
                    Some(help),
                ));
            }
        };
        if self.algorithm.is_public()
            && pair.is_none()
            && gateway.is_some_and(|gateway| !is_given_the_public_key(gateway))
        {
            let help = "hand over `{jwt_public_key_file}` or `{jwt_public_key}` (PEM) by an argument or the environment; \
                        or name a key that the gateway trusts already: `token.private_key_file`";
            return Err(value(
                "`token.algorithm`: the gateway is not told the public key that verifies its tokens"
                    .to_owned(),
                Some(help),
            ));
        }
        let style = TokenStyle {
            algorithm: self.algorithm,
            names: self.names,
            claims: self.claims,
            users: self.users,
            roles: self.roles,
        };
        Ok(TokenProfile { style, pair })
    }
}

/// Checks the placeholders of what a claim says, however deep they stand.
fn check_places(said: &Value) -> Result<(), TemplateError> {
    match said {
        Value::String(text) => template::check_among(text, &TokenStyle::PLACEHOLDERS),
        Value::Array(items) => items.iter().try_for_each(check_places),
        Value::Object(members) => members.values().try_for_each(check_places),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

/// Whether a gateway receives this harness's public key.
fn is_given_the_public_key(gateway: &GatewayProfile) -> bool {
    match &gateway.access {
        GatewayAccess::Spawn { command, .. } => {
            command.uses("jwt_public_key_file") || command.uses("jwt_public_key")
        }
        GatewayAccess::InProcess { .. } => true,
        GatewayAccess::Attach { .. } => false,
    }
}
