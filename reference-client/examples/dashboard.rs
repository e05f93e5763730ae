//! An administrator's dashboard in the terminal: the last twenty activities, how the connection stands, and how long it is
//! until the next attempt where it was lost.
//!
//! ```sh
//! cargo run --release --bin gatecheck -- demo    # prints the line below with its address and token
//! NX_WS_URL=ws://… GATECHECK_TOKEN=… cargo run -p reference-client --example dashboard
//! ```
//! `q` or Ctrl-C ends it.

use std::error::Error;
use std::time::Duration;

use ratatui::DefaultTerminal;
use ratatui::Frame;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyModifiers};
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Padding, Paragraph, Row, Table};
use reference_client::hooks::{Activity, DashboardUpdates};
use reference_client::{Client, ClientConfig, Provider, Redial, Status, TcpDial, system_clock};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// How often the countdown moves on.
const TICK: Duration = Duration::from_millis(100);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let token = std::env::var("GATECHECK_TOKEN").map_err(|_| "GATECHECK_TOKEN holds no token")?;
    let config = ClientConfig::new(&reference_client::gateway_url(), token)?;
    let url = config.url.to_string();
    let provider = Provider::signed_in(Client::start(config, TcpDial, system_clock()), true).await?;
    let dashboard = DashboardUpdates::mount(&provider, system_clock()).await?;

    let mut terminal = ratatui::try_init()?;
    let outcome = run(&mut terminal, &url, &provider, &dashboard).await;
    ratatui::restore();
    outcome
}

async fn run(
    terminal: &mut DefaultTerminal,
    url: &str,
    provider: &Provider,
    dashboard: &DashboardUpdates,
) -> Result<(), Box<dyn Error>> {
    let mut statuses = provider.watch_status();
    let mut redials = provider.client().watch_redial();
    let mut recent = dashboard.watch();
    let mut keys = keys();
    let mut ticks = tokio::time::interval(TICK);
    loop {
        let screen = Screen {
            url,
            status: provider.status(),
            redial: *redials.borrow_and_update(),
            activities: &dashboard.recent(),
        };
        terminal.draw(|frame| screen.draw(frame))?;
        tokio::select! {
            key = keys.recv() => match key {
                Some(Event::Key(key)) if is_end(&key) => return Ok(()),
                Some(_) => {}
                None => return Ok(()),
            },
            changed = statuses.changed() => changed?,
            changed = redials.changed() => changed?,
            changed = recent.changed() => changed?,
            _ = ticks.tick(), if screen.redial.is_some() => {}
        }
    }
}

fn is_end(key: &event::KeyEvent) -> bool {
    let interrupted = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
    interrupted || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc)
}

/// What is typed. Reading blocks, so it has a thread, which ends with the program.
fn keys() -> mpsc::Receiver<Event> {
    let (typed, keys) = mpsc::channel(16);
    std::thread::spawn(move || {
        while let Ok(event) = event::read() {
            if typed.blocking_send(event).is_err() {
                return;
            }
        }
    });
    keys
}

/// One picture of it.
struct Screen<'a> {
    url: &'a str,
    status: Status,
    redial: Option<Redial>,
    activities: &'a [Activity],
}

impl Screen<'_> {
    fn draw(&self, frame: &mut Frame<'_>) {
        let areas = Layout::vertical([Constraint::Length(3), Constraint::Min(3), Constraint::Length(1)]);
        let [top, middle, bottom] = areas.areas(frame.area());
        self.draw_status(frame, top);
        self.draw_activities(frame, middle);
        frame.render_widget(Line::from(" q  quit").dim(), bottom);
    }

    #[expect(clippy::disallowed_methods, reason = "a countdown runs in real time")]
    fn draw_status(&self, frame: &mut Frame<'_>, area: Rect) {
        let colour = match self.status {
            Status::Connected => Color::Green,
            Status::Connecting | Status::Reconnecting => Color::Yellow,
            Status::Disconnected | Status::Error => Color::Red,
        };
        let mut line = vec![Span::styled(format!("● {}", self.status), Style::new().fg(colour).bold())];
        if let Some(redial) = self.redial {
            let left = redial.at.saturating_duration_since(Instant::now());
            line.push(format!("   attempt {} in {:.1} s", redial.attempt, left.as_secs_f64()).into());
        }
        let block = Block::bordered()
            .title(" payments ".bold())
            .title_bottom(format!(" {} ", self.url))
            .padding(Padding::horizontal(1));
        frame.render_widget(Paragraph::new(Line::from(line)).block(block), area);
    }

    fn draw_activities(&self, frame: &mut Frame<'_>, area: Rect) {
        let rows = self.activities.iter().map(|activity| {
            let time = activity.at.to_string();
            let time = time.get(11..19).unwrap_or_default().to_owned();
            let colour = match activity.kind.as_str() {
                "payment:completed" => Color::Green,
                "payment:failed" => Color::Red,
                "payment:updated" => Color::Yellow,
                _ => Color::Cyan,
            };
            let kind = activity.kind.trim_start_matches("payment:").to_owned();
            let amount = format!("{} {}", text(&activity.data["amount"]), text(&activity.data["currency"]));
            let note = [&activity.data["method"], &activity.data["reason"]].map(text).join(" ");
            Row::new([
                Span::from(time).dim(),
                Span::from(kind).fg(colour),
                text(&activity.data["id"]).into(),
                text(&activity.data["userId"]).into(),
                format!("{amount:>12}").into(),
                Span::from(note).dim(),
            ])
        });
        let [time, payment, id, payer, amount] = [8, 10, 8, 6, 12].map(Constraint::Length);
        let widths = [time, payment, id, payer, amount, Constraint::Min(16)];
        let header = Row::new(["time", "payment", "id", "payer", "      amount", ""]).bold();
        let title = format!(" last {} activities ", self.activities.len());
        let block = Block::bordered().title(title).padding(Padding::horizontal(1));
        frame.render_widget(Table::new(rows, widths).header(header).column_spacing(2).block(block), area);
    }
}

/// A JSON value as a person writes it.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
