//! What tools look up before they ask anything: psql's commands, and what BI tools read of `pg_catalog` and
//! `information_schema`, as they read it.

use super::world;
use serde_json::{Value, json};
use tests::{
    Home,
    sql::{Asker, DOORS, Door},
    token,
};

#[track_caller]
fn said(asker: &Asker, command: &str) -> String {
    let output = asker.ask_psql(command);
    let error = String::from_utf8_lossy(&output.stderr);
    let fine = error.is_empty() || error.starts_with("Did not find any relation");
    assert!(output.status.success() && fine, "{command}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn psql_lists_and_describes_what_the_principal_sees() {
    let home = Home::new();
    let server = home.serve_tools();
    let [show, _] = world(&server, [700, 1_250], [1, 1]);
    let analyst = server.asker(&token(&server.admin(), &show.organizer_id, "analyst"));
    let platform = server.asker(server.admin_token());
    let tables = said(&analyst, r"\dt *.*");
    assert!(tables.contains("lake,order_changes,table"), "{tables}");
    assert!(
        !tables.contains("person_changes") && !tables.contains("commits"),
        "{tables}"
    );
    assert!(said(&platform, r"\dt").contains("person_changes"));
    assert!(said(&platform, r"\dt system.*").contains("commits"));
    let views = said(&analyst, r"\dv *.*");
    assert!(
        views.contains("lake,orders,view") && views.contains("marts,sales,view"),
        "{views}"
    );
    assert!(!views.contains("people,") || !views.contains("lake,people"), "{views}");
    let columns = said(&analyst, r"\d orders");
    for line in ["placed_at,timestamp with time zone", "total_minor,bigint", "lines,json"] {
        assert!(columns.contains(line), "{columns}");
    }
    let columns = said(&analyst, r"\d marts.sales_by_day");
    assert!(
        columns.contains("sold_on,date") && columns.contains("net_minor,bigint"),
        "{columns}"
    );
    let schemas = said(&analyst, r"\dn");
    for line in ["lake,bilten", "marts,bilten", "system,bilten"] {
        assert!(schemas.contains(line), "{schemas}");
    }
    assert!(said(&analyst, r"\l").contains("bilten"));
    for command in [
        r"\dn+",
        r"\du",
        r"\dg",
        r"\df",
        r"\di",
        r"\ds",
        r"\dm",
        r"\dT",
        r"\dp",
        r"\dx",
        r"\db",
        r"\d",
        r"\d+",
        r"\dt+ lake.*",
        r"\d+ orders",
        r"\d system.marts",
        r"\l+",
        r"\conninfo",
    ] {
        said(&analyst, command);
    }
    let nothing = analyst.ask_psql(r"\d nope");
    assert!(String::from_utf8_lossy(&nothing.stderr).contains("Did not find any relation"));
    server.stop();
}

/// In the manner of Metabase, Grafana, DBeaver and JDBC: what they rely on, without their length. How many rows come at
/// least, and the statement with its values.
const ASKED: &[(usize, &str, &[&str])] = &[
    (
        0,
        "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED",
        &[],
    ),
    (0, "SET application_name = 'a tool'", &[]),
    (1, "show transaction isolation level", &[]),
    (1, "select current_catalog", &[]),
    (1, "SELECT current_schema(), session_user, version()", &[]),
    (
        1,
        "select nspname as \"S\" from pg_namespace where nspname <> 'pg_toast' and (nspname !~ '^pg_temp_' or nspname = (pg_catalog.current_schemas(true))[1])",
        &[],
    ),
    (
        20,
        "select n.nspname, c.relname, case c.relkind when 'r' then 'TABLE' when 'v' then 'VIEW' end as kind, d.description, nullif(s.n_live_tup, 0) as estimate \
      from \"pg_catalog\".\"pg_class\" as c join pg_catalog.pg_namespace as n on c.relnamespace = n.oid \
      left join pg_catalog.pg_description d on c.oid = d.objoid and d.objsubid = 0 and d.classoid = 'pg_class'::regclass \
      left join pg_stat_user_tables s on n.nspname = s.schemaname and c.relname = s.relname \
      where n.nspname !~ %s and c.relkind in ('r', 'p', 'v', 'f', 'm') order by 3, 1, 2",
        &["^pg_"],
    ),
    (
        20,
        "with granted as (select null as role, t.schemaname as schema, t.objectname as table, \
      pg_catalog.has_table_privilege(current_user, '\"' || replace(t.schemaname, '\"', '\"\"') || '\".\"' || t.objectname || '\"', 'select') as select, \
      pg_catalog.has_any_column_privilege(current_user, t.objectname, 'update') as update \
      from (select schemaname, tablename as objectname from pg_catalog.pg_tables union select schemaname, viewname from pg_views \
      union select schemaname, matviewname from pg_matviews) t where t.schemaname !~ '^pg_') select g.* from granted g",
        &[],
    ),
    (
        0,
        "select nspname, typname from pg_type t join pg_namespace n on n.oid = t.typnamespace where t.oid in (select distinct enumtypid from pg_enum e)",
        &[],
    ),
    (
        10,
        "select c.column_name as name, case when c.udt_schema in ('public', 'pg_catalog') then format('%%s', c.udt_name) else format('\"%%s\".\"%%s\"', c.udt_schema, c.udt_name) end as kind, \
      c.ordinal_position - 1 as place, pk.column_name is not null as key, \
      col_description(cast(cast(format('%%I.%%I', cast(c.table_schema as text), cast(c.table_name as text)) as regclass) as oid), c.ordinal_position) as said, \
      is_generated = %s as generated, is_nullable = 'YES' as nullable \
      from information_schema.columns as c left join (select tc.table_schema, tc.table_name, kc.column_name from information_schema.table_constraints tc \
      join information_schema.key_column_usage kc on tc.constraint_name = kc.constraint_name where tc.constraint_type = 'PRIMARY KEY') as pk \
      on c.table_schema = pk.table_schema and c.table_name = pk.table_name and c.column_name = pk.column_name \
      where c.table_schema in (%s) order by 1, 3",
        &["ALWAYS", "lake"],
    ),
    (
        10,
        "select * from (select current_database() as db, n.nspname, c.relname, a.attname, a.atttypid, a.attnotnull or (t.typtype = 'd' and t.typnotnull) as required, \
      row_number() over (partition by a.attrelid order by a.attnum) as place, nullif(a.attidentity, '') as identity, pg_catalog.pg_get_expr(def.adbin, def.adrelid) as source \
      from pg_catalog.pg_namespace n join pg_catalog.pg_class c on c.relnamespace = n.oid join pg_catalog.pg_attribute a on a.attrelid = c.oid \
      join pg_catalog.pg_type t on a.atttypid = t.oid left join pg_catalog.pg_attrdef def on a.attrelid = def.adrelid and a.attnum = def.adnum \
      where c.relkind in ('r', 'v') and a.attnum > 0 and not a.attisdropped and n.nspname like %s and c.relname like %s) c where true order by nspname, c.relname, place",
        &["lake", "orders"],
    ),
    (
        0,
        "select result.cat as \"CAT\", result.seq as \"SEQ\" from (select current_database() as cat, (information_schema._pg_expandarray(i.indkey)).n as seq, \
      information_schema._pg_expandarray(i.indkey) as keys, a.attnum as num from pg_class ct join pg_attribute a on ct.oid = a.attrelid \
      join pg_index i on a.attrelid = i.indrelid where ct.relname = %s and i.indisprimary) result where result.num = (result.keys).x order by 2",
        &["orders"],
    ),
    (
        0,
        "select f.nspname, t.relname from pg_constraint c join pg_class t on c.conrelid = t.oid join pg_namespace f on c.connamespace = f.oid \
      join pg_attribute a on c.conrelid = a.attrelid where c.contype = 'f'::char and a.attnum = any(c.conkey) and f.nspname in (%s)",
        &["lake"],
    ),
    (
        1,
        "select current_setting('server_version_num')::int / 100 as version",
        &[],
    ),
    (
        0,
        "select extversion from pg_extension where extname = 'timescaledb'",
        &[],
    ),
    (
        20,
        "select case when quote_ident(table_schema) in (select case when trim(s[i]) = '\"$user\"' then user else trim(s[i]) end \
      from generate_series(array_lower(string_to_array(current_setting('search_path'), ','), 1), array_upper(string_to_array(current_setting('search_path'), ','), 1)) as i, \
      string_to_array(current_setting('search_path'), ',') s) then quote_ident(table_name) else quote_ident(table_schema) || '.' || quote_ident(table_name) end as \"table\" \
      from information_schema.tables where quote_ident(table_schema) not in ('information_schema', 'pg_catalog') order by 1",
        &[],
    ),
    (
        10,
        "select quote_ident(column_name) as \"column\", data_type as \"type\" from information_schema.columns where case when array_length(parse_ident('marts.sales'), 1) = 2 \
      then quote_ident(table_schema) = (parse_ident('marts.sales'))[1] and quote_ident(table_name) = (parse_ident('marts.sales'))[2] else quote_ident(table_name) = 'marts.sales' end",
        &[],
    ),
    (
        1,
        "select db.oid, db.* from pg_catalog.pg_database db where datallowconn and not datistemplate or db.datname = current_database()",
        &[],
    ),
    (
        3,
        "select n.oid, n.*, d.description from pg_catalog.pg_namespace n left outer join pg_catalog.pg_description d on d.objoid = n.oid and d.objsubid = 0 and d.classoid = 'pg_namespace'::regclass order by nspname",
        &[],
    ),
    (
        10,
        "select c.oid, c.*, d.description, pg_catalog.pg_get_expr(c.relpartbound, c.oid) as partition_expr, pg_catalog.pg_get_partkeydef(c.oid) as partition_key \
      from pg_catalog.pg_class c left outer join pg_catalog.pg_description d on d.objoid = c.oid and d.objsubid = 0 and d.classoid = 'pg_class'::regclass where c.relkind not in ('i', 'I', 'c')",
        &[],
    ),
    (
        10,
        "select t.oid, t.*, c.relkind, format_type(nullif(t.typbasetype, 0), t.typtypmod) as base, d.description from pg_catalog.pg_type t left outer join pg_catalog.pg_type et on et.oid = t.typelem \
      left outer join pg_catalog.pg_class c on c.oid = t.typrelid left outer join pg_catalog.pg_description d on t.oid = d.objoid where c.relkind is null or c.relkind = 'c'",
        &[],
    ),
    (
        1,
        "select string_agg(word, ',') from pg_catalog.pg_get_keywords() where word <> all ('{a,abs}'::text[])",
        &[],
    ),
    (
        1,
        "select * from pg_catalog.pg_settings where name = 'standard_conforming_strings'",
        &[],
    ),
    (
        1,
        "select n.nspname = any(current_schemas(true)) as found, n.nspname, t.typname from pg_catalog.pg_type t join pg_catalog.pg_namespace n on t.typnamespace = n.oid where t.oid = 1184",
        &[],
    ),
    (
        1,
        "select floor(extract(epoch from placed_at) / 300) * 300 as time, count(*) as value from orders where placed_at between '2020-01-01T00:00:00Z' and '2100-01-01T00:00:00Z' group by 1 order by 1",
        &[],
    ),
    (
        1,
        "select substring(\"lake\".\"orders\".\"status\", 1, 1234) as s from \"lake\".\"orders\" limit 10000",
        &[],
    ),
];

#[test]
fn what_tools_ask_of_catalogs_is_answered() {
    let home = Home::new();
    let server = home.serve_tools();
    let [show, _] = world(&server, [700, 1_250], [1, 1]);
    let asker = server.asker(&token(&server.admin(), &show.organizer_id, "analyst"));
    let asked: Value = ASKED
        .iter()
        .map(|(_, sql, values)| match values.is_empty() {
            true => json!(sql),
            false => json!([sql, values]),
        })
        .collect();
    for door in [Door::Text, Door::Binary] {
        for ((least, sql, _), answer) in ASKED.iter().zip(asker.ask(door, &asked)) {
            let rows = answer["rows"].as_array().map(Vec::len);
            assert!(rows.is_some_and(|rows| rows >= *least), "{sql}\n{answer}");
            assert!(!answer.to_string().contains("person_changes"), "{sql}");
        }
    }
    let types = asker.ask(
        Door::Text,
        &json!(["select column_name, data_type from information_schema.columns where table_schema = 'lake' and table_name = 'orders'"]),
    );
    let types = types[0]["rows"].to_string();
    assert!(
        types.contains(r#"{"column_name":"placed_at","data_type":"timestamp with time zone"}"#),
        "{types}"
    );
    server.stop();
}

/// Every door lists the same tables.
#[test]
fn flight_lists_what_the_principal_sees() {
    let home = Home::new();
    let server = home.serve_tools();
    let [show, _] = world(&server, [700, 1_250], [1, 1]);
    let asker = server.asker(&token(&server.admin(), &show.organizer_id, "analyst"));
    let listed = asker.ask(Door::Flight, &json!(["catalog"])).remove(0);
    let tables = listed["rows"].as_array().unwrap();
    let named = |name: &str| tables.iter().find(|table| table["name"] == name);
    let orders = named("lake.orders").unwrap();
    assert_eq!(orders["type"], "VIEW");
    assert!(
        orders["columns"].as_array().unwrap().contains(&json!("placed_at")),
        "{orders}"
    );
    assert_eq!(named("lake.order_changes").unwrap()["type"], "TABLE");
    assert!(named("marts.sales").is_some() && named("lake.person_changes").is_none());
    assert_eq!(listed["info"]["vendor_name"], "Bilten");
    let sql = "select table_schema || '.' || table_name as name from information_schema.tables \
               where table_schema <> 'information_schema' order by 1";
    for door in DOORS.into_iter().chain([Door::Http]) {
        let answer = asker.ask(door, &json!([sql])).remove(0);
        let names: Vec<&Value> = answer["rows"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| &row["name"])
            .collect();
        let mut wanted: Vec<&Value> = tables.iter().map(|table| &table["name"]).collect();
        wanted.sort_by_key(|name| name.as_str());
        assert_eq!(names, wanted, "{door:?}");
    }
    server.stop();
}
