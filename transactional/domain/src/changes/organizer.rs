use super::entity;
use crate::{Currency, Label, OrganizerId, Slug, Timestamp, record::record};

record! {
    /// Who runs events: the tenant. Its id stands in the envelope of every change as `organizer_id`.
    Organizer {
        id: OrganizerId,
        slug: Slug,
        name: Label,
        currency: Currency,
        timezone: String,
        city: Option<String>,
        country: Option<String>,
        /// Basis points of every payment that the platform keeps.
        #[serde(default)]
        platform_fee_bps: i64,
        created_at: Timestamp,
    }
}

entity!(Organizer, "organizer", "organizers", key: id, money: None, personal: &[], changes: ["created", "updated"]);
