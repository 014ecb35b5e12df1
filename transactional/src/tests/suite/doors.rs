//! The conformance cases of check-in, by their numbers in the anchor. Those of unpaid and unapproved orders, 17 and 18,
//! stand in [`super::reserved`].

use super::*;
use crate::check_ins::{Scan, Scanner, Verdict, redeem, simulate};
use domain::check_in::{Refusal, ScanKind};

pub(super) fn scanner(number: u32) -> Scanner {
    Scanner {
        actor: format!("device:{number}"),
        device_id: None,
        gate: None,
    }
}

impl World {
    pub(super) async fn scan(&self, ticket: &Stored<Ticket>, nonce: &str) -> Scan {
        Scan {
            code: self.store.ticket_code(ticket).await.unwrap(),
            kind: ScanKind::Entry,
            nonce: nonce.into(),
            scanned_at: None,
            gate: Some("North".into()),
            force: false,
            ignore_unpaid: false,
            refused: None,
            note: None,
        }
    }

    pub(super) async fn redeem(&self, scan: Scan) -> Verdict {
        self.redeem_on(self.list, scan).await
    }

    pub(super) async fn redeem_on(&self, list: CheckInListId, scan: Scan) -> Verdict {
        redeem(&self.store, scanner(1), list, scan).await.unwrap()
    }

    pub(super) async fn list(&self, reentry: bool, multi_entry: bool) -> CheckInListId {
        self.list_of(list_details(reentry, multi_entry)).await
    }

    pub(super) async fn list_of(&self, details: check_ins::ListDetails) -> CheckInListId {
        let event = self.event;
        let list = self
            .write(move |tx| Box::pin(check_ins::create_list(tx, event, details)))
            .await
            .unwrap();
        list.check_in_list_id
    }

    pub(super) async fn scans(&self) -> Vec<Change> {
        self.changes()
            .await
            .into_iter()
            .filter(|change| change.entity == "check_in")
            .collect()
    }

    /// Inside now and ever entered.
    pub(super) async fn attendance(&self, list: CheckInListId) -> (i64, i64) {
        let attendance = check_ins::attendance(&mut self.store.read().await.unwrap(), list)
            .await
            .unwrap();
        (attendance.inside, attendance.entered)
    }
}

pub(super) fn exit(scan: Scan) -> Scan {
    Scan {
        kind: ScanKind::Exit,
        ..scan
    }
}

pub(super) fn forced(scan: Scan) -> Scan {
    Scan { force: true, ..scan }
}

pub(super) fn refused(verdict: &Verdict) -> Option<Refusal> {
    assert_eq!(verdict.accepted, verdict.reason.is_none() || verdict.forced);
    verdict.reason
}

#[tokio::test]
async fn case_01_a_paid_ticket_is_accepted_with_one_row_and_one_change() {
    let world = World::with_capacity(5).await;
    let ticket = world.buy(1).await.remove(0);
    let verdict = world.redeem(world.scan(&ticket, "n1").await).await;
    let shown = verdict.ticket.as_ref().unwrap();
    assert!(verdict.accepted && !verdict.repeated && shown.ticket == ticket);
    assert_eq!(
        (shown.type_name.as_str(), shown.holder.as_deref()),
        ("Seat", Some("Ada"))
    );
    let told = world.scans().await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].change_type, "check_in.accepted");
    assert!(told[0].payload.contains("\"code_hash\":null"));
    assert_eq!(world.attendance(world.list).await, (1, 1));
    world.assert_sound().await;
}

#[tokio::test]
async fn case_02_a_rescan_tells_the_first_scan_and_is_stored() {
    let world = World::with_capacity(5).await;
    let ticket = world.buy(1).await.remove(0);
    let scan = world.scan(&ticket, "n1").await;
    world.redeem(scan.clone()).await;
    let south = Some("South".into());
    let again = world
        .redeem(Scan {
            nonce: "n2".into(),
            gate: south,
            ..scan.clone()
        })
        .await;
    assert_eq!(refused(&again), Some(Refusal::AlreadyRedeemed));
    assert_eq!(again.first.unwrap().gate.as_deref(), Some("North"));
    let told = world.scans().await;
    assert_eq!(told[1].change_type, "check_in.refused");
    assert!(told[1].payload.contains("\"already_redeemed\"") && !told[1].payload.contains(&scan.code));
    world.assert_sound().await;
}

#[tokio::test]
async fn case_03_a_nonce_that_is_sent_again_is_answered_alike_and_written_once() {
    let world = World::with_capacity(5).await;
    let ticket = world.buy(1).await.remove(0);
    let scan = world.scan(&ticket, "n1").await;
    let verdicts = futures::future::join_all((0..10).map(|_| world.redeem(scan.clone()))).await;
    assert!(verdicts.iter().all(|verdict| verdict.accepted));
    assert_eq!(verdicts.iter().filter(|verdict| !verdict.repeated).count(), 1);
    assert!(
        verdicts
            .iter()
            .all(|verdict| verdict.check_in_id == verdicts[0].check_in_id)
    );
    assert_eq!(world.scans().await.len(), 1, "parallel retries write nothing");
    let refused = Scan {
        nonce: "n2".into(),
        ..scan
    };
    let (first, second) = (world.redeem(refused.clone()).await, world.redeem(refused).await);
    assert!(!first.repeated && second.repeated && first.check_in_id == second.check_in_id);
    assert_eq!(world.scans().await.len(), 2, "a refusal is written once as well");
    world.assert_sound().await;
}

#[tokio::test]
async fn case_05_a_list_for_many_entries_counts_each_nonce_once() {
    let world = World::with_capacity(5).await;
    let ticket = world.buy(1).await.remove(0);
    let multi = world.list(false, true).await;
    for nonce in ["n1", "n2", "n2"] {
        assert!(world.redeem_on(multi, world.scan(&ticket, nonce).await).await.accepted);
    }
    let mut db = world.store.read().await.unwrap();
    let stored = check_ins::list_check_ins(&mut db, multi, Default::default());
    assert_eq!(stored.await.unwrap().items.len(), 2);
    assert_eq!(world.attendance(multi).await, (1, 1), "one ticket is one person");
    world.assert_sound().await;
}

#[tokio::test]
async fn case_06_what_one_list_has_seen_is_nothing_to_another() {
    let world = World::with_capacity(5).await;
    let ticket = world.buy(1).await.remove(0);
    let other = world.list(false, false).await;
    assert!(world.redeem(world.scan(&ticket, "n1").await).await.accepted);
    let scan = world.scan(&ticket, "n1").await;
    let second = world.redeem_on(other, scan).await;
    assert!(
        second.accepted && !second.repeated,
        "the same nonce on another list is another scan"
    );
}

#[tokio::test]
async fn case_07_unknown_code_is_invalid_and_stored() {
    let world = World::with_capacity(5).await;
    let ticket = world.buy(1).await.remove(0);
    let right = world.scan(&ticket, "n").await;
    for (count, code) in ["", "garbage", "https://example.org/menu", &"🎫".repeat(500)]
        .into_iter()
        .enumerate()
    {
        let scan = Scan {
            code: code.into(),
            nonce: format!("n{count}"),
            ..forced(right.clone())
        };
        let verdict = world.redeem(scan).await;
        assert_eq!((refused(&verdict), verdict.forced), (Some(Refusal::Invalid), false));
        assert!(verdict.ticket.is_none() && verdict.first.is_none());
        let told = world.scans().await;
        assert_eq!(told.len(), count + 1);
        let (payload, hash) = (&told[count].payload, crate::secrets::hash(code));
        assert!(payload.contains("\"ticket_id\":null") && payload.contains(&hash));
        assert!(
            code.is_empty() || !payload.contains(code),
            "the code itself is kept nowhere"
        );
    }
    world.assert_sound().await;
}

#[tokio::test]
async fn case_08_an_old_code_is_revoked_and_passes_by_force_alone() {
    let world = World::with_capacity(5).await;
    let ticket = world.buy(1).await.remove(0);
    let (old, id) = (world.scan(&ticket, "old").await, ticket.ticket_id);
    let reissued = world.write(move |tx| Box::pin(tickets::reissue(tx, id))).await.unwrap();
    assert_eq!(refused(&world.redeem(old.clone()).await), Some(Refusal::Revoked));
    let passed = world.redeem(forced(old)).await;
    assert!(passed.accepted && passed.forced && passed.reason == Some(Refusal::Revoked));
    let new = world.redeem(world.scan(&reissued, "new").await).await;
    assert_eq!(refused(&new), Some(Refusal::AlreadyRedeemed), "the forced entry counts");
    let told = world.scans().await;
    assert!(told[1].payload.contains("\"forced\":true") && told[1].payload.contains("\"force_sent\":true"));
    world.assert_sound().await;
}

#[tokio::test]
async fn case_09_another_events_code_is_invalid_and_tells_nothing() {
    let world = World::with_capacity(5).await;
    let ticket = world.buy(1).await.remove(0);
    let organizer = world.organizer;
    let other = world
        .write(move |tx| Box::pin(events::create(tx, organizer, event_details())))
        .await
        .unwrap();
    let foreign = Stored {
        value: Ticket {
            event_id: other.event_id,
            ..ticket.value.clone()
        },
        ..ticket.clone()
    };
    let verdict = world.redeem(world.scan(&foreign, "n").await).await;
    assert_eq!(refused(&verdict), Some(Refusal::Invalid));
    assert!(verdict.ticket.is_none());
}

#[tokio::test]
async fn case_11_a_cancelled_ticket_passes_by_force_alone() {
    let world = World::with_capacity(5).await;
    let ticket = world.buy(1).await.remove(0);
    let order_id = ticket.order_id;
    world
        .write(move |tx| Box::pin(orders::cancel(tx, order_id, None)))
        .await
        .unwrap();
    let scan = world.scan(&ticket, "c").await;
    assert_eq!(refused(&world.redeem(scan.clone()).await), Some(Refusal::Cancelled));
    let passed = world.redeem(forced(scan)).await;
    assert!(passed.accepted && passed.forced);
    world.assert_sound().await;
}

#[tokio::test]
async fn case_13_a_blocked_ticket_waits_until_it_is_unblocked() {
    let world = World::with_capacity(5).await;
    let ticket = world.buy(1).await.remove(0);
    let id = ticket.ticket_id;
    for _ in 0..2 {
        world
            .write(move |tx| Box::pin(tickets::block(tx, id, true)))
            .await
            .unwrap();
    }
    let scan = world.scan(&ticket, "n").await;
    assert_eq!(refused(&world.redeem(scan.clone()).await), Some(Refusal::Blocked));
    world
        .write(move |tx| Box::pin(tickets::block(tx, id, false)))
        .await
        .unwrap();
    assert!(world.redeem(scan).await.accepted);
    let told = world.change_types().await;
    let blocks = |wanted: &str| told.iter().filter(|told| *told == wanted).count();
    assert_eq!((blocks("ticket.blocked"), blocks("ticket.unblocked")), (1, 1));
    world.assert_sound().await;
}

#[tokio::test]
async fn case_14_a_ticket_and_a_list_have_their_time_and_exits_always_pass() {
    let world = World::with_capacity(5).await;
    let now = Timestamp::now();
    let (event, pool) = (world.event, world.pool);
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    let details = ticket_types::TicketTypeDetails {
        valid_from: Some(now - minutes(60)),
        valid_to: Some(now + minutes(60)),
        ..type_details(&[pool], 0)
    };
    let kind = world
        .write(move |tx| Box::pin(ticket_types::create(tx, event, details)))
        .await
        .unwrap();
    let hold = request(event, &[(kind.ticket_type_id, 1)]);
    let hold = world.write(|tx| Box::pin(holds::place(tx, hold))).await.unwrap();
    let order = world.checkout(&hold, "ada@example.org").await.unwrap().order.order_id;
    let mut db = world.store.read().await.unwrap();
    let ticket = tickets::of_order(&mut db, order).await.unwrap().remove(0);
    let list = world
        .list_of(check_ins::ListDetails {
            opens_at: Some(now - minutes(30)),
            closes_at: Some(now + minutes(30)),
            ..list_details(true, false)
        })
        .await;
    let late = Some(Refusal::InvalidTime);
    let cases = [
        (world.list, 61, late),
        (world.list, 59, None),
        (list, 31, late),
        (list, 29, None),
    ];
    for (list, distance, wanted) in cases {
        for at in [
            now - minutes(distance),
            now + minutes(distance) - Duration::from_micros(1),
        ] {
            let scan = Scan {
                scanned_at: Some(at),
                ..world.scan(&ticket, "n").await
            };
            let verdict = simulate(&world.store, scanner(1), list, scan.clone()).await.unwrap();
            assert_eq!(refused(&verdict), wanted, "{distance}");
            assert!(
                simulate(&world.store, scanner(1), list, exit(scan))
                    .await
                    .unwrap()
                    .accepted
            );
        }
    }
}

#[tokio::test]
async fn case_16_a_type_that_is_not_on_the_list() {
    let world = World::with_capacity(5).await;
    let ticket = world.buy(1).await.remove(0);
    let (event, pool) = (world.event, world.pool);
    let vip = world
        .write(move |tx| Box::pin(ticket_types::create(tx, event, type_details(&[pool], 1))))
        .await
        .unwrap();
    let list = world
        .list_of(check_ins::ListDetails {
            ticket_types: vec![vip.ticket_type_id],
            ..list_details(false, false)
        })
        .await;
    let verdict = world.redeem_on(list, world.scan(&ticket, "n").await).await;
    assert_eq!(refused(&verdict), Some(Refusal::TicketType));
}

#[tokio::test]
async fn case_20_entry_exit_and_entry_again_where_the_list_allows_it() {
    let world = World::with_capacity(5).await;
    let ticket = world.buy(1).await.remove(0);
    let reentry = world.list(true, false).await;
    for (list, last) in [(reentry, None), (world.list, Some(Refusal::AlreadyRedeemed))] {
        assert!(world.redeem_on(list, world.scan(&ticket, "a").await).await.accepted);
        assert!(
            world
                .redeem_on(list, exit(world.scan(&ticket, "b").await))
                .await
                .accepted
        );
        assert_eq!(world.attendance(list).await, (0, 1));
        let again = world.redeem_on(list, world.scan(&ticket, "c").await).await;
        assert_eq!(refused(&again), last);
        assert_eq!(world.attendance(list).await, (i64::from(last.is_none()), 1));
    }
    world.assert_sound().await;
}

#[tokio::test]
async fn case_21_an_exit_first_or_twice_is_accepted() {
    let world = World::with_capacity(5).await;
    let ticket = world.buy(1).await.remove(0);
    for nonce in ["a", "b"] {
        assert!(world.redeem(exit(world.scan(&ticket, nonce).await)).await.accepted);
    }
    assert_eq!(world.attendance(world.list).await, (0, 0));
    assert!(world.redeem(world.scan(&ticket, "c").await).await.accepted);
    assert_eq!(world.attendance(world.list).await, (1, 1));
    world.assert_sound().await;
}

#[tokio::test]
async fn case_23_the_scanners_time_is_kept_to_the_microsecond_beside_the_arrival() {
    let world = World::with_capacity(5).await;
    let ticket = world.buy(1).await.remove(0);
    let scanned_at = Timestamp::now() - Duration::from_micros(3_600_000_001);
    let scan = Scan {
        scanned_at: Some(scanned_at),
        ..world.scan(&ticket, "n").await
    };
    world.redeem(scan).await;
    let mut db = world.store.read().await.unwrap();
    let stored = check_ins::list_check_ins(&mut db, world.list, Default::default())
        .await
        .unwrap()
        .items
        .remove(0);
    assert_eq!(stored.scanned_at, scanned_at);
    assert!(stored.received_at.since(scanned_at) >= Duration::from_secs(3_600));
}

#[tokio::test]
async fn case_24_entries_keep_their_distance() {
    let world = World::with_capacity(5).await;
    let ticket = world.buy(1).await.remove(0);
    let list = world
        .list_of(check_ins::ListDetails {
            min_gap_minutes: Some(180),
            ..list_details(false, true)
        })
        .await;
    let first = Timestamp::now() - Duration::from_secs(24 * 3_600);
    for (minutes, wanted) in [(0, None), (175, Some(Refusal::Rules)), (181, None)] {
        let scan = Scan {
            scanned_at: Some(first + Duration::from_secs(60 * minutes)),
            ..world.scan(&ticket, &minutes.to_string()).await
        };
        assert_eq!(refused(&world.redeem_on(list, scan).await), wanted, "+{minutes}");
    }
    world.assert_sound().await;
}

#[tokio::test]
async fn case_26_a_rule_that_can_not_be_evaluated_refuses() {
    let world = World::with_capacity(5).await;
    let ticket = world.buy(1).await.remove(0);
    let event = world.event;
    // No event gets such a time zone any more; one of an older program may have it.
    let lost = "update events set timezone = 'Mars/Olympus' where event_id = $1";
    world
        .write(move |tx| Box::pin(crate::sql::execute(tx, lost, crate::sql::binds![event])))
        .await
        .unwrap();
    let list = world
        .list_of(check_ins::ListDetails {
            once_a_day: true,
            ..list_details(true, false)
        })
        .await;
    let verdict = world.redeem_on(list, world.scan(&ticket, "n").await).await;
    assert_eq!(refused(&verdict), Some(Refusal::Rules));
}

#[tokio::test]
async fn case_27_a_simulation_gives_the_verdict_and_writes_nothing() {
    let world = World::with_capacity(5).await;
    let ticket = world.buy(1).await.remove(0);
    let scan = world.scan(&ticket, "n1").await;
    let before = world.changes().await.len();
    let simulated = simulate(&world.store, scanner(1), world.list, scan.clone())
        .await
        .unwrap();
    assert!(simulated.accepted && simulated.check_in_id.is_none());
    assert_eq!(world.changes().await.len(), before);
    assert_eq!(world.attendance(world.list).await, (0, 0));
    world.redeem(scan.clone()).await;
    let rescan = Scan {
        nonce: "n2".into(),
        ..scan
    };
    let simulated = simulate(&world.store, scanner(1), world.list, rescan.clone())
        .await
        .unwrap();
    let real = world.redeem(rescan).await;
    assert_eq!((simulated.reason, simulated.first), (real.reason, real.first));
}
