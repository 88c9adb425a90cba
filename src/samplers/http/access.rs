//! How a source wants to be asked: login, headers, TLS. One part of a table, the same for every kind that speaks HTTP.

use crate::base::scrub::is_secret_name;
use crate::base::{Body, Clean, Fault};
use crate::samplers::http::tls::{self, Tls};
use crate::sys::secret::{Given, Kept, Secret};
use reqwest::RequestBuilder;
use reqwest::header::{HeaderName, HeaderValue};

/// Headers that the connection makes itself.
const OURS: [&str; 3] = ["connection", "content-length", "transfer-encoding"];
/// The keys of a login.
const LOGIN: [&str; 3] = ["bearer", "basic", "headers"];

/// What the profile gives; no secret is read yet. Not `Debug`: it may hold some.
#[derive(Clone, Default)]
pub(crate) struct Access {
    bearer: Option<Given>,
    basic: Option<(String, Given)>,
    headers: Vec<(HeaderName, Given)>,
    /// Secrets were taken out: see [`Access::in_the_open`].
    pub(crate) withheld: bool,
    pub(crate) tls: Tls,
}

/// The secrets, read. Not `Debug`.
#[derive(Clone, Default)]
pub(crate) struct Login {
    bearer: Option<Secret>,
    basic: Option<(String, Secret)>,
    headers: Vec<(HeaderName, Secret)>,
}

impl Access {
    /// Takes its keys out of a table; reads no file.
    pub(crate) fn take(body: &mut Body) -> Result<Self, Fault> {
        let table = body.clone();
        let bearer = Given::take(body, "bearer")?;
        let basic = body.take_table("basic")?.map(|mut row| {
            let user = row.need("user")?;
            let password =
                Given::take(&mut row, "password")?.ok_or_else(|| row.fault("`password` is missing here."))?;
            row.done(&["user", "password"]).map(|()| (user, password))
        });
        let basic = basic.transpose()?;
        if bearer.is_some() && basic.is_some() {
            return Err(table.fault_at("bearer", "`bearer` and `basic` are two logins, only one can be sent."));
        }
        let mut headers = Vec::new();
        if let Some(mut rows) = body.take_table("headers")? {
            for key in rows.keys() {
                let name = HeaderName::from_bytes(key.as_bytes()).ok().filter(|name| !OURS.contains(&name.as_str()));
                let name = name.ok_or_else(|| rows.fault_at(&key, format!("`{key}` cannot be a header here.")))?;
                headers.extend(Given::take(&mut rows, &key)?.map(|given| (name, given)));
            }
        }
        Ok(Self { bearer, basic, headers, withheld: false, tls: Tls::take(body)? })
    }

    /// The same without its secrets, for a way that everybody can read along.
    pub(crate) fn in_the_open(mut self) -> Self {
        let secrets = self.bearer.is_some() || self.basic.is_some();
        (self.bearer, self.basic) = (None, None);
        let all = self.headers.len();
        self.headers.retain(|(name, given)| matches!(given, Given::Text(_)) && !is_secret_name(name.as_str()));
        self.withheld = secrets || self.headers.len() < all;
        self
    }

    /// Checks that nothing but the keys in `own` is left of a table: a slip of the finger in any key gets the nearest
    /// of all.
    pub(crate) fn done(body: &Body, own: &[&str]) -> Result<(), Fault> {
        let known: Vec<&str> = own.iter().chain(&LOGIN).chain(tls::KEYS).copied().collect();
        let mut rest = body.clone();
        for key in own {
            rest.take::<serde::de::IgnoredAny>(key)?;
        }
        rest.done(&known)
    }

    /// A user and a password.
    pub(crate) fn basic(user: &str, password: Given) -> Self {
        Self { basic: Some((user.to_owned(), password)), ..Self::default() }
    }

    /// The user of the login.
    pub(crate) fn user(&self) -> Option<&str> {
        self.basic.as_ref().map(|(user, _)| user.as_str())
    }

    /// True when the profile gives any login.
    pub(crate) fn has_login(&self) -> bool {
        self.bearer.is_some() || self.basic.is_some() || !self.headers.is_empty()
    }

    /// True when a part of it is in a file, and may be another one by now.
    pub(crate) fn may_change(&self) -> bool {
        let passwords = self.basic.iter().map(|(_, given)| given);
        let all = self.bearer.iter().chain(passwords).chain(self.headers.iter().map(|(_, given)| given));
        all.into_iter().any(|given| matches!(given, Given::Kept(Kept::File(_))))
    }

    /// Reads the secrets. Does file I/O: on a thread for that.
    pub(crate) fn login(&self) -> Result<Login, Fault> {
        // What is sent as a login is a secret, even when it stands in the profile.
        let read = Given::secret;
        let bearer = self.bearer.as_ref().map(read).transpose()?;
        let basic = self.basic.as_ref().map(|(user, given)| read(given).map(|password| (user.clone(), password)));
        let headers = self.headers.iter().map(|(name, given)| read(given).map(|value| (name.clone(), value)));
        let login = Login { bearer, basic: basic.transpose()?, headers: headers.collect::<Result<_, _>>()? };
        let bearer = login.bearer.iter().map(|secret| ("bearer", secret));
        for (name, secret) in bearer.chain(login.headers.iter().map(|(name, secret)| (name.as_str(), secret))) {
            if HeaderValue::from_str(secret.reveal()).is_err() {
                let name = Clean::text(name);
                return Err(Fault::new(format!("the value of `{name}` holds what no header can: a line break?")));
            }
        }
        Ok(login)
    }
}

impl Login {
    /// The request with this login.
    pub(crate) fn on(&self, mut request: RequestBuilder) -> RequestBuilder {
        if let Some(token) = &self.bearer {
            request = request.bearer_auth(token.reveal());
        }
        if let Some((user, password)) = &self.basic {
            request = request.basic_auth(user, Some(password.reveal()));
        }
        for (name, value) in &self.headers {
            if let Ok(mut value) = HeaderValue::from_str(value.reveal()) {
                value.set_sensitive(true);
                request = request.header(name, value);
            }
        }
        request
    }

    /// True when it is the same login.
    pub(crate) fn is(&self, other: &Self) -> bool {
        let all = |login: &Self| {
            let passwords = login.basic.iter().map(|(_, secret)| secret.clone());
            let headers = login.headers.iter().map(|(_, secret)| secret.clone());
            login.bearer.iter().cloned().chain(passwords).chain(headers).collect::<Vec<_>>()
        };
        all(self).iter().map(Secret::reveal).eq(all(other).iter().map(Secret::reveal))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;

    fn fault(config: &str) -> String {
        let mut body = Body::parse("p.toml", config).expect("parses");
        let taken = Access::take(&mut body).and_then(|_| Access::done(&body, &["url"]));
        taken.err().map(|fault| fault.to_string()).unwrap_or_default()
    }

    #[test]
    fn what_cannot_be_asked_with_is_placed_and_explained() {
        for (config, expected) in [
            ("url = \"x\"\nbearer = { file = \"/run/key\" }\nca = \"/etc/ca.pem\"\ninsecure = false", ""),
            (
                "bearer = 5",
                "p.toml:1:10: `bearer` is neither a text nor a place of one. Write \"…\", { env = \"NAME\" } or { file = \"/path\" }.",
            ),
            ("bearrer = \"x\"", "p.toml:1:1: unknown key `bearrer`. Did you mean `bearer`?"),
            ("urk = \"x\"", "p.toml:1:1: unknown key `urk`. Did you mean `url`?"),
            ("basic = { user = \"u\" }", "p.toml:1:9: `password` is missing here."),
            (
                "bearer = \"a\"\nbasic = { user = \"u\", password = \"p\" }",
                "p.toml:1:10: `bearer` and `basic` are two logins, only one can be sent.",
            ),
            ("headers = { \"a b\" = \"c\" }", "p.toml:1:21: `a b` cannot be a header here."),
            ("headers = { Content-Length = \"3\" }", "p.toml:1:30: `Content-Length` cannot be a header here."),
            ("cert = \"/a\"", "p.toml:1:8: `cert` needs its `key`."),
            ("key = \"/a\"", "p.toml:1:7: `key` needs its `cert`."),
            ("server_name = \"a b\"", "p.toml:1:15: `server_name` is no name of a host."),
        ] {
            assert_eq!(fault(config), expected, "{config}");
        }
    }

    #[test]
    fn a_login_is_read_anew_and_compared() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("key");
        let put = |text: &str| {
            drop(std::fs::remove_file(&path));
            let mut file = std::fs::OpenOptions::new();
            let mut file = file.write(true).create_new(true).mode(0o600).open(&path).expect("a new file");
            file.write_all(text.as_bytes()).expect("room");
        };
        put("first-token-of-two");
        let mut body = Body::parse("p.toml", &format!("bearer = {{ file = \"{}\" }}", path.display())).expect("parses");
        let access = Access::take(&mut body).expect("valid");
        let read = || access.login().unwrap_or_else(|fault| panic!("{fault}"));
        let first = read();
        assert!(access.may_change() && access.has_login() && first.is(&read()));
        put("other-token-of-two");
        assert!(!first.is(&read()));
        let broken = "bearer = \"two\\nlines-of-a-token\"";
        let access = Access::take(&mut Body::parse("p.toml", broken).expect("parses")).expect("valid");
        let said = access.login().err().expect("no header").to_string();
        assert_eq!(said, "the value of `bearer` holds what no header can: a line break?");
    }
}
