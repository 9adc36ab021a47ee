//! Sends the bytes that were parsed, patched, to the upstream of the model, under the gateway's own credential.
//!
//! Nothing is sent twice here: another upstream is asked only where no connection could be made. A request that may be asked once more,
//! because its reply must fit a schema, goes on with its reply.

use bytes::Bytes;
use http::{Method as HttpMethod, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use portcullis_core::Price;
use portcullis_dialect::{Api, Document, Method};
use portcullis_policy::Mode;

use super::authorize::{Confiding, Outgoing};
use super::parse::Asked;
use super::permit::may_ask_model;
use super::reserve::{Expected, Reserved};
use super::settle::Sending;
use crate::gateway::{ModelSize, Target};
use crate::record::Record;
use crate::upstream::SendError;
use crate::{Gateway, Refusal, headers, models};

/// A request that was answered: the head of the reply is here, its body is not read yet.
pub(crate) struct Forwarded {
    pub(super) asked: Asked,
    pub(super) confiding: Confiding,
    pub(super) price: Option<Price>,
    pub(super) upstream: String,
    pub(super) answer: Answer,
    pub(super) again: Option<Again>,
    pub(super) expected: Expected,
    /// Whether it is a model that answers.
    pub(super) answered: bool,
}

/// How often a request may be sent again because its reply does not fit what it is held to. Who observes changes nothing, and what is
/// stored would be stored twice.
pub(super) fn retries(asked: &Asked, confiding: &Confiding, is_stored: bool) -> u8 {
    let profile = &asked.guard.profile;
    let may = confiding.terms.is_some() && profile.mode == Mode::Enforce && !asked.call.stream && !is_stored;
    if may { profile.output.retries } else { 0 }
}

/// A request that may be sent once more.
pub(super) struct Again {
    request: Request<Full<Bytes>>,
    left: u8,
}

impl Again {
    /// The request, if its reply may be asked for again.
    fn of(
        asked: &Asked,
        outgoing: &Outgoing,
        confiding: &Confiding,
        request: &Request<Full<Bytes>>,
    ) -> Option<Again> {
        let left = retries(asked, confiding, outgoing.is_stored(asked));
        (left > 0).then(|| Again {
            request: request.clone(),
            left,
        })
    }

    /// Whether it may be sent once more.
    pub fn may(&self) -> bool {
        self.left > 0
    }

    /// Sends it once more.
    pub async fn send(&mut self, gw: &Gateway) -> Result<Response<Incoming>, Refusal> {
        self.left = self.left.saturating_sub(1);
        send(gw, self.request.clone())
            .await
            .map_err(|(refusal, _)| refusal)
    }
}

/// What came back.
pub(crate) enum Answer {
    /// An upstream's reply.
    Upstream(Box<Response<Incoming>>),
    /// A body that the gateway put together from several upstreams' replies.
    Own(Bytes),
}

/// One attempt: where, and under which name the model is known there.
pub(super) struct Way<'g> {
    target: &'g Target,
    pub model: Option<String>,
    renamed: bool,
    pub price: Option<Price>,
    pub size: ModelSize,
}

impl Way<'_> {
    /// Whether a stream of its may be asked to tell what it used.
    pub fn tells_usage(&self) -> bool {
        self.target.stream_usage
    }
}

pub(super) async fn forward(
    gw: &Gateway,
    request: Reserved<'_>,
    record: &mut Record,
) -> Result<Forwarded, Refusal> {
    let (asked, outgoing, confiding, ways, expected) = request.into_parts();
    if asked.exchange.lists_models() {
        let answer = Answer::Own(models::list(gw, &asked).await?);
        record.left("forward");
        return Ok(Forwarded {
            asked,
            confiding,
            price: None,
            upstream: String::new(),
            answer,
            again: None,
            expected,
            answered: false,
        });
    }
    let answered = outgoing.is_answered(&asked);
    let mut last = Refusal::UnknownModel;
    for way in ways {
        record.audit.upstream = Some(way.target.name.clone());
        let request = prepare(&asked, &outgoing, &way)?;
        let again = Again::of(&asked, &outgoing, &confiding, &request);
        let sending = Sending::begin(&asked.places, way.price, expected.input, answered);
        match send(gw, request).await {
            Ok(response) => {
                sending.end();
                record.left("forward");
                let (price, upstream) = (way.price, way.target.name.clone());
                return Ok(Forwarded {
                    asked,
                    confiding,
                    price,
                    upstream,
                    answer: Answer::Upstream(Box::new(response)),
                    again,
                    expected,
                    answered,
                });
            }
            Err((refusal, true)) => {
                sending.end();
                last = refusal;
            }
            Err((refusal, false)) => {
                sending.fail(record);
                return Err(refusal);
            }
        }
    }
    Err(last)
}

/// Where the request may go, in order.
pub(super) fn ways<'g>(
    gw: &'g Gateway,
    asked: &Asked,
    document: &Document,
    bound_to: Option<&str>,
) -> Result<Vec<Way<'g>>, Refusal> {
    let api = asked.exchange.api();
    let mut ways = Vec::new();
    match &asked.call.model {
        Some(model) => {
            let (route, _) = gw.route(model, api).ok_or(Refusal::UnknownModel)?;
            let names = std::iter::once(model).chain(&route.fallback);
            for name in names {
                let permitted = name == model || may_ask_model(gw, asked, Some(document), name);
                let Some((route, target)) = gw.route(name, api).filter(|_| permitted) else {
                    continue;
                };
                ways.push(Way {
                    target,
                    model: Some(route.renamed.clone().unwrap_or_else(|| name.clone())),
                    renamed: route.renamed.is_some() || name != model,
                    price: route.price,
                    size: route.size,
                });
            }
        }
        None => {
            let target = gw
                .targets(api)
                .find(|target| bound_to.is_none_or(|name| target.name == name));
            let target = target.ok_or(Refusal::UnknownModel)?;
            ways.push(Way {
                target,
                model: None,
                renamed: false,
                price: None,
                size: ModelSize::default(),
            });
        }
    }
    if let Some(name) = bound_to {
        ways.retain(|way| way.target.name == name);
    }
    if ways.is_empty() {
        Err(Refusal::ForbiddenState)
    } else {
        Ok(ways)
    }
}

/// The request for one upstream.
fn prepare(asked: &Asked, outgoing: &Outgoing, way: &Way<'_>) -> Result<Request<Full<Bytes>>, Refusal> {
    let exchange = asked.exchange;
    let renamed = way.model.as_deref().filter(|_| way.renamed);
    let body = if exchange.method() == Method::Post && !exchange.takes_no_body() {
        outgoing.bytes(asked, renamed)
    } else {
        Bytes::new()
    };
    let mut path = fill(exchange.path(), &asked.parameters, renamed);
    let mut query = asked.passed.query.clone();
    if asked.call.stream && exchange.api() == Api::Gemini && !query.contains("alt=sse") {
        // Without it Gemini streams one long JSON array, which cannot be inspected piece by piece.
        query = "alt=sse".to_owned();
    }
    if !query.is_empty() {
        path.push('?');
        path.push_str(&query);
    }
    let uri = way.target.uri(&path).ok_or(Refusal::UnknownEndpoint)?;
    let headers = headers::towards(
        exchange.api(),
        way.target.key.as_ref(),
        exchange.method(),
        asked.call.stream,
        &asked.passed.headers,
    )?;
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = match exchange.method() {
        Method::Get => HttpMethod::GET,
        Method::Post => HttpMethod::POST,
        Method::Delete => HttpMethod::DELETE,
    };
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    Ok(request)
}

/// Sends once. The flag says whether nothing was sent, so that another upstream may be tried.
async fn send(gw: &Gateway, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, (Refusal, bool)> {
    match tokio::time::timeout(gw.timeouts.first_byte, gw.services.client.send(request)).await {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(SendError::Connect)) => Err((Refusal::Upstream("no connection could be made"), true)),
        Ok(Err(SendError::Broken)) => Err((Refusal::Upstream("the exchange broke off"), false)),
        Err(_) => Err((Refusal::UpstreamTimeout, false)),
    }
}

/// The path with its parameters, the model under the upstream's name.
fn fill(template: &str, parameters: &[String], renamed: Option<&str>) -> String {
    let mut path = String::with_capacity(template.len() + 32);
    let mut rest = template;
    let mut values = parameters.iter();
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').unwrap_or(("", after));
        path.push_str(before);
        let value = values.next().map_or("", String::as_str);
        path.push_str(renamed.filter(|_| name == "model").unwrap_or(value));
        rest = after;
    }
    path.push_str(rest);
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_filled() {
        let one = ["gemini-2".to_owned()];
        assert_eq!(
            fill("/v1beta/models/{model}:go", &one, None),
            "/v1beta/models/gemini-2:go"
        );
        assert_eq!(
            fill("/v1beta/models/{model}:go", &one, Some("x")),
            "/v1beta/models/x:go"
        );
        assert_eq!(
            fill("/v1/responses/{id}", &["resp_1".to_owned()], Some("x")),
            "/v1/responses/resp_1"
        );
    }
}
