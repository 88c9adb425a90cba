//! Somebody who can be called.

use super::Clean;
use crate::clean;

/// One person or rota, as the profile lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Unique in the profile.
    pub name: Clean,
    /// What they are: `Technical lead`.
    pub role: Clean,
    /// Support level: `L1`, `L2`, `L3`.
    pub level: Clean,
    /// As it is dialled.
    pub phone: Option<Clean>,
    /// Mail address.
    pub mail: Option<Clean>,
    /// The address of a page: a chat, an issue tracker.
    pub web: Option<Clean>,
}

impl Contact {
    /// Level and name, as an escalation names whom it went to: `L2 Ada Example`.
    pub fn label(&self) -> Clean {
        self.level.join(" ", &self.name)
    }

    /// How to reach them, the quickest way first.
    pub fn ways(&self) -> impl Iterator<Item = &Clean> {
        [&self.phone, &self.mail, &self.web].into_iter().flatten()
    }

    /// The text form for the clipboard, a line a fact.
    pub fn card(&self) -> Vec<Clean> {
        let head = clean!("{}, {} ({})", self.name, self.role, self.level);
        let ways = [("phone", &self.phone), ("mail", &self.mail), ("web", &self.web)];
        let ways = ways.into_iter().filter_map(|(way, at)| at.as_ref().map(|at| clean!("{way} {at}")));
        core::iter::once(head).chain(ways).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_says_only_what_is_known() {
        let mut contact = Contact {
            name: "Ada Example".into(),
            role: "Technical lead".into(),
            level: "L2".into(),
            phone: Some("+1-555-0124".into()),
            mail: None,
            web: None,
        };
        assert_eq!(contact.label().as_str(), "L2 Ada Example");
        assert_eq!(contact.card(), [Clean::from("Ada Example, Technical lead (L2)"), "phone +1-555-0124".into()]);
        contact.mail = Some("ada@example.org".into());
        assert_eq!(contact.card().last(), Some(&"mail ada@example.org".into()));
        contact.web = Some("https://chat.example.org/ada".into());
        assert_eq!(contact.card().last(), Some(&"web https://chat.example.org/ada".into()));
        let ways: Vec<&str> = contact.ways().map(Clean::as_str).collect();
        assert_eq!(ways, ["+1-555-0124", "ada@example.org", "https://chat.example.org/ada"]);
    }
}
