//! Buyers and visitors under whom things fail, and the proof that what they were answered is there, once.

use crate::{Client, Purchase, Response, Show, interaction, order_body, scan, uuid7};
use domain::changes::ENTITIES;
use serde_json::{Value, json};
use std::{
    collections::{HashMap, HashSet},
    io,
    time::{Duration, Instant},
};

const BATCH: usize = 20;
/// Ids in one query, whose text has a limit.
const IN_ONE_QUERY: usize = 200;

/// What a server has answered, so that it must be there for ever.
#[derive(Default)]
pub struct Answered {
    pub placed: HashSet<String>,
    /// Orders and how many tickets they have.
    pub paid: HashMap<String, i64>,
    /// Nonces of accepted scans.
    pub redeemed: HashSet<String>,
    pub interactions: HashSet<String>,
    /// Sent, and never answered: sent again later, they must end up done once.
    pub open: Vec<Open>,
}

/// A request without an answer.
pub enum Open {
    Checkout { key: String, body: Value },
    Scan(Value),
}

impl Answered {
    pub fn add(&mut self, other: Answered) {
        self.placed.extend(other.placed);
        self.paid.extend(other.paid);
        self.redeemed.extend(other.redeemed);
        self.interactions.extend(other.interactions);
        self.open.extend(other.open);
    }
}

/// An answer with this status. A server that can't serve now has not answered; any other answer is a fault.
fn answered(response: Response, status: u16) -> io::Result<Value> {
    match response.status {
        500.. => Err(io::Error::other(response.text())),
        _ => Ok(response.expect(status)),
    }
}

/// One purchase and one scan, with every answer noted as soon as it is there.
pub fn purchase(public: &Client, door: &Client, show: &Show, noted: &mut Answered) -> io::Result<()> {
    let hold = public
        .request("POST", "/v1/holds")
        .json(&show.hold_body(2))
        .try_send()?;
    let (key, body) = (uuid7(), order_body(&answered(hold, 201)?, "test_manual"));
    let sent = public
        .request("POST", "/v1/orders")
        .idempotent(&key)
        .json(&body)
        .try_send();
    let order = match sent.and_then(|order| answered(order, 201)) {
        Ok(order) => Purchase::of(&order),
        Err(error) => {
            noted.open.push(Open::Checkout { key, body });
            return Err(error);
        }
    };
    noted.placed.insert(order.order_id.clone());
    let (header, signature, body) = show.report(&order.payment, "succeeded");
    let report = public
        .request("POST", "/v1/webhooks/payments/test")
        .header(header, &signature);
    answered(report.body("application/json", body).try_send()?, 200)?;
    noted.paid.insert(order.order_id.clone(), 2);
    let tickets = public.request("GET", &order.path("/tickets")).try_send()?;
    let scan = scan(answered(tickets, 200)?[0]["code"].as_str().unwrap());
    let verdict = door.request("POST", &show.redeem_path()).json(&scan).try_send();
    match verdict.and_then(|verdict| answered(verdict, 200)) {
        Ok(verdict) => {
            assert_eq!(verdict["verdict"], "accepted");
            noted.redeemed.insert(scan["nonce"].as_str().unwrap().to_owned());
            Ok(())
        }
        Err(error) => {
            noted.open.push(Open::Scan(scan));
            Err(error)
        }
    }
}

/// Page views of a visitor who is called like the round.
pub fn browse(public: &Client, show: &Show, mark: &str, noted: &mut Answered) -> io::Result<()> {
    let seen = || {
        let mut seen = interaction(&show.organizer_id, Some(&show.event_id));
        seen["visitor_id"] = json!(mark);
        seen
    };
    let batch: Vec<Value> = (0..BATCH).map(|_| seen()).collect();
    let sent = public
        .request("POST", "/v1/interactions")
        .json(&json!(batch))
        .try_send()?;
    let answer = answered(sent, 200)?;
    assert_eq!(answer["accepted"], BATCH, "{answer}");
    let ids = batch
        .iter()
        .map(|seen| seen["interaction_id"].as_str().unwrap().to_owned());
    noted.interactions.extend(ids);
    Ok(())
}

/// Sends again what got no answer. Whether it was done before the fault or not, now it is done once.
pub fn settle_open(public: &Client, door: &Client, show: &Show, noted: &mut Answered) {
    for open in std::mem::take(&mut noted.open) {
        match open {
            Open::Checkout { key, body } => {
                let sent = public.request("POST", "/v1/orders").idempotent(&key).json(&body).send();
                // A hold runs out while nobody can be asked to keep it.
                if sent.status == 409 && sent.text().contains("hold") {
                    continue;
                }
                noted
                    .placed
                    .insert(sent.expect(201)["order_id"].as_str().unwrap().to_owned());
            }
            Open::Scan(scan) => {
                let verdict = door.post(&show.redeem_path(), &scan).expect(200);
                assert_eq!(verdict["verdict"], "accepted", "{verdict}");
                noted.redeemed.insert(scan["nonce"].as_str().unwrap().to_owned());
            }
        }
    }
}

pub fn check(admin: &Client, noted: &Answered, mark: &str) {
    eventually("the lake has caught up", || {
        (admin.get("/v1/status").expect(200)["behind"] == 0).then_some(())
    });
    let placed: Vec<&String> = noted.placed.iter().collect();
    for ids in placed.chunks(IN_ONE_QUERY) {
        check_orders(admin, noted, ids, mark);
    }
    let redeemed: Vec<&String> = noted.redeemed.iter().collect();
    for nonces in redeemed.chunks(IN_ONE_QUERY) {
        let scans = admin.sql(&format!(
            "select nonce, count(*) as times from check_ins where accepted and nonce in ({}) group by nonce",
            quoted(nonces)
        ));
        assert_eq!(scans.len(), nonces.len(), "{mark}: a scan is lost");
        assert!(scans.iter().all(|scan| scan["times"] == 1), "{mark}: {scans:?}");
    }
    let browsed = format!("from interactions where visitor_id = '{mark}'");
    let seen = eventually("interactions are there", || {
        let seen = admin.sql(&format!("select interaction_id {browsed}"));
        (seen.len() >= noted.interactions.len()).then_some(seen)
    });
    let distinct: HashSet<&str> = seen.iter().map(|row| row["interaction_id"].as_str().unwrap()).collect();
    assert_eq!(distinct.len(), seen.len(), "{mark}: an interaction is doubled");
    assert!(
        noted.interactions.iter().all(|id| distinct.contains(id.as_str())),
        "{mark}: an interaction is lost"
    );
}

fn check_orders(admin: &Client, noted: &Answered, ids: &[&String], mark: &str) {
    let found = admin.sql(&format!(
        "select o.order_id, o.status, count(t.ticket_id) as tickets from orders o \
         left join tickets t on t.order_id = o.order_id where o.order_id in ({}) group by o.order_id, o.status",
        quoted(ids)
    ));
    let found: HashMap<&str, &Value> = found
        .iter()
        .map(|row| (row["order_id"].as_str().unwrap(), row))
        .collect();
    for order_id in ids {
        let row = found
            .get(order_id.as_str())
            .unwrap_or_else(|| panic!("{mark}: the order {order_id} is lost"));
        if let Some(tickets) = noted.paid.get(*order_id) {
            assert_eq!(
                (&row["status"], &row["tickets"]),
                (&json!("paid"), &json!(tickets)),
                "{mark}: {row}"
            );
        }
    }
}

/// A list for `in (…)`.
fn quoted(ids: &[&String]) -> String {
    let ids: Vec<String> = ids.iter().map(|id| format!("'{id}'")).collect();
    ids.join(",")
}

pub fn audit(admin: &Client) {
    let report = admin.post("/v1/audit", &json!({})).expect(200);
    assert_eq!(report["clean"], true, "{report:#}");
}

/// Every change stands in its table once, and an entity's versions have no holes.
pub fn nothing_doubled(admin: &Client) {
    for entity in ENTITIES {
        let row = admin.sql(&format!(
            "select count(*) as rows, count(distinct change_id) as changes, \
             count(distinct entity_id || ':' || cast(entity_version as text)) as versions from {}",
            entity.table
        ));
        assert_eq!(
            (&row[0]["rows"], &row[0]["rows"]),
            (&row[0]["changes"], &row[0]["versions"]),
            "{}",
            entity.table
        );
        let holes = admin.count(&format!(
            "select count(*) from (select entity_id from {} group by entity_id having max(entity_version) <> count(*)) as holes",
            entity.table
        ));
        assert_eq!(holes, 0, "{}", entity.table);
    }
}

/// Waits until something is so. What is true in the core is soon true in the lake, and not at once.
#[track_caller]
pub fn eventually<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(started.elapsed() < Duration::from_secs(30), "not within 30 s: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
