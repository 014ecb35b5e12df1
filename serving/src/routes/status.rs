use crate::{auth::Identity, problem::Result, wiring::App};
use axum::{Json, extract::State};
use domain::Timestamp;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
pub struct StatusView {
    version: &'static str,
    started_at: String,
    uptime_s: u64,
    /// The last change that the core has committed.
    committed_seq: i64,
    /// The last change that queries see.
    visible_seq: i64,
    /// Changes that are committed and not yet visible.
    behind: i64,
    partitions: Vec<PartitionView>,
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

#[derive(Serialize, ToSchema)]
pub struct LastAudit {
    at: String,
    clean: bool,
    position: i64,
}

/// Show how far each stage has come
#[utoipa::path(get, path = "/v1/status", tag = "operation", responses((status = 200, body = StatusView)))]
pub async fn show_status(State(app): State<Arc<App>>, _: Identity) -> Result<Json<StatusView>> {
    let mut partitions = Vec::new();
    for topic in [ingest::CHANGES, ingest::INTERACTIONS] {
        for partition in 0..app.log.partitions(topic)? {
            let end_offset = app.log.end_offset(topic, partition).await?;
            let committed_offset = app.lake.committed(topic, partition);
            partitions.push(PartitionView {
                topic,
                partition,
                end_offset,
                committed_offset,
            });
        }
    }
    let committed_seq = *app.store.committed_seq().borrow();
    let visible_seq = app.lake.watermark();
    Ok(Json(StatusView {
        version: env!("CARGO_PKG_VERSION"),
        started_at: app.started_at.to_string(),
        uptime_s: Timestamp::now().since(app.started_at).as_secs(),
        committed_seq,
        visible_seq,
        behind: (committed_seq - visible_seq).max(0),
        partitions,
        last_audit: app.last_audit.load().as_deref().map(|(at, clean, position)| LastAudit {
            at: at.clone(),
            clean: *clean,
            position: *position,
        }),
    }))
}
