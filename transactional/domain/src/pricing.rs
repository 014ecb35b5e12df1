//! What a sale costs: the price phases in force, a promo code's discount, fees and taxes.
//!
//! Every amount is in minor units. A share of an amount is computed exactly and rounded half up, once a line and charge;
//! so a line's parts always add up to its amount, and an order's lines to its total.

use crate::{
    Invalid, PoolId, Timestamp,
    changes::{Charge, Line, Price, PromoCode},
    record::states,
};

#[cfg(test)]
mod tests;

states! {
    /// What a promo code takes off.
    DiscountKind {
        /// `value` basis points of the price.
        Percent = "percent",
        /// `value` minor units of each ticket's price, at most the price.
        Fixed = "fixed",
        /// For every `buy_quantity` tickets paid, the `free_quantity` cheapest beside them.
        FreeTickets = "free_tickets",
        /// The code only opens hidden ticket types.
        None = "none",
    }
    ChargeKind {
        Fee = "fee",
        Tax = "tax",
    }
}

/// 100 %.
pub const WHOLE_BPS: i64 = 10_000;

/// The phases that cover `at`, the one that counts first: of those that began last, the limited before the unlimited.
pub fn in_force(prices: &[Price], at: Timestamp) -> Vec<&Price> {
    let mut phases: Vec<&Price> = prices
        .iter()
        .filter(|price| price.from_at.is_none_or(|from| from <= at) && price.to_at.is_none_or(|to| at < to))
        .collect();
    // The sort is stable: what is equal stays in the organizer's order.
    phases.sort_by_key(|price| (std::cmp::Reverse(price.from_at), price.pool_id.is_none()));
    phases
}

/// What `quantity` tickets cost each, over as many phases as it takes: a limited phase gives what room it has, the next
/// one the rest. `room` of a phase's pool is none if it is without limit.
pub fn phases(
    prices: &[Price],
    quantity: i64,
    at: Timestamp,
    mut room: impl FnMut(PoolId) -> Option<i64>,
) -> Result<Vec<(&Price, i64)>, Invalid> {
    let mut parts = Vec::new();
    let mut left = quantity;
    let in_force = in_force(prices, at);
    if in_force.is_empty() {
        return Err(Invalid::new("no price is in force for this ticket type now"));
    }
    for price in in_force {
        let room = price.pool_id.and_then(&mut room);
        let part = room.map_or(left, |room| room.clamp(0, left));
        if part > 0 {
            parts.push((price, part));
            left -= part;
        }
    }
    match left {
        0 => Ok(parts),
        _ => Err(Invalid::new("the phases in force have not so many tickets left")),
    }
}

/// Sets the discount of every line by the code, if the line's ticket type is in its scope.
pub fn discount(lines: &mut [Line], code: &PromoCode) -> Result<(), Invalid> {
    let in_scope = |line: &Line| code.covers(line.ticket_type_id);
    match code.kind {
        DiscountKind::None => {}
        DiscountKind::Percent => {
            for line in lines.iter_mut().filter(|line| in_scope(line)) {
                line.discount_minor = share(line.price_minor()?, code.value, WHOLE_BPS)?;
            }
        }
        DiscountKind::Fixed => {
            for line in lines.iter_mut().filter(|line| in_scope(line)) {
                line.discount_minor = times(code.value.min(line.unit_minor), line.quantity)?;
            }
        }
        DiscountKind::FreeTickets => {
            let quantity: i64 = lines
                .iter()
                .filter(|line| in_scope(line))
                .map(|line| line.quantity)
                .sum();
            let (buy, free) = (code.buy_quantity.max(1), code.free_quantity.max(0));
            let mut left = quantity / (buy + free) * free;
            let mut cheapest: Vec<&mut Line> = lines.iter_mut().filter(|line| in_scope(line)).collect();
            cheapest.sort_by_key(|line| line.unit_minor);
            for line in cheapest {
                let free = left.min(line.quantity);
                line.discount_minor = times(line.unit_minor, free)?;
                left -= free;
            }
        }
    }
    Ok(())
}

/// Sets a line's fees and taxes. Fees are of the discounted price, taxes of the price with its added fees; what is
/// included is told, and adds nothing. A line that costs nothing has no charges.
pub fn charge(line: &mut Line, charges: &[Charge]) -> Result<(), Invalid> {
    let base = line.price_minor()? - line.discount_minor;
    (
        line.fee_minor,
        line.fee_included_minor,
        line.tax_minor,
        line.tax_included_minor,
    ) = (0, 0, 0, 0);
    if base == 0 {
        return Ok(());
    }
    for fee in charges.iter().filter(|charge| charge.kind == ChargeKind::Fee) {
        let amount = plus(share(base, fee.bps, WHOLE_BPS)?, times(fee.fixed_minor, line.quantity)?)?;
        if fee.included {
            line.fee_included_minor = plus(line.fee_included_minor, amount)?.min(base);
        } else {
            line.fee_minor = plus(line.fee_minor, amount)?;
        }
    }
    let taxed = plus(base, line.fee_minor)?;
    let included_bps: i64 = charges
        .iter()
        .filter(|c| c.kind == ChargeKind::Tax && c.included)
        .map(|c| c.bps)
        .sum();
    // Of a price that includes its taxes, the net part is price × 100 % / (100 % + all included rates).
    for tax in charges.iter().filter(|charge| charge.kind == ChargeKind::Tax) {
        if tax.included {
            line.tax_included_minor += share(taxed, tax.bps, WHOLE_BPS + included_bps)?;
        } else {
            line.tax_minor = plus(line.tax_minor, share(taxed, tax.bps, WHOLE_BPS)?)?;
        }
    }
    line.tax_included_minor = line.tax_included_minor.min(taxed);
    Ok(())
}

/// What the lines cost together.
pub fn total_minor(lines: &[Line]) -> Result<i64, Invalid> {
    lines.iter().try_fold(0, |sum, line| plus(sum, line.amount_minor()?))
}

/// What each ticket of a line is worth: equal parts, the first ones a minor unit more if it does not divide.
pub fn ticket_prices(line: &Line) -> Result<Vec<i64>, Invalid> {
    let (amount, quantity) = (line.amount_minor()?, line.quantity.max(1));
    let (each, rest) = (amount / quantity, amount % quantity);
    Ok((0..line.quantity).map(|place| each + i64::from(place < rest)).collect())
}

impl Line {
    /// The tickets at their unit price, before discount and charges.
    pub fn price_minor(&self) -> Result<i64, Invalid> {
        times(self.unit_minor, self.quantity)
    }

    /// What the buyer pays for this line.
    pub fn amount_minor(&self) -> Result<i64, Invalid> {
        let discounted = self.price_minor()? - self.discount_minor;
        plus(plus(discounted, self.fee_minor)?, self.tax_minor)
    }
}

impl PromoCode {
    /// Whether the code is of this ticket type: of all of them if it names none.
    pub fn covers(&self, id: crate::TicketTypeId) -> bool {
        self.ticket_types.is_empty() || self.ticket_types.iter().any(|listed| listed.ticket_type_id == id)
    }

    /// Whether the code shows and sells this type although it is hidden: only one that it names.
    pub fn opens(&self, id: crate::TicketTypeId) -> bool {
        self.ticket_types.iter().any(|listed| listed.ticket_type_id == id)
    }

    pub fn is_in_force(&self, at: Timestamp) -> bool {
        self.active && self.from_at.is_none_or(|from| from <= at) && self.to_at.is_none_or(|to| at < to)
    }
}

/// `amount × part / whole`, half a unit rounded up.
pub fn share(amount: i64, part: i64, whole: i64) -> Result<i64, Invalid> {
    let (amount, part, whole) = (i128::from(amount), i128::from(part), i128::from(whole));
    let doubled = 2 * amount * part + whole;
    i64::try_from(doubled.div_euclid(2 * whole)).map_err(|_| too_much())
}

fn times(amount: i64, quantity: i64) -> Result<i64, Invalid> {
    amount.checked_mul(quantity).ok_or_else(too_much)
}

fn plus(a: i64, b: i64) -> Result<i64, Invalid> {
    a.checked_add(b).ok_or_else(too_much)
}

fn too_much() -> Invalid {
    Invalid::new("the amount is larger than this program can count")
}
