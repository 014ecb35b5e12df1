use crate::{
    auth::{Caller, Identity},
    extract::{Body, Id, Params},
    problem::{Problem, Result},
    resource::EventResource,
    routes::ticket_types::OfferView,
    view::{Moment, Page, PageQuery, page},
    wiring::App,
};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use domain::{
    Currency, EventId, Label, OrganizerId, Timestamp, VenueId,
    changes::{Charge, Event},
    event::EventStatus,
    pricing::ChargeKind,
    role::Permission,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use transactional::{
    PageRequest, Stored,
    events::{self, EventDetails, EventFilter},
    promo_codes, ticket_types,
};
use utoipa::{IntoParams, ToSchema};

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EventInput {
    #[schema(value_type = Option<String>)]
    venue_id: Option<VenueId>,
    #[schema(value_type = String, example = "Late Quartet")]
    #[serde(deserialize_with = "crate::view::typed")]
    title: Label,
    description: Option<String>,
    #[schema(example = "concert")]
    category: Option<String>,
    /// BCP 47
    #[schema(example = "de")]
    language: Option<String>,
    url: Option<String>,
    starts_at: Moment,
    ends_at: Moment,
    /// An IANA name.
    #[schema(example = "Europe/Vienna")]
    timezone: String,
    #[schema(value_type = String, example = "EUR")]
    currency: Currency,
    /// Fees and taxes on its tickets.
    #[serde(default)]
    charges: Vec<ChargeInput>,
    /// Until when buyers may cancel paid orders themselves. None: never.
    refundable_until: Option<Moment>,
    /// Buyers may choose `at_door` as their payment method: they get their tickets, and pay later.
    #[serde(default)]
    pay_at_door: bool,
    /// Orders wait until they are approved; only then can they be paid.
    #[serde(default)]
    approval_required: bool,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChargeInput {
    #[schema(value_type = String, example = "tax")]
    kind: ChargeKind,
    #[schema(example = "VAT")]
    name: String,
    /// Of the price, and for a tax of the added fees too: 2,000 are 20 %.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 10_000)]
    bps: i64,
    /// For each ticket; of a fee alone.
    #[serde(default)]
    #[schema(minimum = 0)]
    fixed_minor: i64,
    /// Already in the price, not added to it.
    #[serde(default)]
    included: bool,
}

impl From<ChargeInput> for Charge {
    fn from(input: ChargeInput) -> Self {
        Self {
            kind: input.kind,
            name: input.name,
            bps: input.bps,
            fixed_minor: input.fixed_minor,
            included: input.included,
        }
    }
}

impl From<EventInput> for EventDetails {
    fn from(input: EventInput) -> Self {
        let EventInput {
            venue_id,
            title,
            description,
            category,
            language,
            url,
            timezone,
            currency,
            charges,
            refundable_until,
            pay_at_door,
            approval_required,
            ..
        } = input;
        let (starts_at, ends_at) = (input.starts_at.0, input.ends_at.0);
        Self {
            venue_id,
            title,
            description,
            category,
            language,
            url,
            starts_at,
            ends_at,
            timezone,
            currency,
            charges: charges.into_iter().map(Charge::from).collect(),
            refundable_until: refundable_until.map(Timestamp::from),
            pay_at_door,
            approval_required,
        }
    }
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ShopQuery {
    /// Shows the hidden ticket types that this code opens too.
    promo_code: Option<String>,
}

/// An event with what can be bought.
#[derive(Serialize, ToSchema)]
pub struct EventView {
    #[serde(flatten)]
    event: EventResource,
    ticket_types: Vec<OfferView>,
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EventQuery {
    #[param(value_type = Option<String>)]
    organizer_id: Option<OrganizerId>,
    #[param(value_type = Option<String>)]
    status: Option<EventStatus>,
    /// Only events that start at this moment or later.
    #[param(value_type = Option<String>)]
    starts_from: Option<Moment>,
    /// Only events that start before this moment.
    #[param(value_type = Option<String>)]
    starts_before: Option<Moment>,
    /// How many at most: 1 to 200.
    limit: Option<u32>,
    /// `next_cursor` of the answer before.
    cursor: Option<String>,
}

impl EventQuery {
    fn request(&mut self) -> Result<PageRequest> {
        PageQuery {
            limit: self.limit,
            cursor: self.cursor.take(),
        }
        .request()
    }

    fn filter(&self, organizer_id: Option<OrganizerId>, statuses: Vec<EventStatus>) -> EventFilter {
        let moment = |moment: Option<Moment>| moment.map(Timestamp::from);
        EventFilter {
            organizer_id,
            statuses,
            starts_from: moment(self.starts_from),
            starts_before: moment(self.starts_before),
        }
    }
}

/// Draft an event
#[utoipa::path(post, path = "/v1/organizers/{organizer_id}/events", tag = "events", request_body = EventInput,
    params(("organizer_id" = String, Path)),
    responses((status = 201, body = EventResource), (status = 403, body = Problem), (status = 422, body = Problem)))]
pub async fn draft_event(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(organizer_id): Id<OrganizerId>,
    Body(input): Body<EventInput>,
) -> Result<(StatusCode, Json<EventResource>)> {
    identity.require(organizer_id, Permission::ManageEvents)?;
    let event = app
        .store
        .write(identity.actor(), move |tx| {
            Box::pin(async move { events::create(tx, organizer_id, input.into()).await })
        })
        .await?;
    Ok((StatusCode::CREATED, Json(event.into())))
}

/// List an organizer's events, drafts too
#[utoipa::path(get, path = "/v1/organizers/{organizer_id}/events", tag = "events",
    params(("organizer_id" = String, Path), EventQuery), responses((status = 200, body = Page<EventResource>)))]
pub async fn list_organizer_events(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(organizer_id): Id<OrganizerId>,
    Params(mut query): Params<EventQuery>,
) -> Result<Json<Page<EventResource>>> {
    identity.require(organizer_id, Permission::CheckIn)?;
    let request = query.request()?;
    let filter = query.filter(Some(organizer_id), query.status.into_iter().collect());
    Ok(Json(page(
        events::list(&mut app.store.read().await?, filter, request).await?,
    )))
}

/// List published events
#[utoipa::path(get, path = "/v1/events", tag = "storefront", params(EventQuery), security(()),
    responses((status = 200, body = Page<EventResource>)))]
pub async fn list_events(
    State(app): State<Arc<App>>,
    Params(mut query): Params<EventQuery>,
) -> Result<Json<Page<EventResource>>> {
    let request = query.request()?;
    let status = query.status.unwrap_or(EventStatus::Published);
    if !is_public(status) {
        return Err(Problem::new(
            "invalid_parameter",
            "drafts are listed by organizer, for its members",
        ));
    }
    let filter = query.filter(query.organizer_id, vec![status]);
    Ok(Json(page(
        events::list(&mut app.store.read().await?, filter, request).await?,
    )))
}

/// Show an event and what can be bought
#[utoipa::path(get, path = "/v1/events/{event_id}", tag = "storefront", security(()),
    params(("event_id" = String, Path), ShopQuery),
    responses((status = 200, body = EventView), (status = 404, body = Problem)))]
pub async fn show_event(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    Id(event_id): Id<EventId>,
    Params(query): Params<ShopQuery>,
) -> Result<Json<EventView>> {
    let mut db = app.store.read().await?;
    let event = events::get(&mut db, event_id).await?;
    let is_staff = caller.is_some_and(|identity| identity.may(event.organizer_id, Permission::CheckIn));
    if !is_public(event.status) && !is_staff {
        return Err(Problem::not_found("event"));
    }
    let now = Timestamp::now();
    let code = match query.promo_code {
        Some(text) => Some(promo_codes::usable(&mut db, event_id, &text, now).await?),
        None => None,
    };
    let opened = |id| is_staff || code.as_ref().is_some_and(|code| code.opens(id));
    let mut offers = ticket_types::offers(&mut db, event_id, now).await?;
    offers.retain(|offer| !offer.ticket_type.hidden || opened(offer.ticket_type.ticket_type_id));
    let currency = event.currency;
    Ok(Json(EventView {
        event: event.into(),
        ticket_types: offers
            .into_iter()
            .map(|offer| OfferView::new(offer, currency))
            .collect(),
    }))
}

/// Change an event's details
#[utoipa::path(put, path = "/v1/events/{event_id}", tag = "events", request_body = EventInput,
    params(("event_id" = String, Path)),
    responses((status = 200, body = EventResource), (status = 403, body = Problem), (status = 422, body = Problem)))]
pub async fn update_event(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(event_id): Id<EventId>,
    Body(input): Body<EventInput>,
) -> Result<Json<EventResource>> {
    require_event(&app, &identity, event_id, Permission::ManageEvents).await?;
    let event = app
        .store
        .write(identity.actor(), move |tx| {
            Box::pin(async move { events::update(tx, event_id, input.into()).await })
        })
        .await?;
    Ok(Json(event.into()))
}

/// Publish, postpone, cancel or end an event
///
/// `publish` also brings a postponed event back on sale.
#[utoipa::path(post, path = "/v1/events/{event_id}/{transition}", tag = "events",
    params(("event_id" = String, Path), ("transition" = String, Path, description = "publish, postpone, cancel or end")),
    responses((status = 200, body = EventResource), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn change_event_status(
    State(app): State<Arc<App>>,
    identity: Identity,
    Path((event_id, transition)): Path<(String, String)>,
) -> Result<Json<EventResource>> {
    let next = match transition.as_str() {
        "publish" => EventStatus::Published,
        "postpone" => EventStatus::Postponed,
        "cancel" => EventStatus::Cancelled,
        "end" => EventStatus::Ended,
        _ => return Err(Problem::not_found("transition: use publish, postpone, cancel or end")),
    };
    let event_id: EventId = event_id
        .parse()
        .map_err(|error| Problem::new("invalid_parameter", format!("{error}")))?;
    require_event(&app, &identity, event_id, Permission::ManageEvents).await?;
    let event = app
        .store
        .write(identity.actor(), move |tx| {
            Box::pin(async move { events::set_status(tx, event_id, next).await })
        })
        .await?;
    Ok(Json(event.into()))
}

/// The event, if the identity may do this with it.
pub(super) async fn require_event(
    app: &App,
    identity: &Identity,
    event_id: EventId,
    permission: Permission,
) -> Result<Stored<Event>> {
    let event = events::get(&mut app.store.read().await?, event_id).await?;
    identity.require_at(event.organizer_id, event_id, permission)?;
    Ok(event)
}

fn is_public(status: EventStatus) -> bool {
    status != EventStatus::Draft
}
