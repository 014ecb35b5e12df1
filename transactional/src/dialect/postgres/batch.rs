//! Several statements in one message. The way to the server and back costs several times what most statements do, and
//! a purchase needs some twenty.
//!
//! The protocol for a message of several statements knows no bound values. So each statement is prepared once, under a
//! name and with the types of its places, and called by `execute` with its values as literals: what stands in a quoted
//! literal is data, the text of a statement is always part of this program, and its plan is made once.

use super::{Connection, Row};
use crate::{
    Result,
    sql::{Statement, Value},
};
use futures::TryStreamExt;
use sqlx::{AssertSqlSafe, Either, Executor};
use std::{collections::HashMap, fmt::Write};

/// The statements that the writer's connection knows by name, by their types and text.
#[derive(Default)]
pub(crate) struct Prepared {
    names: HashMap<String, u64>,
    last: u64,
}

/// Some 10 kB each on the server. The writer has about a hundred; beyond this all are forgotten, and those that are
/// still needed prepared again.
const MOST_PREPARED: usize = 1_000;

/// What a result of the message belongs to.
enum Sent {
    Forgetting,
    Preparing(String),
    Statement,
}

pub(super) async fn send(
    connection: &mut Connection,
    prepared: &mut Prepared,
    statements: &[Statement],
    rows: &mut Vec<Row>,
    done: &mut Vec<u64>,
) -> Result<()> {
    let (text, sent) = message(prepared, statements);
    let mut sent = sent.into_iter();
    let answered = async {
        let mut results = connection.fetch_many(sqlx::raw_sql(AssertSqlSafe(text)));
        while let Some(result) = results.try_next().await? {
            match result {
                Either::Left(result) => {
                    if matches!(sent.next(), Some(Sent::Statement)) {
                        done.push(result.rows_affected());
                    }
                }
                Either::Right(row) => rows.push(row),
            }
        }
        Ok(())
    };
    let answered = answered.await;
    for unsent in sent {
        match unsent {
            Sent::Forgetting => prepared.names.clear(),
            Sent::Preparing(key) => drop(prepared.names.remove(&key)),
            Sent::Statement => {}
        }
    }
    answered
}

fn message(prepared: &mut Prepared, statements: &[Statement]) -> (String, Vec<Sent>) {
    let (mut text, mut sent) = (String::new(), Vec::with_capacity(statements.len() + 1));
    if prepared.names.len() > MOST_PREPARED {
        prepared.names.clear();
        text.push_str("deallocate all;\n");
        sent.push(Sent::Forgetting);
    }
    for statement in statements {
        if statement.values.is_empty() {
            text.push_str(statement.text.as_str());
        } else {
            let name = name(prepared, statement, &mut text, &mut sent);
            let _ = write!(text, "execute s{name}(");
            for (place, value) in statement.values.iter().enumerate() {
                if place > 0 {
                    text.push_str(", ");
                }
                literal(value, &mut text);
            }
            text.push(')');
        }
        text.push_str(";\n");
        sent.push(Sent::Statement);
    }
    (text, sent)
}

/// The name of a statement, which is prepared ahead of it if it is new.
fn name(prepared: &mut Prepared, statement: &Statement, text: &mut String, sent: &mut Vec<Sent>) -> u64 {
    let types: Vec<&str> = statement.values.iter().map(type_of).collect();
    let key = format!("({}) as {}", types.join(", "), statement.text.as_str());
    if let Some(name) = prepared.names.get(&key) {
        return *name;
    }
    prepared.last += 1;
    let _ = writeln!(text, "prepare s{} {key};", prepared.last);
    sent.push(Sent::Preparing(key.clone()));
    prepared.names.insert(key, prepared.last);
    prepared.last
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::NoText | Value::Text(_) => "text",
        Value::NoInt | Value::Int(_) => "bigint",
        Value::NoDouble | Value::Double(_) => "double precision",
    }
}

/// With `standard_conforming_strings`, which the session sets, a quote is the one character that means anything inside
/// of quotes; U+0000 is refused before.
fn literal(value: &Value, text: &mut String) {
    match value {
        Value::NoText | Value::NoInt | Value::NoDouble => text.push_str("null"),
        Value::Int(int) => drop(write!(text, "'{int}'")),
        Value::Double(double) => drop(write!(text, "'{double}'")),
        Value::Text(value) => {
            text.push('\'');
            let mut parts = value.split('\'');
            text.push_str(parts.next().unwrap_or_default());
            for part in parts {
                text.push_str("''");
                text.push_str(part);
            }
            text.push('\'');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Vec<Value> {
        texts.iter().map(|text| Value::Text((*text).to_owned())).collect()
    }

    #[test]
    fn a_statement_is_prepared_once_and_called_with_quoted_values() {
        let mut prepared = Prepared::default();
        let insert = |values| Statement::new("insert into t values ($1, $2)", values);
        let statements = [
            Statement::new("savepoint command", vec![]),
            insert(texts(&["O'Brien'); drop table t; --", "\\'"])),
            insert(vec![Value::NoText, Value::Text(String::new())]),
            insert(vec![Value::Int(i64::MIN), Value::NoDouble]),
        ];
        let (text, sent) = message(&mut prepared, &statements);
        let expected = "savepoint command;\n\
            prepare s1 (text, text) as insert into t values ($1, $2);\n\
            execute s1('O''Brien''); drop table t; --', '\\''');\n\
            execute s1(null, '');\n\
            prepare s2 (bigint, double precision) as insert into t values ($1, $2);\n\
            execute s2('-9223372036854775808', null);\n";
        assert_eq!(text, expected);
        assert_eq!(sent.len(), 6);
        let (text, _) = message(&mut prepared, &statements[2..3]);
        assert_eq!(text, "execute s1(null, '');\n", "the next message knows it");
    }
}
