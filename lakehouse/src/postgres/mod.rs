//! What clients of PostgreSQL expect beside a query language: statements that only tell how to talk, names of types,
//! and a `pg_catalog` in which to look up tables. It tells of what the principal sees, and of nothing else: a rewritten
//! statement goes through [`crate::Session::sql`] like any other, so nothing here decides who may read what.

mod columns;
mod functions;
mod information;
mod lists;
mod places;
mod rewrite;
mod settings;
mod tables;
mod types;

pub use lists::{elements, list};
pub use places::numbered;
pub use settings::{SEARCH_PATH, STATEMENT_TIMEOUT, duration, is_search_path, setting};
pub(crate) use tables::PgCatalog;
pub use types::{PgType, pg_type};

use datafusion::sql::sqlparser::{ast, dialect::PostgreSqlDialect, parser::Parser};

/// One statement of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Statement {
    /// For the lake. It may be nothing that is allowed there.
    Query(String),
    /// The value of a setting.
    Show(String),
    /// A setting gets a value; within a transaction alone, if it is local.
    Set {
        name: String,
        value: String,
        local: bool,
    },
    /// A setting, or all of them, as they were.
    Reset(Option<String>),
    /// Queries only read, so a transaction is a form without content.
    Begin,
    End(&'static str),
    /// What failed since a savepoint is forgotten.
    BackTo,
    /// Forget what was prepared under a name, or everything.
    Deallocate(Option<String>),
    /// Something that is done as soon as it is said, and its name.
    Done(&'static str),
    /// Something that is not done here, and what to do instead.
    Refused(&'static str),
}

const COPY: &str = "COPY is not done here: send the query itself, or have CSV and Parquet files from POST /v1/sql";
const CURSOR: &str = "cursors are not declared here: give your driver a fetch size without a cursor's name, and rows come \
                      as they are read";
const PREPARE: &str = "statements are not prepared in SQL here: drivers prepare them by the protocol";
const LISTEN: &str = "nobody is notified here: ask again from time to time";

/// What cannot be read goes on as it is: the query engine finds the better words for what is wrong.
pub(crate) fn statements(sql: &str) -> Vec<Statement> {
    let Ok(mut parsed) = Parser::parse_sql(&PostgreSqlDialect {}, sql) else {
        return vec![Statement::Query(sql.to_owned())];
    };
    if let [only] = parsed.as_mut_slice() {
        return vec![statement(only, Some(sql))];
    }
    parsed.iter_mut().map(|one| statement(one, None)).collect()
}

fn statement(parsed: &mut ast::Statement, text: Option<&str>) -> Statement {
    use ast::Statement as S;
    match parsed {
        S::StartTransaction { .. } => Statement::Begin,
        S::Commit { .. } => Statement::End("COMMIT"),
        S::Rollback { savepoint: None, .. } => Statement::End("ROLLBACK"),
        S::Rollback { .. } => Statement::BackTo,
        S::Savepoint { .. } => Statement::Done("SAVEPOINT"),
        S::ReleaseSavepoint { .. } => Statement::Done("RELEASE"),
        S::Set(set) => self::set(set),
        S::Reset(ast::ResetStatement { reset }) => Statement::Reset(match reset {
            ast::Reset::ALL => None,
            ast::Reset::ConfigurationParameter(name) => Some(name.to_string().to_lowercase()),
        }),
        S::Discard { .. } => Statement::Deallocate(None),
        S::Deallocate { name, .. } => {
            let all = name.quote_style.is_none() && name.value.eq_ignore_ascii_case("all");
            Statement::Deallocate((!all).then(|| name.value.clone()))
        }
        S::Close { .. } => Statement::Done("CLOSE CURSOR"),
        S::UNLISTEN { .. } => Statement::Done("UNLISTEN"),
        S::ShowVariable { variable } => {
            let words: Vec<&str> = variable.iter().map(|word| word.value.as_str()).collect();
            match words.join("_").to_lowercase().as_str() {
                "all" => Statement::Query(
                    "select name, setting, short_desc as description from pg_catalog.pg_settings".to_owned(),
                ),
                name => Statement::Show(name.to_owned()),
            }
        }
        S::Copy { .. } => Statement::Refused(COPY),
        S::Declare { .. } | S::Fetch { .. } => Statement::Refused(CURSOR),
        S::Prepare { .. } | S::Execute { .. } => Statement::Refused(PREPARE),
        S::LISTEN { .. } | S::NOTIFY { .. } => Statement::Refused(LISTEN),
        S::Query(_) => {
            let changed = rewrite::rewrite(parsed);
            // As it was written, if it may stay as it is: no printer is perfect.
            let text = text.filter(|_| !changed);
            Statement::Query(text.map_or_else(|| parsed.to_string(), str::to_owned))
        }
        other => Statement::Query(text.map_or_else(|| other.to_string(), str::to_owned)),
    }
}

fn set(set: &ast::Set) -> Statement {
    let ast::Set::SingleAssignment {
        scope,
        variable,
        values,
        ..
    } = set
    else {
        return Statement::Done("SET");
    };
    let name = variable.to_string().to_lowercase();
    let value = |value: &ast::Expr| match (functions::literal(value), value) {
        (Some(text), _) => text.to_owned(),
        (None, ast::Expr::Identifier(word)) => word.value.clone(),
        _ => value.to_string(),
    };
    match values.as_slice() {
        [ast::Expr::Identifier(word)] if word.quote_style.is_none() && word.value.eq_ignore_ascii_case("default") => {
            Statement::Reset(Some(name))
        }
        values => Statement::Set {
            name,
            value: values.iter().map(value).collect::<Vec<_>>().join(", "),
            local: *scope == Some(ast::ContextModifier::Local),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(sql: &str) -> String {
        match statements(sql).as_slice() {
            [Statement::Query(sql)] => sql.clone(),
            other => panic!("{sql}: {other:?}"),
        }
    }

    #[test]
    fn what_tools_say_beside_queries_is_understood() {
        let said = statements("begin; set extra_float_digits = 3; show transaction isolation level; rollback");
        assert_eq!(
            said,
            [
                Statement::Begin,
                Statement::Set {
                    name: "extra_float_digits".to_owned(),
                    value: "3".to_owned(),
                    local: false,
                },
                Statement::Show("transaction_isolation_level".to_owned()),
                Statement::End("ROLLBACK"),
            ]
        );
        assert_eq!(statements("discard all"), [Statement::Deallocate(None)]);
        let named = Some("_pg3_0".to_owned());
        assert_eq!(statements("deallocate \"_pg3_0\""), [Statement::Deallocate(named)]);
        assert!(statements(" ").is_empty());
        assert!(statements("-- nothing\n/* at all */").is_empty());
        let [
            Statement::Set {
                name,
                value,
                local: true,
            },
        ] = &statements("set local statement_timeout to '5s'")[..]
        else {
            panic!("no setting");
        };
        assert_eq!((name.as_str(), value.as_str()), ("statement_timeout", "5s"));
        let path = Statement::Set {
            name: "search_path".to_owned(),
            value: "$user, marts".to_owned(),
            local: false,
        };
        assert_eq!(statements("set search_path to \"$user\", marts"), [path]);
        let reset = Statement::Reset(Some("statement_timeout".to_owned()));
        assert_eq!(statements("set statement_timeout = default")[0], reset);
        assert_eq!(
            statements("reset statement_timeout; reset all"),
            [reset, Statement::Reset(None)]
        );
        assert_eq!(statements("rollback to savepoint a"), [Statement::BackTo]);
    }

    #[test]
    fn what_is_not_done_here_says_what_to_do_instead() {
        for (sql, why) in [
            ("copy orders to stdout", COPY),
            ("copy (select 1) to stdout with (format csv, header)", COPY),
            ("copy orders from stdin", COPY),
            ("declare c cursor for select 1", CURSOR),
            ("declare c no scroll cursor without hold for select 1", CURSOR),
            ("fetch 10 from c", CURSOR),
            ("fetch forward all from c", CURSOR),
            ("prepare p as select 1", PREPARE),
            ("execute p (1)", PREPARE),
            ("listen news", LISTEN),
            ("notify news, 'said'", LISTEN),
        ] {
            assert_eq!(statements(sql), [Statement::Refused(why)], "{sql}");
        }
    }

    #[test]
    fn a_query_that_any_database_understands_is_left_as_it_is() {
        for sql in [
            "select  count(*)  from orders -- all of them",
            "select E'it''s' as a, status from lake.orders where total_minor > $1",
            "this is no sql",
        ] {
            assert_eq!(query(sql), sql);
        }
    }

    #[test]
    fn what_only_postgresql_has_becomes_what_the_lake_has() {
        for (theirs, ours) in [
            (
                "select version(), version()",
                "SELECT 'PostgreSQL 15.0 (Bilten)' AS \"version\", 'PostgreSQL 15.0 (Bilten)' AS \"version2\"",
            ),
            (
                "select relname from pg_class where relname operator(pg_catalog.~) '^(orders)$' collate pg_catalog.default",
                "SELECT relname FROM pg_catalog.pg_class WHERE relname ~ '^(orders)$'",
            ),
            (
                "select pg_catalog.pg_get_userbyid(c.relowner) from pg_catalog.pg_class c",
                "SELECT 'bilten' AS \"pg_get_userbyid\" FROM pg_catalog.pg_class c",
            ),
            (
                "select a.attname, (select d.adbin from pg_catalog.pg_attrdef d where d.adrelid = a.attrelid) from pg_catalog.pg_attribute a",
                "SELECT a.attname, (SELECT NULL AS adbin WHERE false) AS \"?column?\" FROM pg_catalog.pg_attribute a",
            ),
            (
                "select pol.polname, pol.polroles from pg_catalog.pg_policy pol where pol.polrelid = '1' order by 1",
                "SELECT NULL AS polname, NULL AS polroles WHERE false",
            ),
            (
                "select 1 where s = any('{a,\"b c\",NULL}'::text[])",
                "SELECT 1 AS \"?column?\" WHERE s = ANY(['a', 'b c', NULL]::TEXT[])",
            ),
            (
                "select s like $1 escape '/', $2::uuid as id",
                "SELECT s LIKE replace(replace(replace(replace($1, '\\', '\\\\'), '//', '\u{1}'), '/', '\\'), \
                 '\u{1}', '/') AS \"?column?\", $2::TEXT AS id",
            ),
            (
                "select relkind::pg_catalog.text from pg_class",
                "SELECT relkind::TEXT AS \"relkind\" FROM pg_catalog.pg_class",
            ),
            (
                "select columns.data_type from information_schema.columns",
                "SELECT columns.data_type FROM pg_catalog.information_schema_columns AS columns",
            ),
            (
                "select n.oid, n.*, d.description from pg_namespace n left join pg_description d on d.objoid = n.oid",
                "SELECT n.*, d.description FROM pg_catalog.pg_namespace n LEFT JOIN pg_catalog.pg_description d ON \
                 d.objoid = n.oid",
            ),
            (
                "select k.keys from (select i.indkey as keys from pg_index i) k",
                "SELECT NULL AS keys WHERE false",
            ),
            (
                "select t.oid from pg_type t where (select c.relkind = 'c' from pg_class c where c.oid = t.typrelid)",
                "SELECT t.oid FROM pg_catalog.pg_type t WHERE (SELECT first_value(c.relkind = 'c') AS \"?column?\" FROM \
                 pg_catalog.pg_class c WHERE c.oid = t.typrelid)",
            ),
            (
                "select string_agg(word, ','), count(*) as n from pg_get_keywords()",
                "SELECT '' AS \"string_agg\", 0 AS n",
            ),
            (
                "select current_setting('server_version_num')::int / 100 as version",
                "SELECT '150000'::INT / 100 AS version",
            ),
            (
                "select 1 where quote_ident(s) in (select trim(p) from unnest(string_to_array(current_setting('search_path'), ',')) p)",
                "SELECT 1 AS \"?column?\" WHERE s IN ('lake')",
            ),
        ] {
            assert_eq!(query(theirs), ours);
        }
    }
}
