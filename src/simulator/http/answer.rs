//! What a handler gives back: JSON, or a refusal in one of the shapes that `PagerDuty`'s errors really have.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header::CONTENT_TYPE},
    response::Response,
};
use serde_json::{Value, json};

use super::super::world::Objection;

/// A status and a body; `None` is an empty one.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Option<Value>,
}

impl Answer {
    pub(crate) fn new(status: StatusCode, body: Value) -> Self {
        Self { status, body: Some(body) }
    }

    pub(crate) fn ok(body: Value) -> Self {
        Self::new(StatusCode::OK, body)
    }

    pub(crate) fn created(body: Value) -> Self {
        Self::new(StatusCode::CREATED, body)
    }

    /// `{"error":{"message":…,"code":…}}`
    pub(crate) fn error(status: StatusCode, code: u16, message: &str) -> Self {
        Self::new(status, json!({"error": {"message": message, "code": code}}))
    }

    pub(crate) fn not_found() -> Self {
        Self::error(StatusCode::NOT_FOUND, 2100, "Not Found")
    }

    /// Code 2001 with the reasons.
    pub(crate) fn invalid(reason: impl Into<String>) -> Self {
        Objection::invalid(reason).into()
    }

    /// As `PagerDuty` answers without a usable key: no JSON, an empty page.
    pub(crate) fn unauthorized() -> Self {
        Self { status: StatusCode::UNAUTHORIZED, body: None }
    }

    pub(crate) fn into_response(self) -> Response {
        let is_json = self.body.is_some();
        let body = self.body.map_or_else(Body::empty, |b| Body::from(b.to_string()));
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        if is_json {
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
        } else if self.status != StatusCode::NO_CONTENT {
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        }
        response
    }
}

impl From<Objection> for Answer {
    fn from(objection: Objection) -> Self {
        let status = if objection == Objection::NotFound { StatusCode::NOT_FOUND } else { StatusCode::BAD_REQUEST };
        let mut error = json!({"message": objection.to_string(), "code": objection.code()});
        match objection {
            Objection::Invalid(errors) => error["errors"] = json!(errors),
            Objection::RequesterNotFound => error["errors"] = json!([]),
            _ => {}
        }
        Self::new(status, json!({"error": error}))
    }
}
