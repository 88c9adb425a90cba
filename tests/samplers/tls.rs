//! `https`: certificates of known dates, made by openssl, and a server that shows them.

use crate::login::put_secret;
use crate::peer::skip;
use crate::server::{Server, serve_heads, whole};
use crate::{find, observe, sampler, value};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

const CONFIG: &str = "[ca]
default_ca = d
[d]
database = db
serial = serial
new_certs_dir = .
default_md = sha256
policy = p
x509_extensions = x
[p]
commonName = supplied
[x]
basicConstraints = critical,CA:FALSE
subjectAltName = DNS:app.internal,IP:127.0.0.1
";

/// Certificates that sign themselves, each with its key, in a folder.
pub(crate) struct Certificates(tempfile::TempDir);

impl Certificates {
    pub(crate) fn make() -> Option<Self> {
        if Command::new("openssl").arg("version").output().is_err() {
            skip("openssl", "not found: apt-get install openssl");
            return None;
        }
        let made = Self(tempfile::tempdir().expect("a folder"));
        std::fs::write(made.0.path().join("conf"), CONFIG).expect("room");
        std::fs::write(made.0.path().join("local.conf"), CONFIG.replace("app.internal", "localhost")).expect("room");
        std::fs::write(made.0.path().join("db"), "").expect("room");
        std::fs::write(made.0.path().join("serial"), "01\n").expect("room");
        // The longest life that the certificates of a test can have: the year 2050 is written in another form.
        for (name, conf, until) in [
            ("good", "conf", "20491231235959Z"),
            ("local", "local.conf", "20491231235959Z"),
            ("far", "conf", "20720203040506Z"),
            ("ended", "conf", "20210203040506Z"),
        ] {
            let key = "req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj";
            made.run(&format!("{key} /CN={name} -keyout {name}.key -out {name}.req"));
            let sign = "-batch -selfsign -notext -startdate 20200101000000Z -enddate";
            made.run(&format!("ca -config {conf} {sign} {until} -keyfile {name}.key -in {name}.req -out {name}.pem"));
        }
        Some(made)
    }

    fn run(&self, line: &str) {
        let done = Command::new("openssl").args(line.split(' ')).current_dir(&self.0).stdin(Stdio::null()).output();
        let done = done.expect("openssl runs");
        assert!(done.status.success(), "openssl {line}: {done:?}");
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    fn read(&self, name: &str) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let folder: &Path = self.0.path();
        let chain = CertificateDer::pem_file_iter(folder.join(format!("{name}.pem"))).expect("a file");
        let key = PrivateKeyDer::from_pem_file(folder.join(format!("{name}.key"))).expect("a key");
        (chain.collect::<Result<_, _>>().expect("certificates"), key)
    }

    /// A server that shows the certificate with this name, and wants one of `client` if that is named.
    pub(crate) fn serve(&self, name: &str, client: Option<&str>) -> Server {
        serve_heads(Some(self.config(name, client)), |head| {
            let host =
                head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("host: ").map(str::to_owned));
            whole(
                "200 OK",
                "Content-Type: application/json\r\n",
                &format!("{{\"host\": \"{}\"}}", host.unwrap_or_default()),
            )
        })
    }

    fn config(&self, name: &str, client: Option<&str>) -> Arc<ServerConfig> {
        drop(rustls::crypto::ring::default_provider().install_default());
        let (chain, key) = self.read(name);
        let builder = ServerConfig::builder();
        let builder = match client {
            Some(client) => {
                let mut roots = RootCertStore::empty();
                roots.add_parsable_certificates(self.read(client).0);
                let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build().expect("an authority");
                builder.with_client_cert_verifier(verifier)
            }
            None => builder.with_no_client_auth(),
        };
        Arc::new(builder.with_single_cert(chain, key).expect("a pair"))
    }
}

fn fact(seen: &watchkeeper::base::Observation, name: &str) -> Option<String> {
    seen.facts.iter().find(|(known, _)| known.as_str() == name).map(|(_, text)| text.to_string())
}

#[tokio::test]
async fn a_trusted_certificate_gives_its_end_and_the_phases_of_its_handshake() {
    let Some(made) = Certificates::make() else { return };
    for (name, ends, day) in [("good", 2_524_607_999.0, "2049-12-31"), ("far", 3_221_697_906.0, "2072-02-03")] {
        let server = made.serve(name, None);
        let config = format!("url = \"https://{}/\"\nca = \"{}\"", server.at, made.path(&format!("{name}.pem")));
        let mut https = sampler("http", &config);
        let seen = observe(&mut *https).await.expect("good");
        assert_eq!(value(&seen, "probe_ssl_earliest_cert_expiry", &[]), ends);
        assert_eq!(value(&seen, "probe_http_ssl", &[]), 1.0);
        assert_eq!(fact(&seen, "certificate ends").as_deref(), Some(day));
        let phase = |phase| find(&seen, "probe_http_duration_seconds", &[("phase", phase)]);
        let parts: Vec<f64> = ["connect", "tls", "processing", "transfer"].into_iter().filter_map(phase).collect();
        assert!(parts.len() == 4 && parts[1] > 0.0, "{parts:?}");
        assert!((parts.iter().sum::<f64>() - value(&seen, "probe_duration_seconds", &[])).abs() < 1e-9, "{parts:?}");
        assert_eq!(phase("resolve"), None, "an address needs no name service");
        // The connection is kept: its certificate is still known, its handshake is none of this attempt.
        let again = observe(&mut *https).await.expect("good");
        assert_eq!(value(&again, "probe_ssl_earliest_cert_expiry", &[]), ends);
        assert_eq!(find(&again, "probe_http_duration_seconds", &[("phase", "tls")]), None);
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_certificate_is_a_sentence_and_an_answer() {
    let Some(made) = Certificates::make() else { return };
    let (good, ended) = (made.serve("good", None), made.serve("ended", None));
    let complain = async |server: &Server, config: &str| {
        let config = format!("url = \"https://{}/\"\n{config}", server.at);
        let failure = observe(&mut *sampler("http", &config)).await.expect_err("not trusted");
        (failure.what.to_string().replace(&server.at, "HOST"), failure.answered)
    };
    let ca = |name: &str| format!("ca = \"{}\"", made.path(name));
    let unknown = "HOST: nobody that this system trusts has signed its certificate; name its authority in `ca`.";
    assert_eq!(complain(&good, &ca("far.pem")).await, (unknown.to_owned(), true));
    let over = "HOST: its certificate ended on 2021-02-03.";
    assert_eq!(complain(&ended, &ca("ended.pem")).await, (over.to_owned(), true));
    let other = "HOST: its certificate is for another name; say which in `server_name`.";
    let name = format!("{}\nserver_name = \"elsewhere.internal\"", ca("good.pem"));
    assert_eq!(complain(&good, &name).await, (other.to_owned(), true));
    let missing = complain(&good, "ca = \"/nowhere/ca.pem\"").await.0;
    assert!(missing.starts_with("HOST is not asked: /nowhere/ca.pem"), "{missing}");
    let no_pem = complain(&good, &ca("conf")).await.0;
    assert_eq!(no_pem, format!("HOST is not asked: {} holds no certificate in PEM.", made.path("conf")));
}

#[tokio::test]
async fn a_certificate_that_nobody_looks_at_is_said_loudly_and_its_end_is_known() {
    let Some(made) = Certificates::make() else { return };
    let ended = made.serve("ended", None);
    for (kind, path) in [("http", "insecure = true"), ("http", "insecure = true\nfresh = true")] {
        let config = format!("url = \"https://{}/\"\n{path}\nca = \"{}\"", ended.at, made.path("ended.pem"));
        let seen = observe(&mut *sampler(kind, &config)).await.expect("not looked at");
        let told = "NOT CHECKED (insecure = true): its certificate ended on 2021-02-03";
        assert_eq!(fact(&seen, "TLS").as_deref(), Some(told));
        assert_eq!(value(&seen, "probe_ssl_earliest_cert_expiry", &[]), 1_612_325_106.0);
    }
}

#[tokio::test]
async fn the_name_in_the_certificate_need_not_be_the_one_in_the_url() {
    let Some(made) = Certificates::make() else { return };
    let server = made.serve("good", None);
    let port = server.at.rsplit(':').next().expect("a port");
    let config = format!("url = \"https://localhost:{port}/\"\nca = \"{}\"\n", made.path("good.pem"));
    observe(&mut *sampler("http", &config)).await.expect_err("localhost is not in it");
    let config = format!("{config}server_name = \"app.internal\"");
    let seen = observe(&mut *sampler("http", &config)).await.expect("its own name");
    assert_eq!(fact(&seen, "host"), Some(format!("app.internal:{port}")));
    let instance = format!("localhost:{port}");
    assert_eq!(value(&seen, "probe_success", &[("instance", &instance)]), 1.0);
    assert!(find(&seen, "probe_http_duration_seconds", &[("phase", "resolve")]).is_some());
}

#[tokio::test]
async fn a_server_that_wants_to_know_who_comes_is_shown_a_certificate() {
    let Some(made) = Certificates::make() else { return };
    let server = made.serve("good", Some("far"));
    let config = format!("url = \"https://{}/\"\nca = \"{}\"\n", server.at, made.path("good.pem"));
    let refused = observe(&mut *sampler("http", &config)).await.expect_err("nobody came");
    assert!(!refused.answered && refused.what.as_str().ends_with('.'), "{refused:?}");
    let pair = |cert: &str, key: &str| format!("{config}cert = \"{}\"\nkey = \"{}\"", made.path(cert), made.path(key));
    observe(&mut *sampler("http", &pair("far.pem", "far.key"))).await.expect("known");
    let mixed = observe(&mut *sampler("http", &pair("far.pem", "good.key"))).await.expect_err("not a pair");
    assert!(mixed.what.as_str().contains("does not go with its key"), "{mixed:?}");
    std::fs::set_permissions(made.path("far.key"), std::os::unix::fs::PermissionsExt::from_mode(0o644)).expect("ours");
    let open = observe(&mut *sampler("http", &pair("far.pem", "far.key"))).await.expect_err("others may read it");
    assert!(open.what.as_str().contains("others may read this secret (mode 0644)"), "{open:?}");
}

#[tokio::test]
async fn of_several_candidates_one_in_the_open_never_sees_a_key_and_a_missing_key_file_fails_the_others_alone() {
    let Some(made) = Certificates::make() else { return };
    let page = |head: &str| {
        let head = head.to_ascii_lowercase();
        let has = |what: &str| u8::from(head.contains(what));
        let (login, plain) = (has("authorization: ") | has("x-api-key: ") | has("x-other: "), has("x-plain: yes"));
        whole("200 OK", "", &format!("asked_with_login {login}\nasked_with_plain {plain}\n"))
    };
    let (secure, open) = (serve_heads(Some(made.config("good", None)), page), serve_heads(None, page));
    let folder = tempfile::tempdir().expect("a folder");
    let key = folder.path().join("key");
    let config = |urls: &str, login: &str| {
        let ca = made.path("good.pem");
        let urls =
            urls.replace("SECURE", &format!("https://{}/", secure.at)).replace("OPEN", &format!("http://{}/", open.at));
        let login = login.replace("KEY", &format!("{{ file = \"{}\" }}", key.display()));
        format!("{urls}\nca = \"{ca}\"\n{login}")
    };
    let both = "urls = [\"SECURE\", \"OPEN\"]";
    for login in [
        "bearer = KEY",
        "basic = { user = \"u\", password = KEY }",
        "headers = { X-Other = KEY, X-Plain = \"yes\" }",
        "headers = { X-Api-Key = \"key-in-the-open\", X-Plain = \"yes\" }",
    ] {
        put_secret(&key, "key-of-the-candidates");
        let seen = observe(&mut *sampler("scrape", &config(both, login))).await.expect("a page");
        assert_eq!(
            (value(&seen, "asked_with_login", &[]), fact(&seen, "source")),
            (1.0, Some(secure.at.clone())),
            "{login}"
        );
        let turned = "urls = [\"OPEN\", \"SECURE\"]";
        let seen = observe(&mut *sampler("scrape", &config(turned, login))).await.expect("a page");
        assert_eq!(
            (value(&seen, "asked_with_login", &[]), fact(&seen, "source")),
            (0.0, Some(open.at.clone())),
            "{login}"
        );
        assert_eq!(value(&seen, "asked_with_plain", &[]), f64::from(u8::from(login.contains("Plain"))), "{login}");
        if login.contains("KEY") {
            std::fs::remove_file(&key).expect("was there");
            let seen = observe(&mut *sampler("scrape", &config(both, login))).await.expect("the other one");
            assert_eq!(fact(&seen, "source"), Some(open.at.clone()), "{login}");
            let failure =
                observe(&mut *sampler("scrape", &config("url = \"SECURE\"", login))).await.expect_err("no key");
            assert!(failure.what.as_str().contains("there is no such file"), "{failure:?}");
        }
    }
    // Alone, it is asked as the profile says.
    put_secret(&key, "key-of-the-candidates");
    let seen = observe(&mut *sampler("scrape", &config("url = \"OPEN\"", "bearer = KEY"))).await.expect("a page");
    assert_eq!(value(&seen, "asked_with_login", &[]), 1.0);

    let closed = serve_heads(None, |_| whole("401 Unauthorized", "", ""));
    let urls = format!("urls = [\"http://{0}/\", \"http://{0}/other\"]", closed.at);
    let failure = observe(&mut *sampler("scrape", &config(&urls, "bearer = KEY"))).await.expect_err("refused");
    let why =
        "answered 401 Unauthorized. It wants a login, which is not sent over plain HTTP where `urls` has several.";
    assert!(failure.what.as_str().contains(why), "{failure:?}");
}
