//! The doors of today's events: parties come in with the tickets of their order, and now and then somebody is refused.

use super::{
    client::{Client, text},
    sales::exponential,
};
use anyhow::Result;
use domain::Timestamp;
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use serde_json::json;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

/// Between two parties at all doors together, on the average.
const BETWEEN_PARTIES: Duration = Duration::from_millis(2_500);
/// How often the staff looks which orders are new.
const NEWS: Duration = Duration::from_secs(90);
const NOTHING_OPEN: Duration = Duration::from_secs(30);
const HOUR: Duration = Duration::from_secs(3_600);
/// Doors open so long before an event begins.
const EARLY: Duration = Duration::from_secs(2 * 3_600);

const GATES: [&str; 3] = ["North", "South", "River"];
const MAIN: &str = "Main entrance";
const REDUCED: &str = "Reduced tickets";

/// What is known of a door since the demo began.
struct Door {
    main: String,
    reduced: Option<String>,
    /// Orders whose party has come.
    came: HashSet<String>,
    /// Tickets that have been in, by id.
    inside: HashSet<String>,
}

/// Never returns: whoever calls it drops it.
pub(super) async fn check_in(client: &Arc<Client>, seed: u64) {
    let mut rng = StdRng::seed_from_u64(seed ^ Timestamp::now().as_micros() as u64);
    let mut doors = HashMap::new();
    loop {
        match admit(client, &mut rng, &mut doors).await {
            Ok(0) => sleep(NOTHING_OPEN).await,
            Ok(_) => {}
            Err(error) => {
                tracing::debug!(%error, "the demo's doors pause");
                sleep(NOTHING_OPEN).await;
            }
        }
    }
}

/// Looks who has tickets, and lets some of them in. Answers how many parties were left to come.
async fn admit(client: &Client, rng: &mut StdRng, doors: &mut HashMap<String, Door>) -> Result<usize> {
    let mut parties = Vec::new();
    let now = Timestamp::now();
    for event in client.events(now - HOUR * 12, now + EARLY).await? {
        let event_id = text(&event, "event_id")?.to_owned();
        let ends_at: Timestamp = text(&event, "ends_at")?.parse()?;
        if ends_at < now {
            continue;
        }
        if !doors.contains_key(&event_id) {
            doors.insert(event_id.clone(), open(client, &event_id).await?);
        }
        for order in client.all(&format!("/v1/events/{event_id}/orders")).await? {
            let order_id = text(&order, "order_id")?;
            let is_new = doors.get(&event_id).is_some_and(|door| !door.came.contains(order_id));
            if order["status"] == json!("paid") && is_new {
                parties.push((event_id.clone(), order_id.to_owned()));
            }
        }
    }
    let waiting = parties.len();
    let until = Instant::now() + NEWS;
    while !parties.is_empty() && Instant::now() < until {
        sleep(exponential(rng, BETWEEN_PARTIES)).await;
        let (event_id, order_id) = parties.swap_remove(rng.random_range(0..parties.len()));
        if let Some(door) = doors.get_mut(&event_id) {
            door.party(client, rng, order_id).await?;
        }
    }
    Ok(waiting)
}

/// The event's door as it stands, made if there is none.
async fn open(client: &Client, event_id: &str) -> Result<Door> {
    let lists_path = format!("/v1/events/{event_id}/check-in-lists");
    let lists = client.get(&lists_path).await?;
    let lists = lists.as_array().map(Vec::as_slice).unwrap_or_default();
    let named = |name: &str| lists.iter().find(|list| list["name"] == json!(name));
    let main = match named(MAIN) {
        Some(list) => text(list, "check_in_list_id")?.to_owned(),
        None => {
            let list = client
                .post(&lists_path, &json!({ "name": MAIN, "reentry": true }))
                .await?;
            text(&list, "check_in_list_id")?.to_owned()
        }
    };
    let types = client.get(&format!("/v1/events/{event_id}/ticket-types")).await?;
    let types = types.as_array().map(Vec::as_slice).unwrap_or_default();
    let reduced_type = types.iter().find(|kind| kind["name"] == json!("Reduced"));
    let reduced = match (named(REDUCED), reduced_type) {
        (Some(list), _) => Some(text(list, "check_in_list_id")?.to_owned()),
        (None, Some(kind)) => {
            let list = json!({ "name": REDUCED, "ticket_types": [text(kind, "ticket_type_id")?] });
            Some(text(&client.post(&lists_path, &list).await?, "check_in_list_id")?.to_owned())
        }
        (None, None) => None,
    };
    let mut inside = HashSet::new();
    for check_in in client.all(&format!("/v1/check-in-lists/{main}/check-ins")).await? {
        if check_in["accepted"] == json!(true)
            && let Some(ticket_id) = check_in["ticket_id"].as_str()
        {
            inside.insert(ticket_id.to_owned());
        }
    }
    Ok(Door {
        main,
        reduced,
        came: HashSet::new(),
        inside,
    })
}

impl Door {
    async fn party(&mut self, client: &Client, rng: &mut StdRng, order_id: String) -> Result<()> {
        let tickets = client.get(&format!("/v1/orders/{order_id}/tickets")).await?;
        self.came.insert(order_id);
        let gate = GATES.choose(rng).copied().unwrap_or(GATES[0]);
        for ticket in tickets.as_array().map(Vec::as_slice).unwrap_or_default() {
            let (ticket_id, code) = (text(ticket, "ticket_id")?, text(ticket, "code")?);
            if self.inside.contains(ticket_id) {
                continue;
            }
            // Not everybody who has bought comes.
            if rng.random_bool(0.06) {
                continue;
            }
            if let Some(reduced) = self.reduced.as_ref().filter(|_| rng.random_bool(0.04)) {
                scan(client, reduced, code, "entry", gate).await?;
            }
            scan(client, &self.main, code, "entry", gate).await?;
            self.inside.insert(ticket_id.to_owned());
            match rng.random_range(0..100) {
                // The same screenshot once more.
                0..3 => scan(client, &self.main, code, "entry", gate).await?,
                // A code for something else altogether.
                3..4 => scan(client, &self.main, "https://example.org/menu", "entry", gate).await?,
                // For a smoke, and in again.
                4..8 => {
                    scan(client, &self.main, code, "exit", gate).await?;
                    scan(client, &self.main, code, "entry", gate).await?;
                }
                _ => {}
            }
        }
        Ok(())
    }
}

async fn scan(client: &Client, list: &str, code: &str, kind: &str, gate: &str) -> Result<()> {
    let nonce = Uuid::now_v7();
    let scan = json!({ "code": code, "kind": kind, "nonce": nonce, "gate": gate });
    client.post(&format!("/v1/check-in-lists/{list}/redeem"), &scan).await?;
    Ok(())
}
