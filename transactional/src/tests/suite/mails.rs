use super::*;
use crate::{
    erasure,
    mail::{self, Attempt, Content, DueMail, Recipient},
};
use domain::{
    MailId, PersonId,
    message::{Language, MailStatus},
};

fn order_link(placed: &orders::Placed) -> Content {
    Content::OrderLink {
        order_id: placed.order.order_id,
    }
}

impl World {
    async fn mail_to(&self, person: PersonId, content: Content) -> MailId {
        let queued = self.write(move |tx| {
            Box::pin(async move { mail::queue(tx, Recipient::Person(person), Language::Arabic, content) })
        });
        queued.await.unwrap()
    }

    async fn due(&self, at: Timestamp) -> Vec<DueMail> {
        mail::due(&self.store, at, 100).await.unwrap()
    }

    async fn record(&self, id: MailId, attempt: Attempt, at: Timestamp) -> Result<MailStatus> {
        self.write(move |tx| Box::pin(mail::record(tx, id, attempt, at))).await
    }
}

#[tokio::test]
async fn a_mail_is_queued_with_its_cause_or_not_at_all() {
    let world = World::with_capacity(5).await;
    let placed = world.order(1).await;
    let (person, content) = (placed.order.person_id, order_link(&placed));
    let refused = world.write::<(), _>(move |tx| {
        Box::pin(async move {
            mail::queue(tx, Recipient::Person(person), Language::English, content)?;
            Err(Error::refused("no", "the command fails"))
        })
    });
    assert_eq!(code(refused.await), "no");
    assert!(world.due(Timestamp::now()).await.is_empty());
    let content = order_link(&placed);
    let id = world.mail_to(person, content.clone()).await;
    let due = world.due(Timestamp::now()).await.remove(0);
    assert_eq!(
        (due.mail_id, due.language, due.content),
        (id, Language::Arabic, content)
    );
    assert_eq!(due.to.unwrap().as_str(), "ada@example.org");
    assert_eq!(
        world.record(id, Attempt::Sent, Timestamp::now()).await,
        Ok(MailStatus::Sent)
    );
    assert!(
        world
            .due(Timestamp::now() + Duration::from_secs(1_000_000))
            .await
            .is_empty()
    );
    assert_eq!(
        code(world.record(id, Attempt::Sent, Timestamp::now()).await),
        "not_found"
    );
    world.assert_sound().await;
}

#[tokio::test]
async fn attempts_come_after_pauses_that_grow_and_end_after_three_days() {
    let world = World::with_capacity(5).await;
    let placed = world.order(1).await;
    let id = world.mail_to(placed.order.person_id, order_link(&placed)).await;
    let start = world.due(Timestamp::now()).await[0].created_at;
    let (mut now, mut pauses) = (start, Vec::new());
    while world.record(id, Attempt::Failed("busy".into()), now).await.unwrap() == MailStatus::Queued {
        let began = now;
        while world.due(now).await.is_empty() {
            now = now + Duration::from_secs(30);
        }
        pauses.push(now.since(began).as_secs());
    }
    assert_eq!(pauses[..4], [30, 60, 120, 240]);
    assert!(pauses.is_sorted() && pauses.last() == Some(&(4 * 3600)), "{pauses:?}");
    let total = now.since(start);
    assert!((60..=72).contains(&(total.as_secs() / 3600)), "{total:?}");
    assert!(world.due(now + Duration::from_secs(1_000_000)).await.is_empty());
    let other = world.mail_to(placed.order.person_id, order_link(&placed)).await;
    let refused = world
        .record(other, Attempt::Refused("550".into()), Timestamp::now())
        .await;
    assert_eq!(refused, Ok(MailStatus::Failed), "once is enough");
    world.assert_sound().await;
}

#[tokio::test]
async fn who_is_erased_gets_no_mail_any_more_and_none_tells_of_them() {
    let world = World::with_capacity(5).await;
    let placed = world.order(1).await;
    let person = placed.order.person_id;
    world.mail_to(person, order_link(&placed)).await;
    let asked = world.write(move |tx| Box::pin(erasure::request(tx, person, Duration::ZERO)));
    let asked = asked.await.unwrap();
    erasure::erase(&world.store, &asked).await.unwrap();
    assert!(world.due(Timestamp::now()).await.is_empty());
    let mut db = world.store.read().await.unwrap();
    let erased = erasure::get(&mut db, asked.erasure_id).await.unwrap();
    assert_eq!(erased.report["core"]["mail_outbox"]["rows"], 1);
    let sql = "select count(*) as n from mail_outbox where data is not null or status <> 'cancelled'";
    let kept = crate::sql::one(&mut db, sql, vec![]).await.unwrap();
    assert_eq!(crate::sql::Columns::int(&kept, "n").unwrap(), 0);
    drop(db);
    // A mail that is queued afterwards finds nobody.
    let id = world.mail_to(person, order_link(&placed)).await;
    assert_eq!(world.due(Timestamp::now()).await[0].to, None);
    let recorded = world.record(id, Attempt::NobodyThere, Timestamp::now()).await;
    assert_eq!(recorded, Ok(MailStatus::Cancelled));
    world.assert_sound().await;
}
