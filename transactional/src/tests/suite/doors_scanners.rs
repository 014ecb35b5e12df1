//! What is a scanner's own: its nonces, and its clock.

use super::{doors::*, *};
use crate::check_ins::{Scan, redeem, upload};
use domain::check_in::Refusal;

#[tokio::test]
async fn case_03_a_nonce_of_another_scanner_is_a_scan_of_its_own() {
    let world = World::with_capacity(5).await;
    let ticket = world.buy(1).await.remove(0);
    let scan = world.scan(&ticket, "n1").await;
    let by = async |number, scan| redeem(&world.store, scanner(number), world.list, scan).await.unwrap();
    assert!(by(1, scan.clone()).await.accepted);
    let other = by(2, scan.clone()).await;
    assert_eq!(
        (refused(&other), other.repeated),
        (Some(Refusal::AlreadyRedeemed), false)
    );
    assert!(by(2, scan.clone()).await.repeated, "a refusal is repeated as well");
    let passed = by(3, forced(scan.clone())).await;
    assert!(passed.accepted && passed.forced && !passed.repeated);
    let again = by(1, scan).await;
    assert!(again.accepted && again.repeated);
    assert_eq!(
        world
            .scans()
            .await
            .iter()
            .filter(|scan| scan.change_type == "check_in.accepted")
            .count(),
        2
    );
    world.assert_sound().await;
}

#[tokio::test]
async fn case_14_a_list_that_is_closed_by_now_takes_the_past_as_an_upload_alone() {
    let world = World::with_capacity(5).await;
    let ticket = world.buy(1).await.remove(0);
    let ago = |minutes: u64| Timestamp::now() - Duration::from_secs(60 * minutes);
    let closed = check_ins::ListDetails {
        closes_at: Some(ago(30)),
        ..list_details(false, true)
    };
    let closed = world.list_of(closed).await;
    let at = async |at, nonce| Scan {
        scanned_at: Some(at),
        ..world.scan(&ticket, nonce).await
    };
    let late = Some(Refusal::InvalidTime);
    assert_eq!(refused(&world.redeem_on(closed, at(ago(60), "a").await).await), late);
    assert!(world.redeem_on(closed, exit(at(ago(60), "b").await)).await.accepted);
    let past = world.redeem_on(closed, forced(at(ago(60), "c").await)).await;
    assert!(past.accepted && past.reason.is_none(), "it was open then");
    let uploaded = upload(&world.store, scanner(1), closed, vec![at(ago(59), "d").await]);
    assert!(uploaded.await.unwrap()[0].as_ref().unwrap().accepted);
    let just_closed = check_ins::ListDetails {
        closes_at: Some(ago(1)),
        ..list_details(false, true)
    };
    let just_closed = world.list_of(just_closed).await;
    let on_its_way = world.redeem_on(just_closed, at(ago(2), "e").await).await;
    assert!(on_its_way.accepted, "it was on its way");
    world.assert_sound().await;
}

#[tokio::test]
async fn a_scan_of_a_time_that_can_not_be_is_an_error_and_stops_no_other() {
    let world = World::with_capacity(5).await;
    let ticket = world.buy(1).await.remove(0);
    let now = Timestamp::now();
    let days = |days: u64| Duration::from_secs(days * 24 * 3_600);
    let times = [
        now + days(2),
        now - days(367),
        Timestamp::from_micros(i64::MIN),
        now - days(365),
    ];
    let mut scans = Vec::new();
    for (number, at) in times.into_iter().enumerate() {
        scans.push(Scan {
            scanned_at: Some(at),
            ..forced(world.scan(&ticket, &number.to_string()).await)
        });
    }
    let alone = redeem(&world.store, scanner(1), world.list, scans[0].clone()).await;
    assert_eq!(code(alone), "invalid");
    let answers = upload(&world.store, scanner(1), world.list, scans).await.unwrap();
    for wrong in &answers[..3] {
        let Err(Error::Refused(refusal)) = wrong else {
            panic!("{wrong:?}");
        };
        assert_eq!(refusal.field.as_deref(), Some("scanned_at"));
    }
    assert!(answers[3].as_ref().unwrap().accepted);
    assert_eq!(world.scans().await.len(), 1);
    world.assert_sound().await;
}
