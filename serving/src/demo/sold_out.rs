//! A small evening that is sold out, with people who wait for it, one who gave tickets back, and money that went astray:
//! what a whole season shows too rarely to be found.

use super::{
    client::{Client, text},
    houses::{HOUSES, House},
};
use anyhow::{Context, Result};
use domain::{Money, Timestamp};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::sleep;
use transactional::payments::{Report, ReportedOutcome, SIGNATURE_HEADER, TestProvider};
use uuid::Uuid;

/// By this an evening that is there already is known.
const TITLE: &str = "Late Set in the Cellar";
const DAY: Duration = Duration::from_secs(24 * 3_600);
const HOUR: Duration = Duration::from_secs(3_600);
/// Orders of two tickets, and how many people come too late.
const ORDERS: usize = 9;
const WAITING: usize = 6;
/// How long the provider's report may take, a second each.
const PATIENCE: usize = 20;

/// Makes what is not there yet.
pub(super) async fn stage(client: &Client) -> Result<()> {
    let house = &HOUSES[0];
    let now = Timestamp::now();
    let season = client.events(now, now + DAY * 120).await?;
    let of_house = |event: &&Value| {
        event["source"]
            .as_str()
            .is_some_and(|source| source.contains(house.slug))
    };
    let organizer_id = text(
        season.iter().find(of_house).context("the house has no season")?,
        "organizer_id",
    )?;
    let events = client.all(&format!("/v1/events?organizer_id={organizer_id}")).await?;
    if events.iter().any(|event| event["title"] == TITLE) {
        return Ok(());
    }
    let (event_id, ticket_type_id) = open(client, house, organizer_id, now).await?;
    let mut orders = Vec::new();
    for number in 0..ORDERS {
        orders.push(buy(client, house, number, &event_id, &ticket_type_id).await?);
    }
    for number in ORDERS..ORDERS + WAITING {
        let (name, email) = house.person(number);
        let entry = json!({ "ticket_type_id": ticket_type_id, "quantity": 2, "email": email, "name": name });
        client
            .buy(&format!("/v1/events/{event_id}/waiting-list"), &key(), &entry)
            .await?;
    }
    let [first, second, third, ..] = orders.as_slice() else {
        return Ok(());
    };
    // What the first gives back is offered to who waits; of the second one ticket goes back; the third asks the bank.
    let order = paid(client, first).await?;
    let secret = text(&order, "secret")?;
    client
        .buy(
            &format!("/v1/orders/{first}/cancel?secret={secret}"),
            &key(),
            &json!({}),
        )
        .await?;
    give_one_back(client, second).await?;
    dispute(client, third).await
}

async fn open(client: &Client, house: &House, organizer_id: &str, now: Timestamp) -> Result<(String, String)> {
    let starts_at = now + DAY * 12;
    let event = json!({
        "title": TITLE, "description": house.description, "category": "concert", "language": house.language,
        "starts_at": starts_at.to_string(), "ends_at": (starts_at + HOUR * 2).to_string(),
        "timezone": house.timezone, "currency": house.currency,
        "refundable_until": (starts_at - DAY * 2).to_string(),
    });
    let event = client
        .post(&format!("/v1/organizers/{organizer_id}/events"), &event)
        .await?;
    let event_id = text(&event, "event_id")?.to_owned();
    let of_event = |what: &str| format!("/v1/events/{event_id}/{what}");
    let pool = async |name: &str, capacity: usize| {
        let pool = json!({ "name": name, "capacity": capacity });
        client.post(&of_event("pools"), &pool).await
    };
    let cellar = pool("Cellar", ORDERS * 2).await?;
    // The price rises when so many are sold, and not at a time.
    let early = pool("Early birds", 6).await?;
    let (lowest, highest, _) = house.prices;
    let ticket_type = json!({
        "name": "Standing", "max_per_order": 4, "pools": [text(&cellar, "pool_id")?],
        "prices": [
            { "phase": "regular", "amount_minor": highest },
            { "phase": "early bird", "amount_minor": lowest, "pool_id": text(&early, "pool_id")?, "from_at": now.to_string() },
        ],
    });
    let ticket_type = client.post(&of_event("ticket-types"), &ticket_type).await?;
    let ticket_type_id = text(&ticket_type, "ticket_type_id")?.to_owned();
    client.post(&of_event("publish"), &json!({})).await?;
    Ok((event_id, ticket_type_id))
}

/// Answers the order's id.
async fn buy(client: &Client, house: &House, number: usize, event_id: &str, ticket_type_id: &str) -> Result<String> {
    let hold = json!({ "event_id": event_id, "lines": [{ "ticket_type_id": ticket_type_id, "quantity": 2 }] });
    let hold = client.buy("/v1/holds", &key(), &hold).await?;
    let (name, email) = house.person(number);
    let order = json!({
        "hold_id": text(&hold, "hold_id")?,
        "buyer": { "email": email, "name": name },
        "payment_method": "test_ok",
    });
    let order = client.buy("/v1/orders", &key(), &order).await?;
    Ok(text(&order, "order_id")?.to_owned())
}

/// The order, once its payment has been reported.
async fn paid(client: &Client, order_id: &str) -> Result<Value> {
    for _ in 0..PATIENCE {
        let order = client.get(&format!("/v1/orders/{order_id}")).await?;
        if order["status"] == "paid" {
            return Ok(order);
        }
        sleep(Duration::from_secs(1)).await;
    }
    anyhow::bail!("order {order_id} is not paid")
}

/// One ticket goes back, and its money; the others stay.
pub(super) async fn give_one_back(client: &Client, order_id: &str) -> Result<()> {
    paid(client, order_id).await?;
    let tickets = client.get(&format!("/v1/orders/{order_id}/tickets")).await?;
    let refund = json!({ "tickets": [text(&tickets[0], "ticket_id")?] });
    client.post(&format!("/v1/orders/{order_id}/refunds"), &refund).await?;
    Ok(())
}

/// The buyer's bank takes the money back, as the provider reports.
async fn dispute(client: &Client, order_id: &str) -> Result<()> {
    let order = paid(client, order_id).await?;
    let payment = &order["payments"][0];
    let provider = client.get("/v1/payment-providers/test").await?;
    let secret = bytes(text(&provider, "secret_hex")?).context("the provider's key is not hexadecimal")?;
    let amount = payment["amount"]["amount_minor"]
        .as_i64()
        .context("the payment has no amount")?;
    let report = Report {
        provider: text(&provider, "name")?.to_owned(),
        ext_id: format!("demo-dispute:{order_id}"),
        provider_ref: Some(text(payment, "provider_ref")?.to_owned()),
        external_ref: None,
        subject_ref: Some(format!("demo-dispute:{order_id}")),
        outcome: ReportedOutcome::DisputeOpened,
        amount: Money::new(amount, text(&payment["amount"], "currency")?.parse()?),
    };
    let (signature, body) = TestProvider::new(&secret).sign(&report)?;
    client
        .report("/v1/webhooks/payments/test", (SIGNATURE_HEADER, &signature), body)
        .await?;
    Ok(())
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let byte = |at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
    (0..hex.len()).step_by(2).map(byte).collect()
}

fn key() -> String {
    Uuid::now_v7().to_string()
}
