//! TLS and client certificates, spoken by a real client with the real program. Every certificate is made here.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, IsCa, Issuer, KeyIdMethod,
    KeyPair, KeyUsagePurpose, RevokedCertParams, SanType, SerialNumber, date_time_ymd,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::serve::{Service, TOKEN};

/// What whoever is let in is told: a list of models, which is empty behind the gateway of these tests.
const LET_IN: u16 = 200;

/// An authority of the tests.
pub struct Authority {
    pub pem: String,
    der: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, in PEM.
pub struct Pair {
    pub cert: String,
    pub key: String,
}

impl Authority {
    pub fn new(name: &str) -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Authority {
            pem: certificate.pem(),
            der: certificate.der().clone(),
            issuer: Issuer::new(params, key),
        }
    }

    fn issue(&self, params: CertificateParams) -> Pair {
        let key = KeyPair::generate().unwrap();
        Pair {
            cert: params.signed_by(&key, &self.issuer).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }

    pub fn server(&self) -> Pair {
        self.issue(CertificateParams::new(vec!["localhost".to_owned()]).unwrap())
    }

    fn client(&self, names: Vec<SanType>, serial: u64, until: i32) -> Pair {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.subject_alt_names = names;
        params.distinguished_name.push(DnType::CommonName, "batch");
        params.serial_number = Some(SerialNumber::from(serial));
        params.not_after = date_time_ymd(until, 1, 1);
        self.issue(params)
    }

    fn revoke(&self, serials: &[u64], until: i32) -> String {
        let revoked = serials.iter().map(|serial| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2024, 1, 1),
            reason_code: None,
            invalidity_date: None,
        });
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2024, 1, 1),
            next_update: date_time_ymd(until, 1, 1),
            crl_number: SerialNumber::from(1u64),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.issuer).unwrap().pem().unwrap()
    }
}

fn uri(name: &str) -> SanType {
    SanType::URI(name.try_into().unwrap())
}

/// What a client trusts and shows.
fn client(authority: &Authority, shown: Option<&Pair>, protocols: &[&str]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.der.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match shown {
        None => builder.with_no_client_auth(),
        Some(pair) => {
            let chain = CertificateDer::pem_slice_iter(pair.cert.as_bytes())
                .map(Result::unwrap)
                .collect();
            let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap();
            builder.with_client_auth_cert(chain, key).unwrap()
        }
    };
    config.alpn_protocols = protocols.iter().map(|each| each.as_bytes().to_vec()).collect();
    Arc::new(config)
}

/// A connection that stays open.
struct Connection(BufReader<StreamOwned<ClientConnection, TcpStream>>);

impl Connection {
    fn open(config: &Arc<ClientConfig>, address: &str) -> std::io::Result<Connection> {
        let name = ServerName::try_from("localhost").unwrap();
        let mut tls = ClientConnection::new(Arc::clone(config), name).unwrap();
        let mut socket = TcpStream::connect(address)?;
        tls.complete_io(&mut socket)?;
        Ok(Connection(BufReader::new(StreamOwned::new(tls, socket))))
    }

    fn tls(&self) -> &ClientConnection {
        &self.0.get_ref().conn
    }

    /// Status and body. A server that refuses a certificate says so after the client's last word of the handshake, so only
    /// here.
    fn get(&mut self, path: &str, headers: &str) -> std::io::Result<(u16, String)> {
        write!(
            self.0.get_mut(),
            "GET {path} HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n"
        )?;
        let (mut line, mut status, mut length) = (String::new(), 0, 0);
        loop {
            line.clear();
            if self.0.read_line(&mut line)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            let line = line.trim_end().to_ascii_lowercase();
            if status == 0 {
                status = line.split(' ').nth(1).unwrap().parse().unwrap();
            } else if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.parse().unwrap();
            } else if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body)?;
        Ok((status, String::from_utf8(body).unwrap()))
    }
}

/// The status of one request on a connection of its own; `None` where there is no connection to be had.
fn status(config: &Arc<ClientConfig>, address: &str, headers: &str) -> Option<u16> {
    let mut connection = Connection::open(config, address).ok()?;
    connection.get("/v1/models", headers).ok().map(|answer| answer.0)
}

fn put(folder: &Path, name: &str, text: &str) {
    fs::write(folder.join(name), text).unwrap();
}

/// Lays down a server's pair and the authority of clients.
fn folder(authority: &Authority) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let server = authority.server();
    put(folder.path(), "server.pem", &server.cert);
    put(folder.path(), "server.key", &server.key);
    put(folder.path(), "clients.pem", &authority.pem);
    folder
}

/// The files that `config/identity.yaml` names.
pub fn lay_down_examples(folder: &Path) {
    let authority = Authority::new("ours");
    for name in ["server", "admin"] {
        let pair = authority.server();
        put(folder, &format!("{name}.pem"), &pair.cert);
        put(folder, &format!("{name}.key"), &pair.key);
    }
    put(folder, "clients.pem", &authority.pem);
    put(folder, "operators.pem", &authority.pem);
    put(folder, "revoked.pem", &authority.revoke(&[], 2100));
}

const LISTENERS: &str = "listen: 127.0.0.1:0\n\
    admin: { listen: 127.0.0.1:0, token: env:ADMIN_TOKEN, tls: { cert: file:server.pem, key: file:server.key } }\n";

const RULES: &str = "profiles: { agents: {} }\n\
    identity:\n  certificates:\n\
    \x20   - { match: \"uri:spiffe://example.org/agents/*\", team: agents, profile: agents }\n\
    \x20   - { match: \"dns:*.Jobs.example.org\", team: jobs }\n\
    \x20   - { match: \"email:*@example.org\" }\n";

fn key(service: &Service) -> String {
    let made = Command::new(env!("CARGO_BIN_EXE_portcullis"))
        .args(["key", "create", "--name", "somebody"])
        .current_dir(service.folder.path())
        .env_clear()
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    String::from_utf8(made.stdout).unwrap().trim().to_owned()
}

/// Id, team and profile of who made requests, once so many were let in.
fn principals(service: &Service, authority: &Authority, so_many: usize) -> Vec<(String, String, String)> {
    let begun = std::time::Instant::now();
    loop {
        let known = recorded(service, authority);
        if known.len() >= so_many {
            return known;
        }
        assert!(begun.elapsed().as_secs() < 30, "never recorded: {known:?}");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

fn recorded(service: &Service, authority: &Authority) -> Vec<(String, String, String)> {
    let mut admin = Connection::open(&client(authority, None, &[]), &service.admin).unwrap();
    let (status, body) = admin
        .get("/api/v1/events", &format!("authorization: Bearer {TOKEN}\r\n"))
        .unwrap();
    assert_eq!(status, 200, "{body}");
    let told: serde_json::Value = serde_json::from_str(&body).unwrap();
    let events = told["events"].as_array().or_else(|| told.as_array()).unwrap();
    let text =
        |event: &serde_json::Value, name: &str| event["record"][name].as_str().unwrap_or_default().to_owned();
    events
        .iter()
        .map(|event| (text(event, "key"), text(event, "team"), text(event, "profile")))
        .filter(|(key, ..)| !key.is_empty())
        .collect()
}

#[test]
fn a_client_is_who_its_certificate_says_or_nobody() {
    let (ours, others) = (Authority::new("ours"), Authority::new("others"));
    let folder = folder(&ours);
    put(folder.path(), "revoked.pem", &ours.revoke(&[66], 2100));
    let listening = "tls: { cert: file:server.pem, key: file:server.key, client_ca: file:clients.pem, \
                     client_auth: request, crl: file:revoked.pem }\n";
    let mut service = Service::with(folder, &format!("{LISTENERS}{listening}{RULES}"));

    let agent = || vec![uri("spiffe://example.org/agents/crm")];
    let cases = [
        ("an agent", ours.client(agent(), 1, 2100), Some(LET_IN)),
        (
            "a job, in other letters",
            ours.client(
                vec![SanType::DnsName("Nightly.jobs.EXAMPLE.org".try_into().unwrap())],
                2,
                2100,
            ),
            Some(LET_IN),
        ),
        (
            "a person",
            ours.client(
                vec![SanType::Rfc822Name("anna@example.org".try_into().unwrap())],
                3,
                2100,
            ),
            Some(LET_IN),
        ),
        (
            "no rule",
            ours.client(vec![uri("spiffe://example.org/people/anna")], 4, 2100),
            Some(401),
        ),
        (
            "a name in the place of another kind",
            ours.client(vec![uri("x@example.org")], 5, 2100),
            Some(401),
        ),
        ("no name", ours.client(Vec::new(), 6, 2100), Some(401)),
        ("another authority", others.client(agent(), 7, 2100), None),
        ("expired", ours.client(agent(), 8, 2020), None),
        ("revoked", ours.client(agent(), 66, 2100), None),
    ];
    for (name, pair, expected) in &cases {
        assert_eq!(
            status(&client(&ours, Some(pair), &[]), &service.data, ""),
            *expected,
            "{name}"
        );
    }
    assert_eq!(
        status(&client(&ours, None, &[]), &service.data, ""),
        Some(401),
        "no certificate"
    );
    assert_eq!(
        status(&client(&others, None, &[]), &service.data, ""),
        None,
        "the client trusts another"
    );

    // A key is worth as much without a certificate, and a wrong one is not made up for by a certificate.
    let key = format!("authorization: Bearer {}\r\n", key(&service));
    service.until("API keys have changed");
    assert_eq!(
        status(&client(&ours, None, &[]), &service.data, &key),
        Some(LET_IN)
    );
    let wrong = "x-api-key: pc_nothing\r\n";
    assert_eq!(
        status(&client(&ours, Some(&cases[0].1), &[]), &service.data, wrong),
        Some(401)
    );

    let known = principals(&service, &ours, 4);
    let with_team = |team: &str| known.iter().find(|(_, other, _)| other == team).unwrap().clone();
    let agents = with_team("agents");
    assert!(agents.0.starts_with("crt_") && agents.0.len() == 36, "{agents:?}");
    assert_eq!(agents.2, "agents");
    assert_ne!(with_team("jobs").0, agents.0);
    // The same name in another certificate is the same principal.
    let again = ours.client(agent(), 9, 2100);
    assert_eq!(
        status(&client(&ours, Some(&again), &[]), &service.data, ""),
        Some(LET_IN)
    );
    let known = principals(&service, &ours, 5);
    assert_eq!(
        known.iter().filter(|(key, ..)| *key == agents.0).count(),
        2,
        "{known:?}"
    );
}

#[test]
fn files_that_change_are_taken_without_a_restart() {
    let ours = Authority::new("ours");
    let folder = folder(&ours);
    put(folder.path(), "revoked.pem", &ours.revoke(&[], 2100));
    let listening = "tls: { cert: file:server.pem, key: file:server.key, client_ca: file:clients.pem, \
                     client_auth: request, crl: file:revoked.pem }\n";
    let mut service = Service::with(folder, &format!("{LISTENERS}{listening}{RULES}"));
    let agent = ours.client(vec![uri("spiffe://example.org/agents/crm")], 1, 2100);
    let config = client(&ours, Some(&agent), &[]);
    let mut open = Connection::open(&config, &service.data).unwrap();
    assert_eq!(open.get("/v1/models", "").unwrap().0, LET_IN);
    let first = open.tls().peer_certificates().unwrap().to_vec();

    // Another pair: new connections have it, open ones stay.
    let next = ours.server();
    put(service.folder.path(), "server.key", &next.key);
    put(service.folder.path(), "server.pem", &next.cert);
    let path = service.folder.path().to_owned();
    service.until("INFO portcullis::wiring: tls: the files have changed and are in force");
    assert_eq!(open.get("/v1/models", "").unwrap().0, LET_IN);
    let renewed = Connection::open(&config, &service.data).unwrap();
    let second = renewed.tls().peer_certificates().unwrap().to_vec();
    assert_ne!(first, second);
    assert!(next.cert.contains(pem_line(&second[0]).as_str()));

    // A pair that does not fit: what was in force stays, and the log says so.
    put(&path, "server.key", &ours.server().key);
    service.until("tls: the files have changed and CANNOT be used");
    assert_eq!(status(&config, &service.data, ""), Some(LET_IN));
    put(&path, "server.key", &next.key);
    service.until("INFO portcullis::wiring: tls: the files have changed and are in force");

    // A certificate that is revoked is good for nothing, also on a connection that was open before, and with any key.
    assert_eq!(open.get("/v1/models", "").unwrap().0, LET_IN);
    put(&path, "revoked.pem", &ours.revoke(&[1], 2100));
    service.until("INFO portcullis::wiring: tls: the files have changed and are in force");
    assert_eq!(open.get("/v1/models", "").unwrap().0, 401);
    assert_eq!(status(&config, &service.data, ""), None);
}

/// The first line of a certificate's PEM that tells it from others.
fn pem_line(certificate: &CertificateDer<'_>) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(certificate);
    text.get(64..128).unwrap().to_owned()
}

#[test]
fn without_the_certificate_that_is_required_there_is_no_connection() {
    let ours = Authority::new("ours");
    let listening = "tls: { cert: file:server.pem, key: file:server.key, client_ca: file:clients.pem }\n";
    let mut service = Service::with(folder(&ours), &format!("{LISTENERS}{listening}{RULES}"));
    let key = format!("authorization: Bearer {}\r\n", key(&service));
    service.until("API keys have changed");
    let stranger = ours.client(Vec::new(), 1, 2100);
    assert_eq!(status(&client(&ours, None, &[]), &service.data, &key), None);
    assert_eq!(
        status(&client(&ours, Some(&stranger), &[]), &service.data, &key),
        Some(LET_IN)
    );

    // Both protocols, and none in the clear.
    for (offered, spoken) in [(&["h2", "http/1.1"][..], "h2"), (&["http/1.1"], "http/1.1")] {
        let connection = Connection::open(&client(&ours, Some(&stranger), offered), &service.data).unwrap();
        assert_eq!(connection.tls().alpn_protocol(), Some(spoken.as_bytes()));
    }
    let mut plain = TcpStream::connect(&service.data).unwrap();
    plain
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .unwrap();
    let mut answer = Vec::new();
    plain.read_to_end(&mut answer).ok();
    assert!(
        !answer.starts_with(b"HTTP"),
        "{}",
        String::from_utf8_lossy(&answer)
    );
}

#[test]
fn what_is_wrong_with_tls_is_told_with_its_place() {
    let ours = Authority::new("ours");
    let folder = folder(&ours);
    put(folder.path(), "other.key", &ours.server().key);
    let cases = [
        (
            "tls: { cert: file:server.pem, key: file:other.key }\n",
            "3:36: tls.key: does not fit the certificate",
        ),
        (
            "tls: { cert: file:none.pem, key: file:server.key }\n",
            "3:14: tls.cert: cannot read",
        ),
        (
            "tls: { cert: file:server.key, key: file:server.key }\n",
            "3:14: tls.cert: holds no certificate",
        ),
        (
            "tls: { cert: file:server.pem, key: file:server.key, client_auth: require }\n",
            "tls.client_auth: needs `client_ca`",
        ),
        (
            "tls: { cert: file:server.pem, key: file:server.key, client_ca: file:clients.pem, client_auth: off }\n",
            "tls.client_ca: does nothing",
        ),
        (
            "tls: { cert: file:server.pem, key: file:server.key, crl: file:clients.pem }\n",
            "tls.crl: does nothing",
        ),
        (
            "tls: { cert: file:server.pem, key: file:server.key, client_ca: file:clients.pem, crl: file:clients.pem }\n",
            "tls.crl: holds no list",
        ),
        (RULES, "identity.certificates: does nothing"),
        (
            "identity: { certificates: [{ match: \"ip:1.2.3.4\" }] }\n",
            "identity.certificates[0].match: must begin with dns:, uri:, email: or cn:",
        ),
        (
            "identity: { certificates: [{ match: \"cn:x\", profile: nowhere }] }\n",
            "identity.certificates[0].profile: there is no profile `nowhere`",
        ),
        (
            "identity: { certificates: [{ match: \"cn:x\", tools: nowhere }] }\n",
            "identity.certificates[0].tools: there is no tool policy `nowhere`",
        ),
        (
            "identity: { jwt: [{ issuer: https://a.b, audience: c, tools: nowhere }] }\n",
            "identity.jwt[0].tools: there is no tool policy `nowhere`",
        ),
    ];
    for (text, expected) in cases {
        put(folder.path(), "portcullis.yaml", &format!("{LISTENERS}{text}"));
        let ran = Command::new(env!("CARGO_BIN_EXE_portcullis"))
            .arg("check")
            .current_dir(folder.path())
            .env_clear()
            .env("ADMIN_TOKEN", TOKEN)
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert_eq!(ran.status.code(), Some(1), "{text}{told}");
        assert!(told.contains(expected), "{text}{told}");
    }
    // Where others can hear it, plain HTTP is warned of and not refused: something before it may end TLS.
    put(folder.path(), "portcullis.yaml", "listen: 0.0.0.0:8080\n");
    let ran = Command::new(env!("CARGO_BIN_EXE_portcullis"))
        .arg("check")
        .current_dir(folder.path())
        .env_clear()
        .output()
        .unwrap();
    assert!(ran.status.success());
    let told = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(
        told.contains("warning: listen: 0.0.0.0:8080") && told.contains("give it `tls`"),
        "{told}"
    );
}
