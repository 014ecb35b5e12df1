//! `pg_catalog`: what tools look up before they ask anything. Its rows are made from what the principal's own catalog
//! lists.

use super::{
    columns::{Column, fixed, numbers, table, texts},
    information,
    settings::SETTINGS,
    types::{TYPES, pg_type},
};
use crate::catalog::{Catalog, Listed};
use arrow::array::RecordBatch;
use async_trait::async_trait;
use datafusion::{
    catalog::{CatalogProvider, SchemaProvider},
    common::Result,
    datasource::{MemTable, TableProvider},
};
use std::sync::Arc;

/// Where PostgreSQL begins to number what is not its own.
const FIRST_OID: i64 = 16_384;

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

/// Tables about what the lake does not have, with their columns as [`fixed`] reads them.
const EMPTY: &[(&str, &str)] = &[
    ("pg_am", "oid#0 amname"),
    ("pg_attrdef", "oid#0 adrelid#0 adnum#0 adbin"),
    ("pg_auth_members", "roleid#0 member#0 grantor#0 admin_option?f"),
    (
        "pg_cast",
        "oid#0 castsource#0 casttarget#0 castfunc#0 castcontext castmethod",
    ),
    ("pg_collation", "oid#0 collname collnamespace#0"),
    (
        "pg_constraint",
        "oid#0 conname connamespace#0 contype conrelid#0 confrelid#0 conindid#0 conkey confkey",
    ),
    (
        "pg_conversion",
        "oid#0 conname connamespace#0 conforencoding#0 contoencoding#0 conproc condefault?f",
    ),
    ("pg_db_role_setting", "setdatabase#0 setrole#0 setconfig[]"),
    (
        "pg_default_acl",
        "oid#0 defaclrole#0 defaclnamespace#0 defaclobjtype defaclacl[]",
    ),
    (
        "pg_depend",
        "classid#0 objid#0 objsubid#0 refclassid#0 refobjid#0 refobjsubid#0 deptype",
    ),
    ("pg_description", "objoid#0 classoid#0 objsubid#0 description"),
    ("pg_enum", "oid#0 enumtypid#0 enumsortorder#0 enumlabel"),
    (
        "pg_event_trigger",
        "oid#0 evtname evtevent evtowner#0 evtfoid#0 evtenabled evttags[]",
    ),
    ("pg_extension", "oid#0 extname extnamespace#0 extversion"),
    ("pg_foreign_data_wrapper", "oid#0 fdwname fdwowner#0 fdwoptions[]"),
    (
        "pg_foreign_server",
        "oid#0 srvname srvowner#0 srvfdw#0 srvtype srvversion srvacl[] srvoptions[]",
    ),
    ("pg_foreign_table", "ftrelid#0 ftserver#0 ftoptions"),
    ("pg_get_keywords", "word catcode catdesc"),
    (
        "pg_index",
        "indexrelid#0 indrelid#0 indnatts#0 indisunique?f indisprimary?f indisvalid?f indkey indoption",
    ),
    ("pg_indexes", "schemaname tablename indexname tablespace indexdef"),
    ("pg_inherits", "inhrelid#0 inhparent#0 inhseqno#0 inhdetachpending?f"),
    (
        "pg_language",
        "oid#0 lanname lanowner#0 lanispl?f lanpltrusted?f lanplcallfoid#0 laninline#0 lanvalidator#0 lanacl[]",
    ),
    ("pg_largeobject_metadata", "oid#0 lomowner#0 lomacl[]"),
    ("pg_matviews", "schemaname matviewname matviewowner definition"),
    (
        "pg_opclass",
        "oid#0 opcmethod#0 opcname opcnamespace#0 opcowner#0 opcfamily#0 opcintype#0 opcdefault?f opckeytype#0",
    ),
    (
        "pg_operator",
        "oid#0 oprname oprnamespace#0 oprowner#0 oprkind oprleft#0 oprright#0 oprresult#0 oprcode",
    ),
    ("pg_opfamily", "oid#0 opfmethod#0 opfname opfnamespace#0 opfowner#0"),
    ("pg_partitioned_table", "partrelid#0 partstrat"),
    ("pg_policy", "oid#0 polname polrelid#0 polcmd polpermissive?f polroles"),
    (
        "pg_proc",
        "oid#0 proname pronamespace#0 proowner#0 prokind prorettype#0 proargtypes proretset?f",
    ),
    ("pg_publication", "oid#0 pubname puballtables?f"),
    ("pg_publication_namespace", "oid#0 pnpubid#0 pnnspid#0"),
    ("pg_publication_rel", "oid#0 prpubid#0 prrelid#0"),
    ("pg_range", "rngtypid#0 rngsubtype#0 rngmultitypid#0"),
    ("pg_rewrite", "oid#0 rulename ev_class#0 ev_type ev_enabled"),
    ("pg_sequence", "seqrelid#0 seqtypid#0 seqstart#0 seqincrement#0"),
    ("pg_shdescription", "objoid#0 classoid#0 description"),
    (
        "pg_stat_user_tables",
        "relid#0 schemaname relname n_live_tup#0 n_dead_tup#0",
    ),
    ("pg_statistic_ext", "oid#0 stxrelid#0 stxname stxnamespace#0 stxkind"),
    (
        "pg_subscription",
        "oid#0 subname subowner#0 subenabled?f subpublications[]",
    ),
    ("pg_transform", "oid#0 trftype#0 trflang#0"),
    ("pg_trigger", "oid#0 tgrelid#0 tgname tgisinternal?f tgenabled"),
    ("pg_ts_config", "oid#0 cfgname cfgnamespace#0 cfgowner#0 cfgparser#0"),
    ("pg_ts_dict", "oid#0 dictname dictnamespace#0 dictowner#0"),
    ("pg_ts_parser", "oid#0 prsname prsnamespace#0"),
    ("pg_ts_template", "oid#0 tmplname tmplnamespace#0"),
    ("pg_user_mapping", "oid#0 umuser#0 umserver#0"),
];

pub(super) fn is_empty(name: &str) -> bool {
    EMPTY.iter().chain(information::EMPTY).any(|(known, _)| *known == name)
}

#[derive(Debug)]
pub(crate) struct PgCatalog(pub(crate) Catalog);

#[async_trait]
impl SchemaProvider for PgCatalog {
    /// Nobody who looks for figures wants to read these.
    fn table_names(&self) -> Vec<String> {
        Vec::new()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let batch = match name {
            "pg_attribute" => attributes(&self.0.list().await?)?,
            "pg_class" => classes(&self.0.list().await?)?,
            "pg_database" => databases()?,
            "pg_namespace" => namespaces(self.0.schema_names())?,
            "pg_roles" | "pg_user" => roles()?,
            "pg_settings" => settings()?,
            "pg_tables" => listed(&self.0.list().await?, true)?,
            "pg_tablespace" => table(
                1,
                fixed("oid#1663 spcname=pg_default spcowner#10 spcacl[] spcoptions[]"),
            )?,
            "pg_type" => types()?,
            "pg_views" => listed(&self.0.list().await?, false)?,
            information::TABLES => information::tables(&self.0.list().await?)?,
            information::COLUMNS => information::columns(&self.0.list().await?)?,
            information::SCHEMATA => information::schemata(self.0.schema_names())?,
            name => {
                let known = EMPTY.iter().chain(information::EMPTY).find(|(known, _)| *known == name);
                let Some((_, columns)) = known else {
                    return Ok(None);
                };
                table(0, fixed(columns))?
            }
        };
        Ok(Some(Arc::new(MemTable::try_new(batch.schema(), vec![vec![batch]])?)))
    }

    fn table_exist(&self, name: &str) -> bool {
        name.starts_with("pg_") || name.starts_with(information::PREFIX)
    }
}

fn classes(listed: &[Listed]) -> Result<RecordBatch> {
    let kind = |listed: &Listed| if listed.is_table { "r" } else { "v" }.to_owned();
    let own = [
        ("oid", numbers(listed, |listed| oid(&listed.schema, &listed.name))),
        ("relname", texts(listed, |listed| listed.name.clone())),
        ("relnamespace", numbers(listed, |listed| schema_oid(&listed.schema))),
        ("relkind", texts(listed, kind)),
        (
            "relnatts",
            numbers(listed, |listed| listed.columns.fields().len() as i64),
        ),
    ];
    let rest = "reltype#0 reloftype#0 relowner#10 relam#0 relfilenode#0 reltablespace#0 relpages#0 reltuples#-1 \
                relallvisible#0 reltoastrelid#0 relhasindex?f relisshared?f relpersistence=p relchecks#0 relhasrules?f \
                relhastriggers?f relhassubclass?f relrowsecurity?f relforcerowsecurity?f relispopulated?t \
                relreplident=n relispartition?f relrewrite#0 relacl[] reloptions[] relpartbound";
    table(listed.len(), own.into_iter().chain(fixed(rest)))
}

fn attributes(listed: &[Listed]) -> Result<RecordBatch> {
    let columns = listed.iter().flat_map(|listed| {
        let of = oid(&listed.schema, &listed.name);
        let fields = listed.columns.fields().iter().enumerate();
        fields.map(move |(index, field)| (of, index as i64 + 1, field))
    });
    let columns: Vec<_> = columns.collect();
    let types: Vec<_> = columns.iter().map(|(.., field)| pg_type(field.data_type())).collect();
    let own = [
        ("attrelid", numbers(&columns, |(of, ..)| *of)),
        ("attname", texts(&columns, |(.., field)| field.name().clone())),
        ("atttypid", numbers(&types, |of| i64::from(of.oid))),
        ("attlen", numbers(&types, |of| i64::from(of.size))),
        ("attnum", numbers(&columns, |(_, number, _)| *number)),
        (
            "attnotnull",
            Column::Flags(columns.iter().map(|(.., field)| !field.is_nullable()).collect()),
        ),
    ];
    let rest = "attstattarget#-1 attndims#0 attcacheoff#-1 atttypmod#-1 attbyval?f attstorage=p attalign=i atthasdef?f \
                atthasmissing?f attidentity= attgenerated= attisdropped?f attislocal?t attinhcount#0 attcollation#0 \
                attcompression= attacl[] attoptions[]";
    table(columns.len(), own.into_iter().chain(fixed(rest)))
}

fn namespaces(mut schemas: Vec<String>) -> Result<RecordBatch> {
    schemas.extend(["pg_catalog", "information_schema"].map(str::to_owned));
    let own = [
        ("oid", numbers(&schemas, |schema| schema_oid(schema))),
        ("nspname", texts(&schemas, |schema| schema.clone())),
    ];
    table(schemas.len(), own.into_iter().chain(fixed("nspowner#10 nspacl[]")))
}

fn databases() -> Result<RecordBatch> {
    let all = "oid#16383 datname=bilten datdba#10 encoding#6 datlocprovider=c datistemplate?f datallowconn?t \
               datconnlimit#-1 dattablespace#1663 datcollate=C datctype=C daticulocale datacl[]";
    table(1, fixed(all))
}

fn roles() -> Result<RecordBatch> {
    let all = "oid#10 rolname=bilten usename=bilten usesysid#10 rolsuper?f rolinherit?t rolcreaterole?f rolcreatedb?f \
               rolcanlogin?t rolreplication?f rolconnlimit#-1 rolvaliduntil rolbypassrls?f";
    table(1, fixed(all))
}

fn settings() -> Result<RecordBatch> {
    let own = [
        ("name", texts(&SETTINGS, |(name, _)| (*name).to_owned())),
        ("setting", texts(&SETTINGS, |(_, value)| (*value).to_owned())),
        ("boot_val", texts(&SETTINGS, |(_, value)| (*value).to_owned())),
        ("reset_val", texts(&SETTINGS, |(_, value)| (*value).to_owned())),
    ];
    table(
        SETTINGS.len(),
        own.into_iter().chain(fixed(
            "unit category short_desc context=internal vartype=string source=default",
        )),
    )
}

fn types() -> Result<RecordBatch> {
    let own = [
        ("oid", numbers(&TYPES, |of| i64::from(of.oid))),
        ("typname", texts(&TYPES, |of| of.name.to_owned())),
        ("typnamespace", Column::Number(schema_oid("pg_catalog"))),
        ("typlen", numbers(&TYPES, |of| i64::from(of.size))),
        ("typcategory", texts(&TYPES, |of| of.category.to_owned())),
        ("typinput", texts(&TYPES, |of| format!("{}in", of.name))),
        ("typoutput", texts(&TYPES, |of| format!("{}out", of.name))),
    ];
    let rest = "typowner#10 typbyval?f typtype=b typispreferred?f typisdefined?t typdelim=, typrelid#0 typelem#0 \
                typarray#0 typnotnull?f typbasetype#0 typtypmod#-1 typndims#0 typcollation#0 typdefault";
    table(TYPES.len(), own.into_iter().chain(fixed(rest)))
}

/// The two lists that people read.
fn listed(listed: &[Listed], tables: bool) -> Result<RecordBatch> {
    let of: Vec<&Listed> = listed.iter().filter(|listed| listed.is_table == tables).collect();
    let (name, rest) = match tables {
        true => ("tablename", "tableowner=bilten tablespace hasindexes?f"),
        false => ("viewname", "viewowner=bilten definition"),
    };
    let own = [
        ("schemaname", texts(&of, |listed| listed.schema.clone())),
        (name, texts(&of, |listed| listed.name.clone())),
    ];
    table(of.len(), own.into_iter().chain(fixed(rest)))
}
