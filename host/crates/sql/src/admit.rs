//! What a query may say, told at its place: it is walked before it is planned, since
//! the planner no longer knows where things stood.

use std::ops::{ControlFlow, Range};

use datafusion::sql::sqlparser::ast::{
    Expr, Function, GroupByExpr, Ident, ObjectName, ObjectNamePart, Query, Select, SelectItem,
    SetExpr, Spanned, TableFactor, Value, VisitMut, VisitorMut,
};
use datafusion::sql::sqlparser::tokenizer::Span;
use glovebox_core::QueryProblem;

use crate::functions::{self, Called};
use crate::problem::{closest, helped, list, offset, problem};
use crate::table::Table;

/// Over what a query is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    /// Each row by itself.
    EachRow,
    /// All rows.
    AllRows,
}

/// Refuses what is no query over rows, or differs from run to run, and over single rows what looks at more
/// than one; spells the names of columns as they are declared.
pub(crate) fn admit(
    text: &str,
    query: &mut Query,
    tables: &[Table<'_>],
    over: Over,
) -> Result<(), QueryProblem> {
    let mut walk = Walk {
        text,
        tables,
        over,
        aliases: Vec::new(),
        named: Vec::new(),
    };
    match VisitMut::visit(query, &mut walk) {
        ControlFlow::Break(problem) => return Err(*problem),
        ControlFlow::Continue(()) => {}
    }
    match over {
        Over::EachRow => named(text, &query.body),
        Over::AllRows => Ok(()),
    }
}

struct Walk<'t> {
    text: &'t str,
    tables: &'t [Table<'t>],
    over: Over,
    /// What the query itself calls columns.
    aliases: Vec<String>,
    /// What it calls queries, by WITH.
    named: Vec<String>,
}

type Flow = ControlFlow<Box<QueryProblem>>;

fn stop(problem: QueryProblem) -> Flow {
    ControlFlow::Break(Box::new(problem))
}

/// Each row by itself.
const EACH_ROW: &str = "`sql:` makes of each row one row or none, by itself";

impl<'t> Walk<'t> {
    fn at(&self, spanned: &impl Spanned) -> Option<Range<usize>> {
        at(self.text, spanned.span())
    }

    /// Something that looks at more than one row.
    fn rows(&self, what: &str, at: Option<Range<usize>>) -> Flow {
        if self.over == Over::AllRows {
            return ControlFlow::Continue(());
        }
        stop(helped(
            format!("{what} needs more than one row"),
            at,
            EACH_ROW,
        ))
    }

    fn other(&self, what: &str, at: Option<Range<usize>>) -> Flow {
        stop(helped(
            format!("{what} cannot be used here"),
            at,
            "a query over rows is SELECT … FROM rows WHERE …",
        ))
    }

    fn call(&self, function: &mut Function) -> Flow {
        let at = self.at(&function.name);
        if function.over.is_some() {
            self.rows("OVER", at.clone())?;
        }
        let [ObjectNamePart::Identifier(name)] = function.name.0.as_mut_slice() else {
            return self.other("a function with a path", at);
        };
        let lower = name.value.to_lowercase();
        match functions::called(&lower) {
            Called::Allowed(_) => {
                lower.clone_into(&mut name.value);
                ControlFlow::Continue(())
            }
            Called::Rows => {
                lower.clone_into(&mut name.value);
                self.rows(&format!("`{lower}`"), at)
            }
            Called::Changing => stop(helped(
                format!("`{lower}` differs from run to run"),
                at,
                "a run that is resumed must make the same of a row; add such a value as a column of the source",
            )),
            Called::Refused => stop(problem(format!("`{lower}` cannot be used here"), at)),
            Called::Unknown => {
                let message = format!("there is no function `{lower}`");
                match closest(&lower, functions::names()) {
                    Some(near) => stop(helped(message, at, format!("did you mean `{near}`?"))),
                    None => stop(helped(message, at, "docs/sql.md lists the functions")),
                }
            }
        }
    }

    /// The table of that name, in whatever case it is written.
    fn table(&self, name: &Ident) -> Option<&'t str> {
        let mut names = self.tables.iter().map(|table| table.name);
        names.find(|table| {
            *table == name.value
                || name.quote_style.is_none() && name.value.eq_ignore_ascii_case(table)
        })
    }

    /// The name as it is declared, where it is written in another case and is no alias.
    fn spelled(&self, name: &mut Ident) {
        let is = |other: &str| other == name.value;
        let fields = self.tables.iter().flat_map(|table| &table.columns.fields);
        let fields = fields.map(|field| &*field.name);
        if name.quote_style.is_some()
            || fields.clone().any(is)
            || self.aliases.iter().any(|alias| is(alias))
        {
            return;
        }
        let lower = name.value.to_lowercase();
        let mut alike = fields.filter(|field| field.to_lowercase() == lower);
        if let Some(one) = alike.next()
            && alike.all(|other| other == one)
        {
            one.clone_into(&mut name.value);
        }
    }
}

impl VisitorMut for Walk<'_> {
    type Break = Box<QueryProblem>;

    fn pre_visit_query(&mut self, query: &mut Query) -> Flow {
        if let Some(with) = query.with.as_ref().filter(|with| with.recursive) {
            return self.other("WITH RECURSIVE", self.at(with));
        }
        let named = query.with.iter().flat_map(|with| &with.cte_tables);
        self.named
            .extend(named.map(|query| query.alias.name.value.clone()));
        if let Some(order) = &query.order_by {
            self.rows("ORDER BY", self.at(order))?;
        }
        if let Some(limit) = &query.limit_clause {
            self.rows("LIMIT", self.at(limit))?;
        }
        if query.fetch.is_some() {
            self.rows("FETCH", None)?;
        }
        if !query.locks.is_empty()
            || query.for_clause.is_some()
            || query.settings.is_some()
            || query.format_clause.is_some()
            || !query.pipe_operators.is_empty()
        {
            return self.other("what follows the query", None);
        }
        match &*query.body {
            SetExpr::Select(_) | SetExpr::Query(_) => ControlFlow::Continue(()),
            SetExpr::SetOperation { op, .. } => self.rows(&op.to_string(), self.at(&*query.body)),
            _ => self.other("this", self.at(&*query.body)),
        }
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> Flow {
        if select.distinct.is_some() {
            self.rows("DISTINCT", None)?;
        }
        match &select.group_by {
            GroupByExpr::Expressions(by, more) if by.is_empty() && more.is_empty() => {}
            by => self.rows("GROUP BY", self.at(by))?,
        }
        for (what, expr) in [("HAVING", &select.having), ("QUALIFY", &select.qualify)] {
            if let Some(expr) = expr {
                self.rows(what, self.at(expr))?;
            }
        }
        if select.top.is_some() {
            self.rows("TOP", None)?;
        }
        if let Some(into) = &select.into {
            return self.other("INTO", self.at(into));
        }
        if !select.lateral_views.is_empty()
            || select.prewhere.is_some()
            || !select.connect_by.is_empty()
            || !select.cluster_by.is_empty()
            || !select.distribute_by.is_empty()
            || !select.sort_by.is_empty()
            || !select.named_window.is_empty()
            || select.value_table_mode.is_some()
            || select.select_modifiers.is_some()
        {
            return self.other("a part of this SELECT", None);
        }
        match select.from.as_slice() {
            [one] => match one.joins.first() {
                None => {}
                Some(join) => self.rows("JOIN", self.at(join))?,
            },
            [] => {
                return stop(helped("this query reads no rows", None, "add FROM rows"));
            }
            [_, second, ..] => self.rows("a second table", self.at(second))?,
        }
        for item in &select.projection {
            if let SelectItem::ExprWithAlias { alias, .. } = item {
                self.aliases.push(alias.value.clone());
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> Flow {
        match factor {
            TableFactor::Table {
                args: None,
                sample: None,
                version: None,
                with_ordinality: false,
                ..
            } => ControlFlow::Continue(()),
            TableFactor::Derived { lateral: false, .. } => ControlFlow::Continue(()),
            other => self.other("this table", self.at(other)),
        }
    }

    fn pre_visit_relation(&mut self, relation: &mut ObjectName) -> Flow {
        let at = self.at(relation);
        if let [ObjectNamePart::Identifier(name)] = relation.0.as_mut_slice() {
            if self.named.contains(&name.value) {
                return ControlFlow::Continue(());
            }
            if let Some(table) = self.table(name) {
                table.clone_into(&mut name.value);
                return ControlFlow::Continue(());
            }
        }
        let names: Vec<&str> = self.tables.iter().map(|table| table.name).collect();
        let help = match names.as_slice() {
            [_] => "the rows that reach this step are the table `rows`".to_owned(),
            names => format!("the tables here are: {}", list(names)),
        };
        stop(helped(
            format!("there is no table `{relation}` here"),
            at,
            help,
        ))
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> Flow {
        match expr {
            Expr::Identifier(name) => {
                self.spelled(name);
                ControlFlow::Continue(())
            }
            Expr::CompoundIdentifier(path) => {
                if let [table, name] = path.as_mut_slice() {
                    if let Some(named) = self.table(table) {
                        named.clone_into(&mut table.value);
                    }
                    self.spelled(name);
                }
                ControlFlow::Continue(())
            }
            Expr::Function(function) => self.call(function),
            Expr::Value(value) if matches!(value.value, Value::Placeholder(_)) => stop(helped(
                "a query has no parameters",
                self.at(value),
                "write the value itself",
            )),
            Expr::Subquery(_) | Expr::InSubquery { .. } | Expr::Exists { .. } => {
                self.rows("a query within an expression", self.at(expr))
            }
            _ => ControlFlow::Continue(()),
        }
    }
}

/// Columns that are computed need a name.
fn named(text: &str, body: &SetExpr) -> Result<(), QueryProblem> {
    let select = match body {
        SetExpr::Select(select) => select,
        SetExpr::Query(query) => return named(text, &query.body),
        _ => return Ok(()),
    };
    for item in &select.projection {
        if let SelectItem::UnnamedExpr(expr) = item
            && !matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_))
        {
            return Err(helped(
                "this column has no name",
                at(text, expr.span()),
                format!("give it one: {expr} AS name"),
            ));
        }
    }
    Ok(())
}

fn at(text: &str, span: Span) -> Option<Range<usize>> {
    let start = offset(text, span.start.line, span.start.column)?;
    let end = offset(text, span.end.line, span.end.column)?;
    (start < end).then_some(start..end)
}
