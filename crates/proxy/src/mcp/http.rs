//! The way to a server of tools over HTTP: the same connections as to any upstream. What comes back is read under caps, and a redirect is
//! no answer: credentials go where the configuration says and nowhere else.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt, TryStreamExt};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use rmcp::model::{ClientJsonRpcMessage, ServerJsonRpcMessage};
use rmcp::transport::streamable_http_client::{
    StreamableHttpClient, StreamableHttpError, StreamableHttpPostResponse,
};
use sse_stream::{Sse, SseStream};
use thiserror::Error;

use crate::upstream::Client;

/// The largest message that a server may send.
const LARGEST: usize = 16 * 1024 * 1024;
const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const LAST_EVENT: HeaderName = HeaderName::from_static("last-event-id");
const STREAM_TYPE: &str = "text/event-stream";
const JSON_TYPE: &str = "application/json";

/// Why there is no answer. It is for the log: clients are told that the server failed.
#[derive(Debug, Error)]
pub(crate) enum Failed {
    /// The request cannot be written.
    #[error("the request cannot be written")]
    Request,
    /// No connection, or it broke.
    #[error("no answer")]
    Exchange,
    /// It took too long.
    #[error("no answer in time")]
    Slow,
    /// More than is read.
    #[error("the answer is larger than {LARGEST} bytes")]
    TooLarge,
}

/// Connections to one server.
#[derive(Clone)]
pub(crate) struct Http {
    client: Client,
    headers: HeaderMap,
    first_byte: Duration,
    idle: Duration,
}

type Answer<T> = Result<T, StreamableHttpError<Failed>>;

impl Http {
    /// `headers` go with every request: the server's credentials.
    pub fn new(client: Client, headers: HeaderMap, first_byte: Duration, idle: Duration) -> Http {
        Http {
            client,
            headers,
            first_byte,
            idle,
        }
    }

    async fn send(
        &self,
        (method, uri): (Method, &str),
        session: Option<Arc<str>>,
        own: HashMap<HeaderName, HeaderValue>,
        body: Option<Bytes>,
    ) -> Answer<Response<Incoming>> {
        let mut request = Request::builder().method(method).uri(uri);
        if body.is_some() {
            request = request.header(CONTENT_TYPE, JSON_TYPE);
        }
        request = request.header(ACCEPT, format!("{JSON_TYPE}, {STREAM_TYPE}"));
        if let Some(session) = session {
            request = request.header(SESSION, session.as_ref());
        }
        let mut request = request
            .body(Full::new(body.unwrap_or_default()))
            .map_err(|_| StreamableHttpError::Client(Failed::Request))?;
        let headers = request.headers_mut();
        headers.extend(own);
        headers.extend(
            self.headers
                .iter()
                .map(|(name, value)| (name.clone(), value.clone())),
        );
        let sent = tokio::time::timeout(self.first_byte, self.client.send(request)).await;
        match sent {
            Err(_) => Err(StreamableHttpError::Client(Failed::Slow)),
            Ok(Err(_)) => Err(StreamableHttpError::Client(Failed::Exchange)),
            Ok(Ok(response)) => Ok(response),
        }
    }

    /// A body in one piece.
    async fn whole(&self, mut body: Incoming) -> Answer<Vec<u8>> {
        let mut all = Vec::new();
        loop {
            let frame = tokio::time::timeout(self.idle, body.frame())
                .await
                .map_err(|_| StreamableHttpError::Client(Failed::Slow))?;
            match frame {
                None => return Ok(all),
                Some(Err(_)) => return Err(StreamableHttpError::Client(Failed::Exchange)),
                Some(Ok(frame)) => {
                    let data = frame.into_data().unwrap_or_default();
                    if all.len().saturating_add(data.len()) > LARGEST {
                        return Err(StreamableHttpError::Client(Failed::TooLarge));
                    }
                    all.extend_from_slice(&data);
                }
            }
        }
    }
}

/// Events, none of which is larger than what is read.
fn events(body: Incoming) -> BoxStream<'static, Result<Sse, sse_stream::Error>> {
    let pieces = body.into_data_stream().map_err(|_| Failed::Exchange);
    SseStream::from_bytes_stream(bounded(pieces)).boxed()
}

/// Ends a stream in which no event ends for too long.
fn bounded(
    pieces: impl Stream<Item = Result<Bytes, Failed>> + Send + 'static,
) -> impl Stream<Item = Result<Bytes, Failed>> + Send + 'static {
    let mut open = 0usize;
    let mut is_over = false;
    pieces.map(move |piece| {
        let piece = piece?;
        // A blank line ends an event; one that is cut by two pieces is found when the next one ends.
        open = match memchr_blank(&piece) {
            Some(end) => piece.len().saturating_sub(end),
            None => open.saturating_add(piece.len()),
        };
        is_over |= open > LARGEST;
        if is_over { Err(Failed::TooLarge) } else { Ok(piece) }
    })
}

fn memchr_blank(piece: &[u8]) -> Option<usize> {
    let find = |blank: &[u8]| {
        piece
            .windows(blank.len())
            .rposition(|window| window == blank)
            .map(|at| at.saturating_add(blank.len()))
    };
    find(b"\n\n").max(find(b"\r\n\r\n"))
}

fn is_type(response: &Response<Incoming>, wanted: &str) -> bool {
    let value = response.headers().get(CONTENT_TYPE);
    let kind = value.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case(wanted)
}

fn unexpected<T>(what: String) -> Answer<T> {
    Err(StreamableHttpError::UnexpectedServerResponse(what.into()))
}

impl StreamableHttpClient for Http {
    type Error = Failed;

    async fn post_message(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session: Option<Arc<str>>,
        _token: Option<String>,
        own: HashMap<HeaderName, HeaderValue>,
    ) -> Answer<StreamableHttpPostResponse> {
        let body = serde_json::to_vec(&message)?;
        let has_session = session.is_some();
        let response = self
            .send((Method::POST, &uri), session, own, Some(body.into()))
            .await?;
        let status = response.status();
        let awaits = matches!(message, ClientJsonRpcMessage::Request(_));
        let made = response.headers().get(SESSION);
        let made = made.and_then(|id| id.to_str().ok()).map(str::to_owned);
        if status == StatusCode::NOT_FOUND && has_session {
            return Err(StreamableHttpError::SessionExpired);
        }
        if status.is_success() && !awaits {
            return Ok(StreamableHttpPostResponse::Accepted);
        }
        if status.is_success() && is_type(&response, STREAM_TYPE) {
            return Ok(StreamableHttpPostResponse::Sse(
                events(response.into_body()),
                made,
            ));
        }
        if !is_type(&response, JSON_TYPE) {
            return unexpected(format!("HTTP {status}"));
        }
        let body = self.whole(response.into_body()).await?;
        match serde_json::from_slice::<ServerJsonRpcMessage>(&body) {
            Ok(answer) if status.is_success() => Ok(StreamableHttpPostResponse::Json(answer, made)),
            Ok(answer @ ServerJsonRpcMessage::Error(_)) => Ok(StreamableHttpPostResponse::Json(answer, made)),
            _ => unexpected(format!("HTTP {status}")),
        }
    }

    async fn delete_session(
        &self,
        uri: Arc<str>,
        session: Arc<str>,
        _token: Option<String>,
        own: HashMap<HeaderName, HeaderValue>,
    ) -> Answer<()> {
        let response = self
            .send((Method::DELETE, &uri), Some(session), own, None)
            .await?;
        match response.status() {
            // A server need not let sessions be closed.
            status if status.is_success() || status == StatusCode::METHOD_NOT_ALLOWED => Ok(()),
            status => unexpected(format!("HTTP {status}")),
        }
    }

    async fn get_stream(
        &self,
        uri: Arc<str>,
        session: Option<Arc<str>>,
        last: Option<String>,
        _token: Option<String>,
        mut own: HashMap<HeaderName, HeaderValue>,
    ) -> Answer<BoxStream<'static, Result<Sse, sse_stream::Error>>> {
        if let Some(last) = last.and_then(|last| HeaderValue::try_from(last).ok()) {
            own.insert(LAST_EVENT, last);
        }
        let response = self.send((Method::GET, &uri), session, own, None).await?;
        match response.status() {
            StatusCode::METHOD_NOT_ALLOWED => Err(StreamableHttpError::ServerDoesNotSupportSse),
            status if status.is_success() && is_type(&response, STREAM_TYPE) => {
                Ok(events(response.into_body()))
            }
            status => unexpected(format!("HTTP {status}")),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_event_without_an_end_ends_the_stream() {
        let endless =
            || futures_util::stream::iter((0..40).map(|_| Ok(Bytes::from(vec![b'x'; 1024 * 1024]))));
        let got: Vec<_> = bounded(endless()).collect().await;
        assert!(got.iter().take(16).all(Result::is_ok) && got.iter().skip(16).all(Result::is_err));
        let ends = endless().chain(futures_util::stream::iter([Ok(Bytes::from_static(b"\n\n"))]));
        let many = ends.map(|piece: Result<Bytes, Failed>| {
            piece.map(|piece| Bytes::from([piece.as_ref(), b"\r\n\r\n"].concat()))
        });
        assert!(bounded(many).all(|piece| async move { piece.is_ok() }).await);
    }
}
