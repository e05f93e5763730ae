//! A subject that floods, whatever with, is found out; it costs neither memory nor time, and no secret.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use scenarios::frame::RawFrame;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};
use wait4::{ResUse, Wait4};

/// What gatecheck may take, whatever a subject does.
const MAX_PEAK_KIB: u64 = 150 * 1024;
/// Long enough on any host for a case that is flooded.
const LONG: Duration = Duration::from_secs(120);
const SECRET: &str = "the secret of a gateway that is attached";

/// How a run ended.
struct Ended {
    code: Option<i32>,
    text: String,
    peak_kib: u64,
}

/// Runs gatecheck in this folder. Its peak is that of the largest process of those that it has awaited, gatecheck's two included, and
/// what this process had when it began: the system counts that in (getrusage(2)).
fn gatecheck(folder: &Path, arguments: &[&str]) -> Ended {
    let output = fs::File::create(folder.join("printed")).expect("a file");
    let mut child = Command::new(env!("CARGO_BIN_EXE_gatecheck"))
        .args(arguments)
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .stdout(output.try_clone().expect("a file"))
        .stderr(output)
        .spawn()
        .expect("gatecheck runs");
    let (ends, ended) = mpsc::channel();
    thread::spawn(move || ends.send(child.wait4().expect("a status")));
    let ResUse { status, rusage } =
        ended.recv_timeout(LONG).unwrap_or_else(|_| panic!("it does not end: {arguments:?}"));
    let text = fs::read_to_string(folder.join("printed")).expect("reports are text");
    println!(
        "{arguments:?}: {:?}, {} KiB at most, {} bytes of text",
        status.code(),
        rusage.maxrss / 1024,
        text.len()
    );
    Ended { code: status.code(), text, peak_kib: rusage.maxrss / 1024 }
}

/// A gateway that lets everyone in and says these frames for ever; its URL.
fn gateway(frames: Vec<u8>) -> String {
    let frames: Arc<[u8]> = frames.into();
    listening(move |stream| serve(stream, &frames))
}

/// A gateway whose answers never get to their end; its URL.
fn endless_head() -> String {
    let lines = format!("X: {}\r\n", "y".repeat(1000)).repeat(100);
    listening(move |mut stream| {
        stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\n").ok()?;
        while stream.write_all(lines.as_bytes()).is_ok() {}
        None
    })
}

fn listening(serve: impl Fn(TcpStream) -> Option<()> + Clone + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("ws://{}/ws", listener.local_addr().expect("an address"));
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = serve.clone();
            thread::spawn(move || serve(stream));
        }
    });
    url
}

fn serve(mut stream: TcpStream, frames: &[u8]) -> Option<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        request.extend(byte);
    }
    let request = String::from_utf8_lossy(&request).into_owned();
    let key = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "))?;
    let accept = derive_accept_key(key.trim().as_bytes());
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).ok()?;
    while !frames.is_empty() {
        stream.write_all(frames).ok()?;
    }
    stream.read_to_end(&mut request.into_bytes()).ok().map(drop)
}

fn frame(opcode: OpCode, payload: Vec<u8>, fin: bool) -> Vec<u8> {
    RawFrame { fin, rsv: 0, opcode, payload }.encode(None)
}

/// Judged by a case or two.
fn attached<'a>(url: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let usual = ["gateway", "--attach", url, "--jwt-secret", SECRET, "--broker", "none", "--no-preflight"];
    [&usual, more, &["--filter", "gateway/auth/good-token"][..]].concat()
}

/// Frames of every kind, without an end: it is said who floods, exit code 4, and little is held.
#[test]
fn a_gateway_that_floods_is_found_out() {
    let text = OpCode::Data(Data::Text);
    let numbers = format!("[{}1]", "1,".repeat(512 * 1024));
    for (what, frames) in [
        ("large frames", frame(text, vec![b'x'; 1024 * 1024], true)),
        ("a frame that is too large", frame(text, vec![b'x'; 16 * 1024 * 1024], true)),
        ("lists", frame(text, numbers.into_bytes(), true)),
        ("fragments", frame(OpCode::Data(Data::Continue), vec![b'x'; 64 * 1024], false)),
        ("pings", frame(OpCode::Control(Control::Ping), vec![b'x'; 100], true).repeat(500)),
        ("small texts", frame(text, b"{}".to_vec(), true).repeat(10_000)),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let url = gateway(frames);
        let Ended { code, text, peak_kib } = gatecheck(folder.path(), &attached(&url, &[]));
        assert_eq!(code, Some(4), "{what}: {text}");
        assert!(text.contains(" floods the c"), "{what}: {text}");
        assert!(peak_kib < MAX_PEAK_KIB, "{what}: {peak_kib} KiB");
    }
}

/// Reports, answers and lines of an adapter, without an end.
#[test]
fn an_adapter_that_floods_is_found_out() {
    let long = "line() { head -c 4000000 /dev/zero | tr '\\0' x; echo; }; while :; do line; done";
    for (script, says) in [
        (r#"yes '{"event":"status","status":"a","old":"b"}'"#, "floods the case"),
        ("yes ''", "floods the case"),
        (r#"yes '{"event":"nosuch"}'"#, "floods the case"),
        (long, "the adapter printed"),
        ("tr '\\0' x < /dev/zero", "the adapter printed a line of more than"),
        ("yes >&2", "flooded its output"),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let arguments = [
            "client",
            "--no-preflight",
            "--output",
            "out",
            "--filter",
            "client/messages/**",
            "--",
            "sh",
            "-c",
            script,
        ];
        let Ended { code, text, peak_kib } = gatecheck(folder.path(), &arguments);
        assert_eq!(code, Some(4), "{script}: {text}");
        assert!(text.contains(says) && text.len() < 20_000, "{script}: {text}");
        assert!(peak_kib < MAX_PEAK_KIB, "{script}: {peak_kib} KiB");
        for entry in fs::read_dir(folder.path().join("out")).expect("reports").flatten() {
            let bytes = entry.metadata().map_or(0, |file| file.len());
            assert!(bytes < 1_000_000, "{script}: {} has {bytes} bytes", entry.path().display());
        }
    }
}

/// A subject that floods while it is watched gets one error and exit code 4, and no profile is written.
#[test]
fn init_finds_out_what_floods() {
    let text = OpCode::Data(Data::Text);
    for (what, frames) in [
        ("large texts", frame(text, vec![b'x'; 64 * 1024], true)),
        ("empty fragments", frame(OpCode::Data(Data::Continue), Vec::new(), false).repeat(10_000)),
        ("pings", frame(OpCode::Control(Control::Ping), vec![b'x'; 100], true).repeat(500)),
        ("small texts", frame(text, b"{}".to_vec(), true).repeat(10_000)),
    ] {
        let url = gateway(frames);
        not_watched(what, &["gateway", "--attach", &url, "--jwt-secret", SECRET]);
    }
    for script in [
        r#"yes '{"event":"status","status":"a","old":"b"}'"#,
        "yes ''",
        "line() { head -c 4000000 /dev/zero | tr '\\0' x; echo; }; while :; do line; done",
    ] {
        not_watched(script, &["client", "--", "sh", "-c", script]);
    }
}

fn not_watched(what: &str, arguments: &[&str]) {
    let folder = tempfile::tempdir().expect("a folder");
    let Ended { code, text, peak_kib } = gatecheck(folder.path(), &[&["init"], arguments].concat());
    assert_eq!(code, Some(4), "{what}: {text}");
    assert_eq!(text.matches("the subject floods").count(), 1, "{what}: {text}");
    assert!(text.len() < 20_000 && peak_kib < MAX_PEAK_KIB, "{what}: {peak_kib} KiB, {text}");
    assert!(!folder.path().join("gatecheck.toml").exists(), "{what}: {text}");
}

/// What cannot be read at all floods no one: the connections end, and nothing of it is held.
#[test]
fn init_holds_nothing_that_it_cannot_read() {
    let text = OpCode::Data(Data::Text);
    let too_large = gateway(frame(text, vec![b'x'; 15 * 1024 * 1024], true));
    let fragments = gateway(frame(OpCode::Data(Data::Continue), vec![b'x'; 130 * 1024], false));
    for (what, url, says) in [
        ("frames that are too large", too_large, "Answered: the end of the connection"),
        ("fragments", fragments, "Answered: the end of the connection"),
        ("a head", endless_head(), "Answered: no answer (the head never ends)"),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let arguments = ["init", "gateway", "--attach", &url, "--jwt-secret", SECRET];
        let Ended { code, text, peak_kib } = gatecheck(folder.path(), &arguments);
        // No one can sign in, which is said first in the profile that is to be filled in.
        assert!(code == Some(0) && text.contains(says) && text.len() < 20_000, "{what}: {code:?} {text}");
        assert!(peak_kib < MAX_PEAK_KIB, "{what}: {peak_kib} KiB");
    }
    for (subject, script, says) in [
        ("client", "tr '\\0' x < /dev/zero", "`configure` was not answered"),
        ("client", "yes >&2", "it flooded its output"),
        ("gateway", "yes", "it flooded its output"),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let Ended { code, text, peak_kib } =
            gatecheck(folder.path(), &["init", subject, "--", "sh", "-c", script]);
        // The message is wrapped as a terminal has room for it.
        let words: Vec<_> = text.split_whitespace().filter(|word| *word != "│").collect();
        assert!(code == Some(4) && words.join(" ").contains(says), "{script}: {code:?} {text}");
        assert!(peak_kib < MAX_PEAK_KIB && text.len() < 20_000, "{script}: {peak_kib} KiB, {text}");
    }
}

/// A report of a gateway that runs elsewhere opens no connection to it: no token in it has its signature, and the secret is not there.
#[test]
fn a_report_has_no_secrets() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = format!(r#"{{"type":"secret","secret":"{SECRET}","url":"amqp://ada:password-of-ada@h/"}}"#);
    let mut frames = frame(OpCode::Data(Data::Text), text.into_bytes(), true);
    frames.extend(frame(OpCode::Control(Control::Close), 4001_u16.to_be_bytes().to_vec(), true));
    let url = gateway(frames);
    let more = ["--output", "out", "--filter", "gateway/auth/percent-encoded-token"];
    let Ended { text, .. } = gatecheck(folder.path(), &attached(&url, &more));
    let mut folders = vec![folder.path().to_owned()];
    let mut tokens = 0;
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let report = fs::read_to_string(&path).expect("reports are text");
            assert!(!report.contains(SECRET) && !report.contains("password-of-ada"), "{}", path.display());
            for (at, _) in report.match_indices("?token=eyJ") {
                tokens += 1;
                let rest = &report[at..];
                let signature = rest.split('.').nth(2).unwrap_or_default();
                let is_of_one = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
                assert!(signature.chars().take_while(is_of_one).count() < 10, "{}", path.display());
            }
        }
    }
    assert!(tokens > 0, "requests are in the report: {text}");
}
