//! What the SQL page's browser of tables shows: what the viewer's own session finds, with the words of the transforms' files.

use super::panel::objects;
use crate::problem::Result;
use lakehouse::Session;
use serde::Serialize;
use std::collections::BTreeMap;
use transforms::Project;

#[derive(Default, Serialize)]
pub struct Schema {
    pub schemas: Vec<Part>,
}

#[derive(Serialize)]
pub struct Part {
    pub name: String,
    pub tables: Vec<Table>,
}

#[derive(Serialize)]
pub struct Table {
    pub name: String,
    pub description: String,
    /// What one row is.
    pub grain: String,
    pub columns: Vec<ColumnInfo>,
}

#[derive(Serialize)]
pub struct ColumnInfo {
    pub name: String,
    pub r#type: String,
    pub description: String,
}

const COLUMNS: &str = "select table_schema, table_name, column_name, data_type from information_schema.columns \
                       where table_schema <> 'information_schema' order by table_schema, table_name, ordinal_position";

impl Schema {
    pub async fn of(session: &Session, project: Option<&Project>) -> Result<Self> {
        let rows = objects(session.sql(COLUMNS).await?).await?;
        let mut found: BTreeMap<String, BTreeMap<String, Vec<(String, String)>>> = BTreeMap::new();
        for row in &rows {
            let text = |name: &str| {
                row.get(name)
                    .and_then(|value| value.as_str())
                    .unwrap_or_default()
                    .to_owned()
            };
            let tables = found.entry(text("table_schema")).or_default();
            let columns = tables.entry(text("table_name")).or_default();
            columns.push((text("column_name"), text("data_type")));
        }
        let parts = found.into_iter().map(|(name, tables)| {
            let tables = tables
                .into_iter()
                .map(|(table, columns)| described(project, &name, table, columns));
            Part {
                tables: tables.collect(),
                name,
            }
        });
        Ok(Self {
            schemas: parts.collect(),
        })
    }
}

fn described(project: Option<&Project>, schema: &str, name: String, columns: Vec<(String, String)>) -> Table {
    let transform = project.and_then(|project| project.transform(&name));
    let about = transform
        .filter(|transform| transform.layer == schema)
        .map(|transform| &transform.about);
    let description = |column: &str| {
        let known = about.and_then(|about| about.columns.iter().find(|known| known.name == column));
        known.map_or(String::new(), |known| known.description.clone())
    };
    let columns = columns.into_iter().map(|(name, kind)| ColumnInfo {
        description: description(&name),
        r#type: kind,
        name,
    });
    Table {
        columns: columns.collect(),
        description: about.map_or(String::new(), |about| about.description.clone()),
        grain: about.map_or(String::new(), |about| about.grain.clone()),
        name,
    }
}
