//! What a principal finds when it asks: schema `lake` with tables, current-state views and rejects, `system`, and what
//! others have defined over them.

use crate::{
    current::CurrentTable,
    kept::KeptTables,
    lake::{Lake, lock},
    postgres::PgCatalog,
    relations::{KEPT, Moment, Name, Relations, SCHEMAS},
    scan::LakeTable,
    session::Principal,
    system,
    tables::{TableSpec, table_specs},
    view::View,
};
use arrow::{array::RecordBatch, datatypes::SchemaRef};
use async_trait::async_trait;
use datafusion::{
    catalog::{CatalogProvider, SchemaProvider},
    common::{DataFusionError, Result},
    datasource::{MemTable, TableProvider, TableType, ViewTable, provider_as_source},
    logical_expr::{LogicalPlan, LogicalPlanBuilder, cast, col, lit},
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

/// Everything of one view that one principal may see. It lives as long as one query.
#[derive(Clone)]
pub(crate) struct Catalog {
    pub(crate) lake: Lake,
    pub(crate) view: Arc<View>,
    pub(crate) kept: Arc<KeptTables>,
    pub(crate) principal: Principal,
    organizer: Option<Arc<str>>,
    relations: Option<Arc<dyn Relations>>,
    /// Rows that stand for a relation.
    given: Arc<HashMap<Name, RecordBatch>>,
    /// A relation is planned once a query, however many others read it.
    planned: Arc<Mutex<Planned>>,
    /// For the SQL of relations, which sees what they keep.
    inside: bool,
}

type Planned = HashMap<Name, Arc<dyn TableProvider>>;

impl Catalog {
    pub(crate) fn new(lake: Lake, kept: Arc<KeptTables>, view: Arc<View>, principal: &Principal) -> Self {
        let organizer = principal.organizer.map(|id| id.to_string().into());
        let relations = lock(&lake.inner.relations).clone();
        Self {
            lake,
            view,
            kept,
            principal: principal.clone(),
            organizer,
            relations,
            given: Arc::default(),
            planned: Arc::default(),
            inside: false,
        }
    }

    pub(crate) fn inside(&self) -> Self {
        Self {
            inside: true,
            ..self.clone()
        }
    }

    pub(crate) fn given(&self, rows: HashMap<Name, RecordBatch>) -> Self {
        Self {
            given: Arc::new(rows),
            planned: Arc::default(),
            ..self.clone()
        }
    }

    /// Plans a relation's SQL.
    pub(crate) async fn plan(&self, sql: &str) -> crate::Result<LogicalPlan> {
        let inner = &self.lake.inner;
        let state = inner
            .engine
            .state(Some(self.inside()), inner.options.query_memory_bytes)?;
        Ok(state.create_logical_plan(sql).await?)
    }

    fn given_rows(&self, schema: &str, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let Some(rows) = self.given.get(&(schema.to_owned(), name.to_owned())) else {
            return Ok(None);
        };
        Ok(Some(Arc::new(MemTable::try_new(
            rows.schema(),
            vec![vec![rows.clone()]],
        )?)))
    }

    async fn relation(&self, schema: &str, name: &str) -> crate::Result<Option<Arc<dyn TableProvider>>> {
        let Some(relations) = &self.relations else {
            return Ok(None);
        };
        let key = (schema.to_owned(), name.to_owned());
        if let Some(planned) = lock(&self.planned).get(&key) {
            return Ok(Some(Arc::clone(planned)));
        }
        let moment = Moment { catalog: self.clone() };
        let Some(sql) = relations.answer(schema, name, &moment).await? else {
            return Ok(None);
        };
        let view: Arc<dyn TableProvider> = Arc::new(ViewTable::new(self.plan(&sql).await?, None));
        lock(&self.planned).insert(key, Arc::clone(&view));
        Ok(Some(view))
    }

    pub(crate) fn is_admin(&self) -> bool {
        self.organizer.is_none()
    }

    /// The tables that this principal may see, with their places in the view.
    pub(crate) fn specs(&self) -> impl Iterator<Item = (usize, &'static TableSpec)> {
        let all = self.principal.personal_data;
        table_specs()
            .iter()
            .enumerate()
            .filter(move |(_, spec)| all || !spec.has_personal_data())
    }

    fn table(&self, index: usize, spec: &'static TableSpec, rejected: bool) -> Result<Arc<LakeTable>> {
        let view = Arc::clone(&self.view.tables[index]);
        Ok(Arc::new(LakeTable::new(spec, view, rejected, self.organizer.clone())?))
    }

    /// Tables, views and figures with their columns, without a look at what stands in them.
    pub(crate) async fn list(&self) -> Result<Vec<Listed>> {
        let mut all = Vec::new();
        for schema in self.schema_names() {
            let Some(provider) = self.schema(&schema) else { continue };
            for name in provider.table_names() {
                let (columns, is_table) = match schema.as_str() {
                    "system" => (system::columns(self, &name)?, true),
                    _ => match provider.table(&name).await? {
                        Some(table) => (table.schema(), table.table_type() == TableType::Base),
                        None => continue,
                    },
                };
                all.push(Listed {
                    schema: schema.clone(),
                    name,
                    is_table,
                    columns,
                });
            }
        }
        Ok(all)
    }

    fn find(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        if name == REJECTS {
            return self.rejects().map(Some);
        }
        for (index, spec) in self.specs() {
            if spec.name == name {
                return Ok(Some(self.table(index, spec, false)?));
            }
            if let Some(entity) = spec.entity.filter(|entity| entity.view == name) {
                let changes = self.table(index, spec, false)?;
                return Ok(Some(Arc::new(CurrentTable { entity, changes })));
            }
        }
        Ok(None)
    }

    /// Every record that was refused, whatever table it was meant for.
    fn rejects(&self) -> Result<Arc<dyn TableProvider>> {
        let mut all: Option<LogicalPlanBuilder> = None;
        for (index, spec) in self.specs() {
            let table = LogicalPlanBuilder::scan(spec.name, provider_as_source(self.table(index, spec, true)?), None)?;
            let text = arrow::datatypes::DataType::Utf8;
            let nothing = |kind| cast(lit(datafusion::common::ScalarValue::Null), kind);
            let (seq, change_type) = if spec.has_envelope {
                (col("seq"), col("change_type"))
            } else {
                (nothing(arrow::datatypes::DataType::Int64), nothing(text))
            };
            let part = table.project([
                lit(spec.name).alias("table_name"),
                col("organizer_id"),
                seq.alias("seq"),
                change_type.alias("change_type"),
                col("_topic"),
                col("_partition"),
                col("_offset"),
                col("_ingested_at"),
                col("_error"),
                col("_raw"),
            ])?;
            all = Some(match all {
                None => part,
                Some(all) => all.union(part.build()?)?,
            });
        }
        let all = all.ok_or_else(|| DataFusionError::Plan("there are no tables".to_owned()))?;
        Ok(Arc::new(ViewTable::new(all.build()?, None)))
    }
}

/// Something with rows, as a list of all that there is tells of it.
pub(crate) struct Listed {
    pub(crate) schema: String,
    pub(crate) name: String,
    pub(crate) is_table: bool,
    pub(crate) columns: SchemaRef,
}

const REJECTS: &str = "rejects";

impl std::fmt::Debug for Catalog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Catalog")
            .field("principal", &self.principal)
            .finish_non_exhaustive()
    }
}

impl CatalogProvider for Catalog {
    fn schema_names(&self) -> Vec<String> {
        let defined = SCHEMAS.iter().filter(|_| self.relations.is_some()).copied();
        ["lake", "system"]
            .into_iter()
            .chain(defined)
            .map(str::to_owned)
            .collect()
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        match name {
            "lake" => Some(Arc::new(LakeSchema(self.clone()))),
            "system" => Some(Arc::new(SystemSchema(self.clone()))),
            "pg_catalog" => Some(Arc::new(PgCatalog(self.clone()))),
            KEPT if self.inside => Some(Arc::new(KeptSchema(self.clone()))),
            defined if SCHEMAS.contains(&defined) => Some(Arc::new(DefinedSchema {
                catalog: self.clone(),
                schema: defined.to_owned(),
            })),
            _ => None,
        }
    }
}

/// What others have defined.
#[derive(Debug)]
struct DefinedSchema {
    catalog: Catalog,
    schema: String,
}

#[async_trait]
impl SchemaProvider for DefinedSchema {
    fn table_names(&self) -> Vec<String> {
        let relations = self.catalog.relations.as_ref();
        relations
            .map(|relations| relations.names(&self.schema))
            .unwrap_or_default()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        if let Some(given) = self.catalog.given_rows(&self.schema, name)? {
            return Ok(Some(given));
        }
        let found = self.catalog.relation(&self.schema, name).await;
        found.map_err(|error| DataFusionError::External(Box::new(error)))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.table_names().iter().any(|known| known == name)
    }
}

/// The rows that relations keep, all of a table's or those of its small files.
#[derive(Debug)]
struct KeptSchema(Catalog);

/// Behind a table's name: its small files alone.
const SMALL: &str = "$small";

#[async_trait]
impl SchemaProvider for KeptSchema {
    fn table_names(&self) -> Vec<String> {
        self.0.kept.keys().cloned().collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let (table, only_small) = match name.strip_suffix(SMALL) {
            Some(table) => (table, true),
            None => (name, false),
        };
        let Some(kept) = self.0.kept.get(table) else {
            return Ok(None);
        };
        let view = kept.view(only_small);
        let organizer = self.0.organizer.clone();
        Ok(Some(Arc::new(LakeTable::new(kept.store.spec, view, false, organizer)?)))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.0.kept.contains_key(name.strip_suffix(SMALL).unwrap_or(name))
    }
}

#[derive(Debug)]
struct LakeSchema(Catalog);

#[async_trait]
impl SchemaProvider for LakeSchema {
    fn table_names(&self) -> Vec<String> {
        let tables = self
            .0
            .specs()
            .flat_map(|(_, spec)| [Some(spec.name), spec.entity.map(|entity| entity.view)]);
        tables.flatten().chain([REJECTS]).map(str::to_owned).collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        match self.0.given_rows("lake", name)? {
            Some(given) => Ok(Some(given)),
            None => self.0.find(name),
        }
    }

    fn table_exist(&self, name: &str) -> bool {
        self.table_names().iter().any(|known| known == name)
    }
}

#[derive(Debug)]
struct SystemSchema(Catalog);

#[async_trait]
impl SchemaProvider for SystemSchema {
    fn table_names(&self) -> Vec<String> {
        system::table_names(&self.0)
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        system::table(&self.0, name).await
    }

    fn table_exist(&self, name: &str) -> bool {
        self.table_names().iter().any(|known| known == name)
    }
}
