//! Tests of transforms: what a `.yml` says of its rows is looked up in the lake, and unit tests are run on rows of their
//! own.

use crate::{
    answer::quoted,
    project::{ColumnTest, DataTest, Named, Project, Row, Template, Transform, UnitTest},
    run::Runner,
};
use lakehouse::{
    Error, RecordBatch, Result, SchemaRef,
    arrow::{
        array::AsArray,
        datatypes::{Field, Fields, Int64Type, Schema},
        json::{ReaderBuilder, WriterBuilder, writer::LineDelimited},
    },
    relations::Moment,
};
use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

/// How one test of a transform ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    pub transform: String,
    pub test: String,
    /// What is wrong; None if nothing is.
    pub finding: Option<String>,
    pub took: Duration,
}

impl Runner {
    /// Every test of a transform, against the present.
    pub async fn check_transform(&self, transform: &Transform) -> Result<Vec<Checked>> {
        let moment = self.moment().await?;
        let mut checked = Vec::new();
        let mut add = |test: String, started: Instant, finding: Option<String>| {
            checked.push(Checked {
                transform: transform.name.clone(),
                test,
                finding,
                took: started.elapsed(),
            });
        };
        let started = Instant::now();
        let finding = self.columns_differ(transform, &moment).await;
        add("it has the columns that it names".to_owned(), started, told(finding));
        for (test, sql) in self.project.data_tests(transform) {
            let started = Instant::now();
            let finding = rows_found(&moment, &sql).await;
            add(test, started, told(finding));
        }
        for test in &transform.about.unit_tests {
            let started = Instant::now();
            let finding = self.unit_test(transform, test, &moment).await;
            add(test.name.clone(), started, told(finding));
        }
        Ok(checked)
    }

    async fn columns_differ(&self, transform: &Transform, moment: &Moment) -> Result<Option<String>> {
        let schema = moment.schema(&self.project.whole(transform)).await?;
        let found: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        let named: Vec<&str> = transform.columns().collect();
        Ok((found != named).then(|| format!("its SQL has {}", found.join(", "))))
    }

    async fn unit_test(&self, transform: &Transform, test: &UnitTest, moment: &Moment) -> Result<Option<String>> {
        let mut given = Vec::new();
        for named in transform.sql.named().collect::<BTreeSet<_>>() {
            let (Named::Ref(name) | Named::Source(name) | Named::New(name)) = named;
            let schema = self.project.transform(name).map_or("lake", |transform| transform.layer);
            let columns = moment.schema(&format!("select * from {schema}.{name}")).await?;
            let rows = test.given.get(name).map_or(&[] as &[Row], Vec::as_slice);
            given.push(((schema.to_owned(), name.clone()), decode(&columns, rows)?));
        }
        if let Some(unknown) = test
            .given
            .keys()
            .find(|name| !given.iter().any(|((_, known), _)| known == *name))
        {
            return Ok(Some(format!("it is given {unknown}, which it does not read")));
        }
        let (whole, filter) = (self.project.whole(transform), test.filter.as_deref().unwrap_or("true"));
        let Some(first) = test.expect.first() else {
            let sql = format!("select 1 from ({whole}) where {filter}");
            return rows_found(&moment.given(given), &sql).await;
        };
        let columns = first.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        let sql = format!("select {columns} from ({whole}) where {filter}");
        let moment = moment.given(given);
        let schema = nullable(&moment.schema(&sql).await?);
        let expected = lines(&[decode(&schema, &test.expect)?])?;
        let mut made = Vec::new();
        for batch in moment.rows(&sql).await? {
            made.push(batch.with_schema(Arc::clone(&schema))?);
        }
        let made = lines(&made)?;
        Ok((made != expected).then(|| format!("expected {}, got {}", expected.join(" "), made.join(" "))))
    }
}

impl Project {
    /// Each test of a transform's rows: what it says, and the query that finds what is wrong.
    pub(crate) fn data_tests(&self, transform: &Transform) -> Vec<(String, String)> {
        let own = format!("{}.{}", transform.layer, transform.name);
        let mut tests = Vec::new();
        for column in &transform.about.columns {
            let name = &column.name;
            for test in &column.tests {
                tests.push(match test {
                    ColumnTest::NotNull => (
                        format!("{name} is never null"),
                        format!("select 1 from {own} where {name} is null"),
                    ),
                    ColumnTest::Unique => unique(&own, std::slice::from_ref(name)),
                    ColumnTest::AcceptedValues(values) => {
                        let values: Vec<String> = values.iter().map(|value| quoted(value)).collect();
                        let values = values.join(", ");
                        (
                            format!("{name} is one of {values}"),
                            format!("select 1 from {own} where {name} not in ({values})"),
                        )
                    }
                    ColumnTest::Relationships { to, field } => {
                        let layer = self.transform(to).map_or("lake", |transform| transform.layer);
                        (
                            format!("each {name} is a {field} of {to}"),
                            format!(
                                "select 1 from {own} as one where one.{name} is not null \
                                 and not exists (select 1 from {layer}.{to} as other where other.{field} = one.{name})"
                            ),
                        )
                    }
                });
            }
        }
        tests.extend(transform.about.tests.iter().map(|test| match test {
            DataTest::Unique(columns) => unique(&own, columns),
            DataTest::Expression(expression) => (
                expression.clone(),
                format!("select 1 from {own} where not ({expression})"),
            ),
            DataTest::Nothing { name, sql } => (name.clone(), self.rendered(sql)),
        }));
        tests
    }

    /// SQL of a test, whose names may be in braces.
    fn rendered(&self, sql: &str) -> String {
        match Template::parse(sql) {
            Ok(template) => template.render(|named| self.place(named)),
            Err(_) => sql.to_owned(),
        }
    }
}

fn unique(table: &str, columns: &[String]) -> (String, String) {
    let columns = columns.join(", ");
    (
        format!("{columns}: no two rows have the same"),
        format!("select 1 from {table} group by {columns} having count(*) > 1"),
    )
}

async fn rows_found(moment: &Moment, sql: &str) -> Result<Option<String>> {
    // Counted there: what is wrong may be every row of a large table.
    let counted = moment.rows(&format!("select count(*) from ({sql})")).await?;
    let rows: i64 = counted
        .iter()
        .map(|batch| batch.column(0).as_primitive::<Int64Type>().value(0))
        .sum();
    Ok((rows > 0).then(|| format!("{rows} rows are wrong")))
}

/// A test that can't be run has failed as well; the others go on.
fn told(finding: Result<Option<String>>) -> Option<String> {
    finding.unwrap_or_else(|error| Some(error.to_string()))
}

fn nullable(schema: &SchemaRef) -> SchemaRef {
    let fields = schema.fields().iter();
    let fields = fields.map(|field| Field::clone(field).with_nullable(true));
    Arc::new(Schema::new(fields.collect::<Fields>()))
}

/// Rows of a `.yml` as a batch with these columns; what they leave out is null.
fn decode(schema: &SchemaRef, rows: &[Row]) -> Result<RecordBatch> {
    let schema = nullable(schema);
    for row in rows {
        if let Some(unknown) = row.keys().find(|name| schema.index_of(name).is_err()) {
            return Err(Error::invalid(format!("there is no column {unknown}")));
        }
    }
    let mut decoder = ReaderBuilder::new(Arc::clone(&schema))
        .with_coerce_primitive(true)
        .build_decoder()?;
    decoder.serialize(rows)?;
    Ok(decoder.flush()?.unwrap_or_else(|| RecordBatch::new_empty(schema)))
}

/// Each row as JSON, in an order that does not depend on theirs.
fn lines(batches: &[RecordBatch]) -> Result<Vec<String>> {
    let mut writer = WriterBuilder::new()
        .with_explicit_nulls(true)
        .build::<_, LineDelimited>(Vec::new());
    for batch in batches {
        writer.write(batch)?;
    }
    writer.finish()?;
    let text = String::from_utf8_lossy(&writer.into_inner()).into_owned();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    Ok(lines)
}
