use super::*;
use crate::{IdempotencyKey, PersonKeys, erasure, people};
use domain::{PersonId, attendee, changes::entity_named};
use serde_json::{Value, json};

const EMAIL: &str = "zdzislawa.qx71@forget.example.org";
const NAME: &str = "Zdzisława \"Qx_\" 100%";

impl World {
    /// Buys as her, under an idempotency key.
    async fn buy_as_her(&self, key: &str, phone: Option<&str>) -> PersonId {
        let hold = self.hold(1).await.unwrap();
        let checkout = orders::Checkout {
            name: Some(NAME.to_owned()),
            phone: phone.map(str::to_owned),
            ..checkout(&hold, EMAIL)
        };
        let key = IdempotencyKey {
            scope: "orders".to_owned(),
            key: key.to_owned(),
            request_hash: String::new(),
        };
        let placed = self
            .store
            .write_once(key, "test", move |tx| Box::pin(orders::checkout(tx, checkout)))
            .await
            .unwrap();
        placed.value.order.person_id
    }

    async fn keys(&self, person: PersonId) -> PersonKeys {
        self.store.person_keys(&[person.to_string()].into()).await.unwrap()
    }

    /// What the changes of a person tell whoever has the keys.
    async fn told(&self, person: PersonId, keys: &PersonKeys) -> Vec<(String, Value)> {
        let entity = entity_named("person").unwrap();
        let changes = self.changes().await.into_iter();
        let hers = changes.filter(|change| change.entity_id == person.to_string());
        hers.map(|change| {
            let payload = change.payload.into_bytes();
            let opened = keys.open(entity, &person.to_string(), &payload).unwrap_or(payload);
            (change.change_type, serde_json::from_slice(&opened).unwrap())
        })
        .collect()
    }

    async fn ask_for_erasure(&self, person: PersonId) -> Result<erasure::Erasure> {
        self.write(move |tx| Box::pin(erasure::request(tx, person, Duration::ZERO)))
            .await
    }
}

#[tokio::test]
async fn what_changes_tell_of_a_person_is_sealed_and_opens_with_the_persons_key() {
    let world = World::with_capacity(10).await;
    let she = world.buy_as_her("1", None).await;
    world.buy(1).await;
    world.buy_as_her("2", Some("+48-601")).await;
    for change in world.changes().await {
        for text in [EMAIL, "Zdzis", "+48-601", "ada@example.org"] {
            assert!(!change.payload.contains(text), "{text} in {change:?}");
        }
    }
    let told = world.told(she, &world.keys(she).await).await;
    let types: Vec<&str> = told.iter().map(|(change_type, _)| change_type.as_str()).collect();
    assert_eq!(types, ["person.registered", "person.updated"]);
    assert_eq!(
        (&told[0].1["email"], &told[0].1["phone"]),
        (&EMAIL.into(), &Value::Null)
    );
    assert_eq!(
        (&told[1].1["name"], &told[1].1["phone"]),
        (&NAME.into(), &"+48-601".into())
    );
    world.assert_sound().await;
}

#[tokio::test]
async fn an_erased_person_has_no_data_and_no_key_and_keeps_the_orders() {
    let world = World::with_capacity(10).await;
    let she = world.buy_as_her("1", Some("+48-601")).await;
    let other = world.buy(1).await[0].person_id;
    let keys = world.keys(she).await;
    let asked = world.ask_for_erasure(she).await.unwrap();
    assert_eq!(world.ask_for_erasure(she).await.unwrap(), asked, "one erasure a person");
    let waiting = erasure::unfinished(&world.store, 10).await.unwrap();
    assert_eq!(waiting, std::slice::from_ref(&asked));
    let seq = erasure::erase(&world.store, &asked).await.unwrap();
    assert_eq!(seq, *world.store.committed_seq().borrow());
    assert_eq!(
        erasure::erase(&world.store, &asked).await.unwrap(),
        seq,
        "again changes nothing"
    );

    let mut db = world.store.read().await.unwrap();
    let person = people::get(&mut db, she).await.unwrap();
    assert_eq!((&person.email, &person.name, &person.phone), (&None, &None, &None));
    let orders = orders::OrderFilter {
        person_id: Some(she),
        ..Default::default()
    };
    let orders = orders::list(&mut db, orders, crate::PageRequest::default())
        .await
        .unwrap();
    assert_eq!(orders.items.len(), 1);
    let erased = erasure::get(&mut db, asked.erasure_id).await.unwrap();
    drop(db);
    assert_eq!((erased.erased_seq, erased.finished_at), (Some(seq), None));
    let core = &erased.report["core"];
    assert_eq!(core["people"]["emptied"], serde_json::json!(["email", "name", "phone"]));
    assert_eq!(
        (&core["idempotency_keys"]["rows"], &core["person_keys"]["rows"]),
        (&1.into(), &1.into())
    );
    assert_eq!(world.told(she, &world.keys(she).await).await[0].1["email"], Value::Null);
    assert_eq!(
        world.told(she, &keys).await[0].1["email"],
        EMAIL,
        "it was the key alone"
    );
    assert_ne!(
        world.told(other, &world.keys(other).await).await[0].1["email"],
        Value::Null
    );
    let last = world.told(she, &keys).await.pop().unwrap();
    assert_eq!((last.0.as_str(), &last.1["email"]), ("person.erased", &Value::Null));

    erasure::scrub(&world.store).await.unwrap();
    erasure::finish(&world.store, asked.erasure_id, serde_json::json!({}))
        .await
        .unwrap();
    assert_eq!(erasure::unfinished(&world.store, 10).await.unwrap(), []);
    assert_ne!(world.buy_as_her("3", None).await, she, "who comes back is a new person");
    world.assert_sound().await;
}

#[tokio::test]
async fn doors_are_told_anew_who_comes_when_a_holder_is_named_or_erased() {
    let world = World::with_capacity(10).await;
    let ticket = world.buy(1).await.remove(0);
    let code = world.store.ticket_code(&ticket).await.unwrap().parse().unwrap();
    let mut cursor = None;
    let mut news = async || {
        let download = check_ins::download(&world.store, world.list, cursor.clone())
            .await
            .unwrap();
        cursor = Some(download.cursor);
        let opened = |(_, sealed): &(String, String)| attendee::open(&code, sealed).unwrap().name;
        download.attendees.iter().map(opened).collect::<Vec<_>>()
    };
    assert_eq!(news().await, [Some("Ada".to_owned())]);
    assert_eq!(news().await, []);
    let named = world
        .write(move |tx| Box::pin(orders::name_holder(tx, ticket.order_id, ticket.ticket_id, NAME.into())))
        .await
        .unwrap();
    assert_eq!(news().await, [Some(NAME.to_owned())]);
    let asked = world.ask_for_erasure(named.person_id).await.unwrap();
    erasure::erase(&world.store, &asked).await.unwrap();
    assert_eq!(news().await, [None]);
    world.assert_sound().await;
}

#[tokio::test]
async fn an_erasure_needs_a_person() {
    let world = World::with_capacity(1).await;
    assert_eq!(code(world.ask_for_erasure(PersonId::new()).await), "not_found");
}

#[tokio::test]
async fn an_erased_buyer_is_not_mailed_and_who_asks_for_it_is_told() {
    let world = World::with_capacity(10).await;
    let hold = world.hold(1).await.unwrap();
    let placed = world.checkout(&hold, EMAIL).await.unwrap();
    let report = world.success(&placed);
    world.report(report).await;
    let (order, she) = (placed.order.order_id, placed.order.person_id);
    let again = || world.write(move |tx| Box::pin(orders::send_link_again(tx, order)));
    let asked = world.ask_for_erasure(she).await.unwrap();
    erasure::erase(&world.store, &asked).await.unwrap();
    assert_eq!(code(again().await), "no_address");
    world.assert_sound().await;
}

#[tokio::test]
async fn what_was_asked_for_is_not_done_again_after_an_erasure() {
    let world = World::with_capacity(10).await;
    let key = |key: &str| IdempotencyKey {
        scope: "refunds".to_owned(),
        key: key.to_owned(),
        request_hash: "hash".to_owned(),
    };
    let once = async |name: &str, answer: String| {
        let command = world
            .store
            .write_once(key(name), "test", move |_| Box::pin(async move { Ok(answer) }));
        command.await.map(|once| once.replayed)
    };
    let she = world.buy_as_her("1", Some("+48-601")).await;
    let about_her = json!({ "person_id": she }).to_string();
    let about_others = json!({ "seen": NAME, "email": EMAIL, "phone": "+48-601" }).to_string();
    assert_eq!(once("hers", about_her.clone()).await, Ok(false));
    assert_eq!(once("others", about_others.clone()).await, Ok(false));
    let asked = world.ask_for_erasure(she).await.unwrap();
    erasure::erase(&world.store, &asked).await.unwrap();
    assert_eq!(
        once("others", about_others).await,
        Ok(true),
        "it says what she has typed, and is not of her"
    );
    assert_eq!(code(once("hers", about_her).await), "answer_erased");
    world.assert_sound().await;
}
