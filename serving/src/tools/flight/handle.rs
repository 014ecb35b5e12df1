//! A statement on its way to the client and back, with the values that it was given.

use super::refuse;
use crate::problem::Problem;
use lakehouse::{
    Parameter,
    arrow::{
        array::{Array, RecordBatch},
        datatypes::DataType,
        util::display::{ArrayFormatter, FormatOptions},
    },
};
use serde::{Deserialize, Serialize};
use tonic::Status;

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
}

impl Handle {
    pub(super) fn new(sql: String) -> Self {
        Self {
            sql,
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

    /// The same statement with the values of a row.
    pub(super) fn with(self, row: &RecordBatch) -> Result<Self, Status> {
        if row.num_rows() != 1 {
            return Err(refuse(Problem::new("invalid_sql", "bind one row of values at a time")));
        }
        let wrong = |error: lakehouse::arrow::error::ArrowError| refuse(lakehouse::Error::from(error));
        let options = FormatOptions::new();
        let value = |column: &lakehouse::arrow::array::ArrayRef| {
            let formatter = ArrayFormatter::try_new(column, &options).map_err(wrong)?;
            // A column of nothing but nulls marks none of them.
            let is_null = column.logical_nulls().is_some_and(|nulls| nulls.is_null(0));
            let text = (!is_null).then(|| formatter.value(0).to_string());
            let kind = match column.data_type() {
                DataType::Boolean => Kind::Flag,
                of if of.is_integer() => Kind::Whole,
                of if of.is_numeric() => Kind::Number,
                _ => Kind::Text,
            };
            Ok(Value { text, kind })
        };
        let values = row.columns().iter().map(value).collect::<Result<_, Status>>()?;
        Ok(Self { sql: self.sql, values })
    }

    pub(super) fn parameters(&self) -> Vec<Parameter> {
        let parameter = |value: &Value| Parameter {
            text: value.text.clone(),
            data_type: match value.kind {
                Kind::Text => None,
                Kind::Whole => Some(DataType::Int64),
                Kind::Number => Some(DataType::Float64),
                Kind::Flag => Some(DataType::Boolean),
            },
        };
        self.values.iter().map(parameter).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lakehouse::arrow::array::{Int64Array, NullArray, StringArray};
    use std::sync::Arc;

    #[test]
    fn a_handle_comes_back_with_its_values() {
        let row = RecordBatch::try_from_iter([
            ("a", Arc::new(Int64Array::from(vec![7])) as Arc<dyn Array>),
            ("b", Arc::new(StringArray::from(vec![None::<&str>]))),
            ("c", Arc::new(NullArray::new(1))),
        ]);
        let handle = Handle::new("select $1, $2".to_owned()).with(&row.unwrap()).unwrap();
        let back = Handle::read(&handle.bytes().unwrap()).unwrap();
        assert_eq!(back, handle);
        let parameters = back.parameters();
        assert_eq!(parameters[0].text.as_deref(), Some("7"));
        assert_eq!(parameters[0].data_type, Some(DataType::Int64));
        assert_eq!((&parameters[1].text, &parameters[2].text), (&None, &None));
        assert!(Handle::read(b"select 1").is_err());
    }
}
