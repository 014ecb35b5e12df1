//! Whole numbers whose result does not fit say so, as `sum` does. DataFusion's own operators wrap around in silence, and
//! a wrong figure is worse than none.

use arrow::{
    compute::kernels::numeric::{add, mul, sub},
    datatypes::DataType,
};
use datafusion::{
    common::{
        DFSchema, Result,
        config::ConfigOptions,
        exec_err,
        tree_node::{Transformed, TransformedResult, TreeNode},
    },
    logical_expr::{
        BinaryExpr, ColumnarValue, Expr, ExprSchemable, LogicalPlan, Operator, ScalarFunctionArgs, ScalarUDF,
        ScalarUDFImpl, Signature, Volatility, expr::ScalarFunction, utils::merge_schema,
    },
    optimizer::AnalyzerRule,
    physical_expr_common::datum::apply,
};
use std::sync::Arc;

/// Puts operators that check their result in the place of DataFusion's own, wherever a query has come to them from. Types
/// have been made equal before.
#[derive(Debug)]
pub(crate) struct CheckArithmetic;

impl AnalyzerRule for CheckArithmetic {
    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(|node| {
            let schema = merge_schema(&node.inputs());
            node.map_expressions(|expr| expr.transform_up(|expr| Ok(checked(expr, &schema))))
        })
        .data()
    }

    fn name(&self) -> &str {
        "check_arithmetic"
    }
}

fn checked(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let is_whole = |side: &Expr| side.get_type(schema).is_ok_and(|kind| kind.is_integer());
    match expr {
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: op @ (Operator::Plus | Operator::Minus | Operator::Multiply),
            right,
        }) if is_whole(&left) && is_whole(&right) => {
            let function = ScalarUDF::from(Checked {
                op,
                signature: Signature::any(2, Volatility::Immutable),
            });
            let call = ScalarFunction::new_udf(Arc::new(function), vec![*left, *right]);
            Transformed::yes(Expr::ScalarFunction(call))
        }
        other => Transformed::no(other),
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Checked {
    op: Operator,
    signature: Signature,
}

impl ScalarUDFImpl for Checked {
    fn name(&self) -> &str {
        match self.op {
            Operator::Plus => "add",
            Operator::Minus => "subtract",
            _ => "multiply",
        }
    }

    /// That of the operator: columns keep their names.
    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        match args {
            [left, right] => {
                let plain = BinaryExpr::new(Box::new(left.clone()), self.op, Box::new(right.clone()));
                Ok(Expr::BinaryExpr(plain).schema_name().to_string())
            }
            _ => exec_err!("{} takes two numbers", self.name()),
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types.first().cloned().unwrap_or(DataType::Null))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [left, right] = args.args.as_slice() else {
            return exec_err!("{} takes two numbers", self.name());
        };
        apply(
            left,
            right,
            match self.op {
                Operator::Plus => add,
                Operator::Minus => sub,
                _ => mul,
            },
        )
    }
}
