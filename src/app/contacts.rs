//! Whom to call: the contact that the alert of now asks for comes first.

use super::model::Model;
use crate::base::Contact;

/// Who is next for the alert that is meant here and now.
pub fn next(model: &Model) -> Option<&Contact> {
    let found = model.current_alert()?;
    model.book.policy().clock(found, model.book.escalations(&found.id), model.now).next
}

/// Every contact, that one first.
pub fn ordered(model: &Model) -> Vec<&Contact> {
    let next = next(model);
    let others = model.book.policy().contacts().iter().filter(|contact| next != Some(contact));
    next.into_iter().chain(others).collect()
}
