use super::*;
use crate::output::{to_arrow_stream, to_csv, to_json, to_parquet};
use bytes::Bytes;
use futures::{TryStreamExt, stream::BoxStream};

async fn bytes(chunks: BoxStream<'static, Result<Bytes>>) -> Vec<u8> {
    chunks.try_collect::<Vec<Bytes>>().await.unwrap().concat()
}

const SQL: &str = "select seq, order_id, occurred_at, cancelled_at, lines, total_minor / 2.0 as half
                   from order_changes where seq <= 2 order by seq";
const NONE: &str = "select seq, occurred_at from order_changes where seq > 100";

async fn lake() -> (Place, Lake) {
    let (place, url) = place();
    let lake = Lake::open(&url, manual()).await.unwrap();
    lake.publish(publish(&[order(1, 1, "o,1", 1, 100), order(2, 1, "o2", 1, 5)]))
        .await
        .unwrap();
    (place, lake)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn json_is_an_array_of_objects_with_times_as_rfc_3339_in_microseconds() {
    let (_place, lake) = lake().await;
    let session = lake.session(&admin());
    let json: serde_json::Value =
        serde_json::from_slice(&bytes(to_json(session.sql(SQL).await.unwrap())).await).unwrap();
    assert_eq!(
        json[0],
        serde_json::json!({
            "seq": 1, "order_id": "o,1", "occurred_at": "2026-05-01T12:00:00.000000Z", "cancelled_at": null,
            "lines": [{"ticket_type_id": "t1", "quantity": 1, "unit_minor": 100, "phase": null, "phase_pool_id": null,
                "discount_minor": 0, "fee_minor": 0, "fee_included_minor": 0, "tax_minor": 0,
                "tax_included_minor": 0}],
            "half": 50.0
        })
    );
    assert_eq!(json.as_array().unwrap().len(), 2);
    assert_eq!(bytes(to_json(session.sql(NONE).await.unwrap())).await, b"[]");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn csv_has_a_header_even_without_rows_and_lists_as_json() {
    let (_place, lake) = lake().await;
    let session = lake.session(&admin());
    let csv = String::from_utf8(bytes(to_csv(session.sql(SQL).await.unwrap())).await).unwrap();
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines[0], "seq,order_id,occurred_at,cancelled_at,lines,half");
    let begin = r#"2,o2,2026-05-01T12:00:00.000000Z,,"[{""ticket_type_id"":""t1"",""quantity"":1,""unit_minor"":5,"#;
    assert!(
        lines[2].starts_with(begin) && lines[2].ends_with(r#":0}]",2.5"#),
        "{}",
        lines[2]
    );
    let none = bytes(to_csv(session.sql(NONE).await.unwrap())).await;
    assert_eq!(String::from_utf8(none).unwrap(), "seq,occurred_at\n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn arrow_and_parquet_give_back_the_same_rows() {
    let (_place, lake) = lake().await;
    let session = lake.session(&admin());
    let expected = session.sql(SQL).await.unwrap().collect().await.unwrap();
    let expected = arrow::compute::concat_batches(expected[0].schema_ref(), &expected).unwrap();
    let stream = bytes(to_arrow_stream(session.sql(SQL).await.unwrap())).await;
    let read: Vec<RecordBatch> = arrow::ipc::reader::StreamReader::try_new(stream.as_slice(), None)
        .unwrap()
        .map(|batch| batch.unwrap())
        .collect();
    assert_eq!(
        arrow::compute::concat_batches(expected.schema_ref(), &read).unwrap(),
        expected
    );
    let file = Bytes::from(bytes(to_parquet(session.sql(SQL).await.unwrap())).await);
    let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReader::try_new(file, 100).unwrap();
    let read: Vec<RecordBatch> = reader.map(|batch| batch.unwrap()).collect();
    assert_eq!(read[0].columns(), expected.columns());
    assert!(!bytes(to_parquet(session.sql(NONE).await.unwrap())).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_for_a_terminal_is_cut_and_says_so() {
    let (_place, lake) = lake().await;
    let shown = table(
        &lake,
        &admin(),
        "select seq, occurred_at from order_changes order by seq",
    )
    .await;
    assert!(shown.contains("| 1   | 2026-05-01T12:00:00.000000Z |"), "{shown}");
    let long = table(&lake, &admin(), "select value from generate_series(1, 10001)").await;
    assert!(long.ends_with("(cut after 10000 rows)"));
    let none = table(&lake, &admin(), NONE).await;
    assert!(none.contains("occurred_at"), "{none}");
}
