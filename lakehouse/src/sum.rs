//! `sum` of bigints that is right or fails. DataFusion's own wraps around where a sum is larger than a bigint, and a
//! wrong amount of money looks like any other.

use arrow::{
    array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array},
    compute::{not, nullif, prep_null_mask_filter},
    datatypes::{DataType, FieldRef, Int64Type},
};
use datafusion::{
    error::{DataFusionError, Result},
    functions_aggregate::sum::Sum,
    logical_expr::{
        Accumulator, AggregateUDFImpl, Documentation, EmitTo, GroupsAccumulator, ReversedUDAF, SetMonotonicity,
        Signature,
        function::{AccumulatorArgs, StateFieldsArgs},
        utils::AggregateOrderSensitivity,
    },
    physical_expr::NullState,
    scalar::ScalarValue,
};
use std::sync::Arc;

/// DataFusion's function, with accumulators of its own for bigints. Of `sum(distinct …)` over a window that slides it
/// has none.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct CheckedSum(Sum);

fn too_large() -> DataFusionError {
    DataFusionError::Execution("a sum is larger than a bigint; sum decimals: sum(cast(… as decimal(38, 0)))".to_owned())
}

fn is_bigint(args: &AccumulatorArgs) -> bool {
    *args.return_field.data_type() == DataType::Int64
}

impl AggregateUDFImpl for CheckedSum {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn signature(&self) -> &Signature {
        self.0.signature()
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        self.0.return_type(arg_types)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        match (is_bigint(&args), args.is_distinct) {
            (true, false) => Ok(Box::new(Total::default())),
            (true, true) => Ok(Box::new(DistinctTotal(self.0.accumulator(args)?))),
            (false, _) => self.0.accumulator(args),
        }
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        self.0.state_fields(args)
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        self.0.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        match is_bigint(&args) {
            true => Ok(Box::new(GroupTotals::default())),
            false => self.0.create_groups_accumulator(args),
        }
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        match is_bigint(&args) && !args.is_distinct {
            true => Ok(Box::new(Total::default())),
            false => self.0.create_sliding_accumulator(args),
        }
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        self.0.order_sensitivity()
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        self.0.reverse_expr()
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.0.documentation()
    }

    fn set_monotonicity(&self, data_type: &DataType) -> SetMonotonicity {
        self.0.set_monotonicity(data_type)
    }
}

/// One sum. It is wide enough for every bigint that a machine can hold, so only its end is checked.
#[derive(Debug, Default)]
struct Total {
    sum: i128,
    /// How many were no nulls: the sum of nothing is null.
    count: usize,
}

impl Total {
    fn of(values: &Int64Array) -> i128 {
        match values.null_count() {
            0 => values.values().iter().copied().map(i128::from).sum(),
            _ => values.iter().flatten().map(i128::from).sum(),
        }
    }

    fn bigint(sum: i128) -> Result<i64> {
        i64::try_from(sum).map_err(|_| too_large())
    }
}

impl Accumulator for Total {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let values = values[0].as_primitive::<Int64Type>();
        self.sum += Self::of(values);
        self.count += values.len() - values.null_count();
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let sum = (self.count > 0).then(|| Self::bigint(self.sum)).transpose()?;
        Ok(ScalarValue::Int64(sum))
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let values = values[0].as_primitive::<Int64Type>();
        self.sum -= Self::of(values);
        self.count -= values.len() - values.null_count();
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }
}

/// DataFusion's set of the values that were seen, summed with a check.
#[derive(Debug)]
struct DistinctTotal(Box<dyn Accumulator>);

impl Accumulator for DistinctTotal {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.0.update_batch(values)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let mut total = Total::default();
        for state in self.0.state()? {
            if let ScalarValue::List(seen) = state {
                total.update_batch(&[Arc::clone(seen.values())])?;
            }
        }
        total.evaluate()
    }

    fn size(&self) -> usize {
        self.0.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.0.state()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.0.merge_batch(states)
    }
}

/// A sum for each group.
#[derive(Debug, Default)]
struct GroupTotals {
    sums: Vec<i64>,
    seen: NullState,
}

impl GroupsAccumulator for GroupTotals {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.sums.resize(total_num_groups, 0);
        let (sums, mut fits) = (&mut self.sums, true);
        let values = values[0].as_primitive::<Int64Type>();
        self.seen
            .accumulate(group_indices, values, opt_filter, total_num_groups, |group, value| {
                let (sum, wrapped) = sums[group].overflowing_add(value);
                sums[group] = sum;
                fits &= !wrapped;
            });
        if fits { Ok(()) } else { Err(too_large()) }
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let sums = emit_to.take_needed(&mut self.sums);
        let seen = self.seen.build(emit_to);
        Ok(Arc::new(Int64Array::new(sums.into(), seen)))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.evaluate(emit_to)?])
    }

    fn merge_batch(&mut self, values: &[ArrayRef], group_indices: &[usize], total_num_groups: usize) -> Result<()> {
        self.update_batch(values, group_indices, None, total_num_groups)
    }

    fn convert_to_state(&self, values: &[ArrayRef], opt_filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let state = match opt_filter {
            None => Arc::clone(&values[0]),
            Some(filter) => nullif(&values[0], &not(&prep_null_mask_filter(filter))?)?,
        };
        Ok(vec![state])
    }

    fn size(&self) -> usize {
        self.sums.capacity() * size_of::<i64>() + self.seen.size()
    }
}
