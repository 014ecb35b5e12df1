use super::events::require_event;
use crate::{
    auth::Identity,
    extract::{Body, Id, Params},
    problem::{Problem, Result},
    resource::{CheckInListResource, CheckInResource, Resource, TicketResource},
    view::{Moment, Page, PageQuery, page},
    wiring::App,
};
use axum::{Json, extract::State, http::StatusCode};
use domain::{
    CheckInListId, EventId, Label, TicketTypeId, Timestamp,
    check_in::{Refusal, ScanKind},
    role::Permission,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use transactional::check_ins::{self, ListDetails, Scan, Verdict};
use utoipa::ToSchema;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckInListInput {
    #[schema(value_type = String, example = "Main entrance")]
    name: Label,
    /// After an exit, a ticket may enter again.
    #[serde(default)]
    reentry: bool,
    /// Every entry counts, without an exit between.
    #[serde(default)]
    multi_entry: bool,
    /// Empty: every ticket type of the event.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    ticket_types: Vec<TicketTypeId>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScanInput {
    /// What the QR code holds.
    code: String,
    #[serde(default = "entry")]
    #[schema(value_type = String, default = "entry", example = "entry")]
    kind: ScanKind,
    /// Made by the scanner for each scan: a repeat with the same nonce is answered alike and written once.
    nonce: String,
    /// When the ticket was scanned, if that was earlier.
    scanned_at: Option<Moment>,
    gate: Option<String>,
    /// It has happened at the door already: record it, whatever the rules say. An invalid code stays invalid.
    #[serde(default)]
    force: bool,
    /// Only ask for the verdict, write nothing.
    #[serde(default)]
    simulate: bool,
}

fn entry() -> ScanKind {
    ScanKind::Entry
}

#[derive(Serialize, ToSchema)]
pub struct VerdictView {
    /// `accepted` or `refused`
    verdict: &'static str,
    /// Why it was refused, or would have been if it had not been forced: `invalid`, `revoked`, `cancelled`,
    /// `event_closed`, `invalid_time`, `ticket_type`, `already_redeemed`
    #[schema(value_type = Option<String>)]
    reason: Option<Refusal>,
    forced: bool,
    /// This scan was answered before; nothing was written now.
    repeated: bool,
    ticket: Option<TicketResource>,
    /// The first entry, if the ticket was redeemed before.
    first_scan: Option<FirstScanView>,
}

#[derive(Serialize, ToSchema)]
pub struct FirstScanView {
    at: Moment,
    gate: Option<String>,
}

impl From<Verdict> for VerdictView {
    fn from(verdict: Verdict) -> Self {
        Self {
            verdict: if verdict.accepted { "accepted" } else { "refused" },
            reason: verdict.reason,
            forced: verdict.forced,
            repeated: verdict.repeated,
            ticket: verdict.ticket.map(Resource::from),
            first_scan: verdict.first.map(|first| FirstScanView {
                at: Moment(first.at),
                gate: first.gate,
            }),
        }
    }
}

/// Create a check-in list
#[utoipa::path(post, path = "/v1/events/{event_id}/check-in-lists", tag = "check-in", request_body = CheckInListInput,
    params(("event_id" = String, Path)),
    responses((status = 201, body = CheckInListResource), (status = 422, body = Problem)))]
pub async fn create_check_in_list(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(event_id): Id<EventId>,
    Body(input): Body<CheckInListInput>,
) -> Result<(StatusCode, Json<CheckInListResource>)> {
    require_event(&app, &identity, event_id, Permission::ManageEvents).await?;
    let CheckInListInput {
        name,
        reentry,
        multi_entry,
        ticket_types,
    } = input;
    let details = ListDetails {
        name,
        reentry,
        multi_entry,
        ticket_types,
    };
    let list = app
        .store
        .write(identity.actor(), move |tx| {
            Box::pin(async move { check_ins::create_list(tx, event_id, details).await })
        })
        .await?;
    Ok((StatusCode::CREATED, Json(list.into())))
}

/// List an event's check-in lists
#[utoipa::path(get, path = "/v1/events/{event_id}/check-in-lists", tag = "check-in",
    params(("event_id" = String, Path)), responses((status = 200, body = Vec<CheckInListResource>)))]
pub async fn list_check_in_lists(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(event_id): Id<EventId>,
) -> Result<Json<Vec<CheckInListResource>>> {
    require_event(&app, &identity, event_id, Permission::CheckIn).await?;
    let lists = check_ins::lists(&mut app.store.read().await?, event_id).await?;
    Ok(Json(lists.into_iter().map(Resource::from).collect()))
}

/// Redeem a ticket at a door
///
/// A refusal is an answer, not an error: the status is 200 and the scan is stored with its reason.
#[utoipa::path(post, path = "/v1/check-in-lists/{check_in_list_id}/redeem", tag = "check-in", request_body = ScanInput,
    params(("check_in_list_id" = String, Path)),
    responses((status = 200, body = VerdictView), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn redeem(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(check_in_list_id): Id<CheckInListId>,
    Body(input): Body<ScanInput>,
) -> Result<Json<VerdictView>> {
    require_list(&app, &identity, check_in_list_id, Permission::CheckIn).await?;
    let scan = Scan {
        check_in_list_id,
        code: input.code,
        kind: input.kind,
        nonce: input.nonce,
        scanned_at: input.scanned_at.map(Timestamp::from),
        gate: input.gate,
        force: input.force,
    };
    let verdict = match input.simulate {
        true => check_ins::simulate(&app.store, scan).await?,
        false => check_ins::redeem(&app.store, identity.actor(), scan).await?,
    };
    Ok(Json(verdict.into()))
}

/// List a list's check-ins, accepted and refused, the newest first
#[utoipa::path(get, path = "/v1/check-in-lists/{check_in_list_id}/check-ins", tag = "check-in",
    params(("check_in_list_id" = String, Path), PageQuery),
    responses((status = 200, body = Page<CheckInResource>)))]
pub async fn list_check_ins(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(check_in_list_id): Id<CheckInListId>,
    Params(query): Params<PageQuery>,
) -> Result<Json<Page<CheckInResource>>> {
    require_list(&app, &identity, check_in_list_id, Permission::CheckIn).await?;
    let request = query.request()?;
    Ok(Json(page(
        check_ins::list_check_ins(&mut app.store.read().await?, check_in_list_id, request).await?,
    )))
}

async fn require_list(
    app: &App,
    identity: &Identity,
    check_in_list_id: CheckInListId,
    permission: Permission,
) -> Result<()> {
    let owner = app.store.owner_of_list(check_in_list_id).await?;
    identity.require(owner.organizer_id, permission)
}
