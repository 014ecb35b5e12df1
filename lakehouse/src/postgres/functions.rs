//! PostgreSQL's own functions, each as an expression that the lake understands.

use datafusion::sql::sqlparser::{
    ast::{Expr, Value, VisitMut, VisitorMut},
    dialect::GenericDialect,
    parser::Parser,
};
use std::ops::ControlFlow;

/// name, what it stands for with `$1` and on for its arguments
const FUNCTIONS: &[(&str, &str)] = &[
    ("array(select)", "make_array()"),
    ("version", "'PostgreSQL 15.0 (Bilten)'"),
    ("current_database", "'bilten'"),
    ("current_catalog", "'bilten'"),
    ("current_schema", "'lake'"),
    ("current_schemas", "make_array('pg_catalog', 'lake')"),
    ("current_user", "'bilten'"),
    ("current_role", "'bilten'"),
    ("session_user", "'bilten'"),
    ("user", "'bilten'"),
    ("current_setting", "''"),
    ("set_config", "$2"),
    ("pg_backend_pid", "0"),
    ("pg_is_in_recovery", "false"),
    ("pg_client_encoding", "'UTF8'"),
    ("pg_encoding_to_char", "'UTF8'"),
    ("pg_get_userbyid", "'bilten'"),
    ("pg_table_is_visible", "true"),
    ("pg_type_is_visible", "true"),
    ("pg_function_is_visible", "true"),
    ("has_any_column_privilege", "true"),
    ("has_column_privilege", "true"),
    ("has_database_privilege", "true"),
    ("has_function_privilege", "true"),
    ("has_schema_privilege", "true"),
    ("has_table_privilege", "true"),
    ("pg_has_role", "true"),
    ("obj_description", "null"),
    ("col_description", "null"),
    ("shobj_description", "null"),
    ("pg_get_constraintdef", "null"),
    ("pg_get_expr", "null"),
    ("pg_get_indexdef", "null"),
    ("pg_get_partkeydef", "null"),
    ("pg_get_serial_sequence", "null"),
    ("pg_get_viewdef", "null"),
    ("pg_tablespace_location", "null"),
    ("pg_database_size", "0"),
    ("pg_relation_size", "0"),
    ("pg_table_size", "0"),
    ("pg_total_relation_size", "0"),
    ("quote_ident", "$1"),
    (
        "format_type",
        "case $1 when 16 then 'boolean' when 17 then 'bytea' when 20 then 'bigint' when 21 then 'smallint' \
         when 23 then 'integer' when 25 then 'text' when 114 then 'json' when 700 then 'real' \
         when 701 then 'double precision' when 1082 then 'date' when 1083 then 'time without time zone' \
         when 1184 then 'timestamp with time zone' when 1700 then 'numeric' else '???' end",
    ),
];

/// What a call stands for, if the function is one of these.
pub(super) fn expand(name: &str, arguments: Vec<Expr>) -> Option<Expr> {
    let (_, text) = FUNCTIONS.iter().find(|(known, _)| *known == name)?;
    let mut expression = Parser::new(&GenericDialect {})
        .try_with_sql(text)
        .and_then(|mut parser| parser.parse_expr())
        .ok()?;
    let _ = expression.visit(&mut Arguments(arguments));
    Some(expression)
}

struct Arguments(Vec<Expr>);

impl VisitorMut for Arguments {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Value(value) = expr
            && let Value::Placeholder(place) = &value.value
        {
            let index = place.trim_start_matches('$').parse::<usize>().ok();
            let given = index.and_then(|index| self.0.get(index.wrapping_sub(1)).cloned());
            *expr = given.unwrap_or_else(|| Expr::value(Value::Null));
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_stands_for_something() {
        for (name, _) in FUNCTIONS {
            let given = vec![
                Expr::value(Value::Boolean(true)),
                Expr::value(Value::Placeholder("$1".into())),
            ];
            assert!(expand(name, given).is_some(), "{name}");
        }
    }
}
