//! The current state of an entity: of the changes of each id, the one with the highest `seq`. The core raises `seq` and
//! `entity_version` together, so that is the latest version too.
//!
//! Two narrow passes instead of one wide sort: first the highest `seq` of each id, then the rows that have it.

use crate::{
    latest::LatestRows,
    scan::{LakeTable, is_comparison},
};
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::{
    catalog::Session,
    common::{Column, Result, internal_err},
    datasource::{TableProvider, TableType, provider_as_source},
    execution::{SessionState, SessionStateBuilder},
    functions_aggregate::expr_fn::max,
    logical_expr::{
        Expr, LogicalPlanBuilder, TableProviderFilterPushDown, col, expr_rewriter::unnormalize_cols, utils::conjunction,
    },
    physical_plan::ExecutionPlan,
};
use domain::changes::Entity;
use std::sync::Arc;

/// Columns that the core sets once, when it makes the thing. Whoever looks for one event's orders then need not tell all
/// orders' versions apart.
const SET_ONCE: &[(&str, &[&str])] = &[
    ("order", &["event_id", "person_id", "placed_at"]),
    ("ticket", &["event_id", "order_id"]),
    ("check_in", &["event_id", "check_in_list_id"]),
    ("payment", &["event_id", "order_id"]),
    ("refund", &["event_id", "order_id", "payment_id"]),
    ("dispute", &["event_id", "order_id", "payment_id"]),
    ("hold", &["event_id"]),
    ("ticket_type", &["event_id"]),
    ("promo_code", &["event_id"]),
];

fn never_changes(entity: &Entity, column: &str) -> bool {
    let columns = SET_ONCE.iter().find(|(name, _)| *name == entity.name);
    columns.is_some_and(|(_, columns)| columns.contains(&column))
}

#[derive(Debug)]
pub(crate) struct CurrentTable {
    pub(crate) entity: &'static Entity,
    pub(crate) changes: Arc<LakeTable>,
}

#[async_trait]
impl TableProvider for CurrentTable {
    fn schema(&self) -> SchemaRef {
        self.changes.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    /// Comparisons are applied before the versions are told apart. Others could fail on a version that is no longer
    /// current, so they wait.
    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let supported = |filter: &&Expr| match is_comparison(filter) {
            true => TableProviderFilterPushDown::Exact,
            false => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(supported).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let filters = unnormalize_cols(filters.iter().cloned());
        // All versions of a thing have its id and its organizer, so filters on these choose whole things.
        let of_whole = |filter: &&Expr| {
            let columns = filter.column_refs();
            columns.iter().all(|column| {
                let name = column.name.as_str();
                [self.entity.key, "organizer_id", "entity_id"].contains(&name) || never_changes(self.entity, name)
            })
        };
        let whole = conjunction(filters.iter().filter(of_whole).cloned());
        let source = || provider_as_source(Arc::clone(&self.changes) as Arc<dyn TableProvider>);
        let latest = LogicalPlanBuilder::scan("versions", source(), None)?;
        let latest = match whole {
            Some(whole) => latest.filter(whole)?,
            None => latest,
        };
        let latest = latest.aggregate([col(self.entity.key)], [max(col("seq")).alias("latest_seq")])?;
        let latest = latest.project([col("latest_seq")])?.build()?;

        let names = self.schema();
        let mut wanted: Vec<String> = match projection {
            Some(projection) => projection.iter().map(|i| names.field(*i).name().clone()).collect(),
            None => names.fields().iter().map(|field| field.name().clone()).collect(),
        };
        let width = wanted.len();
        let seq = wanted.iter().position(|name| name == "seq").unwrap_or(width);
        if seq == width {
            wanted.push("seq".to_owned());
        }
        let rows = LogicalPlanBuilder::scan("changes", source(), None)?;
        let rows = match conjunction(filters) {
            Some(all) => rows.filter(all)?,
            None => rows,
        };
        let rows = rows
            .project(wanted.iter().map(|name| col(Column::from_name(name))))?
            .build()?;
        let state = unfinished(state)?;
        let (rows, latest) = (
            state.create_physical_plan(&rows).await?,
            state.create_physical_plan(&latest).await?,
        );
        Ok(Arc::new(LatestRows::new(rows, latest, seq, width)?))
    }
}

/// The same session without physical optimization: what is planned here becomes part of a larger plan, which is
/// optimized as a whole, and an operator must not be optimized twice.
fn unfinished(state: &dyn Session) -> Result<SessionState> {
    let Some(state) = state.as_any().downcast_ref::<SessionState>() else {
        return internal_err!("a view is planned by a session of another kind");
    };
    Ok(SessionStateBuilder::new_from_existing(state.clone())
        .with_physical_optimizer_rules(vec![])
        .build())
}
