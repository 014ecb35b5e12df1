//! What a transform's `.yml` may say; anything else in it is an error.

use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    pub description: String,
    /// What one row stands for.
    pub grain: String,
    #[serde(default)]
    pub materialized: Materialized,
    pub columns: Vec<Column>,
    #[serde(default)]
    pub tests: Vec<DataTest>,
    #[serde(default)]
    pub unit_tests: Vec<UnitTest>,
}

/// Where a transform's rows are.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Materialized {
    /// Nowhere: they are computed whenever somebody asks.
    #[default]
    View,
    /// Kept, and computed as a whole now and then: an answer is as old as the last run.
    Table { every_minutes: u64 },
    /// Kept, and of what new changes touch computed again.
    Overwrite(Overwrite),
    /// Kept, and of new facts added.
    Rollup(Rollup),
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Overwrite {
    /// The columns whose values tell which rows a change touches. Rows are computed again for each combination of values
    /// that were touched.
    pub key: Vec<String>,
    /// For a table of the lake that lacks a column of the key: the query that finds the keys its new rows touch.
    #[serde(default)]
    pub touched: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rollup {
    /// The transform whose rows are added up. They never change: each stands for something that happened, and what takes
    /// that back is a row of its own.
    pub facts: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    pub name: String,
    #[serde(default)]
    pub description: String,
    /// How two rows of a rollup become one. Columns without it tell its rows apart.
    #[serde(default)]
    pub merge: Option<Merge>,
    #[serde(default)]
    pub tests: Vec<ColumnTest>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Merge {
    Sum,
    Min,
    Max,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ColumnTest {
    NotNull,
    Unique,
    AcceptedValues(Vec<String>),
    /// Each value is one of that transform's.
    Relationships {
        to: String,
        field: String,
    },
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum DataTest {
    /// No two rows have the same values in these columns.
    Unique(Vec<String>),
    /// True of every row.
    Expression(String),
    /// A query that finds what is wrong, and so nothing.
    Nothing { name: String, sql: String },
}

/// Rows that a transform is given, and the rows that it has to make of them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnitTest {
    /// A sentence.
    pub name: String,
    /// What `ref` and `source` find: the name, and its rows. Columns that are left out are null.
    pub given: BTreeMap<String, Vec<Row>>,
    /// Which of the rows that it makes are looked at; all of them without it.
    #[serde(default, rename = "where")]
    pub filter: Option<String>,
    /// Only the columns that are named are compared, and no order.
    pub expect: Vec<Row>,
}

pub type Row = serde_json::Map<String, serde_json::Value>;

impl ColumnTest {
    pub fn name(&self) -> &'static str {
        match self {
            ColumnTest::NotNull => "not null",
            ColumnTest::Unique => "unique",
            ColumnTest::AcceptedValues(_) => "accepted values",
            ColumnTest::Relationships { .. } => "relationship",
        }
    }
}

impl Merge {
    pub fn function(self) -> &'static str {
        match self {
            Merge::Sum => "sum",
            Merge::Min => "min",
            Merge::Max => "max",
        }
    }
}

impl Materialized {
    pub fn name(&self) -> &'static str {
        match self {
            Materialized::View => "view",
            Materialized::Table { .. } => "table",
            Materialized::Overwrite(_) => "overwrite",
            Materialized::Rollup(_) => "rollup",
        }
    }

    pub fn is_kept(&self) -> bool {
        *self != Materialized::View
    }
}
