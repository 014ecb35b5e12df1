//! Scanners over HTTP: what a device may, what it takes along, and what it sends when it is back.

use crate::shared::{eventually_counts, server};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tests::{Buyer, Client, Show, gzip, iso, now_micros, scan, token};

/// A show with tickets, and the codes on them.
fn sold(client: Client, show: &Show, quantity: i64) -> Vec<String> {
    let buyer = Buyer { client, show };
    buyer.codes(&buyer.buy(quantity))
}

fn of_list(show: &Show, what: &str) -> String {
    format!("/v1/check-in-lists/{}/{what}", show.check_in_list_id)
}

fn device(admin: &Client, show: &Show, event: bool) -> (String, String) {
    let event_id = event.then_some(&show.event_id);
    let body = json!({ "name": "Scanner 7", "event_id": event_id });
    let device = admin.post(&show.path("devices"), &body).expect(201);
    let text = |name: &str| device[name].as_str().unwrap().to_owned();
    (text("device_id"), text("secret"))
}

#[test]
fn case_29_who_may_only_check_in_learns_nothing_of_orders_and_guests() {
    let shared = server();
    let admin = shared.server.admin();
    let show = Show::open(&admin, None, 900);
    let codes = sold(shared.server.public(), &show, 1);
    let tokens = [
        token(&admin, &show.organizer_id, "door"),
        device(&admin, &show, false).1,
    ];
    for (secret, wanted) in tokens.iter().zip(["accepted", "refused"]) {
        let door = shared.server.bearer(secret);
        let verdict = door.post(&show.redeem_path(), &scan(&codes[0])).expect(200);
        assert_eq!(verdict["verdict"], wanted);
        assert_eq!(verdict["ticket"]["holder"], "Ada Lovelace");
        for hidden in ["order_id", "person_id", "price", "email"] {
            assert!(!verdict.to_string().contains(hidden), "{hidden} in {verdict}");
        }
        let found = |text: &str| {
            let found = door
                .get(&of_list(&show, &format!("attendees?search={text}")))
                .expect(200);
            found.as_array().unwrap().len()
        };
        assert_eq!((found("ad"), found("lovel"), found("nobody")), (0, 1, 0));
        let order = door.get(&show.of_event("orders"));
        order.problem(403, "forbidden");
        door.post("/v1/sql", &json!({ "sql": "select 1" }))
            .problem(403, "forbidden");
        door.get(&show.path("api-tokens")).problem(403, "forbidden");
    }
}

#[test]
fn a_device_works_at_its_own_event_until_two_seconds_after_it_was_revoked() {
    let shared = server();
    let admin = shared.server.admin();
    let show = Show::open(&admin, None, 900);
    let other = Show::open_for(&admin, show.organizer_id.clone(), None, 900);
    let gate = admin
        .post(&show.of_event("gates"), &json!({ "name": "River" }))
        .expect(201);
    let (id, secret) = device(&admin, &show, true);
    let path = format!("/v1/devices/{id}");
    let moved = json!({ "name": "Scanner 8", "event_id": show.event_id, "gate_id": gate["gate_id"] });
    assert_eq!(admin.put(&path, &moved).expect(200)["name"], "Scanner 8");
    let device = shared.server.bearer(&secret);
    let mut shown = scan(&sold(shared.server.public(), &show, 1)[0]);
    shown.as_object_mut().unwrap().remove("gate");
    assert_eq!(
        device.post(&show.redeem_path(), &shown).expect(200)["verdict"],
        "accepted"
    );
    let kept = device.get(&of_list(&show, "check-ins")).expect(200);
    let kept = &kept["items"][0];
    assert_eq!((&kept["gate"], &kept["device_id"]), (&json!("River"), &json!(id)));
    device.post(&other.redeem_path(), &shown).problem(404, "not_found");
    device.get(&other.of_event("check-in-lists")).problem(404, "not_found");

    let annul = json!({ "nonce": shown["nonce"] });
    admin
        .post(&of_list(&show, "annul"), &annul)
        .problem(409, "not_your_scan");
    let annulled = device.post(&of_list(&show, "annul"), &annul).expect(200);
    assert!(annulled["annulled_at"].is_string());

    admin.delete(&path).expect(204);
    let revoked = Instant::now();
    while device.get(&of_list(&show, "check-ins")).status == 200 {
        assert!(
            revoked.elapsed() < Duration::from_secs(3),
            "it is believed for too long"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    device.get(&of_list(&show, "check-ins")).problem(401, "unauthenticated");
    admin.put(&path, &moved).problem(409, "device_revoked");
}

#[test]
fn an_upload_answers_each_scan_and_attendance_is_right_at_once() {
    let shared = server();
    let admin = shared.server.admin();
    let show = Show::open(&admin, None, 900);
    let codes = sold(shared.server.public(), &show, 3);
    let door = shared.server.bearer(&token(&admin, &show.organizer_id, "door"));
    let offline = |code: &str, minutes: i64| {
        let mut scan = scan(code);
        scan["offline"] = json!(true);
        scan["scanned_at"] = json!(iso(now_micros() - minutes * 60_000_000));
        scan
    };
    let mut simulated = scan(&codes[0]);
    simulated["simulate"] = json!(true);
    let scans = json!({ "scans": [
        offline(&codes[0], 30), { "code": 7 }, offline(&codes[1], 20), offline("no code", 10), "poison",
        offline(&codes[0], 5), simulated,
    ] });
    let packed = gzip(scans.to_string().as_bytes());
    for repeated in [false, true] {
        let upload = door
            .request("POST", &of_list(&show, "scans"))
            .header("content-encoding", "gzip");
        let answers = upload.body("application/json", packed.clone()).send().expect(200);
        let answers = answers["answers"].as_array().unwrap();
        let told: Vec<&Value> = answers.iter().map(|answer| &answer["verdict"]).collect();
        let none = &Value::Null;
        let (yes, no) = (&json!("accepted"), &json!("refused"));
        assert_eq!(told, [yes, none, yes, no, none, yes, none], "{answers:?}");
        for place in [1, 4, 6] {
            assert_eq!(answers[place]["error"]["code"], "invalid_field");
        }
        for place in [0, 2, 3, 5] {
            assert_eq!(answers[place]["repeated"], repeated);
        }
        assert_eq!(
            (&answers[5]["forced"], &answers[5]["reason"]),
            (&json!(true), &json!("already_redeemed"))
        );
        let attendance = door.get(&of_list(&show, "attendance")).expect(200);
        let counts = ["inside", "entered", "expected"].map(|name| attendance[name].as_i64().unwrap());
        assert_eq!(counts, [2, 2, 3]);
        assert_eq!(
            attendance["gates"],
            json!([{ "gate": "north", "entries": 3, "exits": 0 }])
        );
    }
    let told = format!(
        "select count(*) from check_in_changes where event_id = '{}' and change_type = 'check_in.conflict'",
        show.event_id
    );
    eventually_counts(&admin, &told, 1);
    assert_eq!(
        door.post(&of_list(&show, "exit-all"), &json!({})).expect(200)["exited"],
        2
    );
    let many: Vec<Value> = (0..1_001).map(|_| json!({})).collect();
    let refused = door.post(&of_list(&show, "scans"), &json!({ "scans": many }));
    refused.problem(422, "invalid_field");
}

#[test]
fn a_download_that_has_not_changed_costs_a_header() {
    let shared = server();
    let admin = shared.server.admin();
    let show = Show::open(&admin, None, 900);
    let codes = sold(shared.server.public(), &show, 2);
    let door = shared.server.bearer(&token(&admin, &show.organizer_id, "door"));
    let full = door.get(&of_list(&show, "download"));
    let first = full.expect(200);
    assert_eq!(first["attendees"].as_array().unwrap().len(), 2);
    assert_eq!(
        (&first["more"], &first["event"]["timezone"]),
        (&json!(false), &json!("Europe/Vienna"))
    );
    for hidden in ["Ada", "Lovelace", "example.org", codes[0].as_str()] {
        assert!(!full.text().contains(hidden), "{hidden} stands in the clear");
    }
    let path = of_list(&show, &format!("download?cursor={}", first["cursor"].as_str().unwrap()));
    let news = door.get(&path);
    assert_eq!(news.expect(200)["attendees"], json!([]));
    let again = || {
        let request = door
            .request("GET", &path)
            .header("if-none-match", news.header("etag").unwrap());
        request.send().status
    };
    assert_eq!(again(), 304);
    door.post(&show.redeem_path(), &scan(&codes[0])).expect(200);
    assert_eq!(again(), 200);
    let seen = door.get(&path).expect(200);
    assert_eq!(
        (&seen["seen"][0]["entries"], &seen["seen"][0]["last_kind"]),
        (&json!(1), &json!("entry"))
    );
    door.get(&of_list(&show, "download?cursor=x"))
        .problem(400, "invalid_parameter");
}

#[test]
fn staff_rotate_keys_and_block_tickets() {
    let shared = server();
    let admin = shared.server.admin();
    let show = Show::open(&admin, None, 900);
    let code = sold(shared.server.public(), &show, 1).remove(0);
    let verdict = |nonce_of: &Value| admin.post(&show.redeem_path(), nonce_of).expect(200);
    let mut asked = scan(&code);
    asked["simulate"] = json!(true);
    let ticket_id = verdict(&asked)["ticket"]["ticket_id"].as_str().unwrap().to_owned();
    let of_ticket = |what: &str| format!("/v1/tickets/{ticket_id}/{what}");
    assert_eq!(admin.post(&of_ticket("block"), &json!({})).expect(200)["blocked"], true);
    assert_eq!(verdict(&asked)["reason"], "blocked");
    admin.post(&of_ticket("unblock"), &json!({})).expect(200);
    let keys = admin.post(&show.of_event("keys/rotate"), &json!({})).expect(200);
    assert_eq!(keys.as_array().unwrap().len(), 2);
    assert_eq!(verdict(&asked)["verdict"], "accepted", "the retired key still verifies");
    admin
        .post(&show.of_event("keys/1/revoke"), &json!({}))
        .problem(409, "key_in_use");
    admin.post(&show.of_event("keys/0/revoke"), &json!({})).expect(200);
    assert_eq!(verdict(&asked)["reason"], "invalid");
    let reissued = admin.post(&of_ticket("reissue"), &json!({})).expect(200);
    assert_eq!(reissued["code_version"], 2);
}
