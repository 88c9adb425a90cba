//! `rabbitmq`: queues and nodes of a broker by its management interface; no channel is opened, no message touched.
//! ```toml
//! [samplers.broker]
//! kind = "rabbitmq"
//! url  = "http://127.0.0.1:15672"                     # or http://user@host:15672
//! user = "watch"                                      # with the tag "monitoring"
//! password = { file = "/etc/watchkeeper/rabbitmq" }   # "text", { env = "NAME" } or { file = "/path" }
//! vhost = "/"                                         # one only
//! queues = ["orders", "mail.*"]                       # `*` stands for anything; the 180 with most messages are kept
//! ```
//! Names as its own exporter: `rabbitmq_queue_messages{vhost,queue}` with `_ready`, `_unacked`, `_consumers`, `_process_memory_bytes` and `_{published,delivered,acked,redelivered}_total`;
//! by node `rabbitmq_process_resident_memory_bytes`, `_disk_space_available_bytes` and their limits, `_process_open_fds`, `_alarms_…` (0, 1); `rabbitmq_connections`, `_channels`; `rabbitmq_up{instance}`, 0 when the broker is silent or refuses.

use crate::base::{Body, Clean, Failure, Fault, Now, Observation, Point};
use crate::clean;
use crate::samplers::http::access::Access;
use crate::samplers::http::fetch::{Fetcher, decoded};
use crate::samplers::rabbitmq_json::{self, NODE_COLUMNS, OVERVIEW_COLUMNS, QUEUE_COLUMNS};
use crate::samplers::{Kind, Observed, Sampler, json};
use crate::sys::secret::Given;
use core::time::Duration;
use reqwest::Url;
use serde::Deserialize;
use serde_json::Value;

/// Patterns of queues.
const PATTERNS: usize = 64;

/// The kind.
pub struct Rabbitmq;

impl Kind for Rabbitmq {
    fn name(&self) -> &'static str {
        "rabbitmq"
    }

    fn about(&self) -> &'static str {
        "queues and nodes of a RabbitMQ broker by its management interface"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(5)
    }

    fn build(&self, body: &Body) -> Result<Box<dyn Sampler>, Fault> {
        Ok(Box::new(RabbitmqSampler::new(body)?))
    }

    fn gives(&self, _: &Body) -> Vec<String> {
        ["rabbitmq_".to_owned()].into()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    user: Option<String>,
    vhost: Option<String>,
    #[serde(default)]
    queues: Vec<String>,
}

struct RabbitmqSampler {
    ask: Ask,
    fetcher: Fetcher,
}

/// What to ask for.
struct Ask {
    /// Host and port: the label of every series.
    instance: Clean,
    /// The parts of the path before `api`, and it.
    base: Vec<String>,
    user: Clean,
    vhost: Option<String>,
    /// As the broker's regular expression.
    names: Option<String>,
}

impl RabbitmqSampler {
    fn new(whole: &Body) -> Result<Self, Fault> {
        let mut body = whole.clone();
        let text: String = body.need("url")?;
        let password = Given::take(&mut body, "password")?;
        let config: Config = body.read()?;
        // Checked as every address that is fetched; the address itself is needed to change its path.
        Fetcher::new(whole, &text)?;
        let mut url =
            Url::parse(&text).map_err(|error| whole.fault_at("url", format!("`url` cannot be read: {error}.")))?;
        if let Some(user) = &config.user {
            // Fails only where there is no host, which was checked.
            let _checked = url.set_username(user);
        }
        if password.is_some() && url.password().is_some() {
            return Err(whole.fault_at("password", "`url` holds a password too."));
        }
        if password.is_some() && url.username().is_empty() {
            return Err(whole.fault_at("password", "a `password` without a `user`."));
        }
        if config.queues.len() > PATTERNS {
            return Err(whole.fault_at("queues", format!("`queues` has more than {PATTERNS} patterns.")));
        }
        let mut base: Vec<String> = url.path().split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        if base.last().is_none_or(|last| last != "api") {
            base.push("api".to_owned());
        }
        let host = url.host_str().unwrap_or_default();
        let instance = clean!("{host}:{}", url.port_or_known_default().unwrap_or(0));
        let names = (!config.queues.is_empty()).then(|| pattern(&config.queues));
        let user = config.user.unwrap_or_else(|| decoded(&url, url.username()));
        let access = password.map(|password| Access::basic(&user, password));
        if access.is_some() {
            let _checked = url.set_username("");
        }
        let fetcher = Fetcher::new(whole, url.as_str())?.access(access.unwrap_or_default());
        Ok(Self { ask: Ask { instance, base, user: Clean::text(user), vhost: config.vhost, names }, fetcher })
    }
}

impl Ask {
    fn up(&self, value: f64) -> Point {
        Point::gauge("rabbitmq_up", &[("instance", self.instance.as_str())], value)
    }

    async fn page(&self, fetcher: &mut Fetcher, path: &[&str], query: &[(&str, &str)]) -> Result<Value, Failure> {
        let path: Vec<&str> = self.base.iter().map(String::as_str).chain(path.iter().copied()).collect();
        fetcher.turn_to(&path, query);
        let answer = fetcher.get("application/json").await?;
        json::parse(&answer.body).map_err(|what| fetcher.answered(format!("is {what}")))
    }

    /// All pages, one after the other over one connection.
    async fn pages(&self, fetcher: &mut Fetcher) -> Result<Observation, Failure> {
        let mut out = Observation { points: vec![self.up(1.0)], ..Observation::default() };
        let instance = self.instance.as_str();
        let overview = self.page(fetcher, &["overview"], &[("columns", OVERVIEW_COLUMNS)]).await?;
        rabbitmq_json::overview(&overview, instance, &mut out);
        match self.page(fetcher, &["nodes"], &[("columns", NODE_COLUMNS)]).await {
            Ok(nodes) => rabbitmq_json::nodes(&nodes, instance, &mut out).map_err(|what| fetcher.answered(what))?,
            // A user without the tag "monitoring" still sees its own queues.
            Err(failure) if failure.not_permitted => {
                let why = clean!("the user {} may not see nodes; give it the tag monitoring", self.user);
                rabbitmq_json::nodes_refused(&why, &mut out);
            }
            Err(failure) => return Err(failure),
        }
        let mut query = vec![
            ("columns", QUEUE_COLUMNS),
            ("page", "1"),
            ("page_size", "180"),
            ("sort", "messages"),
            ("sort_reverse", "true"),
        ];
        if let Some(names) = &self.names {
            query.extend([("name", names.as_str()), ("use_regex", "true")]);
        }
        let path: Vec<&str> = ["queues"].into_iter().chain(self.vhost.as_deref()).collect();
        let queues = self.page(fetcher, &path, &query).await?;
        rabbitmq_json::queues(&queues, instance, &mut out).map_err(|what| fetcher.answered(what))?;
        if fetcher.address_is_old() {
            out.facts.push((Clean::from("address"), Clean::from("last known: the name service does not answer")));
        }
        Ok(out)
    }
}

impl Sampler for RabbitmqSampler {
    fn observe(&mut self, _: Now) -> Observed<'_> {
        Box::pin(async { self.ask.pages(&mut self.fetcher).await.map_err(|failure| failure.with(self.unheard())) })
    }

    fn unheard(&self) -> Vec<Point> {
        vec![self.ask.up(0.0)]
    }
}

/// Names with `*` as one regular expression.
fn pattern(names: &[String]) -> String {
    let one = |name: &String| {
        let letters = name.chars().map(|letter| match letter {
            '*' => ".*".to_owned(),
            letter if letter.is_alphanumeric() || matches!(letter, '_' | '-') => letter.to_string(),
            letter => format!("\\{letter}"),
        });
        letters.collect::<String>()
    };
    format!("^(?:{})$", names.iter().map(one).collect::<Vec<_>>().join("|"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_configuration_says_where_and_what() {
        for (config, what) in [
            ("url = \"amqp://x/\"", "p.toml:1:7: `url` begins with amqp://, expected http:// or https://."),
            ("url = \"http://x/\"\npassword = \"y\"", "p.toml:2:12: a `password` without a `user`."),
            ("url = \"http://a:b@x/\"\npassword = \"y\"", "p.toml:2:12: `url` holds a password too."),
            ("url = \"http://x/\"\nqueue = []", "p.toml:2:1: unknown key `queue`. Did you mean `queues`?"),
        ] {
            let body = Body::parse("p.toml", config).expect("parses");
            assert_eq!(RabbitmqSampler::new(&body).err().map(|fault| fault.to_string()).as_deref(), Some(what));
        }
    }

    #[test]
    fn patterns_match_whole_names_only_and_hold_no_expression_of_their_own() {
        assert_eq!(pattern(&["orders".to_owned(), "mail.*".to_owned()]), "^(?:orders|mail\\..*)$");
        assert_eq!(pattern(&["a|b(c".to_owned()]), "^(?:a\\|b\\(c)$");
    }

    #[test]
    fn the_address_may_name_the_api_already() {
        for (url, base) in [("http://x:1", "api"), ("http://x:1/api/", "api"), ("http://x:1/mq", "mq/api")] {
            let body = Body::parse("p.toml", &format!("url = \"{url}\"")).expect("parses");
            let made = RabbitmqSampler::new(&body).map(|made| (made.ask.base.join("/"), made.ask.instance.to_string()));
            assert_eq!(made.ok(), Some((base.to_owned(), "x:1".to_owned())));
        }
    }
}
