//! The class `Rules` and what may stand in them.

use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::ecs::{catalogue, names};
use crate::filter::drops::{self, Filter, Operand, Operator};
use crate::filter::facts;
use crate::filter::watch::Who;
use crate::filter::{Drop, Drops, Rules, Watch, Watches};

#[pyclass(name = "Rules", module = "endpoint_agent._native", frozen)]
pub struct PyRules(Arc<Rules>);

#[derive(FromPyObject)]
struct PyWatch {
    tag: String,
    actions: Vec<String>,
    syscalls: Vec<String>,
    details: Vec<String>,
    paths: Vec<String>,
    executables: Vec<String>,
    arguments: Vec<String>,
    effective_users: Vec<PyWho>,
    login_users: Vec<PyWho>,
}

#[derive(FromPyObject)]
enum PyWho {
    Name(String),
    Range(u32, u32),
}

#[derive(FromPyObject)]
struct PyDrop {
    uuid: String,
    filters: Vec<PyFilter>,
}

#[derive(FromPyObject)]
struct PyFilter {
    field: String,
    operator: String,
    operands: Vec<PyOperand>,
}

#[derive(FromPyObject)]
enum PyOperand {
    // Before the number, which Python's True is too.
    Boolean(bool),
    Text(String),
    Number(f64),
}

#[pymethods]
impl PyRules {
    #[new]
    #[pyo3(signature = (watches=Vec::new(), drops=Vec::new(), before=None))]
    fn new(
        watches: Vec<PyWatch>,
        drops: Vec<PyDrop>,
        before: Option<PyRef<'_, PyRules>>,
    ) -> PyResult<Self> {
        let watches = watches.into_iter().map(Watch::from).collect();
        let drops = drops
            .into_iter()
            .map(Drop::try_from)
            .collect::<PyResult<_>>()?;
        let before = before.as_ref().map(|rules| &rules.0.drops);
        Ok(Self(Arc::new(Rules {
            watches: Watches::new(watches),
            drops: Drops::new(drops, before),
        })))
    }

    fn counts(&self) -> Vec<(String, u64)> {
        let counts = self.0.drops.counts();
        counts.map(|(uuid, count)| (uuid.into(), count)).collect()
    }
}

impl PyRules {
    /// The rules themselves, for an engine.
    pub fn shared(&self) -> Arc<Rules> {
        self.0.clone()
    }
}

#[pyfunction]
pub fn rule_fields() -> Vec<(&'static str, &'static str)> {
    drops::fields()
        .map(|(name, field)| (name, field.kind.name()))
        .collect()
}

#[pyfunction]
pub fn event_actions() -> Vec<&'static str> {
    let actions = catalogue::ALL.iter().map(|kind| kind.action);
    actions
        .filter(|action| *action != catalogue::EVENTS_LOST.action)
        .collect()
}

#[pyfunction]
pub fn event_syscalls() -> Vec<&'static str> {
    names::calls().collect()
}

#[pyfunction]
pub fn event_details() -> Vec<&'static str> {
    facts::details().collect()
}

impl From<PyWatch> for Watch {
    fn from(watch: PyWatch) -> Self {
        Self {
            tag: watch.tag,
            actions: watch.actions,
            syscalls: watch.syscalls,
            details: watch.details,
            paths: watch.paths,
            executables: watch.executables,
            arguments: watch.arguments,
            effective_users: watch.effective_users.into_iter().map(Who::from).collect(),
            login_users: watch.login_users.into_iter().map(Who::from).collect(),
        }
    }
}

impl From<PyWho> for Who {
    fn from(who: PyWho) -> Self {
        match who {
            PyWho::Name(name) => Who::Name(name),
            PyWho::Range(from, to) => Who::Range(from, to),
        }
    }
}

impl TryFrom<PyDrop> for Drop {
    type Error = PyErr;

    fn try_from(rule: PyDrop) -> PyResult<Self> {
        let filters = rule.filters.into_iter().map(Filter::try_from);
        Ok(Self {
            uuid: rule.uuid,
            filters: filters.collect::<PyResult<_>>()?,
        })
    }
}

impl TryFrom<PyFilter> for Filter {
    type Error = PyErr;

    fn try_from(filter: PyFilter) -> PyResult<Self> {
        let operator = match &*filter.operator {
            "==" | "in" => Operator::Equal,
            "!=" => Operator::NotEqual,
            "contains" => Operator::Contains,
            "not contains" => Operator::NotContains,
            "starts with" => Operator::StartsWith,
            "<" => Operator::Less,
            "<=" => Operator::AtMost,
            ">" => Operator::Greater,
            ">=" => Operator::AtLeast,
            other => {
                let message = format!("no such operator: {other}");
                return Err(PyValueError::new_err(message));
            }
        };
        let operands = filter.operands.into_iter().map(|operand| match operand {
            PyOperand::Boolean(value) => Operand::Boolean(value),
            PyOperand::Text(value) => Operand::Text(value),
            PyOperand::Number(value) => Operand::Number(value),
        });
        Ok(Self {
            field: filter.field,
            operator,
            operands: operands.collect(),
        })
    }
}
