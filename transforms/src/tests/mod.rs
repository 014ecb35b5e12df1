//! The project on a lake of its own, fed by a world that makes up histories.

mod chance;
mod figures;
mod metrics;
mod random;
mod world;

use crate::{Project, Runner, project::Transform};
use lakehouse::{
    Lake, LakeOptions, RecordBatch,
    arrow::json::{WriterBuilder, writer::LineDelimited},
    relations::Moment,
};
use std::{sync::Arc, time::Duration};

/// Commits happen when a test asks for them.
fn manual() -> LakeOptions {
    LakeOptions {
        commit_interval: Duration::from_secs(3600),
        follow_interval: Duration::from_secs(3600),
        fsync: false,
        ..Default::default()
    }
}

async fn runner(lake: &Lake) -> Runner {
    let project = Arc::new(Project::load().unwrap());
    Runner::new(project, lake.clone()).await
}

/// Rows as text, in an order that does not depend on theirs.
fn lines(batches: &[RecordBatch]) -> Vec<String> {
    let mut writer = WriterBuilder::new()
        .with_explicit_nulls(true)
        .build::<_, LineDelimited>(Vec::new());
    batches.iter().for_each(|batch| writer.write(batch).unwrap());
    writer.finish().unwrap();
    let text = String::from_utf8(writer.into_inner()).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

async fn rows(moment: &Moment, sql: &str) -> Vec<String> {
    let rows = moment.rows(sql).await;
    lines(&rows.unwrap_or_else(|error| panic!("{error}\n{sql}")))
}

/// What a transform answers, and what a rebuild of everything would give at the same moment.
async fn answer_and_rebuild(project: &Project, transform: &Transform, moment: &Moment) -> (Vec<String>, Vec<String>) {
    let columns = transform.column_list();
    let answer = format!("select {columns} from {}.{}", transform.layer, transform.name);
    let rebuild = format!("select {columns} from ({})", project.whole(transform));
    (rows(moment, &answer).await, rows(moment, &rebuild).await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_make_up_the_whole_and_a_busy_day_has_several() {
    let mut world = world::World::new("parts");
    let lake = Lake::open(&world.url(), manual()).await.unwrap();
    let runner = runner(&lake).await;
    (0..400).for_each(|_| world.step());
    world.tell(&lake).await;
    let moment = runner.moment().await.unwrap();
    let project = runner.project();
    for transform in project.transforms().iter().filter(|transform| transform.is_kept()) {
        let (mut together, columns) = (Vec::new(), transform.column_list());
        for part in project.in_parts(transform, &moment).await.unwrap() {
            together.extend(rows(&moment, &format!("select {columns} from ({part})")).await);
        }
        together.sort_unstable();
        let whole = format!("select {columns} from ({})", project.whole(transform));
        assert_eq!(together, rows(&moment, &whole).await, "{}", transform.name);
    }
    let sessions = project.transform("sessions").unwrap();
    let parts = project.in_parts(sessions, &moment).await.unwrap();
    assert!(
        parts.iter().any(|part| part.contains("right(session_id, 2) > ")),
        "{parts:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mart_that_failed_rests_before_it_is_tried_again() {
    let mut world = world::World::new("failures");
    let lake = Lake::open(&world.url(), manual()).await.unwrap();
    let runner = runner(&lake).await;
    (0..20).for_each(|_| world.step());
    world.tell(&lake).await;
    // A file stands where the first mart's folder has to be.
    let kept = runner
        .project()
        .transforms()
        .iter()
        .find(|transform| transform.is_kept());
    let kept = kept.unwrap();
    let place = format!("{}/marts/{}", world.url().trim_start_matches("file://"), kept.name);
    let place = std::path::PathBuf::from(place);
    std::fs::create_dir_all(place.parent().unwrap()).unwrap();
    std::fs::write(&place, "").unwrap();
    let how = async || {
        let due = runner.run_due().await.into_iter();
        due.filter(|(name, _)| *name == kept.name)
            .map(|(_, ran)| ran.is_ok())
            .next()
    };
    assert_eq!(how().await, Some(false));
    std::fs::remove_file(&place).unwrap();
    assert_eq!(how().await, None, "it rests");
    assert!(runner.rest(&kept.name) > Duration::ZERO);
    tokio::time::sleep(runner.rest(&kept.name)).await;
    assert_eq!(how().await, Some(true));
    assert_eq!(runner.rest(&kept.name), Duration::ZERO);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_ends_at_its_time_limit_and_marts_answer_without_it() {
    let mut world = world::World::new("time limits");
    let no_time = LakeOptions {
        run_timeout: Duration::ZERO,
        ..manual()
    };
    let lake = Lake::open(&world.url(), no_time).await.unwrap();
    let runner = runner(&lake).await;
    (0..200).for_each(|_| world.step());
    world.tell(&lake).await;
    let sales = runner.project().transform("sales").unwrap();
    let ran = runner.run_transform(sales, false).await;
    assert!(matches!(ran, Err(lakehouse::Error::Timeout(_))), "{ran:?}");
    let moment = runner.moment().await.unwrap();
    let (answer, rebuild) = answer_and_rebuild(runner.project(), sales, &moment).await;
    assert!(!answer.is_empty());
    assert_eq!(answer, rebuild);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_test_of_the_project_passes_on_a_made_up_history() {
    let mut world = world::World::new("tests of transforms");
    let lake = Lake::open(&world.url(), manual()).await.unwrap();
    let runner = runner(&lake).await;
    for round in 0..3 {
        (0..60).for_each(|_| world.step());
        world.tell(&lake).await;
        match round {
            0 => drop(runner.run(false).await.unwrap()),
            1 => {}
            _ => {
                assert!(runner.run_due().await.iter().any(|(_, ran)| ran.is_ok()));
                assert!(runner.run_due().await.is_empty(), "nothing has come since");
            }
        }
        let mut failed = Vec::new();
        for transform in runner.project().transforms() {
            let checked = runner.check_transform(transform).await.unwrap();
            failed.extend(checked.into_iter().filter(|checked| checked.finding.is_some()));
        }
        assert!(failed.is_empty(), "{failed:#?}");
    }
}
