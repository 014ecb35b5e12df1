//! The suite on SQLite, and what SQLite alone does.

use super::*;

type World = super::World<Sqlite>;

#[path = "suite/mod.rs"]
mod suite;

#[cfg(unix)]
#[tokio::test]
async fn the_database_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::with_capacity(1).await;
    let path = world.database.folder().join("core.db");
    assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn a_full_disk_is_a_typed_error_for_all_and_the_writer_goes_on_when_there_is_room() {
    let world = World::with_capacity(1_000_000).await;
    let limit = |pages: &'static str| {
        world.write(move |tx| Box::pin(async move { crate::sql::execute(tx, pages, vec![]).await }))
    };
    limit("pragma max_page_count = 1").await.unwrap();
    let mut full = 0;
    for _ in 0..200 {
        let results = futures::future::join_all((0..10).map(|_| world.hold(1))).await;
        full = results
            .iter()
            .filter(|result| matches!(result, Err(Error::Full(_))))
            .count();
        if full > 0 {
            break;
        }
    }
    assert!(full > 0, "the database can't grow");
    world.assert_sound().await;
    limit("pragma max_page_count = 1000000").await.unwrap();
    world.hold(1).await.unwrap();
    world.assert_sound().await;
}

#[tokio::test]
async fn no_byte_of_the_database_knows_an_erased_person() {
    let world = World::with_capacity(10_000).await;
    let email = |n: i32| format!("visitor-{n:04}.qx71@forget.example.org");
    let mut people = Vec::new();
    // Enough that pages of the tables and their indexes are split and merged.
    for n in 0..300 {
        let hold = world.hold(1).await.unwrap();
        people.push(world.checkout(&hold, &email(n)).await.unwrap().order.person_id);
    }
    let stands = |text: &str| {
        let files = std::fs::read_dir(world.database.folder()).unwrap();
        let has = |bytes: Vec<u8>| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        files
            .filter(|file| has(std::fs::read(file.as_ref().unwrap().path()).unwrap()))
            .count()
    };
    assert!(stands(&email(7)) > 0);
    for person in people.iter().step_by(2).copied() {
        let asked = world.write(move |tx| Box::pin(crate::erasure::request(tx, person, Duration::ZERO)));
        crate::erasure::erase(&world.store, &asked.await.unwrap())
            .await
            .unwrap();
    }
    crate::erasure::scrub(&world.store).await.unwrap();
    for n in (0..300).step_by(2) {
        assert_eq!((stands(&email(n)), stands(&email(n + 1)) > 0), (0, true), "{n}");
    }
    world.assert_sound().await;
}
