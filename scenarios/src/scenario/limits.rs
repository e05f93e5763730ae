//! Limits of a gateway that are not the seed's: cases about a limit are played at the one that is declared.

use std::time::Duration;

use serde_json::{Value, json};

use super::file;
use super::step::{FrameSpec, GatewayAction, ScriptedClientAct, Step};
use super::{Scenario, Script};

/// What one connection may do, where a gateway's limits may differ; nothing where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest message, in bytes (MSG-5).
    pub message_bytes: Option<usize>,
    /// Most rooms, its own included (ROOM-5).
    pub rooms: Option<usize>,
    /// How long more may wait for a client than its outbox holds (BRIDGE-12).
    pub slow_reader: Duration,
}

/// What scenarios are written for.
const USUAL: Limits = Limits {
    message_bytes: Some(protocol::limits::MAX_MESSAGE_BYTES),
    rooms: Some(protocol::limits::MAX_ROOMS_PER_CONNECTION),
    slow_reader: Duration::ZERO,
};
/// From how many bytes on a message is about the limit, and from how many rooms on a case is.
const BIG: Limits = Limits { message_bytes: Some(32 * 1024), rooms: Some(50), ..USUAL };
/// A frame that is no longer than this is no part of what is made long.
const SHORT_FRAME_BYTES: usize = 16;
/// Rooms that are asked for in one second: some gateways allow few messages.
const ROOMS_PER_SECOND: usize = 20;

impl Default for Limits {
    fn default() -> Self {
        USUAL
    }
}

impl Scenario {
    /// The scenario at a gateway's own limits.
    ///
    /// # Errors
    /// Why it means nothing there: it is about a limit that there is not, or needs more than one allows.
    pub fn within(&self, limits: &Limits) -> Result<Self, String> {
        let mut limited = self.clone();
        let Script::Gateway(script) = &mut limited.script else { return Ok(limited) };
        if limits.message_bytes != USUAL.message_bytes {
            let longest =
                script.steps.iter().map(|step| message_bytes(&step.action)).max().unwrap_or_default();
            let is_about = self.shows("MSG-5") && Some(longest) > BIG.message_bytes;
            match limits.message_bytes {
                None if is_about || script.steps.iter().any(is_compressed) => {
                    return Err(absent("message_bytes"));
                }
                Some(limit) if is_about => {
                    script.steps.iter_mut().for_each(|step| resize(&mut step.action, limit));
                    limited.title = limited.title.replace(USUAL_SIZE, &size(limit));
                }
                Some(limit) if longest > limit => {
                    script.steps.iter_mut().for_each(|step| shorten(&mut step.action, limit));
                    let longest = script.steps.iter().map(|step| message_bytes(&step.action)).max();
                    if longest > Some(limit) {
                        return Err(format!(
                            "sends a message of {} bytes; the gateway takes {limit} (`gateway.limits.message_bytes`)",
                            longest.unwrap_or_default()
                        ));
                    }
                }
                Some(_) | None => {}
            }
        }
        let asked = script.steps.iter().filter(|step| is_request(step)).count();
        if limits.rooms == USUAL.rooms || !self.shows("ROOM-5") || Some(asked) < BIG.rooms {
            return Ok(limited);
        }
        limits.rooms.map(|limit| limited.with_rooms(limit)).ok_or_else(|| absent("rooms"))
    }

    fn shows(&self, requirement: &str) -> bool {
        self.requirements().iter().any(|id| id.to_string() == requirement)
    }

    /// Asks for as many rooms as are allowed, `r1`, `r2` and so on, and expects an error at the same distance from the last.
    fn with_rooms(&self, limit: usize) -> Self {
        let mut value = file::to_value(self);
        let usual = USUAL.rooms.unwrap_or_default();
        if let Some(steps) = value["step"].as_array_mut() {
            steps.retain(|step| number(&step["subscribe"]).is_none_or(|number| number <= limit));
            let last = steps.iter().rposition(|step| number(&step["subscribe"]).is_some());
            let last = last.map_or(0, |at| at + 1);
            let like = steps.iter().find(|step| number(&step["subscribe"]).is_some()).cloned();
            let more = (usual + 1..=limit).flat_map(|number| {
                let mut step = like.clone().unwrap_or_default();
                renumber(&mut step["subscribe"], &|_| number);
                let pause = (number % ROOMS_PER_SECOND == 1).then(|| json!({ "quiet": "second" }));
                pause.into_iter().chain([step])
            });
            let more: Vec<Value> = more.collect();
            steps.splice(last..last, more);
        }
        renumber(&mut value["expect"], &|number| (number + limit).saturating_sub(usual).max(1));
        file::from_value(self.id.clone(), value)
    }
}

fn absent(limit: &str) -> String {
    format!("the profile says that there is no such limit (`gateway.limits.{limit}`)")
}

fn is_request(step: &Step<GatewayAction>) -> bool {
    matches!(step.action, GatewayAction::ScriptedClient(_, ScriptedClientAct::Subscribe(_)))
}

fn is_compressed(step: &Step<GatewayAction>) -> bool {
    matches!(step.action, GatewayAction::ScriptedClient(_, ScriptedClientAct::SendCompressed(_)))
}

/// How long a message is that a step sends.
fn message_bytes(action: &GatewayAction) -> usize {
    match action {
        GatewayAction::ScriptedClient(_, ScriptedClientAct::SendPing(ping)) => ping.bytes.unwrap_or_default(),
        GatewayAction::ScriptedClient(_, ScriptedClientAct::SendFrames { frames, .. }) => total(frames),
        GatewayAction::ScriptedClient(_, ScriptedClientAct::SendBinary(bytes)) => bytes.len(),
        _ => 0,
    }
}

fn total(frames: &[FrameSpec]) -> usize {
    frames.iter().map(|frame| frame.frame.payload.len()).sum()
}

/// How titles have the usual limit.
const USUAL_SIZE: &str = "64 KiB";

fn size(bytes: usize) -> String {
    match bytes % 1024 {
        0 => format!("{} KiB", bytes / 1024),
        _ => format!("{bytes} bytes"),
    }
}

/// Makes a message that is too long for the gateway as long as it may be, where the length is not what it is about.
fn shorten(action: &mut GatewayAction, limit: usize) {
    if let GatewayAction::ScriptedClient(_, ScriptedClientAct::SendPing(ping)) = action {
        ping.bytes = ping.bytes.map(|bytes| bytes.min(limit));
    }
}

fn resize(action: &mut GatewayAction, limit: usize) {
    match action {
        GatewayAction::ScriptedClient(_, ScriptedClientAct::SendPing(ping)) => {
            ping.bytes = ping.bytes.map(|bytes| scaled(bytes, limit));
        }
        GatewayAction::ScriptedClient(_, ScriptedClientAct::SendFrames { frames, .. }) => {
            let (before, after) = (total(frames), scaled(total(frames), limit));
            if before == after {
                return;
            }
            let mut long = frames.iter_mut().filter(|frame| frame.frame.payload.len() > SHORT_FRAME_BYTES);
            for frame in &mut long {
                let payload = &mut frame.frame.payload;
                let (bytes, filling) = (payload.len() * after / before, payload[0]);
                payload.resize(bytes, filling);
            }
            let missing = after.saturating_sub(total(frames));
            let first = frames.iter_mut().find(|frame| frame.frame.payload.len() > SHORT_FRAME_BYTES);
            if let Some(payload) = first.map(|frame| &mut frame.frame.payload) {
                payload.resize(payload.len() + missing, payload[0]);
            }
        }
        _ => {}
    }
}

/// A length at the same distance from another limit, where it is over the usual one; otherwise at the same part of it.
fn scaled(bytes: usize, limit: usize) -> usize {
    let usual = protocol::limits::MAX_MESSAGE_BYTES;
    match bytes {
        _ if Some(bytes) <= BIG.message_bytes => bytes,
        _ if bytes < usual => bytes * limit / usual,
        _ => limit + (bytes - usual),
    }
}

/// The number of a room in a value that names one of `r1`, `r2` and so on.
fn number(value: &Value) -> Option<usize> {
    match value {
        Value::String(text) => text.strip_prefix('r')?.parse().ok(),
        Value::Array(values) => values.iter().find_map(number),
        Value::Object(fields) => fields.values().find_map(number),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

fn renumber(value: &mut Value, another: &impl Fn(usize) -> usize) {
    match value {
        Value::String(text) => {
            if let Some(number) = text.strip_prefix('r').and_then(|digits| digits.parse().ok()) {
                *text = format!("r{}", another(number));
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| renumber(value, another)),
        Value::Object(fields) => fields.values_mut().for_each(|value| renumber(value, another)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;
    use crate::{Library, ScenarioId};

    fn scenario(id: &str) -> Scenario {
        static LIBRARY: LazyLock<Library> = LazyLock::new(|| Library::builtin().unwrap());
        let id = ScenarioId(id.to_owned());
        LIBRARY.iter().find(|scenario| scenario.id == id).expect("there is such a scenario").clone()
    }

    fn lengths(scenario: &Scenario) -> Vec<usize> {
        let Script::Gateway(script) = &scenario.script else { panic!("a scenario about a gateway") };
        script.steps.iter().map(|step| message_bytes(&step.action)).filter(|bytes| *bytes > 512).collect()
    }

    fn of_messages(message_bytes: Option<usize>) -> Limits {
        Limits { message_bytes, ..USUAL }
    }

    /// At the usual limits nothing changes; at others a message is as far from them.
    #[test]
    fn messages_keep_their_distance_from_the_limit() {
        for (id, at_usual, at_small) in [
            ("gateway/messages/too-long", vec![60_000, 70_000], vec![3750, 8560]),
            ("gateway/rfc6455/limits/over-the-limit", vec![65_537, 65_600, 65_537], vec![4097, 4160, 4097]),
            ("gateway/rfc6455/limits/binary-messages", vec![65_536, 65_536, 65_537], vec![4096, 4096, 4097]),
        ] {
            let scenario = scenario(id);
            assert_eq!(scenario.within(&USUAL).as_ref(), Ok(&scenario));
            assert_eq!(lengths(&scenario), at_usual);
            assert_eq!(lengths(&scenario.within(&of_messages(Some(4096))).unwrap()), at_small);
            let big = lengths(&scenario.within(&of_messages(Some(1 << 20))).unwrap());
            let over = big.iter().zip(&at_usual).filter(|(_, usual)| **usual >= 65_536);
            over.for_each(|(big, usual)| assert_eq!(big - (1 << 20), usual - 65_536));
            assert!(
                scenario.within(&of_messages(None)).unwrap_err().contains("`gateway.limits.message_bytes`")
            );
        }
        let long = scenario("gateway/rfc6455/framing/text-lengths");
        assert_eq!(lengths(&long.within(&of_messages(Some(4096))).unwrap()), [4096]);
        let titled = scenario("gateway/rfc6455/limits/over-the-limit").within(&of_messages(Some(4096)));
        assert!(titled.unwrap().title.contains("over 4 KiB"));
        assert_eq!(long.within(&of_messages(None)).as_ref(), Ok(&long));
    }

    /// As many rooms are asked for as are allowed, and an error is allowed from the same distance on.
    #[test]
    fn rooms_are_asked_for_up_to_the_limit() {
        let usual = scenario("gateway/rooms/limit");
        for limit in [20, 60, 250] {
            let limited = usual.within(&Limits { rooms: Some(limit), ..USUAL }).unwrap();
            let Script::Gateway(script) = &limited.script else { panic!("a scenario about a gateway") };
            let asked: Vec<_> = script.steps.iter().filter(|step| is_request(step)).collect();
            assert_eq!(asked.len(), limit + 1, "and one that is shown to work");
            let text = limited.to_toml();
            assert!(
                text.contains(&format!("\"r{limit}\""))
                    && text.contains(&format!("target = \"r{}\"", limit - 10))
            );
        }
        assert!(
            usual.within(&Limits { rooms: None, ..USUAL }).unwrap_err().contains("`gateway.limits.rooms`")
        );
        let other = scenario("gateway/rooms/twice-is-once");
        assert_eq!(other.within(&Limits { rooms: None, ..USUAL }), Ok(other));
    }
}
