//! Venues: where events take place.

use crate::{
    Error, Page, PageRequest, Result, Source, Stored, Tx,
    page::{self, Filter, Order},
    rows,
};
use domain::{Label, OrganizerId, VenueId, changes::Venue, check_timezone};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VenueDetails {
    pub name: Label,
    pub address: Option<String>,
    pub city: Option<String>,
    pub country: Option<String>,
    pub latitude: Option<f64>,
    pub longitude: Option<f64>,
    pub timezone: Option<String>,
}

pub async fn create(tx: &mut Tx, organizer_id: OrganizerId, details: VenueDetails) -> Result<Stored<Venue>> {
    check(&details)?;
    create_as(tx, organizer_id, VenueId::new(), details).await
}

pub(crate) async fn create_as(
    tx: &mut Tx,
    organizer_id: OrganizerId,
    id: VenueId,
    details: VenueDetails,
) -> Result<Stored<Venue>> {
    crate::organizers::get(tx, organizer_id).await?;
    tx.create(organizer_id, "venue.created", record(id, details))
}

pub async fn update(tx: &mut Tx, id: VenueId, details: VenueDetails) -> Result<Stored<Venue>> {
    check(&details)?;
    let mut venue = get(tx, id).await?;
    let record = record(id, details);
    if record != venue.value {
        venue.value = record;
        tx.change("venue.updated", &mut venue)?;
    }
    Ok(venue)
}

pub async fn get(db: &mut impl Source, id: VenueId) -> Result<Stored<Venue>> {
    rows::get(db, &id).await
}

pub async fn list(db: &mut impl Source, organizer_id: OrganizerId, page: PageRequest) -> Result<Page<Stored<Venue>>> {
    let filter = Filter::default().and("organizer_id =", &organizer_id);
    page::list(db, filter, None, Order::Ascending, &page).await
}

fn check(details: &VenueDetails) -> Result<()> {
    let zone = details.timezone.as_deref().map(check_timezone);
    zone.unwrap_or(Ok(()))
        .map_err(|wrong| Error::from(wrong).at("timezone"))
}

fn record(id: VenueId, details: VenueDetails) -> Venue {
    // A coordinate that is no number has no form in JSON.
    let sound = |degrees: Option<f64>| degrees.filter(|degrees| degrees.is_finite());
    Venue {
        venue_id: id,
        name: details.name,
        address: details.address,
        city: details.city,
        country: details.country,
        latitude: sound(details.latitude),
        longitude: sound(details.longitude),
        timezone: details.timezone,
    }
}
