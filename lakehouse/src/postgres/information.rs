//! `information_schema` with PostgreSQL's columns and names of types. The engine's own has others.

use super::{
    columns::{fixed, numbers, table, texts},
    types::pg_type,
};
use crate::catalog::Listed;
use arrow::array::RecordBatch;
use datafusion::common::Result;

pub(super) const SCHEMA: &str = "information_schema";
/// Its tables stand in `pg_catalog`, under names that begin so.
pub(super) const PREFIX: &str = "information_schema_";
pub(super) const TABLES: &str = "information_schema_tables";
pub(super) const COLUMNS: &str = "information_schema_columns";
pub(super) const SCHEMATA: &str = "information_schema_schemata";

const CONSTRAINT: &str = "constraint_catalog constraint_schema constraint_name table_catalog table_schema table_name \
                          constraint_type column_name ordinal_position#0 unique_constraint_name match_option \
                          update_rule delete_rule";

/// About what the lake does not have.
pub(super) const EMPTY: &[(&str, &str)] = &[
    ("information_schema_constraint_column_usage", CONSTRAINT),
    ("information_schema_key_column_usage", CONSTRAINT),
    ("information_schema_referential_constraints", CONSTRAINT),
    ("information_schema_table_constraints", CONSTRAINT),
    (
        "information_schema_routines",
        "routine_catalog routine_schema routine_name routine_type data_type",
    ),
    (
        "information_schema_sequences",
        "sequence_catalog sequence_schema sequence_name data_type",
    ),
    (
        "information_schema_triggers",
        "trigger_catalog trigger_schema trigger_name event_object_schema event_object_table",
    ),
    (
        "information_schema_views",
        "table_catalog table_schema table_name view_definition is_updatable",
    ),
];

pub(super) fn knows(name: &str) -> bool {
    [TABLES, COLUMNS, SCHEMATA].contains(&name) || EMPTY.iter().any(|(known, _)| *known == name)
}

pub(super) fn tables(listed: &[Listed]) -> Result<RecordBatch> {
    let kind = |listed: &Listed| if listed.is_table { "BASE TABLE" } else { "VIEW" }.to_owned();
    let own = [
        ("table_schema", texts(listed, |listed| listed.schema.clone())),
        ("table_name", texts(listed, |listed| listed.name.clone())),
        ("table_type", texts(listed, kind)),
    ];
    let rest = "table_catalog=bilten is_insertable_into=NO is_typed=NO";
    table(listed.len(), own.into_iter().chain(fixed(rest)))
}

pub(super) fn columns(listed: &[Listed]) -> Result<RecordBatch> {
    let columns = listed.iter().flat_map(|listed| {
        let fields = listed.columns.fields().iter().enumerate();
        fields.map(move |(index, field)| (listed, index as i64 + 1, field, pg_type(field.data_type())))
    });
    let columns: Vec<_> = columns.collect();
    let nullable = |yes: bool| if yes { "YES" } else { "NO" }.to_owned();
    let own = [
        ("table_schema", texts(&columns, |(listed, ..)| listed.schema.clone())),
        ("table_name", texts(&columns, |(listed, ..)| listed.name.clone())),
        ("column_name", texts(&columns, |(_, _, field, _)| field.name().clone())),
        ("ordinal_position", numbers(&columns, |(_, place, ..)| *place)),
        (
            "is_nullable",
            texts(&columns, |(_, _, field, _)| nullable(field.is_nullable())),
        ),
        ("data_type", texts(&columns, |(.., of)| of.sql.to_owned())),
        ("udt_name", texts(&columns, |(.., of)| of.name.to_owned())),
    ];
    let rest = "table_catalog=bilten column_default character_maximum_length numeric_precision numeric_scale \
                datetime_precision udt_catalog=bilten udt_schema=pg_catalog is_identity=NO identity_generation \
                is_generated=NEVER generation_expression is_updatable=NO";
    table(columns.len(), own.into_iter().chain(fixed(rest)))
}

pub(super) fn schemata(schemas: Vec<String>) -> Result<RecordBatch> {
    let own = [("schema_name", texts(&schemas, |schema| schema.clone()))];
    let rest = "catalog_name=bilten schema_owner=bilten";
    table(schemas.len(), own.into_iter().chain(fixed(rest)))
}
