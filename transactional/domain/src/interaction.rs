//! What a person did on a page or in a mail.

use crate::{
    EventId, InteractionId, OrganizerId, PersonId, Timestamp,
    record::{record, states},
};

/// The lake table and log topic of interactions.
pub const TABLE: &str = "interactions";

states! {
    InteractionKind {
        PageView = "page_view",
        EventView = "event_view",
        Search = "search",
        RecommendationShown = "recommendation_shown",
        RecommendationClicked = "recommendation_clicked",
        HoldStarted = "hold_started",
        CheckoutStarted = "checkout_started",
        Exposure = "exposure",
        EmailOpened = "email_opened",
        EmailClicked = "email_clicked",
    }
}

record! {
    /// One row of `interactions`. `interaction_id` comes from the client and tells a repeat from a second act.
    Interaction {
        interaction_id: InteractionId,
        kind: InteractionKind,
        organizer_id: OrganizerId,
        event_id: Option<EventId>,
        visitor_id: String,
        person_id: Option<PersonId>,
        session_id: String,
        occurred_at: Timestamp,
        received_at: Timestamp,
        url: Option<String>,
        referrer: Option<String>,
        utm_source: Option<String>,
        utm_medium: Option<String>,
        utm_campaign: Option<String>,
        /// A JSON object as text.
        properties: String,
    }
}
