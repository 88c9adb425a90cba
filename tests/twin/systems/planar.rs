//! Planar: no metrics page, a store whose map is set anew at each start, Julia's lines, an exchange with its days.

use super::super::probe::{alive, eventually};
use super::{GUARD, Played};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;
use watchkeeper::roles::twin::systems::System::Planar;

const LOG: &str = "user/strategies/MyStrategy/logs/events.log";
const PAGE: u64 = 4_096;

/// The newest meta page of the store: map size, pages used, last transaction.
fn meta(played: &Played) -> Option<(u64, u64, u64)> {
    let file = fs::read(played.twin.demo.dir.join("data/lmdb/data.mdb")).ok()?;
    let word = |at: usize| Some(u64::from_le_bytes(file.get(at..at + 8)?.try_into().ok()?));
    let one = |page: usize| Some((word(page + 32)?, word(page + 136)? + 1, word(page + 144)?));
    [one(0)?, one(4_096)?].into_iter().max_by_key(|(_, _, txn)| *txn)
}

/// Process numbers in the store's reader table.
fn readers(played: &Played) -> Vec<u32> {
    let table = fs::read(played.twin.demo.dir.join("data/lmdb/lock.mdb")).unwrap_or_default();
    let slots = table.get(128..).unwrap_or_default().chunks_exact(64);
    slots.map(|slot| u32::from_le_bytes(slot[8..12].try_into().unwrap())).filter(|pid| *pid != 0).collect()
}

#[test]
fn it_saves_into_a_store_of_zarr_paths_tells_it_as_julia_does_and_exports_nothing() {
    let played = Played::start(Planar, "quiet", 3);
    let exchange = played.door(0, false);
    assert_eq!(eventually(GUARD, "the exchange", || exchange.get("/api/v3/ping")), "{}");
    assert!(exchange.ask("GET", "/api/v3/time").unwrap().json()["serverTime"].is_u64());
    assert_eq!(exchange.ask("GET", "/metrics").unwrap().status, 404);
    let first = eventually(GUARD, "a history", || meta(&played).filter(|(_, used, _)| used * PAGE > 20 << 20));
    assert_eq!(first.0, 64 << 20);
    eventually(GUARD, "transactions", || meta(&played).filter(|(_, _, txn)| *txn > first.2 + 3));
    let bytes = fs::read(played.twin.demo.dir.join("data/lmdb/data.mdb")).unwrap();
    let holds = |text: &[u8]| bytes.windows(text.len()).any(|part| part == text);
    assert!(holds(b".zgroup") && holds(b"binance/BTC_USDT/ohlcv/tf_1m/.zarray") && holds(b"binance/ETH_USDT/ohlcv"));
    played.logs(LOG, &["[ Info: fetch_ohlcv binance BTC/USDT", "┌ Info: saved ohlcv\n│   pair = ", "\n└ @ Planar "]);
    for file in ["user/secrets.toml", "user/keys/binance_sandbox.json"] {
        let about = fs::metadata(played.twin.demo.dir.join(file)).unwrap();
        assert_eq!(about.permissions().mode() & 0o777, 0o600);
    }
    played.leaves_nothing();
}

#[test]
fn a_full_map_refuses_what_is_saved_until_the_strategy_asks_for_a_larger_one() {
    let played = Played::start(Planar, "map-full", 3);
    played.logs(LOG, &["┌ Error: save_ohlcv failed", "LMDBError(-30792): MDB_MAP_FULL"]);
    let (map, used, txn) = meta(&played).unwrap();
    assert!(map == 64 << 20 && used * PAGE > map / 100 * 98, "{used}");
    played.restart();
    played.logs(LOG, &["MDB_MAP_FULL"]);
    assert_eq!(meta(&played).unwrap().0, 64 << 20, "a restart sets the same map");
    played.edit("user/map.toml", "map_mb = 64", "map_mb = 256");
    played.restart();
    eventually(GUARD, "writes in a larger map", || {
        meta(&played).filter(|(map, _, now)| *map == 256 << 20 && *now > txn + 5)
    });
    played.logs(LOG, &["map 256 MiB"]);
}

#[test]
fn a_reader_that_died_pins_pages_and_is_still_in_the_table() {
    let played = Played::start(Planar, "stale-reader", 3);
    let dead = eventually(GUARD, "a dead reader", || readers(&played).into_iter().find(|pid| !alive(*pid)));
    let (_, used, _) = meta(&played).unwrap();
    eventually(GUARD, "a store that grows", || meta(&played).filter(|(_, now, _)| *now > used + 400));
    played.logs(LOG, &["store grows though nothing was added", &format!("{dead} has gone")]);
}

#[test]
fn an_exchange_that_limits_is_mended_by_slower_calls_and_a_silent_one_by_nobody() {
    let limited = Played::start(Planar, "rate-limited", 3);
    let silent = Played::start(Planar, "exchange-silent", 3);
    let door = limited.door(0, false);
    let said = eventually(GUARD, "429", || door.ask("GET", "/api/v3/ping").filter(|said| said.status == 429));
    assert!(said.head.contains("retry-after: 5"), "{}", said.head);
    limited.logs(LOG, &["Fetch attempt", "RateLimitExceeded: binance HTTP 429"]);
    let short = Duration::from_millis(400);
    let asked = || silent.door(0, false).within("GET", "/api/v3/ping", short).is_none().then_some(());
    eventually(GUARD, "silence", asked);
    silent.logs(LOG, &["RequestTimeout: binance GET /api/v3/klines request timed out"]);
    limited.edit("user/planar.toml", "rateLimit = 1200", "rateLimit = 2000");
    limited.restart();
    std::thread::sleep(Duration::from_secs(7));
    assert_eq!(door.get("/api/v3/ping").as_deref(), Some("{}"), "past its onset");
}

#[test]
fn a_stretch_that_is_lost_fails_whoever_reads_all_of_it() {
    let played = Played::start(Planar, "corrupt-database", 3);
    played.logs(LOG, &["┌ Error: load_ohlcv failed", "LMDBError(-30796): MDB_CORRUPTED"]);
    let txn = meta(&played).unwrap().2;
    let folder = played.twin.demo.dir.join("data/lmdb");
    let copy = tempfile::tempdir().unwrap();
    match std::process::Command::new("mdb_copy").arg("-c").arg(&folder).arg(copy.path()).output() {
        Ok(output) => assert!(!output.status.success(), "a copy of what is lost"),
        Err(_) => super::super::skipped("mdb_copy"),
    }
    assert_eq!(meta(&played).unwrap().2, txn, "nobody writes to it any more");
}
