//! A core that makes things up: organizers, events, orders and scans, each change a version of its entity, as the log
//! would have them.

use super::random::Random;
use lakehouse::{
    CHANGES, INTERACTIONS, Lake, Publish,
    decode::{Decoder, Envelope, Row},
    table_specs,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tempfile::TempDir;

/// 2026-05-01T12:00:00Z
pub(super) const NOON: i64 = 1_777_636_800_000_000;
const MINUTE: i64 = 60_000_000;
const ZONES: [&str; 3] = ["Europe/Vienna", "America/Denver", "UTC"];
pub(super) const ORGANIZERS: u64 = 3;

struct Told {
    entity: &'static str,
    change_type: String,
    organizer: u64,
    id: String,
    version: i64,
    at: i64,
    payload: String,
}

pub(super) struct World {
    pub(super) random: Random,
    folder: TempDir,
    now: i64,
    changes: Vec<Told>,
    interactions: Vec<String>,
    /// (entity, id) → its organizer, version and state.
    state: BTreeMap<(&'static str, String), (u64, i64, Value)>,
    /// What the lake has been told, of changes and of interactions.
    told: (usize, usize),
}

pub(super) fn organizer(n: u64) -> String {
    format!("01900000-0000-7000-8000-{n:012}")
}

/// The tickets of an order: of which line each is, and its part of what was paid.
fn tickets(order: &Value) -> Vec<(Value, i64)> {
    let mut tickets = Vec::new();
    for line in order["lines"].as_array().unwrap() {
        let number = |name: &str| line[name].as_i64().unwrap();
        let quantity = number("quantity");
        let total = quantity * number("unit_minor") - number("discount_minor") + number("fee_minor");
        let price = |n| total / quantity + i64::from(n < total % quantity);
        tickets.extend((0..quantity).map(|n| (line.clone(), price(n))));
    }
    tickets
}

impl World {
    pub(super) fn new(what: &str) -> Self {
        let mut world = Self {
            random: Random::announced(what),
            folder: tempfile::tempdir().unwrap(),
            now: NOON,
            changes: Vec::new(),
            interactions: Vec::new(),
            state: BTreeMap::new(),
            told: (0, 0),
        };
        for n in 0..6 {
            world.event(n % ORGANIZERS, n);
        }
        world
    }

    pub(super) fn url(&self) -> String {
        format!("file://{}/lake", self.folder.path().display())
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.random.below(all.len() as u64) as usize]
    }

    fn change(&mut self, change_type: &'static str, organizer: u64, id: &str, state: Value) {
        let entity = change_type.split('.').next().unwrap();
        let key = (entity, id.to_owned());
        let version = self.state.get(&key).map_or(1, |(_, version, _)| version + 1);
        self.changes.push(Told {
            entity,
            change_type: change_type.to_owned(),
            organizer,
            id: id.to_owned(),
            version,
            at: self.now,
            payload: state.to_string(),
        });
        self.state.insert(key, (organizer, version, state));
    }

    fn event(&mut self, organizer: u64, n: u64) {
        let zone = self.one_of(&ZONES);
        let starts = NOON + self.random.within(1..60) as i64 * 12 * 60 * MINUTE;
        let event = json!({
            "event_id": format!("e{n}"), "venue_id": null, "title": format!("Event {n}"), "description": null,
            "category": null, "language": null, "url": null, "status": "published", "starts_at": starts,
            "ends_at": starts + 180 * MINUTE, "timezone": zone, "currency": "EUR", "charges": [],
            "refundable_until": null, "pay_at_door": false, "approval_required": false, "source": null,
        });
        self.change("event.published", organizer, &format!("e{n}"), event);
    }

    /// One thing happens.
    pub(super) fn step(&mut self) {
        self.now += self.random.below(90) as i64 * 1_000_000;
        match self.random.below(12) {
            0..=3 => self.place(),
            4 | 5 => self.with("order", "pending", Self::pay),
            6 => self.with("order", "paid", Self::take_back),
            7 => self.with("order", "pending", |world, organizer, id, mut order| {
                order["status"] = json!("expired");
                world.change("order.expired", organizer, id, order);
            }),
            8 | 9 => self.with("ticket", "valid", Self::scan),
            10 => self.annul(),
            _ => {
                let n = self.random.below(6);
                let zone = self.one_of(&ZONES);
                let (organizer, _, mut event) = self.state[&("event", format!("e{n}"))].clone();
                event["timezone"] = json!(zone);
                self.change("event.updated", organizer, &format!("e{n}"), event);
            }
        }
        if self.random.below(2) == 0 {
            self.interact();
        }
    }

    /// Does something with one entity of a kind that has a status.
    fn with(&mut self, entity: &'static str, status: &str, act: impl FnOnce(&mut Self, u64, &str, Value)) {
        let fits: Vec<(String, u64, Value)> = self
            .state
            .iter()
            .filter(|((kind, _), (_, _, state))| *kind == entity && state["status"] == status)
            .map(|((_, id), (organizer, _, state))| (id.clone(), *organizer, state.clone()))
            .collect();
        if let Some((id, organizer, state)) = fits.get(self.random.below(fits.len().max(1) as u64) as usize).cloned() {
            act(self, organizer, &id, state);
        }
    }

    fn place(&mut self) {
        let event = self.random.below(6);
        let id = format!("o{}", self.changes.len());
        let lines: Vec<Value> = (0..self.random.within(1..3)).map(|n| self.line(n)).collect();
        let sum = |name: &str| lines.iter().map(|line| line[name].as_i64().unwrap()).sum::<i64>();
        let total: i64 = lines
            .iter()
            .map(|line| {
                let number = |name: &str| line[name].as_i64().unwrap();
                number("quantity") * number("unit_minor") - number("discount_minor") + number("fee_minor")
            })
            .sum();
        let source = self.one_of(&[None, None, Some("meetup:rsvp:1")]);
        let order = json!({
            "order_id": id, "event_id": format!("e{event}"), "hold_id": null,
            "person_id": format!("p{}-{}", event % ORGANIZERS, self.random.below(4)), "code": "C", "status": "pending",
            "currency": if event == 5 { "USD" } else { "EUR" }, "total_minor": total, "refunded_minor": 0,
            "quantity": sum("quantity"), "reserved": false, "awaits_approval": false, "promo_code_id": null, "lines": lines,
            "taken_back": null, "placed_at": self.now, "paid_at": null, "cancelled_at": null, "source": source,
        });
        self.change("order.placed", event % ORGANIZERS, &id, order);
    }

    fn line(&mut self, n: u64) -> Value {
        json!({
            "ticket_type_id": format!("t{n}"), "quantity": self.random.within(1..4), "unit_minor": 1000 + 250 * n,
            "phase": self.one_of(&[None, Some("early")]), "phase_pool_id": null,
            "discount_minor": self.random.below(2) * 100, "fee_minor": 30, "fee_included_minor": 0,
            "tax_minor": 0, "tax_included_minor": 0,
        })
    }

    fn pay(&mut self, organizer: u64, id: &str, mut order: Value) {
        order["status"] = json!("paid");
        order["paid_at"] = json!(self.now);
        self.change("order.paid", organizer, id, order.clone());
        for (n, (line, price)) in tickets(&order).into_iter().enumerate() {
            let ticket_id = format!("{id}-{n}");
            let ticket = json!({
                "ticket_id": ticket_id, "order_id": id, "event_id": order["event_id"],
                "ticket_type_id": line["ticket_type_id"], "person_id": order["person_id"], "status": "valid",
                "price_minor": price, "currency": order["currency"], "phase_pool_id": null, "blocked": false,
                "code_version": 1,
            });
            self.change("ticket.issued", organizer, &ticket_id, ticket);
        }
        let payment = json!({
            "payment_id": format!("y{id}"), "order_id": id, "event_id": order["event_id"], "provider": "test",
            "provider_ref": id, "status": "succeeded", "amount_minor": order["total_minor"],
            "currency": order["currency"], "platform_fee_minor": 10,
        });
        self.change("payment.succeeded", organizer, &format!("y{id}"), payment);
    }

    /// One ticket of an order, or all that are left. With the last one the order is cancelled.
    fn take_back(&mut self, organizer: u64, id: &str, mut order: Value) {
        let valid: Vec<(usize, (Value, i64))> = tickets(&order)
            .into_iter()
            .enumerate()
            .filter(|(n, _)| self.state[&("ticket", format!("{id}-{n}"))].2["status"] == "valid")
            .collect();
        let most = self.one_of(&[1, valid.len()]);
        let mut taken = Vec::new();
        for (n, (line, price)) in valid.iter().take(most) {
            let ticket_id = format!("{id}-{n}");
            let (_, _, mut ticket) = self.state[&("ticket", ticket_id.clone())].clone();
            ticket["status"] = json!("cancelled");
            self.change("ticket.cancelled", organizer, &ticket_id, ticket);
            taken.push(json!({
                "ticket_type_id": line["ticket_type_id"], "phase": line["phase"], "quantity": 1, "amount_minor": price,
            }));
        }
        let amount: i64 = valid.iter().take(most).map(|(_, (_, price))| price).sum();
        order["taken_back"] = taken.into();
        order["refunded_minor"] = (order["refunded_minor"].as_i64().unwrap() + amount).into();
        let status = self.one_of(&["pending", "succeeded"]);
        let refund_id = format!("r{}", self.changes.len());
        let refund = json!({
            "refund_id": refund_id, "payment_id": format!("y{id}"), "order_id": id,
            "event_id": order["event_id"], "provider": "test", "status": status, "reason": "staff",
            "amount_minor": amount, "currency": order["currency"],
        });
        if most == valid.len() {
            order["status"] = json!("cancelled");
            order["cancelled_at"] = json!(self.now);
            self.change("order.cancelled", organizer, id, order);
        } else {
            self.change("order.reduced", organizer, id, order);
        }
        self.change("refund.requested", organizer, &refund_id, refund);
    }

    fn scan(&mut self, organizer: u64, ticket: &str, state: Value) {
        let id = format!("c{}", self.changes.len());
        let accepted = self.random.below(5) > 0;
        // Doors without a network tell later.
        let late = self.random.below(200) as i64 * MINUTE;
        let scan = json!({
            "check_in_id": id, "check_in_list_id": "l1", "event_id": state["event_id"], "ticket_id": ticket,
            "kind": self.one_of(&["entry", "entry", "exit"]), "accepted": accepted,
            "reason": if accepted { Value::Null } else { json!("blocked") }, "forced": false, "force_sent": false,
            "gate": self.one_of(&[None, Some("North"), Some("South")]), "device_id": null, "nonce": id,
            "scanned_at": self.now - late, "received_at": self.now, "note": null, "code_hash": null, "conflicts_with": null,
            "annulled_at": null,
        });
        let change = if accepted {
            "check_in.accepted"
        } else {
            "check_in.refused"
        };
        self.change(change, organizer, &id, scan);
    }

    fn annul(&mut self) {
        let found = self
            .state
            .iter()
            .find(|((kind, _), (_, version, state))| *kind == "check_in" && *version == 1 && state["accepted"] == true);
        let Some(((_, id), (organizer, _, state))) = found else {
            return;
        };
        let (id, organizer, mut state) = (id.clone(), *organizer, state.clone());
        state["annulled_at"] = json!(self.now);
        self.change("check_in.annulled", organizer, &id, state);
    }

    fn interact(&mut self) {
        let n = self.interactions.len();
        let event = self.random.below(6);
        let kind = self.one_of(&[
            "page_view",
            "event_view",
            "event_view",
            "hold_started",
            "checkout_started",
        ]);
        let (session, visitor) = (self.random.below(12), self.random.below(5));
        let person = (self.random.below(3) > 0).then(|| format!("p{}-{}", event % ORGANIZERS, visitor % 4));
        // Some come twice, and some days late.
        let id = if self.random.below(10) == 0 { n / 2 } else { n };
        let late = self.random.below(3) as i64 * 1_500 * MINUTE;
        let interaction = json!({
            "interaction_id": format!("i{id}"), "kind": kind, "organizer_id": organizer(event % ORGANIZERS),
            "event_id": (kind != "page_view").then(|| format!("e{event}")), "visitor_id": format!("v{visitor}"),
            "person_id": person, "session_id": format!("s{session}"),
            "occurred_at": self.now - late, "received_at": self.now, "url": null, "referrer": null,
            "utm_source": self.one_of(&[None, Some("newsletter"), Some("instagram")]), "utm_medium": null,
            "utm_campaign": null, "properties": "{}",
        });
        self.interactions.push(interaction.to_string());
    }

    /// Makes everything visible that the lake has not been told yet.
    pub(super) async fn tell(&mut self, lake: &Lake) {
        let from = self.told;
        self.told = (self.changes.len(), self.interactions.len());
        self.publish(lake, from).await;
    }

    /// As a sink does after a crash: everything that the lake has not committed.
    pub(super) async fn tell_again(&self, lake: &Lake) {
        let changes = lake.committed(CHANGES, 0).saturating_sub(1) as usize;
        let from = (changes, lake.committed(INTERACTIONS, 0) as usize);
        self.publish(lake, from).await;
    }

    /// A change's `seq` and offset are its place, from 1 on.
    async fn publish(&self, lake: &Lake, (changes, interactions): (usize, usize)) {
        let mut rows = Vec::new();
        for spec in table_specs() {
            let mut decoder = Decoder::new(spec).unwrap();
            let mine = |told: &&Told| spec.entity.is_some_and(|entity| entity.name == told.entity);
            let fresh = self.changes.iter().take(self.told.0).enumerate().skip(changes);
            for (place, told) in fresh.filter(|(_, told)| mine(told)) {
                decoder.push(&Row {
                    envelope: Some(envelope(place, told, &organizer(told.organizer))),
                    ..row(CHANGES, place as u64 + 1, &told.payload)
                });
            }
            if spec.topic == INTERACTIONS {
                let fresh = self
                    .interactions
                    .iter()
                    .take(self.told.1)
                    .enumerate()
                    .skip(interactions);
                fresh.for_each(|(place, told)| decoder.push(&row(INTERACTIONS, place as u64, told)));
            }
            if !decoder.is_empty() {
                rows.push((spec.name, decoder.finish().unwrap()));
            }
        }
        let batch = Publish {
            rows,
            next_offsets: vec![
                (CHANGES.to_owned(), 0, self.told.0 as u64 + 1),
                (INTERACTIONS.to_owned(), 0, self.told.1 as u64),
            ],
            watermark: Some(self.told.0 as i64),
        };
        lake.publish(batch).await.unwrap();
    }
}

fn envelope<'a>(place: usize, told: &'a Told, organizer: &'a str) -> Envelope<'a> {
    Envelope {
        seq: place as i64 + 1,
        change_id: "c",
        change_type: &told.change_type,
        schema_version: 1,
        organizer_id: organizer,
        entity: told.entity,
        entity_id: &told.id,
        entity_version: told.version,
        occurred_at: told.at,
        recorded_at: told.at,
        actor: "test",
        correlation_id: None,
    }
}

fn row<'a>(topic: &'a str, offset: u64, value: &'a str) -> Row<'a> {
    Row {
        envelope: None,
        value: value.as_bytes(),
        topic,
        partition: 0,
        offset,
        ingested_at: NOON,
        reject: None,
    }
}
