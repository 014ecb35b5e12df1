//! The wall between organizers. It stands directly above the files and the tail, and nothing that a query says is
//! evaluated below it: the optimizer can't push a predicate through an operator it doesn't know, so `1/(total - 1250)`
//! fails on one's own rows or not at all. It tells no statistics either, because those count everyone's rows.

use arrow::{array::AsArray, array::StringArray, compute::filter_record_batch, datatypes::SchemaRef};
use datafusion::{
    common::{Result, internal_err, tree_node::TreeNodeRecursion},
    execution::{SendableRecordBatchStream, TaskContext},
    physical_expr::{EquivalenceProperties, PhysicalExpr},
    physical_plan::{
        ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
        ReplaceChildrenOptions, stream::RecordBatchStreamAdapter,
    },
};
use futures::StreamExt;
use std::{fmt, sync::Arc};

#[derive(Debug)]
pub(crate) struct OrganizerGuard {
    input: Arc<dyn ExecutionPlan>,
    organizer: Arc<str>,
    /// Where the input has `organizer_id`.
    column: usize,
    /// The leading columns of the input that are handed on.
    width: usize,
    properties: Arc<PlanProperties>,
}

impl OrganizerGuard {
    pub(crate) fn new(input: Arc<dyn ExecutionPlan>, organizer: Arc<str>, column: usize, width: usize) -> Result<Self> {
        let schema: SchemaRef = Arc::new(input.schema().project(&(0..width).collect::<Vec<_>>())?);
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            input.output_partitioning().clone(),
            input.pipeline_behavior(),
            input.boundedness(),
        );
        Ok(Self {
            input,
            organizer,
            column,
            width,
            properties: Arc::new(properties),
        })
    }
}

impl DisplayAs for OrganizerGuard {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OrganizerGuard: {}", self.organizer)
    }
}

impl ExecutionPlan for OrganizerGuard {
    fn name(&self) -> &'static str {
        "OrganizerGuard"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Some(input) = children.pop() else {
            return internal_err!("the guard has an input");
        };
        Ok(Arc::new(Self::new(
            input,
            Arc::clone(&self.organizer),
            self.column,
            self.width,
        )?))
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let input = self.input.execute(partition, context)?;
        let organizer = StringArray::new_scalar(self.organizer.as_ref());
        let (column, kept) = (self.column, (0..self.width).collect::<Vec<_>>());
        let guarded = input.map(move |batch| {
            let batch = batch?;
            let own = arrow::compute::kernels::cmp::eq(&batch.column(column).as_string::<i32>(), &organizer)?;
            // A null is nobody's: the filter drops it like a `false`.
            Ok(filter_record_batch(&batch.project(&kept)?, &own)?)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(
            self.properties.eq_properties.schema().clone(),
            guarded,
        )))
    }
}
