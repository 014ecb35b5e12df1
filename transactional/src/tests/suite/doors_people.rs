//! Who is inside, who stands at the door, and what staff can do about a mistake.

use super::{doors::*, *};
use crate::{
    check_ins::{Scan, redeem},
    devices, gates,
};
use domain::{
    changes::CheckIn,
    check_in::{Refusal, ScanKind},
};

impl World {
    async fn annul(&self, actor: &str, kind: ScanKind, nonce: &str) -> Result<Stored<CheckIn>> {
        let (list, nonce) = (self.list, nonce.to_owned());
        self.store
            .write(actor, move |tx| Box::pin(check_ins::annul(tx, list, kind, nonce)))
            .await
    }
}

#[tokio::test]
async fn case_30_a_scan_is_annulled_by_who_sent_it_and_soon() {
    let world = World::with_capacity(5).await;
    let ticket = world.buy(1).await.remove(0);
    let scan = world.scan(&ticket, "n1").await;
    world.redeem(scan.clone()).await;
    let annul = |actor: &'static str, nonce: &'static str| world.annul(actor, ScanKind::Entry, nonce);
    assert_eq!(code(annul("device:2", "n1").await), "not_your_scan");
    assert_eq!(code(annul("device:1", "n0").await), "not_found");
    let annulled = annul("device:1", "n1").await.unwrap();
    assert!(annulled.accepted && annulled.annulled_at.is_some());
    assert_eq!(
        annul("device:1", "n1").await.unwrap(),
        annulled,
        "once more changes nothing"
    );
    assert_eq!(world.attendance(world.list).await, (0, 0));

    let retried = world.redeem(scan.clone()).await;
    assert!(retried.repeated && refused(&retried) == Some(Refusal::Annulled));
    let again = Scan {
        nonce: "n2".into(),
        ..scan
    };
    assert!(world.redeem(again).await.accepted, "the ticket can be used again");
    let earlier = "update check_ins set received_at = received_at - 900000001 where nonce = 'n2'";
    world
        .write(move |tx| Box::pin(async move { crate::sql::execute(tx, earlier, vec![]).await }))
        .await
        .unwrap();
    assert_eq!(code(annul("device:1", "n2").await), "too_late");
    let told = world.change_types().await;
    assert_eq!(told.iter().filter(|told| *told == "check_in.annulled").count(), 1);
    world.assert_sound().await;
}

#[tokio::test]
async fn an_exit_is_annulled_as_well_and_the_person_is_inside_again() {
    let world = World::with_capacity(5).await;
    let ticket = world.buy(1).await.remove(0);
    world.redeem(world.scan(&ticket, "in").await).await;
    world.redeem(exit(world.scan(&ticket, "out").await)).await;
    assert_eq!(world.attendance(world.list).await, (0, 1));
    world.annul("device:1", ScanKind::Exit, "out").await.unwrap();
    assert_eq!(world.attendance(world.list).await, (1, 1));
    world.assert_sound().await;
}

#[tokio::test]
async fn attendance_is_told_by_type_and_gate_right_after_each_scan() {
    let world = World::with_capacity(10).await;
    let tickets = world.buy(3).await;
    for (place, ticket) in tickets.iter().enumerate() {
        world.redeem(world.scan(ticket, "in").await).await;
        assert_eq!(world.attendance(world.list).await, (place as i64 + 1, place as i64 + 1));
    }
    let out = Scan {
        gate: Some("South".into()),
        ..exit(world.scan(&tickets[0], "out").await)
    };
    world.redeem(out).await;
    let attendance = check_ins::attendance(&mut world.store.read().await.unwrap(), world.list)
        .await
        .unwrap();
    assert_eq!((attendance.inside, attendance.entered, attendance.expected), (2, 3, 3));
    let gates: Vec<_> = attendance
        .gates
        .iter()
        .map(|count| (count.gate.as_deref(), count.entries, count.exits))
        .collect();
    assert_eq!(gates, [(Some("North"), 3, 0), (Some("South"), 0, 1)]);
    let types: Vec<_> = attendance
        .types
        .iter()
        .map(|count| (count.inside, count.expected))
        .collect();
    assert_eq!(types, [(2, 3)]);
    world.assert_sound().await;
}

#[tokio::test]
async fn everybody_is_let_out_at_once_and_who_was_scanned_before_stays_out() {
    let world = World::with_capacity(10).await;
    let tickets = world.buy(3).await;
    let list = world.list(true, false).await;
    for ticket in &tickets[..2] {
        world.redeem_on(list, world.scan(ticket, "in").await).await;
    }
    let before = Timestamp::now();
    let empty = || world.write(move |tx| Box::pin(check_ins::empty_list(tx, list)));
    assert_eq!(empty().await.unwrap(), 2);
    assert_eq!(world.attendance(list).await, (0, 2));
    assert_eq!(empty().await.unwrap(), 0);
    let late = Scan {
        scanned_at: Some(before),
        ..forced(world.scan(&tickets[2], "late").await)
    };
    assert!(world.redeem_on(list, late).await.accepted);
    assert_eq!(world.attendance(list).await, (0, 3), "scanned before all were let out");
    assert!(
        world
            .redeem_on(list, world.scan(&tickets[0], "back").await)
            .await
            .accepted
    );
    assert_eq!(world.attendance(list).await, (1, 3));
    assert!(!world.change_types().await.contains(&"check_in.conflict".to_owned()));
    world.assert_sound().await;
}

#[tokio::test]
async fn a_full_house_is_told_once_until_the_alert_is_armed_again() {
    let world = World::with_capacity(10).await;
    let tickets = world.buy(4).await;
    let details = check_ins::ListDetails {
        alert_at: Some(2),
        ..list_details(true, false)
    };
    let list = world.list_of(details.clone()).await;
    let alerts = async || {
        let told = world.change_types().await;
        told.iter()
            .filter(|told| *told == "check_in_list.capacity_reached")
            .count()
    };
    for (ticket, wanted) in tickets[..3].iter().zip([0, 1, 1]) {
        world.redeem_on(list, world.scan(ticket, "in").await).await;
        assert_eq!(alerts().await, wanted);
    }
    world.redeem_on(list, exit(world.scan(&tickets[0], "out").await)).await;
    world.redeem_on(list, world.scan(&tickets[0], "back").await).await;
    assert_eq!(alerts().await, 1);
    let details = check_ins::ListDetails {
        alert_at: Some(4),
        ..details
    };
    let fixed = check_ins::ListDetails {
        multi_entry: true,
        ..details.clone()
    };
    world
        .write(move |tx| Box::pin(check_ins::update_list(tx, list, details)))
        .await
        .unwrap();
    world.redeem_on(list, world.scan(&tickets[3], "in").await).await;
    assert_eq!(alerts().await, 2);
    let refused = world
        .write(move |tx| Box::pin(check_ins::update_list(tx, list, fixed)))
        .await;
    assert_eq!(code(refused), "multi_entry_fixed");
    world.assert_sound().await;
}

#[tokio::test]
async fn a_search_finds_holders_and_orders_and_lists_no_guests() {
    let world = World::with_capacity(5).await;
    let ticket = world.buy(1).await.remove(0);
    let mut db = world.store.read().await.unwrap();
    let order = orders::get(&mut db, ticket.order_id).await.unwrap();
    for (text, wanted) in [
        ("ada", 1),
        (" ADA ", 1),
        ("ad", 0),
        ("%%%", 0),
        ("a_a", 0),
        ("bob", 0),
        (&order.code, 1),
    ] {
        let found = check_ins::search(&mut db, world.list, text).await.unwrap();
        assert_eq!(found.len(), wanted, "{text}");
        assert!(found.iter().all(|found| found.shown.ticket == ticket && !found.inside));
    }
}

#[tokio::test]
async fn a_device_is_known_by_its_secret_at_its_gate_until_it_is_revoked() {
    let world = World::with_capacity(5).await;
    let (event, organizer) = (world.event, world.organizer);
    let gate = gates::GateDetails {
        name: "River".parse().unwrap(),
        active: true,
    };
    let again = gate.clone();
    let gate = world
        .write(move |tx| Box::pin(gates::create(tx, event, gate)))
        .await
        .unwrap();
    let twice = world.write(move |tx| Box::pin(gates::create(tx, event, again))).await;
    assert_eq!(code(twice), "name_taken");
    let gate_id = gate.gate_id;
    let details = devices::DeviceDetails {
        name: "Scanner 7".parse().unwrap(),
        event_id: Some(event),
        gate_id: Some(gate_id),
    };
    let elsewhere = devices::DeviceDetails {
        event_id: None,
        ..details.clone()
    };
    let refused = world
        .write(move |tx| Box::pin(devices::register(tx, organizer, elsewhere)))
        .await;
    assert_eq!(code(refused), "gate_unknown");
    let new = world
        .write(move |tx| Box::pin(devices::register(tx, organizer, details)))
        .await
        .unwrap();
    let holder = devices::holder(&world.store, &new.secret).await.unwrap().unwrap();
    assert_eq!((holder.event_id, holder.gate.as_deref()), (Some(event), Some("River")));
    assert!(
        world
            .changes()
            .await
            .iter()
            .all(|change| !change.payload.contains(&new.secret))
    );

    let ticket = world.buy(1).await.remove(0);
    let device = check_ins::Scanner {
        actor: format!("device:{}", holder.device_id),
        device_id: Some(holder.device_id),
        gate: holder.gate,
    };
    let scan = Scan {
        gate: None,
        ..world.scan(&ticket, "n").await
    };
    redeem(&world.store, device, world.list, scan).await.unwrap();
    let told = world.scans().await.remove(0);
    let id = holder.device_id.to_string();
    assert!(told.payload.contains("\"gate\":\"River\"") && told.payload.contains(&id) && told.actor.ends_with(&id));

    let device_id = holder.device_id;
    world
        .write(move |tx| Box::pin(devices::revoke(tx, device_id)))
        .await
        .unwrap();
    assert_eq!(devices::holder(&world.store, &new.secret).await.unwrap(), None);
    world.assert_sound().await;
}
