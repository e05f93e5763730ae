//! RabbitMQ in a container.

use super::Absence;
use std::env;
use std::time::Duration;
use testcontainers::bollard::Docker;
use testcontainers::core::{IntoContainerPort, WaitFor};
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerAsync, GenericImage, ImageExt};

/// Image and tag, as `name:tag`.
const IMAGE: &str = "GATECHECK_RABBITMQ_IMAGE";
/// The official image.
const OFFICIAL: &str = "rabbitmq:4";
/// RabbitMQ prints this last, in the official image and in one made from packages.
const READY: &str = "Starting broker... completed";
const AMQP_PORT: u16 = 5672;
/// How long the broker may take, on a machine that does other things as well.
const START_TIMEOUT: Duration = Duration::from_secs(120);

/// A running container.
#[derive(Debug)]
pub(crate) struct Container {
    container: ContainerAsync<GenericImage>,
    url: String,
}

impl Container {
    /// Starts the image that the environment names.
    pub(crate) async fn start() -> Result<Self, Absence> {
        let reference = env::var(IMAGE).unwrap_or_else(|_| OFFICIAL.into());
        let Some((name, tag)) = reference.rsplit_once(':') else {
            return Err(Absence::Failed(format!("{IMAGE}={reference} names no tag; write name:tag")));
        };
        let docker = Docker::connect_with_defaults().map_err(|error| no_engine(&error))?;
        docker.ping().await.map_err(|error| no_engine(&error))?;
        let image = GenericImage::new(name, tag)
            .with_exposed_port(AMQP_PORT.tcp())
            .with_wait_for(WaitFor::message_on_stdout(READY));
        if docker.inspect_image(&reference).await.is_err() {
            let pulled = image.clone().pull_image().await;
            if let Err(error) = pulled {
                return Err(Absence::Excused(format!(
                    "the image {reference} is not here and cannot be pulled ({error}); {IMAGE} names another"
                )));
            }
        }
        let image = image.with_startup_timeout(START_TIMEOUT);
        let failed = |error| Absence::Failed(format!("the container of {reference} does not start: {error}"));
        let container = image.start().await.map_err(failed)?;
        let port = container.get_host_port_ipv4(AMQP_PORT).await.map_err(failed)?;
        let host = container.get_host().await.map_err(failed)?;
        Ok(Self { url: format!("amqp://guest:guest@{host}:{port}/%2f"), container })
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> String {
        self.url.clone()
    }

    /// Stops and removes it.
    pub(crate) async fn stop(self) {
        if let Err(error) = self.container.rm().await {
            eprintln!("the RabbitMQ container was not removed: {error}");
        }
    }
}

fn no_engine(error: &testcontainers::bollard::errors::Error) -> Absence {
    Absence::Excused(format!("no Docker engine answers ({error})"))
}
