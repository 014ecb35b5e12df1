//! A CSV file read row by row into a struct, each row with its place.

use super::Report;
use anyhow::{Context, Result, bail};
use serde::de::DeserializeOwned;
use std::{fmt, fs, path::Path};

/// A larger file is no Meetup export of a city; it is held in memory while it is read.
const LARGEST: u64 = 512 * 1024 * 1024;

/// A file and a line, as an editor finds it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Place {
    file: String,
    line: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// The rows of `dir/file`. Those that don't fit `T` are left out and told to the report; a file that is missing, or has
/// none of the columns that it should, is an error.
pub(super) fn rows<T: DeserializeOwned>(
    dir: &Path,
    file: &str,
    columns: &[&str],
    report: &mut Report,
) -> Result<Vec<(Place, T)>> {
    let path = dir.join(file);
    let bytes = bytes(&path).with_context(|| format!("{} can't be read", path.display()))?;
    let mut lines = Lines {
        bytes: &bytes,
        at: 0,
        line: 1,
    };
    let mut reader = csv::Reader::from_reader(bytes.as_slice());
    let headers = reader
        .headers()
        .with_context(|| format!("{} has no header line", path.display()))?
        .clone();
    if let Some(missing) = columns
        .iter()
        .find(|column| !headers.iter().any(|header| header == **column))
    {
        bail!("{} has no column {missing}: is it a Meetup export?", path.display());
    }
    let mut rows = Vec::new();
    let mut record = csv::StringRecord::new();
    loop {
        let row = match reader.read_record(&mut record) {
            Ok(false) => return Ok(rows),
            Ok(true) => record.deserialize(Some(&headers)),
            Err(error) => Err(error),
        };
        let at = row.as_ref().err().and_then(csv::Error::position).or(record.position());
        let place = Place {
            file: file.to_owned(),
            line: lines.of(at.map_or(0, csv::Position::byte)),
        };
        match row {
            Ok(row) => rows.push((place, row)),
            Err(error) => report.leave_out("a row that can't be read", format!("{place}: {}", cause(&error))),
        }
    }
}

fn bytes(path: &Path) -> Result<Vec<u8>> {
    let size = fs::metadata(path)?.len();
    if size > LARGEST {
        bail!("it has {size} bytes, and this program reads at most {LARGEST}");
    }
    Ok(fs::read(path)?)
}

/// Counts lines as an editor does. The CSV reader's own count is one too low wherever lines end in CR LF.
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
    line: u64,
}

impl Lines<'_> {
    /// The line of a row that begins at this byte, or in the line ends after it.
    fn of(&mut self, byte: u64) -> u64 {
        let begin = self.bytes.len().min(byte as usize);
        let ends = self.bytes[begin..]
            .iter()
            .take_while(|byte| matches!(byte, b'\r' | b'\n'))
            .count();
        let passed = self.bytes.get(self.at..begin + ends).unwrap_or_default();
        self.line += passed.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.at = self.at.max(begin + ends);
        self.line
    }
}

fn cause(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::Deserialize { err, .. } => err.to_string(),
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => format!("{len} fields instead of {expected_len}"),
        csv::ErrorKind::Utf8 { .. } => "not UTF-8".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Row {
        id: String,
        guests: i64,
    }

    fn read(bytes: &[u8]) -> (Result<Vec<(Place, Row)>>, Report) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("t.csv"), bytes).unwrap();
        let mut report = Report::default();
        (rows(dir.path(), "t.csv", &["id", "guests"], &mut report), report)
    }

    #[test]
    fn a_bad_row_is_named_by_its_line_and_stops_nothing() {
        let (rows, report) = read(b"id,guests\r\n\"a\nb\",1\nc,many\nd\n\xff\xfe,1\n\n\"e\",2\n");
        let rows: Vec<(u64, String)> = rows
            .unwrap()
            .into_iter()
            .map(|(place, row)| (place.line, row.id))
            .collect();
        assert_eq!(rows, [(2, "a\nb".to_owned()), (8, "e".to_owned())]);
        assert_eq!(report.rows("a row that can't be read"), 3);
        let first = &report.left_out["a row that can't be read"].first;
        assert!(first[0].starts_with("t.csv:4: "), "{first:?}");
        assert_eq!(first[1..], ["t.csv:5: 1 fields instead of 2", "t.csv:6: not UTF-8"]);
    }

    #[test]
    fn another_file_is_refused_by_the_column_it_lacks() {
        let (rows, _) = read(b"<html>\n<body>");
        assert!(rows.unwrap_err().to_string().contains("no column id"));
    }
}
