//! Promo codes. How often one may be used is the capacity of a pool of its own, so a use is held, used and given back
//! with the tickets, by the same updates.

use crate::{
    Error, Result, Source, Stored, Tx, events,
    pools::{self, MOST_AN_EVENT, PoolDetails},
    rows,
    sql::{self, Columns, binds},
    ticket_types,
};
use domain::{
    EventId, Label, PersonId, PoolId, PromoCodeId, TicketTypeId, Timestamp,
    changes::{ListedType, PromoCode},
    pricing::{DiscountKind, WHOLE_BPS},
};
use std::collections::BTreeSet;

#[derive(Clone, Debug)]
pub struct PromoCodeDetails {
    pub code: String,
    pub kind: DiscountKind,
    /// Basis points or minor units, by the kind.
    pub value: i64,
    pub buy_quantity: i64,
    pub free_quantity: i64,
    /// Empty: all of them. Hidden ones that are named are opened by the code.
    pub ticket_types: Vec<TicketTypeId>,
    pub from_at: Option<Timestamp>,
    pub to_at: Option<Timestamp>,
    /// None: as often as it likes.
    pub max_uses: Option<i64>,
    /// Only these people; none: everyone.
    pub audience: Option<Vec<PersonId>>,
    pub active: bool,
}

/// A code with its uses.
#[derive(Clone, Debug)]
pub struct PromoCodeState {
    pub promo_code: Stored<PromoCode>,
    pub max_uses: Option<i64>,
    /// By holds that are no orders yet.
    pub reserved: i64,
    /// By orders that are paid.
    pub used: i64,
}

/// No audience is larger: it is sent in one request.
const LARGEST_AUDIENCE: usize = 10_000;
const HIGHEST_VALUE: i64 = 1_000_000_000_000;

pub async fn create(tx: &mut Tx, event_id: EventId, details: PromoCodeDetails) -> Result<Stored<PromoCode>> {
    let event = events::get(tx, event_id).await?;
    let known = list(tx, event_id).await?;
    if known.len() >= MOST_AN_EVENT {
        let message = format!("an event has at most {MOST_AN_EVENT} promo codes");
        return Err(Error::refused("too_many", message));
    }
    let pool_id = PoolId::new();
    let record = record(tx, PromoCodeId::new(), event_id, pool_id, &details).await?;
    if known.iter().any(|state| state.promo_code.code == record.code) {
        return Err(Error::conflict("code_taken", "this event has this promo code already").at("code"));
    }
    let pool = PoolDetails {
        name: pool_name(&record)?,
        capacity: details.max_uses,
    };
    pools::create_as(tx, &event, pool_id, pool).await?;
    let stored = tx.create(event.organizer_id, "promo_code.created", record)?;
    set_audience(tx, &stored, details.audience).await?;
    Ok(stored)
}

/// What is held keeps its discount. The code itself stays as people know it.
pub async fn update(tx: &mut Tx, id: PromoCodeId, details: PromoCodeDetails) -> Result<Stored<PromoCode>> {
    let mut stored = get(tx, id).await?;
    let record = record(tx, id, stored.event_id, stored.pool_id, &details).await?;
    if record.code != stored.code {
        return Err(Error::conflict("code_fixed", "a promo code keeps its text; make another one").at("code"));
    }
    let pool = PoolDetails {
        name: pool_name(&record)?,
        capacity: details.max_uses,
    };
    pools::resize(tx, stored.pool_id, pool)
        .await
        .map_err(|error| error.at("max_uses"))?;
    if record != stored.value {
        stored.value = record;
        tx.change("promo_code.updated", &mut stored)?;
    }
    set_audience(tx, &stored, details.audience).await?;
    Ok(stored)
}

pub async fn get(db: &mut impl Source, id: PromoCodeId) -> Result<Stored<PromoCode>> {
    rows::get(db, &id).await
}

/// All codes of an event, with their uses.
pub async fn list(db: &mut impl Source, event_id: EventId) -> Result<Vec<PromoCodeState>> {
    let columns = rows::columns::<PromoCode>("t");
    let sql = format!(
        "select {columns}, p.capacity as capacity, p.held as held, p.sold as sold from promo_codes t
         join pools p on p.pool_id = t.pool_id where t.event_id = $1 order by t.promo_code_id"
    );
    let rows = sql::all(db, sql, binds![event_id]).await?;
    let read = |row| {
        Ok(PromoCodeState {
            promo_code: rows::decode(row, 0)?,
            max_uses: Columns::maybe_int(row, "capacity")?,
            reserved: Columns::int(row, "held")?,
            used: Columns::int(row, "sold")?,
        })
    };
    rows.iter().map(read).collect()
}

/// The event's code with this text, if it may be used now. Whether uses are left is asked when one is taken.
pub async fn usable(db: &mut impl Source, event_id: EventId, text: &str, at: Timestamp) -> Result<Stored<PromoCode>> {
    let code = text.trim().to_uppercase();
    let found = rows::find(db, "t.event_id = $1 and t.code = $2", binds![event_id, code]).await?;
    let code: Option<Stored<PromoCode>> = found.into_iter().next();
    let code =
        code.ok_or_else(|| Error::refused("promo_code_unknown", "this event has no such promo code").at("promo_code"))?;
    if !code.is_in_force(at) {
        return Err(Error::refused("promo_code_closed", "this promo code is not valid now").at("promo_code"));
    }
    Ok(code)
}

/// Refuses a buyer for whom the code is not.
pub(crate) async fn require_audience(tx: &mut Tx, id: PromoCodeId, person_id: Option<PersonId>) -> Result<()> {
    let sql = "select c.for_audience as for_audience, a.person_id as person_id from promo_codes c
               left join promo_code_audience a on a.promo_code_id = c.promo_code_id and a.person_id = $2
               where c.promo_code_id = $1";
    let row = sql::one(tx, sql, binds![id, person_id]).await?;
    if row.int("for_audience")? != 0 && row.maybe_text("person_id")?.is_none() {
        let message = "this promo code is for invited people; use the address that was invited";
        return Err(Error::refused("promo_code_not_for_you", message).at("buyer/email"));
    }
    Ok(())
}

async fn set_audience(tx: &mut Tx, code: &Stored<PromoCode>, people: Option<Vec<PersonId>>) -> Result<()> {
    let Some(people) = people else { return Ok(()) };
    let people: BTreeSet<PersonId> = people.into_iter().collect();
    if people.len() > LARGEST_AUDIENCE {
        return Err(Error::refused("invalid", "an audience has at most 10,000 people").at("audience"));
    }
    let delete = "delete from promo_code_audience where promo_code_id = $1";
    sql::execute(tx, delete, binds![code.promo_code_id]).await?;
    let insert = "insert into promo_code_audience (promo_code_id, person_id)
                  select $1, person_id from people where person_id = $2 and organizer_id = $3";
    for person in people {
        if sql::execute(tx, insert, binds![code.promo_code_id, person, code.organizer_id]).await? == 0 {
            return Err(Error::refused("person_unknown", "this organizer has no such person").at("audience"));
        }
    }
    Ok(())
}

async fn record(
    tx: &mut Tx,
    id: PromoCodeId,
    event_id: EventId,
    pool_id: PoolId,
    details: &PromoCodeDetails,
) -> Result<PromoCode> {
    check(details)?;
    let types = ticket_types::of_event(tx, event_id).await?;
    let known: BTreeSet<TicketTypeId> = types.iter().map(|ticket_type| ticket_type.ticket_type_id).collect();
    let named: BTreeSet<TicketTypeId> = details.ticket_types.iter().copied().collect();
    if !named.is_subset(&known) {
        return Err(Error::refused("ticket_type_unknown", "this event has no such ticket type").at("ticket_types"));
    }
    Ok(PromoCode {
        promo_code_id: id,
        event_id,
        code: details.code.trim().to_uppercase(),
        kind: details.kind,
        value: details.value,
        buy_quantity: details.buy_quantity,
        free_quantity: details.free_quantity,
        ticket_types: named
            .into_iter()
            .map(|ticket_type_id| ListedType { ticket_type_id })
            .collect(),
        from_at: details.from_at,
        to_at: details.to_at,
        pool_id,
        for_audience: details.audience.is_some(),
        active: details.active,
    })
}

fn check(details: &PromoCodeDetails) -> Result<()> {
    let wrong = |field: &str, message: &str| Err(Error::refused("invalid", message).at(field));
    let code = details.code.trim();
    let plain = code.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if !(3..=40).contains(&code.len()) || !plain {
        return wrong(
            "code",
            "a promo code is 3 to 40 letters, digits, hyphens and underscores",
        );
    }
    let (field, highest) = match details.kind {
        DiscountKind::Percent => ("percent_bps", WHOLE_BPS),
        DiscountKind::Fixed => ("amount_minor", HIGHEST_VALUE),
        DiscountKind::FreeTickets | DiscountKind::None => ("kind", 0),
    };
    if !(0..=highest).contains(&details.value) {
        return wrong(
            field,
            "a percentage is 0 to 10,000 basis points, an amount is not negative, other kinds have none",
        );
    }
    let free = [
        ("buy_quantity", details.buy_quantity),
        ("free_quantity", details.free_quantity),
    ];
    let of_kind = if details.kind == DiscountKind::FreeTickets {
        1..=100
    } else {
        0..=0
    };
    if let Some((field, _)) = free.iter().find(|(_, quantity)| !of_kind.contains(quantity)) {
        return wrong(
            field,
            "a code for free tickets buys and gives 1 to 100 tickets; other kinds have none",
        );
    }
    if details.from_at.zip(details.to_at).is_some_and(|(from, to)| to <= from) {
        return wrong("to_at", "a window ends after it begins");
    }
    Ok(())
}

fn pool_name(code: &PromoCode) -> Result<Label> {
    format!("Uses of {}", code.code)
        .parse()
        .map_err(|why: domain::Invalid| Error::refused("invalid", why.0).at("code"))
}
