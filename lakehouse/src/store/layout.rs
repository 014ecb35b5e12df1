//! How rows lie in Parquet files. What each choice costs in bytes was measured; what it brings in time is in no table yet.

use crate::tables::TableSpec;
use arrow::datatypes::DataType;
use parquet::{
    basic::{Compression, Encoding, ZstdLevel},
    file::properties::WriterProperties,
};

/// A scan has so many rows in hand at once, and leaves out as many by one range. A day of a large lake has several groups.
const GROUP_ROWS: usize = 256 * 1024;

/// Ids that are looked for by their value: a file that surely lacks one is not read.
const LOOKED_FOR: &[&str] = &["order_id", "person_id", "session_id"];

/// Texts that differ in each row. A dictionary of them would be as large as the column.
const DISTINCT: &[&str] = &["change_id", "entity_id", "correlation_id", "interaction_id"];

pub(super) fn writer_properties(spec: &TableSpec) -> WriterProperties {
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_bloom_filter_max_ndv(GROUP_ROWS as u64)
        .set_bloom_filter_enabled(false)
        .set_data_page_row_count_limit(20_000);
    let key = spec.entity.map(|entity| entity.key);
    for field in spec.schema.fields() {
        let (name, column) = (field.name().as_str(), field.name().as_str().into());
        let is_place = ["seq", "_offset"].contains(&name);
        if matches!(field.data_type(), DataType::Timestamp(..)) || is_place {
            properties = properties
                .set_column_dictionary_enabled(column, false)
                .set_column_encoding(name.into(), Encoding::DELTA_BINARY_PACKED);
        } else if DISTINCT.contains(&name) || key == Some(name) {
            properties = properties.set_column_dictionary_enabled(column, false);
        }
        // Rows that were computed are sorted by what they are looked for by.
        let is_kept = spec.partitioned_by.is_empty();
        if !is_kept && (LOOKED_FOR.contains(&name) || key == Some(name)) {
            properties = properties.set_column_bloom_filter_enabled(name.into(), true);
        }
    }
    properties.build()
}
