//! From a configuration to a running gateway: opens the state, starts both listeners, keeps them until a signal.
//!
//! What lives as long as the process (state, keys, meters, audit log, connections) is made once; the rest is one
//! immutable `Gateway`, made anew and swapped on a reload.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use portcullis_admin::{Console, Token};
use portcullis_core::Secret;
use portcullis_inspect::{Inspector, Source};
use portcullis_proxy::{
    Client, Door, Gateway, Identity, Kept, Mcp, Metrics, Repeats, Server, Services, raise_alerts,
};
use portcullis_store::{
    ApprovalKey, AuditLog, Keyring, Meters, OutOfReach, SharedSettings, SigningKey, Store,
    load_or_create_signing_key, public_key_text, secret_for,
};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::clock::now_ms;
use crate::config::{Config, warnings};
use crate::models::{ModelError, Models};
use crate::operators::OperatorsOf;
use crate::tls::{Looked, Ready, TlsError, TlsFiles, Watched};

/// How long requests under way may take after the gateway was told to stop.
const GRACE: Duration = Duration::from_secs(30);

/// How often keys made by other processes are looked for, and usage is written down.
const HOUSEKEEPING: Duration = Duration::from_secs(1);

/// How often the files of TLS are looked at.
const LOOK: Duration = Duration::from_secs(2);

/// Every how many times budgets are looked at for alerts.
const ALERTS: u64 = 5;

/// Every how many times approvals that are over are swept: their arguments may be personal.
const APPROVALS: u64 = 60;

/// How much memory the verdicts on texts that were scanned before may take: room for some 70,000 texts.
const REMEMBERED: usize = 16 << 20;

/// Why a gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        error: std::io::Error,
    },
    /// The state cannot be used.
    #[error(transparent)]
    Store(#[from] portcullis_store::StoreError),
    /// The shared meters cannot be used.
    #[error(transparent)]
    Shared(#[from] portcullis_store::SharedError),
    /// The audit log cannot be written.
    #[error("audit log: {0}")]
    Audit(#[from] portcullis_store::AuditError),
    /// The signing key cannot be used.
    #[error("audit.signing_key: {0}")]
    SigningKey(#[from] portcullis_store::SigningKeyError),
    /// A detector is wrong.
    #[error("detectors: {0}")]
    Rules(#[from] portcullis_inspect::RuleError),
    /// A classifier cannot be used.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The settings make no gateway.
    #[error(transparent)]
    Settings(#[from] portcullis_proxy::SettingsError),
    /// The operating system gave no random bytes.
    #[error("no random bytes: {0}")]
    Random(#[from] getrandom::Error),
    /// TLS cannot be spoken.
    #[error("{listener}.{error}")]
    Tls {
        /// The section of the configuration.
        listener: &'static str,
        /// What is wrong.
        error: TlsError,
    },
    /// A runtime or a signal could not be set up.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Where no other is configured: the file beside the signing key that remembers where the audit log ended.
#[must_use]
pub fn head_file(signing_key: &Path) -> PathBuf {
    let mut name = signing_key.as_os_str().to_owned();
    name.push(".head");
    PathBuf::from(name)
}

/// What a running gateway cannot change. A reload that differs in it is told so.
#[derive(PartialEq)]
struct Fixed {
    listen: SocketAddr,
    admin: SocketAddr,
    encrypted: (bool, bool),
    state: String,
    /// Address of the shared meters, and what becomes of requests without them.
    shared: Option<(String, OutOfReach)>,
    signing_key: PathBuf,
    head_file: PathBuf,
    connect: Duration,
}

impl Fixed {
    fn of(config: &Config) -> Fixed {
        Fixed {
            listen: config.listen,
            admin: config.admin.listen,
            encrypted: (config.tls.is_some(), config.admin.tls.is_some()),
            state: config.state.clone(),
            shared: config
                .shared
                .as_ref()
                .map(|shared| (shared.url.clone(), shared.out_of_reach)),
            signing_key: config.signing_key.clone(),
            head_file: config.head_file.clone(),
            connect: config.settings.timeouts.connect,
        }
    }
}

/// TLS of both listeners, where they have it.
struct Encrypted {
    data: Option<Watched>,
    admin: Option<Watched>,
}

impl Encrypted {
    fn open(config: &Config) -> Result<Encrypted, StartError> {
        let open = |listener, files: &Option<TlsFiles>| {
            let opened = files.clone().map(Watched::open).transpose();
            opened.map_err(|error| StartError::Tls { listener, error })
        };
        Ok(Encrypted {
            data: open("tls", &config.tls)?,
            admin: open("admin.tls", &config.admin.tls)?,
        })
    }

    fn listeners(&self) -> impl Iterator<Item = (&'static str, &Watched)> {
        let data = self.data.iter().map(|watched| ("tls", watched));
        data.chain(self.admin.iter().map(|watched| ("admin.tls", watched)))
    }

    /// Reads the files of another configuration, for both listeners before either takes them. Turning TLS on and off takes a
    /// restart.
    fn ready(&self, config: &Config) -> Result<Vec<(&Watched, Ready)>, StartError> {
        let mut ready = Vec::new();
        for (listener, watched) in self.listeners() {
            let files = match listener {
                "tls" => &config.tls,
                _ => &config.admin.tls,
            };
            if let Some(files) = files {
                let files = Ready::new(files.clone()).map_err(|error| StartError::Tls { listener, error })?;
                ready.push((watched, files));
            }
        }
        Ok(ready)
    }

    /// Looks at the files every two seconds.
    async fn watch(self: Arc<Self>, stopped: watch::Receiver<bool>) {
        if self.listeners().next().is_none() {
            return;
        }
        let mut stop = std::pin::pin!(told(stopped));
        let mut tick = tokio::time::interval(LOOK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                () = &mut stop => return,
            }
            let own = Arc::clone(&self);
            let looked = tokio::task::spawn_blocking(move || {
                for (listener, watched) in own.listeners() {
                    match watched.look() {
                        Looked::Same => {}
                        Looked::Taken => {
                            tracing::info!("{listener}: the files have changed and are in force")
                        }
                        Looked::Wrong(error) => tracing::error!(
                            "{listener}: the files have changed and CANNOT be used, those before stay in force: {error}"
                        ),
                    }
                }
            });
            if let Err(error) = looked.await {
                tracing::error!(%error, "the files of TLS could not be looked at");
            }
        }
    }
}

/// The operators' listener.
struct Operators(Door);

impl portcullis_admin::Listener for Operators {
    type Io = portcullis_proxy::Stream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        let entered = self.0.accept().await;
        (entered.stream, entered.peer.address)
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// A gateway with both listeners open.
pub struct Running {
    /// Where clients reach it.
    pub address: SocketAddr,
    /// Where operators reach it.
    pub admin: SocketAddr,
    /// The operators' token, if this start made it: to be shown once.
    pub made_token: Option<Secret<String>>,
    fixed: Fixed,
    tls: Arc<Encrypted>,
    store: Arc<dyn Store>,
    services: Arc<Services>,
    /// Rules of the user's own in force, and the inspector of all rules.
    rules: Mutex<(Vec<Source>, Arc<Inspector>)>,
    models: Models,
    server: Arc<Server>,
    console: Arc<Console>,
    operators: Arc<OperatorsOf>,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Running {
    /// Opens everything and starts to serve.
    ///
    /// # Errors
    /// The first thing that is not as it must be; nothing serves then.
    pub async fn start(mut config: Config) -> Result<Running, StartError> {
        let fixed = Fixed::of(&config);
        for warning in warnings(&config) {
            tracing::warn!("{warning}");
        }
        let tls = Arc::new(Encrypted::open(&config)?);
        let data = listen(config.listen).await?;
        let operators = listen(config.admin.listen).await?;
        let signing = load_or_create_signing_key(&config.signing_key)?;
        tracing::info!(public_key = %public_key_text(&signing.verifying_key()), "audit records are signed");
        let store = portcullis_store::open(&config.state).await?;
        let (secrets, head) = (signing.clone(), Some(config.head_file.clone()));
        let audit = AuditLog::open(Arc::clone(&store), signing, head).await?;
        let services = Arc::new(Services {
            keyring: Arc::new(Keyring::load(Arc::clone(&store)).await?),
            meters: Arc::new(meters(config.shared, &store).await?),
            audit: Arc::new(audit),
            store: Arc::clone(&store),
            client: Client::new(config.settings.timeouts.connect),
            metrics: Arc::new(Metrics::new()),
            mask_key: mask_key(&secrets)?,
            kept: Kept::sealed_with(secret_for(&secrets, "stored conversations")?),
            turns: portcullis_proxy::Turns::default(),
            repeats: Repeats::default(),
            approvals: ApprovalKey::new(secret_for(&secrets, "approvals")?),
            identity: Identity::default(),
            mcp: Mcp::default(),
        });
        if config.settings.upstreams.is_empty() {
            tracing::warn!(
                "no upstream: set OPENAI_API_KEY, ANTHROPIC_API_KEY or GEMINI_API_KEY, or write upstreams into portcullis.yaml"
            );
        }
        if services.keyring.is_empty() {
            tracing::warn!("there is no API key yet: make one with `portcullis key create --name NAME`");
        }
        let (token, made_token) = match config.admin.token {
            Some(token) => (token, None),
            None => {
                let made = random_token()?;
                (made.clone(), Some(made))
            }
        };
        let inspector = inspector(&config.rules)?;
        let models = Models::default();
        config.settings.classifiers = models.named(&config.models)?;
        let gateway = Gateway::new(config.settings, Arc::clone(&inspector), Arc::clone(&services))?;
        gateway.prepare();
        let server = Server::new(gateway);
        let counted = Arc::clone(&server);
        let operators_of = Arc::new(OperatorsOf::new(Arc::clone(&server), config.admin.operators));
        let console = Console::new(
            Token::new(token),
            Arc::clone(&store),
            move || counted.metrics(),
            config.effective,
        )
        .with_approvals(ApprovalKey::new(secret_for(&secrets, "approvals")?));
        let console = Arc::new(console.with_operators(Arc::clone(&operators_of) as _));
        let (address, admin) = (data.local_addr()?, operators.local_addr()?);
        let door = |listener, watched: &Option<Watched>| {
            Door::new(listener, watched.as_ref().map(|watched| Arc::clone(&watched.tls)))
        };
        let (data, operators) = (door(data, &tls.data), door(operators, &tls.admin));
        let (stop, stopped) = watch::channel(false);
        let tasks = vec![
            tokio::spawn(portcullis_proxy::serve(
                data,
                Arc::clone(&server),
                told(stopped.clone()),
                GRACE,
            )),
            tokio::spawn(portcullis_admin::serve(
                Operators(operators),
                Arc::clone(&console),
                told(stopped.clone()),
            )),
            tokio::spawn(Arc::clone(&tls).watch(stopped.clone())),
            tokio::spawn(keep_keys(Arc::clone(&server), stopped.clone())),
            tokio::spawn(keep_house(Arc::clone(&services), Arc::clone(&server), stopped)),
        ];
        Ok(Running {
            address,
            admin,
            made_token,
            fixed,
            tls,
            store,
            services,
            rules: Mutex::new((config.rules, inspector)),
            models,
            server,
            console,
            operators: operators_of,
            stop,
            tasks,
        })
    }

    /// The address of the data plane.
    #[must_use]
    pub fn url(&self) -> String {
        address_of(self.address, self.tls.data.is_some())
    }

    /// The address of the operators' side.
    #[must_use]
    pub fn admin_url(&self) -> String {
        address_of(self.admin, self.tls.admin.is_some())
    }

    /// Puts another configuration in force, or keeps the present one and says why.
    ///
    /// # Errors
    /// The settings make no gateway.
    pub fn reload(&self, mut config: Config) -> Result<(), StartError> {
        let fixed = Fixed::of(&config);
        for warning in warnings(&config) {
            tracing::warn!("{warning}");
        }
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        // Where the rules stay, what is known of texts stays as well.
        let inspector = match rules.0 == config.rules {
            true => Arc::clone(&rules.1),
            false => inspector(&config.rules)?,
        };
        let mut settings = std::mem::take(&mut config.settings);
        settings.classifiers = self.models.named(&config.models)?;
        let gateway = Gateway::new(settings, Arc::clone(&inspector), Arc::clone(&self.services))?;
        gateway.prepare();
        // The last thing that can fail: what comes after it is in force as a whole.
        for (watched, ready) in self.tls.ready(&config)? {
            watched.take(ready);
        }
        *rules = (config.rules, inspector);
        if fixed != self.fixed {
            tracing::warn!(
                "listen, admin.listen, admin.token, whether there is tls, state, shared, shared_ca, out_of_reach, audit.signing_key, audit.head and timeouts.connect take a restart; they stay as they were"
            );
        }
        self.server.swap(gateway);
        self.operators.take(config.admin.operators);
        self.console.show(config.effective);
        Ok(())
    }

    /// The rules in force.
    #[must_use]
    pub fn inspector(&self) -> Arc<Inspector> {
        Arc::clone(&self.server.gateway().inspector)
    }

    /// Takes no new requests, lets those under way end, and writes everything down.
    pub async fn drain(self) {
        // Nobody listens any more only if every task has ended already.
        let _ = self.stop.send(true);
        for mut task in self.tasks {
            // The data plane keeps to the grace period itself; an operator's open connection must not hold up the end either.
            match tokio::time::timeout(GRACE.saturating_mul(2), &mut task).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::error!(%error, "a part of the gateway ended badly"),
                Err(_) => task.abort(),
            }
        }
        if let Err(error) = self.services.keyring.save_uses(true).await {
            tracing::error!(%error, "the last uses of API keys could not be written");
        }
        if let Err(error) = self.services.meters.close(self.store.as_ref()).await {
            tracing::error!(%error, "the last usage could not be written");
        }
        if let Err(error) = self.services.audit.flush().await {
            tracing::error!(%error, "the last audit records could not be written");
        }
    }
}

/// All rules, compiled, with an empty memory of texts under a key of its own.
fn inspector(own: &[Source]) -> Result<Arc<Inspector>, StartError> {
    let inspector = match Inspector::with(own) {
        Ok(inspector) => inspector,
        // INVARIANT: there is an error where there is no inspector; all were told when the configuration was read.
        Err(errors) => match errors.into_iter().next() {
            Some((_, error)) => return Err(error.into()),
            None => Inspector::built_in()?,
        },
    };
    Ok(Arc::new(inspector.with_cache(random_key()?, REMEMBERED)))
}

fn address_of(address: SocketAddr, encrypted: bool) -> String {
    let scheme = if encrypted { "https" } else { "http" };
    format!("{scheme}://{address}")
}

/// The meters of this process, or those that it shares with others.
async fn meters(shared: Option<SharedSettings>, store: &Arc<dyn Store>) -> Result<Meters, StartError> {
    Ok(match shared {
        None => Meters::load(store.as_ref(), now_ms()).await?,
        Some(settings) => Meters::shared(settings, Arc::clone(store))?,
    })
}

async fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address)
        .await
        .map_err(|error| StartError::Listen { address, error })
}

/// Ready when the gateway is told to stop, or when whoever could tell it is gone.
async fn told(mut stopped: watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stop| *stop).await;
}

/// Keys of identity providers, until the gateway is told to stop.
async fn keep_keys(server: Arc<Server>, stopped: watch::Receiver<bool>) {
    tokio::select! {
        () = server.keep_keys() => {}
        () = told(stopped) => {}
    }
}

/// What must happen now and then. A failure is told and tried again: keys known so far stay in force, usage is kept.
async fn keep_house(services: Arc<Services>, server: Arc<Server>, stopped: watch::Receiver<bool>) {
    let mut stop = std::pin::pin!(told(stopped));
    let mut tick = tokio::time::interval(HOUSEKEEPING);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut ticks = 0u64;
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = &mut stop => return,
        }
        match services.keyring.refresh().await {
            Ok(true) => tracing::info!("API keys have changed"),
            Ok(false) => {}
            Err(error) => {
                tracing::error!(%error, "API keys could not be read; those known so far stay in force")
            }
        }
        if let Err(error) = services.keyring.save_uses(false).await {
            tracing::error!(%error, "last uses of API keys could not be written; it is tried again");
        }
        if let Err(error) = services.meters.flush(services.store.as_ref()).await {
            tracing::error!(%error, "usage could not be written; it is tried again");
        }
        ticks = ticks.wrapping_add(1);
        if ticks.is_multiple_of(ALERTS)
            && let Err(error) = raise_alerts(&server.gateway(), now_ms()).await
        {
            tracing::error!(%error, "budgets could not be looked at for alerts; it is tried again");
        }
        if ticks.is_multiple_of(APPROVALS)
            && let Err(error) = services.store.sweep_approvals(now_ms()).await
        {
            tracing::error!(%error, "approvals that are over could not be swept; it is tried again");
        }
    }
}

/// What placeholders are made with, the same in all replicas: a conversation may go from one to another.
fn mask_key(signing: &SigningKey) -> Result<[u8; 16], StartError> {
    let secret = secret_for(signing, "placeholders")?;
    let mut key = [0; 16];
    for (byte, of_secret) in key.iter_mut().zip(secret) {
        *byte = of_secret;
    }
    Ok(key)
}

/// A key that nobody knows.
pub(crate) fn random_key() -> Result<[u8; 16], getrandom::Error> {
    let mut key = [0; 16];
    getrandom::fill(&mut key)?;
    Ok(key)
}

/// 32 random bytes, fit for a header, a cookie and a link.
fn random_token() -> Result<Secret<String>, StartError> {
    use base64::Engine as _;
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(Secret::new(
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes),
    ))
}
