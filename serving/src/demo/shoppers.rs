//! People on the organizers' pages: they look, some hold tickets, most of those pay.

use super::{
    client::{Client, text},
    houses::HOUSES,
    phases::PROMO_CODES,
    sales::{exponential, quantity},
    sold_out::give_one_back,
};
use anyhow::{Result, bail};
use domain::{InteractionId, Timestamp};
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use serde_json::{Value, json};
use std::{f64::consts::TAU, sync::Arc, time::Duration};
use tokio::{sync::mpsc, task::JoinSet, time::sleep};
use uuid::Uuid;

/// Between two visitors, on the average: about one in three ends with an order.
const BETWEEN_VISITORS: Duration = Duration::from_millis(900);
/// More visitors and fewer, in waves of this length, so that a chart has a shape.
const WAVE: Duration = Duration::from_secs(11 * 60);
const MOST_VISITORS: usize = 32;
/// How often the programme is read again.
const NEWS: Duration = Duration::from_secs(60);
const AFTER_AN_ERROR: Duration = Duration::from_secs(5);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// How the test provider is asked to behave, and how often of 100.
const METHODS: [(u32, &str); 4] = [
    (88, "test_ok"),
    (94, "test_declined"),
    (97, "test_late"),
    (100, "test_duplicated"),
];

const SOURCES: [(Option<&str>, Option<&str>); 5] = [
    (None, None),
    (Some("newsletter"), Some("email")),
    (Some("instagram"), Some("social")),
    (Some("city-guide"), Some("referral")),
    (None, None),
];

/// Never returns: whoever calls it drops it.
pub(super) async fn shop(client: &Arc<Client>, seed: u64) {
    let mut rng = StdRng::seed_from_u64(seed ^ Timestamp::now().as_micros() as u64);
    let (sender, receiver) = mpsc::channel(256);
    tokio::join!(send_interactions(client, receiver), async {
        loop {
            if let Err(error) = visits(client, &mut rng, &sender).await {
                tracing::debug!(%error, "the demo's shoppers pause");
                sleep(AFTER_AN_ERROR).await;
            }
        }
    });
}

/// One reading of the programme, and the visitors until the next.
async fn visits(client: &Arc<Client>, rng: &mut StdRng, sender: &mpsc::Sender<Value>) -> Result<()> {
    let now = Timestamp::now();
    let events: Arc<Vec<Value>> = Arc::new(client.events(now, now + DAY * 120).await?);
    if events.is_empty() {
        bail!("nothing is on sale");
    }
    let mut visitors = JoinSet::new();
    let started = tokio::time::Instant::now();
    while started.elapsed() < NEWS {
        sleep(exponential(rng, BETWEEN_VISITORS.mul_f64(wave()))).await;
        while visitors.try_join_next().is_some() {}
        if visitors.len() < MOST_VISITORS {
            let rng = StdRng::from_rng(rng);
            visitors.spawn(visit(client.clone(), events.clone(), rng, sender.clone()));
        }
    }
    visitors.join_all().await;
    Ok(())
}

/// How much longer than on the average it takes until the next visitor comes.
fn wave() -> f64 {
    let turns = Timestamp::now().as_millis() as f64 / WAVE.as_millis() as f64;
    1.0 / (1.0 + 0.6 * (turns * TAU).sin())
}

async fn visit(client: Arc<Client>, events: Arc<Vec<Value>>, mut rng: StdRng, sender: mpsc::Sender<Value>) {
    // Early events are seen more than late ones.
    let share: f64 = rng.random();
    let Some(event) = events.get((share * share * events.len() as f64) as usize) else {
        return;
    };
    let source = SOURCES.choose(&mut rng).copied().unwrap_or_default();
    let agrees = rng.random_bool(0.7);
    let [id, session] = [Uuid::now_v7(), Uuid::now_v7()].map(|id| id.to_string());
    let mut visitor = Visitor {
        client,
        rng,
        sender,
        id,
        session,
        source,
        agrees,
    };
    if let Err(error) = visitor.come(event).await {
        tracing::debug!(%error, "a demo visitor leaves");
    }
}

struct Visitor {
    client: Arc<Client>,
    rng: StdRng,
    sender: mpsc::Sender<Value>,
    id: String,
    session: String,
    /// Where the visitor comes from: `utm_source` and `utm_medium`.
    source: (Option<&'static str>, Option<&'static str>),
    /// To being recognised on another day.
    agrees: bool,
}

impl Visitor {
    async fn come(&mut self, event: &Value) -> Result<()> {
        self.tell("page_view", event, "").await?;
        self.think().await;
        if !self.rng.random_bool(0.8) {
            return Ok(());
        }
        let event_id = text(event, "event_id")?;
        self.tell("event_view", event, event_id).await?;
        let offers = self.client.look(&format!("/v1/events/{event_id}")).await?;
        self.think().await;
        if !self.rng.random_bool(0.45) {
            return Ok(());
        }
        let quantity = quantity(&mut self.rng);
        let Some(offer) = self.choose(&offers, quantity) else {
            bail!("{event_id} has no {quantity} tickets left");
        };
        self.tell("hold_started", event, event_id).await?;
        let lines = json!([{ "ticket_type_id": text(offer, "ticket_type_id")?, "quantity": quantity }]);
        let mut hold = json!({ "event_id": event_id, "lines": lines });
        if self.rng.random_bool(0.25) {
            hold["promo_code"] = json!(PROMO_CODES.choose(&mut self.rng));
        }
        let hold = self.client.buy("/v1/holds", &self.session, &hold).await?;
        self.think().await;
        // The others leave their tickets held, and they come back when the hold expires.
        if self.rng.random_bool(0.85) {
            self.tell("checkout_started", event, event_id).await?;
            self.check_out(event, text(&hold, "hold_id")?).await?;
        }
        Ok(())
    }

    fn choose<'a>(&mut self, event: &'a Value, quantity: i64) -> Option<&'a Value> {
        let fits = |offer: &&Value| {
            offer["on_sale"] == json!(true)
                && offer["available"]
                    .as_i64()
                    .is_none_or(|available| available >= quantity)
                && offer["max_per_order"].as_i64().is_none_or(|most| most >= quantity)
        };
        let offers: Vec<&Value> = event["ticket_types"].as_array()?.iter().filter(fits).collect();
        offers.choose(&mut self.rng).copied()
    }

    async fn check_out(&mut self, event: &Value, hold_id: &str) -> Result<()> {
        let source = event["source"].as_str().unwrap_or_default();
        let house = HOUSES
            .iter()
            .find(|house| source.contains(house.slug))
            .unwrap_or(&HOUSES[0]);
        let (name, email) = house.person(self.rng.random_range(0..4_000));
        let lot = self.rng.random_range(0..100);
        let method = METHODS
            .iter()
            .find(|(up_to, _)| lot < *up_to)
            .map_or("test_ok", |(_, method)| method);
        let order = json!({
            "hold_id": hold_id,
            "buyer": { "email": email, "name": name },
            "payment_method": method,
        });
        let order = self.client.buy("/v1/orders", &self.session, &order).await?;
        // A few call the box office, because somebody of theirs is ill.
        if method == "test_ok" && self.rng.random_bool(0.04) {
            self.think().await;
            give_one_back(&self.client, text(&order, "order_id")?).await?;
        }
        Ok(())
    }

    async fn tell(&self, kind: &str, event: &Value, event_id: &str) -> Result<()> {
        let (utm_source, utm_medium) = self.source;
        let path = if event_id.is_empty() {
            "/".to_owned()
        } else {
            format!("/events/{event_id}")
        };
        let interaction = json!({
            "interaction_id": InteractionId::new(),
            "kind": kind,
            "organizer_id": text(event, "organizer_id")?,
            "event_id": (!event_id.is_empty()).then_some(event_id),
            "visitor_id": self.id,
            "session_id": self.session,
            "occurred_at": Timestamp::now().to_string(),
            "url": format!("https://tickets.example.org{path}"),
            "utm_source": utm_source,
            "utm_medium": utm_medium,
            "consent": { "analytics": self.agrees },
        });
        Ok(self.sender.send(interaction).await?)
    }

    async fn think(&mut self) {
        sleep(exponential(&mut self.rng, Duration::from_millis(1_200)).min(Duration::from_secs(6))).await;
    }
}

/// As a page would: what happened within a second goes together.
async fn send_interactions(client: &Client, mut receiver: mpsc::Receiver<Value>) {
    let mut batch = Vec::new();
    while receiver.recv_many(&mut batch, 100).await > 0 {
        match client.send_lines("/v1/interactions", &batch).await {
            Ok(answer) if answer["rejected"] != json!([]) => tracing::debug!(%answer, "interactions were refused"),
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "the demo's interactions were not taken"),
        }
        batch.clear();
        sleep(Duration::from_secs(1)).await;
    }
}
