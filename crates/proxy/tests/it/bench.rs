//! One gateway, one upstream, one client, in a few lines.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use portcullis_core::{Action, AuditRecord, Glob, KeyId, RequestId, Secret};
use portcullis_dialect::Api;
use portcullis_inspect::Inspector;
use portcullis_policy::{Abuse, Profile};
use portcullis_proxy::{
    Client, Gateway, Identity, Kept, Metrics, ModelSize, Repeats, Route, Server, Services, Settings,
    Upstream, serve,
};
use portcullis_store::{AuditLog, Keyring, Meters, NewKey, SigningKey, Store, load_or_create_signing_key};
use tokio::net::TcpListener;

/// What the upstream answers with.
#[derive(Clone, Debug)]
pub enum Script {
    /// A whole body.
    Body(u16, &'static str, Bytes),
    /// Server-sent events in these pieces.
    Pieces(Vec<Bytes>),
    /// Server-sent events in these pieces, then the connection breaks.
    Broken(Vec<Bytes>),
    /// Nothing, ever.
    Silence,
    /// What it makes of the body that it is sent.
    Made(Maker),
}

/// Makes an answer of a request's body.
#[derive(Clone)]
pub struct Maker(pub Arc<dyn Fn(&str) -> Script + Send + Sync>);

impl std::fmt::Debug for Maker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Maker")
    }
}

impl Script {
    pub fn json(body: impl Into<Bytes>) -> Script {
        Script::Body(200, "application/json", body.into())
    }

    pub fn sse(body: impl Into<Bytes>) -> Script {
        Script::Pieces(vec![body.into()])
    }
}

/// What the upstream was sent.
#[derive(Clone, Debug)]
pub struct Received {
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

#[derive(Default)]
pub struct Upstreamed {
    pub scripts: Mutex<VecDeque<Script>>,
    pub received: Mutex<Vec<Received>>,
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// Whether the body ended as it should.
    pub whole: bool,
}

impl Answer {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn code(&self) -> String {
        let value: serde_json::Value = serde_json::from_slice(&self.body).unwrap();
        let error = &value["error"];
        let code = error["details"][0]["reason"]
            .as_str()
            .or_else(|| error["code"].as_str());
        code.unwrap_or_default().to_owned()
    }
}

type Http = HttpClient<HttpConnector, Full<Bytes>>;

pub struct Bench {
    pub upstream: Arc<Upstreamed>,
    pub store: Arc<dyn Store>,
    pub services: Arc<Services>,
    pub server: Arc<Server>,
    pub key: Secret<String>,
    pub key_id: KeyId,
    pub address: std::net::SocketAddr,
    upstream_address: std::net::SocketAddr,
    http: Http,
    _dir: tempfile::TempDir,
}

/// The key that upstreams expect.
pub const UPSTREAM_KEY: &str = "upstream-credential";

/// The key that what is kept of stored conversations is sealed with.
pub const KEPT_KEY: [u8; 32] = [7; 32];

pub struct Plan {
    pub profile: Profile,
    pub key: NewKey,
    pub settings: Settings,
    /// Whether streams are asked what they used. Most tests want what comes to go as it is.
    pub stream_usage: bool,
}

impl Default for Plan {
    fn default() -> Plan {
        Plan {
            profile: Profile::default(),
            key: NewKey::named("test"),
            settings: Settings::default(),
            stream_usage: false,
        }
    }
}

impl Bench {
    pub async fn new() -> Bench {
        Bench::with(Plan::default()).await
    }

    pub async fn with(mut plan: Plan) -> Bench {
        // Tests send the same request as often as a text has places to cut.
        if plan.profile.abuse == Abuse::default() {
            plan.profile.abuse.repeated = Action::Allow;
        }
        let upstream = Arc::new(Upstreamed::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream_address = listener.local_addr().unwrap();
        tokio::spawn(play(listener, Arc::clone(&upstream)));

        let dir = tempfile::tempdir().unwrap();
        let store = portcullis_store::open(&format!("sqlite:{}", dir.path().join("state.db").display()))
            .await
            .unwrap();
        let (record, key) = store.create_key(plan.key, 1).await.unwrap();
        let signing: SigningKey = load_or_create_signing_key(&dir.path().join("audit.key")).unwrap();
        let audit = AuditLog::open(Arc::clone(&store), signing, None).await.unwrap();
        let services = Arc::new(Services {
            keyring: Arc::new(Keyring::load(Arc::clone(&store)).await.unwrap()),
            meters: Arc::new(Meters::new()),
            audit: Arc::new(audit),
            store: Arc::clone(&store),
            client: Client::new(Duration::from_secs(5)),
            metrics: Arc::new(Metrics::new()),
            mask_key: [5; 16],
            kept: Kept::sealed_with(KEPT_KEY),
            turns: portcullis_proxy::Turns::default(),
            repeats: Repeats::default(),
            approvals: portcullis_store::ApprovalKey::new([9; 32]),
            identity: Identity::default(),
            mcp: portcullis_proxy::Mcp::default(),
        });
        let mut settings = plan.settings;
        settings.profiles.push(plan.profile);
        fill(&mut settings, upstream_address, plan.stream_usage);
        let server = Server::new(Gateway::new(settings, inspector(), Arc::clone(&services)).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(
            listener,
            Arc::clone(&server),
            std::future::pending(),
            Duration::from_secs(5),
        ));
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let http = HttpClient::builder(TokioExecutor::new()).build(connector);
        Bench {
            upstream,
            store,
            services,
            server,
            key,
            key_id: record.principal.key.clone(),
            address,
            upstream_address,
            http,
            _dir: dir,
        }
    }

    /// Goes on as another process would that has the same state: what was only remembered is gone.
    pub fn become_another(&self, mut settings: Settings, kept_key: [u8; 32]) {
        settings.profiles.push(Profile::default());
        let services = Services {
            keyring: Arc::clone(&self.services.keyring),
            meters: Arc::clone(&self.services.meters),
            audit: Arc::clone(&self.services.audit),
            store: Arc::clone(&self.services.store),
            client: Client::new(Duration::from_secs(5)),
            metrics: Arc::clone(&self.services.metrics),
            mask_key: [6; 16],
            kept: Kept::sealed_with(kept_key),
            turns: portcullis_proxy::Turns::default(),
            repeats: Repeats::default(),
            approvals: portcullis_store::ApprovalKey::new([9; 32]),
            identity: Identity::default(),
            mcp: portcullis_proxy::Mcp::default(),
        };
        self.server
            .swap(Gateway::new(settings, inspector(), Arc::new(services)).unwrap());
    }

    /// The settings of this bench's upstreams and routes, for another gateway beside the first.
    pub fn settings(&self) -> Settings {
        let mut settings = Settings::default();
        fill(&mut settings, self.upstream_address, false);
        settings
    }

    /// Tells the upstream its next answers.
    pub fn script(&self, script: Script) {
        self.upstream.scripts.lock().unwrap().push_back(script);
    }

    /// The body that was sent upstream last; it and those before it are forgotten.
    pub fn last_sent(&self) -> serde_json::Value {
        let all = std::mem::take(&mut *self.upstream.received.lock().unwrap());
        serde_json::from_slice(&all.last().unwrap().body).unwrap()
    }

    /// Sends a request and tells the first placeholder of that kind in what goes upstream for it.
    pub async fn placeholder(&self, path: &str, request: &str, kind: &str) -> String {
        self.script(Script::json("{}".to_owned()));
        self.post(path, request.to_owned()).await;
        let received = self.received();
        let sent = String::from_utf8_lossy(&received.last().unwrap().body).into_owned();
        let begin = sent
            .find(&format!("[{kind}_1_"))
            .unwrap_or_else(|| panic!("nothing is masked: {sent}"));
        let end = sent[begin..].find(']').unwrap();
        sent[begin..=begin + end].to_owned()
    }

    pub fn received(&self) -> Vec<Received> {
        self.upstream.received.lock().unwrap().clone()
    }

    pub fn request(&self, method: &str, path: &str) -> http::request::Builder {
        Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address))
            .header("authorization", format!("Bearer {}", self.key.expose()))
    }

    pub async fn send(&self, request: Request<Full<Bytes>>) -> Answer {
        let response = self.http.request(request).await.unwrap();
        let (head, mut body) = response.into_parts();
        let (mut bytes, mut whole) = (Vec::new(), true);
        while let Some(frame) = body.frame().await {
            match frame {
                Ok(frame) => bytes.extend_from_slice(&frame.into_data().unwrap_or_default()),
                Err(_) => {
                    whole = false;
                    break;
                }
            }
        }
        Answer {
            status: head.status,
            headers: head.headers,
            body: Bytes::from(bytes),
            whole,
        }
    }

    pub async fn begin(&self, request: Request<Full<Bytes>>) -> Response<Incoming> {
        self.http.request(request).await.unwrap()
    }

    pub async fn post(&self, path: &str, body: impl Into<Bytes>) -> Answer {
        let request = self
            .request("POST", path)
            .header("content-type", "application/json");
        self.send(request.body(Full::new(body.into())).unwrap()).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request("GET", path).body(Full::default()).unwrap())
            .await
    }

    /// The record of an answer, once it is on disk.
    pub async fn record(&self, answer: &Answer) -> AuditRecord {
        self.services.audit.flush().await.unwrap();
        let id = RequestId::from_text(answer.header("x-portcullis-request-id"));
        self.store
            .audit_record(&id)
            .await
            .unwrap()
            .expect("every request has a record")
            .record
    }
}

/// The rules take a moment to compile; every test of the process shares them, and what they remember, as requests do.
pub fn inspector() -> Arc<Inspector> {
    static ONCE: std::sync::OnceLock<Arc<Inspector>> = std::sync::OnceLock::new();
    Arc::clone(ONCE.get_or_init(|| Arc::new(Inspector::built_in().unwrap().with_cache([7; 16], 1 << 20))))
}

fn fill(settings: &mut Settings, upstream: std::net::SocketAddr, stream_usage: bool) {
    let route = |models: &str, api: Api| Route {
        matches: Glob::new(models),
        upstream: api.name().to_owned(),
        renamed: None,
        fallback: Vec::new(),
        price: None,
        size: ModelSize::default(),
    };
    let apis = [
        (Api::OpenAi, "/v1", "gpt-*"),
        (Api::Anthropic, "", "claude-*"),
        (Api::Gemini, "", "gemini-*"),
    ];
    for (api, base, models) in apis {
        settings.upstreams.push(Upstream {
            name: api.name().to_owned(),
            api,
            url: format!("http://{upstream}{base}"),
            key: Some(Secret::new(UPSTREAM_KEY.to_owned())),
            stream_usage,
        });
        settings.routes.push(route(models, api));
    }
    // What the recorded exchanges of Gemini call their model where the body names it.
    settings.routes.push(route("parameter", Api::Gemini));
    settings.routes.push(route("*", Api::OpenAi));
}

async fn play(listener: TcpListener, upstream: Arc<Upstreamed>) {
    loop {
        let (socket, _) = listener.accept().await.unwrap();
        socket.set_nodelay(true).unwrap();
        let upstream = Arc::clone(&upstream);
        tokio::spawn(async move {
            let service = service_fn(move |request| act(Arc::clone(&upstream), request));
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(socket), service)
                .await;
        });
    }
}

type Played = Response<BoxBody<Bytes, std::io::Error>>;

async fn act(upstream: Arc<Upstreamed>, request: Request<Incoming>) -> Result<Played, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let path = head.uri.path_and_query().unwrap().to_string();
    let said = String::from_utf8_lossy(&body).into_owned();
    upstream.received.lock().unwrap().push(Received {
        path,
        headers: head.headers,
        body,
    });
    let script = upstream.scripts.lock().unwrap().pop_front();
    let script = script.unwrap_or(Script::Body(500, "application/json", Bytes::from_static(b"{}")));
    let script = match script {
        Script::Made(maker) => (maker.0)(&said),
        script => script,
    };
    Ok(match script {
        Script::Made(_) => panic!("an answer is made once"),
        Script::Body(status, kind, body) => Response::builder()
            .status(status)
            .header("content-type", kind)
            .body(Full::new(body).map_err(|never| match never {}).boxed())
            .unwrap(),
        Script::Pieces(pieces) => events(pieces.into_iter().map(Ok).collect()),
        Script::Broken(pieces) => {
            let broken = std::io::Error::other("the test breaks the stream");
            events(pieces.into_iter().map(Ok).chain([Err(broken)]).collect())
        }
        Script::Silence => std::future::pending().await,
    })
}

fn events(pieces: Vec<Result<Bytes, std::io::Error>>) -> Played {
    // Each piece is given the time to leave by itself, so that cuts reach the gateway as they were made.
    let stream = futures_util::stream::unfold(pieces.into_iter(), |mut pieces| async move {
        let piece = pieces.next()?;
        tokio::task::yield_now().await;
        Some((piece.map(Frame::data), pieces))
    });
    Response::builder()
        .header("content-type", "text/event-stream")
        .body(BodyExt::boxed(StreamBody::new(stream)))
        .unwrap()
}
