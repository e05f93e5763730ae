//! What programs in several languages have really printed; only the names of folders are others.

use super::*;

fn cause(output: &str) -> (String, String) {
    let lines: Vec<Foreign> = output.lines().map(Foreign::from).collect();
    let Cause { error, frame } = Cause::read(&lines).unwrap_or_else(|| panic!("no cause: {output}"));
    (error, frame.unwrap_or_else(|| "nowhere".to_owned()))
}

fn is(output: &str, error: &str, frame: &str) {
    assert_eq!(cause(output), (error.to_owned(), frame.to_owned()), "{output}");
}

/// An error that nothing catches stands behind the line and the caret; the frame is the first of the program itself.
#[test]
fn node_says_where_it_died() {
    is(
        r#"listening on 4711
<anonymous_script>:1
not json
 ^

SyntaxError: Unexpected token 'o', "not json" is not valid JSON
    at JSON.parse (<anonymous>)
    at onMessage (/app/gateway.js:3:24)
    at Object.call (/app/node_modules/lib/index.js:1:40)
    at Immediate.<anonymous> (/app/gateway.js:8:47)
    at process.processImmediate (node:internal/timers:483:21)

Node.js v20.20.2"#,
        "SyntaxError: Unexpected token 'o', \"not json\" is not valid JSON",
        "at onMessage (/app/gateway.js:3:24)",
    );
    // The line is empty, and there is no caret.
    is(
        "<anonymous_script>:1\n\n\nSyntaxError: Unexpected end of JSON input\n    at JSON.parse (<anonymous>)\n    \
         at f (file:///app/g.mjs:1:29)\n    at file:///app/g.mjs:2:7\n\nNode.js v20.20.2",
        "SyntaxError: Unexpected end of JSON input",
        "at f (file:///app/g.mjs:1:29)",
    );
    is(
        "/app/gateway.js:4\n  return message.payload.room.toUpperCase();\n                              ^\n\n\
         TypeError: Cannot read properties of undefined (reading 'toUpperCase')\n    \
         at onMessage (/app/gateway.js:4:31)\n    at Object.call (/app/node_modules/lib/index.js:1:40)\n\n\
         Node.js v20.20.2",
        "TypeError: Cannot read properties of undefined (reading 'toUpperCase')",
        "at onMessage (/app/gateway.js:4:31)",
    );
    // What was thrown is no error, and has no stack.
    is(
        "\n/app/gateway.js:11\nsetImmediate(() => { throw 'boom'; });\n                      ^\nboom\n\
         (Use `node --trace-uncaught ...` to show where the exception was thrown)\n\nNode.js v20.20.2",
        "boom",
        "/app/gateway.js:11",
    );
    // The file itself cannot be read.
    is(
        "/app/bad.js:1\nconst a = ;\n          ^\n\nSyntaxError: Unexpected token ';'\n    \
         at wrapSafe (node:internal/modules/cjs/loader:1464:18)\n    \
         at node:internal/main/run_main_module:28:49\n\nNode.js v20.20.2",
        "SyntaxError: Unexpected token ';'",
        "/app/bad.js:1",
    );
}

/// An error that has been handled and printed before is not what ended the process; nor is a place on Node.js itself one of its own.
#[test]
fn node_is_not_taken_at_its_first_word() {
    is(
        r#"Error: handled
    at Object.<anonymous> (/app/gateway.js:15:40)
    at node:internal/main/run_main_module:28:49
node:events:502
      throw er; // Unhandled 'error' event
      ^

Error: connect ECONNREFUSED 127.0.0.1:1
    at TCPConnectWrap.afterConnect [as oncomplete] (node:net:1611:16)
Emitted 'error' event on Socket instance at:
    at emitErrorNT (node:internal/streams/destroy:169:8)
    at process.processTicksAndRejections (node:internal/process/task_queues:82:21) {
  errno: -111,
  code: 'ECONNREFUSED',
  port: 1
}

Node.js v20.20.2"#,
        "Error: connect ECONNREFUSED 127.0.0.1:1",
        "nowhere",
    );
    is(
        r#"node:internal/assert/utils:281
    throw err;
    ^

AssertionError [ERR_ASSERTION]: bad
    at Object.<anonymous> (/app/gateway.js:19:41)
    at Module._compile (node:internal/modules/cjs/loader:1521:14) {
  generatedMessage: false,
  code: 'ERR_ASSERTION'
}

Node.js v20.20.2"#,
        "AssertionError [ERR_ASSERTION]: bad",
        "at Object.<anonymous> (/app/gateway.js:19:41)",
    );
}

/// A program that prints its last error itself is read as well.
#[test]
fn node_may_say_it_itself() {
    is(
        "ready\nfatal SyntaxError: Unexpected token 'x', \"x\" is not valid JSON\n    at JSON.parse (<anonymous>)\n    \
         at onMessage (/app/gateway.js:3:24)\n    at process.processImmediate (node:internal/timers:483:21)",
        "SyntaxError: Unexpected token 'x', \"x\" is not valid JSON",
        "at onMessage (/app/gateway.js:3:24)",
    );
    assert_eq!(Cause::read(&["no Error: here".into(), "goodbye".into()]), None);
}

const PYTHON: &str = r#"Traceback (most recent call last):
  File "/app/g.py", line 9, in <module>
    try: on_message('x')
         ^^^^^^^^^^^^^^^
  File "/app/g.py", line 3, in on_message
    return json.loads(data)
           ^^^^^^^^^^^^^^^^
  File "/usr/lib/python3.11/json/decoder.py", line 355, in raw_decode
    raise JSONDecodeError("Expecting value", s, err.value) from None
json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)"#;

/// The last traceback counts, and in it the last frame that is not the library's.
#[test]
fn python_says_where_it_died() {
    is(
        PYTHON,
        "json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)",
        "File \"/app/g.py\", line 3, in on_message",
    );
    let chained = format!(
        "{PYTHON}\n\nThe above exception was the direct cause of the following exception:\n\n\
         Traceback (most recent call last):\n  File \"/app/g.py\", line 10, in <module>\n    \
         except ValueError as e: raise RuntimeError('bad') from e\n                            ^^^^^\n\
         RuntimeError: bad"
    );
    is(&chained, "RuntimeError: bad", "File \"/app/g.py\", line 10, in <module>");
    is(
        r#"  + Exception Group Traceback (most recent call last):
  |   File "/app/g.py", line 15, in <module>
  |     if mode == 'group': asyncio.run(main())
  | ExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "/app/g.py", line 3, in on_message
    |     return json.loads(data)
    |   File "/usr/lib/python3.11/json/__init__.py", line 346, in loads
    |     return _default_decoder.decode(s)
    | json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)
    +------------------------------------"#,
        "json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)",
        "File \"/app/g.py\", line 3, in on_message",
    );
}

/// A panic names its place; what follows from it, in the thread that waited for the first, is not the cause.
#[test]
fn rust_says_where_it_panicked() {
    is(
        "\nthread '<unnamed>' (13668) panicked at src/main.rs:1:35:\n\
         called `Result::unwrap()` on an `Err` value: ParseIntError { kind: InvalidDigit }\n\
         note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\n\n\
         thread 'main' (13667) panicked at src/main.rs:2:120:\n\
         called `Result::unwrap()` on an `Err` value: Any { .. }",
        "panicked: called `Result::unwrap()` on an `Err` value: ParseIntError { kind: InvalidDigit }",
        "src/main.rs:1:35",
    );
    is(
        "thread 'main' panicked at 'no key, no start', src/main.rs:7:5",
        "panicked: 'no key, no start'",
        "src/main.rs:7:5",
    );
}

/// The goroutine's first frame that is neither of Go nor of a module counts.
#[test]
fn go_says_where_it_panicked() {
    is(
        "panic: runtime error: index out of range [5] with length 3\n\ngoroutine 1 [running]:\n\
         runtime.gopanic({0x1, 0x2})\n\t/usr/local/go/src/runtime/panic.go:770 +0x132\n\
         example.org/ws.(*Conn).Read(...)\n\t/home/dev/go/pkg/mod/example.org/ws@v1.2.3/conn.go:90\n\
         main.onMessage(...)\n\t/app/main.go:12 +0x1d\nmain.main()\n\t/app/main.go:20 +0x1d\nexit status 2",
        "panic: runtime error: index out of range [5] with length 3",
        "/app/main.go:12",
    );
    is(
        "fatal error: all goroutines are asleep - deadlock!",
        "fatal error: all goroutines are asleep - deadlock!",
        "nowhere",
    );
}

/// The first frame that is not of the JDK counts.
#[test]
fn java_says_where_it_died() {
    is(
        "Exception in thread \"main\" java.lang.NumberFormatException: For input string: \"x\"\n\
         \tat java.base/java.lang.NumberFormatException.forInputString(NumberFormatException.java:67)\n\
         \tat java.base/java.lang.Integer.parseInt(Integer.java:668)\n\
         \tat Main.onMessage(Main.java:3)\n\tat Main.main(Main.java:6)",
        "java.lang.NumberFormatException: For input string: \"x\"",
        "at Main.onMessage(Main.java:3)",
    );
}

/// Errors of one kind at one line are one defect, whatever their text and column; without a location, numbers are ignored.
#[test]
fn a_defect_is_a_kind_and_a_line() {
    let key = |error: &str, frame: Option<&str>| Cause::of(error, frame).key();
    let at = |frame| key("SyntaxError: Unexpected end of JSON input", Some(frame));
    assert_eq!(at("at a (/app/g.js:3:24)"), key("SyntaxError: x", Some("at b (/app/g.js:3:7)")));
    assert_ne!(at("at a (/app/g.js:3:24)"), at("at a (/app/g.js:4:24)"));
    assert_ne!(at("at a (/app/g.js:3:24)"), key("TypeError: x", Some("at a (/app/g.js:3:24)")));
    assert_eq!(at("at file:///app/g.mjs:2:7"), at("at file:///app/g.mjs:2:9"));
    assert_eq!(key("no port 4711", None), key("no port 80", None));
    assert_eq!(line_of("src/main.rs:1:35"), "src/main.rs:1");
    assert_eq!(line_of("at Main.onMessage(Main.java:3)"), "Main.java:3");
}
