//! What stands for an exchange's stream: trades over a WebSocket, five a second, each with its running number.

use core::time::Duration;
use futures_util::{SinkExt as _, StreamExt as _};
use std::net::Ipv4Addr;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, accept_async, client_async};

/// Between trades, and before a stream that has ended is opened again.
const PAUSE: Duration = Duration::from_millis(200);
/// Where the exchange is seen to be: what plays it lies in the same process as who uses it, and must not look the same.
pub(super) const EXCHANGE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

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

/// Holds one stream of this port open, as the engine does: what it tells is read and let go. Never ends.
pub(super) async fn hold(port: u16) {
    loop {
        if let Some(mut socket) = open(port).await {
            while let Some(Ok(_)) = socket.next().await {}
        }
        sleep(PAUSE).await;
    }
}

async fn open(port: u16) -> Option<WebSocketStream<TcpStream>> {
    let socket = TcpSocket::new_v4().ok()?;
    socket.bind((EXCHANGE, 0).into()).ok()?;
    let stream = socket.connect((Ipv4Addr::LOCALHOST, port).into()).await.ok()?;
    let (socket, _) = client_async(format!("ws://127.0.0.1:{port}/ws/btcusdt@trade"), stream).await.ok()?;
    Some(socket)
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
