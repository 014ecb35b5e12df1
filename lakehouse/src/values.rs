//! Queries with places for values, `$1` and on: which types they take, and how values get there.

use crate::{
    error::{Error, Result},
    postgres::elements,
};
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::{
    common::{
        ScalarValue,
        tree_node::{TreeNode, TreeNodeRecursion},
    },
    error::DataFusionError,
    logical_expr::{Cast, Expr, ExprSchemable, LogicalPlan, TryCast, utils::merge_schema},
};
use std::{collections::HashMap, sync::Arc};

/// A value for a place in a query: as text, and its type where the client names one. A list is written as PostgreSQL
/// writes it, `{a,b}`, and bytes are `\x` and their digits.
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

type Implied = HashMap<String, Option<DataType>>;

/// The values may be null: their types are what counts. A place that nothing is said of takes text.
pub(crate) fn describe(plan: LogicalPlan, mut parameters: Vec<Parameter>) -> Result<Described> {
    let implied = implied(&plan)?;
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
    let plan = match parameters.is_empty() {
        true => plan,
        false => {
            let implied = implied(&plan)?;
            let value = |(index, parameter): (usize, Parameter)| {
                let data_type = type_of(index, &parameter, &implied);
                match parameter.text {
                    Some(text) => scalar(text, &data_type),
                    None => Ok(ScalarValue::try_from(&data_type)?),
                }
            };
            let values = parameters.into_iter().enumerate().map(value);
            plan.with_param_values(values.collect::<Result<Vec<_>>>()?)?
        }
    };
    no_text_as_list(&plan)?;
    Ok(plan)
}

fn scalar(text: String, data_type: &DataType) -> Result<ScalarValue> {
    let wrong = |why: &str| DataFusionError::Execution(format!("'{text}' is no {why}"));
    match data_type {
        DataType::List(field) => {
            let of = field.data_type();
            let words = elements(&text).ok_or_else(|| wrong("list: write {a,b}, and no lists in it"))?;
            let value = |word: Option<String>| match word {
                Some(word) => scalar(word, of),
                None => Ok(ScalarValue::try_from(of)?),
            };
            let values = words.into_iter().map(value).collect::<Result<Vec<_>>>()?;
            Ok(ScalarValue::List(ScalarValue::new_list(&values, of, true)))
        }
        DataType::Binary => {
            let bytes = text.strip_prefix("\\x").and_then(bytes);
            let bytes = bytes.ok_or_else(|| wrong("bytes: write \\x and their digits"))?;
            Ok(ScalarValue::Binary(Some(bytes)))
        }
        _ => Ok(ScalarValue::try_from_string(text, data_type)?),
    }
}

fn bytes(digits: &str) -> Option<Vec<u8>> {
    let digits = digits.as_bytes();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    match digits.len() % 2 {
        0 => digits.chunks(2).map(byte).collect(),
        _ => None,
    }
}

/// The type that the client names counts before the one that the query implies.
fn type_of(index: usize, parameter: &Parameter, implied: &Implied) -> DataType {
    let implied = || implied.get(&format!("${}", index + 1)).cloned().flatten();
    parameter.data_type.clone().or_else(implied).unwrap_or(DataType::Utf8)
}

/// What the query says of its places: by what they are compared with, by the cast around them, by the list that they
/// are looked for in.
fn implied(plan: &LogicalPlan) -> Result<Implied> {
    let mut implied = plan.get_parameter_types()?;
    plan.apply_with_subqueries(|plan| {
        let schema = merge_schema(&plan.inputs());
        plan.apply_expressions(|expr| {
            expr.apply(|expr| {
                let said = match expr {
                    Expr::Cast(Cast { expr, field }) | Expr::TryCast(TryCast { expr, field }) => {
                        place(expr).map(|place| (place, field.data_type().clone()))
                    }
                    Expr::ScalarFunction(call) if call.name() == "array_has" => match call.args.as_slice() {
                        [list, element] => place(list).zip(list_of(element, &schema)),
                        _ => None,
                    },
                    _ => None,
                };
                if let Some((place, data_type)) = said {
                    implied.entry(place.clone()).or_default().get_or_insert(data_type);
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(implied)
}

fn place(expr: &Expr) -> Option<&String> {
    match expr {
        Expr::Placeholder(place) if place.field.is_none() => Some(&place.id),
        _ => None,
    }
}

fn list_of(element: &Expr, schema: &datafusion::common::DFSchema) -> Option<DataType> {
    let of = element.get_type(schema).ok()?;
    (of != DataType::Null).then(|| DataType::new_list(of, true))
}

/// The engine would make a list of one text of it, and find nothing in that.
fn no_text_as_list(plan: &LogicalPlan) -> Result<()> {
    plan.apply_with_subqueries(|plan| {
        let schema = merge_schema(&plan.inputs());
        plan.apply_expressions(|expr| {
            expr.apply(|expr| {
                if let Expr::Cast(Cast { expr, field }) | Expr::TryCast(TryCast { expr, field }) = expr
                    && matches!(field.data_type(), DataType::List(_))
                    && expr.get_type(&schema).is_ok_and(|of| of.is_string())
                {
                    let why =
                        "text can't be cast to a list here: write make_array('a', 'b'), or string_to_array(text, ',')";
                    return Err(DataFusionError::Plan(why.to_owned()));
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::datatypes::TimeUnit;

    #[test]
    fn lists_and_bytes_are_read_from_text() {
        let words = scalar("{paid,NULL}".to_owned(), &DataType::new_list(DataType::Utf8, true)).unwrap();
        assert_eq!(words.to_string(), "[paid, ]");
        let numbers = scalar("{7,-1}".to_owned(), &DataType::new_list(DataType::Int64, true)).unwrap();
        assert_eq!(numbers.to_string(), "[7, -1]");
        let nothing = scalar("{}".to_owned(), &DataType::new_list(DataType::Int64, true)).unwrap();
        assert_eq!(nothing.to_string(), "[]");
        let moment = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let moments = scalar(
            "{\"2026-01-01 00:00:00+00\"}".to_owned(),
            &DataType::new_list(moment, true),
        );
        assert!(moments.unwrap().to_string().contains("2026-01-01"));
        for wrong in ["paid", "{{1},{2}}", "{a}"] {
            assert!(scalar(wrong.to_owned(), &DataType::new_list(DataType::Int64, true)).is_err());
        }
        let bytes = scalar("\\x00ff".to_owned(), &DataType::Binary).unwrap();
        assert_eq!(bytes, ScalarValue::Binary(Some(vec![0, 255])));
        assert!(scalar("\\x0".to_owned(), &DataType::Binary).is_err());
    }
}
