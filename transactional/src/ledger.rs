//! The double-entry ledger: whose the money is that went through this program. An entry is one transaction over five
//! accounts, in minor units of one currency, a debit positive and a credit negative, and its sum is zero: the table
//! takes no other.
//!
//! | account | a positive balance is | a negative balance is |
//! |---|---|---|
//! | provider | money that payment providers hold for the platform | |
//! | organizer | what an organizer owes, after chargebacks | what the platform owes the organizer |
//! | platform | | the platform's fees |
//! | buyers | | money on its way back to buyers |
//! | disputed | money that a bank holds back until a dispute is decided | |

use crate::{
    Cursor, Error, Page, PageRequest, Result, Source, Stored, Tx, organizers, page,
    payments::TILL,
    rows,
    sql::{self, Columns, binds},
};
use domain::{
    Currency, EntryId, OrganizerId, PaymentId, PayoutId, Timestamp,
    changes::{Payment, Payout},
    is_hidden,
    order::EntryKind,
    pricing::share,
};
use std::ops::Neg;

/// What a transaction adds to each account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accounts {
    pub provider_minor: i64,
    pub organizer_minor: i64,
    pub platform_minor: i64,
    pub buyers_minor: i64,
    pub disputed_minor: i64,
}

#[derive(Clone, Debug)]
pub struct Entry {
    pub entry_id: EntryId,
    pub kind: EntryKind,
    /// The payment, refund, dispute or payout that caused it.
    pub subject_id: String,
    pub currency: Currency,
    pub accounts: Accounts,
    pub posted_at: Timestamp,
}

/// The accounts of one organizer in one currency.
#[derive(Clone, Copy, Debug)]
pub struct Balance {
    pub currency: Currency,
    pub accounts: Accounts,
}

impl Accounts {
    /// An order is paid.
    pub(crate) fn payment(payment: &Payment) -> Self {
        Self {
            provider_minor: payment.amount_minor,
            organizer_minor: payment.platform_fee_minor - payment.amount_minor,
            platform_minor: -payment.platform_fee_minor,
            ..Self::default()
        }
    }

    /// Money came for which there is no order: it is the buyer's.
    pub(crate) fn unapplied(payment: &Payment) -> Self {
        Self {
            provider_minor: payment.amount_minor,
            buyers_minor: -payment.amount_minor,
            ..Self::default()
        }
    }

    /// What was refunded of a payment grows (or shrinks) from one sum to another. The platform gives its fee back in
    /// the same proportion; it is rounded for the sum, so that the parts of a full refund are the whole fee.
    pub(crate) fn refund(payment: &Payment, from: i64, to: i64) -> Result<Self> {
        let fee = |refunded| share(payment.platform_fee_minor, refunded, payment.amount_minor);
        let (amount, platform_minor) = (to - from, fee(to)? - fee(from)?);
        Ok(Self {
            organizer_minor: amount - platform_minor,
            platform_minor,
            buyers_minor: -amount,
            ..Self::default()
        })
    }

    /// A refund has left the provider.
    pub(crate) fn refund_paid(amount: i64) -> Self {
        Self {
            provider_minor: -amount,
            buyers_minor: amount,
            ..Self::default()
        }
    }

    /// A bank took money back.
    pub(crate) fn dispute(amount: i64) -> Self {
        Self {
            provider_minor: -amount,
            disputed_minor: amount,
            ..Self::default()
        }
    }

    /// The bank keeps it: the organizer bears that, or, if no order was paid with it, the buyer had it back.
    pub(crate) fn dispute_lost(amount: i64, applied: bool) -> Self {
        Self {
            disputed_minor: -amount,
            organizer_minor: if applied { amount } else { 0 },
            buyers_minor: if applied { 0 } else { amount },
            ..Self::default()
        }
    }

    /// What a provider would hold for the platform, the organizer has already.
    fn in_the_till(self) -> Self {
        Self {
            provider_minor: 0,
            organizer_minor: self.organizer_minor + self.provider_minor,
            ..self
        }
    }

    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            provider_minor: self.provider_minor + other.provider_minor,
            organizer_minor: self.organizer_minor + other.organizer_minor,
            platform_minor: self.platform_minor + other.platform_minor,
            buyers_minor: self.buyers_minor + other.buyers_minor,
            disputed_minor: self.disputed_minor + other.disputed_minor,
        }
    }

    fn read(row: &crate::dialect::Row) -> Result<Self> {
        Ok(Self {
            provider_minor: row.int("provider_minor")?,
            organizer_minor: row.int("organizer_minor")?,
            platform_minor: row.int("platform_minor")?,
            buyers_minor: row.int("buyers_minor")?,
            disputed_minor: row.int("disputed_minor")?,
        })
    }
}

impl Neg for Accounts {
    type Output = Self;

    fn neg(self) -> Self {
        Self {
            provider_minor: -self.provider_minor,
            organizer_minor: -self.organizer_minor,
            platform_minor: -self.platform_minor,
            buyers_minor: -self.buyers_minor,
            disputed_minor: -self.disputed_minor,
        }
    }
}

/// Writes an entry about a payment. `subject_id`: what caused it.
pub(crate) fn post(tx: &mut Tx, kind: EntryKind, payment: &Stored<Payment>, subject_id: String, accounts: Accounts) {
    let about = (payment.organizer_id, payment.currency);
    let accounts = match payment.provider.as_str() {
        TILL => accounts.in_the_till(),
        _ => accounts,
    };
    insert(tx, kind, about, Some(payment.payment_id), subject_id, accounts);
}

fn insert(
    tx: &mut Tx,
    kind: EntryKind,
    (organizer_id, currency): (OrganizerId, Currency),
    payment_id: Option<PaymentId>,
    subject_id: String,
    accounts: Accounts,
) {
    let sql = "insert into ledger_entries (entry_id, organizer_id, kind, subject_id, payment_id, currency,
                   provider_minor, organizer_minor, platform_minor, buyers_minor, disputed_minor, posted_at)
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    let values = binds![
        EntryId::new(),
        organizer_id,
        kind,
        subject_id,
        payment_id,
        currency,
        accounts.provider_minor,
        accounts.organizer_minor,
        accounts.platform_minor,
        accounts.buyers_minor,
        accounts.disputed_minor,
        tx.batch_time,
    ];
    tx.defer(sql, values, 1);
}

/// What the accounts of an organizer have come to, a row a currency.
pub async fn balances(db: &mut impl Source, organizer_id: OrganizerId) -> Result<Vec<Balance>> {
    let sql = "select currency, cast(sum(provider_minor) as bigint) as provider_minor,
                   cast(sum(organizer_minor) as bigint) as organizer_minor,
                   cast(sum(platform_minor) as bigint) as platform_minor,
                   cast(sum(buyers_minor) as bigint) as buyers_minor,
                   cast(sum(disputed_minor) as bigint) as disputed_minor
               from ledger_entries where organizer_id = $1 group by currency order by currency";
    let rows = sql::all(db, sql, binds![organizer_id]).await?;
    let read = |row| {
        Ok(Balance {
            currency: Columns::parse(row, "currency")?,
            accounts: Accounts::read(row)?,
        })
    };
    rows.iter().map(read).collect()
}

/// The newest first.
pub async fn entries(db: &mut impl Source, organizer_id: OrganizerId, request: PageRequest) -> Result<Page<Entry>> {
    let (key, id) = match request.after {
        Some(Cursor { key, id }) => (key, id),
        None => (i64::MAX, "~".to_owned()),
    };
    let limit = request.limit.clamp(1, page::MOST_ITEMS) as usize;
    let sql = "select * from ledger_entries where organizer_id = $1 and (posted_at, entry_id) < ($2, $3)
               order by posted_at desc, entry_id desc limit $4";
    let rows = sql::all(db, sql, binds![organizer_id, key, id, limit as i64 + 1]).await?;
    let read = |row| {
        Ok(Entry {
            entry_id: Columns::parse(row, "entry_id")?,
            kind: Columns::parse(row, "kind")?,
            subject_id: Columns::text(row, "subject_id")?,
            currency: Columns::parse(row, "currency")?,
            accounts: Accounts::read(row)?,
            posted_at: Columns::time(row, "posted_at")?,
        })
    };
    let items: Vec<Entry> = rows.iter().take(limit).map(read).collect::<Result<_>>()?;
    let next = items.last().filter(|_| rows.len() > limit).map(|last| Cursor {
        key: last.posted_at.as_micros(),
        id: last.entry_id.to_string(),
    });
    Ok(Page { items, next })
}

/// Writes down that the platform sent an organizer all that it owes in a currency. The sending itself is the
/// operator's: this program moves no money between banks.
pub async fn pay_out(
    tx: &mut Tx,
    organizer_id: OrganizerId,
    currency: Currency,
    reference: Option<String>,
) -> Result<Stored<Payout>> {
    organizers::get(tx, organizer_id).await?;
    if reference
        .as_deref()
        .is_some_and(|text| text.chars().count() > 200 || text.chars().any(is_hidden))
    {
        return Err(Error::refused("invalid", "a reference is one line of at most 200 characters").at("reference"));
    }
    let balances = balances(tx, organizer_id).await?;
    let owed = balances.iter().find(|balance| balance.currency == currency);
    let amount_minor = owed.map_or(0, |balance| -balance.accounts.organizer_minor);
    if amount_minor <= 0 {
        return Err(Error::conflict(
            "nothing_owed",
            format!("the platform owes this organizer nothing in {currency}"),
        ));
    }
    let payout = Payout {
        payout_id: PayoutId::new(),
        amount_minor,
        currency,
        reference,
        paid_at: tx.now(),
    };
    let accounts = Accounts {
        organizer_minor: amount_minor,
        provider_minor: -amount_minor,
        ..Accounts::default()
    };
    let subject = payout.payout_id.to_string();
    insert(tx, EntryKind::Payout, (organizer_id, currency), None, subject, accounts);
    tx.create(organizer_id, "payout.made", payout)
}

/// The newest first.
pub async fn payouts(db: &mut impl Source, organizer_id: OrganizerId) -> Result<Vec<Stored<Payout>>> {
    let newest = "t.organizer_id = $1 order by t.paid_at desc, t.payout_id desc limit 200";
    rows::find(db, newest, binds![organizer_id]).await
}
