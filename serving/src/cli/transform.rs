//! `bilten transform`: what the SQL project's models keep, whether they are right, and what they are.

use super::{connection::Connection, progress::Progress};
use crate::config::Config;
use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};
use transforms::{Project, project::Model};

#[derive(Debug, Subcommand)]
pub(crate) enum TransformCommand {
    /// Bring models up to what has come; without names, all that keep rows
    Run(RunCommand),
    /// Run the tests of models; without names, of all
    Test(ModelsCommand),
    /// Describe every model and its columns, as Markdown
    Docs,
    /// Show which model reads which, as a Mermaid graph
    Graph,
}

#[derive(Debug, Args)]
pub(crate) struct RunCommand {
    #[command(flatten)]
    models: ModelsCommand,

    /// Compute every row again, whatever is kept
    #[arg(long)]
    full: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ModelsCommand {
    /// Names of models
    models: Vec<String>,
}

#[expect(clippy::print_stdout, reason = "this is the command line's own output")]
pub(crate) async fn run(config: &Config, command: TransformCommand) -> Result<()> {
    let project = Project::load()?;
    match command {
        TransformCommand::Docs => print!("{}", project.docs()),
        TransformCommand::Graph => print!("{}", project.graph()),
        TransformCommand::Run(command) => {
            let models = chosen(&project, &command.models, Model::is_kept)?;
            let body = json!({ "full": command.full });
            for ran in each(config, &models, "run", body).await? {
                show_run(&ran);
            }
        }
        TransformCommand::Test(command) => {
            let models = chosen(&project, &command, |_| true)?;
            let tested = each(config, &models, "test", json!({})).await?;
            let tests: Vec<&Value> = tested.iter().filter_map(Value::as_array).flatten().collect();
            let failed = tests.iter().filter(|test| test["passed"] != true);
            let failed = failed.inspect(|test| show_failure(test)).count();
            println!("{} tests of {} models, {failed} failed", tests.len(), models.len());
            if failed > 0 {
                bail!("{failed} tests failed");
            }
        }
    }
    Ok(())
}

fn chosen(project: &Project, command: &ModelsCommand, wanted: impl Fn(&Model) -> bool) -> Result<Vec<String>> {
    if let Some(unknown) = command.models.iter().find(|name| project.model(name).is_none()) {
        bail!("there is no model {unknown}; `bilten transform docs` describes them");
    }
    if !command.models.is_empty() {
        return Ok(command.models.clone());
    }
    let models = project.models().iter().filter(|model| wanted(model));
    Ok(models.map(|model| model.name.clone()).collect())
}

/// Asks the server to do the same with each model, one after the other.
async fn each(config: &Config, models: &[String], what: &str, body: Value) -> Result<Vec<Value>> {
    let connection = Connection::to_existing(config).await?;
    let mut progress = Progress::new("models", models.len() as u64);
    let mut answers = Vec::new();
    for model in models {
        let request = connection.request(Method::POST, &format!("/v1/transforms/{model}/{what}"));
        match connection.json::<Value>(request.json(&body)).await {
            Ok(answer) => answers.push(answer),
            Err(error) => {
                connection.close().await?;
                return Err(error.context(format!("{model} can't {what}")));
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
        ran["model"].as_str().unwrap_or_default(),
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
        test["model"].as_str().unwrap_or_default(),
        test["test"].as_str().unwrap_or_default(),
        test["finding"].as_str().unwrap_or_default()
    );
}
