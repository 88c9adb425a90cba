//! TLS as a profile sets it, for every kind that speaks it: whom to trust, under which name, as whom.

use crate::base::{Body, Clean, Fault};
use crate::samplers::http::phases::{Certificate, Trace};
use crate::sys::secret::Secret;
use crate::sys::trust::{self, Owners};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use x509_cert::der::Decode;

/// The keys that [`Tls::take`] takes.
pub(crate) const KEYS: &[&str] = &["ca", "insecure", "server_name", "cert", "key"];

/// The part of a table that is about TLS.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tls {
    ca: Option<PathBuf>,
    pub(crate) insecure: bool,
    pub(crate) server_name: Option<String>,
    identity: Option<(PathBuf, PathBuf)>,
}

impl Tls {
    /// Takes its keys out of a table; reads no file.
    pub(crate) fn take(body: &mut Body) -> Result<Self, Fault> {
        let pair = body.clone();
        let ca = body.take("ca")?;
        let insecure = body.take("insecure")?.unwrap_or(false);
        let server_name: Option<String> = body.take("server_name")?;
        if server_name.as_ref().is_some_and(|name| ServerName::try_from(name.as_str()).is_err()) {
            return Err(pair.fault_at("server_name", "`server_name` is no name of a host."));
        }
        let identity = match (body.take("cert")?, body.take("key")?) {
            (Some(cert), Some(key)) => Some((cert, key)),
            (None, None) => None,
            (Some(_), None) => return Err(pair.fault_at("cert", "`cert` needs its `key`.")),
            (None, Some(_)) => return Err(pair.fault_at("key", "`key` needs its `cert`.")),
        };
        Ok(Self { ca, insecure, server_name, identity })
    }

    /// Reads what it names. Does file I/O: on a thread for that. Handshakes are noted in `trace`.
    pub(crate) fn open(&self, trace: &Trace) -> Result<ClientConfig, Fault> {
        let provider = Arc::new(ring::default_provider());
        let roots = match &self.ca {
            Some(path) => Arc::new(authority(path)?),
            None => system(),
        };
        // Without any authority everything fails, unless nothing is looked at.
        let inner = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider)).build().ok();
        if inner.is_none() && !self.insecure {
            return Err(Fault::new("this system trusts no authority for certificates.").hint("Name one in `ca`."));
        }
        let verifier =
            Verifier { inner, insecure: self.insecure, provider: Arc::clone(&provider), trace: trace.clone() };
        let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let versions = versions.map_err(|error| Fault::new(format!("TLS cannot be had: {error}.")))?;
        let builder = versions.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match &self.identity {
            Some((cert, key)) => {
                let (chain, secret) = (certificates(cert)?, trust::secret(key, Owners::effective()).map(Secret::new)?);
                let no_key = || Fault::new(format!("{} holds no private key in PEM.", key.display()));
                let secret = PrivateKeyDer::from_pem_slice(secret.reveal().as_bytes()).map_err(|_| no_key())?;
                builder.with_client_auth_cert(chain, secret).map_err(|error| {
                    Fault::new(format!("the certificate in {} does not go with its key: {error}.", cert.display()))
                })?
            }
            None => builder.with_no_client_auth(),
        };
        config.resumption = Resumption::store(Arc::new(trace.clone()));
        Ok(config)
    }
}

/// TLS with whom the system trusts, and nothing noted. Does file I/O: on a thread for that.
pub(crate) fn plain() -> Result<ClientConfig, Fault> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| Fault::new(format!("TLS cannot be had: {error}.")))?;
    Ok(builder.with_root_certificates(system()).with_no_client_auth())
}

/// The authorities of this system, read once.
fn system() -> Arc<RootCertStore> {
    static ROOTS: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    let load = || {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Arc::new(roots)
    };
    Arc::clone(ROOTS.get_or_init(load))
}

fn authority(path: &Path) -> Result<RootCertStore, Fault> {
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(certificates(path)?);
    if added == 0 {
        Err(Fault::new(format!("{} holds no authority's certificate.", path.display())))
    } else {
        Ok(roots)
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let content = trust::read(path, Owners::effective())?;
    if let Some(fault) = content.distrust {
        return Err(fault);
    }
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(content.text.as_bytes()).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(Fault::new(format!("{} holds no certificate in PEM.", path.display()))),
    }
}

/// Looks at certificates as always and notes when they end; with `insecure` what is wrong is noted, not refused.
#[derive(Debug)]
struct Verifier {
    inner: Option<Arc<WebPkiServerVerifier>>,
    insecure: bool,
    provider: Arc<CryptoProvider>,
    trace: Trace,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let judged = match &self.inner {
            Some(inner) => inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now),
            None => Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)),
        };
        let ends = core::iter::once(end_entity).chain(intermediates).filter_map(|shown| ends(shown)).min();
        let doubt = judged.as_ref().err().map(doubt);
        self.trace.marks().certificate = Some(Certificate { ends, doubt });
        if self.insecure { Ok(ServerCertVerified::assertion()) } else { judged }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn ends(certificate: &CertificateDer<'_>) -> Option<u64> {
    let certificate = x509_cert::Certificate::from_der(certificate).ok()?;
    Some(certificate.tbs_certificate.validity.not_after.to_unix_duration().as_secs())
}

/// What is wrong with a connection's TLS, as the end of a sentence about the server, with a way to mend it.
pub(crate) fn doubt(error: &Error) -> String {
    use CertificateError as Bad;
    let Error::InvalidCertificate(bad) = error else {
        return format!("TLS failed: {}", Clean::text(error.to_string()));
    };
    match bad {
        Bad::Expired => "its certificate has ended".to_owned(),
        Bad::ExpiredContext { not_after, .. } => format!("its certificate ended on {}", day(not_after.as_secs())),
        Bad::NotValidYet => "its certificate is not valid yet".to_owned(),
        Bad::NotValidYetContext { not_before, .. } => {
            format!("its certificate is not valid before {}", day(not_before.as_secs()))
        }
        Bad::UnknownIssuer => {
            "nobody that this system trusts has signed its certificate; name its authority in `ca`".to_owned()
        }
        Bad::NotValidForName | Bad::NotValidForNameContext { .. } => {
            "its certificate is for another name; say which in `server_name`".to_owned()
        }
        Bad::Revoked => "its certificate was revoked".to_owned(),
        Bad::BadSignature => "its certificate was changed, or signed with another key".to_owned(),
        Bad::InvalidPurpose | Bad::InvalidPurposeContext { .. } => "its certificate is not one for servers".to_owned(),
        other if format!("{other:?}").contains("CaUsedAsEndEntity") => {
            "it shows the certificate of an authority as its own; give it one that the authority has signed".to_owned()
        }
        other => format!("its certificate is not accepted ({})", Clean::text(format!("{other:?}"))),
    }
}

/// A moment as a date.
pub(crate) fn day(seconds: u64) -> String {
    let moment = i64::try_from(seconds).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    moment.map_or_else(|| "a far day".to_owned(), |moment| moment.strftime("%Y-%m-%d").to_string())
}
