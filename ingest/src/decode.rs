//! Records become rows: each finds its table, and what has no table, or can't be read, becomes a reject.

use crate::{CHANGES, LogRecord, change};
use domain::{
    Timestamp,
    changes::{entity_named, entity_of},
};
use lakehouse::{
    RecordBatch, TableSpec,
    decode::{Decoder, Row},
    table_specs,
};

/// A decoder a table, kept for the next round.
#[derive(Debug)]
pub(crate) struct Decoders(Vec<(&'static TableSpec, Decoder)>);

pub(crate) type Tables = Vec<(&'static str, RecordBatch)>;

impl Decoders {
    pub(crate) fn new() -> lakehouse::Result<Self> {
        let decoders = table_specs().iter().map(|spec| Ok((spec, Decoder::new(spec)?)));
        decoders.collect::<lakehouse::Result<_>>().map(Self)
    }

    /// The records of one topic, each with its partition, as rows of their tables.
    pub(crate) fn decode(
        &mut self,
        topic: &str,
        records: &[(u32, LogRecord)],
        into: &mut Tables,
    ) -> lakehouse::Result<()> {
        let now = Timestamp::now().as_micros();
        for (partition, read) in records {
            let mut row = Row {
                envelope: None,
                value: &read.record.value,
                topic,
                partition: *partition,
                offset: read.offset,
                ingested_at: now,
                reject: None,
            };
            if topic != CHANGES {
                self.push(domain::interaction::TABLE, &row, into)?;
                continue;
            }
            match change::envelope(&read.record.headers) {
                Ok(envelope) => {
                    row.envelope = Some(envelope);
                    if let Some(entity) = entity_of(envelope.change_type) {
                        self.push(entity.table, &row, into)?;
                        continue;
                    }
                    let reason = format!("the change type {:?} is unknown", envelope.change_type);
                    row.reject = Some(&reason);
                    self.push(table_of_unknown(envelope.change_type), &row, into)?;
                }
                Err(reason) => {
                    row.reject = Some(&reason);
                    self.push(lakehouse::UNROUTED, &row, into)?;
                }
            }
        }
        for (spec, decoder) in self.0.iter_mut().filter(|(_, decoder)| !decoder.is_empty()) {
            into.push((spec.name, decoder.finish()?));
        }
        Ok(())
    }

    fn push(&mut self, table: &str, row: &Row<'_>, into: &mut Tables) -> lakehouse::Result<()> {
        if let Some((spec, decoder)) = self.0.iter_mut().find(|(spec, _)| spec.name == table) {
            decoder.push(row);
            if decoder.is_full() {
                into.push((spec.name, decoder.finish()?));
            }
        }
        Ok(())
    }
}

/// A change of a type that this program doesn't know stays with its entity, if that is known.
fn table_of_unknown(change_type: &str) -> &'static str {
    let entity = change_type.split_once('.').and_then(|(entity, _)| entity_named(entity));
    entity.map_or(lakehouse::UNROUTED, |entity| entity.table)
}
