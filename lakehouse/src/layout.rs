//! How rows lie in Parquet files. `make bench ARGS="--only layout"` measures what each choice costs and brings; the README
//! has its table.

use crate::tables::TableSpec;
use arrow::datatypes::DataType;
use parquet::{
    basic::{Compression, Encoding, ZstdLevel},
    file::properties::{EnabledStatistics, WriterProperties},
};

/// Ids that are looked for by their value: a file that surely lacks one is not read.
const LOOKED_FOR: &[&str] = &["order_id", "person_id", "session_id"];

/// Texts that differ in each row. A dictionary of them would be as large as the column.
const DISTINCT: &[&str] = &["change_id", "entity_id", "correlation_id", "interaction_id"];

#[derive(Clone, Debug)]
pub struct Layout {
    pub compression: Compression,
    /// A scan has so many rows in hand at once, and leaves out as many by one range.
    pub group_rows: usize,
    /// Times and places in the log as the difference from the row before, and no dictionaries of texts that differ.
    pub own_encodings: bool,
    /// Of ids that are looked for by their value.
    pub bloom_filters: bool,
    /// Ranges of each page, beside those of its group: footers grow by what they say of pages.
    pub page_ranges: PageRanges,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageRanges {
    None,
    /// Of what the rows are sorted by.
    Sorted,
    All,
}

impl Default for Layout {
    fn default() -> Self {
        Self {
            compression: Compression::ZSTD(ZstdLevel::default()),
            group_rows: 256 * 1024,
            own_encodings: true,
            bloom_filters: true,
            page_ranges: PageRanges::Sorted,
        }
    }
}

impl Layout {
    pub(crate) fn writer_properties(&self, spec: &TableSpec) -> WriterProperties {
        let mut properties = WriterProperties::builder()
            .set_compression(self.compression)
            .set_max_row_group_row_count(Some(self.group_rows))
            .set_bloom_filter_max_ndv(self.group_rows as u64)
            .set_bloom_filter_enabled(false)
            .set_statistics_enabled(EnabledStatistics::Chunk);
        let key = spec.entity.map(|entity| entity.key);
        let is_kept = spec.partitioned_by.is_empty();
        for field in spec.schema.fields() {
            let (name, column) = (field.name().as_str(), field.name().as_str().into());
            // Rows that were computed are sorted by organizer and then by their key, others by organizer alone.
            let is_sorted = is_kept || name == "organizer_id";
            if self.page_ranges == PageRanges::All || self.page_ranges == PageRanges::Sorted && is_sorted {
                properties = properties.set_column_statistics_enabled(name.into(), EnabledStatistics::Page);
            }
            let is_place = ["seq", "_offset"].contains(&name);
            if self.own_encodings && (matches!(field.data_type(), DataType::Timestamp(..)) || is_place) {
                properties = properties
                    .set_column_dictionary_enabled(column, false)
                    .set_column_encoding(name.into(), Encoding::DELTA_BINARY_PACKED);
            } else if self.own_encodings && (DISTINCT.contains(&name) || key == Some(name)) {
                properties = properties.set_column_dictionary_enabled(column, false);
            }
            if self.bloom_filters && !is_kept && (LOOKED_FOR.contains(&name) || key == Some(name)) {
                properties = properties.set_column_bloom_filter_enabled(name.into(), true);
            }
        }
        properties.build()
    }
}
