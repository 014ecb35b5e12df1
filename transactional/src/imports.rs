//! What happened elsewhere, taken in with its own times. Every id is derived from the source's, so an import can run
//! again, and again from the middle, and changes only what has changed at the source.

use crate::{
    Error, Refusal, Result, Stored, Tx,
    events::{self, EventDetails},
    orders,
    organizers::{self, OrganizerDetails},
    people,
    pools::{self, Move, PoolDetails},
    ticket_keys, ticket_types, tickets,
    venues::{self, VenueDetails},
};
use domain::{
    Currency, Email, EventId, Label, Money, OrderId, OrganizerId, PersonId, PoolId, PriceId, Slug, TicketTypeId,
    Timestamp, VenueId,
    changes::{Event, Line, Order, Person, PoolRef, Price, TicketType},
    event::EventStatus,
    order::OrderStatus,
};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// `source` names a thing at its origin, such as `meetup:event:100083132`; others refer to it by that.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ImportItem {
    Organizer(ImportedOrganizer),
    Venue(ImportedVenue),
    Event(ImportedEvent),
    Order(ImportedOrder),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ImportedOrganizer {
    pub source: String,
    pub slug: Slug,
    pub name: Label,
    pub currency: Currency,
    pub timezone: String,
    pub city: Option<String>,
    pub country: Option<String>,
    pub created_at: Timestamp,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ImportedVenue {
    pub source: String,
    pub organizer: String,
    pub details: VenueDetails,
    pub created_at: Timestamp,
}

/// An event with one pool and one ticket type.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ImportedEvent {
    pub source: String,
    pub organizer: String,
    pub venue: Option<String>,
    pub title: Label,
    pub description: Option<String>,
    pub category: Option<String>,
    pub language: Option<String>,
    pub url: Option<String>,
    pub starts_at: Timestamp,
    pub ends_at: Timestamp,
    pub timezone: String,
    pub currency: Currency,
    pub status: EventStatus,
    pub capacity: Option<i64>,
    pub price_minor: i64,
    pub created_at: Timestamp,
}

/// One person's tickets for one event, paid when they were placed, and perhaps cancelled later.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ImportedOrder {
    pub source: String,
    pub event: String,
    pub person: ImportedPerson,
    pub quantity: i64,
    pub placed_at: Timestamp,
    pub cancelled_at: Option<Timestamp>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ImportedPerson {
    pub source: String,
    pub email: Option<Email>,
    pub name: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ImportOutcome {
    Created,
    Updated,
    Unchanged,
    /// Nothing of this item was written.
    Refused(Refusal),
}

/// The time in a derived id. Others refer to a thing by its source alone, so its id can't depend on more.
/// When anything was sold at all, in microseconds: 1900 to 2199. What computes with a day needs room on both sides.
const SALES: Range<i64> = -2_208_988_800_000_000..7_258_118_400_000_000;

const NO_TIME: Timestamp = Timestamp::from_micros(0);

pub fn organizer_id(source: &str) -> OrganizerId {
    OrganizerId::derived(NO_TIME, source)
}

pub fn venue_id(source: &str) -> VenueId {
    VenueId::derived(NO_TIME, source)
}

pub fn event_id(source: &str) -> EventId {
    EventId::derived(NO_TIME, source)
}

pub fn order_id(source: &str) -> OrderId {
    OrderId::derived(NO_TIME, source)
}

/// A person is one within an organizer, so the same member of two groups is two people.
pub fn person_id(organizer_id: OrganizerId, source: &str) -> PersonId {
    PersonId::derived(NO_TIME, &format!("{organizer_id}:{source}"))
}

/// Takes one item in. Several hundred of them fit one command.
pub async fn import_item(tx: &mut Tx, item: &ImportItem) -> Result<ImportOutcome> {
    let outcome = match item {
        ImportItem::Organizer(organizer) => import_organizer(tx, organizer).await,
        ImportItem::Venue(venue) => import_venue(tx, venue).await,
        ImportItem::Event(event) => import_event(tx, event).await,
        ImportItem::Order(order) => import_order(tx, order).await,
    };
    tx.original = None;
    outcome
}

async fn import_organizer(tx: &mut Tx, item: &ImportedOrganizer) -> Result<ImportOutcome> {
    let id = organizer_id(&item.source);
    let details = OrganizerDetails {
        slug: item.slug.clone(),
        name: item.name.clone(),
        currency: item.currency,
        timezone: item.timezone.clone(),
        city: item.city.clone(),
        country: item.country.clone(),
    };
    if let Some(before) = found(organizers::get(tx, id).await)? {
        let after = organizers::update(tx, id, details).await?;
        return Ok(changed(&before, &after));
    }
    if found(organizers::by_slug(tx, &item.slug).await)?.is_some() {
        let message = format!("another organizer has the slug {}", item.slug);
        return Ok(ImportOutcome::Refused(Refusal::new("slug_taken", message)));
    }
    tx.at(item.created_at);
    organizers::create_as(tx, id, details).await?;
    Ok(ImportOutcome::Created)
}

async fn import_venue(tx: &mut Tx, item: &ImportedVenue) -> Result<ImportOutcome> {
    let id = venue_id(&item.source);
    if let Some(before) = found(venues::get(tx, id).await)? {
        let after = venues::update(tx, id, item.details.clone()).await?;
        return Ok(changed(&before, &after));
    }
    let organizer_id = organizer_id(&item.organizer);
    if found(organizers::get(tx, organizer_id).await)?.is_none() {
        return Ok(unknown("organizer", &item.organizer));
    }
    tx.at(item.created_at);
    venues::create_as(tx, organizer_id, id, item.details.clone()).await?;
    Ok(ImportOutcome::Created)
}

async fn import_event(tx: &mut Tx, item: &ImportedEvent) -> Result<ImportOutcome> {
    let id = event_id(&item.source);
    if item.ends_at <= item.starts_at {
        return Ok(ImportOutcome::Refused(Refusal::new(
            "invalid",
            "an event ends after it starts",
        )));
    }
    if !(0..=ticket_types::HIGHEST_PRICE).contains(&item.price_minor)
        || item.capacity.is_some_and(|capacity| capacity < 0)
    {
        return Ok(ImportOutcome::Refused(Refusal::new(
            "invalid",
            "a price is 0 to 1,000,000,000,000 minor units, and a capacity not below 0",
        )));
    }
    let record = events::record(id, details(item), item.status, Some(item.source.clone()));
    if let Some(mut event) = found(events::get(tx, id).await)? {
        // Its currency stays, since orders are in it; so does a status that can't become the source's, such as the
        // end of an event that the source still calls published.
        let record = Event {
            currency: event.currency,
            charges: event.charges.clone(),
            refundable_until: event.refundable_until,
            pay_at_door: event.pay_at_door,
            approval_required: event.approval_required,
            status: event.status.become_(item.status).unwrap_or(event.status),
            ..record
        };
        if record == event.value {
            return Ok(ImportOutcome::Unchanged);
        }
        event.value = record;
        tx.change("event.updated", &mut event)?;
        return Ok(ImportOutcome::Updated);
    }
    let organizer_id = organizer_id(&item.organizer);
    if found(organizers::get(tx, organizer_id).await)?.is_none() {
        return Ok(unknown("organizer", &item.organizer));
    }
    if let Some(venue) = &item.venue
        && found(venues::get(tx, venue_id(venue)).await)?.is_none()
    {
        return Ok(unknown("venue", venue));
    }
    tx.at(item.created_at);
    tx.create_through(organizer_id, life(item, record))?;
    ticket_keys::create(tx, id).await?;
    let event = events::get(tx, id).await?;
    let (pool_id, name) = (PoolId::derived(NO_TIME, &item.source), "General".parse::<Label>()?);
    let pool = PoolDetails {
        name: name.clone(),
        capacity: item.capacity,
    };
    pools::create_as(tx, &event, pool_id, pool).await?;
    let ticket_type = default_type(item, pool_id, name);
    tx.create(organizer_id, "ticket_type.created", ticket_type)?;
    Ok(ImportOutcome::Created)
}

/// The changes that lead to the status that the source tells.
fn life(item: &ImportedEvent, record: Event) -> Vec<(&'static str, Timestamp, Event)> {
    let draft = Event {
        status: EventStatus::Draft,
        ..record.clone()
    };
    let mut states = vec![("event.drafted", item.created_at, draft)];
    let published = Event {
        status: EventStatus::Published,
        ..record.clone()
    };
    match item.status {
        EventStatus::Draft => {}
        EventStatus::Published => states.push(("event.published", item.created_at, published)),
        EventStatus::Cancelled => states.push(("event.cancelled", item.created_at, record)),
        EventStatus::Postponed => states.extend([
            ("event.published", item.created_at, published),
            ("event.postponed", item.created_at, record),
        ]),
        EventStatus::Ended => states.extend([
            ("event.published", item.created_at, published),
            ("event.ended", item.ends_at, record),
        ]),
    }
    states
}

async fn import_order(tx: &mut Tx, item: &ImportedOrder) -> Result<ImportOutcome> {
    let id = order_id(&item.source);
    if let Some(order) = found(orders::get(tx, id).await)? {
        return match item.cancelled_at {
            Some(at) if order.status == OrderStatus::Paid => {
                tx.at(at);
                orders::cancel(tx, id, None).await?;
                Ok(ImportOutcome::Updated)
            }
            _ => Ok(ImportOutcome::Unchanged),
        };
    }
    if !(1..=ticket_types::LARGEST_ORDER).contains(&item.quantity) {
        return Ok(ImportOutcome::Refused(Refusal::new(
            "invalid",
            "an order has 1 to 1,000 tickets",
        )));
    }
    if [Some(item.placed_at), item.cancelled_at]
        .iter()
        .flatten()
        .any(|at| !SALES.contains(&at.as_micros()))
    {
        return Ok(ImportOutcome::Refused(Refusal::new(
            "invalid",
            "an order was placed and cancelled in the years 1900 to 2199",
        )));
    }
    let Some(event) = found(events::get(tx, event_id(&item.event)).await)? else {
        return Ok(unknown("event", &item.event));
    };
    let ticket_type = ticket_types::get(tx, TicketTypeId::derived(NO_TIME, &item.event)).await?;
    let unit_minor = ticket_type.prices.first().map_or(0, |price| price.amount_minor);
    let line = Line::plain(ticket_type.ticket_type_id, item.quantity, unit_minor);
    let demand = pools::demand(tx, event.event_id, [&line], None).await?;
    if pools::take(tx, Move::Sell, &demand).await?.is_some() {
        let message = format!("{} has no room for {} more", item.event, item.quantity);
        return Ok(ImportOutcome::Refused(Refusal::new("sold_out", message)));
    }
    tx.at(item.placed_at);
    let person = import_person(tx, event.organizer_id, &item.person).await?;
    let order = order_record(item, &event, line, person.person_id)?;
    let placed = Order {
        status: OrderStatus::Pending,
        paid_at: None,
        ..order.clone()
    };
    let states = vec![
        ("order.placed", item.placed_at, placed),
        ("order.paid", item.placed_at, order.clone()),
    ];
    tx.create_through(event.organizer_id, states)?;
    let stored = Stored {
        organizer_id: event.organizer_id,
        version: 2,
        value: order,
    };
    tickets::issue(tx, &stored)?;
    if let Some(at) = item.cancelled_at {
        tx.at(at);
        orders::cancel(tx, id, None).await?;
    }
    Ok(ImportOutcome::Created)
}

async fn import_person(tx: &mut Tx, organizer_id: OrganizerId, item: &ImportedPerson) -> Result<Stored<Person>> {
    let id = person_id(organizer_id, &item.source);
    if let Some(person) = found(people::get(tx, id).await)? {
        return Ok(person);
    }
    if let Some(email) = &item.email
        && let Some(person) = people::by_email(tx, organizer_id, email).await?
    {
        return Ok(person);
    }
    let record = Person {
        person_id: id,
        email: item.email.clone(),
        name: item.name.clone(),
        phone: None,
        registered_at: tx.now(),
        source: Some(item.source.clone()),
    };
    tx.create(organizer_id, "person.registered", record)
}

fn details(item: &ImportedEvent) -> EventDetails {
    EventDetails {
        venue_id: item.venue.as_deref().map(venue_id),
        title: item.title.clone(),
        description: item.description.clone(),
        category: item.category.clone(),
        language: item.language.clone(),
        url: item.url.clone(),
        starts_at: item.starts_at,
        ends_at: item.ends_at,
        timezone: item.timezone.clone(),
        currency: item.currency,
        charges: Vec::new(),
        refundable_until: None,
        pay_at_door: false,
        approval_required: false,
    }
}

fn default_type(item: &ImportedEvent, pool_id: PoolId, name: Label) -> TicketType {
    TicketType {
        ticket_type_id: TicketTypeId::derived(NO_TIME, &item.source),
        event_id: event_id(&item.source),
        name,
        hidden: false,
        min_per_order: 1,
        max_per_order: ticket_types::LARGEST_ORDER,
        sales_from: None,
        sales_to: None,
        valid_from: None,
        valid_to: None,
        pools: vec![PoolRef { pool_id }],
        prices: vec![Price {
            price_id: PriceId::derived(NO_TIME, &item.source),
            phase: "regular".into(),
            amount_minor: item.price_minor,
            from_at: None,
            to_at: None,
            pool_id: None,
        }],
    }
}

fn order_record(item: &ImportedOrder, event: &Stored<Event>, line: Line, person_id: PersonId) -> Result<Order> {
    let total = Money::new(line.unit_minor, event.currency).times(item.quantity)?;
    let order_id = order_id(&item.source);
    Ok(Order {
        order_id,
        event_id: event.event_id,
        hold_id: None,
        person_id,
        code: orders::code(order_id),
        status: OrderStatus::Paid,
        currency: event.currency,
        total_minor: total.amount_minor,
        refunded_minor: 0,
        quantity: item.quantity,
        reserved: false,
        awaits_approval: false,
        lines: vec![line],
        taken_back: None,
        promo_code_id: None,
        placed_at: item.placed_at,
        paid_at: Some(item.placed_at),
        cancelled_at: None,
        source: Some(item.source.clone()),
    })
}

/// None instead of an error for what is not there yet.
fn found<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn changed<T>(before: &Stored<T>, after: &Stored<T>) -> ImportOutcome {
    if before.version == after.version {
        ImportOutcome::Unchanged
    } else {
        ImportOutcome::Updated
    }
}

fn unknown(what: &str, source: &str) -> ImportOutcome {
    let message = format!("the {what} {source} has not been imported");
    ImportOutcome::Refused(Refusal::new("unknown_reference", message))
}
