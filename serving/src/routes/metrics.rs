use super::sql::{accepted, respond};
use crate::{
    auth::Identity,
    extract::Body,
    problem::{Problem, Result},
    wiring::App,
};
use axum::{Json, extract::State, http::HeaderMap, response::Response};
use domain::OrganizerId;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use transforms::metrics::{self, Compare, Filter, Format, Good, Grain, MetricQuery, Time};
use utoipa::ToSchema;

/// A figure that can be asked for.
#[derive(Serialize, ToSchema)]
pub struct MetricView {
    name: &'static str,
    label: &'static str,
    description: &'static str,
    /// What it counts: `minor` (minor units of a currency), `tickets`, `ratio`, `seconds`, …
    unit: &'static str,
    /// `integer`, `decimal`, `money`, `percent` or `duration`
    #[schema(value_type = String)]
    format: Format,
    /// Which change is good news: `up`, `down` or `none`
    #[schema(value_type = String)]
    good: Good,
    /// What it can be asked by. Money is always by `currency` too.
    dimensions: &'static [String],
    /// Whether it can be asked a minute and an hour, and not only a day.
    minutes: bool,
    /// Whether it can be asked of some days; what is of all time cannot.
    days: bool,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MetricQueryInput {
    /// 1 to 20 names.
    #[schema(example = json!(["net_sales", "tickets_sold"]))]
    metrics: Vec<String>,
    /// At most 6. The platform may also ask by `organizer_id`.
    #[serde(default)]
    #[schema(example = json!(["channel"]))]
    dimensions: Vec<String>,
    #[serde(default)]
    filters: Vec<FilterInput>,
    /// The first day, as clocks at the event count it. None: from the beginning.
    #[schema(value_type = Option<String>, example = "2026-05-01")]
    from: Option<chrono::NaiveDate>,
    /// The day after the last one. None: to the end.
    #[schema(value_type = Option<String>, example = "2026-06-01")]
    to: Option<chrono::NaiveDate>,
    /// `minute`, `hour`, `day`, `week` (from Monday) or `month`. None: one figure for the whole range.
    #[schema(value_type = Option<String>, example = "day")]
    grain: Option<Grain>,
    /// `previous` (as many days before) or `year` (52 weeks before): asks for `{metric}_before` too.
    #[schema(value_type = Option<String>, example = json!(null))]
    compare_to: Option<Compare>,
    /// A metric or a dimension, with `-` before it for the largest first. None: by time, then by dimensions.
    #[schema(example = json!(null))]
    order_by: Option<String>,
    /// At most 50,000 rows; 1,000 if nothing is said.
    #[schema(minimum = 1, maximum = 50_000)]
    limit: Option<usize>,
    /// Whose rows; needed by who belongs to several organizers. The platform sees all without it.
    #[schema(value_type = Option<String>)]
    organizer_id: Option<OrganizerId>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FilterInput {
    #[schema(example = "channel")]
    dimension: String,
    /// Rows with one of these values; null is a row without one.
    #[serde(rename = "in")]
    #[schema(example = json!(["online"]))]
    values: Vec<Option<String>>,
}

/// List the metrics
#[utoipa::path(get, path = "/v1/metrics", tag = "lake", responses((status = 200, body = Vec<MetricView>)))]
pub async fn list_metrics(_: Identity) -> Json<Vec<MetricView>> {
    let views = metrics::metrics().iter().map(|metric| MetricView {
        name: &metric.name,
        label: &metric.about.label,
        description: &metric.about.description,
        unit: &metric.about.unit,
        format: metric.about.format,
        good: metric.about.good,
        dimensions: &metric.dimensions,
        minutes: matches!(metric.time, Time::Instant(_)),
        days: metric.time != Time::Whole,
    });
    Json(views.collect())
}

/// Query metrics
///
/// One row for each combination of `at` (with a `grain`: local time, without a zone), the dimensions, and, if one of the
/// metrics is money, `currency`: amounts of different currencies are never added. A metric that has nothing to say of a row
/// is null there. All figures are as of one position, which the header `Bilten-Position` names; formats as for SQL.
#[utoipa::path(post, path = "/v1/metrics/query", tag = "lake", request_body = MetricQueryInput,
    responses((status = 200, description = "the rows", content(
        (Vec<serde_json::Value> = "application/json"), (String = "text/csv"), (String = "text/plain"),
        (Vec<u8> = "application/vnd.apache.arrow.stream"), (Vec<u8> = "application/vnd.apache.parquet"))),
        (status = 403, body = Problem), (status = 422, body = Problem), (status = 504, body = Problem)))]
pub async fn query_metrics(
    State(app): State<Arc<App>>,
    identity: Identity,
    headers: HeaderMap,
    Body(input): Body<MetricQueryInput>,
) -> Result<Response> {
    let accepted = accepted(&headers)?;
    let session = app.session_for(&identity, input.organizer_id)?;
    let filter = |filter: FilterInput| Filter {
        dimension: filter.dimension,
        values: filter.values,
    };
    let query = MetricQuery {
        metrics: input.metrics,
        dimensions: input.dimensions,
        filters: input.filters.into_iter().map(filter).collect(),
        from: input.from,
        to: input.to,
        grain: input.grain,
        compare_to: input.compare_to,
        order_by: input.order_by,
        limit: input.limit,
    };
    let sql = query
        .sql()
        .map_err(|error| Problem::invalid(&error.pointer, &error.message))?;
    let answer = session.sql(&sql).await?;
    respond(answer, accepted).await
}
