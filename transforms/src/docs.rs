//! What the project tells of itself: every model with its columns, and how they hang together.

use crate::project::{Model, Named, Project};
use std::fmt::Write;

impl Project {
    /// Every model as Markdown, in the order in which they are computed.
    pub fn docs(&self) -> String {
        let mut page = String::from("# Models\n");
        for model in self.models() {
            describe(&mut page, model);
        }
        page
    }

    /// The graph of models, in Mermaid's words.
    pub fn graph(&self) -> String {
        let mut graph = String::from("flowchart LR\n");
        for model in self.models() {
            let name = &model.name;
            line(
                &mut graph,
                &format!("    {name}[\"{}.{name}<br>{}\"]", model.layer, kind(model)),
            );
            for named in model.sql.named() {
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

fn kind(model: &Model) -> &'static str {
    model.about.materialized.name()
}

fn describe(page: &mut String, model: &Model) {
    let about = &model.about;
    line(page, &format!("\n## {}.{}\n", model.layer, model.name));
    line(page, about.description.trim());
    line(page, &format!("\nA {}, {}.\n", kind(model), about.grain));
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
