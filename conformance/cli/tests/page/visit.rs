//! A visit to the page: what its visitor does, and what they come to see.

use std::time::Duration;

use libtest_mimic::Failed;
use serde_json::Value;

use crate::webdriver::{DriveError, Window};

/// Longest wait for anything that must come to be seen; passing trials never wait this long.
const PATIENCE: Duration = Duration::from_secs(40);
/// How often the page is looked at while something is awaited: browsers announce nothing.
const LOOK_AGAIN: Duration = Duration::from_millis(30);

pub(crate) struct Visit<'a> {
    window: &'a Window,
}

impl<'a> Visit<'a> {
    pub(crate) async fn open(window: &'a Window, address: &str) -> Result<Self, Failed> {
        window.go_to(address).await?;
        // What the page complains of is kept, a breach of its policy among it.
        window
            .run(
                "window.complaints = [];
                 addEventListener('error', event => complaints.push(event.message));
                 addEventListener('unhandledrejection', event => complaints.push(String(event.reason)));
                 addEventListener('securitypolicyviolation', event => complaints.push(event.blockedURI));",
            )
            .await?;
        Ok(Self { window })
    }

    /// Gives the page this much room, whatever the window has around it.
    pub(crate) async fn resize(&self, width: u64, height: u64) -> Result<(), Failed> {
        let frame = "return [outerWidth - innerWidth, outerHeight - innerHeight];";
        let around = self.window.run(frame).await?;
        let pixels = |at: usize| around[at].as_u64().ok_or("the window has no size");
        Ok(self.window.resize(width + pixels(0)?, height + pixels(1)?).await?)
    }

    /// Types into a field, over what it held.
    pub(crate) async fn fill(&self, field: &str, text: &str) -> Result<(), Failed> {
        let element = self.window.find(field).await?;
        self.until(field, || self.window.is_usable(&element)).await?;
        self.window.clear(&element).await?;
        Ok(self.window.write(&element, text).await?)
    }

    pub(crate) async fn choose(&self, field: &str, choice: &str) -> Result<(), Failed> {
        for element in self.window.find_all(&format!("{field} option")).await? {
            if self.window.text(&element).await? == choice {
                return Ok(self.window.click(&element).await?);
            }
        }
        Err(format!("{field} offers no {choice}").into())
    }

    pub(crate) async fn press(&self, button: &str) -> Result<(), Failed> {
        Ok(self.window.click(&self.window.find(button).await?).await?)
    }

    /// Publishes by the form.
    pub(crate) async fn publish(&self, kind: &str, data: &str) -> Result<(), Failed> {
        self.fill("#kind", kind).await?;
        self.fill("#data", data).await?;
        self.press("#publish button").await?;
        self.until("an answer to the form", || async {
            let said = self.window.text(&self.window.find("#published").await?).await?;
            Ok(said.contains(kind) || said.contains("JSON"))
        })
        .await
    }

    /// Waits until the page says that its connection stands so.
    pub(crate) async fn status(&self, status: &str) -> Result<(), Failed> {
        self.text("#status b", status).await
    }

    /// Waits until the first such element reads exactly so.
    pub(crate) async fn text(&self, selector: &str, text: &str) -> Result<(), Failed> {
        self.reads(selector, text, |seen| seen == text).await
    }

    /// Waits until the text of the first such element holds this.
    pub(crate) async fn text_with(&self, selector: &str, part: &str) -> Result<(), Failed> {
        self.reads(selector, part, |seen| seen.contains(part)).await
    }

    /// Waits until there are at least so many.
    pub(crate) async fn count(&self, selector: &str, least: usize) -> Result<(), Failed> {
        let what = format!("{least} of {selector}");
        self.until(&what, || async { Ok(self.window.find_all(selector).await?.len() >= least) }).await
    }

    /// Nothing went wrong that a visitor would not see.
    pub(crate) async fn has_no_complaints(&self) -> Result<(), Failed> {
        match self.window.run("return complaints;").await? {
            Value::Array(complaints) if complaints.is_empty() => Ok(()),
            complaints => Err(format!("the page complains: {complaints}").into()),
        }
    }

    async fn reads(&self, selector: &str, expected: &str, fits: impl Fn(&str) -> bool) -> Result<(), Failed> {
        let look = || async {
            let elements = self.window.find_all(selector).await?;
            match elements.first() {
                Some(element) => Ok(fits(&self.window.text(element).await?)),
                None => Ok(false),
            }
        };
        self.until(&format!("`{expected}` at {selector}"), look).await
    }

    /// Looks until it is so; an element that was replaced while it was looked at is looked for again.
    async fn until<F>(&self, what: &str, look: impl Fn() -> F) -> Result<(), Failed>
    where
        F: Future<Output = Result<bool, DriveError>>,
    {
        let seen = async {
            loop {
                match look().await {
                    Ok(true) => return Ok(()),
                    Err(error) if !error.is_stale() => return Err(Failed::from(error)),
                    Ok(false) | Err(_) => tokio::time::sleep(LOOK_AGAIN).await,
                }
            }
        };
        match tokio::time::timeout(PATIENCE, seen).await {
            Ok(seen) => seen,
            Err(_) => {
                let body = self.window.text(&self.window.find("body").await?).await?;
                Err(format!("not seen within {PATIENCE:?}: {what}. The page says:\n{body}").into())
            }
        }
    }
}
