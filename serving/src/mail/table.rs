//! Tables of figures in a mail, as text in columns and as HTML. The first column says what, the others are figures.

use super::text::escaped;
use domain::is_hidden;
use std::fmt::Write;
use transactional::mail::Table;

const STYLE: &str = "border-collapse: collapse; margin: 0 0 1em";
const CELL: &str = "padding: 0.25em 1em 0.25em 0; border-bottom: 1px solid #ccc";

pub(super) fn text(table: &Table) -> String {
    let rows: Vec<Vec<String>> = lines(table)
        .map(|row| row.iter().map(|cell| shown(cell)).collect())
        .collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
    };
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let _ = match column {
                0 => write!(line, "{cell:<width$}"),
                _ => write!(line, "  {cell:>width$}"),
            };
        }
        line.trim_end().to_owned()
    };
    let title = Some(shown(&table.title)).filter(|title| !title.is_empty());
    title
        .into_iter()
        .chain(rows.iter().map(line))
        .collect::<Vec<_>>()
        .join("\n")
}

pub(super) fn html(table: &Table) -> String {
    let mut html = format!("<table style=\"{STYLE}\">\n");
    let title = escaped(&shown(&table.title));
    if !title.is_empty() {
        let _ = writeln!(
            html,
            "<caption style=\"text-align: start; font-weight: bold\">{title}</caption>"
        );
    }
    for (place, row) in lines(table).enumerate() {
        let is_head = place == 0 && !table.head.is_empty();
        html.push_str("<tr>");
        for (column, cell) in row.iter().enumerate() {
            let (tag, side) = match (is_head || column == 0, column) {
                (true, 0) => ("th", "start; font-weight: normal"),
                (true, _) => ("th", "end; font-weight: normal"),
                (false, _) => ("td", "end"),
            };
            let cell = escaped(&shown(cell));
            let _ = write!(html, "<{tag} style=\"{CELL}; text-align: {side}\">{cell}</{tag}>");
        }
        html.push_str("</tr>\n");
    }
    html + "</table>\n"
}

fn lines(table: &Table) -> impl Iterator<Item = &Vec<String>> {
    Some(&table.head)
        .filter(|head| !head.is_empty())
        .into_iter()
        .chain(&table.rows)
}

/// A cell is one line, without what hides or turns what follows around.
fn shown(cell: &str) -> String {
    let shown: String = cell.chars().map(|c| if is_hidden(c) { ' ' } else { c }).collect();
    shown.trim().to_owned()
}
