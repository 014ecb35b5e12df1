//! Alert rules: when they begin, when they are over, and who is told of it once.

use super::*;
use crate::{
    insights::alerts::{self, Look, RuleDetails, Seen, Words},
    mail::Content,
};
use domain::{
    AlertRuleId, Role,
    alert::{Condition, TimeWindow, Turn},
    changes::AlertRule,
    message::Language,
};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 3600);

fn rule(recipients: &[&str], condition: Condition, threshold: f64) -> RuleDetails {
    RuleDetails {
        name: "Sales stand still".parse().unwrap(),
        metric: "net_sales".into(),
        filters: Vec::new(),
        currency: Some("EUR".parse().unwrap()),
        time_window: TimeWindow::Hour,
        condition,
        threshold,
        quiet_minutes: 10,
        language: Language::English,
        recipients: recipients.iter().map(|name| (*name).to_owned()).collect(),
        paused: false,
    }
}

impl World {
    async fn watch(&self, details: RuleDetails) -> Result<Stored<AlertRule>> {
        let organizer = self.organizer;
        self.write(move |tx| Box::pin(alerts::create(tx, organizer, details)))
            .await
    }

    async fn rule(&self, id: AlertRuleId) -> Stored<AlertRule> {
        alerts::get(&mut self.store.read().await.unwrap(), id).await.unwrap()
    }

    async fn look(&self, rule: &Stored<AlertRule>, at: Timestamp, value: f64, usual: Option<f64>) -> Option<Turn> {
        let seen = Ok(Seen {
            value: Some(value),
            usual,
        });
        let (rule, look) = (rule.clone(), Look { at, seen });
        let words = Words {
            value: value.to_string(),
            ..Words::default()
        };
        let recorded = self.write(move |tx| Box::pin(alerts::record(tx, rule, look, words)));
        recorded.await.unwrap()
    }
}

#[tokio::test]
async fn an_alert_is_told_when_it_begins_and_when_it_is_over() {
    let world = World::with_capacity(1).await;
    world.member("ada@example.org", Role::Owner).await;
    let made = world
        .watch(rule(&["ada@example.org"], Condition::Below, 1_000.0))
        .await
        .unwrap();
    let (id, start) = (made.alert_rule_id, Timestamp::now());
    let minute = |minutes: u32| start + MINUTE * minutes;
    assert_eq!(
        alerts::due(&world.store, start, 10).await.unwrap(),
        std::slice::from_ref(&made)
    );
    assert_eq!(world.look(&made, start, 1_000.0, None).await, None);
    assert!(
        alerts::due(&world.store, start + MINUTE / 2, 10)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(alerts::due(&world.store, minute(1), 10).await.unwrap().len(), 1);
    assert_eq!(world.look(&made, minute(1), 999.0, None).await, Some(Turn::Fired));
    assert_eq!(
        world.look(&made, minute(1), 999.0, None).await,
        None,
        "the other worker's look"
    );
    let firing = world.rule(id).await;
    assert_eq!((firing.firing_since, firing.version), (Some(minute(1)), 2));
    for (minutes, value, turn) in [
        (2, 0.0, None),
        (3, 2_000.0, None),
        (8, 0.0, None),
        (9, 2_000.0, None),
        (18, 2_000.0, None),
        (19, 2_000.0, Some(Turn::Settled)),
    ] {
        assert_eq!(
            world.look(&firing, minute(minutes), value, None).await,
            turn,
            "minute {minutes}"
        );
    }
    let mails: Vec<Content> = world.queued().await.into_iter().map(|mail| mail.content).collect();
    assert!(
        matches!(&mails[..], [Content::AlertFired { value, .. }, Content::AlertSettled { .. }] if value == "999"),
        "{mails:?}"
    );
    assert_eq!(world.rule(id).await.firing_since, None);
    let told: Vec<String> = world
        .change_types()
        .await
        .into_iter()
        .filter(|t| t.starts_with("alert"))
        .collect();
    assert_eq!(told, ["alert_rule.created", "alert_rule.fired", "alert_rule.settled"]);
    let seen = alerts::last_look(&mut world.store.read().await.unwrap(), id)
        .await
        .unwrap();
    assert_eq!((seen.at, seen.seen.value), (Some(minute(19)), Some(2_000.0)));
    world.assert_sound().await;
}

#[tokio::test]
async fn without_enough_history_nothing_is_unusual_and_an_error_changes_nothing() {
    let world = World::with_capacity(1).await;
    world.member("ada@example.org", Role::Owner).await;
    let made = world
        .watch(rule(&["ada@example.org"], Condition::UnusuallyLow, 50.0))
        .await
        .unwrap();
    let (id, now) = (made.alert_rule_id, Timestamp::now());
    assert_eq!(world.look(&made, now, 0.0, None).await, None);
    assert_eq!(world.look(&made, now, 0.0, Some(40.0)).await, Some(Turn::Fired));
    let (firing, failed) = (
        world.rule(id).await,
        Look {
            at: now + MINUTE,
            seen: Err("no answer".into()),
        },
    );
    let looked = firing.clone();
    let recorded = world.write(move |tx| Box::pin(alerts::record(tx, looked, failed, Words::default())));
    assert_eq!(recorded.await.unwrap(), None);
    let mut db = world.store.read().await.unwrap();
    let last = alerts::last_look(&mut db, id).await.unwrap();
    assert_eq!(
        (last.error.as_deref(), last.seen.value, last.seen.usual),
        (Some("no answer"), Some(0.0), Some(40.0))
    );
    drop(db);
    assert_eq!(world.rule(id).await, firing);
    world.assert_sound().await;
}

#[tokio::test]
async fn a_rule_that_is_changed_begins_anew_and_a_paused_or_deleted_one_is_not_looked_at() {
    let world = World::with_capacity(1).await;
    world.member("ada@example.org", Role::Owner).await;
    let made = world
        .watch(rule(&["ada@example.org"], Condition::Above, 10.5))
        .await
        .unwrap();
    let (id, now) = (made.alert_rule_id, Timestamp::now());
    world.look(&made, now, 11.0, None).await.unwrap();
    let update = |details: RuleDetails| world.write(move |tx| Box::pin(alerts::update(tx, id, details)));
    let same = update(rule(&["ada@example.org"], Condition::Above, 10.5))
        .await
        .unwrap();
    assert!(same.firing_since.is_some(), "nothing was changed");
    let changed = update(rule(&["ada@example.org"], Condition::Above, 20.25))
        .await
        .unwrap();
    assert_eq!((changed.firing_since, changed.threshold), (None, 20.25));
    assert_eq!(
        world.look(&made, now, 11.0, None).await,
        None,
        "this look was of another rule"
    );
    assert_eq!(
        alerts::due(&world.store, now, 10).await.unwrap().len(),
        1,
        "it is looked at right away"
    );
    let paused = RuleDetails {
        paused: true,
        ..rule(&["ada@example.org"], Condition::Above, 20.25)
    };
    update(paused).await.unwrap();
    assert!(alerts::due(&world.store, now + DAY, 10).await.unwrap().is_empty());
    world.write(move |tx| Box::pin(alerts::delete(tx, id))).await.unwrap();
    assert_eq!(
        code(world.write(move |tx| Box::pin(alerts::delete(tx, id))).await),
        "not_found"
    );
    for wrong in [f64::NAN, f64::INFINITY] {
        assert_eq!(
            code(world.watch(rule(&["ada@example.org"], Condition::Above, wrong)).await),
            "invalid"
        );
    }
    assert_eq!(
        code(world.watch(rule(&["ada@example.org"], Condition::Unusual, 0.0)).await),
        "invalid"
    );
    world.assert_sound().await;
}
