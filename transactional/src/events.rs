//! Events and their life. Every event has a key of its own, which signs its tickets.

use crate::{
    Error, Page, PageRequest, Result, Source, Stored, Tx,
    page::{self, Filter, Order},
    rows,
    sql::binds,
    ticket_keys, waiting_list,
};
use domain::{
    Currency, EventId, Label, OrganizerId, Timestamp, VenueId,
    changes::{Charge, Event, Venue},
    check_timezone,
    event::EventStatus,
    is_hidden,
    pricing::{ChargeKind, WHOLE_BPS},
};

#[derive(Clone, Debug)]
pub struct EventDetails {
    pub venue_id: Option<VenueId>,
    pub title: Label,
    pub description: Option<String>,
    pub category: Option<String>,
    pub language: Option<String>,
    pub url: Option<String>,
    pub starts_at: Timestamp,
    pub ends_at: Timestamp,
    pub timezone: String,
    pub currency: Currency,
    pub charges: Vec<Charge>,
    /// Until when buyers may cancel paid orders; none: never.
    pub refundable_until: Option<Timestamp>,
    pub pay_at_door: bool,
    pub approval_required: bool,
}

#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    pub organizer_id: Option<OrganizerId>,
    /// Empty: every status.
    pub statuses: Vec<EventStatus>,
    pub starts_from: Option<Timestamp>,
    pub starts_before: Option<Timestamp>,
}

const MOST_CHARGES: usize = 10;
const LONGEST_URL: usize = 2_000;
const HIGHEST_FIXED_FEE: i64 = 1_000_000;

/// A draft. It is sold once it is published.
pub async fn create(tx: &mut Tx, organizer_id: OrganizerId, details: EventDetails) -> Result<Stored<Event>> {
    crate::organizers::get(tx, organizer_id).await?;
    check(tx, organizer_id, &details).await?;
    details
        .currency
        .active()
        .map_err(|wrong| Error::from(wrong).at("currency"))?;
    let record = record(EventId::new(), details, EventStatus::Draft, None);
    let event = tx.create(organizer_id, "event.drafted", record)?;
    ticket_keys::create(tx, event.event_id).await?;
    Ok(event)
}

pub async fn update(tx: &mut Tx, id: EventId, details: EventDetails) -> Result<Stored<Event>> {
    let mut event = get(tx, id).await?;
    check(tx, event.organizer_id, &details).await?;
    if details.currency != event.currency {
        let message = "an event keeps the currency that it began with, since its prices are in it";
        return Err(Error::conflict("currency_fixed", message).at("currency"));
    }
    if event.status.is_final() {
        return Err(Error::conflict(
            "event_closed",
            format!("an event that is {} stays as it is", event.status),
        ));
    }
    let record = record(id, details, event.status, event.source.clone());
    if record != event.value {
        event.value = record;
        tx.change("event.updated", &mut event)?;
    }
    Ok(event)
}

pub async fn set_status(tx: &mut Tx, id: EventId, status: EventStatus) -> Result<Stored<Event>> {
    let mut event = get(tx, id).await?;
    event.status = event
        .status
        .become_(status)
        .map_err(|why| Error::conflict("wrong_status", why.0))?;
    let change_type = match status {
        EventStatus::Draft => "event.drafted",
        EventStatus::Published => "event.published",
        EventStatus::Postponed => "event.postponed",
        EventStatus::Cancelled => "event.cancelled",
        EventStatus::Ended => "event.ended",
    };
    tx.change(change_type, &mut event)?;
    if status.is_final() {
        waiting_list::close_soon(tx, id);
    }
    Ok(event)
}

/// Ends what is over, a bounded number at once. Returns how many there were.
pub(crate) async fn end_what_is_over(tx: &mut Tx, limit: i64) -> Result<u64> {
    let condition = "t.status = 'published' and t.ends_at <= $1 order by t.ends_at limit $2";
    let over: Vec<Stored<Event>> = rows::find(tx, condition, binds![tx.now(), limit]).await?;
    let count = over.len() as u64;
    for mut event in over {
        event.status = EventStatus::Ended;
        tx.change("event.ended", &mut event)?;
        waiting_list::close_soon(tx, event.event_id);
    }
    Ok(count)
}

pub async fn get(db: &mut impl Source, id: EventId) -> Result<Stored<Event>> {
    rows::get(db, &id).await
}

/// By the time at which they start.
pub async fn list(db: &mut impl Source, filter: EventFilter, page: PageRequest) -> Result<Page<Stored<Event>>> {
    let conditions = Filter::default()
        .and_if("organizer_id =", &filter.organizer_id)
        .and_any_of("status", &filter.statuses)
        .and_if("starts_at >=", &filter.starts_from)
        .and_if("starts_at <", &filter.starts_before);
    page::list(db, conditions, Some("starts_at"), Order::Ascending, &page).await
}

async fn check(tx: &mut Tx, organizer_id: OrganizerId, details: &EventDetails) -> Result<()> {
    if details.ends_at <= details.starts_at {
        return Err(Error::refused("invalid", "an event ends after it starts").at("ends_at"));
    }
    check_timezone(&details.timezone).map_err(|wrong| Error::from(wrong).at("timezone"))?;
    check_charges(&details.charges)?;
    check_url(details.url.as_deref())?;
    if let Some(venue_id) = &details.venue_id {
        let venue: Stored<Venue> = rows::get(tx, venue_id).await.map_err(|error| match error {
            Error::NotFound { .. } => Error::refused("venue_unknown", "there is no such venue").at("venue_id"),
            other => other,
        })?;
        if venue.organizer_id != organizer_id {
            return Err(Error::refused("venue_unknown", "this organizer has no such venue").at("venue_id"));
        }
    }
    Ok(())
}

/// It becomes a link on pages of others, who must be able to follow it without harm.
fn check_url(url: Option<&str>) -> Result<()> {
    let Some(url) = url else { return Ok(()) };
    let rest = ["https://", "http://"].iter().find_map(|scheme| {
        url.get(..scheme.len())?
            .eq_ignore_ascii_case(scheme)
            .then(|| &url[scheme.len()..])
    });
    let sound = rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_alphanumeric() || c == '['))
        && url.len() <= LONGEST_URL
        && !url.chars().any(|c| c.is_whitespace() || is_hidden(c));
    if sound {
        return Ok(());
    }
    let message = format!("an address begins with https:// or http:// and has at most {LONGEST_URL} bytes");
    Err(Error::refused("invalid", message).at("url"))
}

fn check_charges(charges: &[Charge]) -> Result<()> {
    let wrong = |message: &str| Err(Error::refused("invalid", message).at("charges"));
    if charges.len() > MOST_CHARGES {
        return wrong("an event has at most 10 fees and taxes");
    }
    for charge in charges {
        let name = charge.name.trim();
        if name.is_empty() || name.chars().count() > 100 || name.chars().any(is_hidden) {
            return wrong("the name of a fee or tax is one line of 1 to 100 characters");
        }
        if !(0..=WHOLE_BPS).contains(&charge.bps) || !(0..=HIGHEST_FIXED_FEE).contains(&charge.fixed_minor) {
            return wrong("a charge is 0 to 10,000 basis points, and at most 1,000,000 minor units a ticket beside it");
        }
        if charge.kind == ChargeKind::Tax && charge.fixed_minor != 0 {
            return wrong("a tax is a part of the price, and has no fixed amount");
        }
    }
    Ok(())
}

pub(crate) fn record(id: EventId, details: EventDetails, status: EventStatus, source: Option<String>) -> Event {
    Event {
        event_id: id,
        venue_id: details.venue_id,
        title: details.title,
        description: details.description,
        category: details.category,
        language: details.language,
        url: details.url,
        status,
        starts_at: details.starts_at,
        ends_at: details.ends_at,
        timezone: details.timezone,
        currency: details.currency,
        charges: details.charges,
        refundable_until: details.refundable_until,
        pay_at_door: details.pay_at_door,
        approval_required: details.approval_required,
        source,
    }
}
