//! The states of holds, orders, payments and tickets, and the rules of a sale that need no database.

use crate::{Invalid, Money, Timestamp, changes::Price, record::states};

states! {
    /// A hold keeps capacity for a buyer until it expires.
    HoldStatus {
        Active = "active",
        Converted = "converted",
        Expired = "expired",
        Released = "released",
    }
    OrderStatus {
        Pending = "pending",
        Paid = "paid",
        Expired = "expired",
        Cancelled = "cancelled",
    }
    /// `unapplied`: the money came, but the order could not take it any more, so it has to go back.
    PaymentStatus {
        Pending = "pending",
        Succeeded = "succeeded",
        Failed = "failed",
        Unapplied = "unapplied",
    }
    TicketStatus {
        Valid = "valid",
        Cancelled = "cancelled",
    }
}

/// The price in force: of the phases that cover `at`, the one that began last.
pub fn price_at(prices: &[Price], at: Timestamp) -> Result<&Price, Invalid> {
    prices
        .iter()
        .filter(|price| price.from_at.is_none_or(|from| from <= at) && price.to_at.is_none_or(|to| at < to))
        .max_by_key(|price| price.from_at)
        .ok_or_else(|| Invalid::new("no price is in force for this ticket type now"))
}

/// The total of a list of (unit price, quantity).
pub fn total(lines: impl IntoIterator<Item = (Money, i64)>) -> Result<Option<Money>, Invalid> {
    let mut sum: Option<Money> = None;
    for (unit, quantity) in lines {
        let line = unit.times(quantity)?;
        sum = Some(match sum {
            Some(sum) => sum.plus(line)?,
            None => line,
        });
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PriceId;

    fn price(phase: &str, amount_minor: i64, from: Option<i64>, to: Option<i64>) -> Price {
        Price {
            price_id: PriceId::new(),
            phase: phase.into(),
            amount_minor,
            from_at: from.map(Timestamp::from_micros),
            to_at: to.map(Timestamp::from_micros),
        }
    }

    #[test]
    fn the_phase_that_began_last_sets_the_price() {
        let prices = [
            price("regular", 2_000, None, None),
            price("early", 1_500, Some(10), Some(20)),
        ];
        let phase = |at| price_at(&prices, Timestamp::from_micros(at)).unwrap().phase.clone();
        assert_eq!(
            [phase(9), phase(10), phase(19), phase(20)],
            ["regular", "early", "early", "regular"]
        );
        assert!(price_at(&prices[1..], Timestamp::from_micros(20)).is_err());
    }
}
