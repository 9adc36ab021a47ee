//! `GET /v1/models`: what this key may name, from the upstreams' own lists and from the configured names.

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use portcullis_dialect::{Document, Method, quoted};

use crate::gateway::Target;
use crate::pipeline::{Asked, may_ask_model};
use crate::{Gateway, Refusal, body, headers};

/// A list of models is small; a larger one is not read.
const CAP: usize = 4 * 1024 * 1024;

/// The list in the dialect's own shape. An upstream that does not answer leaves its models out; if none answers and no model
/// is configured by its full name, that is an error and not an empty list.
pub(crate) async fn list(gw: &Gateway, asked: &Asked) -> Result<Bytes, Refusal> {
    let api = asked.exchange.api();
    let permitted = |name: &str| may_ask_model(gw, asked, None, name);
    let mut entries: Vec<(String, String)> = Vec::new();
    let mut failed = None;
    for target in gw.targets(api) {
        match fetch(gw, asked, target).await {
            Ok(document) => {
                for (name, entry) in asked.exchange.models_in(&document) {
                    let routed = gw
                        .route(&name, api)
                        .is_some_and(|(route, to)| to.name == target.name && route.renamed.is_none());
                    if routed && permitted(&name) && !entries.iter().any(|(known, _)| *known == name) {
                        entries.push((name, entry));
                    }
                }
            }
            Err(refusal) => failed = Some(refusal),
        }
    }
    for route in &gw.routes {
        let name = route.matches.as_str();
        let known = name.contains('*') || entries.iter().any(|(known, _)| known == name);
        if !known && permitted(name) && gw.route(name, api).is_some() {
            entries.push((name.to_owned(), asked.exchange.model_entry(&quoted(name))));
        }
    }
    match failed {
        Some(refusal) if entries.is_empty() => Err(refusal),
        _ => Ok(Bytes::from(asked.exchange.model_list(&entries))),
    }
}

async fn fetch(gw: &Gateway, asked: &Asked, target: &Target) -> Result<Document, Refusal> {
    let failed = Refusal::Upstream("the list of models could not be read");
    let path = match asked.passed.query.as_str() {
        "" => asked.exchange.path().to_owned(),
        query => format!("{}?{query}", asked.exchange.path()),
    };
    let uri = target.uri(&path).ok_or(Refusal::UnknownEndpoint)?;
    let mut request = Request::new(Full::new(Bytes::new()));
    *request.uri_mut() = uri;
    *request.headers_mut() = headers::towards(
        target.api,
        target.key.as_ref(),
        Method::Get,
        false,
        &asked.passed.headers,
    )?;
    let response = tokio::time::timeout(gw.timeouts.first_byte, gw.services.client.send(request))
        .await
        .map_err(|_| Refusal::UpstreamTimeout)?
        .map_err(|_| Refusal::Upstream("no connection could be made"))?;
    if !response.status().is_success() {
        return Err(failed);
    }
    let (head, incoming) = response.into_parts();
    let bytes = body::read(&head.headers, incoming, CAP, gw.timeouts.idle)
        .await
        .map_err(|_| Refusal::Unreadable)?;
    Document::read(bytes).map_err(|_| Refusal::Unreadable)
}
