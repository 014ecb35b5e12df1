//! The doors that take SQL: HTTP, PostgreSQL's protocol and Arrow Flight SQL. The same questions get the same answers,
//! and none of them tells anybody what is not theirs.

mod breakout;
mod catalogs;
mod clients;
mod manners;
mod questions;

use crate::shared::eventually_counts;
use tests::{Buyer, Server, Show, interaction, scan};

/// Two organizers with a show each, at their prices: orders of one ticket, two, and so on, and a check-in for each.
fn world(server: &Server, prices: [i64; 2], orders: [i64; 2]) -> [Show; 2] {
    let admin = server.admin();
    let shows = prices.map(|price| Show::open(&admin, None, price));
    for (show, orders) in shows.iter().zip(orders) {
        let buyer = Buyer {
            client: server.public(),
            show,
        };
        for quantity in 1..=orders {
            let code = buyer.codes(&buyer.buy(quantity)).remove(0);
            admin.post(&show.redeem_path(), &scan(&code)).expect(200);
        }
        let seen = interaction(&show.organizer_id, Some(&show.event_id));
        assert_eq!(buyer.client.post("/v1/interactions", &seen).expect(200)["accepted"], 1);
    }
    eventually_counts(&admin, "select count(*) from check_ins", orders.iter().sum());
    eventually_counts(&admin, "select count(*) from interactions", 2);
    shows
}
