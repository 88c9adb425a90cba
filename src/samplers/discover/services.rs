//! Services that are known by the name of their process. Pure.

use super::found::Keep;
use core::net::SocketAddr;

/// One that is known.
#[derive(Debug)]
pub(super) struct Service {
    /// As the kernel has it: at most 15 letters.
    process: &'static str,
    /// `None` where no kind of sampler speaks to it.
    watch: Option<Watch>,
}

/// How it is watched.
#[derive(Debug)]
struct Watch {
    kind: &'static str,
    /// What stands around the address in its URL.
    around: [&'static str; 2],
    /// Who may look, where nobody may without a login.
    login: Option<Login>,
    /// What is to be adjusted.
    why: &'static str,
}

/// The keys of a login beyond its URL.
#[derive(Debug)]
struct Login {
    user: Option<&'static str>,
    /// Variable of the environment that holds the password.
    password: &'static str,
}

/// They do not speak HTTP or log what they do not understand: none is ever asked for metrics.
const SERVICES: &[Service] = &[
    Service { process: "redis-server", watch: Some(REDIS) },
    Service { process: "valkey-server", watch: Some(REDIS) },
    Service { process: "postgres", watch: Some(POSTGRES) },
    Service { process: "sshd", watch: None },
    Service { process: "mysqld", watch: None },
    Service { process: "mariadbd", watch: None },
    Service { process: "mongod", watch: None },
    Service { process: "memcached", watch: None },
    // Postfix and Exim.
    Service { process: "master", watch: None },
    Service { process: "exim4", watch: None },
    Service { process: "epmd", watch: None },
];
const REDIS: Watch = Watch {
    kind: "redis",
    around: ["redis://", ""],
    login: None,
    why: "Name queues by `lists` and `streams`; a login by `user` and `password`",
};
const POSTGRES: Watch = Watch {
    kind: "postgres",
    around: ["postgres://watch@", "/postgres"],
    login: Some(Login { user: None, password: "PGPASSWORD" }),
    why: "It needs a login: name yours and its database in the URL, and put its password into the environment",
};
const RABBITMQ: Watch = Watch {
    kind: "rabbitmq",
    around: ["http://", ""],
    login: Some(Login { user: Some("watch"), password: "RABBITMQ_PASSWORD" }),
    why: "It needs a login with the tag \"monitoring\": name it, and put its password into the environment",
};
/// The management port of RabbitMQ; its process is the one of any Erlang program.
const MANAGEMENT: (&str, u16) = ("beam.smp", 15_672);

/// The service that a process of this name is.
pub(super) fn service(process: &str) -> Option<&'static Service> {
    SERVICES.iter().find(|service| service.process == process)
}

/// The table that would watch what such a process serves there.
pub(super) fn keep(process: &str, at: SocketAddr) -> Option<Keep> {
    let watch = match service(process) {
        Some(service) => service.watch.as_ref()?,
        None if (process, at.port()) == MANAGEMENT => &RABBITMQ,
        None => return None,
    };
    let [before, behind] = watch.around;
    let keep = Keep::text(watch.kind, "url", &format!("{before}{at}{behind}"))?;
    let Some(Login { user, password }) = &watch.login else { return Some(keep.adjust(watch.why)) };
    let keep = user.map_or(keep.clone(), |user| keep.and("user", &format!("\"{user}\"")));
    Some(keep.and("password", &format!("{{ env = \"{password}\" }}")).possible(watch.why))
}
