//! Commands, expiries and what providers report, in an order that chance makes and several at once: whatever comes of
//! it, capacity, uses of codes, refunds and the ledger add up. A run is repeated with `BILTEN_TEST_SEED`.

use super::*;
use crate::{
    Kind, ledger,
    orders::RefundRequest,
    payments::{self, Report, ReportedOutcome, refunds},
    promo_codes,
};
use domain::{Money, OrderId, PoolId, changes::Payment, order::RefundReason, pricing::DiscountKind};
use futures::FutureExt;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::sync::Mutex;

const ROUNDS: usize = 60;
const AT_ONCE: usize = 8;

/// What later actions can refer to.
#[derive(Default)]
struct Known {
    holds: Vec<Stored<Hold>>,
    orders: Vec<OrderId>,
    payments: Vec<Stored<Payment>>,
    tickets: Vec<Stored<Ticket>>,
}

/// One action, with everything that chance says of it decided.
struct Action {
    what: u32,
    hold: Option<Stored<Hold>>,
    order: Option<OrderId>,
    payment: Option<Stored<Payment>>,
    ticket: Option<Stored<Ticket>>,
    number: i64,
    coin: bool,
}

fn one<T: Clone>(random: &mut StdRng, of: &[T]) -> Option<T> {
    // The newest are where the action is.
    let newest = &of[of.len().saturating_sub(12)..];
    (!newest.is_empty()).then(|| newest[random.random_range(0..newest.len())].clone())
}

impl Action {
    fn any(random: &mut StdRng, known: &Known) -> Self {
        Self {
            what: random.random_range(0..22),
            hold: one(random, &known.holds),
            order: one(random, &known.orders),
            payment: one(random, &known.payments),
            ticket: one(random, &known.tickets),
            number: random.random_range(1..6),
            coin: random.random(),
        }
    }

    async fn run(self, world: &World, second_pool: PoolId, known: &Mutex<Known>) -> Result<()> {
        let (order, number, coin) = (self.order, self.number, self.coin);
        match (self.what, self.hold, order, self.payment) {
            (0..=3, ..) => {
                let request = holds::HoldRequest {
                    promo_code: coin.then(|| "FEW".to_owned()),
                    ..world.request(number.min(4))
                };
                let hold = world.write(|tx| Box::pin(holds::place(tx, request))).await?;
                known.lock().unwrap().holds.push(hold);
            }
            (4..=6, Some(hold), ..) => {
                let mut checkout = checkout(&hold, &format!("buyer-{number}@example.org"));
                checkout.how = match (number, coin) {
                    (5, _) => orders::HowToPay::AtDoor,
                    (_, true) => paid_now("test_ok"),
                    (_, false) => paid_now("test_no_refunds"),
                };
                let placed = world.write(|tx| Box::pin(orders::checkout(tx, checkout))).await?;
                let mut known = known.lock().unwrap();
                known.orders.push(placed.order.order_id);
                known.payments.extend(placed.payment);
                known.tickets.extend(placed.tickets);
            }
            (7, Some(hold), ..) => {
                let id = hold.hold_id;
                world.write(move |tx| Box::pin(holds::release(tx, id))).await?;
            }
            (8, _, Some(id), _) => {
                let again = world.write(move |tx| Box::pin(orders::pay(tx, id, "test".into(), "test_ok".into())));
                let payment = again.await?;
                known.lock().unwrap().payments.push(payment);
            }
            (9, _, Some(id), _) => {
                let reason = coin.then_some(RefundReason::Staff);
                world.write(move |tx| Box::pin(orders::cancel(tx, id, reason))).await?;
            }
            (10, _, Some(id), _) => {
                let amount = Money::new(number * 700, "EUR".parse().unwrap());
                refund(world, id, RefundRequest::Amount(amount)).await?;
            }
            (11, ..) => {
                if let Some(ticket) = self.ticket {
                    refund(world, ticket.order_id, RefundRequest::Tickets(vec![ticket.ticket_id])).await?;
                }
            }
            (12..=16, _, _, Some(payment)) => {
                let report = told(&payment, self.what, number, coin);
                world.write(|tx| Box::pin(payments::report(tx, report))).await?;
                let issued = tickets::of_order(&mut world.store.read().await?, payment.order_id).await?;
                known.lock().unwrap().tickets.extend(issued);
            }
            (20, _, Some(id), _) => {
                let take = world.write(move |tx| Box::pin(orders::take_payment(tx, id, "cash".into())));
                take.await?;
            }
            (21, _, Some(id), _) => {
                for refund in refunds::of_order(&mut world.store.read().await?, id).await? {
                    let id = refund.refund_id;
                    world.write(move |tx| Box::pin(orders::hand_over(tx, id))).await?;
                }
            }
            _ => return behind_the_scenes(self.what, number, coin, world, second_pool).await,
        }
        Ok(())
    }
}

/// What no buyer does: time, changes of capacity, and money that is sent.
async fn behind_the_scenes(what: u32, number: i64, coin: bool, world: &World, second_pool: PoolId) -> Result<()> {
    match what {
        17 => {
            let minutes = number as u32 * 4;
            let later = Timestamp::now() + Duration::from_secs(60) * minutes;
            world
                .write(move |tx| {
                    tx.at(later);
                    Box::pin(holds::sweep(tx, None, 3))
                })
                .await?;
        }
        18 => {
            let details = pool_details(number * 3);
            world
                .write(move |tx| Box::pin(pools::resize(tx, second_pool, details)))
                .await?;
        }
        _ => {
            refunds::ask(&world.store, &world.provider(), number).await?;
            let organizer = world.organizer;
            if coin {
                let eur = "EUR".parse().unwrap();
                world
                    .write(move |tx| Box::pin(ledger::pay_out(tx, organizer, eur, None)))
                    .await?;
            }
        }
    }
    Ok(())
}

async fn refund(world: &World, id: OrderId, request: RefundRequest) -> Result<()> {
    let refund = world.write(move |tx| Box::pin(orders::refund(tx, id, request, RefundReason::Staff)));
    refund.await.map(|_| ())
}

/// What a provider says of a payment: the right thing mostly, and often what it said before.
fn told(payment: &Payment, what: u32, number: i64, coin: bool) -> Report {
    let (outcome, subject, amount) = match (what, coin) {
        (12 | 13, _) | (14, true) => (ReportedOutcome::Succeeded, None, payment.amount_minor),
        (14, false) => (ReportedOutcome::Failed, None, payment.amount_minor),
        (15, true) => (ReportedOutcome::Refunded, Some(format!("r{number}")), number * 500),
        (15, false) => (ReportedOutcome::RefundFailed, Some(format!("r{number}")), number * 500),
        (_, true) => (ReportedOutcome::DisputeOpened, None, payment.amount_minor),
        _ if number % 2 == 0 => (ReportedOutcome::DisputeWon, None, payment.amount_minor),
        _ => (ReportedOutcome::DisputeLost, None, payment.amount_minor),
    };
    Report {
        provider: "test".into(),
        ext_id: format!("{}:{what}:{}:{number}", payment.payment_id, outcome.as_str()),
        provider_ref: Some(payment.provider_ref.clone()),
        external_ref: None,
        subject_ref: subject.or_else(|| Some(format!("d:{}:{number}", payment.payment_id))),
        outcome,
        amount: Money::new(amount, payment.currency),
    }
}

#[tokio::test]
async fn whatever_the_order_everything_adds_up() {
    let given = std::env::var("BILTEN_TEST_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed: u64 = given.unwrap_or_else(rand::random);
    eprintln!("BILTEN_TEST_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let world = World::with_capacity(14).await;
    let (event, first, organizer) = (world.event, world.pool, world.organizer);
    let (ticket_type, early) = (world.ticket_type, pool_details(5));
    let second_pool = world
        .write(move |tx| {
            Box::pin(async move {
                organizers::set_platform_fee(tx, organizer, 377).await?;
                let details = events::EventDetails {
                    pay_at_door: true,
                    ..event_details()
                };
                events::update(tx, event, details).await?;
                let early = pools::create(tx, event, early).await?.pool_id;
                let mut details = type_details(&[first], PRICE);
                let mut phase = details.prices[0].clone();
                (phase.phase, phase.amount_minor, phase.pool_id) = ("early".into(), PRICE - 999, Some(early));
                details.prices.push(phase);
                ticket_types::update(tx, ticket_type, details).await?;
                let few = promo_codes::PromoCodeDetails {
                    max_uses: Some(3),
                    ..super::pricing::details("FEW", DiscountKind::Percent, 1_111)
                };
                promo_codes::create(tx, event, few).await?;
                Ok(early)
            })
        })
        .await
        .unwrap();
    let known = Mutex::new(Known::default());
    let (mut done, mut refused) = (0, 0);
    for _ in 0..ROUNDS {
        let actions: Vec<Action> = {
            let known = known.lock().unwrap();
            (0..AT_ONCE).map(|_| Action::any(&mut random, &known)).collect()
        };
        let actions = actions
            .into_iter()
            .map(|action| action.run(&world, second_pool, &known).boxed());
        for outcome in futures::future::join_all(actions).await {
            match outcome {
                Ok(()) => done += 1,
                Err(error) if [Kind::Refused, Kind::Conflict].contains(&error.kind()) => refused += 1,
                Err(error) => panic!("{error:?}"),
            }
        }
        world.assert_sound().await;
    }
    let types = world.change_types().await;
    let happened = |wanted: &str| types.iter().any(|change| change == wanted);
    eprintln!("{done} done, {refused} refused, {} changes", types.len());
    for wanted in [
        "order.paid",
        "refund.succeeded",
        "dispute.opened",
        "hold.expired",
        "ticket.cancelled",
    ] {
        assert!(happened(wanted), "chance never came to {wanted}");
    }
}
