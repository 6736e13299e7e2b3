//! `GET /DATASET`: a page of rows, recorded before it is sent, and `GET /datasets`: the list of
//! datasets.

use std::sync::Arc;

use glovebox_audit::{Action, Event, Outcome};
use glovebox_datasets::cursor::{self, Bound};
use glovebox_datasets::format::{self, Format};
use glovebox_datasets::{Page, PageError};
use poem::http::{StatusCode, header};
use poem::{Endpoint, Request, Response, Result};
use serde_json::json;

use crate::caller::Caller;
use crate::datasets::etag::{self, Shown};
use crate::datasets::{accept, query};
use crate::problem::Problem;
use crate::state::Api;

/// `GET /datasets`.
pub(crate) struct List(pub(crate) Arc<Api>);

impl Endpoint for List {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let caller = request.data::<Caller>().ok_or_else(Problem::internal)?;
        let roles = &caller.principal()?.user.roles;
        let mut list = Vec::new();
        for dataset in &self.0.datasets {
            let Some(view) = dataset.view(roles) else {
                continue;
            };
            let table = &dataset.config.table;
            let columns = view.columns.iter().filter_map(|c| table.columns.get(*c));
            let columns: Vec<_> = columns
                .map(|c| json!({ "name": c.name, "type": c.data_type.to_string() }))
                .collect();
            list.push(json!({
                "name": dataset.config.name,
                "path": dataset.path,
                "about": dataset.config.about,
                "columns": columns,
                "rows_at_most": view.rows_at_most,
            }));
        }
        Ok(Response::builder()
            .content_type("application/json")
            .body(json!(list).to_string()))
    }
}

/// `GET /DATASET`.
pub(crate) struct Rows {
    pub(crate) api: Arc<Api>,
    pub(crate) place: usize,
}

impl Endpoint for Rows {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        Ok(self.rows(&request).await?)
    }
}

impl Rows {
    async fn rows(&self, request: &Request) -> Result<Response, Problem> {
        let api = &self.api;
        let dataset = api.datasets.get(self.place).ok_or_else(Problem::internal)?;
        let caller = request.data::<Caller>().ok_or_else(Problem::internal)?;
        let user = &caller.principal()?.user;
        let Some(view) = dataset.view(&user.roles) else {
            // As if it were not there, which the gate records in the same way.
            return Err(Problem::not_found());
        };
        let format = accepted(request)?;
        let parameters: Vec<(String, String)> = request
            .params()
            .map_err(|_| Problem::bad_query().detail("the query string is not valid."))?;
        let table = &dataset.config.table;
        let mut asked = query::read(&parameters, table, &view)?;
        if let Some(given) = &asked.cursor {
            let keys = api.tokens.cursor_keys();
            let bound = Bound {
                user: &user.id,
                dataset: &dataset.config.name,
                query: &asked.query,
            };
            let after = cursor::open(keys, bound, table, given);
            asked.query.after = Some(after.ok_or_else(Problem::bad_cursor)?);
        }
        let query = asked.query;
        let bound = Bound {
            user: &user.id,
            dataset: &dataset.config.name,
            query: &query,
        };
        let page = dataset.reader.page(table, &query).await.map_err(told)?;
        let next = self.next(bound, &page)?;
        let columns: Vec<_> = query
            .columns
            .iter()
            .filter_map(|c| table.columns.get(*c))
            .collect();
        let rows = page.rows.num_rows() as u64;
        let body = format::write(format, &columns, page.rows).map_err(|error| {
            tracing::error!(%error, dataset = dataset.config.name, "rows not written");
            Problem::internal()
        })?;
        let shown = Shown {
            bound,
            view: &view,
            format: format.media_type(),
        };
        let key = api.tokens.etag_key().ok_or_else(Problem::internal)?;
        let etag = etag::of(key, shown, &body);
        let same = is_known(request, &etag);
        // That rows are what they were is as much as reading them.
        let event = Event::new(Action::DataRead, Outcome::Success)
            .dataset(&dataset.config.name)
            .rows(rows)
            .reason(same.then_some("not-modified"))
            .columns(columns.iter().map(|c| c.name.as_str()));
        api.record(caller, event).await?;
        api.metrics
            .rows(&dataset.config.name, if same { 0 } else { rows });
        let mut response = Response::builder()
            .header(header::ETAG, &etag)
            .header(header::CACHE_CONTROL, "private, no-cache")
            .header(header::VARY, "Accept, Authorization");
        if let Some(next) = next {
            response = response
                .header("x-next-cursor", &next)
                .header(header::LINK, link(&dataset.path, &parameters, &next));
        }
        if same {
            return Ok(response.status(StatusCode::NOT_MODIFIED).finish());
        }
        Ok(response.content_type(format.content_type()).body(body))
    }

    /// The cursor of the page behind this one, if there is one.
    fn next(&self, bound: Bound<'_>, page: &Page) -> Result<Option<String>, Problem> {
        let Some(place) = &page.last else {
            return Ok(None);
        };
        let key = self.api.tokens.cursor_keys().next();
        let next = key.and_then(|key| cursor::seal(key, bound, place));
        let too_long = "The key of the last row is too long to page by.";
        next.map(Some)
            .ok_or_else(|| Problem::internal().detail(too_long))
    }
}

/// The first format that the caller accepts and that there is.
fn accepted(request: &Request) -> Result<Format, Problem> {
    let accept = request.headers().get_all(header::ACCEPT).iter();
    let accept: Vec<&str> = accept.filter_map(|a| a.to_str().ok()).collect();
    accept::accepted(&accept.join(",")).ok_or_else(|| {
        let types: Vec<_> = Format::ALL.iter().map(|f| f.media_type()).collect();
        Problem::not_acceptable().detail(format!("There is: {}.", types.join(", ")))
    })
}

/// Whether the caller has these rows.
fn is_known(request: &Request, etag: &str) -> bool {
    let known = request.headers().get_all(header::IF_NONE_MATCH).iter();
    let mut known = known.filter_map(|v| v.to_str().ok());
    known.any(|v| etag::matches(v, etag))
}

/// What is told of a page that could not be read; the log has the rest.
fn told(error: PageError) -> Problem {
    match error {
        PageError::Query(sentence) => Problem::bad_query().detail(sentence),
        PageError::Slow { .. } => Problem::too_slow(),
        PageError::Unreadable { .. } => {
            tracing::error!(%error, "a dataset cannot be read");
            Problem::unavailable().retry_after(5)
        }
        PageError::Misfit { .. } => {
            tracing::error!(%error, "a dataset is not as declared");
            Problem::internal()
        }
    }
}

/// The same query behind the cursor (RFC 8288).
fn link(path: &str, parameters: &[(String, String)], cursor: &str) -> String {
    let mut query = String::new();
    for (name, value) in parameters.iter().filter(|(n, _)| n != "cursor") {
        query.push_str(&escape(name));
        query.push('=');
        query.push_str(&escape(value));
        query.push('&');
    }
    format!("<{path}?{query}cursor={cursor}>; rel=\"next\"")
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~,".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use poem::http::HeaderValue;

    use super::*;

    #[test]
    fn the_next_page_is_the_same_query_behind_the_cursor() {
        let parameters = [("price[gte]", "1"), ("product", "a b&c"), ("cursor", "old")]
            .map(|(a, b)| (a.to_owned(), b.to_owned()));
        let link = link("/sales", &parameters, "new");
        assert_eq!(
            link,
            "</sales?price%5Bgte%5D=1&product=a%20b%26c&cursor=new>; rel=\"next\""
        );
        assert!(HeaderValue::from_str(&link).is_ok());
    }
}
