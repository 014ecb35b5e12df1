//! What runs write, and what they leave alone.

use super::{world::World, *};
use crate::How;
use lakehouse::Principal;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn late_rows_touch_their_own_keys_and_files_stay_few() {
    let mut world = World::new("late rows");
    let lake = Lake::open(&world.url(), manual()).await.unwrap();
    let runner = runner(&lake).await;
    let mut most = 0;
    for _ in 0..25 {
        (0..12).for_each(|_| world.step());
        world.tell(&lake).await;
        for ran in runner.run(false).await.unwrap() {
            most = most.max(ran.kept.map_or(0, |kept| kept.files));
            if let (How::Touched(keys), "arrivals") = (ran.how, ran.transform.as_str()) {
                assert!((1..=6).contains(&keys), "{keys} events");
            }
        }
    }
    assert!((2..=12).contains(&most), "{most} files");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_organizer_sees_its_own_rows_of_a_mart_in_files_and_in_the_tail() {
    let mut world = World::new("tenants");
    let lake = Lake::open(&world.url(), manual()).await.unwrap();
    let runner = runner(&lake).await;
    for round in 0..2 {
        (0..80).for_each(|_| world.step());
        world.tell(&lake).await;
        if round == 0 {
            runner.run(false).await.unwrap();
        }
    }
    let sql = "select organizer_id, sum(sold_minor) as sold_minor from marts.sales group by organizer_id";
    let all = rows(&runner.moment().await.unwrap(), sql).await;
    assert_eq!(all.len(), world::ORGANIZERS as usize);
    for n in 0..world::ORGANIZERS {
        let principal = Principal {
            id: "user".to_owned(),
            organizer: Some(world::organizer(n).parse().unwrap()),
            personal_data: false,
        };
        let own = lake
            .session(&principal)
            .sql(sql)
            .await
            .unwrap()
            .collect()
            .await
            .unwrap();
        let own = lines(&own);
        assert_eq!(own.len(), 1);
        assert!(all.contains(&own[0]), "{own:?}");
        let hidden = lake.session(&principal).sql("select * from kept.\"marts/sales\"").await;
        assert!(hidden.is_err(), "kept rows are seen through their relations alone");
    }
}

/// The project with one more column in the mart of arrivals, as a newer program might have it.
fn newer_project() -> Project {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for layer in crate::project::LAYERS {
        for entry in std::fs::read_dir(root.join(layer)).unwrap() {
            let path = entry.unwrap().path();
            let name = format!("{layer}/{}", path.file_name().unwrap().to_string_lossy());
            let mut text = std::fs::read_to_string(&path).unwrap();
            if name == "marts/arrivals.sql" {
                text = text.replace(
                    "    count(*) filter (where is_conflict)",
                    "    count(*) as scans,\n    count(*) filter (where is_conflict)",
                );
            }
            if name == "marts/arrivals.yml" {
                text = text.replace("  - name: conflicts\n", "  - name: scans\n  - name: conflicts\n");
            }
            files.push((name, text));
        }
    }
    Project::from_files(files).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mart_that_means_something_else_is_computed_anew_with_its_new_columns() {
    let mut world = World::new("a newer program");
    let lake = Lake::open(&world.url(), manual()).await.unwrap();
    (0..120).for_each(|_| world.step());
    world.tell(&lake).await;
    runner(&lake).await.run(false).await.unwrap();

    let newer = Runner::new(Arc::new(newer_project()), lake.clone()).await;
    let mart = newer.project().transform("arrivals").unwrap();
    for how in [How::Rebuilt, How::Unchanged] {
        let moment = newer.moment().await.unwrap();
        let (answer, rebuild) = answer_and_rebuild(newer.project(), mart, &moment).await;
        assert!(!answer.is_empty() && answer == rebuild, "{how:?}");
        assert_eq!(newer.run_transform(mart, false).await.unwrap().how, how);
    }
    drop(lake);
    let lake = Lake::open(&world.url(), manual()).await.unwrap();
    let newer = Runner::new(Arc::new(newer_project()), lake.clone()).await;
    world.tell_again(&lake).await;
    let moment = newer.moment().await.unwrap();
    let scans = rows(&moment, "select sum(scans) as scans from kept.\"marts/arrivals\"").await;
    let all = rows(&moment, "select count(*) as scans from lake.check_ins").await;
    assert_eq!(scans, all, "the stored table has the new column");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_forgotten_is_gone_from_the_disk_and_computed_anew() {
    let mut world = World::new("forgetting");
    let lake = Lake::open(&world.url(), manual()).await.unwrap();
    let runner = runner(&lake).await;
    (0..60).for_each(|_| world.step());
    world.tell(&lake).await;
    runner.run(false).await.unwrap();
    let mart = runner.project().transform("sessions").unwrap();
    let folder = world.url().replace("file://", "") + "/marts/sessions";
    let files = || {
        let names = std::fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name());
        names
            .filter(|name| name.to_string_lossy().ends_with(".parquet"))
            .count()
    };
    assert!(files() > 0);
    lake.forget_kept(&[mart.table()], Duration::ZERO).await.unwrap();
    assert_eq!(files(), 0);
    let moment = runner.moment().await.unwrap();
    let (answer, rebuild) = answer_and_rebuild(runner.project(), mart, &moment).await;
    assert!(!answer.is_empty() && answer == rebuild);
    assert_eq!(runner.run_transform(mart, false).await.unwrap().how, How::Rebuilt);
    assert!(files() > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_table_is_left_aside_until_its_folder_is_gone() {
    let mut world = World::new("damage");
    let lake = Lake::open(&world.url(), manual()).await.unwrap();
    (0..60).for_each(|_| world.step());
    world.tell(&lake).await;
    runner(&lake).await.run(false).await.unwrap();
    drop(lake);
    let folder = world.url().replace("file://", "") + "/marts/people";
    for entry in std::fs::read_dir(format!("{folder}/_delta_log")).unwrap() {
        std::fs::write(entry.unwrap().path(), "garbage").unwrap();
    }
    let lake = Lake::open(&world.url(), manual()).await.unwrap();
    let runner = runner(&lake).await;
    world.tell_again(&lake).await;
    let mart = runner.project().transform("people").unwrap();
    let moment = runner.moment().await.unwrap();
    assert!(runner.project().usable(mart, &moment).is_none());
    let (answer, rebuild) = answer_and_rebuild(runner.project(), mart, &moment).await;
    assert!(!answer.is_empty() && answer == rebuild);
    assert!(runner.run_transform(mart, false).await.is_err());
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(runner.run_transform(mart, false).await.unwrap().how, How::Rebuilt);
}
