//! PostgreSQL's own functions, each as an expression that the lake understands.

use super::{
    settings::{SETTINGS, setting},
    types::TYPES,
};
use datafusion::sql::sqlparser::{
    ast::{Expr, Value, VisitMut, VisitorMut},
    dialect::GenericDialect,
    parser::Parser,
};
use std::ops::ControlFlow;

/// name, what it stands for with `$1` and on for its arguments
const FUNCTIONS: &[(&str, &str)] = &[
    ("array(select)", "make_array()"),
    ("escape(replace)", "replace($1, $2, $3)"),
    ("version", "'PostgreSQL 15.0 (Bilten)'"),
    ("current_database", "'bilten'"),
    ("current_catalog", "'bilten'"),
    ("current_schema", "'lake'"),
    ("current_schemas", "make_array('pg_catalog', 'lake')"),
    ("current_user", "'bilten'"),
    ("current_role", "'bilten'"),
    ("session_user", "'bilten'"),
    ("user", "'bilten'"),
    ("set_config", "$2"),
    ("array_lower", "1"),
    ("array_upper", "array_length($1)"),
    ("first_value", "first_value($1)"),
    ("pg_backend_pid", "0"),
    ("pg_is_in_recovery", "false"),
    ("pg_client_encoding", "'UTF8'"),
    ("pg_encoding_to_char", "'UTF8'"),
    ("pg_get_userbyid", "'bilten'"),
    ("pg_advisory_unlock_all", "null"),
    ("pg_collation_is_visible", "true"),
    ("pg_conversion_is_visible", "true"),
    ("pg_function_is_visible", "true"),
    ("pg_opclass_is_visible", "true"),
    ("pg_operator_is_visible", "true"),
    ("pg_statistics_obj_is_visible", "true"),
    ("pg_table_is_visible", "true"),
    ("pg_ts_config_is_visible", "true"),
    ("pg_type_is_visible", "true"),
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
    ("pg_size_pretty", "concat($1, ' bytes')"),
    ("quote_ident", "$1"),
];

/// The number of a table whose name comes as a value.
const REGCLASS: &str = "(select max(c.oid) from pg_catalog.pg_class c join pg_catalog.pg_namespace n \
                        on n.oid = c.relnamespace where replace($1, '\"', '') in \
                        (concat(n.nspname, '.', c.relname), cast(c.oid as text), \
                        case n.nspname when 'lake' then c.relname end))";

/// What a call stands for, if the function is one of these.
pub(super) fn expand(name: &str, arguments: Vec<Expr>) -> Option<Expr> {
    let said = arguments.first().and_then(literal);
    let text = match (name, said) {
        ("format_type", _) => format_type(),
        ("to_regtype", _) => to_regtype(),
        ("cast(regclass)", _) => REGCLASS.to_owned(),
        ("current_setting", Some(name)) => quoted(setting(name).unwrap_or_default()),
        ("current_setting", None) => current_setting(),
        ("format", Some(pattern)) => format(pattern),
        ("parse_ident", Some(name)) => {
            let parts: Vec<String> = name.split('.').map(|part| quoted(part.trim_matches('"'))).collect();
            format!("make_array({})", parts.join(", "))
        }
        _ => FUNCTIONS.iter().find(|(known, _)| *known == name)?.1.to_owned(),
    };
    let mut expression = Parser::new(&GenericDialect {})
        .try_with_sql(&text)
        .and_then(|mut parser| parser.parse_expr())
        .ok()?;
    let _ = expression.visit(&mut Arguments(arguments));
    Some(expression)
}

pub(super) fn literal(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn format_type() -> String {
    let whens = TYPES.iter().map(|of| format!("when {} then '{}'", of.oid, of.sql));
    format!("case $1 {} else '???' end", whens.collect::<Vec<_>>().join(" "))
}

fn to_regtype() -> String {
    let whens = TYPES.iter().map(|of| match of.name == of.sql {
        true => format!("when '{}' then {}", of.name, of.oid),
        false => format!("when '{}' then {} when '{}' then {}", of.name, of.oid, of.sql, of.oid),
    });
    format!("case lower($1) {} end", whens.collect::<Vec<_>>().join(" "))
}

/// By a name that comes as a value.
fn current_setting() -> String {
    let whens = SETTINGS
        .iter()
        .map(|(name, value)| format!("when '{name}' then {}", quoted(value)));
    format!("case lower($1) {} end", whens.collect::<Vec<_>>().join(" "))
}

/// The pieces of a pattern around its `%s` and `%I`, which stand for the arguments after it.
fn format(pattern: &str) -> String {
    let mut parts = Vec::new();
    for (index, piece) in pattern.split('%').enumerate() {
        let piece = match index {
            0 => piece,
            place => {
                parts.push(format!("${}", place + 1));
                piece.get(1..).unwrap_or("")
            }
        };
        parts.push(quoted(piece));
    }
    format!("concat({})", parts.join(", "))
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
        for name in ["current_setting", "format_type", "to_regtype", "cast(regclass)"] {
            let given = vec![Expr::value(Value::Placeholder("$7".into()))];
            let said = expand(name, given).unwrap().to_string();
            assert!(said.contains("$7"), "{said}");
        }
    }

    #[test]
    fn words_are_put_into_their_pattern() {
        let words = ["\"%s\".%I", "a", "b"].map(|word| Expr::value(Value::SingleQuotedString(word.into())));
        let said = expand("format", words.to_vec()).unwrap().to_string();
        assert_eq!(said, "concat('\"', 'a', '\".', 'b', '')");
    }
}
