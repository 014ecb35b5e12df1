//! The rows whose `seq` is among the latest. These are as many as there are things, and a bit for each change of the core
//! holds them in a small part of what a hash join would need, at a fraction of its time.

use crate::lake::lock;
use arrow::{
    array::{Array, AsArray, BooleanArray, BooleanBufferBuilder},
    buffer::BooleanBuffer,
    compute::filter_record_batch,
    datatypes::Int64Type,
};
use datafusion::{
    common::{DataFusionError, Result, Statistics, internal_err, stats::Precision, tree_node::TreeNodeRecursion},
    execution::{
        SendableRecordBatchStream, TaskContext,
        memory_pool::{MemoryConsumer, MemoryReservation},
    },
    physical_expr::{Distribution, EquivalenceProperties, PhysicalExpr},
    physical_plan::{
        ChildStats, ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties,
        InputDistributionRequirements, PlanProperties, ReplaceChildrenOptions, StatisticsArgs,
        stream::RecordBatchStreamAdapter,
    },
};
use futures::{
    FutureExt, StreamExt, TryFutureExt, TryStreamExt,
    future::{BoxFuture, Shared},
};
use std::{
    fmt,
    sync::{Arc, Mutex},
};

#[derive(Debug)]
pub(crate) struct LatestRows {
    rows: Arc<dyn ExecutionPlan>,
    /// One column, with the `seq` of each row that is wanted.
    latest: Arc<dyn ExecutionPlan>,
    /// Where the rows have theirs.
    seq: usize,
    /// The leading columns of the rows that are handed on.
    width: usize,
    /// Read once, by whichever part comes first.
    chosen: Mutex<Option<Choosing>>,
    properties: Arc<PlanProperties>,
}

type Choosing = Shared<BoxFuture<'static, Result<Arc<Chosen>, Arc<DataFusionError>>>>;

#[derive(Debug)]
struct Chosen {
    bits: BooleanBuffer,
    _memory: MemoryReservation,
}

impl LatestRows {
    pub(crate) fn new(
        rows: Arc<dyn ExecutionPlan>,
        latest: Arc<dyn ExecutionPlan>,
        seq: usize,
        width: usize,
    ) -> Result<Self> {
        let schema = Arc::new(rows.schema().project(&(0..width).collect::<Vec<_>>())?);
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            rows.output_partitioning().clone(),
            rows.pipeline_behavior(),
            rows.boundedness(),
        );
        Ok(Self {
            rows,
            latest,
            seq,
            width,
            chosen: Mutex::default(),
            properties: Arc::new(properties),
        })
    }
}

async fn choose(mut latest: SendableRecordBatchStream, memory: MemoryReservation) -> Result<Chosen> {
    let mut bits = BooleanBufferBuilder::new(0);
    while let Some(batch) = latest.try_next().await? {
        for seq in batch.column(0).as_primitive::<Int64Type>().iter().flatten() {
            let place = usize::try_from(seq).unwrap_or_default();
            if place >= bits.len() {
                // In steps, so that few of them move what is there.
                bits.advance((place - bits.len() + 1).max(bits.len() / 2));
                memory.try_resize(bits.len() / 8)?;
            }
            bits.set_bit(place, true);
        }
    }
    Ok(Chosen {
        bits: bits.finish(),
        _memory: memory,
    })
}

impl DisplayAs for LatestRows {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LatestRows")
    }
}

impl ExecutionPlan for LatestRows {
    fn name(&self) -> &'static str {
        "LatestRows"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.rows, &self.latest]
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        InputDistributionRequirements::new(vec![
            Distribution::UnspecifiedDistribution,
            Distribution::SinglePartition,
        ])
    }

    /// Parts more than the rows have would each need a share of the query's memory.
    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false, false]
    }

    fn apply_expressions(
        &self,
        _visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Ok([rows, latest]) = <[_; 2]>::try_from(children) else {
            return internal_err!("rows, and which of them are the latest");
        };
        Ok(Arc::new(Self::new(rows, latest, self.seq, self.width)?))
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn child_stats_requests(&self, partition: Option<usize>) -> Vec<ChildStats> {
        vec![ChildStats::At(partition), ChildStats::Skip]
    }

    /// At most all rows. Without this a join would keep a large table in memory to look up a small one.
    fn statistics_from_inputs(&self, inputs: &[Arc<Statistics>], _args: &StatisticsArgs) -> Result<Arc<Statistics>> {
        let rows = inputs
            .first()
            .map_or(Precision::Absent, |rows| rows.num_rows.to_inexact());
        Ok(Arc::new(Statistics {
            num_rows: rows,
            ..Statistics::new_unknown(&self.schema())
        }))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let mut chosen = lock(&self.chosen);
        let chosen = match &*chosen {
            Some(chosen) => chosen.clone(),
            None => {
                let memory = MemoryConsumer::new("LatestRows").register(context.memory_pool());
                let latest = self.latest.execute(0, Arc::clone(&context))?;
                let new = choose(latest, memory).map(|chosen| chosen.map(Arc::new).map_err(Arc::new));
                chosen.insert(new.boxed().shared()).clone()
            }
        };
        let rows = self.rows.execute(partition, context)?;
        let (seq, kept) = (self.seq, (0..self.width).collect::<Vec<_>>());
        let latest = async move {
            let chosen = chosen.await.map_err(DataFusionError::Shared)?;
            Ok(rows.map(move |batch| {
                let batch = batch?;
                let all = batch.column(seq).as_primitive::<Int64Type>();
                let is_latest = BooleanBuffer::collect_bool(all.len(), |row| {
                    let place = usize::try_from(all.value(row)).unwrap_or_default();
                    place < chosen.bits.len() && chosen.bits.value(place)
                });
                let own = BooleanArray::new(is_latest, all.nulls().cloned());
                Ok(filter_record_batch(&batch.project(&kept)?, &own)?)
            }))
        };
        Ok(Box::pin(RecordBatchStreamAdapter::new(
            self.properties.eq_properties.schema().clone(),
            latest.try_flatten_stream(),
        )))
    }
}
