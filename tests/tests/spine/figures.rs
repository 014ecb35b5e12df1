//! What a metric says is what the core's own tables say, by every dimension. The demo's world and real data say so too
//! (see `demo` and `imports`); here is what they lack.

use crate::shared::{eventually_counts, until};
use serde_json::json;
use tests::{Buyer, Client, Home, Show, figures, interaction, iso, now_micros, order_body, scan};

const SECOND: i64 = 1_000_000;

#[test]
fn every_metric_agrees_with_the_core_on_fees_taxes_codes_doors_and_what_is_over() {
    let home = Home::new();
    let server = home.serve();
    let admin = server.admin();
    let show = Show::open(&admin, Some(100), 1_999);
    let mut told = json!({ "title": "Late Quartet", "timezone": "Pacific/Auckland", "currency": "EUR" });
    told["starts_at"] = json!(iso(now_micros() - 3_600 * SECOND));
    told["ends_at"] = json!(iso(now_micros() + 3_600 * SECOND));
    told["charges"] = json!([
        { "kind": "fee", "name": "Booking", "bps": 500, "fixed_minor": 33 }, { "kind": "tax", "name": "VAT", "bps": 1_300 },
    ]);
    admin.put(&format!("/v1/events/{}", show.event_id), &told).expect(200);
    let fee = json!({ "platform_fee_bps": 250 });
    admin.put(&show.path("platform-fee"), &fee).expect(200);
    let code = json!({ "code": "EARLY", "kind": "percent", "percent_bps": 1_500 });
    admin.post(&show.of_event("promo-codes"), &code).expect(201);

    let buyer = Buyer {
        client: server.public(),
        show: &show,
    };
    let inside = buyer.buy(3);
    let mut reduced = show.hold_body(2);
    reduced["promo_code"] = json!("early");
    let hold = buyer.client.post("/v1/holds", &reduced).expect(201);
    buyer
        .client
        .post("/v1/orders", &order_body(&hold, "test_ok"))
        .expect(201);
    let slow = buyer.order(1, "test_manual");
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    buyer.pay(&slow).expect(200);
    let cancel = format!("/v1/orders/{}/cancel", slow.order_id);
    admin.post(&cancel, &json!({})).expect(200);

    let codes = buyer.codes(&inside);
    two_doors_let_in_one_ticket(&admin, &show, &codes[0]);
    one_is_inside_when_all_have_left_and_one_is_kept_out(&admin, &show, &codes[1..]);
    admin.post(&show.redeem_path(), &scan("no code")).expect(200);
    for _ in 0..40 {
        let view = interaction(&show.organizer_id, Some(&show.event_id));
        assert_eq!(buyer.client.post("/v1/interactions", &view).expect(200)["accepted"], 1);
    }
    eventually_counts(&admin, "select count(*) from interactions", 40);
    told["ends_at"] = json!(iso(now_micros() + SECOND));
    admin.put(&format!("/v1/events/{}", show.event_id), &told).expect(200);
    until("the evening is over", || {
        admin.count("select count(*) from events where status = 'ended'") == 1
    });

    let agreed = figures::agree_with_the_core(&home, &server);
    let seldom = [
        "fees",
        "taxes",
        "platform_fees",
        "discounts",
        "no_show_rate",
        "inside",
        "door_conflicts",
        "seconds_to_payment",
    ];
    for metric in seldom {
        assert!(agreed[metric] > 0, "{metric}: {agreed:?}");
    }
    server.stop();
}

fn two_doors_let_in_one_ticket(admin: &Client, show: &Show, code: &str) {
    let offline = |minutes: i64| {
        let mut scan = scan(code);
        scan["offline"] = json!(true);
        scan["scanned_at"] = json!(iso(now_micros() - minutes * 60 * SECOND));
        scan
    };
    let scans = json!({ "scans": [offline(30), offline(20)] });
    let path = format!("/v1/check-in-lists/{}/scans", show.check_in_list_id);
    admin.post(&path, &scans).expect(200);
}

fn one_is_inside_when_all_have_left_and_one_is_kept_out(admin: &Client, show: &Show, codes: &[String]) {
    let exit_all = format!("/v1/check-in-lists/{}/exit-all", show.check_in_list_id);
    assert_eq!(admin.post(&exit_all, &json!({})).expect(200)["exited"], 1);
    admin.post(&show.redeem_path(), &scan(&codes[0])).expect(200);
    let mut asked = scan(&codes[1]);
    asked["simulate"] = json!(true);
    let verdict = admin.post(&show.redeem_path(), &asked).expect(200);
    let block = format!("/v1/tickets/{}/block", verdict["ticket"]["ticket_id"].as_str().unwrap());
    admin.post(&block, &json!({})).expect(200);
}
