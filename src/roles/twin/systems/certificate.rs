//! A certificate that signs itself, for the loopback: Ed25519, made at the demo's start, gone with its folder.

use crate::base::{Fault, Wall};
use crate::sys::random::bits;
use crate::sys::secret::base64_of;
use rustls::crypto::ring::{self, sign::any_eddsa_type};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, SignatureScheme};
use std::io;
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// In a folder: the certificate, which is the authority too, and its key.
const FILES: (&str, &str) = ("ca.pem", "key.pem");
/// What stands before the 32 bytes of an Ed25519 key in PKCS #8.
const KEY_HEAD: [u8; 16] = [0x30, 0x2E, 0x02, 1, 0, 0x30, 5, 6, 3, 0x2B, 0x65, 0x70, 4, 0x22, 4, 0x20];
/// The algorithm Ed25519, 1.3.101.112.
const ED25519: [u8; 7] = [0x30, 5, 6, 3, 0x2B, 0x65, 0x70];
const DAY: i64 = 86_400_000_000_000;
/// How long it is good, in days: the shipped profiles warn a month before the end.
const LIFE: i64 = 90;

/// Makes both files in `folder`.
///
/// # Errors
/// What the system said.
pub(super) fn make(folder: &Path, now: Wall) -> io::Result<()> {
    let mut key = KEY_HEAD.to_vec();
    key.extend(bits().to_be_bytes().into_iter().chain(bits().to_be_bytes()));
    let failed = |what: &str| io::Error::other(format!("no certificate can be made: {what}"));
    let signing = any_eddsa_type(&PrivatePkcs8KeyDer::from(key.as_slice())).map_err(|_| failed("its key"))?;
    let public = signing.public_key().ok_or_else(|| failed("its public key"))?;
    let told = told(now, public.as_ref());
    let signer = signing.choose_scheme(&[SignatureScheme::ED25519]).ok_or_else(|| failed("its algorithm"))?;
    let mut signature = signer.sign(&told).map_err(|_| failed("its signature"))?;
    signature.insert(0, 0); // a bit string without spare bits
    let certificate = der(0x30, &[&told, &ED25519, &der(3, &[&signature])]);
    super::file(&folder.join(FILES.0), pem("CERTIFICATE", &certificate).as_bytes())?;
    super::file(&folder.join(FILES.1), pem("PRIVATE KEY", &key).as_bytes())
}

/// What serves TLS with the two files.
///
/// # Errors
/// When they cannot be read or used.
pub(super) fn acceptor(folder: &Path) -> Result<TlsAcceptor, Fault> {
    let said = |error: &dyn core::fmt::Display| Fault::new(format!("no TLS from {}: {error}.", folder.display()));
    let certificate = CertificateDer::from_pem_file(folder.join(FILES.0)).map_err(|error| said(&error))?;
    let key = PrivateKeyDer::from_pem_file(folder.join(FILES.1)).map_err(|error| said(&error))?;
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(|error| said(&error))?;
    let config = builder.with_no_client_auth().with_single_cert(vec![certificate], key);
    config.map(|config| TlsAcceptor::from(Arc::new(config))).map_err(|error| said(&error))
}

/// The part that is signed: version 3, number, algorithm, who signs, from when to when, for whom, the key, and the
/// names `localhost` and 127.0.0.1.
fn told(now: Wall, public: &[u8]) -> Vec<u8> {
    let common_name = der(6, &[&[0x55, 4, 3]]);
    let name = der(0x30, &[&der(0x31, &[&der(0x30, &[&common_name, &der(12, &[b"watchkeeper demo"])])])]);
    let day = |days: i64| der(23, &[utc(Wall(now.0.saturating_add(days.saturating_mul(DAY)))).as_bytes()]);
    let names = der(0x30, &[&der(0x82, &[b"localhost"]), &der(0x87, &[&[127, 0, 0, 1]])]);
    let names = der(0x30, &[&der(6, &[&[0x55, 0x1D, 0x11]]), &der(4, &[&names])]);
    let number = (bits() >> 1 | 1 << 120).to_be_bytes();
    der(
        0x30,
        &[
            &der(0xA0, &[&der(2, &[&[2]])]),
            &der(2, &[&number]),
            &ED25519,
            &name,
            &der(0x30, &[&day(-1), &day(LIFE)]),
            &name,
            public,
            &der(0xA3, &[&der(0x30, &[&names])]),
        ],
    )
}

/// `YYMMDDhhmmssZ`.
fn utc(at: Wall) -> String {
    let mut digits: String = at.rfc3339().chars().filter(char::is_ascii_digit).skip(2).take(12).collect();
    digits.push('Z');
    digits
}

/// One element with its length; none here reaches 64 KiB.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let [high, low] = u16::try_from(content.len()).unwrap_or(u16::MAX).to_be_bytes();
    let mut element = match (high, low) {
        (0, 0..0x80) => vec![tag, low],
        (0, _) => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    element.extend(content);
    element
}

fn pem(what: &str, der: &[u8]) -> String {
    let text = base64_of(der);
    let mut lines = format!("-----BEGIN {what}-----\n");
    for (at, letter) in text.chars().enumerate() {
        if at > 0 && at.is_multiple_of(64) {
            lines.push('\n');
        }
        lines.push(letter);
    }
    lines + &format!("\n-----END {what}-----\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::RootCertStore;
    use rustls::client::WebPkiServerVerifier;
    use rustls::client::danger::ServerCertVerifier as _;
    use rustls::pki_types::{ServerName, UnixTime};

    /// 2026-11-29 17:30 UTC.
    const NOW: Wall = Wall(1_795_973_400_000_000_000);

    #[test]
    fn it_is_trusted_as_its_own_authority_for_the_loopback_and_for_nobody_else() {
        let folder = tempfile::tempdir().unwrap();
        make(folder.path(), NOW).unwrap();
        let certificate = CertificateDer::from_pem_file(folder.path().join("ca.pem")).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(certificate.clone()).unwrap();
        let builder = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::new(ring::default_provider()));
        let verifier = builder.build().unwrap();
        let look = |name: &'static str, days: u64| {
            let at = UnixTime::since_unix_epoch(core::time::Duration::from_secs(1_795_973_400 + days * 86_400));
            verifier.verify_server_cert(&certificate, &[], &ServerName::try_from(name).unwrap(), &[], at).is_ok()
        };
        assert!(look("127.0.0.1", 0) && look("localhost", 0) && look("localhost", 89));
        assert!(!look("example.org", 0), "another name");
        assert!(!look("localhost", 91), "after its end");
        assert!(acceptor(folder.path()).is_ok());
    }

    #[test]
    fn lengths_are_written_as_the_rules_want_them() {
        assert_eq!(der(4, &[&[7; 3]]), [4, 3, 7, 7, 7]);
        assert_eq!(der(4, &[&[0; 200]])[..3], [4, 0x81, 200]);
        assert_eq!(der(4, &[&[0; 300]])[..4], [4, 0x82, 1, 44]);
        assert_eq!(utc(NOW), "261129173000Z");
    }
}
