use super::{
    events::require_event,
    scans::{FirstScanView, ShownTicketView},
};
use crate::{
    auth::Identity,
    extract::{Body, Id, Params},
    problem::{Problem, Result},
    resource::{CheckInListResource, CheckInResource, Resource},
    view::{Moment, Page, PageQuery, page},
    wiring::App,
};
use axum::{Json, extract::State, http::StatusCode};
use domain::{CheckInListId, EventId, Label, TicketTypeId, Timestamp, role::Permission};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use transactional::check_ins::{self, Attendance, Expected, FirstScan, ListDetails};
use utoipa::{IntoParams, ToSchema};

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckInListInput {
    #[schema(value_type = String, example = "Main entrance")]
    #[serde(deserialize_with = "crate::view::typed")]
    name: Label,
    /// After an exit, a ticket may enter again.
    #[serde(default)]
    reentry: bool,
    /// Every entry counts, without an exit between. Fixed when the list is made.
    #[serde(default)]
    multi_entry: bool,
    /// Whoever scans may let in, with `ignore_unpaid`, who has not paid yet.
    #[serde(default)]
    include_pending: bool,
    /// Empty: every ticket type of the event.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    ticket_types: Vec<TicketTypeId>,
    /// People enter from then on.
    opens_at: Option<Moment>,
    /// From then on nobody enters any more.
    closes_at: Option<Moment>,
    /// So long after an entry a ticket enters again at the earliest.
    min_gap_minutes: Option<i64>,
    /// One entry on a day of the event's time zone.
    #[serde(default)]
    once_a_day: bool,
    /// When so many are inside, the change `check_in_list.capacity_reached` tells of it, once. Emptying the list or
    /// another number arms it again.
    alert_at: Option<i64>,
}

impl From<CheckInListInput> for ListDetails {
    fn from(input: CheckInListInput) -> Self {
        Self {
            name: input.name,
            reentry: input.reentry,
            multi_entry: input.multi_entry,
            include_pending: input.include_pending,
            ticket_types: input.ticket_types,
            opens_at: input.opens_at.map(Timestamp::from),
            closes_at: input.closes_at.map(Timestamp::from),
            min_gap_minutes: input.min_gap_minutes,
            once_a_day: input.once_a_day,
            alert_at: input.alert_at,
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
    let list = app
        .store
        .write(identity.actor(), move |tx| {
            Box::pin(async move { check_ins::create_list(tx, event_id, input.into()).await })
        })
        .await?;
    Ok((StatusCode::CREATED, Json(list.into())))
}

/// Change a check-in list
#[utoipa::path(put, path = "/v1/check-in-lists/{check_in_list_id}", tag = "check-in", request_body = CheckInListInput,
    params(("check_in_list_id" = String, Path)),
    responses((status = 200, body = CheckInListResource), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn update_check_in_list(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(id): Id<CheckInListId>,
    Body(input): Body<CheckInListInput>,
) -> Result<Json<CheckInListResource>> {
    require_list(&app, &identity, id, Permission::ManageEvents).await?;
    let list = app
        .store
        .write(identity.actor(), move |tx| {
            Box::pin(async move { check_ins::update_list(tx, id, input.into()).await })
        })
        .await?;
    Ok(Json(list.into()))
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

#[derive(Serialize, ToSchema)]
pub struct AttendanceView {
    /// Tickets that are inside now.
    inside: i64,
    /// Tickets that have entered at least once.
    entered: i64,
    /// Valid tickets of the list's types.
    expected: i64,
    types: Vec<TypeCountView>,
    gates: Vec<GateCountView>,
}

#[derive(Serialize, ToSchema)]
pub struct TypeCountView {
    #[schema(value_type = String)]
    ticket_type_id: TicketTypeId,
    name: String,
    inside: i64,
    entered: i64,
    expected: i64,
}

#[derive(Serialize, ToSchema)]
pub struct GateCountView {
    /// None: scans that named no gate.
    gate: Option<String>,
    entries: i64,
    exits: i64,
}

impl From<Attendance> for AttendanceView {
    fn from(attendance: Attendance) -> Self {
        let types = attendance.types.into_iter().map(|count| TypeCountView {
            ticket_type_id: count.ticket_type_id,
            name: count.name,
            inside: count.inside,
            entered: count.entered,
            expected: count.expected,
        });
        let gates = attendance.gates.into_iter().map(|count| GateCountView {
            gate: count.gate,
            entries: count.entries,
            exits: count.exits,
        });
        Self {
            inside: attendance.inside,
            entered: attendance.entered,
            expected: attendance.expected,
            types: types.collect(),
            gates: gates.collect(),
        }
    }
}

/// Show how many are inside
///
/// As of the last scan that was answered.
#[utoipa::path(get, path = "/v1/check-in-lists/{check_in_list_id}/attendance", tag = "check-in",
    params(("check_in_list_id" = String, Path)),
    responses((status = 200, body = AttendanceView), (status = 404, body = Problem)))]
pub async fn show_attendance(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(id): Id<CheckInListId>,
) -> Result<Json<AttendanceView>> {
    require_list(&app, &identity, id, Permission::CheckIn).await?;
    let attendance = check_ins::attendance(&mut app.store.read().await?, id).await?;
    Ok(Json(attendance.into()))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SearchQuery {
    /// A part of the holder's name, or the order's code; at least 3 characters.
    search: String,
}

#[derive(Serialize, ToSchema)]
pub struct ExpectedView {
    #[serde(flatten)]
    ticket: ShownTicketView,
    inside: bool,
    first_scan: Option<FirstScanView>,
}

impl From<Expected> for ExpectedView {
    fn from(expected: Expected) -> Self {
        let gate = expected.seen.first_gate;
        Self {
            ticket: expected.shown.into(),
            inside: expected.inside,
            first_scan: expected.seen.first_at.map(|at| FirstScan { at, gate }.into()),
        }
    }
}

/// Search for a ticket whose code can't be read
///
/// At most 20 tickets, by the holder's name. Fewer than 3 characters find nothing.
#[utoipa::path(get, path = "/v1/check-in-lists/{check_in_list_id}/attendees", tag = "check-in",
    params(("check_in_list_id" = String, Path), SearchQuery), responses((status = 200, body = Vec<ExpectedView>)))]
pub async fn search_attendees(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(id): Id<CheckInListId>,
    Params(query): Params<SearchQuery>,
) -> Result<Json<Vec<ExpectedView>>> {
    require_list(&app, &identity, id, Permission::CheckIn).await?;
    let found = check_ins::search(&mut app.store.read().await?, id, &query.search).await?;
    Ok(Json(found.into_iter().map(ExpectedView::from).collect()))
}

#[derive(Serialize, ToSchema)]
pub struct ExitAllView {
    /// How many were inside.
    exited: i64,
}

/// Let everybody out who is inside
///
/// For the end of a day. Scans from before that arrive later are from before: whoever they let in is out as well.
#[utoipa::path(post, path = "/v1/check-in-lists/{check_in_list_id}/exit-all", tag = "check-in",
    params(("check_in_list_id" = String, Path)),
    responses((status = 200, body = ExitAllView), (status = 404, body = Problem)))]
pub async fn exit_all(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(id): Id<CheckInListId>,
) -> Result<Json<ExitAllView>> {
    require_list(&app, &identity, id, Permission::CheckIn).await?;
    let exited = app
        .store
        .write(identity.actor(), move |tx| {
            Box::pin(async move { check_ins::empty_list(tx, id).await })
        })
        .await?;
    Ok(Json(ExitAllView { exited }))
}

/// The list exists, and the identity may do this with it.
pub(super) async fn require_list(
    app: &App,
    identity: &Identity,
    check_in_list_id: CheckInListId,
    permission: Permission,
) -> Result<()> {
    let owner = app.store.owner_of_list(check_in_list_id).await?;
    identity.require_at(owner.organizer_id, owner.event_id, permission)
}
