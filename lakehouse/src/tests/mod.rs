//! The lake as its users hold it. The suite runs on local files and on an object store; every test has a lake of its own.

mod backends;
mod decoding;
mod limits;
mod local;
#[allow(unreachable_pub, dead_code, reason = "shared with the tests of the whole program")]
#[path = "../../../tests/src/proxy.rs"]
mod proxy;
#[allow(unreachable_pub, dead_code, reason = "shared with the tests of the whole program")]
#[path = "../../../tests/src/random.rs"]
mod random;
mod s3;

use crate::{
    CHANGES, INTERACTIONS, Lake, LakeOptions, Principal, Publish, QueryStream, RecordBatch, Result,
    decode::{Decoder, Envelope, Row},
    table_specs,
    tables::table_index,
};
use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use backends::{Backend, Local, S3};
use domain::OrganizerId;
use std::time::Duration;

/// 2026-05-01T12:00:00Z
pub(super) const NOON: i64 = 1_777_636_800_000_000;

pub(super) fn manual() -> LakeOptions {
    LakeOptions {
        // Commits and upkeep happen when a test asks for them.
        commit_interval: Duration::from_secs(3600),
        ..Default::default()
    }
}

pub(super) fn organizer(n: u64) -> OrganizerId {
    format!("01900000-0000-7000-8000-{n:012}").parse().unwrap()
}

pub(super) fn admin() -> Principal {
    Principal {
        id: "admin".to_owned(),
        organizer: None,
        personal_data: true,
    }
}

pub(super) fn tenant(n: u64) -> Principal {
    Principal {
        id: format!("user-{n}"),
        organizer: Some(organizer(n)),
        personal_data: false,
    }
}

/// A change on its way to the lake.
#[derive(Clone)]
pub(super) struct Told {
    pub(super) table: &'static str,
    pub(super) seq: i64,
    pub(super) organizer: u64,
    pub(super) id: String,
    pub(super) version: i64,
    pub(super) payload: String,
}

pub(super) fn order(seq: i64, organizer: u64, order: &str, version: i64, total_minor: i64) -> Told {
    let payload = format!(
        r#"{{"order_id":"{order}","event_id":"e1","hold_id":null,"person_id":"p1","code":"C{seq}","status":"paid",
        "currency":"EUR","total_minor":{total_minor},"refunded_minor":0,"quantity":1,"reserved":false,"awaits_approval":false,"promo_code_id":null,
        "lines":[{{"ticket_type_id":"t1","quantity":1,"unit_minor":{total_minor},"phase":null,"phase_pool_id":null,
            "discount_minor":0,"fee_minor":0,"fee_included_minor":0,"tax_minor":0,"tax_included_minor":0}}],
        "placed_at":{NOON},"paid_at":{NOON},"cancelled_at":null,"source":null}}"#
    );
    Told {
        table: "order_changes",
        seq,
        organizer,
        id: order.to_owned(),
        version,
        payload,
    }
}

pub(super) fn ticket(seq: i64, organizer: u64, order: &str) -> Told {
    let payload = format!(
        r#"{{"ticket_id":"k{seq}","order_id":"{order}","event_id":"e1","ticket_type_id":"t1","person_id":"p1",
        "status":"valid","price_minor":1250,"currency":"EUR","phase_pool_id":null,"blocked":false,"code_version":1}}"#
    );
    Told {
        table: "ticket_changes",
        seq,
        organizer,
        id: format!("k{seq}"),
        version: 1,
        payload,
    }
}

/// One batch a table; a change's offset is its `seq`, in partition 0.
pub(super) fn publish(changes: &[Told]) -> Publish {
    publish_in(0, changes)
}

pub(super) fn publish_in(partition: u32, changes: &[Told]) -> Publish {
    let mut rows = Vec::new();
    for spec in table_specs().iter().filter(|spec| spec.topic == CHANGES) {
        let mut decoder = Decoder::new(spec).unwrap();
        for change in changes.iter().filter(|change| change.table == spec.name) {
            let organizer = organizer(change.organizer).to_string();
            let change_id = format!("c{}", change.seq);
            let envelope = Envelope {
                seq: change.seq,
                change_id: &change_id,
                change_type: "order.paid",
                schema_version: 1,
                organizer_id: &organizer,
                entity: "order",
                entity_id: &change.id,
                entity_version: change.version,
                occurred_at: NOON,
                recorded_at: NOON + change.seq,
                actor: "test",
                correlation_id: None,
            };
            decoder.push(&Row {
                envelope: Some(envelope),
                value: change.payload.as_bytes(),
                topic: CHANGES,
                partition,
                offset: change.seq as u64,
                ingested_at: NOON,
                reject: None,
            });
        }
        if !decoder.is_empty() {
            rows.push((spec.name, decoder.finish().unwrap()));
        }
    }
    let last = changes.iter().map(|change| change.seq).max().unwrap();
    Publish {
        rows,
        next_offsets: vec![(CHANGES.to_owned(), partition, last as u64 + 1)],
        watermark: Some(last),
    }
}

pub(super) fn interactions(values: &[&[u8]], first_offset: u64) -> Publish {
    interactions_in(0, values, first_offset)
}

pub(super) fn interactions_in(partition: u32, values: &[&[u8]], first_offset: u64) -> Publish {
    let spec = &table_specs()[table_index("interactions").unwrap()];
    let mut decoder = Decoder::new(spec).unwrap();
    for (i, value) in values.iter().enumerate() {
        decoder.push(&Row {
            envelope: None,
            value,
            topic: INTERACTIONS,
            partition,
            offset: first_offset + i as u64,
            ingested_at: NOON,
            reject: None,
        });
    }
    let next = first_offset + values.len() as u64;
    Publish {
        rows: vec![(spec.name, decoder.finish().unwrap())],
        next_offsets: vec![(INTERACTIONS.to_owned(), partition, next)],
        watermark: None,
    }
}

pub(super) fn interaction(organizer_number: u64, n: usize) -> String {
    format!(
        r#"{{"interaction_id":"i{n}","kind":"page_view","organizer_id":"{}","event_id":"e{}","visitor_id":"v{n}",
        "person_id":null,"session_id":"s{}","occurred_at":{NOON},"received_at":{},"url":"https://example.org/e/{n}",
        "referrer":null,"utm_source":null,"utm_medium":null,"utm_campaign":null,"properties":"{{\"n\":{n}}}"}}"#,
        organizer(organizer_number),
        n % 50,
        n / 7,
        NOON + n as i64
    )
}

pub(super) async fn rows(lake: &Lake, principal: &Principal, sql: &str) -> Result<Vec<RecordBatch>> {
    let stream: QueryStream = lake.session(principal).sql(sql).await?;
    stream.collect().await
}

/// The one number that a query answers with.
pub(super) async fn number(lake: &Lake, principal: &Principal, sql: &str) -> i64 {
    let batches = rows(lake, principal, sql).await.unwrap();
    let batch = batches.iter().find(|batch| batch.num_rows() == 1).unwrap();
    arrow::compute::cast(batch.column(0), &arrow::datatypes::DataType::Int64)
        .unwrap()
        .as_primitive::<Int64Type>()
        .value(0)
}

pub(super) async fn table(lake: &Lake, principal: &Principal, sql: &str) -> String {
    crate::output::to_table(lake.session(principal).sql(sql).await.unwrap())
        .await
        .unwrap()
}

/// Where the rows of a table come from that a query would find now, in order; one that is there twice is listed twice.
pub(super) async fn visible(lake: &Lake, index: usize) -> Vec<(i64, i64)> {
    let view = lake.view();
    let (table, spec) = (&view.tables[index], lake.inner.tables[index].store.spec);
    let state = lake.inner.engine.state(None, 64 << 20).unwrap();
    let mut batches = Vec::new();
    if !table.snapshot.files.is_empty() {
        let files = crate::scan::scan_stored(&state, spec, &table.snapshot.files).unwrap();
        batches = datafusion::physical_plan::collect(files, state.task_ctx())
            .await
            .unwrap();
    }
    batches.extend(table.tail(false).chain(table.tail(true)).cloned());
    let mut rows: Vec<(i64, i64)> = batches
        .iter()
        .flat_map(|batch| crate::decode::origins(batch).unwrap())
        .collect();
    rows.sort_unstable();
    rows
}
