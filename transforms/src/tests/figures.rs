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
            if let (How::Touched(keys), "arrivals") = (ran.how, ran.model.as_str()) {
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
