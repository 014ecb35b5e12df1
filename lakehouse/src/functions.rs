//! Functions that SQL has here beside DataFusion's own.

use arrow::{
    array::{AsArray, Float64Array, Int64Array, TimestampMicrosecondArray},
    compute::cast,
    datatypes::{DataType, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType},
};
use datafusion::{
    common::plan_datafusion_err,
    logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf},
};
use domain::{Currency, Timestamp, pricing};
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

/// `major_units(amount, currency)`: an amount in minor units as people say it, 12.5 for 1,250 cents. For reading: sums are
/// exact in minor units alone.
pub(crate) fn major_units() -> ScalarUDF {
    create_udf(
        "major_units",
        vec![DataType::Float64, DataType::Utf8],
        DataType::Float64,
        Volatility::Immutable,
        Arc::new(|arguments: &[ColumnarValue]| {
            let arrays = ColumnarValue::values_to_arrays(arguments)?;
            let [amounts, currencies] = arrays.as_slice() else {
                return Err(plan_datafusion_err!("major_units(amount, currency)"));
            };
            let amounts = amounts.as_primitive::<Float64Type>();
            let currencies = cast(currencies, &DataType::Utf8)?;
            let currencies = currencies.as_string::<i32>();
            let major = amounts.iter().zip(currencies).map(|(amount, currency)| {
                let decimals = currency?.parse::<Currency>().ok()?.decimals();
                Some(amount? / 10_f64.powi(decimals as i32))
            });
            Ok(ColumnarValue::Array(Arc::new(major.collect::<Float64Array>())))
        }),
    )
}

/// `share(amount, part, whole)`: amount × part / whole as the core rounds it, half a unit up, and never out of range on
/// the way. Nothing where the whole is nothing.
pub(crate) fn share() -> ScalarUDF {
    create_udf(
        "share",
        vec![DataType::Int64; 3],
        DataType::Int64,
        Volatility::Immutable,
        Arc::new(|arguments: &[ColumnarValue]| {
            let arrays = ColumnarValue::values_to_arrays(arguments)?;
            let [amounts, parts, wholes] = arrays.as_slice() else {
                return Err(plan_datafusion_err!("share(amount, part, whole)"));
            };
            let [amounts, parts, wholes] = [amounts, parts, wholes].map(|array| array.as_primitive::<Int64Type>());
            let shares = amounts.iter().zip(parts).zip(wholes).map(|((amount, part), whole)| {
                let whole = whole.filter(|whole| *whole > 0)?;
                pricing::share(amount?, part?, whole).ok()
            });
            Ok(ColumnarValue::Array(Arc::new(shares.collect::<Int64Array>())))
        }),
    )
}
