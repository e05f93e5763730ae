//! The client over real sockets on the loopback.

mod adapter;
mod cli;
mod congestion;
mod driver;
mod gateway;
mod listeners;
mod proxy;
mod secrets;
mod tls;
mod token;
