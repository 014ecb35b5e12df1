//! What there is to ask, as Flight SQL lists it: by the principal's own catalog.

use super::{refuse, service::rows};
use crate::problem::Problem;
use arrow_flight::{
    FlightData,
    sql::{
        CommandGetDbSchemas, CommandGetTables, SqlInfo,
        metadata::{SqlInfoData, SqlInfoDataBuilder},
    },
};
use futures::stream::BoxStream;
use lakehouse::{
    RecordBatch, Session,
    arrow::{
        array::{Array, AsArray, StringArray},
        datatypes::{DataType, Field, Schema},
    },
};
use std::sync::Arc;
use tonic::{Response, Status};

pub(super) const CATALOG: &str = "bilten";

type Rows = Response<BoxStream<'static, Result<FlightData, Status>>>;

/// Schema, name and type of every table and view.
async fn listed(session: &Session) -> Result<Vec<[String; 3]>, Status> {
    let sql = "select table_schema, table_name, table_type from information_schema.tables order by 1, 2";
    let batches = session
        .sql(sql)
        .await
        .map_err(refuse)?
        .collect()
        .await
        .map_err(refuse)?;
    let row = |batch: &RecordBatch, row: usize| {
        [0, 1, 2].map(|column| batch.column(column).as_string::<i32>().value(row).to_owned())
    };
    let rows = batches
        .iter()
        .flat_map(|batch| (0..batch.num_rows()).map(move |index| row(batch, index)));
    let mut listed: Vec<[String; 3]> = rows.collect();
    for [_, _, kind] in &mut listed {
        if kind == "BASE TABLE" {
            "TABLE".clone_into(kind);
        }
    }
    Ok(listed)
}

pub(super) async fn schemas(session: &Session, query: CommandGetDbSchemas) -> Result<Rows, Status> {
    let mut listed = listed(session).await?;
    listed.dedup_by(|one, other| one[0] == other[0]);
    let mut schemas = query.into_builder();
    for [schema, ..] in &listed {
        schemas.append(CATALOG, schema);
    }
    rows(schemas.build())
}

pub(super) async fn tables(session: &Session, query: CommandGetTables) -> Result<Rows, Status> {
    let mut tables = query.into_builder();
    for [schema, name, kind] in listed(session).await? {
        let columns = match tables.include_schema() {
            true => {
                let sql = format!("select * from \"{schema}\".\"{name}\"");
                let described = session.describe(&sql, Vec::new()).await.map_err(refuse)?;
                described.columns.as_ref().clone()
            }
            false => Schema::empty(),
        };
        let added = tables.append(CATALOG, schema, name, kind, &columns);
        added.map_err(|error| refuse(Problem::internal(error)))?;
    }
    rows(tables.build())
}

pub(super) fn type_schema() -> Schema {
    Schema::new(vec![Field::new("table_type", DataType::Utf8, false)])
}

pub(super) fn types() -> Result<Rows, Status> {
    let types: Arc<dyn Array> = Arc::new(StringArray::from(vec!["TABLE", "VIEW"]));
    rows(RecordBatch::try_new(Arc::new(type_schema()), vec![types]))
}

/// What a driver asks of a server before anything else.
pub(super) fn known() -> Result<SqlInfoData, Status> {
    let mut known = SqlInfoDataBuilder::new();
    known.append(SqlInfo::FlightSqlServerName, "Bilten");
    known.append(SqlInfo::FlightSqlServerVersion, env!("CARGO_PKG_VERSION"));
    known.append(SqlInfo::FlightSqlServerArrowVersion, "1.3");
    known.append(SqlInfo::FlightSqlServerReadOnly, true);
    known.append(SqlInfo::SqlIdentifierQuoteChar, "\"");
    known.build().map_err(|error| refuse(Problem::internal(error)))
}
