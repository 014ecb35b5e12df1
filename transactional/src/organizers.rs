//! Organizers: who runs events, and whose everything else is.

use crate::{
    Error, Page, PageRequest, Result, Source, Stored, Tx,
    page::{self, Filter, Order},
    rows,
    sql::binds,
};
use domain::{Currency, Label, OrganizerId, Slug, changes::Organizer, check_timezone, pricing::WHOLE_BPS};

#[derive(Clone, Debug)]
pub struct OrganizerDetails {
    pub slug: Slug,
    pub name: Label,
    pub currency: Currency,
    pub timezone: String,
    pub city: Option<String>,
    pub country: Option<String>,
}

pub async fn create(tx: &mut Tx, details: OrganizerDetails) -> Result<Stored<Organizer>> {
    check(&details)?;
    create_as(tx, OrganizerId::new(), details).await
}

pub(crate) async fn create_as(tx: &mut Tx, id: OrganizerId, details: OrganizerDetails) -> Result<Stored<Organizer>> {
    check_slug(tx, id, &details.slug).await?;
    let record = record(id, details, tx.now());
    tx.create(id, "organizer.created", record)
}

pub async fn update(tx: &mut Tx, id: OrganizerId, details: OrganizerDetails) -> Result<Stored<Organizer>> {
    check(&details)?;
    let mut organizer = get(tx, id).await?;
    let mut record = record(id, details, organizer.created_at);
    record.platform_fee_bps = organizer.platform_fee_bps;
    if record != organizer.value {
        check_slug(tx, id, &record.slug).await?;
        organizer.value = record;
        tx.change("organizer.updated", &mut organizer)?;
    }
    Ok(organizer)
}

/// Sets what the platform keeps of payments from now on.
pub async fn set_platform_fee(tx: &mut Tx, id: OrganizerId, bps: i64) -> Result<Stored<Organizer>> {
    if !(0..=WHOLE_BPS).contains(&bps) {
        return Err(Error::refused("invalid", "a fee is between 0 and 10,000 basis points").at("platform_fee_bps"));
    }
    let mut organizer = get(tx, id).await?;
    if organizer.platform_fee_bps != bps {
        organizer.platform_fee_bps = bps;
        tx.change("organizer.updated", &mut organizer)?;
    }
    Ok(organizer)
}

pub async fn get(db: &mut impl Source, id: OrganizerId) -> Result<Stored<Organizer>> {
    rows::get(db, &id).await
}

pub async fn by_slug(db: &mut impl Source, slug: &Slug) -> Result<Stored<Organizer>> {
    let found = rows::find(db, "slug = $1", binds![slug]).await?;
    found.into_iter().next().ok_or_else(|| Error::not_found("organizer"))
}

pub async fn list(db: &mut impl Source, page: PageRequest) -> Result<Page<Stored<Organizer>>> {
    page::list(db, Filter::default(), None, Order::Ascending, &page).await
}

fn check(details: &OrganizerDetails) -> Result<()> {
    details
        .currency
        .active()
        .map_err(|wrong| Error::from(wrong).at("currency"))?;
    check_timezone(&details.timezone).map_err(|wrong| Error::from(wrong).at("timezone"))
}

fn record(id: OrganizerId, details: OrganizerDetails, created_at: domain::Timestamp) -> Organizer {
    Organizer {
        id,
        slug: details.slug,
        name: details.name,
        currency: details.currency,
        timezone: details.timezone,
        city: details.city,
        country: details.country,
        platform_fee_bps: 0,
        created_at,
    }
}

async fn check_slug(tx: &mut Tx, id: OrganizerId, slug: &Slug) -> Result<()> {
    match by_slug(tx, slug).await {
        Ok(other) if other.id != id => Err(Error::conflict("slug_taken", "another organizer has this slug").at("slug")),
        Ok(_) | Err(Error::NotFound { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}
