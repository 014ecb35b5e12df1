//! XLSX (ECMA-376), written as a stream: a ZIP archive whose sheets are compressed row by row, so that a file of any size
//! needs no more memory than a small one. The crates that write XLSX hold the whole file instead, and bring features of
//! shared dependencies with them for which the query engine would be built anew.

use super::{Cell, File};
use anyhow::{Result, ensure};
use crc32fast::Hasher;
use flate2::{Compression, write::DeflateEncoder};
use std::{fmt::Write as _, io::Write as _};

/// What a sheet holds at most; the next rows go to another one.
const MOST_ROWS: usize = 1_048_576;
const LONGEST_CELL: usize = 32_767;
const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
const RELATIONS: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
const PACKAGE: &str = "http://schemas.openxmlformats.org/package/2006";
const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n";

#[derive(Default)]
pub(super) struct Workbook {
    archive: Archive,
    header: Option<Vec<Cell>>,
    sheets: usize,
    /// Of the present sheet.
    rows: usize,
}

impl File for Workbook {
    fn row(&mut self, cells: &[Cell]) -> Result<()> {
        if self.rows == MOST_ROWS {
            self.end_sheet()?;
        }
        if self.rows == 0 {
            self.sheets += 1;
            self.archive.begin(&format!("xl/worksheets/sheet{}.xml", self.sheets));
            let head = format!("{DECLARATION}<worksheet xmlns=\"{MAIN}\"><sheetData>");
            self.archive.write(head.as_bytes())?;
            match self.header.clone() {
                Some(header) => self.write_row(&header)?,
                None => self.header = Some(cells.to_vec()),
            }
        }
        self.write_row(cells)
    }

    fn take(&mut self) -> Result<Vec<u8>> {
        Ok(self.archive.take())
    }

    fn finish(mut self) -> Result<Vec<u8>> {
        self.end_sheet()?;
        for (name, text) in self.parts() {
            self.archive.begin(name);
            self.archive.write(format!("{DECLARATION}{text}").as_bytes())?;
            self.archive.end()?;
        }
        self.archive.finish()
    }
}

impl Workbook {
    fn write_row(&mut self, cells: &[Cell]) -> Result<()> {
        let mut row = String::from("<row>");
        for cell in cells {
            // Writing to a string can't fail.
            let _ = match cell {
                Cell::Empty => write!(row, "<c/>"),
                Cell::Number(number) => write!(row, "<c><v>{number}</v></c>"),
                Cell::Text(text) => write!(
                    row,
                    "<c t=\"inlineStr\"><is><t xml:space=\"preserve\">{}</t></is></c>",
                    escaped(text)
                ),
            };
        }
        row.push_str("</row>");
        self.rows += 1;
        self.archive.write(row.as_bytes())
    }

    fn end_sheet(&mut self) -> Result<()> {
        self.rows = 0;
        self.archive.write(b"</sheetData></worksheet>")?;
        self.archive.end()
    }

    /// What says that the sheets are sheets.
    fn parts(&self) -> [(&'static str, String); 4] {
        let (mut types, mut sheets, mut relations) = (String::new(), String::new(), String::new());
        for number in 1..=self.sheets {
            let _ = write!(
                types,
                "<Override PartName=\"/xl/worksheets/sheet{number}.xml\" ContentType=\
                 \"application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml\"/>"
            );
            let _ = write!(
                sheets,
                "<sheet name=\"Sheet{number}\" sheetId=\"{number}\" r:id=\"r{number}\"/>"
            );
            let _ = write!(
                relations,
                "<Relationship Id=\"r{number}\" Type=\"{RELATIONS}/worksheet\" Target=\"worksheets/sheet{number}.xml\"/>"
            );
        }
        [
            (
                "[Content_Types].xml",
                format!(
                    "<Types xmlns=\"{PACKAGE}/content-types\"><Default Extension=\"rels\" ContentType=\
                     \"application/vnd.openxmlformats-package.relationships+xml\"/><Override \
                     PartName=\"/xl/workbook.xml\" ContentType=\
                     \"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml\"/>{types}</Types>"
                ),
            ),
            (
                "_rels/.rels",
                format!(
                    "<Relationships xmlns=\"{PACKAGE}/relationships\"><Relationship Id=\"r1\" \
                     Type=\"{RELATIONS}/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>"
                ),
            ),
            (
                "xl/workbook.xml",
                format!("<workbook xmlns=\"{MAIN}\" xmlns:r=\"{RELATIONS}\"><sheets>{sheets}</sheets></workbook>"),
            ),
            (
                "xl/_rels/workbook.xml.rels",
                format!("<Relationships xmlns=\"{PACKAGE}/relationships\">{relations}</Relationships>"),
            ),
        ]
    }
}

/// As XML 1.0 can have it: most control characters have no form there.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars().take(LONGEST_CELL) {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\r' => out.push_str("&#13;"),
            '\t' | '\n' | ' '..='\u{fffd}' | '\u{10000}'.. => out.push(c),
            _ => {}
        }
    }
    out
}

/// A ZIP archive (APPNOTE 6.3) of deflated entries, whose sizes follow their data.
#[derive(Default)]
struct Archive {
    bytes: Vec<u8>,
    /// Bytes that were taken already.
    taken: u64,
    open: Option<(Entry, DeflateEncoder<Vec<u8>>, Hasher)>,
    entries: Vec<Entry>,
}

struct Entry {
    name: String,
    offset: u64,
    crc: u32,
    packed: u64,
    unpacked: u64,
}

/// Version 2.0; names in UTF-8, sizes after the data; deflated; 1 January 1980, as the archive has no time.
const COMMON: [u8; 10] = [20, 0, 0x08, 0x08, 8, 0, 0, 0, 0x21, 0];

impl Archive {
    fn begin(&mut self, name: &str) {
        let entry = Entry {
            name: name.to_owned(),
            offset: self.taken + self.bytes.len() as u64,
            crc: 0,
            packed: 0,
            unpacked: 0,
        };
        self.bytes.extend(b"PK\x03\x04");
        self.bytes.extend(COMMON);
        self.bytes.extend([0; 12]);
        self.bytes.extend((name.len() as u16).to_le_bytes());
        self.bytes.extend([0; 2]);
        self.bytes.extend(name.as_bytes());
        let packer = DeflateEncoder::new(Vec::new(), Compression::fast());
        self.open = Some((entry, packer, Hasher::new()));
    }

    fn write(&mut self, data: &[u8]) -> Result<()> {
        if let Some((entry, packer, hasher)) = &mut self.open {
            packer.write_all(data)?;
            hasher.update(data);
            entry.unpacked += data.len() as u64;
            entry.packed += packer.get_ref().len() as u64;
            self.bytes.append(packer.get_mut());
        }
        Ok(())
    }

    fn end(&mut self) -> Result<()> {
        if let Some((mut entry, packer, hasher)) = self.open.take() {
            let rest = packer.finish()?;
            entry.packed += rest.len() as u64;
            entry.crc = hasher.finalize();
            self.bytes.extend(rest);
            self.bytes.extend(b"PK\x07\x08");
            self.bytes.extend(entry.sizes()?);
            self.entries.push(entry);
        }
        Ok(())
    }

    fn take(&mut self) -> Vec<u8> {
        self.taken += self.bytes.len() as u64;
        std::mem::take(&mut self.bytes)
    }

    fn finish(mut self) -> Result<Vec<u8>> {
        let start = self.taken + self.bytes.len() as u64;
        for entry in &self.entries {
            self.bytes.extend(b"PK\x01\x02\x14\x00");
            self.bytes.extend(COMMON);
            self.bytes.extend(entry.sizes()?);
            self.bytes.extend((entry.name.len() as u16).to_le_bytes());
            self.bytes.extend([0; 12]);
            self.bytes.extend(small(entry.offset)?.to_le_bytes());
            self.bytes.extend(entry.name.as_bytes());
        }
        let length = self.taken + self.bytes.len() as u64 - start;
        self.bytes.extend(b"PK\x05\x06\0\0\0\0");
        for _ in 0..2 {
            self.bytes.extend((self.entries.len() as u16).to_le_bytes());
        }
        self.bytes.extend(small(length)?.to_le_bytes());
        self.bytes.extend(small(start)?.to_le_bytes());
        self.bytes.extend([0; 2]);
        Ok(self.bytes)
    }
}

impl Entry {
    /// Checksum, packed size and size.
    fn sizes(&self) -> Result<Vec<u8>> {
        let numbers = [self.crc, small(self.packed)?, small(self.unpacked)?];
        Ok(numbers.into_iter().flat_map(u32::to_le_bytes).collect())
    }
}

/// A size that a plain archive can have.
fn small(size: u64) -> Result<u32> {
    ensure!(
        size < u64::from(u32::MAX),
        "an XLSX file can't be this large; take CSV or Parquet"
    );
    Ok(size as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_rows_than_a_sheet_holds_go_to_the_next_one_under_the_same_header() {
        let mut file = Workbook::default();
        file.row(&[Cell::Text("n".into())]).unwrap();
        let mut bytes = Vec::new();
        for n in 0..MOST_ROWS {
            file.row(&[Cell::Number(n.to_string())]).unwrap();
            bytes.extend(file.take().unwrap());
        }
        assert_eq!(
            (file.sheets, file.rows),
            (2, 2),
            "the header, and the row that had no room"
        );
        bytes.extend(file.finish().unwrap());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("large.xlsx");
        std::fs::write(&path, bytes).unwrap();
        // Every checksum and size is looked at.
        let script = "import sys, zipfile\nz = zipfile.ZipFile(sys.argv[1])\nassert z.testzip() is None\n\
                      print([z.read(f'xl/worksheets/sheet{n}.xml').count(b'<row>') for n in (1, 2)])";
        let python = std::process::Command::new("python3")
            .args(["-c", script])
            .arg(&path)
            .output()
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&python.stdout), "[1048576, 2]\n", "{python:?}");
    }

    #[test]
    fn text_keeps_to_what_xml_can_hold() {
        assert_eq!(
            escaped("a<b> & \"c\"\u{0}\u{b}\u{ffff}\u{1f600}\r\n"),
            "a&lt;b&gt; &amp; \"c\"\u{1f600}&#13;\n"
        );
    }
}
