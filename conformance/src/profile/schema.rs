//! The JSON Schema of a profile, derived from what reads it.

use protocol::{Dialect, Timing};
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use super::RawProfile;

/// The schema of a whole profile.
pub(super) fn of_profile() -> Value {
    let mut schema = schemars::schema_for!(RawProfile);
    schema.insert("title".to_owned(), "A profile of Gatecheck".into());
    schema.to_value()
}

/// Times, each of which may be left out.
pub(super) fn timing(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = <Timing as schemars::JsonSchema>::json_schema(generator);
    schema.remove("required");
    schema.insert("additionalProperties".to_owned(), false.into());
    schema
}

/// A dialect's name, or what differs from the default.
pub(super) fn dialect(generator: &mut SchemaGenerator) -> Schema {
    let table = generator.subschema_for::<Dialect>();
    json_schema!({ "anyOf": [{ "type": "string", "enum": Dialect::BUILTIN }, table] })
}
