//! `pg_catalog`: what tools look up before they ask anything. Its rows are made from what the principal's own catalog
//! lists.

use super::types::{TYPES, pg_type};
use crate::catalog::{Catalog, Listed};
use arrow::{
    array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray, new_null_array},
    datatypes::{DataType, Field, Schema},
};
use async_trait::async_trait;
use datafusion::{
    catalog::{CatalogProvider, SchemaProvider},
    common::Result,
    datasource::{MemTable, TableProvider},
};
use std::sync::Arc;

/// Where PostgreSQL begins to number what is not its own.
const FIRST_OID: i64 = 16_384;
const OWNER: i64 = 10;
const DATABASE: i64 = FIRST_OID - 1;

/// The same number for the same name, always, whoever asks and whatever else there is.
pub(super) fn oid(schema: &str, name: &str) -> i64 {
    // FNV-1a
    let hash = format!("{schema}.{name}").bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    FIRST_OID + i64::from(hash >> 2)
}

fn schema_oid(schema: &str) -> i64 {
    if schema == "pg_catalog" { 11 } else { oid("", schema) }
}

/// Tables about what the lake does not have: name, its columns (numbers end in `#`, flags in `?`).
const EMPTY: &[(&str, &str)] = &[
    ("pg_am", "oid# amname"),
    ("pg_attrdef", "oid# adrelid# adnum# adbin"),
    ("pg_auth_members", "roleid# member# grantor# admin_option?"),
    ("pg_collation", "oid# collname collnamespace#"),
    (
        "pg_constraint",
        "oid# conname connamespace# contype conrelid# confrelid# conindid# conkey confkey",
    ),
    (
        "pg_depend",
        "classid# objid# objsubid# refclassid# refobjid# refobjsubid# deptype",
    ),
    ("pg_description", "objoid# classoid# objsubid# description"),
    ("pg_enum", "oid# enumtypid# enumsortorder# enumlabel"),
    ("pg_extension", "oid# extname extnamespace# extversion"),
    ("pg_foreign_table", "ftrelid# ftserver# ftoptions"),
    (
        "pg_index",
        "indexrelid# indrelid# indnatts# indisunique? indisprimary? indisvalid? indkey indoption",
    ),
    ("pg_indexes", "schemaname tablename indexname tablespace indexdef"),
    ("pg_inherits", "inhrelid# inhparent# inhseqno# inhdetachpending?"),
    ("pg_matviews", "schemaname matviewname matviewowner definition"),
    ("pg_partitioned_table", "partrelid# partstrat"),
    ("pg_policy", "oid# polname polrelid# polcmd polpermissive? polroles"),
    (
        "pg_proc",
        "oid# proname pronamespace# proowner# prokind prorettype# proargtypes proretset?",
    ),
    ("pg_publication", "oid# pubname puballtables?"),
    ("pg_publication_namespace", "oid# pnpubid# pnnspid#"),
    ("pg_publication_rel", "oid# prpubid# prrelid#"),
    ("pg_range", "rngtypid# rngsubtype#"),
    ("pg_rewrite", "oid# rulename ev_class# ev_type ev_enabled"),
    ("pg_sequence", "seqrelid# seqtypid# seqstart# seqincrement#"),
    ("pg_shdescription", "objoid# classoid# description"),
    ("pg_statistic_ext", "oid# stxrelid# stxname stxnamespace# stxkind"),
    ("pg_tablespace", "oid# spcname spcowner#"),
    ("pg_trigger", "oid# tgrelid# tgname tgisinternal? tgenabled"),
];

pub(super) fn is_empty(name: &str) -> bool {
    EMPTY.iter().any(|(known, _)| *known == name)
}

const FILLED: [&str; 10] = [
    "pg_attribute",
    "pg_class",
    "pg_database",
    "pg_namespace",
    "pg_roles",
    "pg_settings",
    "pg_tables",
    "pg_type",
    "pg_user",
    "pg_views",
];

#[derive(Debug)]
pub(crate) struct PgCatalog(pub(crate) Catalog);

#[async_trait]
impl SchemaProvider for PgCatalog {
    fn table_names(&self) -> Vec<String> {
        let empty = EMPTY.iter().map(|(name, _)| *name);
        FILLED.into_iter().chain(empty).map(str::to_owned).collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let batch = match name {
            "pg_attribute" => attributes(&self.0.list().await?)?,
            "pg_class" => classes(&self.0.list().await?)?,
            "pg_database" => databases()?,
            "pg_namespace" => namespaces(self.0.schema_names())?,
            "pg_roles" | "pg_user" => roles()?,
            "pg_settings" => table(0, [("name", Nothing), ("setting", Nothing)])?,
            "pg_tables" => listed(&self.0.list().await?, true)?,
            "pg_type" => types()?,
            "pg_views" => listed(&self.0.list().await?, false)?,
            name => match EMPTY.iter().find(|(known, _)| *known == name) {
                Some((_, columns)) => empty(columns)?,
                None => return Ok(None),
            },
        };
        Ok(Some(Arc::new(MemTable::try_new(batch.schema(), vec![vec![batch]])?)))
    }

    fn table_exist(&self, name: &str) -> bool {
        FILLED.contains(&name) || is_empty(name)
    }
}

/// What stands in a column of so many rows.
enum Column {
    Number(i64),
    Numbers(Vec<i64>),
    Text(&'static str),
    Texts(Vec<String>),
    Flag(bool),
    Flags(Vec<bool>),
    Nothing,
    NoList,
}
use Column::{Flag, Flags, NoList, Nothing, Number, Numbers, Text, Texts};

impl Column {
    fn array(self, rows: usize) -> ArrayRef {
        match self {
            Number(number) => Arc::new(Int64Array::from_value(number, rows)),
            Numbers(numbers) => Arc::new(Int64Array::from(numbers)),
            Text(text) => Arc::new(StringArray::from(vec![text; rows])),
            Texts(texts) => Arc::new(StringArray::from(texts)),
            Flag(flag) => Arc::new(BooleanArray::from(vec![flag; rows])),
            Flags(flags) => Arc::new(BooleanArray::from(flags)),
            Nothing => new_null_array(&DataType::Utf8, rows),
            NoList => new_null_array(&DataType::new_list(DataType::Utf8, true), rows),
        }
    }
}

fn table(rows: usize, columns: impl IntoIterator<Item = (&'static str, Column)>) -> Result<RecordBatch> {
    let columns = columns.into_iter().map(|(name, column)| (name, column.array(rows)));
    let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = columns
        .map(|(name, array)| (Field::new(name, array.data_type().clone(), true), array))
        .unzip();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)
}

fn empty(columns: &str) -> Result<RecordBatch> {
    let field = |word: &str| match (word.strip_suffix('#'), word.strip_suffix('?')) {
        (Some(name), _) => Field::new(name, DataType::Int64, true),
        (_, Some(name)) => Field::new(name, DataType::Boolean, true),
        _ => Field::new(word, DataType::Utf8, true),
    };
    let fields: Vec<Field> = columns.split(' ').map(field).collect();
    Ok(RecordBatch::new_empty(Arc::new(Schema::new(fields))))
}

fn numbers<T>(of: &[T], number: impl Fn(&T) -> i64) -> Column {
    Numbers(of.iter().map(number).collect())
}

fn texts<T>(of: &[T], text: impl Fn(&T) -> String) -> Column {
    Texts(of.iter().map(text).collect())
}

fn classes(relations: &[Listed]) -> Result<RecordBatch> {
    let kind = |relation: &Listed| if relation.is_table { "r" } else { "v" }.to_owned();
    table(
        relations.len(),
        [
            (
                "oid",
                numbers(relations, |relation| oid(&relation.schema, &relation.name)),
            ),
            ("relname", texts(relations, |relation| relation.name.clone())),
            (
                "relnamespace",
                numbers(relations, |relation| schema_oid(&relation.schema)),
            ),
            ("reltype", Number(0)),
            ("reloftype", Number(0)),
            ("relowner", Number(OWNER)),
            ("relam", Number(0)),
            ("relfilenode", Number(0)),
            ("reltablespace", Number(0)),
            ("relpages", Number(0)),
            ("reltuples", Number(-1)),
            ("relallvisible", Number(0)),
            ("reltoastrelid", Number(0)),
            ("relhasindex", Flag(false)),
            ("relisshared", Flag(false)),
            ("relpersistence", Text("p")),
            ("relkind", texts(relations, kind)),
            (
                "relnatts",
                numbers(relations, |relation| relation.columns.fields().len() as i64),
            ),
            ("relchecks", Number(0)),
            ("relhasrules", Flag(false)),
            ("relhastriggers", Flag(false)),
            ("relhassubclass", Flag(false)),
            ("relrowsecurity", Flag(false)),
            ("relforcerowsecurity", Flag(false)),
            ("relispopulated", Flag(true)),
            ("relreplident", Text("n")),
            ("relispartition", Flag(false)),
            ("relrewrite", Number(0)),
            ("relacl", NoList),
            ("reloptions", NoList),
            ("relpartbound", Nothing),
        ],
    )
}

fn attributes(relations: &[Listed]) -> Result<RecordBatch> {
    let columns = relations.iter().flat_map(|relation| {
        let of = oid(&relation.schema, &relation.name);
        let fields = relation.columns.fields().iter().enumerate();
        fields.map(move |(index, field)| (of, index as i64 + 1, field))
    });
    let columns: Vec<_> = columns.collect();
    let types: Vec<_> = columns.iter().map(|(.., field)| pg_type(field.data_type())).collect();
    table(
        columns.len(),
        [
            ("attrelid", numbers(&columns, |(of, ..)| *of)),
            ("attname", texts(&columns, |(.., field)| field.name().clone())),
            ("atttypid", numbers(&types, |of| i64::from(of.oid))),
            ("attstattarget", Number(-1)),
            ("attlen", numbers(&types, |of| i64::from(of.size))),
            ("attnum", numbers(&columns, |(_, number, _)| *number)),
            ("attndims", Number(0)),
            ("attcacheoff", Number(-1)),
            ("atttypmod", Number(-1)),
            ("attbyval", Flag(false)),
            ("attstorage", Text("p")),
            ("attalign", Text("i")),
            (
                "attnotnull",
                Flags(columns.iter().map(|(.., field)| !field.is_nullable()).collect()),
            ),
            ("atthasdef", Flag(false)),
            ("atthasmissing", Flag(false)),
            ("attidentity", Text("")),
            ("attgenerated", Text("")),
            ("attisdropped", Flag(false)),
            ("attislocal", Flag(true)),
            ("attinhcount", Number(0)),
            ("attcollation", Number(0)),
            ("attcompression", Text("")),
            ("attacl", NoList),
            ("attoptions", NoList),
        ],
    )
}

fn namespaces(mut schemas: Vec<String>) -> Result<RecordBatch> {
    schemas.extend(["pg_catalog", "information_schema"].map(str::to_owned));
    table(
        schemas.len(),
        [
            ("oid", numbers(&schemas, |schema| schema_oid(schema))),
            ("nspname", texts(&schemas, |schema| schema.clone())),
            ("nspowner", Number(OWNER)),
            ("nspacl", NoList),
        ],
    )
}

fn databases() -> Result<RecordBatch> {
    table(
        1,
        [
            ("oid", Number(DATABASE)),
            ("datname", Text("bilten")),
            ("datdba", Number(OWNER)),
            ("encoding", Number(6)),
            ("datlocprovider", Text("c")),
            ("datistemplate", Flag(false)),
            ("datallowconn", Flag(true)),
            ("datconnlimit", Number(-1)),
            ("dattablespace", Number(0)),
            ("datcollate", Text("C")),
            ("datctype", Text("C")),
            ("daticulocale", Nothing),
            ("datacl", NoList),
        ],
    )
}

fn roles() -> Result<RecordBatch> {
    table(
        1,
        [
            ("oid", Number(OWNER)),
            ("rolname", Text("bilten")),
            ("usename", Text("bilten")),
            ("usesysid", Number(OWNER)),
            ("rolsuper", Flag(false)),
            ("rolinherit", Flag(true)),
            ("rolcreaterole", Flag(false)),
            ("rolcreatedb", Flag(false)),
            ("rolcanlogin", Flag(true)),
            ("rolreplication", Flag(false)),
            ("rolconnlimit", Number(-1)),
            ("rolvaliduntil", Nothing),
            ("rolbypassrls", Flag(false)),
        ],
    )
}

fn types() -> Result<RecordBatch> {
    table(
        TYPES.len(),
        [
            ("oid", numbers(&TYPES, |of| i64::from(of.oid))),
            ("typname", texts(&TYPES, |of| of.name.to_owned())),
            ("typnamespace", Number(schema_oid("pg_catalog"))),
            ("typowner", Number(OWNER)),
            ("typlen", numbers(&TYPES, |of| i64::from(of.size))),
            ("typbyval", Flag(false)),
            ("typtype", Text("b")),
            ("typcategory", texts(&TYPES, |of| of.category.to_owned())),
            ("typispreferred", Flag(false)),
            ("typisdefined", Flag(true)),
            ("typdelim", Text(",")),
            ("typrelid", Number(0)),
            ("typelem", Number(0)),
            ("typarray", Number(0)),
            ("typinput", texts(&TYPES, |of| format!("{}in", of.name))),
            ("typoutput", texts(&TYPES, |of| format!("{}out", of.name))),
            ("typnotnull", Flag(false)),
            ("typbasetype", Number(0)),
            ("typtypmod", Number(-1)),
            ("typndims", Number(0)),
            ("typcollation", Number(0)),
            ("typdefault", Nothing),
        ],
    )
}

/// The two lists that people read.
fn listed(relations: &[Listed], tables: bool) -> Result<RecordBatch> {
    let of: Vec<&Listed> = relations
        .iter()
        .filter(|relation| relation.is_table == tables)
        .collect();
    let (name, owner) = match tables {
        true => ("tablename", "tableowner"),
        false => ("viewname", "viewowner"),
    };
    table(
        of.len(),
        [
            ("schemaname", texts(&of, |relation| relation.schema.clone())),
            (name, texts(&of, |relation| relation.name.clone())),
            (owner, Text("bilten")),
            ("definition", Nothing),
        ],
    )
}
