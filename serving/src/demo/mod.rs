//! A made-up world to look around in: who runs what where, a season of events with its sales, and people who go on
//! buying and coming in while it is served. The same seed gives the same world. Nobody in it exists; every address is of
//! a domain that is reserved for examples.

mod client;
mod doors;
mod houses;
mod phases;
mod sales;
mod shoppers;
mod sold_out;
mod world;

use self::client::Client;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
pub use world::world;

/// The world's organizers, by their slugs.
pub fn organizers() -> impl Iterator<Item = &'static str> {
    houses::HOUSES.iter().map(|house| house.slug)
}

/// Buys, looks around and comes in at the doors, over the public API and as anyone outside would, until told to stop.
pub async fn traffic(url: String, token: String, seed: u64, stop: CancellationToken) {
    let client = match Client::new(url, token) {
        Ok(client) => Arc::new(client),
        Err(error) => return tracing::warn!(%error, "the demo goes on without traffic"),
    };
    // Each request is one step that the server takes or not, so they may end anywhere.
    stop.run_until_cancelled(async {
        if let Err(error) = phases::offer_reduced(&client).await {
            tracing::debug!(%error, "some of the demo's events have no reduced tickets");
        }
        if let Err(error) = sold_out::stage(&client).await {
            tracing::debug!(%error, "the demo's sold-out evening is not whole");
        }
        tokio::join!(shoppers::shop(&client, seed), doors::check_in(&client, seed));
    })
    .await;
}
