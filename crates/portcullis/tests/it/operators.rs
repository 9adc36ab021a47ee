//! Operators whom a real identity provider knows: their tokens, and the login of the console, walked through as a browser does.

use std::collections::BTreeMap;
use std::net::TcpListener;

use serde_json::{Value, json};

use crate::idp::{Answer, Provider, SECRET, exchange};
use crate::serve::{Service, TOKEN};

/// A browser without scripts: cookies by host and path, one request at a time.
#[derive(Default)]
struct Browser(BTreeMap<(String, String), String>);

impl Browser {
    fn get(&mut self, address: &str) -> Answer {
        let (host, path) = address.strip_prefix("http://").unwrap().split_once('/').unwrap();
        let own = self.0.iter().filter(|((of, _), _)| of == host);
        let pairs: Vec<String> = own.map(|((_, name), value)| format!("{name}={value}")).collect();
        let headers = match pairs.is_empty() {
            true => String::new(),
            false => format!("cookie: {}\r\n", pairs.join("; ")),
        };
        let answer = exchange(host, "GET", &format!("/{path}"), &headers, "");
        for line in &answer.lines {
            let Some((name, cookie)) = line
                .split_once(": ")
                .filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"))
            else {
                continue;
            };
            let _ = name;
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            match value {
                "" => self.0.remove(&(host.to_owned(), name.to_owned())),
                _ => self
                    .0
                    .insert((host.to_owned(), name.to_owned()), value.to_owned()),
            };
        }
        answer
    }

    /// Follows redirects up to the first address that begins like this, which is not asked.
    fn follow(&mut self, mut address: String, until: &str) -> String {
        for _ in 0..12 {
            if address.starts_with(until) {
                return address;
            }
            let answer = self.get(&address);
            assert!(
                (300..400).contains(&answer.status),
                "{address}: {} {}",
                answer.status,
                answer.body
            );
            let location = answer.lines.iter().find_map(|line| {
                let (name, value) = line.split_once(": ")?;
                name.eq_ignore_ascii_case("location").then(|| value.to_owned())
            });
            let location = location.unwrap();
            address = match location.starts_with('/') {
                true => {
                    let host = address.split('/').nth(2).unwrap();
                    format!("http://{host}{location}")
                }
                false => location,
            };
        }
        panic!("it never comes back");
    }

    fn session(&self, host: &str) -> Option<&String> {
        self.0.get(&(host.to_owned(), "portcullis_console".to_owned()))
    }
}

struct Scene {
    provider: Provider,
    service: Service,
    url: String,
}

/// A console that the provider knows, with these policies.
fn scene(policies: Option<&str>) -> Scene {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let url = format!("http://127.0.0.1:{port}");
    let provider = Provider::with_console(&format!("{url}/login/oidc/callback"));
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("secret"), SECRET).unwrap();
    let issuer = &provider.issuer;
    let mut configuration = format!(
        "listen: 127.0.0.1:0\nadmin:\n  listen: 127.0.0.1:{port}\n  token: env:ADMIN_TOKEN\n\
         \x20 roles: {{ gate-admin: change, gate-reader: read }}\n\
         \x20 oidc: {{ issuer: \"{issuer}\", client_id: console, client_secret: file:secret, url: \"{url}\", roles: roles }}\n\
         identity:\n  guesses: {{ per_minute: 1, burst: 10 }}\n\
         \x20 jwt: [{{ issuer: \"{issuer}\", audience: portcullis, team: groups, roles: roles }}]\n"
    );
    if let Some(policies) = policies {
        std::fs::write(folder.path().join("a.cedar"), policies).unwrap();
        configuration.push_str("authorization: { policies: [a.cedar] }\n");
    }
    let service = Service::with(folder, &configuration);
    Scene {
        provider,
        service,
        url,
    }
}

impl Scene {
    fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        exchange(&self.service.admin, method, path, headers, body)
    }

    /// With this token: what reading the keys gives, and what making one.
    fn with_token(&self, token: &str, name: &str) -> (u16, u16) {
        let headers = format!("authorization: Bearer {token}\r\n");
        let read = self.ask("GET", "/api/v1/keys", &headers, "");
        let made = self.ask(
            "POST",
            "/api/v1/keys",
            &headers,
            &json!({ "name": name }).to_string(),
        );
        if made.status == 403 {
            let body: Value = serde_json::from_str(&made.body).unwrap();
            assert_eq!(body["error"]["code"], "forbidden");
        }
        (read.status, made.status)
    }

    /// The way back from the provider, with the browser that it is for.
    fn came_back(&self) -> (Browser, String) {
        let mut browser = Browser::default();
        let back = browser.follow(
            format!("{}/login/oidc", self.url),
            &format!("{}/login/oidc/callback?", self.url),
        );
        (browser, back)
    }
}

#[test]
fn a_token_of_the_provider_may_what_its_role_may() {
    let mut scene = scene(None);
    let token = |client: &str| scene.provider.token_of(client, "urn:portcullis");
    assert_eq!(scene.with_token(&token("staff-gate-admin"), "one"), (200, 201));
    let told = scene.service.until("an operator made a key");
    assert!(
        told.contains("jwt_") && told.contains("staff-gate-admin"),
        "{told}"
    );
    let token = |client: &str| scene.provider.token_of(client, "urn:portcullis");
    assert_eq!(scene.with_token(&token("staff-gate-reader"), "two"), (200, 403));
    assert_eq!(scene.with_token(&token("staff-cook"), "two"), (403, 403));
    assert_eq!(scene.with_token(&token("agent"), "two"), (403, 403));
    // For somebody else; with another signature; of no algorithm; none at all.
    let good = token("staff-gate-admin");
    let other = scene.provider.token_of("staff-gate-admin", "urn:other");
    let (signed, _) = good.rsplit_once('.').unwrap();
    let (_, claims) = signed.split_once('.').unwrap();
    let forged = [
        other,
        format!("{signed}.{}", "A".repeat(86)),
        format!("eyJhbGciOiJub25lIn0.{claims}."),
        format!("eyJhbGciOiJub25lIn0.{claims}.AA"),
    ];
    for token in forged {
        assert_eq!(scene.with_token(&token, "two"), (401, 401), "{token}");
    }
    // Eight were wrong; two more, and the source is to wait. Whoever is right is let in.
    assert_eq!(scene.with_token("a.b.c", "two"), (401, 401));
    assert_eq!(scene.with_token("a.b.c", "two"), (429, 429));
    assert_eq!(scene.with_token(&good, "three"), (200, 201));
    assert_eq!(scene.with_token(TOKEN, "four"), (200, 201));
}

#[test]
fn policies_must_permit_it_as_well_and_the_admin_token_is_not_asked() {
    let scene = scene(Some(
        "@id(\"read\") permit (principal is Operator, action == Action::\"read_admin\", resource);\n\
         @id(\"no-records\") forbid (principal, action == Action::\"read_admin\", resource == AdminResource::\"/api/v1/events\");\n",
    ));
    let token = scene.provider.token_of("staff-gate-admin", "urn:portcullis");
    assert_eq!(scene.with_token(&token, "one"), (200, 403));
    let headers = |token: &str| format!("authorization: Bearer {token}\r\n");
    assert_eq!(
        scene.ask("GET", "/api/v1/events", &headers(&token), "").status,
        403
    );
    assert_eq!(
        scene.ask("GET", "/api/v1/usage", &headers(&token), "").status,
        200
    );
    // A policy that permits gives no role.
    let token = scene.provider.token_of("staff-cook", "urn:portcullis");
    assert_eq!(scene.with_token(&token, "one"), (403, 403));
    assert_eq!(scene.with_token(TOKEN, "one"), (200, 201));
}

#[test]
fn a_browser_logs_in_at_the_provider() {
    let mut scene = scene(None);
    let host = scene.service.admin.clone();
    for (person, made) in [("ann", 201), ("rob", 403)] {
        scene.provider.seat(person);
        let (mut browser, back) = scene.came_back();
        let answer = browser.get(&back);
        assert_eq!(answer.status, 200, "{}", answer.body);
        let page = browser.get(&format!("{}/", scene.url));
        assert!(
            page.status == 200 && page.body.contains(&format!("Logged in as {person}")),
            "{}",
            page.body
        );
        let session = browser.session(&host).unwrap();
        let headers = format!(
            "cookie: portcullis_console={session}\r\norigin: {}\r\n",
            scene.url
        );
        let answer = scene.ask(
            "POST",
            "/api/v1/keys",
            &headers,
            &json!({ "name": person }).to_string(),
        );
        assert_eq!(answer.status, made, "{}", answer.body);
        // The same way back again, as it was, and with the cookie that it had.
        let mut again = browser;
        again.0.remove(&(host.clone(), "portcullis_console".to_owned()));
        assert_eq!(again.get(&back).status, 401);
        assert!(again.session(&host).is_none());
    }
    let told = scene.service.until("an operator logged in");
    assert!(told.contains("ann"), "{told}");

    // Somebody without a role is known, and may do nothing.
    scene.provider.seat("eve");
    let (mut browser, back) = scene.came_back();
    assert_eq!(browser.get(&back).status, 403);
    assert!(browser.session(&host).is_none());

    scene.provider.seat("ann");
    // A way back of another browser's (login CSRF), with another state, of another issuer, and with a code that was used.
    let (_, theirs) = scene.came_back();
    let (mut browser, own) = scene.came_back();
    assert_eq!(browser.get(&theirs).status, 401);
    assert_eq!(browser.get(&own).status, 401, "one way back for each way out");
    let (mut browser, own) = scene.came_back();
    let state = own.split("state=").nth(1).unwrap().split('&').next().unwrap();
    assert_eq!(
        browser.get(&own.replace(state, &"0".repeat(state.len()))).status,
        401
    );
    let (mut browser, own) = scene.came_back();
    let (before, _) = own.split_once("&iss=").expect("it says who it is");
    assert_eq!(
        browser
            .get(&format!("{before}&iss=https%3A%2F%2Fevil.example.com"))
            .status,
        401
    );
    let (mut browser, own) = scene.came_back();
    let (before, _) = own.split_once("&iss=").unwrap();
    assert_eq!(browser.get(before).status, 401, "it always says who it is");
    let code = own.split("code=").nth(1).unwrap().split('&').next().unwrap();
    let (mut browser, other) = scene.came_back();
    let theirs = other.split("code=").nth(1).unwrap().split('&').next().unwrap();
    assert_eq!(
        browser.get(&other.replace(theirs, code)).status,
        401,
        "PKCE and the code belong to one login"
    );
    assert!(browser.session(&host).is_none());

    // After all that, it still works; and where the provider is gone, the token does.
    let (mut browser, own) = scene.came_back();
    assert_eq!(browser.get(&own).status, 200);
    drop(scene.provider);
    let mut other = Browser::default();
    assert_eq!(
        other.get(&format!("{}/login/oidc", scene.url)).status,
        303,
        "what it said of itself is known"
    );
    let page = browser.get(&format!("{}/", scene.url));
    assert_eq!(page.status, 200);
}
