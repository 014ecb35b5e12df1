//! What the project tells of itself: every transform with its columns, and how they hang together.

use crate::project::{Named, Project, Transform};
use std::fmt::Write;

impl Project {
    /// Every transform as Markdown, in the order in which they are computed.
    pub fn docs(&self) -> String {
        let mut page = String::from("# Transforms\n");
        for transform in self.transforms() {
            describe(&mut page, transform);
        }
        page
    }

    /// The graph of transforms, in Mermaid's words.
    pub fn graph(&self) -> String {
        let mut graph = String::from("flowchart LR\n");
        for transform in self.transforms() {
            let name = &transform.name;
            line(
                &mut graph,
                &format!("    {name}[\"{}.{name}<br>{}\"]", transform.layer, kind(transform)),
            );
            for named in transform.sql.named() {
                match named {
                    Named::Ref(other) => line(&mut graph, &format!("    {other} --> {name}")),
                    Named::Source(table) | Named::New(table) => {
                        line(&mut graph, &format!("    lake.{table}[(lake.{table})] --> {name}"));
                    }
                }
            }
        }
        graph
    }
}

fn kind(transform: &Transform) -> &'static str {
    transform.about.materialized.name()
}

fn describe(page: &mut String, transform: &Transform) {
    let about = &transform.about;
    line(page, &format!("\n## {}.{}\n", transform.layer, transform.name));
    line(page, about.description.trim());
    line(page, &format!("\nA {}, {}.\n", kind(transform), about.grain));
    line(page, "| column | | tests |\n|---|---|---|");
    for column in &about.columns {
        let tests: Vec<&str> = column.tests.iter().map(|test| test.name()).collect();
        let tests = tests.join(", ");
        line(
            page,
            &format!("| `{}` | {} | {tests} |", column.name, column.description.trim()),
        );
    }
}

fn line(text: &mut String, added: &str) {
    // Writing to a string can't fail.
    let _ = writeln!(text, "{added}");
}
