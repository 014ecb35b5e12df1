//! The lake's types under the names and numbers that PostgreSQL has for them.

use arrow::datatypes::DataType;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PgType {
    pub oid: u32,
    pub name: &'static str,
    /// As SQL spells it.
    pub(super) sql: &'static str,
    /// Bytes of a value; -1 where they vary.
    pub size: i16,
    pub(super) category: &'static str,
}

const fn known(oid: u32, name: &'static str, sql: &'static str, size: i16, category: &'static str) -> PgType {
    PgType {
        oid,
        name,
        sql,
        size,
        category,
    }
}

pub(super) const TYPES: [PgType; 21] = [
    known(16, "bool", "boolean", 1, "B"),
    known(17, "bytea", "bytea", -1, "U"),
    known(20, "int8", "bigint", 8, "N"),
    known(21, "int2", "smallint", 2, "N"),
    known(23, "int4", "integer", 4, "N"),
    known(25, "text", "text", -1, "S"),
    known(114, "json", "json", -1, "U"),
    known(700, "float4", "real", 4, "N"),
    known(701, "float8", "double precision", 8, "N"),
    known(1082, "date", "date", 4, "D"),
    known(1083, "time", "time without time zone", 8, "D"),
    known(1114, "timestamp", "timestamp without time zone", 8, "D"),
    known(1184, "timestamptz", "timestamp with time zone", 8, "D"),
    known(1700, "numeric", "numeric", -1, "N"),
    // No column has these, but values may, and tools look them up.
    known(19, "name", "name", 64, "S"),
    known(26, "oid", "oid", 4, "N"),
    known(1042, "bpchar", "character", -1, "S"),
    known(1043, "varchar", "character varying", -1, "S"),
    known(1186, "interval", "interval", 16, "T"),
    known(2950, "uuid", "uuid", 16, "U"),
    known(3802, "jsonb", "jsonb", -1, "U"),
];

/// Moments are UTC, whatever the query made of them; what is nested is JSON; and what PostgreSQL has no type for is
/// text.
pub fn pg_type(data_type: &DataType) -> PgType {
    let name = match data_type {
        DataType::Boolean => "bool",
        DataType::Int8 | DataType::UInt8 | DataType::Int16 => "int2",
        DataType::UInt16 | DataType::Int32 => "int4",
        DataType::UInt32 | DataType::Int64 => "int8",
        DataType::UInt64
        | DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::Decimal128(..)
        | DataType::Decimal256(..) => "numeric",
        DataType::Float16 | DataType::Float32 => "float4",
        DataType::Float64 => "float8",
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => "bytea",
        DataType::Date32 | DataType::Date64 => "date",
        DataType::Time32(_) | DataType::Time64(_) => "time",
        DataType::Timestamp(_, None) => "timestamp",
        DataType::Timestamp(..) => "timestamptz",
        nested if nested.is_nested() => "json",
        _ => "text",
    };
    let found = TYPES.iter().find(|known| known.name == name);
    found.copied().unwrap_or(TYPES[5])
}
