//! Queries with places for values, `$1` and on: which types they take, and how values get there.

use crate::error::{Error, Result};
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::{common::ScalarValue, logical_expr::LogicalPlan};
use std::{collections::HashMap, sync::Arc};

/// A value for a place in a query: as text, and its type where the client names one.
#[derive(Clone, Debug, Default)]
pub struct Parameter {
    pub text: Option<String>,
    pub data_type: Option<DataType>,
}

/// What a query takes and answers.
#[derive(Clone, Debug)]
pub struct Described {
    pub parameters: Vec<DataType>,
    pub columns: SchemaRef,
}

/// Drivers send some dozens at most.
const MOST_PLACES: usize = 1_000;

/// The values may be null: their types are what counts. A place that nothing is said of takes text.
pub(crate) fn describe(plan: LogicalPlan, mut parameters: Vec<Parameter>) -> Result<Described> {
    let implied = plan.get_parameter_types()?;
    let places = implied.keys().filter_map(|name| name.strip_prefix('$')?.parse().ok());
    let places = places.chain([parameters.len()]).max().unwrap_or(0);
    if places > MOST_PLACES {
        return Err(Error::invalid(format!(
            "a query has at most {MOST_PLACES} places for values"
        )));
    }
    parameters.resize_with(places, Parameter::default);
    let parameters: Vec<Parameter> = parameters
        .into_iter()
        .enumerate()
        .map(|(index, parameter)| Parameter {
            text: None,
            data_type: Some(type_of(index, &parameter, &implied)),
        })
        .collect();
    Ok(Described {
        parameters: parameters
            .iter()
            .filter_map(|parameter| parameter.data_type.clone())
            .collect(),
        columns: Arc::clone(bind(plan, parameters)?.schema().inner()),
    })
}

/// Puts values into their places.
pub(crate) fn bind(plan: LogicalPlan, parameters: Vec<Parameter>) -> Result<LogicalPlan> {
    if parameters.is_empty() {
        return Ok(plan);
    }
    let implied = plan.get_parameter_types()?;
    let value = |(index, parameter): (usize, Parameter)| {
        let data_type = type_of(index, &parameter, &implied);
        match parameter.text {
            Some(text) => ScalarValue::try_from_string(text, &data_type),
            None => ScalarValue::try_from(&data_type),
        }
    };
    let values = parameters.into_iter().enumerate().map(value);
    Ok(plan.with_param_values(values.collect::<Result<Vec<_>, _>>()?)?)
}

/// The type that the client names counts before the one that the query implies.
fn type_of(index: usize, parameter: &Parameter, implied: &HashMap<String, Option<DataType>>) -> DataType {
    let implied = || implied.get(&format!("${}", index + 1)).cloned().flatten();
    parameter.data_type.clone().or_else(implied).unwrap_or(DataType::Utf8)
}
