//! CSV as RFC 4180 has it, with quotes where they are needed.

use super::{Cell, File};
use anyhow::Result;
use csv::{Terminator, Writer, WriterBuilder};

pub(super) struct Csv(Writer<Vec<u8>>);

impl Default for Csv {
    fn default() -> Self {
        Self(
            WriterBuilder::new()
                .terminator(Terminator::CRLF)
                .from_writer(Vec::new()),
        )
    }
}

impl File for Csv {
    fn row(&mut self, cells: &[Cell]) -> Result<()> {
        let text = |cell: &Cell| match cell {
            Cell::Empty => String::new(),
            Cell::Text(text) | Cell::Number(text) => text.clone(),
        };
        Ok(self.0.write_record(cells.iter().map(text))?)
    }

    fn take(&mut self) -> Result<Vec<u8>> {
        let full = std::mem::take(self);
        full.finish()
    }

    fn finish(self) -> Result<Vec<u8>> {
        self.0.into_inner().map_err(|error| anyhow::anyhow!("{error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_commas_and_lines_stay_in_their_cells() {
        let mut file = Csv::default();
        file.row(&[
            Cell::Text("a \"b\", c".into()),
            Cell::Text("d\r\ne".into()),
            Cell::Empty,
        ])
        .unwrap();
        let mut bytes = file.take().unwrap();
        file.row(&[
            Cell::Number("-1.50".into()),
            Cell::Text(";".into()),
            Cell::Text("آدا".into()),
        ])
        .unwrap();
        bytes.extend(file.finish().unwrap());
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(text, "\"a \"\"b\"\", c\",\"d\r\ne\",\r\n-1.50,;,آدا\r\n");
    }
}
