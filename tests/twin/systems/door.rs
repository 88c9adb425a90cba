//! One request over one connection, with TLS where the port has it: only the twin's own certificate is trusted.

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A port, and what is said at it.
#[derive(Clone)]
pub(crate) struct Door {
    pub(crate) port: u16,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) headers: Vec<String>,
}

/// An answer: status, head, body.
pub(crate) struct Said {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Said {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

impl Door {
    pub(crate) fn with(&self, header: &str) -> Self {
        Self { headers: vec![header.to_owned()], ..self.clone() }
    }

    /// `None` when nobody answers within the limit.
    pub(crate) fn ask(&self, method: &str, path: &str) -> Option<Said> {
        self.within(method, path, Duration::from_secs(20))
    }

    pub(crate) fn within(&self, method: &str, path: &str, limit: Duration) -> Option<Said> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(limit)).ok()?;
        let extra: String = self.headers.iter().map(|header| format!("{header}\r\n")).collect();
        let request = format!("{method} {path} HTTP/1.1\r\nHost: demo\r\nConnection: close\r\n{extra}\r\n");
        let text = match &self.ca {
            None => talk(stream, &request)?,
            Some(ca) => {
                let mut roots = RootCertStore::empty();
                roots.add(CertificateDer::from_pem_file(ca).ok()?).ok()?;
                let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
                let config = builder.with_safe_default_protocol_versions().ok()?.with_root_certificates(roots);
                let name = ServerName::try_from("localhost").ok()?;
                let session = ClientConnection::new(Arc::new(config.with_no_client_auth()), name).ok()?;
                talk(StreamOwned::new(session, stream), &request)?
            }
        };
        let (head, body) = text.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some(Said { status, head: head.to_ascii_lowercase(), body: body.to_owned() })
    }

    /// The body of a good answer.
    pub(crate) fn get(&self, path: &str) -> Option<String> {
        self.ask("GET", path).filter(|said| said.status == 200).map(|said| said.body)
    }
}

fn talk(mut stream: impl Read + Write, request: &str) -> Option<String> {
    stream.write_all(request.as_bytes()).ok()?;
    let mut bytes = Vec::new();
    // A server that closes without its goodbye has still said everything.
    let _end = stream.read_to_end(&mut bytes);
    String::from_utf8(bytes).ok()
}
