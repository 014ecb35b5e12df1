use super::*;
use crate::{
    mail::{self, Content, Place},
    people,
    waiting_list::{self, Joining},
};
use domain::{WaitingEntryId, changes::WaitingEntry, message::Language, order::WaitingStatus};

impl World {
    pub(super) async fn join(&self, email: &str, quantity: i64) -> Result<Stored<WaitingEntry>> {
        let joining = Joining {
            event_id: self.event,
            ticket_type_id: self.ticket_type,
            quantity,
            email: email.parse().unwrap(),
            name: None,
            language: Language::German,
        };
        self.write(|tx| Box::pin(waiting_list::join(tx, joining))).await
    }

    pub(super) async fn entry(&self, id: WaitingEntryId) -> Stored<WaitingEntry> {
        waiting_list::get(&mut self.store.read().await.unwrap(), id)
            .await
            .unwrap()
    }

    async fn pay_for(&self, hold: &Stored<Hold>, email: &str) {
        let placed = self.checkout(hold, email).await.unwrap();
        let report = self.success(&placed);
        self.write(|tx| Box::pin(crate::payments::report(tx, report)))
            .await
            .unwrap();
    }

    async fn sweep_at(&self, at: Timestamp) {
        self.write(move |tx| {
            tx.at(at);
            Box::pin(holds::sweep(tx, None, 100))
        })
        .await
        .unwrap();
    }
}

#[tokio::test]
async fn tickets_that_come_back_are_offered_in_turn_before_anyone_can_buy_them() {
    let world = World::with_capacity(2).await;
    let hold = world.hold(2).await.unwrap();
    let (first, second) = (
        world.join("a@example.org", 2).await.unwrap(),
        world.join("b@example.org", 1).await.unwrap(),
    );
    assert_eq!(first.status, WaitingStatus::Waiting);
    assert_eq!(code(world.join("a@example.org", 1).await), "waiting_already");
    let id = hold.hold_id;
    world.write(move |tx| Box::pin(holds::release(tx, id))).await.unwrap();
    assert_eq!(code(world.hold(1).await), "sold_out", "they are the first one's now");
    let offered = world.entry(first.waiting_entry_id).await;
    assert_eq!(offered.status, WaitingStatus::Offered);
    assert_eq!(
        world.entry(second.waiting_entry_id).await.status,
        WaitingStatus::Waiting
    );
    let mails = mail::due(&world.store, Timestamp::now(), 10).await.unwrap();
    let told = mails
        .iter()
        .find(|mail| matches!(mail.content, Content::WaitingListOffer { .. }))
        .unwrap();
    assert_eq!(
        (told.language, told.to.as_ref().unwrap().as_str()),
        (Language::German, "a@example.org")
    );
    assert_eq!(
        told.places["secret"],
        Place::Text(world.store.waiting_secret(first.waiting_entry_id))
    );
    let mut db = world.store.read().await.unwrap();
    let hold = holds::get(&mut db, offered.hold_id.unwrap()).await.unwrap();
    drop(db);
    assert_eq!((hold.quantity, Some(hold.expires_at)), (2, offered.offer_expires_at));
    world.pay_for(&hold, "a@example.org").await;
    assert_eq!(world.entry(first.waiting_entry_id).await.status, WaitingStatus::Taken);
    world.assert_sound().await;
}

#[tokio::test]
async fn an_offer_that_expires_or_is_given_back_goes_to_the_next_who_fits() {
    let world = World::with_capacity(2).await;
    let hold = world.hold(2).await.unwrap();
    let mut ids = Vec::new();
    for (email, quantity) in [("a@example.org", 1), ("b@example.org", 2), ("c@example.org", 1)] {
        ids.push(world.join(email, quantity).await.unwrap().waiting_entry_id);
    }
    let hold_id = hold.hold_id;
    world
        .write(move |tx| Box::pin(holds::release(tx, hold_id)))
        .await
        .unwrap();
    let states = async || {
        let mut states = Vec::new();
        for id in &ids {
            states.push(world.entry(*id).await.status);
        }
        states
    };
    use WaitingStatus::{Expired, Left, Offered, Waiting};
    assert_eq!(
        states().await,
        [Offered, Waiting, Offered],
        "the second wants more than is left"
    );
    let offered = world.entry(ids[0]).await.offer_expires_at.unwrap();
    let first = ids[0];
    world
        .write(move |tx| Box::pin(waiting_list::leave(tx, first)))
        .await
        .unwrap();
    assert_eq!(states().await, [Left, Waiting, Offered]);
    world.sweep_at(offered + Duration::from_secs(1)).await;
    assert_eq!(states().await, [Left, Offered, Expired], "both are free now");
    assert_eq!(
        code(world.write(move |tx| Box::pin(waiting_list::leave(tx, first))).await),
        "not_waiting"
    );
    world.assert_sound().await;
}

#[tokio::test]
async fn more_capacity_a_refund_and_a_cancellation_reach_the_list_too() {
    let world = World::with_capacity(1).await;
    let placed = world.order(1).await;
    let report = world.success(&placed);
    world
        .write(|tx| Box::pin(crate::payments::report(tx, report)))
        .await
        .unwrap();
    let (a, b) = (
        world.join("a@example.org", 1).await.unwrap(),
        world.join("b@example.org", 1).await.unwrap(),
    );
    let (pool, order) = (world.pool, placed.order.order_id);
    world
        .write(move |tx| Box::pin(pools::resize(tx, pool, pool_details(2))))
        .await
        .unwrap();
    assert_eq!(world.entry(a.waiting_entry_id).await.status, WaitingStatus::Offered);
    world
        .write(move |tx| Box::pin(orders::cancel(tx, order, None)))
        .await
        .unwrap();
    assert_eq!(world.entry(b.waiting_entry_id).await.status, WaitingStatus::Offered);
    assert_eq!(
        world.join("c@example.org", 1).await.unwrap().status,
        WaitingStatus::Waiting
    );
    world.assert_sound().await;
}

#[tokio::test]
async fn who_joins_while_there_are_tickets_has_the_offer_at_once() {
    let world = World::with_capacity(1).await;
    let entry = world.join("a@example.org", 1).await.unwrap();
    assert_eq!(entry.status, WaitingStatus::Offered);
    assert_eq!(code(world.join("b@example.org", 5).await), "quantity");
    world.assert_sound().await;
}

#[tokio::test]
async fn a_paid_order_is_mailed_to_its_buyer_and_again_on_request() {
    let world = World::with_capacity(5).await;
    let placed = world.order(1).await;
    let id = placed.order.order_id;
    let again = || world.write(move |tx| Box::pin(orders::send_link_again(tx, id)));
    assert_eq!(code(again().await), "order_not_paid");
    let report = world.success(&placed);
    world
        .write(|tx| Box::pin(crate::payments::report(tx, report)))
        .await
        .unwrap();
    again().await.unwrap();
    assert_eq!(code(again().await), "sent_already");
    let mails = mail::due(&world.store, Timestamp::now(), 10).await.unwrap();
    assert_eq!(mails.len(), 2);
    for mail in mails {
        assert_eq!(mail.content, Content::OrderLink { order_id: id });
        let told = ["event", "code", "secret"].map(|place| mail.places[place].clone());
        let wanted = ["Jazz", &placed.order.code, &world.store.order_secret(id)];
        assert_eq!(told, wanted.map(|text| Place::Text(text.to_owned())));
    }
    world.assert_sound().await;
}

#[tokio::test]
async fn a_tickets_holder_has_a_name_and_nothing_else() {
    let world = World::with_capacity(5).await;
    let ticket = world.buy(2).await.remove(0);
    let (order, id) = (ticket.order_id, ticket.ticket_id);
    let name = |name: &'static str| world.write(move |tx| Box::pin(orders::name_holder(tx, order, id, name.into())));
    assert_eq!(code(name("  ").await), "invalid");
    let named = name(" Grace Hopper ").await.unwrap();
    assert_ne!(named.person_id, ticket.person_id);
    assert_eq!(
        name("Grace B. Hopper").await.unwrap().person_id,
        named.person_id,
        "the same person"
    );
    let mut db = world.store.read().await.unwrap();
    let holder = people::get(&mut db, named.person_id).await.unwrap();
    assert_eq!(
        (holder.name.as_deref(), &holder.email),
        (Some("Grace B. Hopper"), &None)
    );
    let buyer = people::get(&mut db, ticket.person_id).await.unwrap();
    assert_eq!(buyer.name.as_deref(), Some("Ada"));
    drop(db);
    let other = world.buy(1).await.remove(0).order_id;
    let wrong = world.write(move |tx| Box::pin(orders::name_holder(tx, other, id, "Eve".into())));
    assert_eq!(code(wrong.await), "not_found", "the ticket is of another order");
    world.assert_sound().await;
}
