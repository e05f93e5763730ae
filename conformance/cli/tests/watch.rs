//! `--watch`: a gateway is fixed while it is watched.

use std::fs;
use std::io::{BufRead, BufReader, pipe};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// Long enough on any host for what must happen.
const LONG: Duration = Duration::from_secs(120);
const PROFILE: &str = r#"
[gateway]
command = ["sh", "gateway.sh", "{gatecheck}", "reference-server", "--listen", "127.0.0.1:{port}"]
env = { JWT_SECRET = "{jwt_secret}", RABBITMQ_URL = "{amqp_url}" }
ready.path = "/readyz"
"#;
/// It takes messages that are longer than declared.
const WRONG: &str = "exec \"$@\" --max-message-bytes 1000000\n";
const RIGHT: &str = "exec \"$@\"\n";
/// One that passes all the same, and one that fails.
const CASES: [&str; 4] = ["-f", "gateway/auth/good-token", "-f", "gateway/messages/too-long"];

/// A run that goes on.
struct Watched {
    child: Child,
    lines: Receiver<String>,
}

impl Watched {
    fn start(folder: &Path) -> Self {
        let (reader, writer) = pipe().expect("a pipe");
        let child = Command::new(env!("CARGO_BIN_EXE_gatecheck"))
            .args(["gateway", "--watch", "--no-preflight"])
            .args(CASES)
            .current_dir(folder)
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(writer.try_clone().expect("the pipe"))
            .stderr(writer)
            .spawn()
            .expect("gatecheck runs");
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            let texts = BufReader::new(reader).lines().map_while(Result::ok);
            texts.take_while(|text| sender.send(text.clone()).is_ok()).for_each(drop);
        });
        Self { child, lines }
    }

    /// What it prints up to a line with these words.
    fn until(&self, words: &str) -> String {
        let mut printed = String::new();
        loop {
            let line =
                self.lines.recv_timeout(LONG).unwrap_or_else(|_| panic!("no {words:?} in:\n{printed}"));
            printed.push_str(&line);
            printed.push('\n');
            if line.contains(words) {
                return printed;
            }
        }
    }

    /// Sends SIGTERM, and waits for its end.
    fn end(mut self) -> Option<i32> {
        let id = Pid::from_raw(self.child.id().cast_signed()).expect("a process");
        kill_process(id, Signal::TERM).expect("it runs");
        // The pipe is closed once no process is left that could write to it.
        while self.lines.recv_timeout(LONG).is_ok() {}
        self.child.wait().expect("a status").code()
    }
}

/// What did not pass runs after a change, and everything once that passes; what the gateway logs is no change.
#[test]
fn a_fix_is_seen() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("a file");
    write("gatecheck.toml", PROFILE);
    write("gateway.sh", WRONG);
    let watched = Watched::start(folder.path());
    let first = watched.until("watching ");
    assert!(first.contains("1 of 2 selected cases passed"), "{first}");
    assert!(first.contains("what did not pass runs after a change"), "{first}");

    write("gateway.log", "no source");
    write("gateway.sh", RIGHT);
    let second = watched.until("watching ");
    let changed = second.lines().next().expect("a line");
    assert!(changed.starts_with("changed: ") && changed.ends_with("gateway.sh"), "{second}");
    let counts = ["1 of 1 selected cases passed", "2 of 2 selected cases passed"];
    let found: Vec<_> = counts.iter().filter_map(|count| second.find(count)).collect();
    assert!(found.len() == 2 && found.is_sorted(), "{second}");
    assert!(second.contains("everything runs after a change"), "{second}");

    write("gateway.sh", WRONG);
    watched.until("changed: ");
    assert_eq!(watched.end(), Some(130));
}
