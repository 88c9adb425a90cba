//! Why a request got no answer, as a sentence: where, what, hint.

use crate::base::scrub::scrub;
use crate::base::{Clean, Failure};
use crate::samplers::http::tls;
use crate::samplers::resolve::NameFault;
use core::error::Error;
use reqwest::StatusCode;
use std::io;

/// A redirect that is not followed, as the end of a sentence.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Refused(pub(super) String);

/// A login that is missing (401, 403), or the one that the profile gives: the name of its user, if it has one.
pub(crate) fn no_entry(answer: &str, status: StatusCode, login: Option<&str>) -> Failure {
    let Some(user) = login else {
        return Failure::not_permitted(format!("{answer}. It wants a login that the profile does not give."));
    };
    let user = if user.is_empty() { String::new() } else { format!(" (user {})", Clean::text(user)) };
    let hint = if status == StatusCode::FORBIDDEN {
        "It may lack a right there."
    } else {
        "Mend it in the profile, or let it in there."
    };
    Failure::not_permitted(format!("{answer}. The login that the profile gives is refused{user}. {hint}"))
}

pub(super) fn failure(place: &Clean, error: &reqwest::Error) -> Failure {
    if let Some(Refused(what)) = cause::<Refused>(error) {
        return Failure::answered(format!("{place} {what}."));
    }
    if let Some(NameFault(what)) = cause::<NameFault>(error) {
        return Failure::unreachable(format!("{place}: {what}."));
    }
    if error.is_connect() && error.is_timeout() {
        return Failure::unreachable(format!("{place}: no connection within 2 s. Is the host up, the port open?"));
    }
    if let Some(io) = cause::<io::Error>(error) {
        if let Some(tls) = handshake(io) {
            let what = format!("{place}: {}.", tls::doubt(tls));
            // Who shows a certificate has answered; what comes before may be no TLS at all.
            let shown = matches!(tls, rustls::Error::InvalidCertificate(_));
            return if shown { Failure::answered(what) } else { Failure::unreachable(what) };
        }
        return match io.kind() {
            io::ErrorKind::ConnectionRefused => {
                Failure::unreachable(format!("{place} refused the connection. Is the service running?"))
            }
            io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe => {
                broke_off(place)
            }
            _ => Failure::unreachable(format!("{place}: {}.", scrub(&io.to_string()))),
        };
    }
    if error.is_body() || error.is_decode() {
        return broke_off(place);
    }
    let last = core::iter::successors(error.source(), |cause| (*cause).source()).last();
    let what = last.map_or_else(|| "the request failed".to_owned(), |cause| scrub(&cause.to_string()));
    Failure::unreachable(format!("{place}: {what}."))
}

fn broke_off(place: &Clean) -> Failure {
    Failure::unreachable(format!("{place} closed the connection before its answer was whole."))
}

fn cause<E: Error + 'static>(error: &reqwest::Error) -> Option<&E> {
    core::iter::successors(error.source(), |cause| (*cause).source()).find_map(<dyn Error>::downcast_ref)
}

/// The handshake's own error; each layer below wraps it into one of input and output.
pub(crate) fn handshake(error: &io::Error) -> Option<&rustls::Error> {
    let inner = error.get_ref()?;
    inner.downcast_ref().or_else(|| handshake(inner.downcast_ref()?))
}
