//! What stands for an exchange's stream: trades over a WebSocket, five a second, each with its running number.

use core::time::Duration;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_tungstenite::accept_async;
use tokio_tungstenite::tungstenite::Message;

/// Between trades.
const PAUSE: Duration = Duration::from_millis(200);

/// Serves for ever; its connections end with it. Must run on a `LocalSet`.
pub(super) async fn serve(listener: TcpListener) {
    let mut talks = JoinSet::new();
    loop {
        while talks.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => drop(talks.spawn_local(trades(stream))),
            Err(_) => sleep(PAUSE).await,
        }
    }
}

/// Until the other side goes; its pings are answered on the way.
async fn trades(stream: TcpStream) {
    let Ok(mut socket) = accept_async(stream).await else { return };
    let mut number = 0_u64;
    loop {
        tokio::select! {
            message = socket.next() => match message {
                Some(Ok(_)) => {}
                _ => return,
            },
            () = sleep(PAUSE) => {
                number = number.wrapping_add(1);
                let trade = format!(r#"{{"e":"trade","s":"BTCUSDT","t":{number},"p":"45{:03}.10","q":"0.012"}}"#, number % 1_000);
                if socket.send(Message::text(trade)).await.is_err() {
                    return;
                }
            }
        }
    }
}
