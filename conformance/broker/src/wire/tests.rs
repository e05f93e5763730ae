use super::*;
use amq_protocol::protocol::{basic, channel};
use amq_protocol::types::{AMQPValue, FieldTable};

const MAX_FRAME: u32 = 4096;

fn decoder(bytes: &[u8]) -> Decoder {
    let mut decoder = Decoder::new(MAX_FRAME);
    decoder.buffer().extend_from_slice(bytes);
    decoder
}

fn fault_code(bytes: &[u8]) -> u16 {
    match decoder(bytes).frame() {
        Err(WireError::Frame(fault)) => fault.code(),
        other => panic!("a fault was expected, not {other:?}"),
    }
}

fn open_frame() -> Vec<u8> {
    let mut bytes = Vec::new();
    put_method(&mut bytes, 7, AMQPClass::Channel(channel::AMQPMethod::Open(channel::Open {})));
    bytes
}

/// Frames may arrive a byte at a time.
#[test]
fn a_frame_is_whole_or_not_there() {
    let bytes = open_frame();
    let mut decoder = Decoder::new(MAX_FRAME);
    for byte in &bytes[..bytes.len() - 1] {
        decoder.buffer().put_u8(*byte);
        assert!(decoder.frame().unwrap().is_none());
    }
    decoder.buffer().put_u8(FRAME_END);
    assert!(matches!(decoder.frame().unwrap(), Some(Frame::Method(7, AMQPClass::Channel(_)))));
}

/// The protocol header is recognised, and its absence at the first wrong byte.
#[test]
fn the_greeting_is_exact() {
    assert_eq!(decoder(b"AMQP\0\0\x09\x01rest").greeting(), Ok(true));
    assert_eq!(decoder(b"AMQP").greeting(), Ok(false));
    assert_eq!(decoder(b"GET / HTTP/1.1").greeting(), Err(WireError::Greeting));
    assert_eq!(decoder(b"AMQP\0\x01\0\0").greeting(), Err(WireError::Greeting));
}

/// Each way to be wrong has its code, and a length is judged before its bytes have arrived.
#[test]
fn what_is_no_frame_is_refused() {
    assert_eq!(fault_code(&[9, 0, 0, 0, 0, 0, 0, FRAME_END]), 501);
    assert_eq!(fault_code(&[FRAME_BODY, 0, 1, 0xff, 0xff, 0xff, 0xff]), 501);
    assert_eq!(fault_code(&[FRAME_HEARTBEAT, 0, 0, 0, 0, 0, 0, 0]), 501);
    assert_eq!(fault_code(&[FRAME_METHOD, 0, 1, 0, 0, 0, 4, 0, 20, 0, 99, FRAME_END]), 502);
    assert_eq!(fault_code(&[FRAME_HEADER, 0, 1, 0, 0, 0, 2, 0, 60, FRAME_END]), 502);
}

/// A body is cut to the frame size, and header and body come back as they went.
#[test]
fn content_survives_the_wire_in_pieces() {
    let mut headers = FieldTable::default();
    headers.insert("trace".into(), AMQPValue::LongInt(-5));
    let properties = basic::AMQPProperties::default().with_headers(headers).with_delivery_mode(2);
    let raw = crate::message::encode_properties(&properties);
    let body: Vec<u8> = (0..10_000u32).map(|n| n as u8).collect();
    let message = Message { properties: raw.clone(), body: body.clone().into(), ..Message::text("") };
    let mut bytes = Vec::new();
    put_content(&mut bytes, 3, &message, MAX_FRAME);

    let mut decoder = decoder(&bytes);
    let Some(Frame::Header(3, header)) = decoder.frame().unwrap() else { panic!("no header") };
    assert_eq!((header.body_size, &header.properties), (10_000, &raw));
    assert_eq!(decode_properties(&raw), Some(properties));
    let mut parts = Vec::new();
    while let Some(frame) = decoder.frame().unwrap() {
        let Frame::Body(3, part) = frame else { panic!("no body") };
        assert!(part.len() + ENVELOPE_BYTES <= MAX_FRAME as usize);
        parts.push(part);
    }
    assert_eq!(parts.len(), 3);
    assert_eq!(parts.concat(), body);
}
