//! The broker in a test of one's own, with lapin.

use embedded_broker::{Broker, BrokerConfig};
use lapin::{Channel, Connection, ConnectionProperties};

/// What was confirmed before an outage is there after it.
#[tokio::test]
async fn a_job_survives_an_outage() -> Result<(), Box<dyn std::error::Error>> {
    let broker = Broker::start(BrokerConfig::default()).await?;
    let (_connection, channel) = dial(&broker).await?;
    channel.queue_declare("work".into(), Default::default(), Default::default()).await?;
    channel.confirm_select(Default::default()).await?;
    let job = b"a job";
    channel
        .basic_publish("".into(), "work".into(), Default::default(), job, Default::default())
        .await?
        .await?;
    broker.drop_connections().await?;
    let (_connection, channel) = dial(&broker).await?;
    let found = channel.basic_get("work".into(), Default::default()).await?.expect("a job");
    assert_eq!((&found.data[..], broker.snapshot().await?.queues["work"].unacked), (&job[..], 1));
    Ok(())
}

async fn dial(broker: &Broker) -> lapin::Result<(Connection, Channel)> {
    let connection = Connection::connect(&broker.url(), ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    Ok((connection, channel))
}
