//! The client over real sockets on the loopback.

mod adapter;
mod driver;
mod gateway;
mod listeners;
mod token;
