//! Our own log: tracing into tui-logger's buffer, without its thread (100 wake-ups a second).

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Collects events from now on; the loop moves them before it draws.
pub fn start() {
    tui_logger::set_default_level(tui_logger::LevelFilter::Info);
    // A second console in one process, as in tests, keeps the first one's log.
    let _already = tracing_subscriber::registry().with(tui_logger::TuiTracingSubscriberLayer).try_init();
}
