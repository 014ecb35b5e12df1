use crate::{figures, redact::redact, wiring::App};
use axum::{
    Json,
    extract::State,
    http::{HeaderName, StatusCode, header},
};
use serde::Serialize;
use std::{fs, io, path::Path, sync::Arc};
use tokio::task::spawn_blocking;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
pub struct Readiness {
    ready: bool,
    role: String,
    store: ComponentState,
    log: ComponentState,
    /// Where the process's roles need the lake.
    #[serde(skip_serializing_if = "Option::is_none")]
    lake: Option<ComponentState>,
    /// The data folder, if database and log are in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    disk: Option<ComponentState>,
}

#[derive(Serialize, ToSchema)]
pub struct ComponentState {
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl<E: std::fmt::Display> From<Result<(), E>> for ComponentState {
    fn from(result: Result<(), E>) -> Self {
        Self {
            ok: result.is_ok(),
            // Anybody may ask.
            error: result.err().map(|error| redact(&error.to_string())),
        }
    }
}

/// Tell that the process is alive
#[utoipa::path(get, path = "/healthz", tag = "operation", security(()), responses((status = 200, body = String)))]
pub async fn healthz() -> &'static str {
    "ok"
}

/// Tell whether store, log and lake are reachable, and the data folder can be written
#[utoipa::path(get, path = "/readyz", tag = "operation", security(()),
    responses((status = 200, body = Readiness), (status = 503, body = Readiness)))]
pub async fn readyz(State(app): State<Arc<App>>) -> (StatusCode, Json<Readiness>) {
    let store: ComponentState = app.store.read().await.map(drop).into();
    let log: ComponentState = app.log.end_offset(ingest::CHANGES, 0).await.map(drop).into();
    let principal = lakehouse::Principal {
        id: "readyz".into(),
        organizer: None,
        personal_data: false,
    };
    let lake: Option<ComponentState> = match (app.queries(), &app.lake) {
        (Ok(lake), _) => Some(lake.session(&principal).sql("select 1").await.map(drop).into()),
        (Err(_), Some(lake)) => Some(lake.trouble().map_or(Ok(()), Err).into()),
        (Err(_), None) => None,
    };
    let disk = match app.data_folder.clone() {
        Some(folder) => Some(
            spawn_blocking(move || write_probe(&folder))
                .await
                .unwrap_or_else(|failed| Err(failed.into()))
                .into(),
        ),
        None => None,
    };
    let ready = store.ok && log.ok && [&lake, &disk].into_iter().flatten().all(|part| part.ok);
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (
        status,
        Json(Readiness {
            ready,
            role: app.roles.to_string(),
            store,
            log,
            lake,
            disk,
        }),
    )
}

/// Less room than this is none: a command may need more.
const PROBE: usize = 256 << 10;

/// Writes a file as the database would have to, and takes it away. Two at once do each other no harm.
fn write_probe(folder: &Path) -> io::Result<()> {
    let path = folder.join(".ready");
    let written = fs::write(&path, vec![0; PROBE]);
    let removed = fs::remove_file(&path);
    written?;
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Show figures for Prometheus
#[utoipa::path(get, path = "/metrics", tag = "operation", security(()), responses((status = 200, body = String)))]
pub async fn prometheus(State(app): State<Arc<App>>) -> ([(HeaderName, &'static str); 1], String) {
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4")],
        figures::text(&app).await,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_can_not_be_written_is_told_apart_and_nothing_stays_in_one_that_can() {
        let folder = tempfile::tempdir().unwrap();
        write_probe(folder.path()).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(write_probe(&folder.path().join("is not there")).is_err());
    }
}
