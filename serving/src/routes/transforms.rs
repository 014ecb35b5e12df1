use crate::{
    auth::Identity,
    extract::Body,
    problem::{Problem, Result},
    roles::ProcessRole,
    wiring::App,
};
use axum::{
    Json,
    extract::{Path, State},
};
use lakehouse::relations::KeptState;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use transforms::{How, Ran, Runner, project::Transform};
use utoipa::ToSchema;

/// A transform of the SQL project.
#[derive(Serialize, ToSchema)]
pub struct TransformView {
    name: String,
    /// The schema under which SQL finds it: `staging`, `intermediate` or `marts`.
    layer: &'static str,
    /// `view`, `table`, `overwrite` or `rollup`.
    materialized: &'static str,
    description: String,
    /// What one row stands for.
    grain: String,
    columns: Vec<TransformColumn>,
    /// The transforms that it reads, itself or through others.
    reads: Vec<String>,
}

#[derive(Serialize, ToSchema)]
pub struct TransformColumn {
    name: String,
    description: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RunTransform {
    /// Compute every row again, whatever is kept.
    #[serde(default)]
    full: bool,
}

#[derive(Serialize, ToSchema)]
pub struct RunView {
    transform: String,
    /// `unchanged`, `touched`, `added`, `rebuilt`, or `overtaken` by another process.
    outcome: &'static str,
    /// How many keys were computed again.
    keys: Option<u64>,
    took_ms: u64,
    /// What is kept afterwards; none of a view.
    kept: Option<KeptView>,
}

#[derive(Serialize, ToSchema)]
pub struct KeptView {
    /// Every change up to this one is in it.
    seq: i64,
    version: u64,
    rows: u64,
    files: u64,
    bytes: u64,
}

#[derive(Serialize, ToSchema)]
pub struct TestView {
    transform: String,
    test: String,
    passed: bool,
    /// What is wrong.
    finding: Option<String>,
    took_ms: u64,
}

/// List the transforms of the SQL project
#[utoipa::path(get, path = "/v1/transforms", tag = "lake", responses((status = 200, body = Vec<TransformView>)))]
pub async fn list_transforms(State(app): State<Arc<App>>, _: Identity) -> Result<Json<Vec<TransformView>>> {
    let transforms = runner(&app)?
        .project()
        .transforms()
        .iter()
        .map(|transform| TransformView {
            name: transform.name.clone(),
            layer: transform.layer,
            materialized: transform.about.materialized.name(),
            description: transform.about.description.clone(),
            grain: transform.about.grain.clone(),
            columns: transform
                .about
                .columns
                .iter()
                .map(|column| TransformColumn {
                    name: column.name.clone(),
                    description: column.description.clone(),
                })
                .collect(),
            reads: transform.upstream.clone(),
        });
    Ok(Json(transforms.collect()))
}

/// Compute a transform's kept rows
///
/// Runs by itself every few seconds; this is for whoever doesn't want to wait, or wants all of it computed again.
#[utoipa::path(post, path = "/v1/transforms/{name}/run", tag = "operation", params(("name" = String, Path)),
    request_body = RunTransform,
    responses((status = 200, body = RunView), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn run_transform(
    State(app): State<Arc<App>>,
    identity: Identity,
    Path(name): Path<String>,
    Body(run): Body<RunTransform>,
) -> Result<Json<RunView>> {
    identity.require_platform()?;
    let runner = runner(&app)?;
    let ran = runner.run_transform(transform(runner, &name)?, run.full).await?;
    Ok(Json(ran.into()))
}

/// Run a transform's tests
#[utoipa::path(post, path = "/v1/transforms/{name}/test", tag = "operation", params(("name" = String, Path)),
    responses((status = 200, body = Vec<TestView>), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn test_transform(
    State(app): State<Arc<App>>,
    identity: Identity,
    Path(name): Path<String>,
) -> Result<Json<Vec<TestView>>> {
    identity.require_platform()?;
    let runner = runner(&app)?;
    let checked = runner.check_transform(transform(runner, &name)?).await?;
    let views = checked.into_iter().map(|checked| TestView {
        transform: checked.transform,
        test: checked.test,
        passed: checked.finding.is_none(),
        finding: checked.finding,
        took_ms: checked.took.as_millis() as u64,
    });
    Ok(Json(views.collect()))
}

fn runner(app: &App) -> Result<&Runner> {
    app.transforms
        .as_ref()
        .ok_or_else(|| app.misdirected(ProcessRole::Query))
}

fn transform<'a>(runner: &'a Runner, name: &str) -> Result<&'a Transform> {
    let transform = runner.project().transform(name);
    transform.ok_or_else(|| Problem::not_found("transform; GET /v1/transforms lists them"))
}

impl From<Ran> for RunView {
    fn from(ran: Ran) -> Self {
        let (outcome, keys) = match ran.how {
            How::Unchanged => ("unchanged", None),
            How::Touched(keys) => ("touched", Some(keys as u64)),
            How::Added => ("added", None),
            How::Rebuilt => ("rebuilt", None),
            How::Overtaken => ("overtaken", None),
        };
        Self {
            transform: ran.transform,
            outcome,
            keys,
            took_ms: ran.took.as_millis() as u64,
            kept: ran.kept.map(KeptView::from),
        }
    }
}

impl From<KeptState> for KeptView {
    fn from(kept: KeptState) -> Self {
        Self {
            seq: kept.position.seq,
            version: kept.version,
            rows: kept.rows,
            files: kept.files as u64,
            bytes: kept.bytes,
        }
    }
}
