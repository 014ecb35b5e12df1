//! Where a table is, how it is created, and how it gets the columns that it lacks.

use crate::{
    error::{Error, Result},
    options::LakeOptions,
    tables::TableSpec,
};
use arrow::datatypes::{Schema, SchemaRef};
use deltalake::{
    DeltaTable,
    kernel::{
        StructType,
        engine::arrow_conversion::{TryIntoArrow, TryIntoKernel},
        transaction::CommitProperties,
    },
};
use std::path::PathBuf;
use url::Url;

/// Where a table's files are, if they are on this machine.
pub(super) fn local_folder(url: &Url) -> Option<PathBuf> {
    url.to_file_path().ok().filter(|_| url.scheme() == "file")
}

pub(crate) fn table_url(lake: &Url, name: &str) -> Result<Url> {
    let mut url = lake.clone();
    url.path_segments_mut()
        .map_err(|()| Error::Unsupported(format!("{lake} can't be the address of a lake")))?
        .pop_if_empty()
        .extend(name.split('/'));
    Ok(url)
}

pub(super) async fn create(
    table: DeltaTable,
    spec: &'static TableSpec,
    schema: &SchemaRef,
    options: &LakeOptions,
) -> Result<DeltaTable> {
    let columns: StructType = schema.as_ref().try_into_kernel()?;
    Ok(table
        .create()
        .with_table_name(spec.name)
        .with_columns(columns.fields().cloned())
        .with_partition_columns(spec.partitioned_by.iter().copied())
        .with_configuration(configuration(spec, options))
        .with_commit_properties(CommitProperties::default().with_cleanup_expired_logs(Some(false)))
        .await?)
}

pub(super) fn configuration(spec: &TableSpec, options: &LakeOptions) -> [(&'static str, Option<String>); 4] {
    let hours =
        |duration: std::time::Duration| Some(format!("interval {} hours", duration.as_secs().div_ceil(3600).max(1)));
    [
        ("delta.dataSkippingStatsColumns", Some(spec.statistics.join(","))),
        ("delta.logRetentionDuration", hours(options.log_retention)),
        ("delta.deletedFileRetentionDuration", hours(options.vacuum_retention)),
        // Maintenance does it, away from the commits.
        ("delta.enableExpiredLogCleanup", Some("false".to_owned())),
    ]
}

/// Adds the columns that this program has and the stored table lacks; its older rows have nulls there. A column whose
/// type has changed is refused.
pub(super) async fn widen(table: DeltaTable, spec: &TableSpec, ours: &SchemaRef) -> Result<DeltaTable> {
    let stored: Schema = table.snapshot()?.schema().as_ref().try_into_arrow()?;
    let mut missing = Vec::new();
    for field in ours.fields() {
        match stored.field_with_name(field.name()) {
            Err(_) => missing.push(field.as_ref().clone().with_nullable(true)),
            Ok(found) if found.data_type() == field.data_type() => {}
            Ok(found) => {
                return Err(Error::Unsupported(format!(
                    "table {} has column {} as {}, this program as {}",
                    spec.name,
                    field.name(),
                    found.data_type(),
                    field.data_type()
                )));
            }
        }
    }
    if missing.is_empty() {
        return Ok(table);
    }
    let missing: StructType = (&Schema::new(missing)).try_into_kernel()?;
    Ok(table
        .add_columns()
        .with_fields(missing.fields().cloned().collect::<Vec<_>>())
        .await?)
}
