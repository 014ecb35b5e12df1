//! A second ticket type for the events to come, with prices in phases, and promo codes: imports know one price.

use super::client::{Client, text};
use anyhow::Result;
use domain::Timestamp;
use serde_json::json;
use std::time::Duration;

/// Codes that visitors know, each with what it takes off.
pub(super) const PROMO_CODES: [&str; 2] = ["FRIENDS", "FOUR-FOR-THREE"];

const DAY: Duration = Duration::from_secs(24 * 3_600);

/// Adds what is not there yet.
pub(super) async fn offer_reduced(client: &Client) -> Result<()> {
    let now = Timestamp::now();
    for event in client.events(now - DAY / 2, now + DAY * 120).await? {
        let event_id = text(&event, "event_id")?;
        let starts_at: Timestamp = text(&event, "starts_at")?.parse()?;
        let path = format!("/v1/events/{event_id}/ticket-types");
        let types = client.get(&path).await?;
        let Some([only]) = types.as_array().map(Vec::as_slice) else {
            continue;
        };
        let (Some(full), Some(pool)) = (
            only["price"]["amount_minor"].as_i64(),
            only["pools"][0]["pool_id"].as_str(),
        ) else {
            continue;
        };
        let early_until = (starts_at - DAY * 21).to_string();
        let last_from = (starts_at - DAY * 3).to_string();
        let price = |percent: i64| full * percent / 100;
        let reduced = json!({
            "name": "Reduced",
            "max_per_order": 4,
            "pools": [pool],
            "prices": [
                { "phase": "early", "amount_minor": price(50), "to_at": early_until },
                { "phase": "regular", "amount_minor": price(65), "from_at": early_until, "to_at": last_from },
                { "phase": "last days", "amount_minor": price(80), "from_at": last_from },
            ],
        });
        client.post(&path, &reduced).await?;
        let [friends, fourth] = PROMO_CODES;
        for code in [
            json!({ "code": friends, "kind": "percent", "percent_bps": 2_000, "max_uses": 200 }),
            json!({ "code": fourth, "kind": "free_tickets", "buy_quantity": 3, "free_quantity": 1 }),
        ] {
            client
                .post(&format!("/v1/events/{event_id}/promo-codes"), &code)
                .await?;
        }
    }
    Ok(())
}
