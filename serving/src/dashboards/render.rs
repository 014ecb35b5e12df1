//! Templates. They are parsed for each page, which takes less than any of its figures, so that a changed one shows at
//! once. What is put into them is escaped unless it says itself that it is HTML.

use super::{
    files::Loaded,
    schema::Schema,
    view::{Frame, PageView},
};
use crate::problem::{Problem, Result};
use minijinja::{Environment, Value, context, syntax::SyntaxConfig, value::Serde};
use serde::Serialize;

/// The largest page takes a hundredth of them.
const MOST_STEPS: u64 = 5_000_000;

pub fn page(loaded: &Loaded, frame: &Frame, view: &PageView) -> Result<String> {
    rendered(
        loaded,
        "page.html",
        frame,
        "src/dashboards.ts",
        context! { page => Value::from(Serde(view)) },
    )
}

pub fn sql(loaded: &Loaded, frame: &Frame, schema: &Schema) -> Result<String> {
    let context = context! { schema => json_block(schema)? };
    rendered(loaded, "sql.html", frame, "src/sql.ts", context)
}

pub fn manage(loaded: &Loaded, frame: &Frame) -> Result<String> {
    rendered(loaded, "manage.html", frame, "src/dashboards.ts", context! {})
}

pub fn problem(loaded: &Loaded, frame: &Frame, problem: &Problem) -> Result<String> {
    let context = context! { problem => Value::from(Serde(problem)) };
    rendered(loaded, "error.html", frame, "src/dashboards.ts", context)
}

fn rendered(loaded: &Loaded, template: &str, frame: &Frame, script: &str, inner: Value) -> Result<String> {
    let broken = |error: minijinja::Error| Problem::internal(format!("a template is wrong: {error:#}"));
    let mut environment = Environment::new();
    // A loop in a template of somebody's own ends with the page and not with the server.
    environment.set_fuel(Some(MOST_STEPS));
    // Lines that only say what to do leave no empty ones.
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.map_err(broken)?);
    for (name, text) in &loaded.templates {
        environment.add_template(name, text).map_err(broken)?;
    }
    let (script, styles) = loaded.island(script);
    let (script, styles) = (Value::from(Serde(script)), Value::from(Serde(styles)));
    let (frame, wrong) = (Value::from(Serde(frame)), Value::from(Serde(&loaded.wrong)));
    let outer = context! { frame, script, styles, wrong };
    let template = environment.get_template(template).map_err(broken)?;
    template.render(context! { ..inner, ..outer }).map_err(broken)
}

/// JSON that can stand in a script element: nothing in it ends the element or begins a comment.
pub(super) fn json_block(value: &impl Serialize) -> Result<Value> {
    let text = serde_json::to_string(value).map_err(Problem::internal)?;
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => safe.push_str("\\u003c"),
            '>' => safe.push_str("\\u003e"),
            '&' => safe.push_str("\\u0026"),
            '\u{2028}' => safe.push_str("\\u2028"),
            '\u{2029}' => safe.push_str("\\u2029"),
            c => safe.push(c),
        }
    }
    Ok(Value::from_safe_string(safe))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_in_a_page_ends_no_script() {
        let hostile = ["</script><script>alert(1)</script>", "<!--", "a\u{2028}b", "&lt;"];
        let block = json_block(&hostile).unwrap().to_string();
        assert!(!block.contains(['<', '>', '&', '\u{2028}']), "{block}");
        let read: Vec<String> = serde_json::from_str(&block).unwrap();
        assert_eq!(read, hostile);
    }

    #[test]
    fn every_template_can_be_read() {
        let loaded = Loaded::read(None);
        assert!(loaded.templates.contains_key("page.html") && loaded.templates.contains_key("sql.html"));
        let mut environment = Environment::new();
        for (name, text) in &loaded.templates {
            environment.add_template(name, text).unwrap();
        }
    }
}
