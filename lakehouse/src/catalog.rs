//! What a principal finds when it asks: schema `lake` with tables, current-state views and rejects, and `system`.

use crate::{
    current::CurrentTable,
    lake::Lake,
    postgres::PgCatalog,
    scan::LakeTable,
    session::Principal,
    system,
    tables::{TableSpec, table_specs},
    view::View,
};
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::{
    catalog::{CatalogProvider, MemorySchemaProvider, SchemaProvider},
    common::{DataFusionError, Result},
    datasource::{TableProvider, ViewTable, provider_as_source},
    logical_expr::{LogicalPlanBuilder, cast, col, lit},
};
use std::sync::Arc;

/// Everything of one view that one principal may see. It lives as long as one query.
#[derive(Clone)]
pub(crate) struct Catalog {
    pub(crate) lake: Lake,
    pub(crate) view: Arc<View>,
    pub(crate) principal: Principal,
    organizer: Option<Arc<str>>,
}

impl Catalog {
    pub(crate) fn new(lake: Lake, view: Arc<View>, principal: &Principal) -> Self {
        let organizer = principal.organizer.map(|id| id.to_string().into());
        Self {
            lake,
            view,
            principal: principal.clone(),
            organizer,
        }
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
    pub(crate) fn relations(&self) -> Result<Vec<Relation>> {
        let mut relations = Vec::new();
        for name in LakeSchema(self.clone()).table_names() {
            let is_table = self.specs().any(|(_, spec)| spec.name == name);
            if let Some(found) = self.find(&name)? {
                relations.push(Relation {
                    schema: "lake",
                    is_table,
                    columns: found.schema(),
                    name,
                });
            }
        }
        for name in system::table_names(self) {
            relations.push(Relation {
                schema: "system",
                is_table: true,
                columns: system::columns(self, &name)?,
                name,
            });
        }
        Ok(relations)
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
pub(crate) struct Relation {
    pub(crate) schema: &'static str,
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

pub(crate) const SCHEMAS: [&str; 5] = ["lake", "staging", "marts", "system", "pg_catalog"];

impl CatalogProvider for Catalog {
    fn schema_names(&self) -> Vec<String> {
        SCHEMAS.map(str::to_owned).to_vec()
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        match name {
            "lake" => Some(Arc::new(LakeSchema(self.clone()))),
            "system" => Some(Arc::new(SystemSchema(self.clone()))),
            "pg_catalog" => Some(Arc::new(PgCatalog(self.clone()))),
            "staging" | "marts" => Some(Arc::new(MemorySchemaProvider::new())),
            _ => None,
        }
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
        self.0.find(name)
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
