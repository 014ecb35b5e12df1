use super::entity;
use crate::{Email, PersonId, Timestamp, record::record};

record! {
    /// A buyer or attendee, within one organizer. The only place where personal data leaves the core, and it does so
    /// encrypted with the person's own key. One who was erased has an id and no data.
    Person {
        person_id: PersonId,
        email: Option<Email>,
        name: Option<String>,
        phone: Option<String>,
        registered_at: Timestamp,
        /// Where the person came from, for who was imported: the number that the origin knows them by.
        source: Option<String>,
    }
}

entity!(Person, "person", "people", key: person_id, money: None, personal: &["email", "name", "phone", "source"],
    changes: ["registered", "updated", "erased"]);
