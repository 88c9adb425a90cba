//! What sampling costs: `cargo bench --bench samplers`. Figures of shared machines are noisy: quote medians and
//! ratios of one run. Each group is one sampler's work beside the least that could be done with the same bytes.
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a benchmark that cannot be built shall stop")]

use divan::AllocProfiler;

#[global_allocator]
static ALLOC: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

/// A page of metrics: each line found (memchr alone), read for the first time, and read as every time after it.
mod scrape {
    use core::fmt::Write;
    use divan::counter::BytesCount;
    use divan::{Bencher, black_box};
    use watchkeeper::samplers::scrape::again::Reader;
    use watchkeeper::samplers::scrape::text;

    /// More series than a profile can ask for, so that the whole page is read.
    const ALL: usize = 1_000_000;
    /// What a profile can ask for.
    const KEPT: usize = 2_000;

    /// One megabyte as the node exporter writes it: 16 CPUs by mode, disks, interfaces and file systems.
    fn page(round: u64) -> String {
        let mut page = String::with_capacity(1 << 20);
        for metric in 0.. {
            let kind = if metric % 3 == 0 { "gauge" } else { "counter" };
            let name = format!(
                "node_bench_{}_{metric}_total",
                ["cpu_seconds", "disk_io_time_weighted", "network_receive"][metric % 3]
            );
            let head = format!("# HELP {name} Seconds the CPUs spent in each mode.\n# TYPE {name} {kind}\n");
            page.push_str(&head);
            for device in 0..16 {
                for mode in ["idle", "iowait", "irq", "nice", "softirq", "steal", "system", "user"] {
                    let value = (metric * 1_000 + device) as f64 * 1.37 + round as f64;
                    let _infallible = writeln!(page, "{name}{{cpu=\"{device}\",mode=\"{mode}\"}} {value:.2}");
                    if page.len() >= 1 << 20 {
                        return page;
                    }
                }
            }
        }
        page
    }

    #[divan::bench]
    fn memchr_alone(bencher: Bencher<'_, '_>) {
        let page = page(0);
        bencher
            .counter(BytesCount::of_str(&page))
            .bench_local(|| memchr::memchr_iter(b'\n', black_box(page.as_bytes())).count());
    }

    #[divan::bench(args = [KEPT, ALL])]
    fn first_time(bencher: Bencher<'_, '_>, limit: usize) {
        let page = page(0);
        bencher.counter(BytesCount::of_str(&page)).bench_local(|| text::parse(black_box(page.as_bytes()), limit));
    }

    #[divan::bench(args = [KEPT, ALL])]
    fn every_time_after(bencher: Bencher<'_, '_>, limit: usize) {
        let pages = [page(0), page(1)];
        let mut reader = Reader::default();
        reader.read(pages[0].as_bytes(), limit);
        let mut turn = 0;
        bencher.counter(BytesCount::of_str(&pages[1])).bench_local(|| {
            turn = 1 - turn;
            reader.read(black_box(pages[turn].as_bytes()), limit)
        });
    }
}

/// One attempt against a server of this process that answers at once: what it costs both of them.
mod ask {
    use core::net::SocketAddr;
    use divan::Bencher;
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use watchkeeper::base::{Body, Clock};
    use watchkeeper::samplers::kind;
    use watchkeeper::sys::clock::RealClock;

    /// Answers every request with a health page that is a page of metrics too.
    fn serve() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let at = listener.local_addr().expect("bound");
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                std::thread::spawn(move || {
                    let mut heard = [0; 4_096];
                    while stream.read(&mut heard).is_ok_and(|count| count > 0) {
                        let text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nup 1\n";
                        if stream.write_all(text.as_bytes()).is_err() {
                            return;
                        }
                    }
                });
            }
        });
        at
    }

    fn bench(bencher: Bencher<'_, '_>, name: &str, more: &str) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let table = format!("url = \"http://{}/\"\n{more}", serve());
        let body = Body::parse("bench.toml", &table).expect("TOML");
        let mut sampler = kind(name).expect("a kind").build(&body).expect("a valid table");
        bencher.bench_local(|| runtime.block_on(sampler.observe(RealClock.now())).expect("good"));
    }

    #[divan::bench]
    fn http_on_a_kept_connection(bencher: Bencher<'_, '_>) {
        bench(bencher, "http", "");
    }

    #[divan::bench]
    fn http_on_a_fresh_connection(bencher: Bencher<'_, '_>) {
        bench(bencher, "http", "fresh = true");
    }

    #[divan::bench]
    fn scrape_of_one_series(bencher: Bencher<'_, '_>) {
        bench(bencher, "scrape", "");
    }
}
