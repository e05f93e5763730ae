//! WebDriver, as much of it as a visit takes (W3C WebDriver, sections 8 to 17): JSON over HTTP to a driver on loopback.
//!
//! It is written out here because the crates that speak it would change what is tested (`thirtyfour` has all of the
//! workspace's JSON keep its order) or come under another licence (`fantoccini`).

#![expect(clippy::disallowed_methods, reason = "the lines are those of a tool that the test starts")]

use std::io;
use std::net::Ipv4Addr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// What an element's reference is called in JSON (section 12).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser's window, driven through the driver that started the browser.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    port: u16,
    /// `/session/ID`
    session: String,
}

/// An element that was found on the page.
#[derive(Debug, Clone)]
pub(crate) struct Element(String);

/// Why something could not be done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DriveError {
    /// The driver does not answer.
    #[error("the driver: {0}")]
    Io(#[from] io::Error),
    /// The browser cannot do it; the code is one of section 6.6.
    #[error("{code}: {message}")]
    Refused { code: String, message: String },
    /// The answer is not what the specification says.
    #[error("an unexpected answer: {0}")]
    Odd(Value),
}

impl DriveError {
    /// Whether the page has replaced the element since it was found.
    pub(crate) fn is_stale(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if code == "stale element reference")
    }
}

impl Window {
    /// Starts a browser with these capabilities.
    pub(crate) async fn open(port: u16, capabilities: &Value) -> Result<Self, DriveError> {
        let wanted = json!({ "capabilities": { "alwaysMatch": capabilities } });
        let answer = exchange(port, "POST", "/session", Some(&wanted)).await?;
        let session = format!("/session/{}", text(answer["sessionId"].clone())?);
        Ok(Self { port, session })
    }

    /// Ends the browser.
    pub(crate) async fn quit(&self) -> Result<(), DriveError> {
        self.ask("DELETE", "", None).await.map(drop)
    }

    pub(crate) async fn go_to(&self, address: &str) -> Result<(), DriveError> {
        self.post("/url", json!({ "url": address })).await.map(drop)
    }

    pub(crate) async fn address(&self) -> Result<String, DriveError> {
        text(self.ask("GET", "/url", None).await?)
    }

    pub(crate) async fn resize(&self, width: u64, height: u64) -> Result<(), DriveError> {
        self.post("/window/rect", json!({ "width": width, "height": height })).await.map(drop)
    }

    /// Runs a script on the page; what it returns.
    pub(crate) async fn run(&self, script: &str) -> Result<Value, DriveError> {
        self.post("/execute/sync", json!({ "script": script, "args": [] })).await
    }

    /// What the browser complained of since it was asked last: errors of scripts, breaches of a policy. This is the driver's own.
    pub(crate) async fn log(&self) -> Result<Value, DriveError> {
        self.post("/se/log", json!({ "type": "browser" })).await
    }

    /// A picture in PNG.
    pub(crate) async fn picture(&self) -> Result<Vec<u8>, DriveError> {
        let encoded = text(self.ask("GET", "/screenshot", None).await?)?;
        STANDARD.decode(&encoded).map_err(|_| DriveError::Odd(encoded.into()))
    }

    /// Every element that a CSS selector matches.
    pub(crate) async fn find_all(&self, selector: &str) -> Result<Vec<Element>, DriveError> {
        let found = self.post("/elements", json!({ "using": "css selector", "value": selector })).await?;
        match found {
            Value::Array(found) => {
                found.into_iter().map(|found| text(found[ELEMENT].clone()).map(Element)).collect()
            }
            odd => Err(DriveError::Odd(odd)),
        }
    }

    /// The first element that a CSS selector matches.
    pub(crate) async fn find(&self, selector: &str) -> Result<Element, DriveError> {
        let found = self.post("/element", json!({ "using": "css selector", "value": selector })).await?;
        text(found[ELEMENT].clone()).map(Element)
    }

    /// Its text as a visitor sees it.
    pub(crate) async fn text(&self, element: &Element) -> Result<String, DriveError> {
        text(self.ask("GET", &format!("/element/{}/text", element.0), None).await?)
    }

    /// Whether a visitor sees it and can use it.
    pub(crate) async fn is_usable(&self, element: &Element) -> Result<bool, DriveError> {
        let displayed = self.ask("GET", &format!("/element/{}/displayed", element.0), None).await?;
        let enabled = self.ask("GET", &format!("/element/{}/enabled", element.0), None).await?;
        Ok(displayed == json!(true) && enabled == json!(true))
    }

    pub(crate) async fn click(&self, element: &Element) -> Result<(), DriveError> {
        self.post(&format!("/element/{}/click", element.0), json!({})).await.map(drop)
    }

    pub(crate) async fn clear(&self, element: &Element) -> Result<(), DriveError> {
        self.post(&format!("/element/{}/clear", element.0), json!({})).await.map(drop)
    }

    pub(crate) async fn write(&self, element: &Element, keys: &str) -> Result<(), DriveError> {
        self.post(&format!("/element/{}/value", element.0), json!({ "text": keys })).await.map(drop)
    }

    async fn post(&self, command: &str, body: Value) -> Result<Value, DriveError> {
        self.ask("POST", command, Some(&body)).await
    }

    async fn ask(&self, method: &str, command: &str, body: Option<&Value>) -> Result<Value, DriveError> {
        exchange(self.port, method, &format!("{}{command}", self.session), body).await
    }
}

/// One request and its answer, on a connection of their own.
async fn exchange(port: u16, method: &str, path: &str, body: Option<&Value>) -> Result<Value, DriveError> {
    let mut stream = BufReader::new(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?);
    let body = body.map(Value::to_string).unwrap_or_default();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all((head + &body).as_bytes()).await?;
    stream.flush().await?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        match line.split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
            None if line.trim().is_empty() => break,
            _ => {}
        }
    }
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer).await?;
    let mut answer: Value = serde_json::from_slice(&answer).map_err(io::Error::other)?;
    let value = answer["value"].take();
    match (value["error"].as_str(), value["message"].as_str()) {
        (Some(code), message) => {
            let message = message.unwrap_or_default().lines().next().unwrap_or_default().to_owned();
            Err(DriveError::Refused { code: code.to_owned(), message })
        }
        (None, _) => Ok(value),
    }
}

fn text(value: Value) -> Result<String, DriveError> {
    match value {
        Value::String(text) => Ok(text),
        odd => Err(DriveError::Odd(odd)),
    }
}
