//! Whatever happens at the doors, in whatever order it becomes known: what is kept is what a recount gives. The recount
//! itself stands in the audit's invariants, which [`World::assert_sound`] asks.

use super::{doors::*, *};
use crate::check_ins::{Scan, upload};
use domain::check_in::ScanKind;
use rand::{RngExt, SeedableRng, rngs::StdRng};

const WORLDS: u64 = 6;
const STEPS: u32 = 60;

#[tokio::test]
async fn attendance_and_state_are_a_recount_after_any_interleaving() {
    for seed in 0..WORLDS {
        let mut rng = StdRng::seed_from_u64(seed);
        let world = World::with_capacity(9).await;
        let tickets = world.buy(3).await;
        let lists = [world.list, world.list(true, false).await, world.list(false, true).await];
        let start = Timestamp::now() - Duration::from_secs(100);
        let mut sent: Vec<(usize, Scan)> = Vec::new();
        for step in 0..STEPS {
            let list = rng.random_range(0..lists.len());
            let mut scans = Vec::new();
            for part in 0..rng.random_range(1..5) {
                let ticket = &tickets[rng.random_range(0..tickets.len())];
                // Seconds are few, so that scans of the same moment happen.
                let at = start + Duration::from_secs(rng.random_range(0..120));
                scans.push(Scan {
                    kind: if rng.random_bool(0.6) {
                        ScanKind::Entry
                    } else {
                        ScanKind::Exit
                    },
                    scanned_at: Some(at),
                    gate: [None, Some("North".to_owned())][rng.random_range(0..2)].clone(),
                    force: rng.random_bool(0.7),
                    ..world.scan(ticket, &format!("{step}.{part}")).await
                });
            }
            match rng.random_range(0..10) {
                0..5 => {
                    sent.extend(scans.iter().map(|scan| (list, scan.clone())));
                    upload(&world.store, scanner(1), lists[list], scans).await.unwrap();
                }
                5..7 => drop(world.redeem_on(lists[list], scans.remove(0)).await),
                7 if !sent.is_empty() => {
                    let (list, scan) = sent[rng.random_range(0..sent.len())].clone();
                    upload(&world.store, scanner(1), lists[list], vec![scan]).await.unwrap();
                }
                8 if !sent.is_empty() => {
                    let (list, scan) = sent[rng.random_range(0..sent.len())].clone();
                    let annul = world.store.write("device:1", {
                        let list = lists[list];
                        move |tx| Box::pin(check_ins::annul(tx, list, scan.kind, scan.nonce))
                    });
                    // A scan that was refused can't be taken back.
                    let _ = annul.await;
                }
                _ if step % 3 == 0 => {
                    let list = lists[list];
                    world
                        .write(move |tx| Box::pin(check_ins::empty_list(tx, list)))
                        .await
                        .unwrap();
                }
                _ => {}
            }
        }
        world.assert_sound().await;
        assert!(
            world.change_types().await.contains(&"check_in.conflict".to_owned()),
            "seed {seed} is too tame"
        );
    }
}
