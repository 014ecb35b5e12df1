//! Columns of tables that tell of tables.

use arrow::{
    array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray, new_null_array},
    datatypes::{DataType, Field, Schema},
};
use datafusion::common::Result;
use std::sync::Arc;

/// What stands in a column.
pub(super) enum Column {
    Numbers(Vec<i64>),
    Texts(Vec<String>),
    Flags(Vec<bool>),
    /// The same in every row.
    Number(i64),
    Text(&'static str),
    Flag(bool),
    Nothing,
    NoList,
}

impl Column {
    fn array(self, rows: usize) -> ArrayRef {
        match self {
            Column::Numbers(numbers) => Arc::new(Int64Array::from(numbers)),
            Column::Texts(texts) => Arc::new(StringArray::from(texts)),
            Column::Flags(flags) => Arc::new(BooleanArray::from(flags)),
            Column::Number(number) => Arc::new(Int64Array::from_value(number, rows)),
            Column::Text(text) => Arc::new(StringArray::from(vec![text; rows])),
            Column::Flag(flag) => Arc::new(BooleanArray::from(vec![flag; rows])),
            Column::Nothing => new_null_array(&DataType::Utf8, rows),
            Column::NoList => new_null_array(&DataType::new_list(DataType::Utf8, true), rows),
        }
    }
}

/// Columns that are the same in every row: `number#1`, `flag?t`, `text=words`, `list[]`, and a name alone for no text.
pub(super) fn fixed(columns: &'static str) -> impl Iterator<Item = (&'static str, Column)> {
    columns.split_whitespace().map(|column| {
        if let Some((name, number)) = column.split_once('#') {
            (name, Column::Number(number.parse().unwrap_or(0)))
        } else if let Some((name, flag)) = column.split_once('?') {
            (name, Column::Flag(flag == "t"))
        } else if let Some((name, text)) = column.split_once('=') {
            (name, Column::Text(text))
        } else if let Some(name) = column.strip_suffix("[]") {
            (name, Column::NoList)
        } else {
            (column, Column::Nothing)
        }
    })
}

pub(super) fn table(rows: usize, columns: impl IntoIterator<Item = (&'static str, Column)>) -> Result<RecordBatch> {
    let columns = columns.into_iter().map(|(name, column)| (name, column.array(rows)));
    let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = columns
        .map(|(name, array)| (Field::new(name, array.data_type().clone(), true), array))
        .unzip();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)
}

pub(super) fn numbers<T>(of: &[T], number: impl Fn(&T) -> i64) -> Column {
    Column::Numbers(of.iter().map(number).collect())
}

pub(super) fn texts<T>(of: &[T], text: impl Fn(&T) -> String) -> Column {
    Column::Texts(of.iter().map(text).collect())
}
