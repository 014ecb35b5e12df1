//! What the scanner page begins with: who this device is, and where it may scan.

use crate::{
    auth::Identity,
    problem::{Problem, Result},
    view::{Moment, PageQuery},
    wiring::App,
};
use axum::{Json, extract::State};
use domain::{CheckInListId, EventId, OrganizerId, Timestamp, changes::Event, event::EventStatus, role::Permission};
use serde::Serialize;
use std::{sync::Arc, time::Duration};
use transactional::{
    Source, Stored, check_ins,
    devices::{self, DeviceHolder},
    events::{self, EventFilter},
};
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
pub struct ScannerView {
    /// None for a token that is no device's.
    device: Option<ScannerDevice>,
    /// Of the device's event, or of the organizer's events that are not over since yesterday, the next one first.
    lists: Vec<ScannerList>,
}

#[derive(Serialize, ToSchema)]
pub struct ScannerDevice {
    name: String,
    /// Where it stands.
    gate: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct ScannerList {
    #[schema(value_type = String)]
    check_in_list_id: CheckInListId,
    name: String,
    #[schema(value_type = String)]
    event_id: EventId,
    title: String,
    starts_at: Moment,
    timezone: String,
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// An event that goes on for longer than this is not found by who may scan at all events.
const LONGEST_EVENT: Duration = Duration::from_secs(14 * 24 * 60 * 60);
const MOST_EVENTS: u32 = 200;

/// Show what a scanner may do
#[utoipa::path(get, path = "/v1/scanner", tag = "check-in",
    responses((status = 200, body = ScannerView), (status = 403, body = Problem)))]
pub async fn show_scanner(State(app): State<Arc<App>>, identity: Identity) -> Result<Json<ScannerView>> {
    let (organizer_id, holder) = match &identity {
        Identity::Device(holder) => (holder.organizer_id, Some(holder.clone())),
        Identity::Token { organizer_id, .. } => (*organizer_id, None),
        _ => return Err(Problem::forbidden("this is for devices and an organizer's tokens")),
    };
    identity.require(organizer_id, Permission::CheckIn)?;
    let mut db = app.store.read().await?;
    let mut lists = Vec::new();
    for event in events_of(&mut db, organizer_id, holder.as_ref()).await? {
        let of_event = check_ins::lists(&mut db, event.event_id).await?;
        lists.extend(of_event.into_iter().map(|list| ScannerList {
            check_in_list_id: list.check_in_list_id,
            name: list.name.to_string(),
            event_id: event.event_id,
            title: event.title.to_string(),
            starts_at: Moment(event.starts_at),
            timezone: event.timezone.clone(),
        }));
    }
    let device = match holder {
        Some(holder) => Some(ScannerDevice {
            name: devices::get(&mut db, holder.device_id).await?.name.to_string(),
            gate: holder.gate,
        }),
        None => None,
    };
    Ok(Json(ScannerView { device, lists }))
}

async fn events_of(
    db: &mut impl Source,
    organizer_id: OrganizerId,
    holder: Option<&DeviceHolder>,
) -> Result<Vec<Stored<Event>>> {
    if let Some(event_id) = holder.and_then(|holder| holder.event_id) {
        return Ok(vec![events::get(db, event_id).await?]);
    }
    let now = Timestamp::now();
    let filter = EventFilter {
        organizer_id: Some(organizer_id),
        statuses: vec![EventStatus::Published, EventStatus::Ended],
        starts_from: Some(now - LONGEST_EVENT),
        starts_before: None,
    };
    let request = PageQuery {
        limit: Some(MOST_EVENTS),
        cursor: None,
    };
    let found = events::list(db, filter, request.request()?).await?;
    let over = |event: &Stored<Event>| event.ends_at + DAY < now;
    Ok(found.items.into_iter().filter(|event| !over(event)).collect())
}
