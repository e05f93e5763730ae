//! A gateway in a test of one's own: the reference server, a new one for each case, and a line of `cargo test` for each.

use std::process::ExitCode;

use conformance::Suite;
use conformance::in_process::{GatewayStart, SubjectError};
use gatecheck_libtest::Libtest;
use protocol::format_duration;
use reference_client::system_clock;
use reference_server::broker::RabbitMq;
use reference_server::config::Settings;
use reference_server::{Server, TcpListen};
use serde_json::{from_value, json};
use tokio::net::TcpListener;

fn main() -> ExitCode {
    Suite::gateway(serve).filter("gateway/auth/**").libtest()
}

async fn serve(start: GatewayStart) -> Result<(), SubjectError> {
    let settings = json!({
        "listen": start.listen.to_string(), "jwt_secret": start.jwt_secret, "amqp_url": start.amqp_url,
        "ping_interval": format_duration(start.timing.ping_interval),
        "pong_timeout": format_duration(start.timing.pong_timeout),
        "connect_timeout": format_duration(start.timing.connect_timeout), "shards": 1,
    });
    let config = from_value::<Settings>(settings)?.check()?;
    let listener = TcpListen(TcpListener::bind(start.listen).await?);
    let broker = RabbitMq::new(config.rabbitmq.clone().ok_or("there is no broker")?, 1);
    Ok(Server::new(config, listener, broker, system_clock()).run(start.shutdown()).await?)
}
