//! A web server that remembers what it was asked, in the open or with TLS.

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

/// Its threads end with the test process.
pub(crate) struct Web {
    /// `127.0.0.1:PORT`.
    pub(crate) at: String,
    asked: Arc<Mutex<Vec<String>>>,
}

trait Line: Read + Write {}
impl<T: Read + Write> Line for T {}

/// Answers each request (its whole text) with the bytes of `answer`; none of them hangs up.
pub(crate) fn serve(answer: impl Fn(&str) -> String + Send + Sync + 'static) -> Web {
    serve_by(None, answer)
}

/// The same with TLS when it has a certificate.
pub(crate) fn serve_by(tls: Option<Arc<ServerConfig>>, answer: impl Fn(&str) -> String + Send + Sync + 'static) -> Web {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let web = Web { at: listener.local_addr().unwrap().to_string(), asked: Arc::default() };
    let asked = Arc::clone(&web.asked);
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (answer, asked, tls) = (Arc::clone(&answer), Arc::clone(&asked), tls.clone());
            thread::spawn(move || {
                let mut line: Box<dyn Line> = match tls {
                    Some(tls) => Box::new(StreamOwned::new(ServerConnection::new(tls).unwrap(), stream)),
                    None => Box::new(stream),
                };
                let Some(request) = request(&mut *line) else { return };
                asked.lock().unwrap().push(request.clone());
                let _gone = line.write_all(answer(&request).as_bytes()).and_then(|()| line.flush());
            });
        }
    });
    web
}

/// Head and body; nothing when the connection ends before.
fn request(line: &mut dyn Line) -> Option<String> {
    let mut all = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&all).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|row| row.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return Some(text);
            }
        }
        let mut some = [0; 4096];
        let read = line.read(&mut some).ok().filter(|read| *read > 0)?;
        all.extend_from_slice(&some[..read]);
    }
}

/// A whole answer.
pub(crate) fn say(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

impl Web {
    /// Every request so far, whole.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// Those whose first line begins so.
    pub(crate) fn count(&self, first: &str) -> usize {
        self.asked().iter().filter(|request| request.starts_with(first)).count()
    }
}

/// A certificate that signs itself, with its key, for this name; `None` without openssl.
pub(crate) fn certificate(dir: &Path, name: &str) -> Option<(PathBuf, Arc<ServerConfig>)> {
    let (cert, key) = (dir.join(format!("{name}.pem")), dir.join(format!("{name}.key")));
    let mut command = Command::new("openssl");
    command.args("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 9".split(' '));
    command.args(["-subj", &format!("/CN={name}"), "-addext", "basicConstraints=critical,CA:FALSE"]);
    command.args(["-addext", &format!("subjectAltName={name}"), "-keyout"]).arg(&key).arg("-out").arg(&cert);
    let made = command.stdin(Stdio::null()).output().ok()?;
    assert!(made.status.success(), "{made:?}");
    let chain = CertificateDer::pem_file_iter(&cert).unwrap().map(Result::unwrap).collect();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(chain, PrivateKeyDer::from_pem_file(&key).unwrap());
    Some((cert, Arc::new(config.unwrap())))
}
