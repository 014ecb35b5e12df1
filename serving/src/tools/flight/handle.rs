//! A statement on its way to the client and back, with the values that it was given.

use super::refuse;
use crate::problem::Problem;
use lakehouse::{
    Parameter,
    arrow::{
        array::{Array, ArrayRef, AsArray, RecordBatch},
        compute::cast,
        datatypes::DataType,
        error::ArrowError,
        util::display::{ArrayFormatter, FormatOptions},
    },
    postgres::{list, numbered},
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tonic::Status;

/// What executing a statement for many rows is told.
pub(super) const MANY: &str = "bind one row of values at a time: a query is run once for each";

#[derive(Debug, Default, Serialize, Deserialize, PartialEq)]
pub(super) struct Handle {
    pub(super) sql: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    values: Vec<Value>,
}

#[derive(Debug, Serialize, Deserialize, PartialEq)]
struct Value {
    text: Option<String>,
    kind: Kind,
}

/// As much of a value's type as the text does not tell.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq)]
enum Kind {
    Text,
    Whole,
    Number,
    Flag,
    Texts,
    Wholes,
    Numbers,
    Flags,
}

impl Kind {
    fn of(data_type: &DataType) -> Self {
        match data_type {
            DataType::Boolean => Kind::Flag,
            of if of.is_integer() => Kind::Whole,
            of if of.is_numeric() => Kind::Number,
            DataType::List(field) | DataType::LargeList(field) | DataType::FixedSizeList(field, _) => {
                match Kind::of(field.data_type()) {
                    Kind::Whole => Kind::Wholes,
                    Kind::Number => Kind::Numbers,
                    Kind::Flag => Kind::Flags,
                    _ => Kind::Texts,
                }
            }
            _ => Kind::Text,
        }
    }

    /// Text has the type that its place has.
    fn data_type(self) -> Option<DataType> {
        let list = |of| Some(DataType::new_list(of, true));
        match self {
            Kind::Text => None,
            Kind::Whole => Some(DataType::Int64),
            Kind::Number => Some(DataType::Float64),
            Kind::Flag => Some(DataType::Boolean),
            Kind::Texts => list(DataType::Utf8),
            Kind::Wholes => list(DataType::Int64),
            Kind::Numbers => list(DataType::Float64),
            Kind::Flags => list(DataType::Boolean),
        }
    }
}

impl Handle {
    /// A place may be written `?` as well.
    pub(super) fn new(sql: &str) -> Self {
        Self {
            sql: numbered(sql),
            values: Vec::new(),
        }
    }

    pub(super) fn read(bytes: &[u8]) -> Result<Self, Status> {
        let wrong = |_| refuse(Problem::new("invalid_sql", "this is no handle of a statement"));
        serde_json::from_slice(bytes).map_err(wrong)
    }

    pub(super) fn bytes(&self) -> Result<Vec<u8>, Status> {
        serde_json::to_vec(self).map_err(|error| refuse(Problem::internal(error)))
    }

    /// The same statement with the values of a row, as many as it has places.
    pub(super) fn with(self, row: &RecordBatch, places: usize) -> Result<Self, Status> {
        if row.num_rows() != 1 {
            return Err(refuse(Problem::new("invalid_sql", MANY)));
        }
        if row.num_columns() != places {
            let count = format!(
                "the statement has {places} places for values and {} came",
                row.num_columns()
            );
            return Err(refuse(Problem::new("invalid_sql", count)));
        }
        let value = |column: &ArrayRef| {
            Ok(Value {
                text: text(column).map_err(|error| refuse(lakehouse::Error::from(error)))?,
                kind: Kind::of(column.data_type()),
            })
        };
        let values = row.columns().iter().map(value).collect::<Result<_, Status>>()?;
        Ok(Self { sql: self.sql, values })
    }

    pub(super) fn parameters(&self) -> Vec<Parameter> {
        let parameter = |value: &Value| Parameter {
            text: value.text.clone(),
            data_type: value.kind.data_type(),
        };
        self.values.iter().map(parameter).collect()
    }
}

/// The first value of a column.
fn text(column: &ArrayRef) -> Result<Option<String>, ArrowError> {
    let options = FormatOptions::new();
    let texts = |column: &ArrayRef| {
        let formatter = ArrayFormatter::try_new(column, &options)?;
        // A column of nothing but nulls marks none of them.
        let nulls = column.logical_nulls();
        let text =
            |row| (!nulls.as_ref().is_some_and(|nulls| nulls.is_null(row))).then(|| formatter.value(row).to_string());
        Ok::<_, ArrowError>((0..column.len()).map(text).collect::<Vec<_>>())
    };
    let elements = match column.data_type() {
        DataType::LargeList(field) | DataType::FixedSizeList(field, _) => {
            Some(cast(column, &DataType::List(Arc::clone(field)))?)
        }
        DataType::List(_) => Some(Arc::clone(column)),
        _ => None,
    };
    match elements {
        Some(lists) if lists.is_null(0) => Ok(None),
        Some(lists) => Ok(Some(list(texts(&lists.as_list::<i32>().value(0))?))),
        None => Ok(texts(column)?.swap_remove(0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lakehouse::arrow::{
        array::{Int64Array, ListArray, NullArray, StringArray},
        datatypes::Int64Type,
    };

    #[test]
    fn a_handle_comes_back_with_its_values() {
        let numbers = ListArray::from_iter_primitive::<Int64Type, _, _>([Some([Some(1), None])]);
        let row = RecordBatch::try_from_iter([
            ("a", Arc::new(Int64Array::from(vec![7])) as ArrayRef),
            ("b", Arc::new(StringArray::from(vec![None::<&str>]))),
            ("c", Arc::new(NullArray::new(1))),
            ("d", Arc::new(numbers)),
        ]);
        let handle = Handle::new("select ?, ?, ?, ?").with(&row.unwrap(), 4).unwrap();
        let back = Handle::read(&handle.bytes().unwrap()).unwrap();
        assert_eq!(back, handle);
        assert_eq!(back.sql, "select $1, $2, $3, $4");
        let parameters = back.parameters();
        assert_eq!(parameters[0].text.as_deref(), Some("7"));
        assert_eq!(parameters[0].data_type, Some(DataType::Int64));
        assert_eq!((&parameters[1].text, &parameters[2].text), (&None, &None));
        assert_eq!(parameters[3].text.as_deref(), Some("{\"1\",NULL}"));
        assert_eq!(parameters[3].data_type, Some(DataType::new_list(DataType::Int64, true)));
        assert!(Handle::read(b"select 1").is_err());
    }

    #[test]
    fn there_is_one_row_with_a_value_for_each_place() {
        let row = |values: Vec<i64>| {
            let column: ArrayRef = Arc::new(Int64Array::from(values));
            RecordBatch::try_from_iter([("a", column)]).unwrap()
        };
        let said = |row: &RecordBatch, places| Handle::new("select 1").with(row, places).unwrap_err();
        assert!(
            said(&row(vec![1]), 0)
                .message()
                .contains("0 places for values and 1 came")
        );
        assert!(
            said(&row(vec![1]), 2)
                .message()
                .contains("2 places for values and 1 came")
        );
        assert!(said(&row(vec![1, 2]), 1).message().contains("one row of values"));
    }
}
