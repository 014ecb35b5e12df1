//! Who did what to which thing when, as an owner reads it.

use crate::shared::{server, until};
use serde_json::{Value, json};
use tests::{Buyer, Client, Show, scan, token};

fn entries(client: &Client, path: &str) -> Vec<Value> {
    client.get(path).expect(200)["items"].as_array().unwrap().clone()
}

fn sentences(entries: &[Value]) -> Vec<&str> {
    entries
        .iter()
        .map(|entry| entry["sentence"].as_str().unwrap())
        .collect()
}

/// Somebody with a name who is logged in.
fn logged_in(admin: &Client, public: &Client, show: &Show) -> Client {
    let email = format!("ada.{}@example.org", tests::uuid7());
    let member = json!({ "email": email, "name": "Ada Owner", "password": "correct horse", "role": "owner" });
    admin.post(&show.path("members"), &member).expect(201);
    let answer = public.post("/v1/session", &json!({ "email": email, "password": "correct horse" }));
    let session = answer.expect(200);
    let cookie = answer
        .header("set-cookie")
        .unwrap()
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    public
        .with("cookie", &cookie)
        .with("x-csrf-token", session["csrf_token"].as_str().unwrap())
}

#[test]
fn a_log_reads_as_sentences_and_is_filtered_and_paged() {
    let shared = server();
    let (admin, public) = (shared.server.admin(), shared.server.public());
    let show = Show::open(&admin, None, 700);
    let ada = logged_in(&admin, &public, &show);
    let buyer = Buyer {
        client: shared.server.public(),
        show: &show,
    };
    let purchase = buyer.buy(1);
    let code = buyer.codes(&purchase).remove(0);
    let door = shared.server.bearer(&token(&admin, &show.organizer_id, "door"));
    door.post(&show.redeem_path(), &scan(&code)).expect(200);
    let order = ada
        .post(&format!("/v1/orders/{}/cancel", purchase.order_id), &json!({}))
        .expect(200);
    let number = order["code"].as_str().unwrap();
    let of_order = format!("/v1/orders/{}/audit-log", purchase.order_id);
    let cancelled = format!("Ada Owner (user) cancelled order {number} of Late Quartet");
    until("the cancellation is in the log", || {
        sentences(&entries(&ada, &of_order)).contains(&cancelled.as_str())
    });
    let told = entries(&ada, &of_order);
    let first = told.last().unwrap();
    assert_eq!(
        first["sentence"],
        format!("A buyer placed order {number} of Late Quartet")
    );
    assert_eq!(
        (&first["actor"]["kind"], &first["thing"]["id"]),
        (&json!("storefront"), &json!(purchase.order_id))
    );
    assert!(told.iter().all(|entry| entry["event"]["id"] == show.event_id.as_str()));
    let seqs: Vec<i64> = told.iter().map(|entry| entry["seq"].as_i64().unwrap()).collect();
    assert!(seqs.is_sorted_by(|a, b| a > b), "the newest first: {seqs:?}");

    assert_of_event_and_ticket(&ada, &show, number);

    let whole = show.path("audit-log");
    let actor = told.iter().find(|entry| entry["actor"]["kind"] == "user").unwrap();
    let actor = format!("user:{}", actor["actor"]["id"].as_str().unwrap());
    let hers = entries(&ada, &format!("{whole}?actor={actor}&change_type=order.cancelled"));
    assert_eq!(sentences(&hers), [cancelled.as_str()]);
    let at = hers[0]["recorded_at"].as_str().unwrap();
    assert_eq!(
        entries(&ada, &format!("{of_order}?from={at}")).len(),
        seqs.iter().filter(|seq| **seq >= hers_first(&told, at)).count()
    );
    assert!(
        entries(&ada, &format!("{whole}?to={at}"))
            .iter()
            .all(|entry| entry["recorded_at"].as_str().unwrap() < at)
    );

    assert_paged(&ada, &whole);
}

#[track_caller]
fn assert_of_event_and_ticket(ada: &Client, show: &Show, number: &str) {
    let of_event = show.of_event("audit-log");
    let let_in = format!("a door (API token) let in a ticket of order {number} of Late Quartet");
    let at_door = entries(ada, &format!("{of_event}?entity=check_in"));
    assert_eq!(sentences(&at_door), [let_in.as_str()]);
    let tickets = entries(ada, &format!("{of_event}?entity=ticket"));
    let of_ticket = format!("/v1/tickets/{}/audit-log", tickets[0]["thing"]["id"].as_str().unwrap());
    let types: Vec<Value> = entries(ada, &of_ticket)
        .iter()
        .map(|entry| entry["change_type"].clone())
        .collect();
    assert_eq!(types, ["ticket.cancelled", "check_in.accepted", "ticket.issued"]);
}

#[track_caller]
fn assert_paged(ada: &Client, whole: &str) {
    let (mut path, mut paged) = (format!("{whole}?limit=3"), Vec::new());
    loop {
        let page = ada.get(&path).expect(200);
        paged.extend(
            page["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|entry| entry["seq"].as_i64().unwrap()),
        );
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        path = format!("{whole}?limit=3&cursor={cursor}");
    }
    let all: Vec<i64> = entries(ada, &format!("{whole}?limit=200"))
        .iter()
        .map(|entry| entry["seq"].as_i64().unwrap())
        .collect();
    assert!(all.len() > 10 && paged == all, "{paged:?} {all:?}");
    for wrong in [
        "entity=nothing",
        "change_type=order.payed",
        "from=yesterday",
        "colour=red",
    ] {
        ada.get(&format!("{whole}?{wrong}")).problem(400, "invalid_parameter");
    }
}

/// The first seq that was recorded at this moment.
fn hers_first(told: &[Value], at: &str) -> i64 {
    let same = told.iter().filter(|entry| entry["recorded_at"].as_str().unwrap() >= at);
    same.map(|entry| entry["seq"].as_i64().unwrap()).min().unwrap()
}

#[test]
fn the_log_is_for_owners_and_managers_and_knows_no_erased_person() {
    let shared = server();
    let admin = shared.server.admin();
    let show = Show::open(&admin, None, 700);
    Buyer {
        client: shared.server.public(),
        show: &show,
    }
    .buy(1);
    let manager = shared.server.bearer(&token(&admin, &show.organizer_id, "manager"));
    let people = format!("{}?entity=person", show.path("audit-log"));
    until("the buyer is in the log", || {
        sentences(&entries(&manager, &people)) == ["A buyer registered person Ada Lovelace"]
    });
    let person = entries(&manager, &people)[0]["thing"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    admin
        .post(&format!("/v1/people/{person}/erasure"), &json!({}))
        .expect(202);
    until("the name is gone from every sentence", || {
        let told = entries(&manager, &people);
        told.len() == 2 && !json!(told).to_string().contains("Lovelace")
    });
    let analyst = shared.server.bearer(&token(&admin, &show.organizer_id, "analyst"));
    analyst.get(&people).problem(403, "forbidden");
    let other = Show::open(&admin, None, 700);
    manager.get(&other.path("audit-log")).problem(404, "not_found");
    manager.get(&other.of_event("audit-log")).problem(404, "not_found");
}

#[test]
fn a_device_is_called_by_its_name() {
    let shared = server();
    let admin = shared.server.admin();
    let show = Show::open(&admin, None, 700);
    let buyer = Buyer {
        client: shared.server.public(),
        show: &show,
    };
    let code = buyer.codes(&buyer.buy(1)).remove(0);
    let phone = admin
        .post(&show.path("devices"), &json!({ "name": "Phone 1" }))
        .expect(201);
    let phone = shared.server.bearer(phone["secret"].as_str().unwrap());
    phone.post(&show.redeem_path(), &scan(&code)).expect(200);
    until("the scan is in the log under the phone's name", || {
        let scans = entries(&admin, &format!("{}?entity=check_in", show.of_event("audit-log")));
        sentences(&scans)
            .iter()
            .any(|sentence| sentence.starts_with("Phone 1 (device) let in a ticket of order "))
    });
}
