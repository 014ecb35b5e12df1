//! A small world to test in: one published event with one pool, one ticket type and one check-in list.

use super::backends::Backend;
use crate::{
    Error, Result, Store, StoreOptions, Stored, Tx, audit::AuditSnapshot, check_ins, events, holds, orders, organizers,
    payments::TestProvider, pools, ticket_types, tickets,
};
use domain::{
    CheckInListId, EventId, OrganizerId, PoolId, TicketTypeId, Timestamp,
    changes::{Change, Hold, Ticket},
    event::EventStatus,
};
use futures::future::BoxFuture;
use std::time::Duration;

/// One published event with one pool and one ticket type at 25.00 EUR.
pub(super) struct World<B> {
    pub(super) store: Store,
    pub(super) database: B,
    pub(super) organizer: OrganizerId,
    pub(super) event: EventId,
    pub(super) pool: PoolId,
    pub(super) ticket_type: TicketTypeId,
    pub(super) list: CheckInListId,
}

pub(super) const PRICE: i64 = 2_500;

impl<B: Backend> World<B> {
    pub(super) async fn with_capacity(capacity: i64) -> Self {
        let database = B::create().await;
        let store = open(&database).await;
        let ids = store
            .write("test", move |tx| {
                Box::pin(async move {
                    let organizer = organizers::create(tx, organizer_details("club")).await?;
                    let event = events::create(tx, organizer.id, event_details()).await?;
                    let pool = pools::create(tx, event.event_id, pool_details(capacity)).await?;
                    let details = type_details(&[pool.pool_id], PRICE);
                    let ticket_type = ticket_types::create(tx, event.event_id, details).await?;
                    let list = check_ins::create_list(tx, event.event_id, list_details(false, false)).await?;
                    events::set_status(tx, event.event_id, EventStatus::Published).await?;
                    Ok((
                        organizer.id,
                        event.event_id,
                        pool.pool_id,
                        ticket_type.ticket_type_id,
                        list.check_in_list_id,
                    ))
                })
            })
            .await
            .unwrap();
        let (organizer, event, pool, ticket_type, list) = ids;
        Self {
            store,
            database,
            organizer,
            event,
            pool,
            ticket_type,
            list,
        }
    }

    pub(super) async fn write<T, F>(&self, command: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T>> + Send + 'static,
    {
        self.store.write("test", command).await
    }

    pub(super) fn request(&self, quantity: i64) -> holds::HoldRequest {
        request(self.event, &[(self.ticket_type, quantity)])
    }

    pub(super) async fn hold(&self, quantity: i64) -> Result<Stored<Hold>> {
        let request = self.request(quantity);
        self.write(|tx| Box::pin(holds::place(tx, request))).await
    }

    pub(super) async fn order(&self, quantity: i64) -> orders::Placed {
        let hold = self.hold(quantity).await.unwrap();
        self.checkout(&hold, "ada@example.org").await.unwrap()
    }

    pub(super) async fn checkout(&self, hold: &Stored<Hold>, email: &str) -> Result<orders::Placed> {
        let checkout = checkout(hold, email);
        self.write(|tx| Box::pin(orders::checkout(tx, checkout))).await
    }

    /// A paid order's tickets.
    pub(super) async fn buy(&self, quantity: i64) -> Vec<Stored<Ticket>> {
        let placed = self.order(quantity).await;
        let report = self.success(&placed);
        self.write(|tx| Box::pin(crate::payments::report(tx, report)))
            .await
            .unwrap();
        tickets::of_order(&mut self.store.read().await.unwrap(), placed.order.order_id)
            .await
            .unwrap()
    }

    pub(super) fn provider(&self) -> TestProvider {
        TestProvider::new(&self.store.webhook_secret())
    }

    pub(super) fn success(&self, placed: &orders::Placed) -> crate::payments::Report {
        let payment = placed.payment.as_ref().unwrap();
        self.provider().schedule(payment, "test_ok").remove(0).1
    }

    pub(super) async fn pool_counts(&self) -> (i64, i64) {
        let states = pools::list(&mut self.store.read().await.unwrap(), self.event)
            .await
            .unwrap();
        (states[0].held, states[0].sold)
    }

    pub(super) async fn changes(&self) -> Vec<Change> {
        self.store.changes_after(0, 1_000_000).await.unwrap()
    }

    pub(super) async fn change_types(&self) -> Vec<String> {
        self.changes()
            .await
            .into_iter()
            .map(|change| change.change_type)
            .collect()
    }

    /// Every test that writes ends with this.
    pub(super) async fn assert_sound(&self) {
        let mut audit = AuditSnapshot::open(&self.store).await.unwrap();
        assert_eq!(audit.invariants().await.unwrap(), Vec::<String>::new());
        let changes = self.changes().await;
        assert_eq!(audit.position(), changes.len() as i64, "nothing was trimmed");
        for (index, change) in changes.iter().enumerate() {
            assert_eq!(change.seq, index as i64 + 1, "seq has no gap");
            let last_of_command = changes
                .get(index + 1)
                .is_none_or(|next| next.remaining != change.remaining - 1);
            assert_eq!(change.remaining == 0, last_of_command, "remaining counts down to 0");
        }
        for entity in domain::changes::ENTITIES {
            let told = changes.iter().filter(|change| change.entity == entity.name).count() as i64;
            assert_eq!(audit.totals(entity).await.unwrap().versions, told, "{}", entity.name);
        }
    }
}

pub(super) async fn open(database: &impl Backend) -> Store {
    Store::open(&database.url(), StoreOptions::default()).await.unwrap()
}

pub(super) fn organizer_details(slug: &str) -> organizers::OrganizerDetails {
    organizers::OrganizerDetails {
        slug: slug.parse().unwrap(),
        name: "Club".parse().unwrap(),
        currency: "EUR".parse().unwrap(),
        timezone: "Europe/Berlin".into(),
        city: None,
        country: Some("DE".into()),
    }
}

pub(super) fn event_details() -> events::EventDetails {
    events::EventDetails {
        venue_id: None,
        title: "Jazz".parse().unwrap(),
        description: None,
        category: None,
        language: None,
        url: None,
        starts_at: Timestamp::now() + Duration::from_secs(86_400),
        ends_at: Timestamp::now() + Duration::from_secs(2 * 86_400),
        timezone: "Europe/Berlin".into(),
        currency: "EUR".parse().unwrap(),
        charges: Vec::new(),
        refundable_until: None,
        pay_at_door: false,
        approval_required: false,
    }
}

pub(super) fn pool_details(capacity: i64) -> pools::PoolDetails {
    pools::PoolDetails {
        name: "Hall".parse().unwrap(),
        capacity: Some(capacity),
    }
}

pub(super) fn type_details(pools: &[PoolId], amount_minor: i64) -> ticket_types::TicketTypeDetails {
    ticket_types::TicketTypeDetails {
        name: "Seat".parse().unwrap(),
        hidden: false,
        min_per_order: 1,
        max_per_order: 4,
        sales_from: None,
        sales_to: None,
        valid_from: None,
        valid_to: None,
        pools: pools.to_vec(),
        prices: vec![ticket_types::PriceDetails {
            phase: "regular".into(),
            amount_minor,
            from_at: None,
            to_at: None,
            pool_id: None,
        }],
    }
}

pub(super) fn list_details(reentry: bool, multi_entry: bool) -> check_ins::ListDetails {
    check_ins::ListDetails {
        name: "Door".parse().unwrap(),
        reentry,
        multi_entry,
        include_pending: false,
        ticket_types: Vec::new(),
        opens_at: None,
        closes_at: None,
        min_gap_minutes: None,
        once_a_day: false,
        alert_at: None,
    }
}

pub(super) fn request(event_id: EventId, lines: &[(TicketTypeId, i64)]) -> holds::HoldRequest {
    let line = |&(ticket_type_id, quantity): &(TicketTypeId, i64)| holds::LineRequest {
        ticket_type_id,
        quantity,
    };
    holds::HoldRequest {
        event_id,
        lines: lines.iter().map(line).collect(),
        promo_code: None,
    }
}

pub(super) fn checkout(hold: &Stored<Hold>, email: &str) -> orders::Checkout {
    orders::Checkout {
        hold_id: hold.hold_id,
        email: email.parse().unwrap(),
        name: Some("Ada".into()),
        phone: None,
        language: domain::message::Language::English,
        how: paid_now("test_ok"),
    }
}

pub(super) fn paid_now(method: &str) -> orders::HowToPay {
    orders::HowToPay::Now {
        provider: "test".into(),
        method: method.into(),
    }
}

pub(super) fn code<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    result.unwrap_err().code().to_owned()
}
