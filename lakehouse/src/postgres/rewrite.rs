//! A statement of PostgreSQL's tools in the words of the lake.

use super::{
    functions::expand,
    tables::{is_empty, oid},
};
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, GroupByExpr, Ident,
    JoinOperator, ObjectName, ObjectNamePart, Query, Select, SelectItem, SetExpr, Statement, TableFactor, Value,
    VisitMut, VisitorMut,
};
use std::ops::ControlFlow;

const SCHEMA: &str = "pg_catalog";

/// Changes the statement, and tells whether there was anything to change.
pub(super) fn rewrite(statement: &mut Statement) -> bool {
    let mut rewrite = Rewrite { changed: false };
    let _ = statement.visit(&mut rewrite);
    rewrite.changed
}

struct Rewrite {
    changed: bool,
}

impl VisitorMut for Rewrite {
    type Break = ();

    fn post_visit_relation(&mut self, relation: &mut ObjectName) -> ControlFlow<()> {
        // PostgreSQL finds these without their schema, and no table of the lake begins like that.
        if let [ObjectNamePart::Identifier(name)] = relation.0.as_slice()
            && name.value.starts_with("pg_")
        {
            relation.0.insert(0, ObjectNamePart::Identifier(Ident::new(SCHEMA)));
            self.changed = true;
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Some(ours) = translated(expr) {
            *expr = ours;
            self.changed = true;
        }
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        if query.with.is_none() && without_rows(&mut query.body) {
            query.order_by = None;
            self.changed = true;
        }
        ControlFlow::Continue(())
    }
}

fn translated(expr: &mut Expr) -> Option<Expr> {
    match expr {
        // Text has one order here, that of its bytes.
        Expr::Collate { expr, .. } => Some(expr.as_ref().clone()),
        Expr::BinaryOp {
            op: BinaryOperator::PGCustomBinaryOperator(words),
            left,
            right,
        } => Some(Expr::BinaryOp {
            left: left.clone(),
            op: operator(words.last()?)?,
            right: right.clone(),
        }),
        Expr::Cast { expr, data_type, .. } => cast(expr, data_type),
        Expr::Function(function) => call(function),
        _ => None,
    }
}

fn operator(word: &str) -> Option<BinaryOperator> {
    use BinaryOperator as O;
    let known = [
        ("=", O::Eq),
        ("<>", O::NotEq),
        ("~", O::PGRegexMatch),
        ("~*", O::PGRegexIMatch),
        ("!~", O::PGRegexNotMatch),
        ("!~*", O::PGRegexNotIMatch),
    ];
    known.into_iter().find(|(name, _)| *name == word).map(|(_, ours)| ours)
}

/// Names of things are numbers in PostgreSQL, and a cast turns one into the other.
fn cast(expr: &Expr, data_type: &mut DataType) -> Option<Expr> {
    let name = match data_type {
        DataType::Regclass => "regclass".to_owned(),
        DataType::Custom(name, _) => last(name)?.to_lowercase(),
        _ => return None,
    };
    let into = |data_type| Expr::Cast {
        kind: datafusion::sql::sqlparser::ast::CastKind::DoubleColon,
        expr: Box::new(expr.clone()),
        data_type,
        array: false,
        format: None,
    };
    match name.as_str() {
        "regclass" => match literal(expr) {
            Some(text) => Some(Expr::value(Value::Number(named(text).to_string(), false))),
            None => Some(into(DataType::Text)),
        },
        "oid" | "xid" | "int8" => Some(into(DataType::BigInt(None))),
        "int4" => Some(into(DataType::Int(None))),
        "bool" => Some(into(DataType::Boolean)),
        "text" | "name" | "char" | "varchar" | "regtype" | "regproc" | "regnamespace" | "regrole" => {
            Some(into(DataType::Text))
        }
        _ => None,
    }
}

fn literal(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

/// The number of `orders`, `lake.orders` or `"lake"."orders"`, or a number as it is.
fn named(text: &str) -> i64 {
    if let Ok(number) = text.parse() {
        return number;
    }
    let plain = text.replace('"', "");
    match plain.split_once('.') {
        Some((schema, name)) => oid(schema, name),
        None if plain.starts_with("pg_") => oid(SCHEMA, &plain),
        None => oid("lake", &plain),
    }
}

fn call(function: &mut Function) -> Option<Expr> {
    let name = last(&function.name)?.to_lowercase();
    let arguments = match &function.args {
        FunctionArguments::List(list) => list.args.iter().filter_map(argument).collect(),
        FunctionArguments::None => Vec::new(),
        // A list made of a query: of members, of policies. Only tools ask for these, and there are none.
        FunctionArguments::Subquery(_) => return expand("array(select)", Vec::new()),
    };
    let is_theirs = match function.name.0.as_slice() {
        [_] => true,
        [schema, _] => schema.as_ident().is_some_and(|schema| schema.value == SCHEMA),
        _ => false,
    };
    if !is_theirs {
        return None;
    }
    expand(&name, arguments).or_else(|| {
        // Everything else is called without its schema.
        (function.name.0.len() > 1).then(|| {
            let mut bare = function.clone();
            bare.name = ObjectName::from(vec![Ident::new(name)]);
            Expr::Function(bare)
        })
    })
}

fn argument(argument: &FunctionArg) -> Option<Expr> {
    match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
        _ => None,
    }
}

fn last(name: &ObjectName) -> Option<&str> {
    name.0.last()?.as_ident().map(|name| name.value.as_str())
}

/// Whether it reads of things that the lake does not have, such as policies, so that there can be no rows.
fn reads_nothing(select: &Select) -> bool {
    select.from.iter().any(|from| {
        let joined = from.joins.iter().filter(|join| {
            matches!(
                join.join_operator,
                JoinOperator::Join(_) | JoinOperator::Inner(_) | JoinOperator::CrossJoin(_)
            )
        });
        std::iter::once(&from.relation)
            .chain(joined.map(|join| &join.relation))
            .any(is_nothing)
    })
}

fn is_nothing(relation: &TableFactor) -> bool {
    match relation {
        TableFactor::Table { name, .. } => match name.0.as_slice() {
            [schema, name] => {
                schema.as_ident().is_some_and(|schema| schema.value == SCHEMA)
                    && name.as_ident().is_some_and(|name| is_empty(&name.value))
            }
            _ => false,
        },
        _ => false,
    }
}

/// Turns a query that reads nothing into one that plainly has no rows, so that what it says of them need not be
/// understood.
fn without_rows(body: &mut SetExpr) -> bool {
    match body {
        SetExpr::Select(select) => {
            if counts(select) || !reads_nothing(select) {
                return false;
            }
            for item in &mut select.projection {
                *item = null_like(item);
            }
            select.distinct = None;
            select.from.clear();
            select.selection = Some(Expr::value(Value::Boolean(false)));
            select.group_by = GroupByExpr::Expressions(Vec::new(), Vec::new());
            select.having = None;
            true
        }
        SetExpr::SetOperation { left, right, .. } => {
            let (left, right) = (without_rows(left), without_rows(right));
            left && right
        }
        _ => false,
    }
}

/// A count of nothing is a row.
fn counts(select: &Select) -> bool {
    select.projection.iter().any(|item| {
        let expr = match item {
            SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => expr,
            _ => return false,
        };
        matches!(expr, Expr::Function(function) if last(&function.name).is_some_and(|name| name.eq_ignore_ascii_case("count")))
    })
}

fn null_like(item: &SelectItem) -> SelectItem {
    let alias = match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(alias.clone()),
        SelectItem::UnnamedExpr(Expr::Identifier(name)) => Some(name.clone()),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(names)) => names.last().cloned(),
        _ => None,
    };
    let expr = Expr::value(Value::Null);
    match alias {
        Some(alias) => SelectItem::ExprWithAlias { expr, alias },
        None => SelectItem::UnnamedExpr(expr),
    }
}
