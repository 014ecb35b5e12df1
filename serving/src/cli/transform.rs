//! `bilten transform`: what the SQL project's transforms keep, whether they are right, and what they are.

use super::{connection::Connection, progress::Progress};
use crate::config::Config;
use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};
use transforms::{Project, project::Transform};

#[derive(Debug, Subcommand)]
pub(crate) enum TransformCommand {
    /// Bring transforms up to what has come; without names, all that keep rows
    Run(RunCommand),
    /// Run the tests of transforms; without names, of all
    Test(TransformsCommand),
    /// Describe every transform and its columns, as Markdown
    Docs,
    /// Show which transform reads which, as a Mermaid graph
    Graph,
}

#[derive(Debug, Args)]
pub(crate) struct RunCommand {
    #[command(flatten)]
    transforms: TransformsCommand,

    /// Compute every row again, whatever is kept
    #[arg(long)]
    full: bool,
}

#[derive(Debug, Args)]
pub(crate) struct TransformsCommand {
    /// Names of transforms
    transforms: Vec<String>,
}

#[expect(clippy::print_stdout, reason = "this is the command line's own output")]
pub(crate) async fn run(config: &Config, command: TransformCommand) -> Result<()> {
    let project = Project::load()?;
    match command {
        TransformCommand::Docs => print!("{}", project.docs()),
        TransformCommand::Graph => print!("{}", project.graph()),
        TransformCommand::Run(command) => {
            let transforms = chosen(&project, &command.transforms, Transform::is_kept)?;
            let body = json!({ "full": command.full });
            for ran in each(config, &transforms, "run", body).await? {
                show_run(&ran);
            }
        }
        TransformCommand::Test(command) => {
            let transforms = chosen(&project, &command, |_| true)?;
            let tested = each(config, &transforms, "test", json!({})).await?;
            let tests: Vec<&Value> = tested.iter().filter_map(Value::as_array).flatten().collect();
            let failed = tests.iter().filter(|test| test["passed"] != true);
            let failed = failed.inspect(|test| show_failure(test)).count();
            println!(
                "{} tests of {} transforms, {failed} failed",
                tests.len(),
                transforms.len()
            );
            if failed > 0 {
                bail!("{failed} tests failed");
            }
        }
    }
    Ok(())
}

fn chosen(project: &Project, command: &TransformsCommand, wanted: impl Fn(&Transform) -> bool) -> Result<Vec<String>> {
    if let Some(unknown) = command.transforms.iter().find(|name| project.transform(name).is_none()) {
        bail!("there is no transform {unknown}; `bilten transform docs` describes them");
    }
    if !command.transforms.is_empty() {
        return Ok(command.transforms.clone());
    }
    let transforms = project.transforms().iter().filter(|transform| wanted(transform));
    Ok(transforms.map(|transform| transform.name.clone()).collect())
}

/// Asks the server to do the same with each transform, one after the other.
async fn each(config: &Config, transforms: &[String], what: &str, body: Value) -> Result<Vec<Value>> {
    let connection = Connection::to_existing(config).await?;
    let mut progress = Progress::new("transforms", transforms.len() as u64);
    let mut answers = Vec::new();
    for transform in transforms {
        let request = connection.request(Method::POST, &format!("/v1/transforms/{transform}/{what}"));
        match connection.json::<Value>(request.json(&body)).await {
            Ok(answer) => answers.push(answer),
            Err(error) => {
                connection.close().await?;
                return Err(error.context(format!("{transform} can't {what}")));
            }
        }
        progress.add(1);
    }
    progress.finish();
    connection.close().await?;
    Ok(answers)
}

#[expect(clippy::print_stdout, reason = "this is the command line's own output")]
fn show_run(ran: &Value) {
    let keys = match ran["keys"].as_u64() {
        Some(keys) => format!("{keys} keys "),
        None => String::new(),
    };
    println!(
        "{:<16} {keys}{:<10} {:>9} rows in {:>3} files, up to change {}, in {} ms",
        ran["transform"].as_str().unwrap_or_default(),
        ran["outcome"].as_str().unwrap_or_default(),
        ran["kept"]["rows"].as_u64().unwrap_or_default(),
        ran["kept"]["files"].as_u64().unwrap_or_default(),
        ran["kept"]["seq"],
        ran["took_ms"]
    );
}

#[expect(clippy::print_stdout, reason = "this is the command line's own output")]
fn show_failure(test: &Value) {
    println!(
        "{}: {}: {}",
        test["transform"].as_str().unwrap_or_default(),
        test["test"].as_str().unwrap_or_default(),
        test["finding"].as_str().unwrap_or_default()
    );
}
