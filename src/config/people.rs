//! Who may do what, who is called, by when, and how they are told: `[grants]`, `[severities]`,
//! `[escalation.SEVERITY]`, `[[contacts]]`, `[notify]`.

use super::Lasting;
use super::schema::{CONTACT, ESCALATION};
use crate::base::body::nearest;
use crate::base::{Body, Clean, Contact, Fault, Severity, Support};
use core::time::Duration;

/// The rows of the matrix; INFO has none, since nobody has to answer it.
const ROWS: [Severity; 3] = [Severity::Critical, Severity::Major, Severity::Minor];
/// Support levels of people.
const LEVELS: [&str; 3] = ["L1", "L2", "L3"];

/// What a profile says about people. What is absent is as it ships.
#[derive(Clone, Debug, Default)]
pub struct People {
    /// Support levels: of a login, of a `%group`, of everybody else `*`.
    pub grants: Vec<(String, Support)>,
    /// Words of the label `severity`.
    pub words: Vec<(Clean, Severity)>,
    /// Rows of the matrix: time to respond, time to escalate.
    pub rows: Vec<(Severity, Option<Duration>, Option<Duration>)>,
    /// Who can be called, in the order of the file.
    pub contacts: Vec<Contact>,
    /// The webhook's table, for whoever sends.
    pub notify: Option<Body>,
}

impl People {
    /// Takes the five tables out of a file; a broken row is a fault and leaves the others.
    pub(super) fn read(file: &mut Body, faults: &mut Vec<Fault>) -> Self {
        let mut keep = Keep(faults);
        let mut people = Self::default();
        if let Some(mut rows) = keep.of(file.take_table("grants")).flatten() {
            for name in rows.keys() {
                people.grants.extend(keep.of(grant(&mut rows, &name)).map(|level| (name, level)));
            }
        }
        if let Some(mut words) = keep.of(file.take_table("severities")).flatten() {
            for word in words.keys() {
                let severity = keep.of(severity(&mut words, &word));
                people.words.extend(severity.map(|severity| (Clean::text(&word), severity)));
            }
        }
        if let Some(mut rows) = keep.of(file.take_table("escalation")).flatten() {
            for name in rows.keys() {
                people.rows.extend(keep.of(row(&mut rows, &name)));
            }
        }
        for body in keep.of(file.take_array("contacts")).unwrap_or_default() {
            let place = body.clone();
            keep.0.extend(controls(&body));
            let Some(new) = keep.of(contact(body)) else { continue };
            if people.contacts.iter().any(|contact| contact.name == new.name) {
                let what = format!("`{}` is listed for the second time.", new.name);
                keep.0.push(place.fault_at("name", what).hint("Each name once: escalations are recorded by it."));
            } else {
                people.contacts.push(new);
            }
        }
        people.notify = keep.of(file.take_table("notify")).flatten();
        people
    }

    /// Lays a file over what it extends: grants, words and contacts by name, times one by one, the webhook as a whole.
    pub(super) fn put(&mut self, over: Self) {
        self.grants.retain(|(name, _)| !over.grants.iter().any(|(new, _)| new == name));
        self.grants.extend(over.grants);
        // A later row counts: whoever reads them goes from the first to the last.
        self.words.extend(over.words);
        self.rows.extend(over.rows);
        for contact in over.contacts {
            match self.contacts.iter_mut().find(|known| known.name == contact.name) {
                Some(known) => *known = contact,
                None => self.contacts.push(contact),
            }
        }
        self.notify = over.notify.or(self.notify.take());
    }
}

struct Keep<'a>(&'a mut Vec<Fault>);

impl Keep<'_> {
    fn of<T>(&mut self, result: Result<T, Fault>) -> Option<T> {
        result.map_err(|fault| self.0.push(fault)).ok()
    }
}

fn grant(rows: &mut Body, name: &str) -> Result<Support, Fault> {
    let place = rows.fault_at(name, "");
    let level: String = rows.need(name)?;
    Support::parse(&level).ok_or_else(|| {
        let what = Clean::text(format!("unknown support level `{level}`."));
        let known = Support::ALL.map(|level| level.to_string());
        Fault { what, ..place }.hint(nearest(&level, known.iter().map(String::as_str)))
    })
}

/// Only a word of ours: this is our own file.
fn severity(words: &mut Body, word: &str) -> Result<Severity, Fault> {
    let place = words.fault_at(word, "");
    let name: String = words.need(word)?;
    let known = Severity::ALL.map(Severity::name);
    Severity::ALL.into_iter().find(|severity| severity.name() == name).ok_or_else(|| {
        let what = Clean::text(format!("unknown severity `{name}`."));
        Fault { what, ..place }.hint(nearest(&name, known.into_iter().rev()))
    })
}

fn row(rows: &mut Body, name: &str) -> Result<(Severity, Option<Duration>, Option<Duration>), Fault> {
    let place = rows.fault_at(name, "");
    let Some(severity) = ROWS.into_iter().find(|severity| severity.name() == name) else {
        let what = Clean::text(format!("the matrix has no row `{name}`."));
        return Err(Fault { what, ..place }.hint(nearest(name, ROWS.into_iter().map(Severity::name))));
    };
    let Some(mut body) = rows.take_table(name)? else { return Ok((severity, None, None)) };
    let whole = body.clone();
    let respond = body.take::<Lasting>("respond")?.map(|lasting| lasting.0);
    let escalate = body.take::<Lasting>("escalate")?.map(|lasting| lasting.0);
    body.done(&ESCALATION.names())?;
    if respond.is_some_and(|respond| respond.is_zero()) {
        return Err(whole.fault_at("respond", "nobody answers in no time.").hint("Write for example `15m`."));
    }
    Ok((severity, respond, escalate))
}

/// Control characters in what somebody is called or reached by: shown and copied as marks, so the contact stays.
fn controls(body: &Body) -> Vec<Fault> {
    let text = |key: &str| body.clone().take::<String>(key).ok().flatten();
    let odd = |key: &&&str| text(key).is_some_and(|text| text.chars().any(char::is_control));
    let fault = |key: &&str| {
        let what = format!("`{key}` has a control character in it, which is shown as a mark.");
        body.fault_at(key, what).hint("Leave it out: what is dialled or copied has none.")
    };
    CONTACT.names().iter().filter(odd).map(fault).collect()
}

fn contact(mut body: Body) -> Result<Contact, Fault> {
    let whole = body.clone();
    let shown = |key: &str, text: Option<Clean>| match text {
        Some(text) if text.as_str().trim().is_empty() => Err(whole.fault_at(key, format!("`{key}` is empty."))),
        other => Ok(other),
    };
    let name = shown("name", Some(body.need("name")?))?.unwrap_or_default();
    let role = shown("role", Some(body.need("role")?))?.unwrap_or_default();
    let level: String = body.need("level")?;
    if !LEVELS.contains(&level.as_str()) {
        let what = format!("unknown support level `{level}`.");
        return Err(whole.fault_at("level", what).hint(nearest(&level, LEVELS.into_iter())));
    }
    let phone = shown("phone", body.take("phone")?)?;
    let mail = shown("mail", body.take("mail")?)?;
    let web = shown("web", body.take("web")?)?;
    if let Some(odd) =
        web.as_ref().filter(|web| !["https://", "http://"].iter().any(|way| web.as_str().starts_with(way)))
    {
        let what = format!("`{odd}` is no address of a page.");
        return Err(whole.fault_at("web", what).hint("It begins with https://."));
    }
    body.done(&CONTACT.names())?;
    if phone.is_none() && mail.is_none() && web.is_none() {
        return Err(whole.fault(format!("`{name}` cannot be reached.")).hint("Write a `phone`, a `mail` or a `web`."));
    }
    Ok(Contact { name, role, level: Clean::text(level), phone, mail, web })
}
