//! A query's rows as an HTTP body, or as values for our own use.

use crate::problem::{Problem, Result};
use axum::{
    BoxError,
    body::{Body, Bytes},
};
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
    let bytes = match format {
        Format::Json => output::to_json(rows),
        Format::Csv => output::to_csv(rows),
        Format::Arrow => output::to_arrow_stream(rows),
        Format::Parquet => output::to_parquet(rows),
        Format::Table => return Ok(Body::from(output::to_table(rows).await? + "\n")),
    };
    streamed(bytes).await
}

/// The same of bytes from elsewhere. What compresses an answer may ask once more after the end, so that is allowed.
pub async fn streamed<E>(mut bytes: BoxStream<'static, Result<Bytes, E>>) -> Result<Body>
where
    E: Into<Problem> + Into<BoxError> + Send + 'static,
{
    let first = bytes.next().await.transpose().map_err(Into::<Problem>::into)?;
    Ok(Body::from_stream(stream::iter(first.map(Ok)).chain(bytes).fuse()))
}

/// All rows as JSON objects, for answers that are known to be small.
pub async fn values(rows: QueryStream) -> Result<Vec<Value>> {
    let bytes: Vec<u8> = output::to_json(rows).map_ok(Vec::from).try_concat().await?;
    serde_json::from_slice(&bytes).map_err(Problem::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_answer_may_be_asked_once_more_after_its_end() {
        let once = stream::unfold(Some(()), |more| async move {
            more?;
            Some((Ok::<_, Problem>(Bytes::from("rows")), None))
        });
        let mut body = streamed(once.boxed()).await.unwrap().into_data_stream();
        assert_eq!(body.next().await.unwrap().unwrap(), "rows");
        for _ in 0..2 {
            assert!(body.next().await.is_none());
        }
    }
}
