//! A query's rows as an HTTP body, or as values for our own use.

use crate::problem::{Problem, Result};
use axum::body::Body;
use futures::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use lakehouse::{QueryStream, output};
use serde_json::Value;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Json,
    Csv,
    Arrow,
    Parquet,
    Table,
}

/// The body, once its first bytes are there: so an error of the query is still a problem, and not a body that breaks off.
pub async fn body(rows: QueryStream, format: Format) -> Result<Body> {
    let mut bytes: BoxStream<'static, _> = match format {
        Format::Json => output::to_json(rows),
        Format::Csv => output::to_csv(rows),
        Format::Arrow => output::to_arrow_stream(rows),
        Format::Parquet => output::to_parquet(rows),
        Format::Table => return Ok(Body::from(output::to_table(rows).await? + "\n")),
    };
    let first = bytes.next().await.transpose()?;
    Ok(Body::from_stream(stream::iter(first.map(Ok)).chain(bytes)))
}

/// All rows as JSON objects, for answers that are known to be small.
pub async fn values(rows: QueryStream) -> Result<Vec<Value>> {
    let bytes: Vec<u8> = output::to_json(rows).map_ok(Vec::from).try_concat().await?;
    serde_json::from_slice(&bytes).map_err(Problem::internal)
}
