//! At the door: verdicts, repeats, and what is kept of them.

use crate::shared::{eventually_counts, server};
use serde_json::{Value, json};
use tests::{Buyer, Client, Show, scan, token};

fn verdict(door: &Client, show: &Show, scan: &Value) -> (String, Value) {
    let verdict = door.post(&show.redeem_path(), scan).expect(200);
    (
        verdict["verdict"].as_str().unwrap().to_owned(),
        verdict["reason"].clone(),
    )
}

fn accepted() -> (String, Value) {
    ("accepted".into(), Value::Null)
}

fn refused(reason: &str) -> (String, Value) {
    ("refused".into(), json!(reason))
}

#[test]
fn a_ticket_opens_a_door_once() {
    let shared = server();
    let admin = shared.server.admin();
    let show = Show::open(&admin, None, 900);
    let buyer = Buyer {
        client: shared.server.public(),
        show: &show,
    };
    let codes = buyer.codes(&buyer.buy(2));
    let door = shared.server.bearer(&token(&admin, &show.organizer_id, "door"));

    let mut asked = scan(&codes[0]);
    asked["simulate"] = json!(true);
    assert_eq!(verdict(&door, &show, &asked), accepted());
    let first = scan(&codes[0]);
    assert_eq!(verdict(&door, &show, &first), accepted());
    let again = door.post(&show.redeem_path(), &first).expect(200);
    assert_eq!(
        (&again["verdict"], &again["repeated"]),
        (&json!("accepted"), &json!(true))
    );
    let second = door.post(&show.redeem_path(), &scan(&codes[0])).expect(200);
    assert_eq!(
        (&second["verdict"], &second["reason"]),
        (&json!("refused"), &json!("already_redeemed"))
    );
    assert_eq!(second["first_scan"]["gate"], "north");
    assert_eq!(verdict(&door, &show, &scan(&codes[1])), accepted());

    let kept = door
        .get(&format!("/v1/check-in-lists/{}/check-ins", show.check_in_list_id))
        .expect(200);
    let accepted: Vec<&Value> = kept["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| &item["accepted"])
        .collect();
    assert_eq!(
        accepted,
        [&json!(true), &json!(false), &json!(true)],
        "newest first: {kept}"
    );
    let count = format!("select count(*) from check_ins where event_id = '{}'", show.event_id);
    eventually_counts(&admin, &count, 3);
}

#[test]
fn a_refusal_names_its_reason() {
    let shared = server();
    let admin = shared.server.admin();
    let show = Show::open(&admin, None, 900);
    let other = Show::open_for(&admin, show.organizer_id.clone(), None, 900);
    let buyer = Buyer {
        client: shared.server.public(),
        show: &show,
    };
    let (good, cancelled) = (buyer.buy(1), buyer.buy(1));
    let code = buyer.codes(&good).remove(0);
    let gone = buyer.codes(&cancelled).remove(0);
    admin
        .post(&format!("/v1/orders/{}/cancel", cancelled.order_id), &json!({}))
        .expect(200);

    assert_eq!(verdict(&admin, &show, &scan("not a code")), refused("invalid"));
    let mut forged = code.clone().into_bytes();
    forged[40] = if forged[40] == b'A' { b'B' } else { b'A' };
    assert_eq!(
        verdict(&admin, &show, &scan(&String::from_utf8(forged).unwrap())),
        refused("invalid")
    );
    assert_eq!(verdict(&admin, &other, &scan(&code)), refused("invalid"));
    assert_eq!(verdict(&admin, &show, &scan(&gone)), refused("cancelled"));
    let mut forced = scan(&gone);
    forced["force"] = json!(true);
    let forced = admin.post(&show.redeem_path(), &forced).expect(200);
    assert_eq!(
        (&forced["verdict"], &forced["forced"]),
        (&json!("accepted"), &json!(true))
    );

    admin.post(&show.of_event("postpone"), &json!({})).expect(200);
    assert_eq!(verdict(&admin, &show, &scan(&code)), refused("event_closed"));
}

#[test]
fn a_list_may_allow_to_come_back() {
    let shared = server();
    let admin = shared.server.admin();
    let mut show = Show::open(&admin, None, 900);
    let list = json!({ "name": "Garden", "reentry": true, "ticket_types": [show.ticket_type_id] });
    let list = admin.post(&show.of_event("check-in-lists"), &list).expect(201);
    show.check_in_list_id = list["check_in_list_id"].as_str().unwrap().to_owned();
    let buyer = Buyer {
        client: shared.server.public(),
        show: &show,
    };
    let code = buyer.codes(&buyer.buy(1)).remove(0);
    let exit = || {
        let mut scan = scan(&code);
        scan["kind"] = json!("exit");
        scan
    };
    assert_eq!(verdict(&admin, &show, &scan(&code)), accepted());
    assert_eq!(verdict(&admin, &show, &scan(&code)), refused("already_redeemed"));
    assert_eq!(verdict(&admin, &show, &exit()), accepted());
    assert_eq!(verdict(&admin, &show, &scan(&code)), accepted());
    assert_eq!(
        admin
            .get(&show.of_event("check-in-lists"))
            .expect(200)
            .as_array()
            .map(Vec::len),
        Some(2)
    );
}

#[test]
fn one_ticket_shown_at_eight_doors_at_once_opens_one() {
    let shared = server();
    let admin = shared.server.admin();
    let show = Show::open(&admin, None, 900);
    let buyer = Buyer {
        client: shared.server.public(),
        show: &show,
    };
    let code = buyer.codes(&buyer.buy(1)).remove(0);
    let opened = std::thread::scope(|scope| {
        let doors: Vec<_> = (0..8)
            .map(|_| {
                let (show, code, door) = (&show, &code, shared.server.admin());
                scope.spawn(move || verdict(&door, show, &scan(code)).0 == "accepted")
            })
            .collect();
        doors
            .into_iter()
            .map(|door| usize::from(door.join().unwrap()))
            .sum::<usize>()
    });
    assert_eq!(opened, 1);
}
