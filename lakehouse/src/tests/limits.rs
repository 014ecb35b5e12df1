use super::*;
use crate::{Error, ErrorKind};
use futures::StreamExt;

const ENDLESS: &str = "select count(*) from generate_series(1, 100000) a, generate_series(1, 100000) b
                       where (a.value * b.value) % 7 = 3";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_ends_at_its_time_limit() {
    let place = Local::create();
    let lake = Lake::open(
        &place.url(),
        LakeOptions {
            query_timeout: Duration::from_millis(300),
            ..manual()
        },
    )
    .await
    .unwrap();
    let started = std::time::Instant::now();
    let answer = rows(&lake, &admin(), ENDLESS).await;
    assert!(matches!(answer, Err(Error::Timeout(_))), "{answer:?}");
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_ends_at_its_memory_limit() {
    let place = Local::create();
    let lake = Lake::open(
        &place.url(),
        LakeOptions {
            query_memory_bytes: 2 << 20,
            ..manual()
        },
    )
    .await
    .unwrap();
    let sql = "select max(cardinality(a)) from (select array_agg(value) as a from generate_series(1, 5000000))";
    let answer = rows(&lake, &admin(), sql).await;
    assert!(
        answer
            .as_ref()
            .is_err_and(|error| error.kind() == ErrorKind::ResourcesExhausted),
        "{answer:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queries_beyond_the_slots_wait_and_a_dropped_one_makes_room() {
    let place = Local::create();
    let options = LakeOptions {
        query_slots: 1,
        query_queue: Duration::from_millis(100),
        ..manual()
    };
    let lake = Lake::open(&place.url(), options).await.unwrap();
    let running = lake.session(&admin()).sql(ENDLESS).await.unwrap();
    let refused = rows(&lake, &admin(), "select 1").await;
    assert!(matches!(refused, Err(Error::Busy)), "{refused:?}");
    drop(running);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(number(&lake, &admin(), "select 1").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_reads_on_in_its_view_while_the_lake_moves() {
    let place = Local::create();
    let lake = Lake::open(&place.url(), manual()).await.unwrap();
    lake.publish(publish(&[order(1, 1, "o1", 1, 1)])).await.unwrap();
    let mut early = lake
        .session(&admin())
        .sql("select seq from order_changes")
        .await
        .unwrap();
    lake.publish(publish(&[order(2, 1, "o2", 1, 1)])).await.unwrap();
    lake.flush().await.unwrap();
    let mut rows = 0;
    while let Some(batch) = early.next().await {
        rows += batch.unwrap().num_rows();
    }
    assert_eq!((rows, early.watermark()), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_of_absurd_size_or_depth_is_refused() {
    let place = Local::create();
    let lake = Lake::open(&place.url(), manual()).await.unwrap();
    let long = format!("select {}", "1+".repeat(60_000));
    let deep = format!("select {}1{}", "(".repeat(9_000), ")".repeat(9_000));
    for sql in [long, deep] {
        let refused = rows(&lake, &admin(), &sql).await;
        assert!(refused.is_err_and(|error| error.kind() == ErrorKind::Invalid));
    }
}

#[test]
fn a_full_disk_is_told_apart() {
    let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
    assert!(matches!(Error::from(full), Error::DiskFull));
    let nested = deltalake::ObjectStoreError::Generic {
        store: "LocalFileSystem",
        source: Box::new(std::io::Error::from_raw_os_error(28)),
    };
    assert!(matches!(
        Error::from(deltalake::DeltaTableError::from(nested)),
        Error::DiskFull
    ));
    assert!(matches!(
        Error::from(std::io::Error::other("cable")),
        Error::Unavailable(_)
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_chains_and_functions_that_make_gigabytes_are_answered_or_refused_and_the_process_lives() {
    let place = Local::create();
    let lake = Lake::open(&place.url(), manual()).await.unwrap();
    for chain in ["1+1", "1 or 1=1", "1 union all select 1"] {
        let (first, rest) = chain.split_at(1);
        let sql = format!("select {first}{}", rest.repeat(15_000 / rest.len()));
        // Either is right; what is not is the end of the process.
        let _ = lake.session(&tenant(1)).sql(&sql).await;
    }
    for call in [
        "repeat('x', 2000000000)",
        "lpad('x', 2000000000)",
        "array_repeat(1, 2000000000)",
        "range(2000000000)",
    ] {
        let refused = lake.session(&tenant(1)).sql(&format!("select {call}")).await;
        assert!(matches!(refused, Err(Error::InvalidQuery(_))), "{call}");
    }
    assert_eq!(number(&lake, &admin(), "select 1").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sum_is_right_or_an_error_and_never_wraps_around() {
    let place = Local::create();
    let lake = Lake::open(&place.url(), manual()).await.unwrap();
    const MOST: &str = "(values (9223372036854775807, 1), (1, 1), (7, 2), (null, 3)) t (x, g)";
    for (sum, rest) in [
        ("sum(x)", ""),
        ("sum(distinct x)", ""),
        ("sum(x) filter (where g < 3)", ""),
        ("sum(x)", "group by g"),
        ("sum(x) over ()", ""),
        ("sum(x) over (order by g rows between 1 preceding and current row)", ""),
    ] {
        let refused = rows(&lake, &admin(), &format!("select {sum} as s from {MOST} {rest}")).await;
        let Err(Error::InvalidQuery(why)) = &refused else {
            panic!("{sum}: {refused:?}");
        };
        assert!(why.message.contains("larger than a bigint"), "{why}");
    }
    let right = async |what: &str| number(&lake, &admin(), &format!("select {what}")).await;
    assert_eq!(
        right("sum(x) from (values (9223372036854775806), (1), (null)) t (x)").await,
        i64::MAX
    );
    assert_eq!(
        right("sum(x) from (values (9223372036854775807), (9), (-9)) t (x)").await,
        i64::MAX
    );
    assert_eq!(
        right("sum(distinct x) from (values (2), (2), (3), (null)) t (x)").await,
        5
    );
    assert_eq!(
        right("coalesce(sum(x), -1) from (values (1)) t (x) where x > 1").await,
        -1
    );
    assert_eq!(
        right("sum(x) filter (where x > 1) from (values (1), (2), (3)) t (x)").await,
        5
    );
    let slid = "max(s) from (select sum(x) over (order by x rows between 1 preceding and current row) as s
                from (values (1), (2), (3)) t (x))";
    assert_eq!(right(slid).await, 5);
    let wide = "cast(sum(cast(x as decimal(38, 0))) / 2 as bigint) from (values (9223372036854775807), (1)) t (x)";
    assert_eq!(right(wide).await, 1 << 62);
    // More groups than the first phase keeps: rows go to the second one as they are.
    let many =
        "cast(sum(s) as bigint) from (select sum(value % 3) as s from generate_series(1, 300000) group by value)";
    assert_eq!(right(many).await, 300_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn functions_that_make_much_of_little_fail_before_they_do() {
    let place = Local::create();
    let lake = Lake::open(&place.url(), manual()).await.unwrap();
    let hundred = "x".repeat(100);
    let longer = |call: &str| (0..6).fold("'xxxx'".to_owned(), |text, _| call.replace("{}", &text));
    let nested = (0..8).fold("make_array(1, 2)".to_owned(), |list, _| {
        format!(
            "(select make_array({}) as l from (select {list} as l))",
            vec!["l"; 60].join(", ")
        )
    });
    let amplified = [
        format!("select length({})", longer(&format!("replace({{}}, 'x', '{hundred}')"))),
        format!(
            "select length({})",
            longer(&format!("regexp_replace({{}}, 'x', '{hundred}', 'g')"))
        ),
        format!("select cardinality(l) from (select {nested} as l)"),
    ];
    for sql in amplified {
        let answer = rows(&lake, &tenant(1), &sql).await;
        assert!(
            answer
                .as_ref()
                .is_err_and(|error| error.kind() == ErrorKind::ResourcesExhausted),
            "{answer:?}"
        );
    }
    for (sql, right) in [
        ("select length(replace('a-b-c', '-', ', '))", 7),
        ("select length(regexp_replace('a1b22', '[0-9]+', '#', 'g'))", 4),
        ("select length(concat_ws('|', 'a', 'b', 'c'))", 5),
        ("select length(array_to_string(['a', 'b'], ', '))", 4),
        ("select cardinality(array_append([1, 2], 3))", 3),
    ] {
        assert_eq!(number(&lake, &tenant(1), sql).await, right, "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_doubles_at_every_step_is_refused_before_it_is_planned() {
    let place = Local::create();
    let lake = Lake::open(&place.url(), manual()).await.unwrap();
    let doubled = |steps: usize| {
        let more = (1..=steps).map(|step| {
            let before = step - 1;
            format!(", c{step} as (select * from c{before} x join c{before} y using (n))")
        });
        let more: String = more.collect();
        format!("with c0 as (select 1 as n){more} select count(*) from c{steps}")
    };
    assert_eq!(number(&lake, &tenant(1), &doubled(5)).await, 1);
    for sql in [doubled(22), format!("select 1{}", " union all select 1".repeat(400))] {
        let answer = rows(&lake, &tenant(1), &sql).await;
        assert!(
            answer.as_ref().is_err_and(|error| error.kind() == ErrorKind::Invalid),
            "{answer:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn whoever_asks_much_leaves_turns_to_others() {
    let place = Local::create();
    let options = LakeOptions {
        query_slots: 3,
        query_queue: Duration::from_millis(100),
        ..manual()
    };
    let lake = Lake::open(&place.url(), options).await.unwrap();
    let one = lake.session(&tenant(1)).sql(ENDLESS).await.unwrap();
    let two = lake.session(&tenant(1)).sql(ENDLESS).await.unwrap();
    let third = rows(&lake, &tenant(1), "select 1").await;
    assert!(matches!(third, Err(Error::Busy)), "{third:?}");
    drop(one);
    assert_eq!(number(&lake, &tenant(2), "select 1").await, 1);
    drop(two);
}
