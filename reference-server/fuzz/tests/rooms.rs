//! The names of rooms.

use protocol::RoomName;
use protocol::limits::MAX_ROOM_NAME_BYTES;

/// A room's name is what was asked for, within its alphabet and its length (ROOM-4); everything else is refused.
#[test]
fn room_names() {
    bolero::check!().for_each(|input: &[u8]| {
        let Ok(text) = std::str::from_utf8(input) else { return };
        let belongs = |byte: u8| byte.is_ascii_alphanumeric() || b":_.-".contains(&byte);
        let good = !text.is_empty() && text.len() <= MAX_ROOM_NAME_BYTES && text.bytes().all(belongs);
        match RoomName::parse(text) {
            Ok(room) => {
                assert!(good, "{text:?} is no room");
                assert_eq!(room.to_string(), text);
                assert_eq!(serde_json::to_value(&room).unwrap(), text);
            }
            Err(error) => assert!(!good, "{text:?} is a room: {error}"),
        }
    });
}
