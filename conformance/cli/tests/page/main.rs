//! The gateway's live page, and the report on a run, in a real browser: Chromium without a screen, driven through WebDriver.
//!
//! Trials are *ignored* where `chromium` or `chromedriver` is not on the path, and fail there when `GATECHECK_REQUIRE` names
//! `chromium`. Pictures of the page go to the folder that `GATECHECK_SCREENSHOTS` names, or to cargo's for tests.

mod browser;
mod gateway;
mod load;
mod report;
mod visit;
mod webdriver;

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::{env, fs};

use browser::{Absence, Browser};
use gateway::{DemoProcess, Gateway};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use serde_json::json;
use tokio::runtime::Runtime;
use visit::Visit;
use webdriver::Window;

fn main() {
    let arguments = Arguments::from_args();
    let runtime = Arc::new(Runtime::new().expect("a runtime"));
    let trials = vec![
        trial(&runtime, "a_customer_watches_and_comes_back", a_customer_watches_and_comes_back),
        trial(&runtime, "a_bad_token_is_told", a_bad_token_is_told),
        trial(&runtime, "the_demo_shows_itself", the_demo_shows_itself),
        trial(&runtime, "the_report_can_be_read", report::the_report_can_be_read),
        trial(&runtime, "the_load_pages_can_be_read", load::the_load_pages_can_be_read),
    ];
    libtest_mimic::run(&arguments, trials).exit();
}

/// A trial with a browser of its own.
fn trial<F, Fut>(runtime: &Arc<Runtime>, name: &str, body: F) -> Trial
where
    F: FnOnce(Window) -> Fut + Send + 'static,
    Fut: Future<Output = Result<(), Failed>>,
{
    let runtime = Arc::clone(runtime);
    Trial::ignorable_test(name, move || {
        runtime.block_on(async {
            let browser = match Browser::start().await {
                Ok(browser) => browser,
                Err(Absence::Excused(reason)) => return Ok(Completion::ignored_with(reason)),
                Err(Absence::Failed(reason)) => return Err(reason.into()),
            };
            let outcome = body(browser.window()).await;
            browser.close().await;
            outcome.map(|()| Completion::Completed)
        })
    })
}

/// Signed in by name, a customer subscribes, publishes and sees; is refused what is not theirs; and is served again, all
/// subscriptions renewed, when the gateway has been away.
async fn a_customer_watches_and_comes_back(window: Window) -> Result<(), Failed> {
    let mut gateway = Gateway::start().await?;
    let page = Visit::open(&window, &gateway.page()).await?;
    page.fill("#name", "carl").await?;
    page.choose("#role", "CUSTOMER").await?;
    page.press("#by-name button").await?;
    page.status("connected").await?;
    page.text("#user", "carl").await?;
    page.text("#rooms", "broadcast\nuser:carl\nrole:customer").await?;

    page.fill("#target", "catalog:changed").await?;
    page.press("#subscribe button").await?;
    page.text("#answers li:first-child", "subscribed catalog:changed").await?;
    page.fill("#target", "user:ada").await?;
    page.press("#subscribe button").await?;
    page.text("#answers li:first-child", "forbidden user:ada that room is not yours").await?;
    page.text("#subscribed", "catalog:changed\n×").await?;

    let event = json!({ "item": "tea <b>&amp;</b>", "price": 4.5, "tags": ["new", null] });
    page.publish("catalog:changed", &event.to_string()).await?;
    page.text("#published", "published catalog:changed").await?;
    page.text("#events li:first-child strong", "catalog:changed").await?;
    let shown = r#"{ item: "tea <b>&amp;</b>", price: 4.5, tags: ["new", null] }"#;
    page.text("#events li:first-child code", shown).await?;
    page.publish("profile:updated", r#"{"userId":"ada"}"#).await?;
    page.publish("payment:created", r#"{"userId":"carl","amount":1}"#).await?;
    page.text("#events li.mine:first-child strong", "payment:created").await?;
    page.text("#count", "2").await?;
    page.publish("catalog:changed", "no JSON").await?;
    page.text("#published", "the data is not JSON").await?;

    gateway.kill().await;
    page.status("reconnecting").await?;
    gateway.start_again().await?;
    page.status("connected").await?;
    page.text("#answers li:first-child", "subscribed catalog:changed").await?;
    page.publish("catalog:changed", r#"{"item":"coffee"}"#).await?;
    page.text("#events li:first-child code", r#"{ item: "coffee" }"#).await?;

    page.press("#subscribed button").await?;
    page.text("#answers li:first-child", "unsubscribed catalog:changed").await?;
    page.press("#toggle").await?;
    page.status("disconnected").await?;
    page.press("#leave").await?;
    page.text("#door-title", "SIGN IN").await?;
    page.has_no_complaints().await?;
    gateway.stop().await;
    Ok(())
}

/// A refused token does not sign in. A browser does not expose the reason, so the page names the token as a possible cause.
async fn a_bad_token_is_told(window: Window) -> Result<(), Failed> {
    let gateway = Gateway::start().await?;
    let page = Visit::open(&window, &gateway.page()).await?;
    page.fill("#token", "not.a.token").await?;
    page.press("#by-token button").await?;
    page.status("reconnecting").await?;
    page.text_with("#status", "is the token still good?").await?;
    gateway.stop().await;
    Ok(())
}

/// The address that `gatecheck demo` prints signs in by itself, takes its token off the address bar, and shows payments.
async fn the_demo_shows_itself(window: Window) -> Result<(), Failed> {
    let demo = DemoProcess::start(&["--rate", "8", "--seed", "3"]).await?;
    let page = Visit::open(&window, &demo.address).await?;
    page.resize(1200, 800).await?;
    page.status("connected").await?;
    let at = window.address().await?;
    if at.contains('#') {
        return Err(format!("the token is still in the address bar: {at}").into());
    }
    page.text("#user", "ada").await?;
    page.press("#subscribe button").await?;
    page.text("#answers li:first-child", "subscribed catalog:changed").await?;
    page.fill("#target", "user:carl").await?;
    page.press("#subscribe button").await?;
    page.text_with("#answers li:first-child", "forbidden user:carl").await?;
    page.publish("catalog:changed", r#"{"item": "tea", "price": 4.5}"#).await?;
    page.text("#published", "published catalog:changed").await?;
    page.count("#events li", 24).await?;
    page.count("#events li[data-type='payment:completed']", 1).await?;
    let folder = env::var_os("GATECHECK_SCREENSHOTS")
        .map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")), PathBuf::from);
    let picture = window.picture().await?;
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("live-page.png"), picture)?;
    page.has_no_complaints().await?;
    demo.stop().await
}
