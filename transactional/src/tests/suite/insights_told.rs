//! Reports and alert rules: what is due, and who is told of it once.

use super::*;
use crate::{
    access::{self, NewUser},
    insights::{
        alerts::{self, Look, RuleDetails, Seen, Words},
        reports::{self, DueReport, Figures, ReportDetails},
    },
    mail::{self, Attempt, Content, DueMail, Table},
};
use domain::{
    AlertRuleId, MembershipId, ReportId, Role, UserId,
    alert::{Condition, TimeWindow, Turn},
    changes::{AlertRule, Report},
    message::{Language, MailStatus},
    schedule::{Every, ScheduleInput},
};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 3600);

fn daily(recipients: &[&str]) -> ReportDetails {
    ReportDetails {
        name: "Every morning".parse().unwrap(),
        page: "overview".into(),
        state: String::new(),
        schedule: ScheduleInput {
            every: Every::Day,
            weekday: None,
            month_day: None,
            hour: 8,
            minute: 0,
            timezone: "Europe/Berlin".into(),
        },
        language: Language::German,
        recipients: recipients.iter().map(|name| (*name).to_owned()).collect(),
        paused: false,
    }
}

fn figures() -> Figures {
    Figures {
        period: "gestern".into(),
        state: "from=2026-11-26&to=2026-11-27".into(),
        tables: vec![Table {
            title: "Net sales".into(),
            head: vec![],
            rows: vec![vec!["Net sales".into(), "12,00 EUR".into()]],
        }],
    }
}

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
    async fn member(&self, email: &str, role: Role) -> (UserId, MembershipId) {
        let new = NewUser {
            email: email.parse().unwrap(),
            name: None,
            password: access::hash_password("correct horse".into()).await.unwrap(),
            platform_admin: false,
        };
        let organizer = self.organizer;
        let member = self.write(move |tx| {
            Box::pin(async move {
                let user = access::create_user(tx, new).await?;
                access::grant(tx, organizer, user.user_id, role).await
            })
        });
        let member = member.await.unwrap();
        (member.user_id, member.membership_id)
    }

    async fn mailed(&self, details: ReportDetails) -> Result<Stored<Report>> {
        let organizer = self.organizer;
        self.write(move |tx| Box::pin(reports::create(tx, organizer, details)))
            .await
    }

    async fn due_reports(&self, at: Timestamp) -> Vec<DueReport> {
        reports::due(&self.store, at, 10).await.unwrap()
    }

    async fn sent(&self, due: DueReport, at: Timestamp) -> bool {
        let sent = self.write(move |tx| Box::pin(reports::sent(tx, due, figures(), at)));
        sent.await.unwrap()
    }

    async fn show(&self, id: ReportId) -> Stored<Report> {
        reports::get(&mut self.store.read().await.unwrap(), id).await.unwrap()
    }

    async fn queued(&self) -> Vec<DueMail> {
        mail::due(&self.store, Timestamp::now() + DAY, 100).await.unwrap()
    }

    async fn addresses(&self) -> Vec<String> {
        let mails = self.queued().await.into_iter();
        mails
            .map(|mail| mail.to.map_or("nobody".into(), |to| to.to_string()))
            .collect()
    }

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
async fn a_report_is_due_once_however_many_times_were_missed_and_two_workers_send_one() {
    let world = World::with_capacity(1).await;
    world.member("ada@example.org", Role::Owner).await;
    let report = world.mailed(daily(&["ada@example.org"])).await.unwrap();
    let next = report.next_at.unwrap();
    assert!(world.due_reports(next - MINUTE).await.is_empty());
    let late = next + DAY * 10 + MINUTE;
    let (one, other) = (world.due_reports(late).await, world.due_reports(late).await);
    assert_eq!((one.len(), other.len()), (1, 1), "the server was off for ten days");
    assert!(world.sent(one[0].clone(), late).await);
    assert!(!world.sent(other[0].clone(), late).await, "the other worker was faster");
    assert!(world.due_reports(late).await.is_empty());
    let sent = world.show(report.report_id).await;
    assert_eq!((sent.last_sent_at, sent.version), (Some(late), 2));
    let next = sent.next_at.unwrap();
    assert!(next > late && next.since(late) < DAY, "{next}");
    let mails = world.queued().await;
    assert_eq!(mails.len(), 1);
    let Content::Report { query, tables, .. } = &mails[0].content else {
        panic!("{mails:?}")
    };
    assert_eq!(
        *query,
        format!("organizer_id={}&from=2026-11-26&to=2026-11-27", world.organizer)
    );
    assert_eq!((mails[0].language, tables), (Language::German, &figures().tables));
    world.assert_sound().await;
}

#[tokio::test]
async fn a_mail_is_queued_with_the_reports_next_time_or_not_at_all() {
    let world = World::with_capacity(1).await;
    world.member("ada@example.org", Role::Owner).await;
    let report = world.mailed(daily(&["ada@example.org"])).await.unwrap();
    let at = report.next_at.unwrap();
    let due = world.due_reports(at).await.remove(0);
    let killed = due.clone();
    let failed = world.write::<(), _>(move |tx| {
        Box::pin(async move {
            reports::sent(tx, killed, figures(), at).await?;
            Err(Error::refused("no", "the process ends here"))
        })
    });
    assert_eq!(code(failed.await), "no");
    assert!(world.queued().await.is_empty());
    assert!(world.sent(world.due_reports(at).await.remove(0), at).await);
    assert_eq!(world.queued().await.len(), 1);
    world.assert_sound().await;
}

#[tokio::test]
async fn a_report_is_sent_when_asked_for_and_its_schedule_stays() {
    let world = World::with_capacity(1).await;
    world.member("ada@example.org", Role::Analyst).await;
    let paused = ReportDetails {
        paused: true,
        ..daily(&["ada@example.org"])
    };
    let report = world.mailed(paused).await.unwrap();
    let (id, now) = (report.report_id, Timestamp::now());
    assert_eq!(report.next_at, None);
    let ask = || world.write(move |tx| Box::pin(reports::send_now(tx, id)));
    for _ in 0..2 {
        ask().await.unwrap();
    }
    let due = world.due_reports(now).await;
    assert_eq!(due.len(), 1);
    assert!(world.sent(due[0].clone(), now).await);
    assert!(world.due_reports(now + DAY * 40).await.is_empty(), "it is paused");
    let refused = ask().await.unwrap_err();
    assert_eq!(refused.code(), "sent_just_now");
    assert_eq!(world.queued().await.len(), 1);

    let why = "the lake can't answer now".to_owned();
    world
        .write(move |tx| Box::pin(reports::failed(tx, id, why, now)))
        .await
        .unwrap();
    let mut db = world.store.read().await.unwrap();
    assert!(
        reports::last_error(&mut db, id)
            .await
            .unwrap()
            .unwrap()
            .contains("lake")
    );
    drop(db);
    world.assert_sound().await;
}

#[tokio::test]
async fn what_failed_is_tried_again_after_a_pause() {
    let world = World::with_capacity(1).await;
    world.member("ada@example.org", Role::Owner).await;
    let report = world.mailed(daily(&["ada@example.org"])).await.unwrap();
    let (id, at) = (report.report_id, report.next_at.unwrap());
    let failed = world.write(move |tx| Box::pin(reports::failed(tx, id, "why".into(), at)));
    failed.await.unwrap();
    assert!(world.due_reports(at + MINUTE).await.is_empty());
    let due = world.due_reports(at + MINUTE * 5).await.remove(0);
    assert!(world.sent(due, at + MINUTE * 5).await);
    let mut db = world.store.read().await.unwrap();
    assert_eq!(reports::last_error(&mut db, id).await.unwrap(), None);
}

#[tokio::test]
async fn only_members_who_may_see_figures_are_told_and_no_address_is_kept() {
    let world = World::with_capacity(1).await;
    let (ada, _) = world.member("ada@example.org", Role::Owner).await;
    let (_, left) = world.member("bob@example.org", Role::Marketer).await;
    let (_, later) = world.member("eve@example.org", Role::Manager).await;
    world.member("door@example.org", Role::Door).await;
    for stranger in [
        "door@example.org",
        "nobody@example.org",
        &UserId::new().to_string(),
        "x",
    ] {
        let Err(Error::Refused(refusal)) = world.mailed(daily(&["ada@example.org", stranger])).await else {
            panic!("{stranger}")
        };
        assert_eq!(
            (&*refusal.code, refusal.field.as_deref()),
            ("unknown_recipient", Some("recipients/1"))
        );
        assert!(!refusal.message.contains(stranger));
    }
    let id = ada.to_string();
    let named = [id.as_str(), "ADA@example.org", "bob@example.org", "eve@example.org"];
    let report = world.mailed(daily(&named)).await.unwrap();
    assert_eq!(report.recipients.len(), 3, "once each");
    world
        .write(move |tx| Box::pin(access::revoke_membership(tx, left)))
        .await
        .unwrap();
    let at = report.next_at.unwrap();
    assert!(world.sent(world.due_reports(at).await.remove(0), at).await);
    assert_eq!(world.addresses().await, ["ada@example.org", "eve@example.org"]);
    // Who leaves between queue and sending gets nothing either.
    world
        .write(move |tx| Box::pin(access::revoke_membership(tx, later)))
        .await
        .unwrap();
    assert_eq!(world.addresses().await, ["ada@example.org", "nobody"]);
    let (mail, now) = (world.queued().await[1].mail_id, Timestamp::now());
    let recorded = world.write(move |tx| Box::pin(mail::record(tx, mail, Attempt::NobodyThere, now)));
    assert_eq!(recorded.await, Ok(MailStatus::Cancelled));
    for change in world.changes().await {
        assert!(!change.payload.contains("example.org"), "{change:?}");
    }
    world.assert_sound().await;
}

#[tokio::test]
async fn a_report_that_nobody_is_left_for_is_paused_and_says_so() {
    let world = World::with_capacity(1).await;
    let (_, membership) = world.member("ada@example.org", Role::Owner).await;
    let report = world.mailed(daily(&["ada@example.org"])).await.unwrap();
    world
        .write(move |tx| Box::pin(access::revoke_membership(tx, membership)))
        .await
        .unwrap();
    let at = report.next_at.unwrap();
    assert!(world.sent(world.due_reports(at).await.remove(0), at).await);
    let paused = world.show(report.report_id).await;
    assert_eq!((paused.paused, paused.next_at, paused.last_sent_at), (true, None, None));
    assert!(world.queued().await.is_empty());
    let mut db = world.store.read().await.unwrap();
    assert!(reports::last_error(&mut db, report.report_id).await.unwrap().is_some());
    drop(db);
    world.assert_sound().await;
}

#[tokio::test]
async fn a_change_of_a_report_moves_its_time_and_a_deleted_one_is_gone() {
    let world = World::with_capacity(1).await;
    world.member("ada@example.org", Role::Owner).await;
    let report = world.mailed(daily(&["ada@example.org"])).await.unwrap();
    let (id, at) = (report.report_id, report.next_at.unwrap());
    let due = world.due_reports(at).await.remove(0);
    let mut details = daily(&["ada@example.org"]);
    details.schedule.hour = 9;
    let update = |details: ReportDetails| world.write(move |tx| Box::pin(reports::update(tx, id, details)));
    let updated = update(details.clone()).await.unwrap();
    assert_ne!(updated.next_at, report.next_at);
    assert!(!world.sent(due, at).await, "it was computed for what is no more");
    assert_eq!(
        update(details.clone()).await.unwrap().version,
        2,
        "the same again is no change"
    );
    details.schedule.hour = 24;
    let Err(Error::Refused(refusal)) = update(details).await else {
        panic!()
    };
    assert_eq!(refusal.field.as_deref(), Some("at"));
    let due = world.due_reports(at + DAY).await.remove(0);
    world.write(move |tx| Box::pin(reports::delete(tx, id))).await.unwrap();
    assert!(!world.sent(due, at + DAY).await);
    assert!(world.due_reports(at + DAY).await.is_empty());
    assert_eq!(
        code(world.write(move |tx| Box::pin(reports::delete(tx, id))).await),
        "not_found"
    );
    let listed = reports::list(
        &mut world.store.read().await.unwrap(),
        world.organizer,
        Default::default(),
    )
    .await;
    assert!(listed.unwrap().items.is_empty());
    world.assert_sound().await;
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
