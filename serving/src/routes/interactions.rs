use crate::{
    extract::{ClientAddress, batch},
    problem::{Problem, Result},
    wiring::App,
};
use axum::{
    Json,
    extract::{Request, State},
    http::header,
};
use ingest::collector::{Answer, BatchFormat};
use std::sync::Arc;

/// Send interactions
///
/// One JSON object, an array, or NDJSON (`application/x-ndjson`), gzip if you like. Each item is taken or refused by
/// itself; what was taken is durable. The answer names those that were not.
#[utoipa::path(post, path = "/v1/interactions", tag = "storefront", security(()),
    request_body(content((serde_json::Value = "application/json"), (String = "application/x-ndjson"))),
    responses((status = 200, body = serde_json::Value), (status = 400, body = Problem), (status = 413, body = Problem)))]
pub async fn collect(
    State(app): State<Arc<App>>,
    ClientAddress(address): ClientAddress,
    request: Request,
) -> Result<Json<Answer>> {
    app.limits.public(address)?;
    let content_type = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("");
    let format = match content_type.split(';').next().unwrap_or("").trim() {
        "application/x-ndjson" | "application/ndjson" => BatchFormat::NdJson,
        "application/json" => BatchFormat::Json,
        _ => {
            let detail = "send application/json or application/x-ndjson";
            return Err(Problem::new("unsupported_media_type", detail));
        }
    };
    let body = batch(request, &app).await?;
    Ok(Json(app.collector.collect(&body, format).await?))
}
