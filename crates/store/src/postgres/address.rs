//! The address of a database: read strictly, so that a slip is told and never ignored, and never repeated, since it
//! holds a password more often than not.

use std::net::IpAddr;
use std::str::FromStr;

use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use crate::StoreError;

/// What may stand behind the question mark.
const PARAMETERS: &[&str] = &[
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "host",
    "port",
    "user",
    "password",
    "dbname",
    "application_name",
];

/// Where a database is.
pub(super) struct Address {
    pub(super) options: PgConnectOptions,
    /// Host, port and database, without user and password.
    pub(super) place: String,
}

impl Address {
    pub(super) fn read(url: &str) -> Result<Address, StoreError> {
        let wrong = |reason: String| StoreError::Open {
            place: "PostgreSQL".to_owned(),
            reason,
        };
        let query = url.split_once('?').map_or("", |(_, query)| query);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let name = pair.split_once('=').map_or(pair, |(name, _)| name);
            if !PARAMETERS.contains(&name) {
                return Err(wrong(format!(
                    "the address has a parameter that is not known; there are {}",
                    PARAMETERS.join(", ")
                )));
            }
        }
        // The parser's own message may quote what it read.
        let options = PgConnectOptions::from_str(url).map_err(|_| {
            wrong("the address has not the form postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=verify-full (a password's special characters percent-encoded)".to_owned())
        })?;
        let host = options.get_host().to_owned();
        let socket = options.get_socket().cloned();
        let says_mode = query.split('&').any(|pair| pair.starts_with("sslmode="))
            || std::env::var_os("PGSSLMODE").is_some();
        let options = match says_mode || socket.is_some() || is_loopback(&host) {
            true => options,
            // Over a network, nobody but the server itself gets to see keys' hashes and records.
            false => options.ssl_mode(PgSslMode::VerifyFull),
        };
        let options = match options.get_application_name() {
            Some(_) => options,
            None => options.application_name("portcullis"),
        };
        let database = options.get_database().unwrap_or_default();
        let place = match socket {
            Some(socket) => format!("{}/{database}", socket.display()),
            None => format!("{host}:{}/{database}", options.get_port()),
        };
        Ok(Address {
            place,
            options: options.disable_statement_logging(),
        })
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_has_neither_user_nor_password() {
        let address = Address::read("postgres://ann:hunter2@db.example.com:6432/gate").unwrap();
        assert_eq!(address.place, "db.example.com:6432/gate");
        let address = Address::read("postgresql://ann@localhost/gate?host=/run/postgresql").unwrap();
        assert_eq!(address.place, "/run/postgresql/gate");
    }

    #[test]
    fn a_slip_is_told_without_what_was_written() {
        for url in [
            "postgres://ann:hunter2@host/db?sslmod=disable",
            "postgres://ann:hunter2@host/db?hunter2",
            "postgres://ann:hunter2@host:port/db",
            "postgres://ann:hun#ter2@host/db?sslmode=verify",
            "postgres://ann:hunter2@host/db?sslmode=hunter2",
        ] {
            let refused = Address::read(url).err().unwrap().to_string();
            assert!(
                !refused.contains("hunter2") && !refused.contains("ter2"),
                "{refused}"
            );
        }
    }

    #[test]
    fn a_server_elsewhere_must_prove_who_it_is_unless_the_address_says_otherwise() {
        let mode = |url: &str| Address::read(url).unwrap().options.get_ssl_mode();
        assert!(matches!(
            mode("postgres://ann@db.example.com/gate"),
            PgSslMode::VerifyFull
        ));
        assert!(matches!(
            mode("postgres://ann@10.0.0.7/gate"),
            PgSslMode::VerifyFull
        ));
        assert!(matches!(
            mode("postgres://ann@db.example.com/gate?sslmode=disable"),
            PgSslMode::Disable
        ));
        for near in ["localhost", "127.0.0.1", "[::1]"] {
            assert!(
                matches!(mode(&format!("postgres://ann@{near}/gate")), PgSslMode::Prefer),
                "{near}"
            );
        }
    }
}
