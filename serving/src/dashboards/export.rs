//! A panel as a file to take away. Whatever format, it has the panel's rows as they are, with amounts in minor units and,
//! for spreadsheets, in decimal beside them; Arrow, which pivots are fed with, has them in major units alone.

use super::{
    columns::{CURRENCY, Format, Role},
    page::Panel,
    panel::{Asking, FILE_ROWS, objects},
};
use crate::{
    exports,
    problem::{Problem, Result},
    rows,
};
use axum::body::Body;
use std::str::FromStr;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFormat {
    Csv,
    Xlsx,
    Parquet,
    Arrow,
}

impl FileFormat {
    pub fn media_type(self) -> &'static str {
        match self {
            FileFormat::Csv => "text/csv; charset=utf-8",
            FileFormat::Xlsx => exports::XLSX,
            FileFormat::Parquet => "application/vnd.apache.parquet",
            FileFormat::Arrow => "application/vnd.apache.arrow.stream",
        }
    }

    pub fn ending(self) -> &'static str {
        match self {
            FileFormat::Csv => "csv",
            FileFormat::Xlsx => "xlsx",
            FileFormat::Parquet => "parquet",
            FileFormat::Arrow => "arrows",
        }
    }
}

impl FromStr for FileFormat {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "csv" => Ok(FileFormat::Csv),
            "xlsx" => Ok(FileFormat::Xlsx),
            "parquet" => Ok(FileFormat::Parquet),
            "arrow" => Ok(FileFormat::Arrow),
            _ => {
                let detail = "there are json, csv, xlsx, parquet and arrow";
                Err(Problem::new("invalid_parameter", detail).at("/format"))
            }
        }
    }
}

/// What is cut without saying so would be taken for all there is.
async fn refuse_cut(asking: &Asking, panel: &Panel, sql: &str) -> Result<()> {
    if panel.question.is_some() {
        return Ok(());
    }
    let count = format!("select count(*) as rows from ({sql})");
    let counted = objects(asking.session_sql(&count).await?).await?;
    match counted[0]["rows"].as_u64() {
        Some(rows) if rows < FILE_ROWS as u64 => Ok(()),
        _ => Err(Problem::invalid(
            "/range",
            format!("a file holds fewer than {FILE_ROWS} rows: choose a shorter range, or filter it"),
        )),
    }
}

/// The file, and the position that it shows.
pub async fn file(asking: &Asking, panel: &Panel, format: FileFormat) -> Result<(Body, i64)> {
    let (sql, columns) = asking.sql(panel).await?;
    refuse_cut(asking, panel, &sql).await?;
    let cells = columns.iter().flat_map(|column| {
        let names = [Some(&column.name), column.before.as_ref()].into_iter().flatten();
        names.map(move |name| match (column.format, format) {
            // What ends with _minor is written in decimal too; an average is rounded to whole units first.
            (Format::Money, FileFormat::Csv | FileFormat::Xlsx) => {
                format!("cast(round(\"{name}\") as bigint) as \"{name}_minor\"")
            }
            (Format::Money, FileFormat::Arrow) => format!("major_units(\"{name}\", {CURRENCY}) as \"{name}\""),
            // A day is no moment: with a time it would be read as one, in UTC.
            (Format::Day | Format::Week | Format::Month, _)
                if column.role == Role::Time && format != FileFormat::Arrow =>
            {
                format!("cast(\"{name}\" as date) as \"{name}\"")
            }
            _ => format!("\"{name}\""),
        })
    });
    let cells: Vec<String> = cells.collect();
    // The columns of a question are its own.
    let sql = match cells.is_empty() {
        true => sql,
        false => format!("select {} from ({sql})", cells.join(", ")),
    };
    let answer = asking.session_sql(&sql).await?;
    let position = answer.watermark();
    let body = match format {
        FileFormat::Csv => exports::written(answer, exports::Format::Csv).await?,
        FileFormat::Xlsx => exports::written(answer, exports::Format::Xlsx).await?,
        FileFormat::Parquet => rows::body(answer, rows::Format::Parquet).await?,
        FileFormat::Arrow => rows::body(answer, rows::Format::Arrow).await?,
    };
    Ok((body, position))
}
