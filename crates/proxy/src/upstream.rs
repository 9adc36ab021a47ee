//! The client towards upstreams: pooled HTTP/1.1 and HTTP/2 over rustls. It sends what it is given and interprets nothing.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

/// Connections to upstreams, shared by all requests.
#[derive(Clone)]
pub struct Client(Pool<HttpsConnector<HttpConnector>, Full<Bytes>>);

/// Why there is no reply.
#[derive(Debug)]
pub(crate) enum SendError {
    /// No connection: nothing was sent, so another upstream may be asked.
    Connect,
    /// The exchange broke; the upstream may have acted on the request.
    Broken,
}

impl Client {
    /// A client that trusts the system's certificate authorities, and Mozilla's where the system has none.
    #[must_use]
    pub fn new(connect: Duration) -> Client {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(connect));
        http.set_keepalive(Some(Duration::from_secs(60)));
        let https = match HttpsConnectorBuilder::new().with_native_roots() {
            Ok(builder) => builder,
            Err(_) => HttpsConnectorBuilder::new().with_webpki_roots(),
        };
        let connector = https
            .https_or_http()
            .enable_http1()
            .enable_http2()
            .wrap_connector(http);
        let pool = Pool::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(60))
            .pool_max_idle_per_host(512)
            // Only requests of which nothing was written are tried again.
            .retry_canceled_requests(true)
            .build(connector);
        Client(pool)
    }

    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, SendError> {
        self.0.request(request).await.map_err(|error| {
            tracing::debug!(%error, "upstream exchange failed");
            if error.is_connect() {
                SendError::Connect
            } else {
                SendError::Broken
            }
        })
    }
}
