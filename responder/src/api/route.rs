//! Which operation a request is for, and what it brings.
//!
//! Every operation of the model is a [`Route`] in the file of its resource under `actions`; those that are not built are in
//! `actions::missing` and say so.

use axum::body::Bytes;
use axum::http::{Method, StatusCode};
use percent_encoding::percent_decode_str;

use super::error::ApiError;
use super::http::Api;
use super::xml::{Element, Xml};

/// What carries an operation out. It may block: the store is on disk.
pub type Action = fn(&Api, &Request) -> Result<Reply, ApiError>;

/// One operation.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// The verb.
    pub method: &'static str,
    /// The path under the version, a `*` for each parameter.
    pub path: &'static str,
    /// The operation's name in the model.
    pub operation: &'static str,
    /// What carries it out.
    pub action: Action,
}

/// Shorter to write in tables.
pub const fn route(
    method: &'static str,
    path: &'static str,
    operation: &'static str,
    action: Action,
) -> Route {
    Route { method, path, operation, action }
}

impl Route {
    /// The parameters of a path that is of this route.
    fn parameters(&self, segments: &[String]) -> Option<Vec<String>> {
        let mut parameters = Vec::new();
        let mut pattern = self.path.split('/');
        for segment in segments {
            match pattern.next()? {
                "*" if !segment.is_empty() => parameters.push(segment.clone()),
                literal if literal == segment => {}
                _ => return None,
            }
        }
        pattern.next().is_none().then_some(parameters)
    }
}

/// Finds the operation of a path under the version.
pub fn find(
    tables: &[&'static [Route]],
    method: &Method,
    path: &str,
) -> Result<(Route, Vec<String>), ApiError> {
    let segments = segments(path)?;
    let mut known_path = false;
    for route in tables.iter().flat_map(|table| table.iter()) {
        if let Some(parameters) = route.parameters(&segments) {
            if route.method == method.as_str() {
                return Ok((*route, parameters));
            }
            known_path = true;
        }
    }
    let status = if known_path { StatusCode::METHOD_NOT_ALLOWED } else { StatusCode::NOT_FOUND };
    let message = format!("Could not find operation for {method} /2013-04-01/{}", segments.join("/"));
    Err(ApiError::new("InvalidAction", message).with_status(status))
}

/// The decoded segments. Ids may come with their type, as `/hostedzone/Z1`, escaped in one segment or as it is.
fn segments(path: &str) -> Result<Vec<String>, ApiError> {
    let mut segments: Vec<String> = Vec::new();
    for raw in path.trim_matches('/').split('/') {
        let decoded = percent_decode_str(raw).decode_utf8();
        let decoded = decoded.map_err(|_| ApiError::invalid_input("The path is not UTF-8"))?;
        segments.push(bare_id(&decoded).to_owned());
    }
    if let Some(empty) = segments.iter().position(String::is_empty)
        && empty > 0
        && segments.get(empty + 1) == segments.get(empty - 1)
    {
        segments.drain(empty..empty + 2);
    }
    Ok(segments)
}

/// An id without the type that some clients put before it.
pub fn bare_id(id: &str) -> &str {
    let prefixes = ["/hostedzone/", "/change/", "/delegationset/"];
    let without = prefixes.iter().find_map(|prefix| id.strip_prefix(prefix));
    let without = without.or_else(|| prefixes.iter().find_map(|prefix| id.strip_prefix(&prefix[1..])));
    without.unwrap_or(id)
}

/// A request that has been authenticated.
#[derive(Debug)]
pub struct Request {
    /// The operation's name.
    pub operation: &'static str,
    /// Of the path, in order.
    pub parameters: Vec<String>,
    /// Decoded, in order.
    pub query: Vec<(String, String)>,
    /// As it came.
    pub body: Bytes,
}

impl Request {
    /// A parameter of the path.
    pub fn parameter(&self, at: usize) -> &str {
        self.parameters.get(at).map_or("", String::as_str)
    }

    /// A parameter of the query; one that is empty counts as absent.
    pub fn query(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// `maxitems`, at most `cap`, which is also the default.
    pub fn max_items(&self, cap: usize) -> Result<usize, ApiError> {
        let Some(text) = self.query("maxitems") else { return Ok(cap) };
        match text.parse::<usize>() {
            Ok(0) | Err(_) => Err(ApiError::invalid_input(format!(
                "Invalid parameter : maxitems must be a positive integer, not '{text}'"
            ))),
            Ok(wanted) => Ok(wanted.min(cap)),
        }
    }

    /// `maxresults` and the key that `nexttoken` stands for, of lists that are paged by an opaque token; a token that is none has
    /// the code that the operation has for it.
    pub fn token_page(&self, cap: usize, invalid_token: &'static str) -> Result<(usize, String), ApiError> {
        let max = match self.query("maxresults") {
            None => cap,
            Some(text) => match text.parse::<usize>() {
                Ok(0) | Err(_) => {
                    let what = "maxresults must be a positive integer, not";
                    return Err(ApiError::invalid_input(format!("Invalid parameter : {what} '{text}'")));
                }
                Ok(wanted) => wanted.min(cap),
            },
        };
        let Some(token) = self.query("nexttoken") else { return Ok((max, String::new())) };
        let key = hex::decode(token).ok().and_then(|octets| String::from_utf8(octets).ok());
        let key = key.ok_or_else(|| ApiError::new(invalid_token, "The pagination token is invalid"))?;
        Ok((max, key))
    }

    /// The root element of the body; an empty one for an empty body.
    pub fn xml(&self) -> Result<Element, ApiError> {
        let empty = || Element { name: format!("{}Request", self.operation), ..Element::default() };
        Ok(Element::parse(&self.body)?.unwrap_or_else(empty))
    }
}

/// What an operation answers.
#[derive(Debug)]
pub struct Reply {
    /// 200 or 201.
    pub status: StatusCode,
    /// Of what was made: the path under the version.
    pub location: Option<String>,
    /// What stands within the root element.
    pub content: Xml,
}

impl Reply {
    /// 200 with content.
    pub fn ok(write: impl FnOnce(&mut Xml)) -> Self {
        let mut content = Xml::default();
        write(&mut content);
        Self { status: StatusCode::OK, location: None, content }
    }

    /// 201 with content and the place of what was made.
    pub fn created(location: String, write: impl FnOnce(&mut Xml)) -> Self {
        Self { status: StatusCode::CREATED, location: Some(location), ..Self::ok(write) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_come_in_many_forms() {
        for path in [
            "hostedzone/Z1/rrset",
            "hostedzone/Z1/rrset/",
            "hostedzone/%2Fhostedzone%2FZ1/rrset",
            "hostedzone//hostedzone/Z1/rrset",
        ] {
            assert_eq!(segments(path).unwrap(), ["hostedzone", "Z1", "rrset"], "{path}");
        }
        assert_eq!(segments("change//change/C1").unwrap(), ["change", "C1"]);
        segments("change/%ff").unwrap_err();
    }
}
