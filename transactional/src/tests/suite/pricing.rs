use super::*;
use crate::promo_codes::{self, PromoCodeDetails};
use domain::{
    PersonId, PromoCodeId,
    changes::{Charge, PromoCode},
    pricing::{ChargeKind, DiscountKind},
};

pub(super) fn details(code: &str, kind: DiscountKind, value: i64) -> PromoCodeDetails {
    PromoCodeDetails {
        code: code.into(),
        kind,
        value,
        buy_quantity: 0,
        free_quantity: 0,
        ticket_types: Vec::new(),
        from_at: None,
        to_at: None,
        max_uses: None,
        audience: None,
        active: true,
    }
}

impl World {
    async fn code(&self, details: PromoCodeDetails) -> Stored<PromoCode> {
        let event = self.event;
        self.write(move |tx| Box::pin(promo_codes::create(tx, event, details)))
            .await
            .unwrap()
    }

    async fn hold_with(&self, promo_code: &str, quantity: i64) -> Result<Stored<Hold>> {
        let request = holds::HoldRequest {
            promo_code: Some(promo_code.into()),
            ..self.request(quantity)
        };
        self.write(|tx| Box::pin(holds::place(tx, request))).await
    }

    async fn uses(&self, id: PromoCodeId) -> (i64, i64) {
        let codes = promo_codes::list(&mut self.store.read().await.unwrap(), self.event)
            .await
            .unwrap();
        let code = codes.iter().find(|state| state.promo_code.promo_code_id == id).unwrap();
        (code.reserved, code.used)
    }

    async fn pay(&self, placed: &orders::Placed) -> crate::payments::Applied {
        let report = self.success(placed);
        self.write(|tx| Box::pin(crate::payments::report(tx, report)))
            .await
            .unwrap()
    }

    async fn change_type(&self, change: impl FnOnce(&mut ticket_types::TicketTypeDetails)) {
        let (id, mut details) = (self.ticket_type, type_details(&[self.pool], PRICE));
        change(&mut details);
        self.write(move |tx| Box::pin(ticket_types::update(tx, id, details)))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_code_with_one_use_is_reserved_by_a_hold_used_by_an_order_and_given_back_by_both() {
    let world = World::with_capacity(10).await;
    let once = PromoCodeDetails {
        max_uses: Some(1),
        ..details("Once", DiscountKind::Percent, 2_000)
    };
    let id = world.code(once).await.promo_code_id;
    assert_eq!(code(world.hold_with("nope", 1).await), "promo_code_unknown");
    let hold = world.hold_with(" once ", 2).await.unwrap();
    assert_eq!((hold.amount_minor, hold.lines[0].discount_minor), (4_000, 1_000));
    assert_eq!(world.uses(id).await, (1, 0));
    assert_eq!(code(world.hold_with("ONCE", 1).await), "promo_code_used_up");

    let placed = world.checkout(&hold, "ada@example.org").await.unwrap();
    world.pay(&placed).await;
    assert_eq!(world.uses(id).await, (0, 1));
    assert_eq!(code(world.hold_with("ONCE", 1).await), "promo_code_used_up");
    let order_id = placed.order.order_id;
    world
        .write(move |tx| Box::pin(orders::cancel(tx, order_id, None)))
        .await
        .unwrap();
    assert_eq!(world.uses(id).await, (0, 0));

    world.hold_with("ONCE", 1).await.unwrap();
    let request = holds::HoldRequest {
        promo_code: Some("once".into()),
        ..world.request(1)
    };
    let later = Timestamp::now() + holds::HELD_FOR + Duration::from_secs(1);
    let again = world.write(move |tx| {
        tx.at(later);
        Box::pin(holds::place(tx, request))
    });
    again
        .await
        .expect("the use of a hold that expired is free, although no sweeper ran");
    world.assert_sound().await;
}

#[tokio::test]
async fn a_limited_phase_sells_what_it_has_and_a_phase_that_is_over_is_not_sold() {
    let world = World::with_capacity(10).await;
    let event = world.event;
    let early = world
        .write(move |tx| Box::pin(pools::create(tx, event, pool_details(3))))
        .await
        .unwrap()
        .pool_id;
    world
        .change_type(|details| {
            details.prices.push(ticket_types::PriceDetails {
                phase: "first three".into(),
                amount_minor: 1_000,
                from_at: None,
                to_at: None,
                pool_id: Some(early),
            });
        })
        .await;
    let hold = world.hold(2).await.unwrap();
    assert_eq!(hold.amount_minor, 2_000);
    let hold = world.hold(2).await.unwrap();
    assert_eq!(
        hold.amount_minor,
        1_000 + PRICE,
        "one at the early price, one at the regular"
    );
    assert_eq!(hold.lines.len(), 2);
    let placed = world.checkout(&hold, "ada@example.org").await.unwrap();
    world.pay(&placed).await;
    let tickets = tickets::of_order(&mut world.store.read().await.unwrap(), placed.order.order_id)
        .await
        .unwrap();
    let mut prices: Vec<i64> = tickets.iter().map(|ticket| ticket.price_minor).collect();
    prices.sort_unstable();
    assert_eq!(prices, [1_000, PRICE]);

    // The first hold expires, and its two early tickets are sold at the early price again, unswept.
    let request = world.request(4);
    let later = Timestamp::now() + holds::HELD_FOR + Duration::from_secs(1);
    let hold = world
        .write(move |tx| {
            tx.at(later);
            Box::pin(holds::place(tx, request))
        })
        .await
        .unwrap();
    assert_eq!(hold.amount_minor, 2 * 1_000 + 2 * PRICE);
    world
        .change_type(|details| details.prices[0].to_at = Some(Timestamp::from_micros(1)))
        .await;
    assert_eq!(code(world.hold(1).await), "no_price");
    world.assert_sound().await;
}

#[tokio::test]
async fn a_hidden_type_is_sold_to_who_has_its_code() {
    let world = World::with_capacity(10).await;
    world.change_type(|details| details.hidden = true).await;
    world.code(details("WRONG", DiscountKind::None, 0)).await;
    let opens = PromoCodeDetails {
        ticket_types: vec![world.ticket_type],
        ..details("FRIENDS", DiscountKind::None, 0)
    };
    world.code(opens).await;
    assert_eq!(code(world.hold(1).await), "ticket_type_unknown");
    assert_eq!(code(world.hold_with("WRONG", 1).await), "ticket_type_unknown");
    assert_eq!(world.hold_with("FRIENDS", 1).await.unwrap().amount_minor, PRICE);
    world.assert_sound().await;
}

#[tokio::test]
async fn a_code_for_an_audience_is_checked_when_the_buyer_is_known() {
    let world = World::with_capacity(10).await;
    let ada = world.order(1).await.order.person_id;
    let invited = |people: Vec<PersonId>| PromoCodeDetails {
        audience: Some(people),
        ..details("INVITED", DiscountKind::Fixed, 500)
    };
    let event = world.event;
    let unknown = invited(vec![PersonId::new()]);
    let refused = world
        .write(move |tx| Box::pin(promo_codes::create(tx, event, unknown)))
        .await;
    assert_eq!(code(refused), "person_unknown");
    world.code(invited(vec![ada])).await;
    let hold = world.hold_with("invited", 1).await.unwrap();
    assert_eq!(
        code(world.checkout(&hold, "eve@example.org").await),
        "promo_code_not_for_you"
    );
    let placed = world.checkout(&hold, "ada@example.org").await.unwrap();
    assert_eq!(placed.order.total_minor, PRICE - 500);
    world.assert_sound().await;
}

#[tokio::test]
async fn fees_and_taxes_are_in_the_total_and_shared_among_the_tickets() {
    let world = World::with_capacity(10).await;
    let event = world.event;
    let charge = |kind, name: &str, bps, fixed_minor| Charge {
        kind,
        name: name.into(),
        bps,
        fixed_minor,
        included: false,
    };
    let charges = vec![
        charge(ChargeKind::Fee, "Booking", 333, 25),
        charge(ChargeKind::Tax, "VAT", 1_900, 0),
    ];
    let changed = events::EventDetails {
        charges,
        ..event_details()
    };
    world
        .write(move |tx| Box::pin(events::update(tx, event, changed)))
        .await
        .unwrap();
    let hold = world.hold(3).await.unwrap();
    let line = &hold.lines[0];
    // 3.33 % of 75.00 and 3 × 0.25; 19 % of 78.25.
    assert_eq!((line.fee_minor, line.tax_minor, hold.amount_minor), (325, 1_487, 9_312));
    let placed = world.checkout(&hold, "ada@example.org").await.unwrap();
    world.pay(&placed).await;
    world.assert_sound().await;
}

#[tokio::test]
async fn a_late_payment_is_refused_when_the_code_was_used_by_another() {
    let world = World::with_capacity(10).await;
    let once = PromoCodeDetails {
        max_uses: Some(1),
        ..details("ONCE", DiscountKind::Percent, 5_000)
    };
    let id = world.code(once).await.promo_code_id;
    let hold = world.hold_with("ONCE", 1).await.unwrap();
    let late = world.checkout(&hold, "late@example.org").await.unwrap();
    let hold_id = hold.hold_id;
    let over = Timestamp::now() + orders::PAYABLE_FOR + Duration::from_secs(1);
    world
        .write(move |tx| {
            tx.at(over);
            Box::pin(async move { holds::sweep(tx, None, 100).await.map(drop) })
        })
        .await
        .unwrap();
    let swept = holds::get(&mut world.store.read().await.unwrap(), hold_id)
        .await
        .unwrap();
    assert_eq!(swept.status, domain::order::HoldStatus::Expired);
    let hold = world.hold_with("ONCE", 1).await.unwrap();
    let prompt = world.checkout(&hold, "prompt@example.org").await.unwrap();
    assert_eq!(
        world.pay(&prompt).await,
        crate::payments::Applied::Done(crate::payments::ReportedOutcome::Succeeded)
    );
    assert_eq!(world.pay(&late).await, crate::payments::Applied::Unapplied);
    assert_eq!(world.uses(id).await, (0, 1));
    world.assert_sound().await;
}

#[tokio::test]
async fn an_order_has_a_largest_total_so_that_sums_stay_numbers() {
    let world = World::with_capacity(5).await;
    world
        .change_type(|details| details.prices[0].amount_minor = 100_000_000_000)
        .await;
    world.hold(1).await.unwrap();
    assert_eq!(code(world.hold(2).await), "too_expensive");
    world.assert_sound().await;
}
