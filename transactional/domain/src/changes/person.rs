use super::entity;
use crate::{Email, PersonId, Timestamp, record::record};

record! {
    /// A buyer or attendee, within one organizer. The only place where personal data leaves the core.
    Person {
        person_id: PersonId,
        email: Option<Email>,
        name: Option<String>,
        phone: Option<String>,
        registered_at: Timestamp,
        /// Where the person came from, for who was imported.
        source: Option<String>,
    }
}

entity!(Person, "person", "people", key: person_id, money: None, personal: &["email", "name", "phone"],
    changes: ["registered", "updated"]);
