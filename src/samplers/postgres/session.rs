//! One session with PostgreSQL, and never a second beside it: its seat is given up when the server has ended it.
//! A question that is given up is cancelled at the server. TLS as libpq's `sslmode` says.

use crate::base::scrub::scrub;
use crate::base::{Clean, Failure};
use crate::samplers::postgres::sql::ROWS;
use crate::samplers::resolve::Names;
use crate::samplers::wire::{Address, Allowance, Wire, connect};
use core::time::Duration;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio_postgres::config::SslMode;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{Client, Config, Error, NoTls, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

/// So long the server may take to end a session; then it counts as ended.
const GOODBYE: Duration = Duration::from_secs(60);
/// So long a new session waits for the old one's end.
const SEAT: Duration = Duration::from_millis(1_500);
/// The limits of each question, inside its own transaction: nothing is set on the session, which may be a pool's.
const BEGIN: &str = "BEGIN READ ONLY; SET LOCAL statement_timeout = 800; SET LOCAL lock_timeout = 100; \
    SET LOCAL search_path = pg_catalog";

/// Whom to ask, and how to get there.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) address: Address,
    pub(crate) names: Names,
    pub(crate) allowance: Allowance,
    pub(crate) tls: Option<Arc<ClientConfig>>,
    seat: Arc<Semaphore>,
}

/// A session. Dropping it in the middle of a question cancels that.
pub(crate) struct Session {
    client: Client,
    server: Server,
    database: Config,
    asking: bool,
    /// Closed with us: then the driver has [`GOODBYE`] left.
    _here: oneshot::Sender<()>,
}

/// Why there is no session.
pub(crate) enum Refused {
    Failure(Failure),
    Server(Error),
}

impl Server {
    pub(crate) fn new(address: Address) -> Self {
        let seat = Arc::new(Semaphore::new(1));
        Self { address, names: Names::new(), allowance: Allowance::default(), tls: None, seat }
    }

    /// Opens a session, when no other is left.
    pub(crate) async fn open(&self, database: &Config) -> Result<Session, Refused> {
        let seat = tokio::time::timeout(SEAT, Arc::clone(&self.seat).acquire_owned()).await;
        let Ok(Ok(seat)) = seat else {
            let place = self.address.place();
            let what = format!("{place} has not ended our last session yet; no second one is opened.");
            return Err(Refused::Failure(Failure::unreachable(what)));
        };
        let wire = connect(&self.address, &self.names, &self.allowance).await.map_err(Refused::Failure)?;
        match self.tls_for(database) {
            Some(Ok(tls)) => self.greet(wire, tls, seat, database).await,
            Some(Err(failure)) => Err(Refused::Failure(failure)),
            None => self.greet(wire, NoTls, seat, database).await,
        }
    }

    fn tls_for(
        &self,
        database: &Config,
    ) -> Option<Result<impl TlsConnect<Wire, Stream: Send + 'static, Future: Send> + use<>, Failure>> {
        let (Some(tls), Address::Host(host, _)) = (&self.tls, &self.address) else { return None };
        if database.get_ssl_mode() == SslMode::Disable {
            return None;
        }
        let made = MakeTlsConnect::<Wire>::make_tls_connect(&mut MakeRustlsConnect::new(tls.as_ref().clone()), host);
        Some(made.map_err(|error| Failure::unreachable(format!("{}: {error}.", self.address.place()))))
    }

    async fn greet<T>(
        &self,
        wire: Wire,
        tls: T,
        seat: OwnedSemaphorePermit,
        database: &Config,
    ) -> Result<Session, Refused>
    where
        T: TlsConnect<Wire>,
        T::Stream: Send + 'static,
    {
        let (client, connection) = database.connect_raw(wire, tls).await.map_err(Refused::Server)?;
        let (here, gone) = oneshot::channel();
        tokio::spawn(async move {
            let _seat = seat;
            let give_up = async {
                drop(gone.await);
                tokio::time::sleep(GOODBYE).await;
            };
            tokio::select! {
                // What it says at its end is said to whoever asks next.
                ended = connection => drop(ended),
                () = give_up => {}
            }
        });
        Ok(Session { client, server: self.clone(), database: database.clone(), asking: false, _here: here })
    }

    /// Tells the server to stop what a session is at; it takes a connection that is no session.
    async fn cancel(self, token: tokio_postgres::CancelToken, database: Config) {
        let Ok(wire) = connect(&self.address, &self.names, &Allowance::full()).await else { return };
        match self.tls_for(&database) {
            Some(Ok(tls)) => drop(token.cancel_query_raw(wire, tls).await),
            Some(Err(_)) => {}
            None => drop(token.cancel_query_raw(wire, NoTls).await),
        }
    }
}

impl Session {
    /// Asks in a read-only transaction of its own; at most [`ROWS`] rows.
    pub(crate) async fn ask(&mut self, sql: &str) -> Result<Vec<tokio_postgres::SimpleQueryRow>, Error> {
        self.asking = true;
        let answer = self.client.simple_query(&format!("{BEGIN}; {sql}; COMMIT")).await;
        let answer = match answer {
            Err(error) if error.as_db_error().is_some() && !self.client.is_closed() => {
                let back = self.client.simple_query("ROLLBACK").await;
                back.map_or_else(Err, |_| Err(error))
            }
            answer => answer,
        };
        self.asking = false;
        let rows = answer?.into_iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        Ok(rows.take(ROWS).collect())
    }

    /// True when the server has ended it.
    pub(crate) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if !self.asking || self.client.is_closed() {
            return;
        }
        // Without a runtime the process ends, and the server's own limit stops the question.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let cancel = self.server.clone().cancel(self.client.cancel_token(), self.database.clone());
            runtime.spawn(tokio::time::timeout(GOODBYE, cancel));
        }
    }
}

/// The server ends the session with this error.
pub(crate) fn is_end(error: &Error) -> bool {
    error.code().is_some_and(|code| code.code().starts_with("57P") || code.code().starts_with("08"))
}

/// The sentence for an error that the server answered. It names no user: that is part of the URL.
pub(crate) fn refusal(place: &Clean, database: &Config, code: &str, message: &str) -> Failure {
    let name = Clean::text(database.get_dbname().unwrap_or("of the login's name"));
    match code {
        "28P01" => Failure::not_permitted(format!(
            "{place}: the login that the profile gives is refused. Mend the user in `url`, or `password`."
        )),
        // The server's own words name the role: by a socket it is that of whoever looks, and no part of the URL.
        "28000" if message.starts_with("role ") && database.get_user().is_none() => Failure::not_permitted(format!(
            "{place} cannot be looked at: {}. Mend with CREATE ROLE, or name a user in `url`.",
            scrub(message)
        )),
        "28000" => Failure::not_permitted(format!(
            "{place} cannot be looked at: it has no role of this name, or pg_hba.conf does not let it in from here."
        )),
        "42501" => Failure::not_permitted(format!(
            "{place} does not let this login into the database {name}. Mend with GRANT CONNECT."
        )),
        "3D000" => Failure::answered(format!("{place} has no database {name}. Mend the end of `url`.")),
        "53300" => Failure::answered(format!(
            "{place} takes no more connections: max_connections, or the limit of this login or database, is reached."
        )),
        "57P01" => Failure::answered(format!("{place} ended our session: it is shutting down, or somebody ended it.")),
        "57P02" => Failure::answered(format!("{place} ended all sessions: one of its processes crashed.")),
        "57P03" => {
            let what = if message.contains("shutting down") { "is shutting down" } else { "is starting up" };
            Failure::answered(format!("{place} {what} ({}).", Clean::text(message)))
        }
        _ => Failure::answered(format!("{place} answered {}: {}.", Clean::text(code), scrub(message))),
    }
}

/// TLS that is checked against these certificates (PEM), or, with none given, that only keeps listeners out.
pub(crate) fn tls(roots: Option<&[u8]>) -> Result<Arc<ClientConfig>, Clean> {
    let words = |error: &dyn core::fmt::Display| Clean::text(error.to_string());
    let provider = Arc::new(ring::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = match roots {
        None => Arc::new(Anybody(Arc::clone(&provider))),
        Some(pem) => {
            let mut store = RootCertStore::empty();
            for certificate in CertificateDer::pem_slice_iter(pem) {
                store.add(certificate.map_err(|error| words(&error))?).map_err(|error| words(&error))?;
            }
            let built = WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(&provider)).build();
            built.map_err(|error| words(&error))?
        }
    };
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| words(&error))?.dangerous().with_custom_certificate_verifier(verifier);
    Ok(Arc::new(builder.with_no_client_auth()))
}

/// What libpq's `prefer` and `require` mean: encrypted, with whomever it is.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_its_sentence() {
        let place = Clean::from("h:5432");
        let database: Config = "postgres://joe@h/app".parse().expect("valid");
        for (code, message, said, not_permitted) in [
            (
                "28P01",
                "password authentication failed for user \"joe\"",
                "the login that the profile gives is refused. Mend the user",
                true,
            ),
            (
                "28000",
                "no pg_hba.conf entry for host",
                "cannot be looked at: it has no role of this name, or pg_hba.conf",
                true,
            ),
            ("28000", "role \"joe\" does not exist", "cannot be looked at: it has no role of this name", true),
            ("42501", "permission denied for database", "does not let this login into the database app", true),
            ("3D000", "database \"app\" does not exist", "has no database app", false),
            ("53300", "sorry, too many clients already", "takes no more connections: max_connections", false),
            ("57P03", "the database system is starting up", "is starting up", false),
            ("57P03", "the database system is shutting down", "is shutting down", false),
            ("57P01", "terminating connection due to administrator command", "ended our session", false),
            ("XX000", "could not open file", "answered XX000: could not open file", false),
        ] {
            let failure = refusal(&place, &database, code, message);
            let what = failure.what.as_str();
            assert!(what.starts_with("h:5432") && what.contains(said) && what.ends_with('.'), "{what}");
            assert!(!what.contains("joe"), "{what}");
            assert_eq!((failure.not_permitted, failure.answered), (not_permitted, !not_permitted), "{what}");
        }
        let own: Config = "postgres:///app?host=/run/postgresql".parse().expect("valid");
        let failure = refusal(&place, &own, "28000", "role \"root\" does not exist");
        let said =
            "h:5432 cannot be looked at: role \"root\" does not exist. Mend with CREATE ROLE, or name a user in `url`.";
        assert!(failure.what.as_str() == said && failure.not_permitted, "{failure:?}");
    }
}
