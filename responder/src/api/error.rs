//! What a request is refused with: Route 53's codes, their HTTP status, and the envelope that clients parse.

use axum::http::StatusCode;
use pulse53_core::change::ChangeError;

use super::xml::{NAMESPACE, Xml};
use crate::store::StoreError;

/// An error in Route 53's terms.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ApiError {
    /// HTTP status.
    pub status: StatusCode,
    /// The model's shape name; clients match it.
    pub code: &'static str,
    /// For people, though some clients match words of it.
    pub message: String,
    /// What is wrong with single items, where the code has such.
    pub errors: Vec<ItemError>,
}

/// `ProtectionError`: what is wrong with one item of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemError {
    /// The record set's name.
    pub record_name: String,
    /// Its type.
    pub record_type: String,
    /// Why it is refused.
    pub code: &'static str,
    /// The same for people.
    pub message: String,
}

impl ApiError {
    /// A code that is told with status 400, as most are.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code, message: message.into(), errors: Vec::new() }
    }

    /// The same with another status.
    pub fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// The same with what is wrong with single items.
    pub fn with_errors(self, errors: Vec<ItemError>) -> Self {
        Self { errors, ..self }
    }

    /// `InvalidInput`
    pub fn invalid_input(message: impl Into<String>) -> Self {
        Self::new("InvalidInput", message)
    }

    /// Something that does not exist, 404.
    pub fn not_found(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(code, message).with_status(StatusCode::NOT_FOUND)
    }

    /// Something that exists already, 409.
    pub fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(code, message).with_status(StatusCode::CONFLICT)
    }

    /// `AccessDenied`, 403.
    pub fn access_denied(message: impl Into<String>) -> Self {
        Self::new("AccessDenied", message).with_status(StatusCode::FORBIDDEN)
    }

    /// `InternalFailure`, 500: what went wrong is in the log.
    pub fn internal() -> Self {
        let failed = Self::new("InternalFailure", "pulse53 failed; its log says why.");
        failed.with_status(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// `NoSuchHostedZone`
    pub fn no_such_zone(id: &str) -> Self {
        Self::not_found("NoSuchHostedZone", format!("No hosted zone found with ID: {id}"))
    }

    /// `NoSuchHealthCheck`
    pub fn no_such_check(id: &str) -> Self {
        Self::not_found("NoSuchHealthCheck", format!("No health check exists with the specified ID {id}"))
    }

    /// The reply's body.
    pub fn to_xml(&self, request_id: &str) -> String {
        let sender = if self.status.is_server_error() { "Receiver" } else { "Sender" };
        let mut xml = Xml::document();
        xml.root("ErrorResponse", NAMESPACE, |xml| {
            xml.element("Error", |xml| {
                xml.text("Type", sender);
                xml.text("Code", self.code);
                xml.text("Message", &self.message);
                if !self.errors.is_empty() {
                    xml.list("Errors", &self.errors, |xml, error| {
                        xml.element("ProtectionError", |xml| {
                            xml.text("RecordName", &error.record_name);
                            xml.text("RecordType", &error.record_type);
                            xml.text("Code", error.code);
                            xml.text("Message", &error.message);
                        });
                    });
                }
            });
            xml.text("RequestId", request_id);
        });
        xml.into_string()
    }
}

impl From<ChangeError> for ApiError {
    fn from(error: ChangeError) -> Self {
        let message = error.to_string();
        match error {
            ChangeError::InvalidInput(_) => Self::invalid_input(message),
            ChangeError::NoSuchHealthCheck(_) => Self::not_found("NoSuchHealthCheck", message),
            ChangeError::InvalidChangeBatch(_) => Self::new("InvalidChangeBatch", message),
        }
    }
}

/// The store's troubles are ours, not the client's; clients try again.
impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "a request failed");
        let message = "The store failed; the log of pulse53 says why.";
        Self::new("ServiceUnavailable", message).with_status(StatusCode::SERVICE_UNAVAILABLE)
    }
}
