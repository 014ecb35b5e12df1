//! What an organizer takes away of an event: orders, tickets, check-ins, as CSV, XLSX or Parquet. One query of the lake
//! for each, streamed row by row; columns with personal data are there only for who may read them.

mod cells;
mod csv;
mod xlsx;

use crate::{
    problem::{Problem, Result},
    rows,
    wiring::App,
};
use axum::body::{Body, Bytes};
use cells::{Cell, Table};
use domain::EventId;
use futures::{StreamExt, stream};
use lakehouse::{Principal, QueryStream, output};
use std::str::FromStr;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    Orders,
    Tickets,
    CheckIns,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Csv,
    Xlsx,
    Parquet,
}

pub const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/// `orders.csv`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Export {
    pub what: What,
    pub format: Format,
}

impl FromStr for Export {
    type Err = Problem;

    fn from_str(file: &str) -> Result<Self> {
        let (what, format) = file.split_once('.').unwrap_or((file, ""));
        let what = match what {
            "orders" => What::Orders,
            "tickets" => What::Tickets,
            "check-ins" => What::CheckIns,
            _ => return Err(Problem::not_found("export: there are orders, tickets and check-ins")),
        };
        let format = match format {
            "csv" => Format::Csv,
            "xlsx" => Format::Xlsx,
            "parquet" => Format::Parquet,
            _ => return Err(Problem::not_found("format: there are csv, xlsx and parquet")),
        };
        Ok(Self { what, format })
    }
}

impl Format {
    pub fn media_type(self) -> &'static str {
        match self {
            Format::Csv => "text/csv; charset=utf-8",
            Format::Xlsx => XLSX,
            Format::Parquet => "application/vnd.apache.parquet",
        }
    }
}

impl What {
    /// A line that begins with `personal:` is left out for who may not read personal data.
    fn sql(self, event_id: EventId, personal_data: bool) -> String {
        let text = match self {
            What::Orders => include_str!("orders.sql"),
            What::Tickets => include_str!("tickets.sql"),
            What::CheckIns => include_str!("check_ins.sql"),
        };
        let lines = text
            .lines()
            .filter_map(|line| match line.trim_start().strip_prefix("-- personal: ") {
                Some(line) => personal_data.then_some(line),
                None => Some(line),
            });
        let sql: Vec<&str> = lines.collect();
        sql.join("\n").replace("$event_id", &format!("'{event_id}'"))
    }
}

/// The file, once its first bytes are there; and the position in the order of changes that it shows.
pub async fn body(app: &App, principal: &Principal, event_id: EventId, export: Export) -> Result<(Body, i64)> {
    let sql = export.what.sql(event_id, principal.personal_data);
    let answer = app.queries()?.session(principal).sql(&sql).await?;
    let position = answer.watermark();
    Ok((written(answer, export.format).await?, position))
}

/// Rows of any query as a file.
pub async fn written(rows: QueryStream, format: Format) -> Result<Body> {
    let bytes = match format {
        Format::Csv => row_by_row(rows, csv::Csv::default()),
        Format::Xlsx => row_by_row(rows, xlsx::Workbook::default()),
        Format::Parquet => output::to_parquet(rows)
            .map(|bytes| bytes.map_err(Problem::from))
            .boxed(),
    };
    rows::streamed(bytes).await
}

/// A file that is written row by row.
trait File: Send + 'static {
    fn row(&mut self, cells: &[Cell]) -> anyhow::Result<()>;

    /// What is complete so far.
    fn take(&mut self) -> anyhow::Result<Vec<u8>>;

    fn finish(self) -> anyhow::Result<Vec<u8>>;
}

fn row_by_row(rows: QueryStream, mut file: impl File) -> stream::BoxStream<'static, Result<Bytes>> {
    let table = Table::new(&rows.schema());
    if let Err(error) = file.row(&table.header()) {
        return stream::once(async move { Err(Problem::internal(error)) }).boxed();
    }
    let chunks = stream::unfold(Some((rows, table, file)), |state| async {
        let (mut rows, table, mut file) = state?;
        match rows.next().await {
            Some(Ok(batch)) => {
                let written = table.rows(&batch).and_then(|mut rows| {
                    rows.try_for_each(|row| file.row(&row))?;
                    file.take()
                });
                match written {
                    Ok(bytes) => Some((Ok(Bytes::from(bytes)), Some((rows, table, file)))),
                    Err(error) => Some((Err(Problem::internal(error)), None)),
                }
            }
            Some(Err(error)) => Some((Err(error.into()), None)),
            None => Some((file.finish().map(Bytes::from).map_err(Problem::internal), None)),
        }
    });
    chunks
        .filter(|chunk| std::future::ready(!chunk.as_ref().is_ok_and(Bytes::is_empty)))
        .boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn personal_columns_are_there_for_who_may_read_them() {
        let event = EventId::new();
        for what in [What::Orders, What::Tickets, What::CheckIns] {
            let (with, without) = (what.sql(event, true), what.sql(event, false));
            assert!(with.contains("email") && with.contains("people"), "{with}");
            for word in ["email", "phone", "people", "personal"] {
                assert!(!without.contains(word), "{word} in {without}");
            }
            assert!(!with.contains("$event_id") && with.contains(&event.to_string()));
        }
    }

    #[test]
    fn a_file_is_named_by_what_is_in_it_and_its_format() {
        let export = "check-ins.xlsx".parse::<Export>().unwrap();
        assert_eq!((export.what, export.format), (What::CheckIns, Format::Xlsx));
        for wrong in ["orders", "orders.pdf", "people.csv", "", ".csv", "orders.csv.exe"] {
            assert_eq!(wrong.parse::<Export>().unwrap_err().code, "not_found", "{wrong}");
        }
    }
}
