//! The conformance cases of check-in, by their numbers in the anchor.

use super::*;
use crate::check_ins::{Scan, Verdict, redeem, simulate};
use domain::check_in::{Refusal, ScanKind};

impl World {
    async fn scan(&self, ticket: &Stored<Ticket>, nonce: &str) -> Scan {
        Scan {
            check_in_list_id: self.list,
            code: self.store.ticket_code(ticket).await.unwrap(),
            kind: ScanKind::Entry,
            nonce: nonce.into(),
            scanned_at: None,
            gate: Some("North".into()),
            force: false,
        }
    }

    async fn redeem(&self, scan: Scan) -> Verdict {
        redeem(&self.store, "device:1", scan).await.unwrap()
    }

    async fn list(&self, reentry: bool, multi_entry: bool) -> CheckInListId {
        let (event, details) = (self.event, list_details(reentry, multi_entry));
        let list = self
            .write(move |tx| Box::pin(check_ins::create_list(tx, event, details)))
            .await
            .unwrap();
        list.check_in_list_id
    }

    async fn scans(&self) -> Vec<Change> {
        self.changes()
            .await
            .into_iter()
            .filter(|change| change.entity == "check_in")
            .collect()
    }
}

fn refused(verdict: &Verdict) -> Option<Refusal> {
    assert_eq!(verdict.accepted, verdict.reason.is_none() || verdict.forced);
    verdict.reason
}

#[tokio::test]
async fn cases_1_to_3_one_entry_a_rescan_and_a_retry() {
    let world = World::with_capacity(5).await;
    let ticket = world.buy(1).await.remove(0);
    let scan = world.scan(&ticket, "n1").await;
    let first = world.redeem(scan.clone()).await;
    assert!(first.accepted && !first.repeated && first.ticket.as_ref() == Some(&ticket));
    assert_eq!(world.scans().await.len(), 1);

    let again = world
        .redeem(Scan {
            nonce: "n2".into(),
            gate: Some("South".into()),
            ..scan.clone()
        })
        .await;
    assert_eq!(refused(&again), Some(Refusal::AlreadyRedeemed));
    assert_eq!(again.first.unwrap().gate.as_deref(), Some("North"));
    let told = world.scans().await;
    assert_eq!(told[1].change_type, "check_in.refused");
    assert!(told[1].payload.contains("\"already_redeemed\""));

    let retried = world.redeem(scan).await;
    assert!(retried.accepted && retried.repeated && retried.check_in_id == first.check_in_id);
    assert_eq!(world.scans().await.len(), 2, "a retry writes nothing");
    world.assert_sound().await;
}

#[tokio::test]
async fn case_3_parallel_retries_of_one_scan_make_one_row() {
    let world = World::with_capacity(5).await;
    let ticket = world.buy(1).await.remove(0);
    let scan = world.scan(&ticket, "n1").await;
    let verdicts = futures::future::join_all((0..10).map(|_| world.redeem(scan.clone()))).await;
    assert!(verdicts.iter().all(|verdict| verdict.accepted));
    assert_eq!(world.scans().await.len(), 1);
}

#[tokio::test]
async fn cases_5_and_6_multiple_entries_and_other_lists() {
    let world = World::with_capacity(5).await;
    let ticket = world.buy(1).await.remove(0);
    assert!(world.redeem(world.scan(&ticket, "n1").await).await.accepted);
    let multi = world.list(false, true).await;
    for nonce in ["n1", "n2", "n2"] {
        let scan = Scan {
            check_in_list_id: multi,
            ..world.scan(&ticket, nonce).await
        };
        assert!(world.redeem(scan).await.accepted, "{nonce}");
    }
    let mut db = world.store.read().await.unwrap();
    let stored = check_ins::list_check_ins(&mut db, multi, Default::default())
        .await
        .unwrap();
    assert_eq!(stored.items.len(), 2, "the same nonce is the same scan");
    world.assert_sound().await;
}

#[tokio::test]
async fn cases_7_9_and_32_what_is_no_code_of_this_event_is_invalid_and_stored() {
    let world = World::with_capacity(5).await;
    let ticket = world.buy(1).await.remove(0);
    let right = world.scan(&ticket, "n").await;
    let (event, organizer) = (world.event, world.organizer);
    let other_event = world
        .write(move |tx| Box::pin(events::create(tx, organizer, event_details())))
        .await
        .unwrap();
    assert_ne!(other_event.event_id, event);
    let foreign = Stored {
        value: Ticket {
            event_id: other_event.event_id,
            ..ticket.value.clone()
        },
        ..ticket.clone()
    };
    let mut flipped = right.code.clone();
    flipped.replace_range(20..21, if &flipped[20..21] == "A" { "B" } else { "A" });
    let codes = [
        String::new(),
        "garbage".into(),
        "🎫".repeat(500),
        flipped,
        right.code[..60].to_owned(),
        world.store.ticket_code(&foreign).await.unwrap(),
    ];
    for (count, code) in codes.into_iter().enumerate() {
        let scan = Scan {
            code,
            force: true,
            nonce: format!("n{count}"),
            ..right.clone()
        };
        let verdict = world.redeem(scan).await;
        assert_eq!((refused(&verdict), verdict.forced), (Some(Refusal::Invalid), false));
        assert!(verdict.ticket.is_none() && verdict.first.is_none());
        assert_eq!(world.scans().await.len(), count + 1);
    }
    assert!(
        world
            .scans()
            .await
            .iter()
            .all(|change| change.payload.contains("\"ticket_id\":null"))
    );
    world.assert_sound().await;
}

#[tokio::test]
async fn cases_8_and_11_old_codes_and_cancelled_tickets_pass_by_force_alone() {
    let world = World::with_capacity(5).await;
    let tickets = world.buy(2).await;
    let old = world.scan(&tickets[0], "old").await;
    let id = tickets[0].ticket_id;
    let reissued = world.write(move |tx| Box::pin(tickets::reissue(tx, id))).await.unwrap();
    assert_eq!(refused(&world.redeem(old.clone()).await), Some(Refusal::Revoked));
    let forced = world.redeem(Scan { force: true, ..old }).await;
    assert!(forced.accepted && forced.forced && forced.reason == Some(Refusal::Revoked));
    let new = world.redeem(world.scan(&reissued, "new").await).await;
    assert_eq!(refused(&new), Some(Refusal::AlreadyRedeemed), "the forced entry counts");

    let order_id = tickets[1].order_id;
    world
        .write(move |tx| Box::pin(orders::cancel(tx, order_id, None)))
        .await
        .unwrap();
    let cancelled = world.scan(&tickets[1], "c").await;
    assert_eq!(
        refused(&world.redeem(cancelled.clone()).await),
        Some(Refusal::Cancelled)
    );
    assert!(
        world
            .redeem(Scan {
                force: true,
                ..cancelled
            })
            .await
            .accepted
    );
    world.assert_sound().await;
}

#[tokio::test]
async fn case_16_a_type_that_is_not_on_the_list() {
    let world = World::with_capacity(5).await;
    let ticket = world.buy(1).await.remove(0);
    let (event, pool) = (world.event, world.pool);
    let list = world
        .write(move |tx| {
            Box::pin(async move {
                let vip = ticket_types::create(tx, event, type_details(&[pool], 1)).await?;
                let ticket_types = vec![vip.ticket_type_id];
                check_ins::create_list(
                    tx,
                    event,
                    check_ins::ListDetails {
                        ticket_types,
                        ..list_details(false, false)
                    },
                )
                .await
            })
        })
        .await
        .unwrap();
    let scan = Scan {
        check_in_list_id: list.check_in_list_id,
        ..world.scan(&ticket, "n").await
    };
    assert_eq!(refused(&world.redeem(scan).await), Some(Refusal::TicketType));
}

#[tokio::test]
async fn cases_20_and_21_entry_exit_and_entry_again() {
    let world = World::with_capacity(5).await;
    let tickets = world.buy(2).await;
    let reentry = world.list(true, false).await;
    let mut count = 0;
    for (list, kinds, last) in [
        (reentry, ["entry", "exit", "entry"], None),
        (world.list, ["entry", "exit", "entry"], Some(Refusal::AlreadyRedeemed)),
    ] {
        for (step, kind) in kinds.into_iter().enumerate() {
            count += 1;
            let scan = world.scan(&tickets[0], &format!("n{count}")).await;
            let verdict = world
                .redeem(Scan {
                    check_in_list_id: list,
                    kind: kind.parse().unwrap(),
                    ..scan
                })
                .await;
            assert_eq!(refused(&verdict), if step == 2 { last } else { None }, "step {step}");
        }
    }
    for kind in ["exit", "exit", "entry"] {
        count += 1;
        let scan = world.scan(&tickets[1], &format!("n{count}")).await;
        assert!(
            world
                .redeem(Scan {
                    kind: kind.parse().unwrap(),
                    ..scan
                })
                .await
                .accepted,
            "{kind}"
        );
    }
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
async fn case_27_a_simulation_gives_the_verdict_and_writes_nothing() {
    let world = World::with_capacity(5).await;
    let ticket = world.buy(1).await.remove(0);
    let scan = world.scan(&ticket, "n1").await;
    let before = world.changes().await.len();
    assert!(simulate(&world.store, scan.clone()).await.unwrap().accepted);
    assert_eq!(world.changes().await.len(), before);
    world.redeem(scan.clone()).await;
    let rescan = Scan {
        nonce: "n2".into(),
        ..scan
    };
    let simulated = simulate(&world.store, rescan.clone()).await.unwrap();
    let real = world.redeem(rescan).await;
    assert_eq!((simulated.reason, simulated.first), (real.reason, real.first));
}

#[tokio::test]
async fn an_old_scan_that_arrives_late_does_not_put_a_person_back_inside() {
    let world = World::with_capacity(5).await;
    let ticket = world.buy(1).await.remove(0);
    let list = world.list(true, false).await;
    let now = Timestamp::now();
    let at = |kind: &str, seconds: u64, nonce: &str, force: bool| {
        let (kind, nonce) = (kind.parse().unwrap(), nonce.to_owned());
        let (world, ticket) = (&world, &ticket);
        async move {
            let scan = world.scan(ticket, &nonce).await;
            let scanned_at = Some(now - Duration::from_secs(100) + Duration::from_secs(seconds));
            world
                .redeem(Scan {
                    check_in_list_id: list,
                    kind,
                    scanned_at,
                    force,
                    ..scan
                })
                .await
        }
    };
    assert!(at("exit", 50, "b", false).await.accepted);
    assert!(
        at("entry", 10, "a", true).await.accepted,
        "from a scanner that was offline"
    );
    assert!(
        at("entry", 60, "c", false).await.accepted,
        "the last scan by time is the exit"
    );
}
