//! What a scanner takes along for the time without a network.

use super::check_ins::require_list;
use crate::{
    auth::Identity,
    extract::{Id, Params},
    problem::{Problem, Result},
    resource::{CheckInListResource, Resource, TicketTypeResource},
    view::Moment,
    wiring::App,
};
use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{
    CheckInListId, EventId, TicketId,
    check_in::{Due, ScanKind},
    event::EventStatus,
    role::Permission,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use transactional::check_ins::{self, Download, Revocation, SeenTicket};
use utoipa::{IntoParams, ToSchema};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DownloadQuery {
    /// Of the last page: only what is new since then. None: from the beginning.
    cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct DownloadView {
    list: CheckInListResource,
    event: DownloadedEvent,
    /// Each that still verifies.
    keys: Vec<DownloadedKey>,
    ticket_types: Vec<TicketTypeResource>,
    /// All tickets of the event of which the code alone tells too little; none on pages with `more`.
    revocations: Option<Vec<RevocationView>>,
    /// Pairs of label and box.
    attendees: Vec<(String, String)>,
    /// What the list has seen of tickets, where it has changed. It replaces what was known of them.
    seen: Vec<SeenView>,
    /// For the next page, or for what is new later.
    cursor: String,
    /// There is another page already.
    more: bool,
}

#[derive(Serialize, ToSchema)]
pub struct DownloadedEvent {
    #[schema(value_type = String)]
    event_id: EventId,
    title: String,
    #[schema(value_type = String)]
    status: EventStatus,
    /// IANA name: days are counted in it.
    timezone: String,
    starts_at: Moment,
    ends_at: Moment,
}

#[derive(Serialize, ToSchema)]
pub struct DownloadedKey {
    /// Codes name it.
    number: u8,
    /// Ed25519, 32 bytes as base64url.
    public_key: String,
}

#[derive(Serialize, ToSchema)]
pub struct RevocationView {
    #[schema(value_type = String)]
    ticket_id: TicketId,
    /// Codes of earlier versions are revoked. It is 1 for tickets that are not listed.
    code_version: i64,
    cancelled: bool,
    blocked: bool,
    /// What its order waits for: `payment`, `approval` or `nothing`.
    #[schema(value_type = String)]
    due: Due,
}

#[derive(Serialize, ToSchema)]
pub struct SeenView {
    #[schema(value_type = String)]
    ticket_id: TicketId,
    entries: i64,
    last_at: Option<Moment>,
    /// `entry` or `exit`
    #[schema(value_type = Option<String>)]
    last_kind: Option<ScanKind>,
    first_at: Option<Moment>,
    first_gate: Option<String>,
    /// The last entry.
    entered_at: Option<Moment>,
}

impl From<Revocation> for RevocationView {
    fn from(revocation: Revocation) -> Self {
        Self {
            ticket_id: revocation.ticket_id,
            code_version: revocation.code_version,
            cancelled: revocation.cancelled,
            blocked: revocation.blocked,
            due: revocation.due,
        }
    }
}

impl From<SeenTicket> for SeenView {
    fn from(ticket: SeenTicket) -> Self {
        Self {
            ticket_id: ticket.ticket_id,
            entries: ticket.seen.entries,
            last_at: ticket.seen.last_at.map(Moment),
            last_kind: ticket.seen.last_kind,
            first_at: ticket.seen.first_at.map(Moment),
            first_gate: ticket.seen.first_gate,
            entered_at: ticket.seen.entered_at.map(Moment),
        }
    }
}

impl From<Download> for DownloadView {
    fn from(download: Download) -> Self {
        let event = download.event.value;
        let views = |all: Vec<Revocation>| all.into_iter().map(RevocationView::from).collect();
        let key = |(number, bytes): (u8, [u8; 32])| DownloadedKey {
            number,
            public_key: URL_SAFE_NO_PAD.encode(bytes),
        };
        Self {
            list: download.list.into(),
            event: DownloadedEvent {
                event_id: event.event_id,
                title: event.title.to_string(),
                status: event.status,
                timezone: event.timezone,
                starts_at: Moment(event.starts_at),
                ends_at: Moment(event.ends_at),
            },
            keys: download.keys.into_iter().map(key).collect(),
            ticket_types: download
                .ticket_types
                .into_iter()
                .map(|ticket_type| Resource::from(ticket_type).with_currency(event.currency))
                .collect(),
            revocations: download.revocations.map(views),
            attendees: download.attendees,
            seen: download.seen.into_iter().map(SeenView::from).collect(),
            cursor: download.cursor.to_string(),
            more: download.more,
        }
    }
}

/// Download what a door needs without a network
///
/// A code is base64url without padding over 84 bytes: version 1 (one byte), key number (1), code version (2,
/// big-endian), ticket id (16, a UUID), and an Ed25519 signature by the key of that number over the 20 bytes before it
/// (64). A scanner verifies it, refuses what `revocations` refuses, and asks `list`, `event`, `ticket_types` and `seen`
/// for the rest, as the server does; ids of tickets stand in the clear, people do not.
///
/// Who comes with a ticket lies in a box that the ticket's code alone opens. From the 84 bytes of the code:
/// `label = SHA-256("bilten:attendee:label" 00 code)`, its first 16 bytes;
/// `key = SHA-256("bilten:attendee:key" 00 code)`, where 00 is a zero byte. The box is a nonce (12 bytes) and the
/// AES-256-GCM ciphertext with its tag (16); inside are 01, the ticket type's id (16 bytes), and the holder's name in
/// UTF-8. Label and box are base64url without padding. After a rotation of the event's keys, tickets from before have
/// a box for each key.
///
/// Take pages until `more` is false, and later go on from the last `cursor`: that has only what is new, and nothing
/// costs little. The `ETag` is of the page; `If-None-Match` answers 304 if it is still the same.
#[utoipa::path(get, path = "/v1/check-in-lists/{check_in_list_id}/download", tag = "check-in",
    params(("check_in_list_id" = String, Path), DownloadQuery),
    responses((status = 200, body = DownloadView), (status = 304), (status = 404, body = Problem)))]
pub async fn download(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(id): Id<CheckInListId>,
    Params(query): Params<DownloadQuery>,
    headers: HeaderMap,
) -> Result<Response> {
    require_list(&app, &identity, id, Permission::CheckIn).await?;
    let cursor = query.cursor.map(|cursor| cursor.parse()).transpose();
    let cursor = cursor.map_err(|error: domain::Invalid| Problem::new("invalid_parameter", error.0))?;
    let view = DownloadView::from(check_ins::download(&app.store, id, cursor).await?);
    let body = serde_json::to_vec(&view).map_err(Problem::internal)?;
    let etag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(&Sha256::digest(&body)[..16]));
    // The compression in front of us makes a weak tag of it.
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let same = known.is_some_and(|known| known.split(',').any(|tag| tag.trim().trim_start_matches("W/") == etag));
    let tag = [(header::ETAG, etag)];
    if same {
        return Ok((StatusCode::NOT_MODIFIED, tag).into_response());
    }
    Ok((tag, [(header::CONTENT_TYPE, "application/json")], body).into_response())
}
