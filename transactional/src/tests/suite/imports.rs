use super::*;
use crate::imports::*;
use domain::order::OrderStatus;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn organizer() -> ImportItem {
    ImportItem::Organizer(ImportedOrganizer {
        source: "meetup:group:1".into(),
        slug: "hikers".parse().unwrap(),
        name: "Hikers".parse().unwrap(),
        currency: "USD".parse().unwrap(),
        timezone: "America/Denver".into(),
        city: Some("Missoula".into()),
        country: None,
        created_at: at("2009-01-01T00:00:00Z"),
    })
}

fn event(capacity: Option<i64>) -> ImportItem {
    ImportItem::Event(ImportedEvent {
        source: "meetup:event:1".into(),
        organizer: "meetup:group:1".into(),
        venue: None,
        title: "Walk".parse().unwrap(),
        description: None,
        category: None,
        language: None,
        url: None,
        starts_at: at("2013-02-01T18:00:00Z"),
        ends_at: at("2013-02-01T21:00:00Z"),
        timezone: "America/Denver".into(),
        currency: "USD".parse().unwrap(),
        status: EventStatus::Ended,
        capacity,
        price_minor: 0,
        created_at: at("2013-01-01T00:00:00Z"),
    })
}

fn order(number: u32, quantity: i64, cancelled_at: Option<Timestamp>) -> ImportItem {
    ImportItem::Order(ImportedOrder {
        source: format!("meetup:rsvp:{number}"),
        event: "meetup:event:1".into(),
        person: ImportedPerson {
            source: format!("meetup:member:{}", number % 2),
            email: None,
            name: Some("Kim".into()),
        },
        quantity,
        placed_at: at("2013-01-18T01:41:08Z"),
        cancelled_at,
    })
}

impl World {
    async fn import(&self, items: Vec<ImportItem>) -> Vec<ImportOutcome> {
        self.write(move |tx| {
            Box::pin(async move {
                let mut outcomes = Vec::new();
                for item in &items {
                    outcomes.push(import_item(tx, item).await?);
                }
                Ok(outcomes)
            })
        })
        .await
        .unwrap()
    }
}

#[tokio::test]
async fn an_import_that_runs_again_writes_nothing() {
    let world = World::with_capacity(1).await;
    let cancelled = at("2013-01-20T00:00:00Z");
    let items = vec![
        organizer(),
        event(None),
        order(1, 2, None),
        order(2, 1, Some(cancelled)),
    ];
    assert_eq!(world.import(items.clone()).await, vec![ImportOutcome::Created; 4]);
    let after_first = world.changes().await;
    assert_eq!(world.import(items).await, vec![ImportOutcome::Unchanged; 4]);
    assert_eq!(world.changes().await.len(), after_first.len());

    let id = order_id("meetup:rsvp:2");
    let told: Vec<(&str, Timestamp)> = after_first
        .iter()
        .filter(|change| change.entity_id == id.to_string())
        .map(|change| (change.change_type.as_str(), change.occurred_at))
        .collect();
    let placed = at("2013-01-18T01:41:08Z");
    assert_eq!(
        told,
        [
            ("order.placed", placed),
            ("order.paid", placed),
            ("order.cancelled", cancelled)
        ]
    );
    let mut db = world.store.read().await.unwrap();
    let stored = orders::get(&mut db, order_id("meetup:rsvp:1")).await.unwrap();
    assert_eq!(
        (stored.status, stored.quantity, stored.placed_at),
        (OrderStatus::Paid, 2, placed)
    );
    assert_eq!(tickets::of_order(&mut db, stored.order_id).await.unwrap().len(), 2);
    world.assert_sound().await;
}

#[tokio::test]
async fn a_yes_that_became_a_no_since_the_last_run_is_a_cancellation() {
    let world = World::with_capacity(1).await;
    world.import(vec![organizer(), event(None), order(1, 3, None)]).await;
    let now_no = order(1, 3, Some(at("2013-01-25T00:00:00Z")));
    assert_eq!(world.import(vec![now_no.clone()]).await, [ImportOutcome::Updated]);
    assert_eq!(world.import(vec![now_no]).await, [ImportOutcome::Unchanged]);
    let mut db = world.store.read().await.unwrap();
    let stored = orders::get(&mut db, order_id("meetup:rsvp:1")).await.unwrap();
    assert_eq!(stored.cancelled_at, Some(at("2013-01-25T00:00:00Z")));
    world.assert_sound().await;
}

#[tokio::test]
async fn capacity_holds_for_imports_and_references_must_be_there() {
    let world = World::with_capacity(1).await;
    let outcomes = world
        .import(vec![
            order(9, 1, None),
            organizer(),
            event(Some(2)),
            order(1, 2, None),
            order(2, 1, None),
        ])
        .await;
    let refusal = |outcome: &ImportOutcome| match outcome {
        ImportOutcome::Refused(refusal) => refusal.code.to_string(),
        other => format!("{other:?}"),
    };
    let told: Vec<String> = outcomes.iter().map(refusal).collect();
    assert_eq!(told, ["unknown_reference", "Created", "Created", "Created", "sold_out"]);
    world.assert_sound().await;
}

#[tokio::test]
async fn an_event_that_ended_here_is_not_published_again_by_its_source() {
    let world = World::with_capacity(1).await;
    let ImportItem::Event(ended) = event(None) else { return };
    let published = ImportItem::Event(ImportedEvent {
        status: EventStatus::Published,
        ..ended
    });
    world.import(vec![organizer(), published.clone()]).await;
    assert_eq!(world.store.sweep().await.unwrap().events, 1);
    assert_eq!(world.import(vec![published]).await, [ImportOutcome::Unchanged]);
    world.assert_sound().await;
}

#[tokio::test]
async fn what_no_sum_and_no_calendar_can_take_is_refused() {
    let world = World::with_capacity(1).await;
    let (ImportItem::Event(dear), ImportItem::Order(early)) = (event(None), order(1, 1, None)) else {
        return;
    };
    let dear = ImportItem::Event(ImportedEvent {
        source: "meetup:event:2".into(),
        price_minor: 1_000_000_000_001,
        ..dear
    });
    let early = ImportItem::Order(ImportedOrder {
        placed_at: at("0001-01-01T00:00:00Z"),
        ..early
    });
    let late = order(2, 1, Some(at("2200-01-01T00:00:00Z")));
    let outcomes = world.import(vec![organizer(), event(None), dear, early, late]).await;
    let refused =
        |outcome: &ImportOutcome| matches!(outcome, ImportOutcome::Refused(refusal) if refusal.code == "invalid");
    let told: Vec<bool> = outcomes.iter().map(refused).collect();
    assert_eq!(told, [false, false, true, true, true]);
    world.assert_sound().await;
}
