//! kill -9 at any moment under load: what was answered is there, once, in the core and in the lake.

use crate::shared::eventually;
use domain::changes::ENTITIES;
use serde_json::{Value, json};
use std::{
    collections::{HashMap, HashSet},
    io::{self, Write},
    time::Duration,
};
use tests::{Client, Home, Purchase, Random, Response, Server, Show, interaction, order_body, scan, uuid7};

const ROUNDS: usize = 50;
const BUYERS: usize = 3;
const BATCH: usize = 20;

/// What the server has answered, so that it must be there for ever.
#[derive(Default)]
struct Answered {
    placed: HashSet<String>,
    /// Orders and how many tickets they have.
    paid: HashMap<String, i64>,
    /// Nonces of accepted scans.
    redeemed: HashSet<String>,
    interactions: HashSet<String>,
    /// Sent, and never answered: sent again after the restart, they must end up done once.
    open: Vec<Open>,
}

enum Open {
    Checkout { key: String, body: Value },
    Scan(Value),
}

impl Answered {
    fn add(&mut self, other: Answered) {
        self.placed.extend(other.placed);
        self.paid.extend(other.paid);
        self.redeemed.extend(other.redeemed);
        self.interactions.extend(other.interactions);
        self.open.extend(other.open);
    }
}

#[test]
fn fifty_kills_under_load_lose_nothing_and_double_nothing() {
    let mut random = Random::announced("kill -9");
    let home = Home::new();
    let mut server = home.serve();
    let show = Show::open(&server.admin(), None, 1_100);
    let mut all = Answered::default();
    for round in 0..ROUNDS {
        let (load, mark) = (Duration::from_millis(random.within(50..600)), format!("round-{round}"));
        let mut answered = under_load(server, &show, load, &mark);
        server = home.serve();
        settle_open(&server, &show, &mut answered);
        check(&server, &answered, &mark);
        audit(&server);
        all.add(answered);
    }
    nothing_doubled(&server.admin());
    let client = server.admin();
    let count = |sql: &str| client.count(sql) as usize;
    let (placed, paid) = (all.placed.len(), all.paid.len());
    let (redeemed, interactions) = (all.redeemed.len(), all.interactions.len());
    let told =
        format!("{ROUNDS} kills: {placed} orders, {paid} payments, {redeemed} scans, {interactions} interactions");
    let _ = writeln!(io::stderr(), "{told} were answered, and are there");
    assert!(
        paid > ROUNDS && !all.redeemed.is_empty() && !all.interactions.is_empty(),
        "{paid}: there was no load"
    );
    assert!(count("select count(*) from orders") >= placed);
    assert!(count("select count(*) from orders where status = 'paid'") >= paid);
    let tickets: i64 = all.paid.values().sum();
    assert!(client.count("select count(*) from tickets") >= tickets);
    assert!(count("select count(*) from check_ins where accepted") >= all.redeemed.len());
    assert!(count("select count(*) from interactions") >= all.interactions.len());
    server.stop();
}

/// Runs all clients against the server until it is killed under them.
fn under_load(server: Server, show: &Show, load: Duration, mark: &str) -> Answered {
    std::thread::scope(|scope| {
        let mut clients = Vec::new();
        for _ in 0..BUYERS {
            let (public, door) = (server.public(), server.admin());
            clients.push(scope.spawn(move || run(|answered| purchase(&public, &door, show, answered))));
        }
        let browser = server.public();
        clients.push(scope.spawn(move || run(|answered| browse(&browser, show, mark, answered))));
        std::thread::sleep(load);
        server.kill_9();
        let mut all = Answered::default();
        clients.into_iter().for_each(|client| all.add(client.join().unwrap()));
        all
    })
}

/// Repeats until the connection breaks.
fn run(mut act: impl FnMut(&mut Answered) -> io::Result<()>) -> Answered {
    let mut answered = Answered::default();
    while act(&mut answered).is_ok() {}
    answered
}

/// One purchase and one scan, with every answer noted as soon as it is there.
fn purchase(public: &Client, door: &Client, show: &Show, answered: &mut Answered) -> io::Result<()> {
    let hold = created(
        public
            .request("POST", "/v1/holds")
            .json(&show.hold_body(2))
            .try_send()?,
    );
    let (key, body) = (uuid7(), order_body(&hold, "test_manual"));
    let sent = public
        .request("POST", "/v1/orders")
        .idempotent(&key)
        .json(&body)
        .try_send();
    let order = match sent {
        Ok(order) => Purchase::of(&created(order)),
        Err(error) => {
            answered.open.push(Open::Checkout { key, body });
            return Err(error);
        }
    };
    answered.placed.insert(order.order_id.clone());
    let (header, signature, body) = show.report(&order.payment, "succeeded");
    let report = public
        .request("POST", "/v1/webhooks/payments/test")
        .header(header, &signature);
    report.body("application/json", body).try_send()?.expect(200);
    answered.paid.insert(order.order_id.clone(), 2);
    let tickets = public.request("GET", &order.path("/tickets")).try_send()?.expect(200);
    let scan = scan(tickets[0]["code"].as_str().unwrap());
    match door.request("POST", &show.redeem_path()).json(&scan).try_send() {
        Ok(verdict) => {
            assert_eq!(verdict.expect(200)["verdict"], "accepted");
            answered.redeemed.insert(scan["nonce"].as_str().unwrap().to_owned());
            Ok(())
        }
        Err(error) => {
            answered.open.push(Open::Scan(scan));
            Err(error)
        }
    }
}

fn browse(public: &Client, show: &Show, mark: &str, answered: &mut Answered) -> io::Result<()> {
    let seen = || {
        let mut seen = interaction(&show.organizer_id, Some(&show.event_id));
        seen["visitor_id"] = json!(mark);
        seen
    };
    let batch: Vec<Value> = (0..BATCH).map(|_| seen()).collect();
    let answer = public
        .request("POST", "/v1/interactions")
        .json(&json!(batch))
        .try_send()?
        .expect(200);
    assert_eq!(answer["accepted"], BATCH, "{answer}");
    answered.interactions.extend(
        batch
            .iter()
            .map(|seen| seen["interaction_id"].as_str().unwrap().to_owned()),
    );
    Ok(())
}

fn created(response: Response) -> Value {
    response.expect(201)
}

/// Sends again what got no answer. Whether it was done before the kill or not, now it is done once.
fn settle_open(server: &Server, show: &Show, answered: &mut Answered) {
    let (public, door) = (server.public(), server.admin());
    for open in std::mem::take(&mut answered.open) {
        match open {
            Open::Checkout { key, body } => {
                let order = created(public.request("POST", "/v1/orders").idempotent(&key).json(&body).send());
                answered.placed.insert(order["order_id"].as_str().unwrap().to_owned());
            }
            Open::Scan(scan) => {
                let verdict = door.post(&show.redeem_path(), &scan).expect(200);
                assert_eq!(verdict["verdict"], "accepted", "{verdict}");
                answered.redeemed.insert(scan["nonce"].as_str().unwrap().to_owned());
            }
        }
    }
}

/// Every command that was answered in the round is in the lake, once.
fn check(server: &Server, answered: &Answered, mark: &str) {
    let admin = server.admin();
    eventually("the lake has caught up", || {
        (admin.get("/v1/status").expect(200)["behind"] == 0).then_some(())
    });
    let ids = quoted(answered.placed.iter());
    let found = admin.sql(&format!(
        "select o.order_id, o.status, count(t.ticket_id) as tickets from orders o \
         left join tickets t on t.order_id = o.order_id where o.order_id in ({ids}) group by o.order_id, o.status"
    ));
    let found: HashMap<&str, &Value> = found
        .iter()
        .map(|row| (row["order_id"].as_str().unwrap(), row))
        .collect();
    for order_id in &answered.placed {
        let row = found
            .get(order_id.as_str())
            .unwrap_or_else(|| panic!("{mark}: the order {order_id} is lost"));
        if let Some(tickets) = answered.paid.get(order_id) {
            assert_eq!(
                (&row["status"], &row["tickets"]),
                (&json!("paid"), &json!(tickets)),
                "{mark}: {row}"
            );
        }
    }
    let nonces = quoted(answered.redeemed.iter());
    let scans = admin.sql(&format!(
        "select nonce, count(*) as times from check_ins where accepted and nonce in ({nonces}) group by nonce"
    ));
    assert_eq!(scans.len(), answered.redeemed.len(), "{mark}: a scan is lost");
    assert!(scans.iter().all(|scan| scan["times"] == 1), "{mark}: {scans:?}");
    let browsed = format!("from interactions where visitor_id = '{mark}'");
    let seen = eventually("interactions are there", || {
        let seen = admin.sql(&format!("select interaction_id {browsed}"));
        (seen.len() >= answered.interactions.len()).then_some(seen)
    });
    let distinct: HashSet<&str> = seen.iter().map(|row| row["interaction_id"].as_str().unwrap()).collect();
    assert_eq!(distinct.len(), seen.len(), "{mark}: an interaction is doubled");
    assert!(
        answered.interactions.iter().all(|id| distinct.contains(id.as_str())),
        "{mark}: an interaction is lost"
    );
}

/// A list for `in (…)`, never empty.
fn quoted<'i>(ids: impl Iterator<Item = &'i String>) -> String {
    ids.map(|id| format!("'{id}'"))
        .chain(["''".to_owned()])
        .collect::<Vec<_>>()
        .join(",")
}

fn audit(server: &Server) {
    let report = server.admin().post("/v1/audit", &json!({})).expect(200);
    assert_eq!(report["clean"], true, "{report:#}");
}

/// Every change stands in its table once, and an entity's versions have no holes.
fn nothing_doubled(client: &Client) {
    for entity in ENTITIES {
        let row = client.sql(&format!(
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
        let holes = client.count(&format!(
            "select count(*) from (select entity_id from {} group by entity_id having max(entity_version) <> count(*)) as holes",
            entity.table
        ));
        assert_eq!(holes, 0, "{}", entity.table);
    }
}
