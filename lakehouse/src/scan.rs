//! A table as a query sees it: files of one snapshot ∪ tail.

use crate::{
    guard::OrganizerGuard,
    snapshot::{DataFile, FileRanges},
    tables::{DAY, REJECTED, TableSpec},
    view::TableView,
};
use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::{
    catalog::Session,
    common::{DFSchema, Result, ScalarValue, Statistics, config::TableParquetOptions, stats::Precision},
    datasource::{
        TableProvider, TableType,
        listing::PartitionedFile,
        memory::MemorySourceConfig,
        physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource, parquet::CachedParquetFileReaderFactory},
        source::DataSourceExec,
        table_schema::TableSchema,
    },
    execution::object_store::ObjectStoreUrl,
    logical_expr::{Between, BinaryExpr, Expr, Operator, TableProviderFilterPushDown, col, lit, utils::conjunction},
    physical_expr::PhysicalExpr,
    physical_optimizer::pruning::PruningPredicateBuilder,
    physical_plan::{ExecutionPlan, empty::EmptyExec, union::UnionExec},
};
use std::sync::Arc;

/// The rows of one table that one principal may see.
#[derive(Debug)]
pub(crate) struct LakeTable {
    spec: &'static TableSpec,
    view: Arc<TableView>,
    stored: SchemaRef,
    /// The columns that SQL sees, as positions in the stored schema.
    columns: Vec<usize>,
    schema: SchemaRef,
    rejected: bool,
    /// None: everyone's rows.
    organizer: Option<Arc<str>>,
}

impl LakeTable {
    pub(crate) fn new(
        spec: &'static TableSpec,
        view: Arc<TableView>,
        rejected: bool,
        organizer: Option<Arc<str>>,
    ) -> Result<Self> {
        let stored = spec.stored_schema();
        // Good rows have neither error nor raw bytes, and no row needs to say which of the two it is.
        let hidden: &[&str] = if rejected {
            &[REJECTED]
        } else {
            &[REJECTED, "_error", "_raw"]
        };
        let columns: Vec<usize> = (0..stored.fields().len())
            .filter(|i| !hidden.contains(&stored.field(*i).name().as_str()))
            .collect();
        let schema = Arc::new(stored.project(&columns)?);
        Ok(Self {
            spec,
            view,
            stored,
            columns,
            schema,
            rejected,
            organizer,
        })
    }

    fn organizer_column(&self) -> Result<usize> {
        Ok(self.stored.index_of("organizer_id")?)
    }

    /// What is known to hold for the rows that are wanted, in a form that can't fail on others' rows.
    fn predicate(&self, state: &dyn Session, filters: &[Expr]) -> Result<Option<Arc<dyn PhysicalExpr>>> {
        let own = self
            .organizer
            .as_deref()
            .map(|organizer| col("organizer_id").eq(lit(organizer)));
        let safe = filters.iter().filter(|filter| is_comparison(filter)).cloned();
        let Some(all) = conjunction(own.into_iter().chain(safe)) else {
            return Ok(None);
        };
        let schema = DFSchema::try_from(self.stored.as_ref().clone())?;
        state.create_physical_expr(all, &schema).map(Some)
    }

    fn files(&self, predicate: Option<&Arc<dyn PhysicalExpr>>) -> Result<Vec<Arc<DataFile>>> {
        let files: Vec<_> = self
            .view
            .snapshot
            .files
            .iter()
            .filter(|file| file.rejected == self.rejected)
            .cloned()
            .collect();
        match predicate {
            Some(predicate) => prune(files, &self.stored, predicate),
            None => Ok(files),
        }
    }
}

/// The files whose ranges don't rule out a row that fulfils the predicate.
pub(crate) fn prune(
    files: Vec<Arc<DataFile>>,
    stored: &SchemaRef,
    predicate: &Arc<dyn PhysicalExpr>,
) -> Result<Vec<Arc<DataFile>>> {
    let pruning = PruningPredicateBuilder::new().with_file_schema(Arc::clone(stored));
    let Some(pruning) = pruning.build(Arc::clone(predicate)) else {
        return Ok(files);
    };
    let ranges = FileRanges {
        files: &files,
        schema: Arc::clone(stored),
    };
    let mut wanted = pruning.prune(&ranges)?.into_iter();
    Ok(files.into_iter().filter(|_| wanted.next().unwrap_or(true)).collect())
}

#[async_trait]
impl TableProvider for LakeTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        // They are used to leave out files. That the rest fulfils them is left to the query.
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mut wanted: Vec<usize> = match projection {
            Some(projection) => projection.iter().map(|i| self.columns[*i]).collect(),
            None => self.columns.clone(),
        };
        let width = wanted.len();
        if self.organizer.is_some() {
            wanted.push(self.organizer_column()?);
        }
        let predicate = self.predicate(state, filters)?;
        let files = self.files(predicate.as_ref())?;
        let tail: Vec<_> = self.view.tail(self.rejected).cloned().collect();
        let mut parts: Vec<Arc<dyn ExecutionPlan>> = Vec::new();
        if !files.is_empty() {
            parts.push(scan_files(state, self.spec, &files, &wanted, predicate)?);
        }
        if !tail.is_empty() {
            let tail = MemorySourceConfig::try_new_exec(&[tail], Arc::clone(&self.stored), Some(wanted.clone()))?;
            parts.push(tail);
        }
        let all = match parts.len() {
            0 => Arc::new(EmptyExec::new(Arc::new(self.stored.project(&wanted)?))),
            1 => parts.remove(0),
            _ => UnionExec::try_new(parts)?,
        };
        match &self.organizer {
            None => Ok(all),
            Some(organizer) => Ok(Arc::new(OrganizerGuard::new(all, Arc::clone(organizer), width, width)?)),
        }
    }
}

/// All stored columns of some files, for compaction.
pub(crate) fn scan_stored(
    state: &dyn Session,
    spec: &'static TableSpec,
    files: &[Arc<DataFile>],
) -> Result<Arc<dyn ExecutionPlan>> {
    let all: Vec<usize> = (0..spec.stored_schema().fields().len()).collect();
    scan_files(state, spec, files, &all, None)
}

pub(crate) fn scan_files(
    state: &dyn Session,
    spec: &'static TableSpec,
    files: &[Arc<DataFile>],
    projection: &[usize],
    predicate: Option<Arc<dyn PhysicalExpr>>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let url = object_store_url(spec)?;
    let runtime = state.runtime_env();
    let stored = spec.stored_schema();
    let partition_columns = stored.fields()[spec.schema.fields().len()..].to_vec();
    let reader = CachedParquetFileReaderFactory::new(
        runtime.object_store(&url)?,
        runtime.cache_manager.get_file_metadata_cache(),
    );
    let schema = TableSchema::builder(Arc::clone(&spec.schema))
        .with_table_partition_cols(partition_columns)
        .build();
    let options = TableParquetOptions {
        global: state.config_options().execution.parquet.clone(),
        ..Default::default()
    };
    let mut source = ParquetSource::new(schema)
        .with_table_parquet_options(options)
        .with_parquet_file_reader_factory(Arc::new(reader));
    if let Some(predicate) = predicate {
        source = source.with_predicate(predicate);
    }
    let config = FileScanConfigBuilder::new(url, Arc::new(source))
        .with_statistics(row_count(files.iter().map(|file| file.rows as usize).sum(), &stored))
        .with_file_groups(file_groups(files, spec, state.config().target_partitions()))
        .with_projection_indices(Some(projection.to_vec()))?
        .build();
    Ok(DataSourceExec::from_data_source(config))
}

/// The name under which a query's runtime knows the table's files.
pub(crate) fn object_store_url(spec: &TableSpec) -> Result<ObjectStoreUrl> {
    ObjectStoreUrl::parse(format!("lake://{}", spec.name.replace('_', "-").replace('/', ".")))
}

const COMPARISONS: [Operator; 6] = [
    Operator::Eq,
    Operator::NotEq,
    Operator::Lt,
    Operator::LtEq,
    Operator::Gt,
    Operator::GtEq,
];

/// Comparisons of columns with values, and what is made of them by AND and OR. They never fail, so they may look at
/// rows (and ranges of rows) that belong to others.
pub(crate) fn is_comparison(filter: &Expr) -> bool {
    let is_value = |expr: &Expr| matches!(expr, Expr::Literal(..));
    let is_column = |expr: &Expr| matches!(expr, Expr::Column(_));
    match filter {
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::And | Operator::Or,
            right,
        }) => is_comparison(left) && is_comparison(right),
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            COMPARISONS.contains(op) && (is_column(left) && is_value(right) || is_value(left) && is_column(right))
        }
        Expr::Between(Between { expr, low, high, .. }) => is_column(expr) && is_value(low) && is_value(high),
        Expr::InList(list) => is_column(&list.expr) && list.list.iter().all(is_value),
        Expr::IsNull(inner) | Expr::IsNotNull(inner) | Expr::Not(inner) => is_column(inner),
        Expr::Column(_) => true,
        _ => false,
    }
}

/// Files dealt out so that each group has about the same number of bytes.
fn file_groups(files: &[Arc<DataFile>], spec: &TableSpec, partitions: usize) -> Vec<FileGroup> {
    let partitions = partitions.clamp(1, files.len().max(1));
    let mut groups: Vec<(u64, Vec<PartitionedFile>)> = vec![(0, vec![]); partitions];
    for file in files {
        let smallest = groups.iter_mut().min_by_key(|(bytes, _)| *bytes);
        if let Some((bytes, group)) = smallest {
            *bytes += file.size();
            group.push(partitioned_file(file, spec));
        }
    }
    groups.into_iter().map(|(_, group)| FileGroup::new(group)).collect()
}

fn partitioned_file(file: &DataFile, spec: &TableSpec) -> PartitionedFile {
    let all = [
        (REJECTED, ScalarValue::Boolean(Some(file.rejected))),
        (DAY, ScalarValue::Date32(file.day)),
    ];
    let values = all.into_iter().filter(|(name, _)| spec.partitioned_by.contains(name));
    PartitionedFile::new(file.add.path.clone(), file.size())
        .with_partition_values(values.map(|(_, value)| value).collect())
        .with_statistics(Arc::new(row_count(file.rows as usize, &spec.schema)))
}

/// Row counts are exact. Ranges are not told: text may be cut there, and times are.
fn row_count(rows: usize, stored: &Schema) -> Statistics {
    Statistics {
        num_rows: Precision::Exact(rows),
        ..Statistics::new_unknown(stored)
    }
}
