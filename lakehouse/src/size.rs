//! How large a question may be. The planner can't be interrupted, and its time grows faster than the question: what is too
//! large is refused before it is planned.

use crate::error::{Error, Result};
use datafusion::{
    common::{DataFusionError, tree_node::TreeNodeRecursion},
    logical_expr::LogicalPlan,
    sql::{
        parser::Statement,
        sqlparser::ast::{self, ObjectName, Query, Visit, Visitor},
    },
};
use std::{
    collections::HashMap,
    ops::ControlFlow::{self, Continue},
    ptr,
};

/// Longer than any query a person writes; the planner's cost grows faster than the text, and so does its stack.
const MAX_SQL_BYTES: usize = 16 * 1024;

/// The planner's time grows with the square of a chain of operators.
const MAX_OPERATORS: usize = 1_000;

/// Relations that a query reads, with views and what is named by `with` written out wherever it is read: each that reads
/// the one before twice doubles them.
const MAX_RELATIONS: usize = 250;

pub(crate) fn check_text(sql: &str) -> Result<()> {
    if sql.len() > MAX_SQL_BYTES {
        return Err(Error::invalid(format!("a query has at most {MAX_SQL_BYTES} bytes")));
    }
    if sql.bytes().filter(|byte| b"+-*/%|".contains(byte)).count() > MAX_OPERATORS {
        return Err(Error::invalid(format!(
            "a query has at most {MAX_OPERATORS} arithmetic operators"
        )));
    }
    Ok(())
}

/// By its text alone.
pub(crate) fn check_statement(statement: &Statement) -> Result<()> {
    let mut written_out = WrittenOut::default();
    let of = match statement {
        Statement::Explain(explain) => return check_statement(&explain.statement),
        Statement::Statement(of) => of,
        _ => return Ok(()),
    };
    let _ = of.visit(&mut written_out);
    allowed(written_out.most)
}

/// With what its views read.
pub(crate) fn check_plan(plan: &LogicalPlan) -> Result<()> {
    allowed(relations(plan, MAX_RELATIONS)?)
}

fn allowed(relations: usize) -> Result<()> {
    match relations > MAX_RELATIONS {
        true => Err(Error::invalid(format!(
            "a query reads at most {MAX_RELATIONS} relations"
        ))),
        false => Ok(()),
    }
}

/// How many relations a plan reads; not many more than `most`, however many there are.
fn relations(plan: &LogicalPlan, most: usize) -> Result<usize, DataFusionError> {
    let mut count = 0;
    plan.apply_with_subqueries(|node| {
        count += match node {
            LogicalPlan::TableScan(scan) => match scan.source.get_logical_plan() {
                Some(view) => relations(&view, most - count)?,
                None => 1,
            },
            node => usize::from(node.inputs().is_empty()),
        };
        Ok(if count > most {
            TreeNodeRecursion::Stop
        } else {
            TreeNodeRecursion::Continue
        })
    })?;
    Ok(count)
}

/// Counts relations on the way through a statement. What is named twice counts as the larger of the two.
#[derive(Default)]
struct WrittenOut {
    /// Of each query that has begun and not ended, what it reads so far.
    open: Vec<usize>,
    /// The names of queries that are named, by where they stand.
    names: HashMap<*const Query, String>,
    named: HashMap<String, usize>,
    most: usize,
}

impl Visitor for WrittenOut {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
            self.names
                .insert(ptr::from_ref(&*cte.query), cte.alias.name.value.to_lowercase());
        }
        self.open.push(0);
        Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        let name = match relation.0.as_slice() {
            [ast::ObjectNamePart::Identifier(name)] => self.named.get(&name.value.to_lowercase()),
            _ => None,
        };
        if let Some(reads) = self.open.last_mut() {
            *reads = reads.saturating_add(name.copied().unwrap_or(1));
        }
        Continue(())
    }

    fn post_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let reads = self.open.pop().unwrap_or_default().max(1);
        self.most = self.most.max(reads);
        match self.names.get(&ptr::from_ref(query)) {
            Some(name) => {
                let known = self.named.entry(name.clone()).or_default();
                *known = reads.max(*known);
            }
            None => {
                if let Some(outer) = self.open.last_mut() {
                    *outer = outer.saturating_add(reads);
                }
            }
        }
        Continue(())
    }
}
