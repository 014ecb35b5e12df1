//! Rows of a query as cells of a spreadsheet. An amount in minor units gets its decimal form beside it; text that a
//! spreadsheet could take for a formula is made harmless.

use anyhow::Result;
use domain::{Currency, Money};
use lakehouse::{
    RecordBatch, SchemaRef,
    arrow::{
        array::{Array, AsArray},
        datatypes::{DataType, Int64Type},
        util::display::{ArrayFormatter, FormatOptions},
    },
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    Empty,
    Text(String),
    Number(String),
}

/// The columns of a file: those of the query, and the decimal amounts.
pub(super) struct Table {
    columns: Vec<Column>,
}

enum Column {
    Plain {
        name: String,
        index: usize,
        is_number: bool,
    },
    /// Of the amount in the column at `index`.
    Decimal {
        name: String,
        index: usize,
        currency: usize,
    },
}

const TIME: &str = "%Y-%m-%dT%H:%M:%S%.6fZ";
/// What a clock somewhere shows, which is no moment.
const LOCAL_TIME: &str = "%Y-%m-%dT%H:%M:%S";

impl Table {
    pub(super) fn new(schema: &SchemaRef) -> Self {
        let currency = schema.fields().iter().position(|field| field.name() == "currency");
        let mut columns = Vec::new();
        for (index, field) in schema.fields().iter().enumerate() {
            let amount = field.name().strip_suffix("_minor");
            if let Some((name, currency)) = amount.zip(currency) {
                let name = name.to_owned();
                columns.push(Column::Decimal { name, index, currency });
            }
            columns.push(Column::Plain {
                name: field.name().clone(),
                index,
                is_number: field.data_type().is_numeric(),
            });
        }
        Self { columns }
    }

    pub(super) fn header(&self) -> Vec<Cell> {
        let name = |column: &Column| match column {
            Column::Plain { name, .. } | Column::Decimal { name, .. } => Cell::Text(harmless(name.clone())),
        };
        self.columns.iter().map(name).collect()
    }

    pub(super) fn rows(&self, batch: &RecordBatch) -> Result<impl Iterator<Item = Vec<Cell>>> {
        let options = FormatOptions::default()
            .with_null("")
            .with_timestamp_tz_format(Some(TIME))
            .with_timestamp_format(Some(LOCAL_TIME));
        let formatters = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column, &options));
        let formatters: Vec<_> = formatters.collect::<Result<_, _>>()?;
        let cell = |column: &Column, row: usize| -> Result<Cell> {
            let (Column::Plain { index, .. } | Column::Decimal { index, .. }) = column;
            if batch.column(*index).is_null(row) {
                return Ok(Cell::Empty);
            }
            Ok(match column {
                Column::Plain { is_number, .. } => {
                    let text = formatters[*index].value(row).try_to_string()?;
                    // What is not a number, or has no end, is none for a spreadsheet.
                    if *is_number && text.ends_with(|c: char| c.is_ascii_digit()) {
                        Cell::Number(text)
                    } else {
                        Cell::Text(harmless(text))
                    }
                }
                Column::Decimal { currency, .. } => {
                    // Anybody may call a column so.
                    let currency = formatters[*currency].value(row).try_to_string()?.parse::<Currency>();
                    match (batch.column(*index).data_type(), currency) {
                        (DataType::Int64, Ok(currency)) => {
                            let minor = batch.column(*index).as_primitive::<Int64Type>().value(row);
                            Cell::Number(Money::new(minor, currency).decimal())
                        }
                        _ => Cell::Empty,
                    }
                }
            })
        };
        let rows = (0..batch.num_rows()).map(|row| self.columns.iter().map(|column| cell(column, row)).collect());
        Ok(rows.collect::<Result<Vec<Vec<Cell>>>>()?.into_iter())
    }
}

/// A text that a spreadsheet would run begins with an apostrophe instead: then it is text. What a spreadsheet skips
/// before it looks (white space, characters without width) is skipped here too, and what it takes for an ASCII sign
/// (full-width and small forms) counts as one. <https://owasp.org/www-community/attacks/CSV_Injection>
pub(super) fn harmless(text: String) -> String {
    let skipped = |c: &char| {
        c.is_whitespace()
            || c.is_control()
            || matches!(c, '\u{ad}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}')
            || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let runs = |c: char| {
        matches!(c, '=' | '+' | '-' | '@' | '\u{2212}')
            || matches!(c, '\u{ff1d}' | '\u{ff0b}' | '\u{ff0d}' | '\u{ff20}')
            || matches!(c, '\u{fe66}' | '\u{fe62}' | '\u{fe63}' | '\u{fe6b}')
    };
    let begins_with_control = text.chars().next().is_some_and(char::is_control);
    if begins_with_control || text.chars().find(|c| !skipped(c)).is_some_and(runs) {
        return format!("'{text}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use lakehouse::arrow::{
        array::{ArrayRef, Int64Array, StringArray},
        record_batch::RecordBatch,
    };
    use std::sync::Arc;

    #[test]
    fn case_46_export_cells_are_neutralised() {
        for dangerous in [
            "=cmd|' /C calc'!A0",
            "+1+1",
            "-2+3",
            "@SUM(A1:A9)",
            "\t=1",
            "\r=1",
            "\n=1",
            "\ttext",
            "\rtext",
            " =1+1",
            "\u{a0}=1+1",
            "\u{3000}=1+1",
            "\u{feff}=1+1",
            "\u{200b}=1+1",
            "\u{202e}=1+1",
            "\u{ff1d}1+1",
            "\u{ff0b}1",
            "\u{ff0d}1",
            "\u{ff20}SUM",
            "\u{3000}\u{ff1d}1",
            "\u{fe66}1",
            "\u{2212}1",
            "\u{0}=1",
        ] {
            assert_eq!(harmless(dangerous.to_owned()), format!("'{dangerous}"), "{dangerous:?}");
        }
        for harmless_text in [
            "",
            "Ada",
            "a=b",
            "1-2",
            "'=1",
            "Żaneta",
            "آدا",
            "(+)",
            "2026-05-01T00:00:00Z",
            "  x",
        ] {
            assert_eq!(harmless(harmless_text.to_owned()), harmless_text);
        }
    }

    #[test]
    fn an_amount_stands_beside_its_minor_units_and_a_number_is_no_text() {
        let columns: [(&str, ArrayRef); 3] = [
            ("name", Arc::new(StringArray::from(vec![Some("=1"), None]))),
            ("total_minor", Arc::new(Int64Array::from(vec![Some(-1_250), Some(3)]))),
            ("currency", Arc::new(StringArray::from(vec!["EUR", "JPY"]))),
        ];
        let batch =
            RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true))).unwrap();
        let table = Table::new(&batch.schema());
        let text = |text: &str| Cell::Text(text.into());
        let number = |text: &str| Cell::Number(text.into());
        assert_eq!(table.header(), ["name", "total", "total_minor", "currency"].map(text));
        let rows: Vec<_> = table.rows(&batch).unwrap().collect();
        assert_eq!(rows[0], [text("'=1"), number("-12.50"), number("-1250"), text("EUR")]);
        assert_eq!(rows[1], [Cell::Empty, number("3"), number("3"), text("JPY")]);
    }
}
