use crate::{
    auth::Identity,
    extract::batch,
    problem::{Problem, Result},
    wiring::App,
};
use axum::{
    Json,
    extract::{Request, State},
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use transactional::imports::{self, ImportItem, ImportOutcome};
use utoipa::ToSchema;

/// One command writes so many items: large enough to share a commit, small enough to let sales pass between.
const ITEMS_A_COMMAND: usize = 200;
const MOST_ITEMS: usize = 10_000;

#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct ImportAnswer {
    pub created: u64,
    pub updated: u64,
    pub unchanged: u64,
    pub refused: Vec<RefusedItem>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct RefusedItem {
    /// The item's place in the request, from 0.
    pub index: u64,
    pub code: String,
    pub message: String,
}

/// Import organizers, venues, events and orders from elsewhere
///
/// NDJSON, one item a line, what others refer to first. Ids follow from each item's `source`, so sending an item again
/// changes nothing. Each item is taken or refused by itself.
#[utoipa::path(post, path = "/v1/imports", tag = "operation",
    request_body(content = String, content_type = "application/x-ndjson"),
    responses((status = 200, body = ImportAnswer), (status = 400, body = Problem), (status = 403, body = Problem)))]
pub async fn import(State(app): State<Arc<App>>, identity: Identity, request: Request) -> Result<Json<ImportAnswer>> {
    identity.require_platform()?;
    let body = batch(request, &app).await?;
    let mut answer = ImportAnswer::default();
    let mut items = Vec::new();
    for (index, line) in body
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.trim_ascii().is_empty())
        .enumerate()
    {
        if index == MOST_ITEMS {
            return Err(Problem::new(
                "body_too_large",
                format!("send at most {MOST_ITEMS} items at once"),
            ));
        }
        match serde_json::from_slice::<ImportItem>(line) {
            Ok(item) => items.push((index as u64, item)),
            Err(error) => answer.refuse(index as u64, "invalid", error.to_string()),
        }
    }
    import_items(&app, &identity.actor(), items, &mut answer).await?;
    Ok(Json(answer))
}

pub async fn import_items(
    app: &App,
    actor: &str,
    items: Vec<(u64, ImportItem)>,
    answer: &mut ImportAnswer,
) -> Result<()> {
    let mut items = items.into_iter().peekable();
    while items.peek().is_some() {
        let chunk: Vec<(u64, ImportItem)> = items.by_ref().take(ITEMS_A_COMMAND).collect();
        let outcomes = app
            .store
            .write(actor, move |tx| {
                Box::pin(async move {
                    let mut outcomes = Vec::with_capacity(chunk.len());
                    for (index, item) in &chunk {
                        outcomes.push((*index, imports::import_item(tx, item).await?));
                    }
                    Ok(outcomes)
                })
            })
            .await?;
        for (index, outcome) in outcomes {
            match outcome {
                ImportOutcome::Created => answer.created += 1,
                ImportOutcome::Updated => answer.updated += 1,
                ImportOutcome::Unchanged => answer.unchanged += 1,
                ImportOutcome::Refused(refusal) => answer.refuse(index, &refusal.code, refusal.message),
            }
        }
    }
    Ok(())
}

impl ImportAnswer {
    fn refuse(&mut self, index: u64, code: &str, message: String) {
        self.refused.push(RefusedItem {
            index,
            code: code.to_owned(),
            message,
        });
    }
}
