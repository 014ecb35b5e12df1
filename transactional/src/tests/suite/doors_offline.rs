//! Scanners without a network: their codes, what they take along, and what they send afterwards.

use super::{doors::*, *};
use crate::{
    check_ins::{Scan, Verdict, download, upload},
    ticket_keys,
};
use domain::{
    attendee,
    check_in::{Refusal, ScanKind, Seen},
    ticket_code::{EventPublicKey, TicketCode},
};

impl World {
    async fn upload(&self, device: u32, scans: Vec<Scan>) -> Vec<Result<Verdict>> {
        upload(&self.store, scanner(device), self.list, scans).await.unwrap()
    }

    async fn count(&self, change_type: &str) -> usize {
        let told = self.change_types().await;
        told.iter().filter(|told| *told == change_type).count()
    }

    /// A scan without a network, so many seconds after a moment of two hours ago.
    async fn offline(&self, ticket: &Stored<Ticket>, kind: ScanKind, seconds: u64, nonce: &str) -> Scan {
        let start =
            Timestamp::from_millis(self.changes().await[0].recorded_at.as_millis()) - Duration::from_secs(7_200);
        Scan {
            kind,
            scanned_at: Some(start + Duration::from_secs(seconds)),
            ..forced(self.scan(ticket, nonce).await)
        }
    }
}

#[tokio::test]
async fn case_32_what_only_resembles_a_code_is_invalid() {
    let world = World::with_capacity(5).await;
    let ticket = world.buy(1).await.remove(0);
    let right = world.scan(&ticket, "n").await;
    let mut wrong: Vec<String> = (0..right.code.len())
        .step_by(9)
        .map(|place| {
            let mut flipped = right.code.clone();
            let other = if &flipped[place..=place] == "A" { "B" } else { "A" };
            flipped.replace_range(place..=place, other);
            flipped
        })
        .collect();
    wrong.extend([1, 60, 111].map(|length| right.code[..length].to_owned()));
    wrong.extend([format!("{0}{0}", right.code), format!("{}AAAA", right.code)]);
    let scans = wrong.iter().enumerate().map(|(count, code)| Scan {
        code: code.clone(),
        nonce: count.to_string(),
        ..forced(right.clone())
    });
    for verdict in world.upload(1, scans.collect()).await {
        assert_eq!(refused(&verdict.unwrap()), Some(Refusal::Invalid));
    }
    assert_eq!(world.scans().await.len(), wrong.len());
    assert!(world.redeem(right).await.accepted);
    world.assert_sound().await;
}

#[tokio::test]
async fn case_33_retired_keys_verify_and_revoked_ones_do_not() {
    let world = World::with_capacity(5).await;
    let tickets = world.buy(3).await;
    let store = &world.store;
    let old = world.scan(&tickets[0], "old").await;
    assert_eq!(
        code(ticket_keys::revoke(store, "test", world.event, 0).await),
        "key_in_use"
    );
    let keys = ticket_keys::rotate(store, "test", world.event).await.unwrap();
    assert_eq!(
        keys.iter().map(|key| key.retired_at.is_some()).collect::<Vec<_>>(),
        [true, false]
    );
    let new = world.scan(&tickets[1], "new").await;
    let other = world.scan(&tickets[2], "other").await;
    assert_eq!(new.code.parse::<TicketCode>().unwrap().claim().unwrap().key_number, 1);
    assert!(world.redeem(old.clone()).await.accepted && world.redeem(new).await.accepted);

    ticket_keys::revoke(store, "test", world.event, 0).await.unwrap();
    ticket_keys::revoke(store, "test", world.event, 0).await.unwrap();
    assert_eq!(
        code(ticket_keys::revoke(store, "test", world.event, 9).await),
        "not_found"
    );
    let forced = forced(Scan {
        nonce: "again".into(),
        ..old
    });
    assert_eq!(refused(&world.redeem(forced).await), Some(Refusal::Invalid));
    assert!(world.redeem(other).await.accepted);
    assert_eq!(
        (
            world.count("event.key_rotated").await,
            world.count("event.key_revoked").await
        ),
        (1, 1)
    );
    world.assert_sound().await;
}

#[tokio::test]
async fn case_35_a_replayed_upload_makes_no_duplicates_and_a_poison_item_stops_no_other() {
    let world = World::with_capacity(200).await;
    let mut tickets = Vec::new();
    for _ in 0..40 {
        tickets.extend(world.buy(4).await);
    }
    let mut scans = Vec::new();
    for (count, ticket) in tickets.iter().enumerate() {
        scans.push(
            world
                .offline(ticket, ScanKind::Entry, count as u64, &count.to_string())
                .await,
        );
    }
    scans.push(Scan {
        code: "not a code".into(),
        nonce: "garbage".into(),
        ..scans[0].clone()
    });
    scans.insert(
        70,
        Scan {
            nonce: String::new(),
            ..scans[0].clone()
        },
    );
    let first = world.upload(1, scans.clone()).await;
    assert_eq!(first.len(), 162);
    assert_eq!(first[70].clone().unwrap_err().code(), "invalid");
    let accepted = first
        .iter()
        .flatten()
        .filter(|verdict| verdict.accepted && !verdict.repeated);
    assert_eq!(accepted.count(), 160);
    let stored = world.scans().await.len();
    assert_eq!(stored, 161);
    for verdict in world.upload(1, scans).await.into_iter().flatten() {
        assert!(verdict.repeated);
    }
    assert_eq!(world.scans().await.len(), stored);
    assert_eq!(world.attendance(world.list).await, (160, 160));
    world.assert_sound().await;
}

#[tokio::test]
async fn one_scan_twice_in_one_upload_is_one_scan() {
    let world = World::with_capacity(5).await;
    let ticket = world.buy(1).await.remove(0);
    let scan = world.scan(&ticket, "n").await;
    let other = Scan {
        nonce: "m".into(),
        ..scan.clone()
    };
    let verdicts = world.upload(1, vec![scan.clone(), scan, other]).await;
    let verdicts: Vec<Verdict> = verdicts.into_iter().map(Result::unwrap).collect();
    assert!(verdicts[0].accepted && verdicts[1].accepted && verdicts[1].repeated);
    assert_eq!(refused(&verdicts[2]), Some(Refusal::AlreadyRedeemed));
    world.assert_sound().await;
}

#[tokio::test]
async fn two_doors_that_admitted_one_ticket_conflict_once_in_whatever_order_they_arrive() {
    for order in [[0, 1], [1, 0]] {
        let world = World::with_capacity(5).await;
        let ticket = world.buy(1).await.remove(0);
        let scans = [
            world.offline(&ticket, ScanKind::Entry, 10, "a").await,
            world.offline(&ticket, ScanKind::Entry, 20, "b").await,
        ];
        for (device, place) in order.into_iter().enumerate() {
            for _ in 0..2 {
                world.upload(device as u32, vec![scans[place].clone()]).await;
            }
        }
        assert_eq!(world.count("check_in.conflict").await, 1, "{order:?}");
        assert_eq!(world.attendance(world.list).await, (1, 1));
        let mut db = world.store.read().await.unwrap();
        let stored = check_ins::list_check_ins(&mut db, world.list, Default::default())
            .await
            .unwrap();
        let named = |nonce: &str| stored.items.iter().find(|scan| scan.nonce == nonce).unwrap();
        assert_eq!(
            named("b").conflicts_with,
            Some(named("a").check_in_id),
            "the later one names the earlier"
        );
        assert_eq!(named("a").conflicts_with, None);
        world.assert_sound().await;
    }
}

#[tokio::test]
async fn an_exit_that_arrives_last_settles_a_conflict() {
    let world = World::with_capacity(5).await;
    let ticket = world.buy(1).await.remove(0);
    for (kind, seconds, nonce) in [
        (ScanKind::Entry, 30, "c"),
        (ScanKind::Entry, 10, "a"),
        (ScanKind::Exit, 20, "b"),
    ] {
        let scan = world.offline(&ticket, kind, seconds, nonce).await;
        world.upload(1, vec![scan]).await;
    }
    assert_eq!(
        (
            world.count("check_in.conflict").await,
            world.count("check_in.settled").await
        ),
        (1, 1)
    );
    assert_eq!(world.attendance(world.list).await, (1, 1));
    world.assert_sound().await;
}

#[tokio::test]
async fn an_old_scan_that_arrives_late_does_not_put_a_person_back_inside() {
    let world = World::with_capacity(5).await;
    let ticket = world.buy(1).await.remove(0);
    let list = world.list(true, false).await;
    for (kind, seconds, nonce) in [
        (ScanKind::Exit, 50, "b"),
        (ScanKind::Entry, 10, "a"),
        (ScanKind::Entry, 60, "c"),
    ] {
        let scan = world.offline(&ticket, kind, seconds, nonce).await;
        let scan = Scan {
            force: nonce == "a",
            ..scan
        };
        assert!(world.redeem_on(list, scan).await.accepted, "{nonce}");
        assert_eq!(world.attendance(list).await.0, i64::from(nonce == "c"));
    }
    world.assert_sound().await;
}

#[tokio::test]
async fn a_download_lets_a_scanner_judge_and_then_brings_what_is_new() {
    let world = World::with_capacity(9).await;
    let mut tickets = world.buy(3).await;
    let (gone, blocked) = (tickets[0].ticket_id, tickets[1].ticket_id);
    tickets[0] = world
        .write(move |tx| Box::pin(tickets::reissue(tx, gone)))
        .await
        .unwrap();
    world
        .write(move |tx| Box::pin(tickets::block(tx, blocked, true)))
        .await
        .unwrap();
    let full = download(&world.store, world.list, None).await.unwrap();
    assert!(!full.more && full.attendees.len() == 3 && full.seen.is_empty());
    let key = EventPublicKey::from_bytes(&full.keys[0].1).unwrap();
    for ticket in &tickets {
        let code: TicketCode = world.store.ticket_code(ticket).await.unwrap().parse().unwrap();
        assert!(key.verifies(&code));
        let label = attendee::label(&code);
        let (_, sealed) = full.attendees.iter().find(|(found, _)| *found == label).unwrap();
        let opened = attendee::open(&code, sealed).unwrap();
        assert_eq!(
            (opened.ticket_type_id, opened.name.as_deref()),
            (world.ticket_type, Some("Ada"))
        );
    }
    let revocations = full.revocations.unwrap();
    let told: Vec<_> = revocations
        .iter()
        .map(|told| (told.ticket_id, told.code_version, told.blocked))
        .collect();
    assert_eq!(told.len(), 2);
    assert!(told.contains(&(gone, 2, false)) && told.contains(&(blocked, 1, true)));

    let next = download(&world.store, world.list, Some(full.cursor.clone()))
        .await
        .unwrap();
    assert!(next.attendees.is_empty() && next.seen.is_empty() && next.cursor == full.cursor);
    world.redeem(world.scan(&tickets[2], "n").await).await;
    world.buy(1).await;
    let next = download(&world.store, world.list, Some(full.cursor.to_string().parse().unwrap()))
        .await
        .unwrap();
    assert_eq!((next.attendees.len(), next.seen.len()), (1, 1));
    assert_eq!(
        (next.seen[0].ticket_id, next.seen[0].seen.entries),
        (tickets[2].ticket_id, 1)
    );
    ticket_keys::rotate(&world.store, "test", world.event).await.unwrap();
    let next = download(&world.store, world.list, Some(next.cursor)).await.unwrap();
    assert_eq!(
        (next.keys.len(), next.attendees.len()),
        (2, 8),
        "a box for each key, of all tickets"
    );
    for wrong in ["", "1.2.3.4.5", "x.0..0.", "1.0..0", "1.0.; drop.0."] {
        assert!(wrong.parse::<check_ins::DownloadCursor>().is_err(), "{wrong}");
    }
}

#[tokio::test]
async fn an_annulled_scan_reaches_a_scanner_that_had_seen_it() {
    let world = World::with_capacity(9).await;
    let ticket = world.buy(1).await.remove(0);
    world.redeem(world.scan(&ticket, "n").await).await;
    let full = download(&world.store, world.list, None).await.unwrap();
    assert_eq!(full.seen[0].seen.entries, 1);
    let list = world.list;
    world
        .store
        .write("device:1", move |tx| {
            Box::pin(check_ins::annul(tx, list, ScanKind::Entry, "n".into()))
        })
        .await
        .unwrap();
    let next = download(&world.store, list, Some(full.cursor)).await.unwrap();
    assert_eq!(next.seen[0].seen, Seen::default());
}
