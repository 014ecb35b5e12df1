//! Histories made of chance, with runs, commits, crashes and a second process in between: whatever comes, a transform
//! answers as if it had been computed from everything just now.

use super::{world::World, *};
use crate::How;

const STEPS: u64 = 20;

struct Process {
    lake: Lake,
    runner: Runner,
}

impl Process {
    async fn open(world: &World, options: LakeOptions) -> Self {
        let lake = Lake::open(&world.url(), options).await.unwrap();
        let runner = runner(&lake).await;
        Self { lake, runner }
    }

    async fn agrees(&self, told: &[String]) {
        let moment = self.runner.moment().await.unwrap();
        // A table is as old as its last run, by design.
        let transforms = self.runner.project().transforms().iter();
        for transform in transforms.filter(|transform| transform.about.materialized.name() != "table") {
            let (answer, rebuild) = answer_and_rebuild(self.runner.project(), transform, &moment).await;
            assert_eq!(answer, rebuild, "{} after {told:?}", transform.name);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mart_and_the_tail_are_a_full_rebuild_after_every_step_and_every_crash() {
    let mut world = World::new("marts and the tail");
    let mut process = Process::open(&world, manual()).await;
    let mut told = Vec::new();
    for _ in 0..STEPS {
        let choice = world.random.below(10);
        told.push(choice.to_string());
        match choice {
            0..=4 => {
                let steps = world.random.within(1..12);
                (0..steps).for_each(|_| world.step());
                world.tell(&process.lake).await;
            }
            5 | 6 => drop(process.runner.run(false).await.unwrap()),
            7 => process.lake.flush().await.unwrap(),
            8 => {
                // The tail is lost, and what was kept may be ahead of what is left.
                drop(process);
                process = Process::open(&world, manual()).await;
                if world.random.below(2) == 0 {
                    process.agrees(&told).await;
                    process.runner.run(false).await.unwrap();
                }
                world.tell_again(&process.lake).await;
            }
            _ => {
                // A run that dies before its commit leaves files that nobody names.
                let transforms = process.runner.project().transforms();
                let kept: Vec<&Transform> = transforms.iter().filter(|transform| transform.is_kept()).collect();
                let transform = kept[world.random.below(kept.len() as u64) as usize];
                let run = process.runner.run_transform(transform, true);
                let _ = tokio::time::timeout(Duration::from_millis(world.random.below(40)), run).await;
            }
        }
        process.agrees(&told).await;
    }
    process.runner.run(false).await.unwrap();
    let benchmark = process.runner.project().transform("benchmark").unwrap();
    let moment = process.runner.moment().await.unwrap();
    let (answer, rebuild) = answer_and_rebuild(process.runner.project(), benchmark, &moment).await;
    assert_eq!(answer, rebuild);
    let again = process.runner.run(false).await.unwrap();
    for ran in &again {
        assert_eq!(ran.how, How::Unchanged, "{}: nothing has happened since", ran.transform);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_processes_that_compute_the_same_one_commits() {
    let mut world = World::new("two processes");
    let first = Process::open(&world, manual()).await;
    (0..40).for_each(|_| world.step());
    world.tell(&first.lake).await;
    first.runner.run(false).await.unwrap();
    first.lake.flush().await.unwrap();
    let second = Process::open(&world, manual()).await;
    world.tell_again(&second.lake).await;
    (0..40).for_each(|_| world.step());
    world.tell(&first.lake).await;
    world.tell_again(&second.lake).await;
    let transform = first.runner.project().transform("sales").unwrap();
    let (here, there) = (
        first.runner.moment().await.unwrap(),
        second.runner.moment().await.unwrap(),
    );
    let (one, _) = first.runner.run_at(transform, &here, false).await.unwrap();
    let (other, _) = second.runner.run_at(transform, &there, false).await.unwrap();
    assert_eq!((one, other), (How::Added, How::Overtaken));
    first.agrees(&[]).await;
    second.agrees(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_is_behind_answers_from_what_it_has_seen() {
    let mut world = World::new("a process behind");
    let ahead = Process::open(&world, manual()).await;
    (0..30).for_each(|_| world.step());
    world.tell(&ahead.lake).await;
    ahead.runner.run(false).await.unwrap();
    // Nothing was committed to the lake's own tables, and the marts hold everything.
    let behind = Process::open(&world, manual()).await;
    let moment = behind.runner.moment().await.unwrap();
    assert_eq!(rows(&moment, "select * from marts.sales").await, Vec::<String>::new());
    behind.agrees(&[]).await;
    let ran = behind.runner.run(false).await.unwrap();
    assert!(ran.iter().all(|ran| ran.how == How::Unchanged), "{ran:?}");
    world.tell_again(&behind.lake).await;
    behind.agrees(&[]).await;
    assert!(
        !rows(&behind.runner.moment().await.unwrap(), "select * from marts.sales")
            .await
            .is_empty()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_process_has_kept_is_taken_over_as_far_as_this_one_has_read() {
    let mut world = World::new("taking over");
    let first = Process::open(&world, manual()).await;
    (0..30).for_each(|_| world.step());
    world.tell(&first.lake).await;
    first.lake.flush().await.unwrap();
    let second = Process::open(&world, manual()).await;
    let version = |process: &Process| process.lake.kept().get("marts/sales").map(|kept| kept.version);
    first.runner.run(false).await.unwrap();
    second.lake.refresh().await.unwrap();
    assert_eq!(version(&second), version(&first), "a table that was not there before");

    (0..60).for_each(|_| world.step());
    world.tell(&first.lake).await;
    first.runner.run(false).await.unwrap();
    second.lake.refresh().await.unwrap();
    assert_ne!(version(&second), version(&first), "it has not read so far");
    second.agrees(&[]).await;
    world.tell_again(&second.lake).await;
    second.lake.refresh().await.unwrap();
    assert_eq!(version(&second), version(&first));
    second.agrees(&[]).await;
    let ran = second.runner.run(false).await.unwrap();
    assert!(ran.iter().all(|ran| ran.how == How::Unchanged), "{ran:?}");
}
