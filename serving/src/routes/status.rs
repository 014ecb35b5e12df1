use crate::{auth::Identity, problem::Result, wiring::App};
use axum::{Json, extract::State};
use domain::Timestamp;
use serde::Serialize;
use serde_json::Value;
use std::sync::Arc;
use transactional::Process;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
pub struct StatusView {
    version: &'static str,
    started_at: String,
    uptime_s: u64,
    /// The last change that the core has committed.
    committed_seq: i64,
    /// The last change that the log has.
    relayed_seq: i64,
    /// The last change that queries see: the newest of all processes that answer them.
    visible_seq: i64,
    /// Changes that are committed and not yet visible.
    behind: i64,
    partitions: Vec<PartitionView>,
    processes: Vec<ProcessView>,
    last_audit: Option<LastAudit>,
}

#[derive(Serialize, ToSchema)]
pub struct PartitionView {
    topic: &'static str,
    partition: u32,
    /// The offset that the next record will get.
    end_offset: u64,
    /// Up to here every row is in the lake's files; the rest is in the tail.
    committed_offset: u64,
}

/// A process of this installation, as it told of itself within the last seconds.
#[derive(Serialize, ToSchema)]
pub struct ProcessView {
    process_id: String,
    /// `all`, or roles separated by commas.
    roles: String,
    url: String,
    started_at: String,
    seen_at: String,
    /// The leases that it holds: `relay`, `worker`, `transforms`, `insights`.
    leads: Vec<String>,
    /// The last change that its queries see.
    visible_seq: Option<i64>,
    /// Why it commits nothing at present, if that is so.
    trouble: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct LastAudit {
    at: String,
    clean: bool,
    position: i64,
}

/// Show how far each stage has come, and which processes are there
#[utoipa::path(get, path = "/v1/status", tag = "operation", responses((status = 200, body = StatusView)))]
pub async fn show_status(State(app): State<Arc<App>>, _: Identity) -> Result<Json<StatusView>> {
    let processes = app.store.processes().await?;
    let reports: Vec<Value> = processes.iter().map(report).collect();
    let mut partitions = Vec::new();
    for topic in [ingest::CHANGES, ingest::INTERACTIONS] {
        for partition in 0..app.log.partitions(topic)? {
            let own = app.lake.as_ref().map_or(0, |lake| lake.committed(topic, partition));
            partitions.push(PartitionView {
                topic,
                partition,
                end_offset: app.log.end_offset(topic, partition).await?,
                committed_offset: own.max(told(&reports, topic, partition)),
            });
        }
    }
    let committed_seq = *app.store.committed_seq().borrow();
    let told = reports.iter().filter_map(|report| report["visible_seq"].as_i64()).max();
    let own = app.queries().ok().map(|lake| lake.watermark());
    let visible_seq = own.max(told).unwrap_or(0);
    Ok(Json(StatusView {
        version: env!("CARGO_PKG_VERSION"),
        started_at: app.started_at.to_string(),
        uptime_s: Timestamp::now().since(app.started_at).as_secs(),
        committed_seq,
        relayed_seq: app.store.relay_cursor().await?,
        visible_seq,
        behind: (committed_seq - visible_seq).max(0),
        partitions,
        processes: processes.into_iter().zip(reports).map(view).collect(),
        last_audit: app.last_audit.load().as_deref().map(|(at, clean, position)| LastAudit {
            at: at.clone(),
            clean: *clean,
            position: *position,
        }),
    }))
}

fn report(process: &Process) -> Value {
    serde_json::from_str(&process.report).unwrap_or_default()
}

/// How far any process knows a partition to be committed.
fn told(reports: &[Value], topic: &str, partition: u32) -> u64 {
    let name = format!("{topic}/{partition}");
    let told = reports
        .iter()
        .filter_map(|report| report["committed_offsets"][&name].as_u64());
    told.max().unwrap_or(0)
}

fn view((process, report): (Process, Value)) -> ProcessView {
    let leads = report["leads"].as_array().into_iter().flatten();
    ProcessView {
        process_id: process.process_id,
        roles: process.roles,
        url: process.url,
        started_at: process.started_at.to_string(),
        seen_at: process.seen_at.to_string(),
        leads: leads.filter_map(|lead| lead.as_str().map(str::to_owned)).collect(),
        visible_seq: report["visible_seq"].as_i64(),
        trouble: report["trouble"].as_str().map(str::to_owned),
    }
}
