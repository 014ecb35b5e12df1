use super::entity;
use crate::{Timestamp, WebhookEndpointId, record::record};

record! {
    /// An address of an organizer's that is told of changes. Address and secret stay in the core, as either opens doors.
    WebhookEndpoint {
        webhook_endpoint_id: WebhookEndpointId,
        host: String,
        /// Empty: every change of the organizer.
        change_types: Vec<ListedChangeType>,
        active: bool,
        created_at: Timestamp,
        /// Why the program itself has turned it off.
        disabled_reason: Option<String>,
    }
    ListedChangeType {
        change_type: String,
    }
}

entity!(WebhookEndpoint, "webhook_endpoint", "webhook_endpoints", key: webhook_endpoint_id, money: None, personal: &[],
    changes: ["created", "updated", "secret_rotated", "disabled"]);
