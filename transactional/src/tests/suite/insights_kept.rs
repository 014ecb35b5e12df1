//! Links to dashboards, and saved questions.

use super::*;
use crate::{
    PageRequest, erasure,
    insights::{
        questions::{self, QuestionDetails, SavedQuestion},
        shares::{self, NewShare, ShareDetails},
    },
};

const DAY: Duration = Duration::from_secs(24 * 3600);

fn details(page: &str, state: &str) -> ShareDetails {
    ShareDetails {
        page: page.into(),
        state: state.into(),
        expires_at: None,
        may_embed: false,
    }
}

fn question(name: &str, sql: &str, shared: bool) -> QuestionDetails {
    QuestionDetails {
        name: name.parse().unwrap(),
        description: String::new(),
        sql: sql.into(),
        chart: Some("{}".into()),
        shared,
    }
}

impl World {
    async fn share(&self, details: ShareDetails) -> Result<NewShare> {
        let organizer = self.organizer;
        self.write(move |tx| Box::pin(shares::create(tx, organizer, details)))
            .await
    }

    async fn links(&self, at: Timestamp) -> usize {
        let mut db = self.store.read().await.unwrap();
        let listed = shares::list(&mut db, self.organizer, at, PageRequest::default());
        listed.await.unwrap().items.len()
    }

    async fn keep(&self, owner: &'static str, details: QuestionDetails) -> Result<SavedQuestion> {
        let organizer = self.organizer;
        self.store
            .write(owner, move |tx| Box::pin(questions::create(tx, organizer, details)))
            .await
    }

    async fn seen_by(&self, viewer: &str) -> Vec<String> {
        let mut db = self.store.read().await.unwrap();
        let page = questions::list(&mut db, self.organizer, viewer, PageRequest::default());
        let items = page.await.unwrap().items.into_iter();
        items.map(|question| question.details.name.to_string()).collect()
    }
}

#[tokio::test]
async fn a_link_shows_its_dashboard_until_it_is_revoked_and_its_token_is_nowhere() {
    let world = World::with_capacity(1).await;
    let made = world
        .share(details("money", "range=30d&filter.channel=online"))
        .await
        .unwrap();
    let shown = shares::shared(&world.store, &made.token).await.unwrap().unwrap();
    assert_eq!(shown, made.share);
    assert_eq!((shown.organizer_id, shown.page.as_str()), (world.organizer, "money"));
    assert_eq!(shown.expires_at.since(shown.created_at), DAY * 30);
    for token in [
        "",
        "bilten_share_",
        "bilten_share_x",
        &made.token[..made.token.len() - 1],
    ] {
        assert_eq!(shares::shared(&world.store, token).await.unwrap(), None, "{token}");
    }
    let (id, later) = (shown.dashboard_share_id, shown.expires_at + DAY);
    let longer = world
        .write(move |tx| Box::pin(shares::update(tx, id, later, true)))
        .await
        .unwrap();
    assert_eq!((longer.expires_at, longer.may_embed, longer.version), (later, true, 2));
    for _ in 0..2 {
        world.write(move |tx| Box::pin(shares::revoke(tx, id))).await.unwrap();
    }
    assert_eq!(shares::shared(&world.store, &made.token).await.unwrap(), None);
    let revived = world.write(move |tx| Box::pin(shares::update(tx, id, later, true)));
    assert_eq!(code(revived.await), "share_over");
    let told: Vec<String> = world
        .change_types()
        .await
        .into_iter()
        .filter(|t| t.starts_with("dashboard"))
        .collect();
    assert_eq!(
        told,
        [
            "dashboard_share.created",
            "dashboard_share.updated",
            "dashboard_share.revoked"
        ]
    );
    assert!(
        world
            .changes()
            .await
            .iter()
            .all(|change| !change.payload.contains(&made.token[13..]))
    );
    world.assert_sound().await;
}

#[tokio::test]
async fn a_link_that_has_expired_is_none_and_no_link_lasts_longer_than_a_year() {
    let world = World::with_capacity(1).await;
    let now = Timestamp::now();
    let until = |expires_at| ShareDetails {
        expires_at: Some(expires_at),
        ..details("overview", "")
    };
    let made = world.share(until(now + DAY)).await.unwrap();
    assert_eq!((world.links(now).await, world.links(now + DAY * 2).await), (1, 0));
    for wrong in [now, now + Duration::from_secs(1_800), now + DAY * 366] {
        assert_eq!(code(world.share(until(wrong)).await), "invalid");
    }
    let hash = crate::secrets::hash(&made.token);
    let age = "update dashboard_shares set expires_at = $2 where token_hash = $1";
    let aged = world.write(move |tx| Box::pin(crate::sql::execute(tx, age, crate::sql::binds![hash, now])));
    assert_eq!(aged.await.unwrap(), 1);
    assert_eq!(shares::shared(&world.store, &made.token).await.unwrap(), None);
}

#[tokio::test]
async fn a_state_is_a_query_string_of_a_dashboard_and_nothing_else() {
    let world = World::with_capacity(1).await;
    let long = format!("filter.title={}", "x".repeat(2_000));
    for (page, state) in [
        ("", ""),
        ("Money", ""),
        ("../money", ""),
        ("money", "organizer_id=1"),
        ("money", "range=30d&sql=select"),
        ("money", "filter.=1"),
        ("money", "range=30d#top"),
        ("money", "range=\"><script>"),
        ("money", "range= 30d"),
        ("money", &long),
    ] {
        assert_eq!(
            code(world.share(details(page, state)).await),
            "invalid",
            "{page}?{state}"
        );
    }
    for state in [
        "",
        "range=30d",
        "from=2026-05-01&to=2026-06-01&compare=year",
        "filter.title=Jazz%20im+Hof&filter.title=",
    ] {
        world.share(details("one_event-2", state)).await.unwrap();
    }
    world.assert_sound().await;
}

#[tokio::test]
async fn an_organizer_has_two_hundred_links_at_most_and_those_that_are_over_do_not_count() {
    let world = World::with_capacity(1).await;
    let organizer = world.organizer;
    let ids = world.write(move |tx| {
        Box::pin(async move {
            let mut ids = Vec::new();
            for _ in 0..200 {
                ids.push(
                    shares::create(tx, organizer, details("money", ""))
                        .await?
                        .share
                        .dashboard_share_id,
                );
            }
            Ok(ids)
        })
    });
    let first = ids.await.unwrap()[0];
    assert_eq!(code(world.share(details("money", "")).await), "too_many");
    world
        .write(move |tx| Box::pin(shares::revoke(tx, first)))
        .await
        .unwrap();
    world.share(details("money", "")).await.unwrap();
}

#[tokio::test]
async fn a_private_question_is_its_owners_alone_and_no_change_tells_of_any() {
    let world = World::with_capacity(1).await;
    let before = world.changes().await.len();
    let own = world.keep("user:a", question("Mine", "select 1", false)).await.unwrap();
    world.keep("user:b", question("Ours", "select 2", true)).await.unwrap();
    assert_eq!(world.seen_by("user:a").await, ["Ours", "Mine"], "the newest first");
    assert_eq!(world.seen_by("user:c").await, ["Ours"]);
    let id = own.saved_question_id;
    let shared = QuestionDetails {
        shared: true,
        ..question("Mine too", "select 3", true)
    };
    let updated = world
        .store
        .write("user:a", move |tx| Box::pin(questions::update(tx, id, shared, None)));
    let updated = updated.await.unwrap();
    let read = questions::get(&mut world.store.read().await.unwrap(), id)
        .await
        .unwrap();
    assert_eq!((&updated.owner, &read), (&own.owner, &updated));
    assert_eq!(world.seen_by("user:c").await, ["Ours", "Mine too"]);
    world
        .write(move |tx| Box::pin(questions::delete(tx, id)))
        .await
        .unwrap();
    assert_eq!(
        code(world.write(move |tx| Box::pin(questions::delete(tx, id))).await),
        "not_found"
    );
    assert_eq!(world.changes().await.len(), before);
    for (field, wrong) in [
        ("sql", question("x", " ", true)),
        ("sql", question("x", &"x".repeat((16 << 10) + 1), true)),
        (
            "chart",
            QuestionDetails {
                chart: Some("x".repeat((16 << 10) + 1)),
                ..question("x", "select 1", true)
            },
        ),
    ] {
        let Err(Error::Refused(refusal)) = world.keep("user:a", wrong).await else {
            panic!("{field}")
        };
        assert_eq!(refusal.field.as_deref(), Some(field));
    }
}

#[tokio::test]
async fn a_list_of_questions_goes_on_where_a_page_ended() {
    let world = World::with_capacity(1).await;
    for n in 0..7 {
        world
            .keep("user:a", question(&format!("Q{n}"), "select 1", n % 2 == 0))
            .await
            .unwrap();
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let mut db = world.store.read().await.unwrap();
        let request = PageRequest { limit: 3, after };
        let page = questions::list(&mut db, world.organizer, "user:a", request)
            .await
            .unwrap();
        seen.extend(page.items.into_iter().map(|question| question.details.name.to_string()));
        match page.next {
            Some(next) => after = Some(next.to_string().parse().unwrap()),
            None => break,
        }
    }
    assert_eq!(seen, ["Q6", "Q5", "Q4", "Q3", "Q2", "Q1", "Q0"]);
}

#[tokio::test]
async fn a_question_that_names_who_is_erased_goes_with_the_person() {
    let world = World::with_capacity(5).await;
    let hold = world.hold(1).await.unwrap();
    let placed = world.checkout(&hold, "ada_l@example.org").await.unwrap();
    let person = placed.order.person_id;
    for (name, sql) in [
        (
            "Hers",
            "select * from people where email = 'Ada_L@example.org'".to_owned(),
        ),
        ("Her id", format!("select * from orders where person_id = '{person}'")),
        (
            "Another's",
            "select * from people where email = 'adaxl@example.org'".to_owned(),
        ),
    ] {
        world.keep("user:a", question(name, &sql, true)).await.unwrap();
    }
    let asked = world.write(move |tx| Box::pin(erasure::request(tx, person, Duration::ZERO)));
    let asked = asked.await.unwrap();
    erasure::erase(&world.store, &asked).await.unwrap();
    assert_eq!(world.seen_by("user:a").await, ["Another's"]);
    let report = erasure::get(&mut world.store.read().await.unwrap(), asked.erasure_id)
        .await
        .unwrap()
        .report;
    assert_eq!(report["core"]["saved_questions"]["rows"], 2);
    world.assert_sound().await;
}

#[tokio::test]
async fn what_a_buyer_types_as_a_number_deletes_no_question_about_others() {
    let world = World::with_capacity(5).await;
    let buy = async |email: &str, phone: &str| {
        let hold = world.hold(1).await.unwrap();
        let checkout = orders::Checkout {
            phone: Some(phone.to_owned()),
            ..checkout(&hold, email)
        };
        world.write(move |tx| Box::pin(orders::checkout(tx, checkout))).await
    };
    for (name, sql) in [
        ("All", "select * from orders where total_minor > 1"),
        ("Hers", "select * from people where phone = '+48 601 234'"),
        ("Another's", "select * from people where phone = '+48 601 2345'"),
    ] {
        world.keep("user:a", question(name, sql, true)).await.unwrap();
    }
    for (email, phone, left) in [
        ("one@example.org", "1", &["All", "Another's", "Hers"][..]),
        ("her@example.org", "48 601 234", &["All", "Another's"]),
    ] {
        let person = buy(email, phone).await.unwrap().order.person_id;
        let asked = world.write(move |tx| Box::pin(erasure::request(tx, person, Duration::ZERO)));
        erasure::erase(&world.store, &asked.await.unwrap()).await.unwrap();
        let mut seen = world.seen_by("user:a").await;
        seen.sort();
        assert_eq!(seen, left, "{phone}");
    }
    assert_eq!(code(buy("e@example.org", "e").await), "invalid");
    world.assert_sound().await;
}
