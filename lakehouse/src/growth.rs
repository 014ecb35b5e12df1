//! Functions that make much out of little say so before they do. What a function makes stands in memory that no limit of
//! a query counts, so a text that each of a few steps makes a hundred times longer would take all that the machine has.

use arrow::{
    array::{Array, ArrayRef, AsArray},
    datatypes::{DataType, FieldRef},
};
use datafusion::{
    common::{
        Result,
        config::ConfigOptions,
        resources_err,
        tree_node::{Transformed, TransformedResult, TreeNode},
    },
    logical_expr::{
        ColumnarValue, Expr, LogicalPlan, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    },
    optimizer::AnalyzerRule,
};
use std::sync::Arc;

/// Of one batch of rows, which are some thousand.
const MOST_BYTES: usize = 256 << 20;

/// How large the answer may become.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Growth {
    /// As large as all arguments together,
    Together,
    /// …and the first once more before each of the others.
    Between,
    /// As the first, with each part of it replaced by the argument in this place.
    Replaced(usize),
}

fn growth(name: &str) -> Option<Growth> {
    match name {
        "array_append" | "array_concat" | "array_prepend" | "concat" | "make_array" => Some(Growth::Together),
        "concat_ws" => Some(Growth::Between),
        "array_to_string" => Some(Growth::Replaced(1)),
        "array_replace" | "array_replace_all" | "array_replace_n" | "regexp_replace" | "replace" => {
            Some(Growth::Replaced(2))
        }
        _ => None,
    }
}

/// Puts the functions that have to say so in the place of DataFusion's own, wherever a query has come to them from.
#[derive(Debug)]
pub(crate) struct BoundGrowth;

impl AnalyzerRule for BoundGrowth {
    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(|node| node.map_expressions(|expr| expr.transform_up(bound)))
            .data()
    }

    fn name(&self) -> &str {
        "bound_growth"
    }
}

fn bound(expr: Expr) -> Result<Transformed<Expr>> {
    let Expr::ScalarFunction(mut call) = expr else {
        return Ok(Transformed::no(expr));
    };
    let Some(growth) = growth(call.func.name()) else {
        return Ok(Transformed::no(Expr::ScalarFunction(call)));
    };
    let of = call.func;
    call.func = Arc::new(ScalarUDF::from(Bounded { of, growth }));
    Ok(Transformed::yes(Expr::ScalarFunction(call)))
}

/// A function that fails where it would take too much.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Bounded {
    of: Arc<ScalarUDF>,
    growth: Growth,
}

impl ScalarUDFImpl for Bounded {
    fn name(&self) -> &str {
        self.of.name()
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        self.of.inner().schema_name(args)
    }

    fn signature(&self) -> &Signature {
        self.of.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.of.inner().return_type(types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        self.of.return_field_from_args(args)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.of.coerce_types(types)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let (rows, values) = (args.number_rows, &args.args);
        let first = values.first().map_or(0, |value| bytes(value, rows));
        let all = values.iter().map(|value| bytes(value, rows)).sum::<usize>();
        let bytes = match self.growth {
            Growth::Together => all,
            Growth::Between => all.saturating_add(first.saturating_mul(values.len())),
            Growth::Replaced(place) => first.saturating_mul(values.get(place).map_or(1, longest).max(1)),
        };
        if bytes > MOST_BYTES {
            return resources_err!("{} would make too much of what it is given", self.name());
        }
        self.of.invoke_with_args(args)
    }
}

fn bytes(value: &ColumnarValue, rows: usize) -> usize {
    match value {
        ColumnarValue::Array(array) => sliced(array),
        ColumnarValue::Scalar(value) => value.size().saturating_mul(rows),
    }
}

/// What it takes of memory that it may share with others.
fn sliced(array: &ArrayRef) -> usize {
    let bytes = array.to_data().get_slice_memory_size();
    bytes.unwrap_or_else(|_| array.get_array_memory_size())
}

/// The bytes of the longest value.
fn longest(value: &ColumnarValue) -> usize {
    match value {
        ColumnarValue::Scalar(value) => value.try_as_str().flatten().map_or(value.size(), str::len),
        ColumnarValue::Array(array) => match array.as_string_opt::<i32>() {
            Some(texts) => texts.iter().flatten().map(str::len).max().unwrap_or(0),
            None => sliced(array),
        },
    }
}
