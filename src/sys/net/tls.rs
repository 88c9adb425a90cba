//! TLS of a talk: the server's certificate is always looked at; who vouches for it may be named.

use super::stream::Stream;
use crate::base::{Clean, Fault};
use crate::sys::trust::{self, Owners};
use core::fmt::Debug;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, Error, RootCertStore, crypto::ring};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Whom to trust, and under which name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tls {
    /// Certificates in PEM instead of the system's authorities.
    pub ca: Option<PathBuf>,
    /// The name in the certificate, where the address has another.
    pub server_name: Option<String>,
}

impl Tls {
    /// Reads what it names.
    ///
    /// # Errors
    /// A file that cannot be read, is not to be trusted, or holds no certificate.
    pub fn open(&self) -> Result<ClientConfig, Fault> {
        let mut roots = RootCertStore::empty();
        let found = match &self.ca {
            Some(path) => authority(path)?,
            None => rustls_native_certs::load_native_certs().certs,
        };
        let (added, _) = roots.add_parsable_certificates(found);
        if added == 0 {
            let who = self.ca.as_ref().map_or("this system".to_owned(), |path| path.display().to_string());
            return Err(Fault::new(format!("{who} names no authority for certificates.")).hint("Name one in `ca`."));
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| Fault::new(format!("TLS cannot be had: {error}.")))?;
        Ok(builder.with_root_certificates(roots).with_no_client_auth())
    }

    /// The name that the certificate must have.
    ///
    /// # Errors
    /// No name of a host.
    pub fn name(&self, host: &str) -> Result<ServerName<'static>, Fault> {
        let name = self.server_name.as_deref().unwrap_or(host);
        let fault = || Fault::new(format!("`{}` is no name of a host.", Clean::text(name)));
        ServerName::try_from(name.to_owned()).map_err(|_| fault())
    }

    /// The same stream, encrypted with a server whose certificate passes.
    pub(crate) async fn over(&self, stream: Stream, host: &str, place: &Clean) -> Result<Stream, Fault> {
        let connector = tokio_rustls::TlsConnector::from(Arc::new(self.open()?));
        let shaken = connector.connect(self.name(host)?, stream).await;
        shaken.map(Stream::new).map_err(|error| {
            let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
            Fault::new(format!("{place}: {}.", inner.map_or_else(|| format!("TLS failed: {error}"), doubt)))
        })
    }
}

fn authority(path: &Path) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let content = trust::read(path, Owners::effective())?;
    if let Some(fault) = content.distrust {
        return Err(fault);
    }
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(content.text.as_bytes()).collect();
    found.map_err(|_| Fault::new(format!("{} holds no certificate in PEM.", path.display())))
}

/// What is wrong with a server's TLS, as the end of a sentence about it.
pub(crate) fn doubt(error: &Error) -> String {
    use CertificateError as Bad;
    let Error::InvalidCertificate(bad) = error else {
        return format!("TLS failed: {}", Clean::text(error.to_string()));
    };
    match bad {
        Bad::Expired | Bad::ExpiredContext { .. } => "its certificate has ended".to_owned(),
        Bad::NotValidYet | Bad::NotValidYetContext { .. } => "its certificate is not valid yet".to_owned(),
        Bad::UnknownIssuer => {
            "nobody that is trusted here has signed its certificate; name its authority in `ca`".to_owned()
        }
        Bad::NotValidForName | Bad::NotValidForNameContext { .. } => {
            "its certificate is for another name; say which in `server_name`".to_owned()
        }
        other => format!("its certificate is not accepted ({})", short(other)),
    }
}

fn short(what: &impl Debug) -> Clean {
    Clean::text(format!("{what:?}"))
}
