use super::*;
use crate::webhooks::{self, Attempt, Delivery, Endpoint, EndpointDetails};
use domain::{WebhookDeliveryId, WebhookEndpointId, message::DeliveryStatus};
use serde_json::Value;

fn details(change_types: &[&str]) -> EndpointDetails {
    EndpointDetails {
        url: "https://hooks.example.org/s3cret-path".into(),
        host: "hooks.example.org".into(),
        change_types: change_types.iter().map(|name| (*name).to_owned()).collect(),
        active: true,
    }
}

impl World {
    async fn endpoint(&self, change_types: &[&str]) -> (WebhookEndpointId, String) {
        let (organizer, details) = (self.organizer, details(change_types));
        let (endpoint, secret) = self
            .write(move |tx| Box::pin(webhooks::create(tx, organizer, details)))
            .await
            .unwrap();
        (endpoint.endpoint.webhook_endpoint_id, secret)
    }

    async fn fan_out(&self) {
        while webhooks::fan_out(&self.store).await.unwrap() {}
    }

    async fn deliveries(&self, id: WebhookEndpointId) -> Vec<Delivery> {
        let mut db = self.store.read().await.unwrap();
        let page = webhooks::deliveries(
            &mut db,
            id,
            None,
            crate::PageRequest {
                limit: 200,
                after: None,
            },
        );
        let mut items = page.await.unwrap().items;
        items.reverse();
        items
    }

    async fn attempt(&self, id: WebhookDeliveryId, status: u16, at: Timestamp) -> Result<DeliveryStatus> {
        let attempt = Attempt {
            response_status: (status > 0).then_some(status),
            reason: None,
            retry_after: None,
            at,
        };
        self.write(move |tx| Box::pin(webhooks::record(tx, id, attempt))).await
    }
}

#[tokio::test]
async fn each_change_that_is_asked_for_is_delivered_once_in_order_and_without_personal_data() {
    let world = World::with_capacity(10).await;
    world.buy(1).await;
    let (all, secret) = world.endpoint(&[]).await;
    let (paid, _) = world.endpoint(&["order.paid", "order.paid"]).await;
    let before = world.changes().await.len();
    world.buy(2).await;
    let hold = world.hold(1).await.unwrap();
    world.checkout(&hold, "bob@example.org").await.unwrap();
    world.fan_out().await;
    world.fan_out().await;
    let told: Vec<_> = world
        .deliveries(all)
        .await
        .into_iter()
        .map(|d| (d.seq, d.change_type))
        .collect();
    let made: Vec<_> = world
        .changes()
        .await
        .into_iter()
        .map(|c| (c.seq, c.change_type))
        .collect();
    assert_eq!(told[2..], made[before..], "all since it is there, in order");
    assert_eq!(told[0].1, "webhook_endpoint.created");
    let types: Vec<_> = world
        .deliveries(paid)
        .await
        .into_iter()
        .map(|d| d.change_type)
        .collect();
    assert_eq!(types, ["order.paid"]);
    let due = webhooks::due(&world.store, Timestamp::now(), 100).await.unwrap();
    assert_eq!(due.len(), told.len() + 1);
    for delivery in &due {
        let body: Value = serde_json::from_str(&delivery.body).unwrap();
        assert_eq!(body["organizer_id"], world.organizer.to_string());
        assert!(
            body["data"].is_object() && body["timestamp"].as_str().unwrap().ends_with('Z'),
            "{body}"
        );
        for text in [
            "ada@example.org",
            "bob@example.org",
            "Ada",
            "enc:1:",
            "s3cret-path",
            "whsec_",
        ] {
            assert!(!delivery.body.contains(text), "{text} in {body}");
        }
    }
    assert!(told.iter().any(|(_, change_type)| change_type == "person.registered"));
    let of_all = due.iter().find(|delivery| delivery.webhook_endpoint_id == all).unwrap();
    assert_eq!(
        (of_all.secrets.as_slice(), of_all.url.as_str()),
        (&[secret][..], "https://hooks.example.org/s3cret-path")
    );
    for change in world.changes().await {
        assert!(
            !change.payload.contains("s3cret-path") && !change.payload.contains("whsec_"),
            "{change:?}"
        );
    }
    world.assert_sound().await;
}

#[tokio::test]
async fn no_change_is_trimmed_before_deliveries_are_made_of_it() {
    let world = World::with_capacity(10).await;
    let (id, _) = world.endpoint(&["order.paid"]).await;
    world.buy(1).await;
    let committed = world.store.committed_now().await.unwrap();
    world.store.save_relay_cursor(committed).await.unwrap();
    let kept = world.changes().await.len();
    world.store.trim_outbox(0).await.unwrap();
    assert_eq!(world.changes().await.len(), kept);
    world.fan_out().await;
    assert_eq!(world.deliveries(id).await.len(), 1);
    world.store.trim_outbox(0).await.unwrap();
    assert_eq!(world.changes().await.len(), 0);
}

#[tokio::test]
async fn a_failure_is_tried_again_for_three_days_and_then_by_hand() {
    let world = World::with_capacity(10).await;
    let (id, _) = world.endpoint(&["order.paid"]).await;
    world.buy(1).await;
    world.fan_out().await;
    let delivery = world.deliveries(id).await.remove(0);
    let (mut now, mut waits) = (delivery.created_at, Vec::new());
    for answer in [0, 500, 301, 404, 429, 503, 0, 302, 500] {
        assert_eq!(
            world.attempt(delivery.webhook_delivery_id, answer, now).await,
            Ok(DeliveryStatus::Waiting)
        );
        let next = world.deliveries(id).await[0].next_try_at.unwrap();
        let early = webhooks::due(&world.store, next - Duration::from_micros(1), 10)
            .await
            .unwrap();
        assert!(early.is_empty());
        assert_eq!(webhooks::due(&world.store, next, 10).await.unwrap().len(), 1);
        waits.push(next.since(now).as_secs_f64());
        now = next;
    }
    assert!(waits.is_sorted() && (4.5..5.5).contains(&waits[0]), "{waits:?}");
    let hours = waits.iter().sum::<f64>() / 3600.0;
    assert!((68.0..83.2).contains(&hours), "{waits:?}");
    assert_eq!(
        world.attempt(delivery.webhook_delivery_id, 500, now).await,
        Ok(DeliveryStatus::Failed)
    );
    let failed = world.deliveries(id).await.remove(0);
    assert_eq!(
        (failed.attempts, failed.response_status, failed.next_try_at),
        (10, Some(500), None)
    );
    assert_eq!(
        code(world.attempt(delivery.webhook_delivery_id, 200, now).await),
        "not_found"
    );
    let again = failed.webhook_delivery_id;
    world
        .write(move |tx| Box::pin(webhooks::send_again(tx, again)))
        .await
        .unwrap();
    assert_eq!(world.attempt(again, 204, now).await, Ok(DeliveryStatus::Delivered));
    world.assert_sound().await;
}

#[tokio::test]
async fn an_endpoint_that_is_gone_is_turned_off_until_somebody_turns_it_on() {
    let world = World::with_capacity(10).await;
    let (id, secret) = world.endpoint(&["order.paid", "order.placed"]).await;
    world.buy(1).await;
    world.fan_out().await;
    let first = world.deliveries(id).await[0].webhook_delivery_id;
    let now = Timestamp::now();
    assert_eq!(world.attempt(first, 410, now).await, Ok(DeliveryStatus::Failed));
    let Endpoint { endpoint, .. } = webhooks::get(&mut world.store.read().await.unwrap(), id).await.unwrap();
    assert_eq!((endpoint.active, endpoint.disabled_reason.is_some()), (false, true));
    assert!(
        world
            .change_types()
            .await
            .contains(&"webhook_endpoint.disabled".to_owned())
    );
    let statuses: Vec<_> = world.deliveries(id).await.iter().map(|d| d.status).collect();
    assert_eq!(statuses, [DeliveryStatus::Failed; 2]);
    world.buy(1).await;
    world.fan_out().await;
    assert_eq!(world.deliveries(id).await.len(), 2, "nothing is made for it");
    let again = world.write(move |tx| Box::pin(webhooks::send_again(tx, first))).await;
    assert_eq!(code(again), "endpoint_off");
    let on = details(&["order.paid"]);
    let endpoint = world
        .write(move |tx| Box::pin(webhooks::update(tx, id, on)))
        .await
        .unwrap()
        .endpoint;
    assert_eq!((endpoint.active, &endpoint.disabled_reason), (true, &None));
    world
        .write(move |tx| Box::pin(webhooks::send_again(tx, first)))
        .await
        .unwrap();
    let due = webhooks::due(&world.store, Timestamp::now() + Duration::from_secs(1), 10)
        .await
        .unwrap();
    assert_eq!(
        (due.len(), due[0].secrets.as_slice()),
        (1, &[secret][..]),
        "under the same secret"
    );
    world.assert_sound().await;
}

#[tokio::test]
async fn an_endpoint_is_told_of_its_own_organizer_alone_and_of_types_that_exist() {
    let world = World::with_capacity(10).await;
    let (id, _) = world.endpoint(&[]).await;
    world
        .write(|tx| Box::pin(organizers::create(tx, organizer_details("other"))))
        .await
        .unwrap();
    world.fan_out().await;
    let types: Vec<_> = world.deliveries(id).await.into_iter().map(|d| d.change_type).collect();
    assert_eq!(types, ["webhook_endpoint.created"]);
    let (organizer, unknown) = (world.organizer, details(&["order.payed"]));
    let refused = world
        .write(move |tx| Box::pin(webhooks::create(tx, organizer, unknown)))
        .await;
    assert_eq!(code(refused.map(|_| ())), "unknown_change_type");
    world.assert_sound().await;
}

#[tokio::test]
async fn deliveries_that_fail_together_do_not_come_again_together() {
    let world = World::with_capacity(100).await;
    let (id, _) = world.endpoint(&["order.paid"]).await;
    for _ in 0..10 {
        world.buy(1).await;
    }
    world.fan_out().await;
    let now = Timestamp::now();
    let mut waits = std::collections::BTreeSet::new();
    for delivery in world.deliveries(id).await {
        world.attempt(delivery.webhook_delivery_id, 500, now).await.unwrap();
    }
    for delivery in world.deliveries(id).await {
        waits.insert(delivery.next_try_at.unwrap().since(now));
    }
    assert!(waits.len() > 5, "{waits:?}");
}

#[tokio::test]
async fn an_endpoint_that_asks_for_it_is_left_alone_but_not_for_ever() {
    let world = World::with_capacity(10).await;
    let (id, _) = world.endpoint(&["order.paid"]).await;
    world.buy(1).await;
    world.buy(1).await;
    world.fan_out().await;
    let (first, now) = (world.deliveries(id).await[0].webhook_delivery_id, Timestamp::now());
    let asked = |seconds| Attempt {
        response_status: Some(429),
        reason: None,
        retry_after: Some(Duration::from_secs(seconds)),
        at: now,
    };
    let due = async |seconds| {
        let at = now + Duration::from_secs(seconds);
        webhooks::due(&world.store, at, 10).await.unwrap().len()
    };
    assert_eq!(due(0).await, 2);
    for (wait, until) in [(90, 90), (1_000_000, 3_600)] {
        let attempt = asked(wait);
        world
            .write(move |tx| Box::pin(webhooks::record(tx, first, attempt)))
            .await
            .unwrap();
        assert_eq!(
            (due(until - 1).await, due(until).await),
            (0, 2),
            "the others wait as well"
        );
    }
    world
        .write(move |tx| Box::pin(webhooks::send_again(tx, first)))
        .await
        .unwrap();
    assert_eq!(due(60).await, 2, "by hand it goes at once");
    world.assert_sound().await;
}

#[tokio::test]
async fn a_new_secret_signs_beside_the_old_one_for_a_day() {
    let world = World::with_capacity(10).await;
    let (id, first) = world.endpoint(&["order.paid"]).await;
    world.buy(1).await;
    world.fan_out().await;
    let rotate = async || {
        let rotated = world.write(move |tx| Box::pin(webhooks::rotate_secret(tx, id)));
        rotated.await.map(|(_, secret)| secret)
    };
    let secrets = async |at| webhooks::due(&world.store, at, 10).await.unwrap()[0].secrets.clone();
    let now = Timestamp::now();
    let second = rotate().await.unwrap();
    assert_eq!(secrets(now).await, [second.clone(), first.clone()]);
    assert_eq!(
        code(rotate().await),
        "rotating",
        "two at most, and none goes before its day"
    );
    assert_eq!(secrets(now).await, [second.clone(), first]);
    assert_eq!(
        secrets(now + webhooks::BOTH_SIGN_FOR + Duration::from_secs(60)).await,
        [second]
    );
    for change in world.changes().await {
        assert!(!change.payload.contains("whsec_"), "{change:?}");
    }
    world.assert_sound().await;
}
