//! Functions that SQL has here beside DataFusion's own.

use arrow::{
    array::{AsArray, TimestampMicrosecondArray},
    compute::cast,
    datatypes::{DataType, TimeUnit, TimestampMicrosecondType},
};
use datafusion::{
    common::plan_datafusion_err,
    logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf},
};
use domain::Timestamp;
use std::sync::Arc;

/// `local_time(at, timezone)`: what clocks show there at that moment. DataFusion's own knows one time zone a query; events
/// have one each.
pub(crate) fn local_time() -> ScalarUDF {
    let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let local = DataType::Timestamp(TimeUnit::Microsecond, None);
    create_udf(
        "local_time",
        vec![utc, DataType::Utf8],
        local,
        Volatility::Immutable,
        Arc::new(|arguments: &[ColumnarValue]| {
            let arrays = ColumnarValue::values_to_arrays(arguments)?;
            let [at, zones] = arrays.as_slice() else {
                return Err(plan_datafusion_err!("local_time(at, timezone)"));
            };
            let at = at.as_primitive::<TimestampMicrosecondType>();
            let zones = cast(zones, &DataType::Utf8)?;
            let zones = zones.as_string::<i32>();
            let local = at.iter().zip(zones).map(|(at, zone)| {
                // Nobody can store a zone that is none; what has no zone has no local time.
                Timestamp::from_micros(at?).local_micros(zone?)
            });
            Ok(ColumnarValue::Array(Arc::new(
                local.collect::<TimestampMicrosecondArray>(),
            )))
        }),
    )
}
