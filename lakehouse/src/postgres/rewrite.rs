//! A statement of PostgreSQL's tools in the words of the lake.

use super::{
    functions::{expand, literal},
    information,
    lists::elements,
    settings::setting,
    tables::{is_empty, oid},
};
use datafusion::sql::sqlparser::ast::{
    Array, BinaryOperator, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments,
    GroupByExpr, Ident, JoinOperator, ObjectName, ObjectNamePart, Query, Select, SelectItem,
    SelectItemQualifiedWildcardKind, SetExpr, Statement, TableAlias, TableFactor, Value, VisitMut, VisitorMut,
};
use std::{collections::HashSet, ops::ControlFlow};

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

    fn post_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { name, alias, .. } = factor
            && let [schema, table] = name.0.as_slice()
            && let (Some(schema), Some(table)) = (schema.as_ident(), table.as_ident())
            && schema.value.eq_ignore_ascii_case(information::SCHEMA)
        {
            let ours = format!("{}{}", information::PREFIX, table.value.to_lowercase());
            if information::knows(&ours) {
                let called = TableAlias {
                    explicit: true,
                    name: table.clone(),
                    columns: Vec::new(),
                    at: None,
                };
                alias.get_or_insert(called);
                *name = ObjectName::from(vec![Ident::new(SCHEMA), Ident::new(ours)]);
                self.changed = true;
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        // Grafana takes the search path apart to see whether a schema is on it.
        if let Expr::InSubquery {
            expr: schema,
            subquery,
            negated,
        } = expr
            && subquery.to_string().contains("current_setting('search_path')")
        {
            let path = Expr::value(Value::SingleQuotedString(
                setting("search_path").unwrap_or_default().to_owned(),
            ));
            *expr = Expr::InList {
                expr: schema.clone(),
                list: vec![path],
                negated: *negated,
            };
            self.changed = true;
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        self.changed |= without_doubles(&mut select.projection);
        // The engine would call a column by what stands there now. Where nothing changes this is not used.
        name(&mut select.projection);
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
        Expr::Subquery(query) => one_row(query),
        Expr::Like {
            pattern, escape_char, ..
        }
        | Expr::ILike {
            pattern, escape_char, ..
        } => {
            let escape =
                escape_char.take_if(|sign| matches!(&sign.value, Value::SingleQuotedString(sign) if sign != "\\"))?;
            **pattern = escaped(pattern, &escape.value)?;
            Some(expr.clone())
        }
        _ => None,
    }
}

/// The engine knows one sign that takes the meaning of the next: a backslash.
fn escaped(pattern: &Expr, escape: &Value) -> Option<Expr> {
    let Value::SingleQuotedString(escape) = escape else {
        return None;
    };
    let text = |text: &str| Expr::value(Value::SingleQuotedString(text.to_owned()));
    let replace = |expr: Expr, from: &str, to: &str| expand("escape(replace)", vec![expr, text(from), text(to)]);
    let pattern = replace(pattern.clone(), "\\", "\\\\")?;
    if escape.is_empty() {
        return Some(pattern);
    }
    let pattern = replace(pattern, &escape.repeat(2), "\u{1}")?;
    let pattern = replace(pattern, escape, "\\")?;
    replace(pattern, "\u{1}", escape)
}

/// The engine wants to see that there is one row at most. In catalogs there is, by their keys.
fn one_row(query: &Query) -> Option<Expr> {
    let mut query = query.clone();
    let SetExpr::Select(select) = query.body.as_mut() else {
        return None;
    };
    let known = select.from.iter().all(|from| theirs(&from.relation).is_some());
    let [SelectItem::UnnamedExpr(value) | SelectItem::ExprWithAlias { expr: value, .. }] =
        select.projection.as_mut_slice()
    else {
        return None;
    };
    if !known || select.from.is_empty() || matches!(value, Expr::Function(_)) {
        return None;
    }
    *value = expand("first_value", vec![value.clone()])?;
    query.order_by = None;
    query.limit_clause = None;
    Some(Expr::Subquery(Box::new(query)))
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
        DataType::Uuid => "uuid".to_owned(),
        DataType::Array(_) => return list(expr, data_type),
        _ => return None,
    };
    let into = |data_type| Expr::Cast {
        kind: CastKind::DoubleColon,
        expr: Box::new(expr.clone()),
        data_type,
        array: false,
        format: None,
    };
    match name.as_str() {
        "regclass" => match literal(expr) {
            Some(text) => Some(Expr::value(Value::Number(named(text).to_string(), false))),
            // A column is the number of its own table; a value may be a name.
            None if is_place(expr) => expand("cast(regclass)", vec![expr.clone()]),
            None => Some(into(DataType::Text)),
        },
        "oid" | "xid" | "int8" => Some(into(DataType::BigInt(None))),
        "int4" => Some(into(DataType::Int(None))),
        "bool" => Some(into(DataType::Boolean)),
        "text" | "name" | "char" | "varchar" | "uuid" | "regtype" | "regproc" | "regnamespace" | "regrole" => {
            Some(into(DataType::Text))
        }
        _ => None,
    }
}

fn is_place(expr: &Expr) -> bool {
    match expr {
        Expr::Nested(expr) | Expr::Cast { expr, .. } => is_place(expr),
        Expr::Value(value) => matches!(value.value, Value::Placeholder(_)),
        _ => false,
    }
}

/// `'{a,b}'::text[]`
fn list(expr: &Expr, data_type: &DataType) -> Option<Expr> {
    let elements = elements(literal(expr)?)?;
    let element = |element: Option<String>| Expr::value(element.map_or(Value::Null, Value::SingleQuotedString));
    let list = Expr::Array(Array {
        elem: elements.into_iter().map(element).collect(),
        named: false,
    });
    Some(Expr::Cast {
        kind: CastKind::DoubleColon,
        expr: Box::new(list),
        data_type: data_type.clone(),
        array: false,
        format: None,
    })
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

/// The name of a table in `pg_catalog`.
fn theirs(relation: &TableFactor) -> Option<&str> {
    match relation {
        TableFactor::Table { name, .. } => match name.0.as_slice() {
            [schema, name] if schema.as_ident()?.value == SCHEMA => Some(&name.as_ident()?.value),
            _ => None,
        },
        _ => None,
    }
}

fn is_nothing(relation: &TableFactor) -> bool {
    match relation {
        TableFactor::Table { .. } => theirs(relation).is_some_and(is_empty),
        TableFactor::Derived { subquery, .. } => match subquery.body.as_ref() {
            SetExpr::Select(select) => select.from.is_empty() && select.selection == Some(never()),
            _ => false,
        },
        _ => false,
    }
}

fn never() -> Expr {
    Expr::value(Value::Boolean(false))
}

/// `c.oid, c.*`: the engine wants each column once.
fn without_doubles(projection: &mut Vec<SelectItem>) -> bool {
    let whole: Vec<String> = projection.iter().filter_map(whole_table).collect();
    let before = projection.len();
    projection.retain(|item| match item {
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(names)) => match names.as_slice() {
            [table, _] => !whole.contains(&table.value),
            _ => true,
        },
        _ => true,
    });
    projection.len() < before
}

/// Gives columns the names that PostgreSQL has for them, each its own.
fn name(projection: &mut [SelectItem]) {
    let mut taken = HashSet::new();
    for item in projection {
        let name = match item {
            SelectItem::UnnamedExpr(Expr::Identifier(name)) => name.value.clone(),
            SelectItem::UnnamedExpr(Expr::CompoundIdentifier(_)) => continue,
            SelectItem::UnnamedExpr(expr) => {
                let name = called(expr);
                let free = (1..).map(|count| match count {
                    1 => name.clone(),
                    count => format!("{name}{count}"),
                });
                let Some(name) = free.into_iter().find(|name| !taken.contains(name)) else {
                    continue;
                };
                let alias = Ident::with_quote('"', name.clone());
                *item = SelectItem::ExprWithAlias {
                    expr: expr.clone(),
                    alias,
                };
                name
            }
            SelectItem::ExprWithAlias { alias, .. } => alias.value.clone(),
            _ => continue,
        };
        taken.insert(name);
    }
}

fn called(expr: &Expr) -> String {
    match expr {
        Expr::Function(function) => last(&function.name).unwrap_or_default().to_lowercase(),
        Expr::Cast { expr, .. } | Expr::Nested(expr) | Expr::Collate { expr, .. } => called(expr),
        Expr::Identifier(name) => name.value.clone(),
        Expr::CompoundIdentifier(names) => names.last().map_or_else(String::new, |name| name.value.clone()),
        Expr::Case { .. } => "case".to_owned(),
        _ => "?column?".to_owned(),
    }
}

fn whole_table(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => Some(name.to_string()),
        _ => None,
    }
}

/// Turns a query that reads nothing into one that plainly has no rows, so that what it says of them need not be
/// understood.
fn without_rows(body: &mut SetExpr) -> bool {
    match body {
        SetExpr::Select(select) => {
            if !reads_nothing(select) {
                return false;
            }
            // Figures over nothing are a row.
            let has_row = select.projection.iter().any(|item| aggregate(item).is_some());
            for item in &mut select.projection {
                *item = of_nothing(item);
            }
            select.distinct = None;
            select.from.clear();
            select.selection = (!has_row).then(never);
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

/// Which figure it is.
fn aggregate(item: &SelectItem) -> Option<String> {
    let (SelectItem::UnnamedExpr(Expr::Function(function))
    | SelectItem::ExprWithAlias {
        expr: Expr::Function(function),
        ..
    }) = item
    else {
        return None;
    };
    let name = last(&function.name)?.to_lowercase();
    ["count", "max", "min", "sum", "string_agg", "array_agg"]
        .contains(&name.as_str())
        .then_some(name)
}

fn of_nothing(item: &SelectItem) -> SelectItem {
    let alias = match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(alias.clone()),
        SelectItem::UnnamedExpr(Expr::Identifier(name)) => Some(name.clone()),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(names)) => names.last().cloned(),
        _ => None,
    };
    let expr = match aggregate(item).as_deref() {
        Some("count") => Expr::value(Value::Number("0".to_owned(), false)),
        Some("string_agg") => Expr::value(Value::SingleQuotedString(String::new())),
        _ => Expr::value(Value::Null),
    };
    match alias {
        Some(alias) => SelectItem::ExprWithAlias { expr, alias },
        None => SelectItem::UnnamedExpr(expr),
    }
}
