//! One HTTP request with every cap of the house: for `http`, `scrape`, brokers, engines and the webhook.

pub(crate) mod access;
pub(crate) mod fault;
pub(crate) mod fetch;
pub(crate) mod local;
pub(crate) mod pause;
pub(crate) mod phases;
pub(crate) mod tls;
pub(crate) mod transport;
