use super::*;
use arrow::array::Array;

fn decode(values: &[&[u8]]) -> RecordBatch {
    interactions(values, 0).rows.remove(0).1
}

#[test]
fn a_bad_record_becomes_one_reject_with_its_bytes_and_its_neighbours_stay_good() {
    let good = interaction(1, 7);
    let missing = good.replace(r#""visitor_id":"v7","#, "");
    let null = good.replace(r#""visitor_id":"v7""#, r#""visitor_id":null"#);
    let number = good.replace(r#""visitor_id":"v7""#, r#""visitor_id":7"#);
    let noon = good.replace(&format!(r#""occurred_at":{NOON}"#), r#""occurred_at":"noon""#);
    let huge = good.replace(
        &format!(r#""occurred_at":{NOON}"#),
        r#""occurred_at":9223372036854775807"#,
    );
    let two = format!("{good}{good}");
    let cut = &good[..good.len() - 1];
    let deep = "[".repeat(100_000);
    let bad: Vec<&[u8]> = vec![
        b"",
        b"null",
        b"[]",
        b"17",
        b"garbage",
        b"\xff\xfe\x00",
        b"{}",
        missing.as_bytes(),
        null.as_bytes(),
        number.as_bytes(),
        noon.as_bytes(),
        huge.as_bytes(),
        two.as_bytes(),
        cut.as_bytes(),
        deep.as_bytes(),
    ];
    for value in bad {
        let batch = decode(&[good.as_bytes(), value, good.as_bytes()]);
        let name = String::from_utf8_lossy(&value[..value.len().min(60)]).into_owned();
        let errors = batch.column_by_name("_error").unwrap();
        assert_eq!(
            [0, 1, 2].map(|row| errors.is_valid(row)),
            [false, true, false],
            "{name}"
        );
        assert_eq!(
            batch.column_by_name("_raw").unwrap().as_binary::<i32>().value(1),
            value,
            "{name}"
        );
        let visitors = batch.column_by_name("visitor_id").unwrap().as_string::<i32>();
        assert_eq!(
            (visitors.value(0), visitors.is_null(1), visitors.value(2)),
            ("v7", true, "v7"),
            "{name}"
        );
    }
}

#[test]
fn a_decoder_is_as_good_as_new_after_a_bad_batch() {
    let spec = &table_specs()[table_index("interactions").unwrap()];
    let mut decoder = Decoder::new(spec).unwrap();
    let good = interaction(1, 1);
    for value in ["{\"a\":", good.as_str()] {
        decoder.push(&Row {
            envelope: None,
            value: value.as_bytes(),
            topic: INTERACTIONS,
            partition: 3,
            offset: 9,
            ingested_at: NOON,
            reject: None,
        });
        let batch = decoder.finish().unwrap();
        assert_eq!(batch.num_rows(), 1);
        assert_eq!(
            batch.column_by_name("_error").unwrap().null_count(),
            usize::from(value == good)
        );
    }
    assert!(decoder.is_empty());
}

#[test]
fn unknown_fields_are_left_out_and_unknown_changes_have_only_an_envelope() {
    let more = interaction(1, 1).replacen('{', r#"{"new_field":{"a":[1,2]},"#, 1);
    assert_eq!(
        decode(&[more.as_bytes()])
            .column_by_name("_error")
            .unwrap()
            .null_count(),
        1
    );
    let spec = &table_specs()[table_index(crate::UNROUTED).unwrap()];
    let mut decoder = Decoder::new(spec).unwrap();
    for (value, reject) in [
        (&b"{\"anything\":1}"[..], None),
        (b"x", Some("no such change type")),
        (b"[1", None),
    ] {
        decoder.push(&Row {
            envelope: None,
            value,
            topic: CHANGES,
            partition: 0,
            offset: 0,
            ingested_at: NOON,
            reject,
        });
    }
    let batch = decoder.finish().unwrap();
    let errors = batch.column_by_name("_error").unwrap().as_string::<i32>().clone();
    assert_eq!(
        errors.iter().flatten().count(),
        3,
        "a change without headers is a reject in every table"
    );
    assert_eq!(errors.value(1), "no such change type");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rejects_are_committed_with_the_good_rows_and_seen_only_as_rejects() {
    let place = Local::create();
    let lake = Lake::open(&place.url(), manual()).await.unwrap();
    let good = interaction(1, 1);
    lake.publish(interactions(&[good.as_bytes(), b"garbage", good.as_bytes()], 0))
        .await
        .unwrap();
    for _ in 0..2 {
        assert_eq!(number(&lake, &admin(), "select count(*) from interactions").await, 2);
        assert_eq!(number(&lake, &admin(), "select count(*) from rejects").await, 1);
        let reject = "select _offset from rejects where table_name = 'interactions' and _raw = 'garbage'";
        assert_eq!(number(&lake, &admin(), reject).await, 1);
        assert_eq!(number(&lake, &tenant(1), "select count(*) from rejects").await, 0);
        lake.flush().await.unwrap();
    }
    let interactions = table_index("interactions").unwrap();
    let view = lake.view();
    let snapshot = &view.tables[interactions].snapshot;
    assert_eq!((snapshot.version, snapshot.files.len(), snapshot.rows()), (1, 2, 3));
    assert_eq!(lake.committed(INTERACTIONS, 0), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_an_unknown_kind_keeps_its_envelope() {
    let place = Local::create();
    let lake = Lake::open(&place.url(), manual()).await.unwrap();
    let unknown = |seq, payload: &str| Told {
        table: crate::UNROUTED,
        payload: payload.to_owned(),
        ..order(seq, 1, "x", 1, 1)
    };
    lake.publish(publish(&[unknown(1, r#"{"any":{"thing":[1]}}"#), unknown(2, "{}")]))
        .await
        .unwrap();
    lake.publish(publish(&[unknown(3, "{}"), unknown(4, "garbage")]))
        .await
        .unwrap();
    lake.flush().await.unwrap();
    assert_eq!(
        number(&lake, &tenant(1), "select sum(seq) from unrouted_changes").await,
        6
    );
    assert_eq!(
        number(
            &lake,
            &tenant(1),
            "select seq from rejects where change_type = 'order.paid'"
        )
        .await,
        4
    );
}
