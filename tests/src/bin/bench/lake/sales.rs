//! What the core would have told of a season: orders, their tickets and money, cancellations, and scans at the doors.

use super::{
    chance::{Chance, Id, mix},
    season::{DAY, Event, SECOND, Season, moment},
};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt::Write,
    sync::Arc,
};

/// A change before it has a place in the order of changes.
pub(super) struct Told {
    pub(super) at: i64,
    pub(super) organizer: usize,
    pub(super) change_type: &'static str,
    pub(super) id: Id,
    pub(super) version: i64,
    pub(super) actor: &'static str,
    /// The request that it belongs to.
    pub(super) request: u64,
    pub(super) payload: String,
}

pub(super) struct Sales {
    season: Arc<Season>,
    orders: u64,
    /// By the day on which they are cancelled.
    to_cancel: BTreeMap<i64, Vec<Order>>,
    cancelled: HashSet<u64>,
    /// Who may come: (order, when it was placed, how many), an event.
    admitted: HashMap<usize, Vec<(u64, i64, u8)>>,
}

#[derive(Clone)]
struct Order {
    number: u64,
    event: usize,
    person: Id,
    placed_at: i64,
    paid_at: i64,
    lines: Vec<Line>,
    code: Option<Id>,
    source: Option<&'static str>,
    early: bool,
}

#[derive(Clone, Copy)]
struct Line {
    ticket_type: usize,
    quantity: i64,
    unit_minor: i64,
    discount_minor: i64,
    fee_minor: i64,
}

impl Line {
    fn total(&self) -> i64 {
        self.quantity * self.unit_minor - self.discount_minor + self.fee_minor
    }
}

impl Order {
    fn total(&self) -> i64 {
        self.lines.iter().map(Line::total).sum()
    }

    fn tickets(&self) -> i64 {
        self.lines.iter().map(|line| line.quantity).sum()
    }
}

impl Sales {
    pub(super) fn new(season: Arc<Season>) -> Self {
        Self {
            season,
            orders: 0,
            to_cancel: BTreeMap::new(),
            cancelled: HashSet::new(),
            admitted: HashMap::new(),
        }
    }

    /// Everything that happened on one day; days come in their order.
    pub(super) fn day(&mut self, day: i64) -> Vec<Told> {
        let season = Arc::clone(&self.season);
        let mut chance = Chance::of(season.seed, 10_000 + day as u64);
        let mut told = Vec::new();
        for (place, lines) in season.sales_on(day) {
            let mut left = lines;
            while left > 0 {
                let lines = chance.one_of(&[1, 1, 1, 1, 1, 1, 2, 2, 2, 3]).min(left);
                left -= lines;
                self.order(day, place, lines as usize, &mut chance, &mut told);
            }
        }
        for order in self.to_cancel.remove(&day).unwrap_or_default() {
            self.cancel(&order, moment(day, &mut chance), &mut told);
        }
        for (place, event) in season
            .events
            .iter()
            .enumerate()
            .filter(|(_, event)| event.has_doors && event.day == day)
        {
            for (order, placed_at, tickets) in self.admitted.remove(&place).unwrap_or_default() {
                if !self.cancelled.contains(&order) {
                    self.scan(event, (order, placed_at, tickets), &mut chance, &mut told);
                }
            }
        }
        told
    }

    fn order(&mut self, day: i64, place: usize, lines: usize, chance: &mut Chance, told: &mut Vec<Told>) {
        let season = Arc::clone(&self.season);
        let event = &season.events[place];
        let (early, with_code) = (day - event.on_sale < 5, chance.percent(8));
        let draw = |chance: &mut Chance| {
            let ticket_type = chance.skewed(event.types.len(), 1.5);
            let unit_minor = event.types[ticket_type].unit_minor * if early { 80 } else { 100 } / 100;
            let quantity = chance.one_of(&[1, 1, 1, 1, 1, 1, 1, 2, 2, 4]);
            Line {
                ticket_type,
                quantity,
                unit_minor,
                discount_minor: if with_code { quantity * unit_minor / 10 } else { 0 },
                fee_minor: 90 * quantity,
            }
        };
        let lines = (0..lines).map(|_| draw(chance)).collect();
        let placed_at = moment(day, chance);
        self.orders += 1;
        let order = Order {
            number: self.orders,
            event: place,
            lines,
            person: season.person(event.organizer, chance),
            placed_at,
            // On the same day, so that a day's rows are of that day.
            paid_at: (placed_at + (5 + chance.below(300) as i64) * SECOND).min(day * DAY + DAY - 1),
            code: with_code.then(|| chance.one_of(&event.codes)),
            source: chance.percent(8).then(|| chance.one_of(&["box_office:1", "partner:7"])),
            early,
        };
        told.push(self.told(&order, "order.placed", 1, order.placed_at));
        match chance.below(100) {
            0..10 => told.push(self.told(&order, "order.expired", 2, order.paid_at)),
            sold => {
                self.pay(&order, told);
                let later = day + 1 + chance.below(30) as i64;
                if sold < 13 && later < event.day {
                    self.to_cancel.entry(later).or_default().push(order);
                }
            }
        }
    }

    fn pay(&mut self, order: &Order, told: &mut Vec<Told>) {
        told.push(self.told(order, "order.paid", 2, order.paid_at));
        told.push(self.change(order, "payment.succeeded", 1, 1, order.paid_at, self.payment(order)));
        for n in 0..order.tickets() as u64 {
            let payload = self.ticket(order, n, "valid");
            told.push(self.change(order, "ticket.issued", 100 + n, 1, order.paid_at, payload));
        }
        let tickets = order.tickets() as u8;
        let event = &self.season.events[order.event];
        if event.has_doors && event.is_over() {
            let admitted = self.admitted.entry(order.event).or_default();
            admitted.push((order.number, order.placed_at, tickets));
        }
    }

    fn cancel(&mut self, order: &Order, at: i64, told: &mut Vec<Told>) {
        self.cancelled.insert(order.number);
        told.push(self.told(order, "order.cancelled", 3, at));
        for n in 0..order.tickets() as u64 {
            let payload = self.ticket(order, n, "cancelled");
            told.push(self.change(order, "ticket.cancelled", 100 + n, 2, at, payload));
        }
        let refund = format!(
            r#"{{"refund_id":"{}","reason":"buyer",{}"#,
            self.id(order.number, order.placed_at, 2),
            &self.payment(order)[1..]
        );
        told.push(self.change(order, "refund.succeeded", 2, 1, at, refund));
    }

    fn scan(
        &self,
        event: &Event,
        (order, placed_at, tickets): (u64, i64, u8),
        chance: &mut Chance,
        told: &mut Vec<Told>,
    ) {
        for n in 0..u64::from(tickets) {
            if !chance.percent(88) {
                continue;
            }
            let at = event.starts_at - chance.skewed(5_400, 1.4) as i64 * SECOND;
            let gate = chance.one_of(&["North", "South", "Main entrance"]);
            // A few show their ticket twice.
            for again in 0..1 + u64::from(chance.percent(2)) {
                let (change_type, reason) = match again {
                    0 => ("check_in.accepted", "null"),
                    _ => ("check_in.refused", "\"already_redeemed\""),
                };
                let id = Id::at(at, mix(self.season.seed, mix(order, 300 + 2 * n + again)));
                let at = at + again as i64 * 20 * SECOND;
                let payload = format!(
                    r#"{{"check_in_id":"{id}","check_in_list_id":"{}","event_id":"{}","ticket_id":"{}","kind":"entry","accepted":{},"reason":{reason},"forced":false,"force_sent":false,"gate":"{gate}","nonce":"{:08x}","scanned_at":{at},"received_at":{at}}}"#,
                    event.list,
                    event.id,
                    self.id(order, placed_at, 100 + n),
                    again == 0,
                    mix(order, n) as u32,
                );
                told.push(Told {
                    at,
                    organizer: event.organizer,
                    change_type,
                    id,
                    version: 1,
                    actor: "device:1",
                    request: mix(order, 400 + n),
                    payload,
                });
            }
        }
    }

    fn id(&self, order: u64, placed_at: i64, what: u64) -> Id {
        Id::at(placed_at, mix(self.season.seed, mix(order, what)))
    }

    fn change(
        &self,
        order: &Order,
        change_type: &'static str,
        what: u64,
        version: i64,
        at: i64,
        payload: String,
    ) -> Told {
        Told {
            at,
            organizer: self.season.events[order.event].organizer,
            change_type,
            id: self.id(order.number, order.placed_at, what),
            version,
            actor: if version == 1 { "storefront" } else { "provider:test" },
            request: mix(order.number, at as u64),
            payload,
        }
    }

    fn told(&self, order: &Order, change_type: &'static str, version: i64, at: i64) -> Told {
        let season = &self.season;
        let event = &season.events[order.event];
        let (status, refunded) = match change_type {
            "order.placed" => ("pending", 0),
            "order.paid" => ("paid", 0),
            "order.expired" => ("expired", 0),
            _ => ("cancelled", order.total()),
        };
        let mut text = String::with_capacity(1_200);
        let _ = write!(
            text,
            r#"{{"order_id":"{}","event_id":"{}","hold_id":"{}","person_id":"{}","code":"{:08X}","status":"{status}","currency":"{}","total_minor":{},"refunded_minor":{refunded},"quantity":{},"reserved":false,"awaits_approval":false,"placed_at":{},"lines":["#,
            self.id(order.number, order.placed_at, 0),
            event.id,
            self.id(order.number, order.placed_at, 3),
            order.person,
            mix(order.number, 9) as u32,
            season.organizers[event.organizer].currency,
            order.total(),
            order.tickets(),
            order.placed_at,
        );
        for (place, line) in order.lines.iter().enumerate() {
            let _ = write!(
                text,
                r#"{}{{"ticket_type_id":"{}","quantity":{},"unit_minor":{},"phase":{},"discount_minor":{},"fee_minor":{},"fee_included_minor":0,"tax_minor":0,"tax_included_minor":0}}"#,
                if place == 0 { "" } else { "," },
                event.types[line.ticket_type].id,
                line.quantity,
                line.unit_minor,
                if order.early { "\"early\"" } else { "null" },
                line.discount_minor,
                line.fee_minor,
            );
        }
        text.push(']');
        let quoted = |name: &str, value: &dyn std::fmt::Display| format!(",\"{name}\":\"{value}\"");
        if let Some(code) = &order.code {
            text += &quoted("promo_code_id", code);
        }
        if let Some(source) = order.source {
            text += &quoted("source", &source);
        }
        if matches!(change_type, "order.paid" | "order.cancelled") {
            let _ = write!(text, ",\"paid_at\":{}", order.paid_at);
        }
        if change_type == "order.cancelled" {
            let _ = write!(text, ",\"cancelled_at\":{at}");
        }
        text.push('}');
        self.change(order, change_type, 0, version, at, text)
    }

    fn payment(&self, order: &Order) -> String {
        let event = &self.season.events[order.event];
        let total = order.total();
        format!(
            r#"{{"payment_id":"{}","order_id":"{}","event_id":"{}","provider":"test","provider_ref":"pi_{:016x}","status":"succeeded","amount_minor":{total},"currency":"{}","platform_fee_minor":{}}}"#,
            self.id(order.number, order.placed_at, 1),
            self.id(order.number, order.placed_at, 0),
            event.id,
            mix(order.number, 5),
            self.season.organizers[event.organizer].currency,
            total * 25 / 1_000,
        )
    }

    fn ticket(&self, order: &Order, n: u64, status: &str) -> String {
        let event = &self.season.events[order.event];
        let mut place = n as i64;
        let line = order.lines.iter().find(|line| {
            place -= line.quantity;
            place < 0
        });
        let line = line.unwrap_or(&order.lines[0]);
        format!(
            r#"{{"ticket_id":"{}","order_id":"{}","event_id":"{}","ticket_type_id":"{}","person_id":"{}","status":"{status}","price_minor":{},"currency":"{}","code_version":1,"blocked":false}}"#,
            self.id(order.number, order.placed_at, 100 + n),
            self.id(order.number, order.placed_at, 0),
            event.id,
            event.types[line.ticket_type].id,
            order.person,
            line.total() / line.quantity,
            self.season.organizers[event.organizer].currency,
        )
    }
}
