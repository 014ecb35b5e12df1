use super::*;
use crate::{EventId, PriceId, PromoCodeId, TicketTypeId, changes::ListedType};
use proptest::prelude::*;

fn price(phase: &str, amount_minor: i64, from: Option<i64>, to: Option<i64>, pool_id: Option<PoolId>) -> Price {
    Price {
        price_id: PriceId::new(),
        phase: phase.into(),
        amount_minor,
        from_at: from.map(Timestamp::from_micros),
        to_at: to.map(Timestamp::from_micros),
        pool_id,
    }
}

fn line(unit_minor: i64, quantity: i64) -> Line {
    Line::plain(TicketTypeId::new(), quantity, unit_minor)
}

fn code(kind: DiscountKind, value: i64) -> PromoCode {
    PromoCode {
        promo_code_id: PromoCodeId::new(),
        event_id: EventId::new(),
        code: "EARLY".into(),
        kind,
        value,
        buy_quantity: 0,
        free_quantity: 0,
        ticket_types: Vec::new(),
        from_at: None,
        to_at: None,
        pool_id: PoolId::new(),
        for_audience: false,
        active: true,
    }
}

fn charge_of(kind: ChargeKind, bps: i64, fixed_minor: i64, included: bool) -> Charge {
    Charge {
        kind,
        name: "charge".into(),
        bps,
        fixed_minor,
        included,
    }
}

#[test]
fn the_phase_that_began_last_sets_the_price() {
    let prices = [
        price("regular", 2_000, None, None, None),
        price("early", 1_500, Some(10), Some(20), None),
    ];
    let phase = |at| {
        let parts = phases(&prices, 1, Timestamp::from_micros(at), |_| None).unwrap();
        parts[0].0.phase.clone()
    };
    assert_eq!(
        [phase(9), phase(10), phase(19), phase(20)],
        ["regular", "early", "early", "regular"]
    );
    assert!(phases(&prices[1..], 1, Timestamp::from_micros(20), |_| None).is_err());
}

#[test]
fn a_limited_phase_gives_what_it_has_and_the_next_one_the_rest() {
    let pool = PoolId::new();
    let prices = [
        price("regular", 2_000, None, None, None),
        price("first hundred", 1_500, None, None, Some(pool)),
    ];
    let split = |room| {
        let parts = phases(&prices, 5, Timestamp::from_micros(0), |_| Some(room)).unwrap();
        parts
            .iter()
            .map(|(price, part)| (price.amount_minor, *part))
            .collect::<Vec<_>>()
    };
    assert_eq!(split(9), [(1_500, 5)]);
    assert_eq!(split(3), [(1_500, 3), (2_000, 2)]);
    assert_eq!(split(0), [(2_000, 5)]);
    let limited_alone = phases(&prices[1..], 5, Timestamp::from_micros(0), |_| Some(3));
    assert!(limited_alone.is_err(), "{limited_alone:?}");
}

#[test]
fn codes_take_off_percent_amount_or_the_cheapest_tickets() {
    let mut lines = [line(999, 3), line(2_000, 2)];
    discount(&mut lines, &code(DiscountKind::Percent, 1_250)).unwrap();
    assert_eq!(
        lines.each_ref().map(|line| line.discount_minor),
        [375, 500],
        "374.625 is rounded up"
    );

    let mut lines = [line(999, 3), line(2_000, 2)];
    discount(&mut lines, &code(DiscountKind::Fixed, 1_000)).unwrap();
    assert_eq!(
        lines.each_ref().map(|line| line.discount_minor),
        [2_997, 2_000],
        "never below nothing"
    );

    let mut lines = [line(2_000, 5), line(999, 2)];
    let three_for_two = PromoCode {
        buy_quantity: 2,
        free_quantity: 1,
        ..code(DiscountKind::FreeTickets, 0)
    };
    discount(&mut lines, &three_for_two).unwrap();
    assert_eq!(
        lines.each_ref().map(|line| line.discount_minor),
        [0, 1_998],
        "7 tickets: 2 of them free"
    );

    let mut lines = [line(2_000, 5), line(999, 2)];
    let scoped = PromoCode {
        ticket_types: vec![ListedType {
            ticket_type_id: lines[1].ticket_type_id,
        }],
        ..code(DiscountKind::Percent, WHOLE_BPS)
    };
    discount(&mut lines, &scoped).unwrap();
    assert_eq!(lines.each_ref().map(|line| line.discount_minor), [0, 1_998]);
}

#[test]
fn fees_are_of_the_discounted_price_and_taxes_of_both() {
    let charges = [
        charge_of(ChargeKind::Fee, 250, 30, false),
        charge_of(ChargeKind::Tax, 1_900, 0, false),
    ];
    let mut sold = line(1_050, 2);
    sold.discount_minor = 100;
    charge(&mut sold, &charges).unwrap();
    // 2.5 % of 20.00 and twice 0.30; 19 % of 21.10 is 4.009.
    assert_eq!((sold.fee_minor, sold.tax_minor), (110, 401));
    assert_eq!(sold.amount_minor(), Ok(2_511));

    let included = [
        charge_of(ChargeKind::Fee, 250, 30, true),
        charge_of(ChargeKind::Tax, 1_900, 0, true),
    ];
    charge(&mut sold, &included).unwrap();
    // Of 20.00 with 19 % inside, 16.81 is net.
    assert_eq!((sold.fee_included_minor, sold.tax_included_minor), (110, 319));
    assert_eq!(sold.amount_minor(), Ok(2_000), "what is included adds nothing");
}

#[test]
fn half_a_unit_is_rounded_up_and_nothing_is_charged_for_nothing() {
    assert_eq!(
        [share(1, 1, 2), share(3, 1, 2), share(333, 1, 1_000)].map(Result::unwrap),
        [1, 2, 0]
    );
    assert!(share(i64::MAX, i64::MAX, 1).is_err());
    let mut free = line(0, 3);
    charge(&mut free, &[charge_of(ChargeKind::Fee, 0, 100, false)]).unwrap();
    assert_eq!(free.amount_minor(), Ok(0));
}

proptest! {
    #[test]
    fn a_price_is_never_negative_and_tickets_share_it_exactly(
        units in prop::collection::vec((0i64..1_000_000, 1i64..50), 1..6),
        kind in prop::sample::select(DiscountKind::ALL),
        value in 0i64..=WHOLE_BPS,
        buy in 1i64..5,
        free in 0i64..5,
        charges in prop::collection::vec((any::<bool>(), 0i64..5_000, 0i64..500, any::<bool>()), 0..4),
    ) {
        let mut lines: Vec<Line> = units.iter().map(|(unit, quantity)| line(*unit, *quantity)).collect();
        let code = PromoCode { buy_quantity: buy, free_quantity: free, ..code(kind, value) };
        discount(&mut lines, &code).unwrap();
        let charges: Vec<Charge> = charges
            .into_iter()
            .map(|(fee, bps, fixed, included)| {
                charge_of(if fee { ChargeKind::Fee } else { ChargeKind::Tax }, bps, if fee { fixed } else { 0 }, included)
            })
            .collect();
        let mut sum = 0;
        for line in &mut lines {
            charge(line, &charges).unwrap();
            let price = line.price_minor().unwrap();
            prop_assert!((0..=price).contains(&line.discount_minor));
            prop_assert!(line.fee_included_minor <= price - line.discount_minor);
            let amount = line.amount_minor().unwrap();
            prop_assert!(line.tax_included_minor <= amount - line.tax_minor);
            let tickets = ticket_prices(line).unwrap();
            prop_assert_eq!(tickets.len() as i64, line.quantity);
            prop_assert_eq!(tickets.iter().sum::<i64>(), amount);
            prop_assert!(tickets.iter().max().unwrap() - tickets.iter().min().unwrap() <= 1);
            sum += amount;
        }
        prop_assert_eq!(total_minor(&lines), Ok(sum));
    }
}
