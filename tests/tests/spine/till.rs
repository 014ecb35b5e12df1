//! Orders that are paid at the door, over HTTP.

use crate::shared::{eventually_counts, server};
use serde_json::json;
use tests::{Buyer, Show, event, order_body, scan, token};

#[test]
fn an_order_is_placed_for_the_door_let_in_unpaid_paid_there_and_given_back() {
    let shared = server();
    let admin = shared.server.admin();
    let show = Show::open(&admin, Some(10), 2_500);
    let mut details = event("Late Quartet");
    details["pay_at_door"] = json!(true);
    let buyer = Buyer {
        client: shared.server.public(),
        show: &show,
    };
    let hold = buyer.client.post("/v1/holds", &show.hold_body(1)).expect(201);
    let order = order_body(&hold, "at_door");
    buyer.client.post("/v1/orders", &order).problem(422, "not_at_door");
    admin
        .put(&format!("/v1/events/{}", show.event_id), &details)
        .expect(200);
    let placed = buyer.client.post("/v1/orders", &order).expect(201);
    assert_eq!(
        (&placed["status"], &placed["reserved"]),
        (&json!("pending"), &json!(true))
    );
    let id = placed["order_id"].as_str().unwrap();
    let secret = placed["secret"].as_str().unwrap();
    let tickets = buyer
        .client
        .get(&format!("/v1/orders/{id}/tickets?secret={secret}"))
        .expect(200);
    let code = tickets[0]["code"].as_str().unwrap();

    let list = json!({ "name": "Box office", "include_pending": true });
    let list = admin
        .post(&format!("/v1/events/{}/check-in-lists", show.event_id), &list)
        .expect(201);
    let redeem = format!(
        "/v1/check-in-lists/{}/redeem",
        list["check_in_list_id"].as_str().unwrap()
    );
    let door = shared.server.bearer(&token(&admin, &show.organizer_id, "door"));
    assert_eq!(door.post(&redeem, &scan(code)).expect(200)["reason"], "unpaid");
    let mut later = scan(code);
    later["ignore_unpaid"] = json!(true);
    assert_eq!(door.post(&redeem, &later).expect(200)["verdict"], "accepted");

    let till = format!("/v1/orders/{id}/till-payment");
    let cash = json!({ "method": "cash" });
    door.post(&till, &cash).problem(403, "forbidden");
    buyer.client.post(&till, &cash).problem(401, "unauthenticated");
    let manager = shared.server.bearer(&token(&admin, &show.organizer_id, "manager"));
    manager
        .post(&till, &json!({ "method": "" }))
        .problem(422, "invalid_field");
    assert_eq!(manager.post(&till, &cash).expect(200)["status"], "paid");
    manager.post(&till, &cash).problem(409, "order_closed");

    manager.post(&format!("/v1/orders/{id}/cancel"), &json!({})).expect(200);
    let refunds = format!("/v1/orders/{id}/refunds");
    let refund = manager.get(&refunds).expect(200)[0].clone();
    assert_eq!(
        (&refund["status"], &refund["provider"]),
        (&json!("pending"), &json!("till"))
    );
    let hand_over = format!("/v1/refunds/{}/hand-over", refund["refund_id"].as_str().unwrap());
    assert_eq!(manager.post(&hand_over, &json!({})).expect(200)["status"], "succeeded");
    manager.post(&hand_over, &json!({})).problem(409, "not_owed");
    let refunded = format!(
        "select cast(coalesce(sum(refunded_minor), 0) as bigint) from orders where order_id = '{id}' and status = 'cancelled'"
    );
    eventually_counts(&admin, &refunded, 2_500);
}
