//! What tickets cost a buyer at this moment: the rules of a sale, the phases in force with what room they have, a promo
//! code, fees and taxes.

use crate::{
    Error, Result, Stored, Tx,
    holds::LineRequest,
    pools,
    ticket_types::{self, LARGEST_ORDER},
};
use domain::{
    PoolId, TicketTypeId, Timestamp,
    changes::{Event, Line, PromoCode, TicketType},
    pricing,
};
use std::collections::{BTreeMap, HashMap};

/// What limited pools have left.
pub(crate) type Rooms = HashMap<PoolId, i64>;

/// What a buyer wants of an event.
pub(crate) struct Wanted<'a> {
    pub(crate) event: &'a Event,
    /// One quantity a type, however often the request names it.
    types: Vec<(&'a TicketType, i64)>,
    code: Option<&'a PromoCode>,
}

impl<'a> Wanted<'a> {
    /// Refuses what is not sold, or not so, or not now.
    pub(crate) fn new(
        event: &'a Event,
        types: &'a [Stored<TicketType>],
        lines: &[LineRequest],
        code: Option<&'a PromoCode>,
        now: Timestamp,
    ) -> Result<Self> {
        let mut wanted = Vec::new();
        for (id, quantity) in quantities(lines)? {
            let ticket_type = types
                .iter()
                .find(|t| t.ticket_type_id == id && (!t.hidden || code.is_some_and(|code| code.opens(id))))
                .ok_or_else(|| {
                    Error::refused("ticket_type_unknown", "this event has no such ticket type").at("lines")
                })?;
            check_quantity_and_window(ticket_type, quantity, now)?;
            wanted.push((&ticket_type.value, quantity));
        }
        if let Some(code) = code
            && !wanted
                .iter()
                .any(|(ticket_type, _)| code.covers(ticket_type.ticket_type_id))
        {
            let message = "this promo code is for other ticket types";
            return Err(Error::refused("promo_code_not_for_these", message).at("promo_code"));
        }
        Ok(Self {
            event,
            types: wanted,
            code,
        })
    }

    /// What the limited phases have left. Nothing is read for tickets without any.
    pub(crate) async fn rooms(&self, tx: &mut Tx) -> Result<Rooms> {
        match self.limited_phases(tx.now()).next() {
            Some(_) => pools::rooms(tx, self.event.event_id).await,
            None => Ok(Rooms::new()),
        }
    }

    /// Whether a limited phase has fewer left than are wanted: what has expired may give it some.
    pub(crate) fn is_short(&self, rooms: &Rooms, now: Timestamp) -> bool {
        let short = |(pool_id, quantity)| rooms.get(&pool_id).is_some_and(|room| *room < quantity);
        self.limited_phases(now).any(short)
    }

    fn limited_phases(&self, now: Timestamp) -> impl Iterator<Item = (PoolId, i64)> {
        self.types.iter().flat_map(move |(ticket_type, quantity)| {
            let phases = pricing::in_force(&ticket_type.prices, now);
            phases.into_iter().filter_map(|price| Some((price.pool_id?, *quantity)))
        })
    }

    /// The lines of a hold.
    pub(crate) fn lines(&self, mut rooms: Rooms, now: Timestamp) -> Result<Vec<Line>> {
        let mut lines = Vec::new();
        for (ticket_type, quantity) in &self.types {
            let parts = pricing::phases(&ticket_type.prices, *quantity, now, |pool| rooms.get(&pool).copied());
            for (price, quantity) in parts.map_err(|why| Error::refused("no_price", why.0).at("lines"))? {
                if let Some(room) = price.pool_id.and_then(|pool| rooms.get_mut(&pool)) {
                    *room -= quantity;
                }
                lines.push(Line {
                    phase: Some(price.phase.clone()),
                    phase_pool_id: price.pool_id,
                    ..Line::plain(ticket_type.ticket_type_id, quantity, price.amount_minor)
                });
            }
        }
        if let Some(code) = self.code {
            pricing::discount(&mut lines, code)?;
        }
        for line in &mut lines {
            pricing::charge(line, &self.event.charges)?;
        }
        Ok(lines)
    }
}

/// One quantity a type, however often the request names it.
fn quantities(lines: &[LineRequest]) -> Result<BTreeMap<TicketTypeId, i64>> {
    if lines.is_empty() || lines.len() > 50 {
        return Err(Error::refused("invalid", "a hold has 1 to 50 lines").at("lines"));
    }
    let mut quantities = BTreeMap::<TicketTypeId, i64>::new();
    for line in lines {
        if !(1..=LARGEST_ORDER).contains(&line.quantity) {
            return Err(Error::refused("invalid", "a quantity is between 1 and 1,000").at("lines"));
        }
        *quantities.entry(line.ticket_type_id).or_default() += line.quantity;
    }
    if quantities.values().sum::<i64>() > LARGEST_ORDER {
        return Err(Error::refused("too_many", format!("an order has at most {LARGEST_ORDER} tickets")).at("lines"));
    }
    Ok(quantities)
}

/// Asked when a hold is placed and again at checkout, of all lines of a type together.
pub(crate) fn check_quantity_and_window(ticket_type: &TicketType, quantity: i64, now: Timestamp) -> Result<()> {
    if quantity > ticket_type.max_per_order {
        let message = format!(
            "an order has at most {} of {}",
            ticket_type.max_per_order, ticket_type.name
        );
        return Err(Error::refused("too_many", message).at("lines"));
    }
    if quantity < ticket_type.min_per_order {
        let message = format!(
            "an order has at least {} of {}",
            ticket_type.min_per_order, ticket_type.name
        );
        return Err(Error::refused("too_few", message).at("lines"));
    }
    if !ticket_types::in_sale(ticket_type, now) {
        let message = format!("{} is not on sale now", ticket_type.name);
        return Err(Error::refused("sale_closed", message).at("lines"));
    }
    Ok(())
}
