//! Certificates, good and bad, made for a test run.

use std::io::{self, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tempfile::NamedTempFile;

use super::road::Pipe;
use crate::support::OrFail;

/// The hosts that a server of these tests has.
const HOSTS: [&str; 2] = ["127.0.0.1", "api.invalid"];

/// An authority that the shop trusts, and what it has signed, or not.
pub struct Papers {
    authority: NamedTempFile,
    pub good: Arc<ServerConfig>,
    pub self_signed: Arc<ServerConfig>,
    pub of_another_host: Arc<ServerConfig>,
    pub expired: Arc<ServerConfig>,
    pub not_yet_valid: Arc<ServerConfig>,
}

fn params(hosts: &[&str]) -> CertificateParams {
    CertificateParams::new(hosts.iter().map(|host| (*host).to_owned()).collect::<Vec<_>>())
        .or_fail("no such host can be certified")
}

fn server(params: &CertificateParams, issuer: Option<&Issuer<'_, KeyPair>>) -> Arc<ServerConfig> {
    let key = KeyPair::generate().or_fail("no key");
    let certificate = match issuer {
        Some(issuer) => params.signed_by(&key, issuer),
        None => params.self_signed(&key),
    };
    let certificate = certificate.or_fail("no certificate").der().clone();
    let key = PrivateKeyDer::try_from(key.serialize_der()).or_fail("no key");
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .or_fail("no TLS")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key);
    Arc::new(config.or_fail("no server"))
}

impl Papers {
    pub fn issue() -> Self {
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority
            .distinguished_name
            .push(DnType::CommonName, "oneclick tests");
        let key = KeyPair::generate().or_fail("no key");
        let pem = authority.self_signed(&key).or_fail("no authority").pem();
        let issuer = Issuer::new(authority, key);
        let mut file = NamedTempFile::new().or_fail("no file");
        file.write_all(pem.as_bytes()).or_fail("no file");
        let signed = |params: &CertificateParams| server(params, Some(&issuer));
        let mut expired = params(&HOSTS);
        expired.not_before = date_time_ymd(2020, 1, 1);
        expired.not_after = date_time_ymd(2021, 1, 1);
        let mut not_yet_valid = params(&HOSTS);
        not_yet_valid.not_before = date_time_ymd(4000, 1, 1);
        not_yet_valid.not_after = date_time_ymd(4001, 1, 1);
        Self {
            authority: file,
            good: signed(&params(&HOSTS)),
            self_signed: server(&params(&HOSTS), None),
            of_another_host: signed(&params(&["portal.invalid"])),
            expired: signed(&expired),
            not_yet_valid: signed(&not_yet_valid),
        }
    }

    /// The file with the authority's certificate.
    pub fn authority(&self) -> String {
        self.authority.path().display().to_string()
    }

    /// Encrypts a connection as this server; a handshake that fails shows at the first byte.
    #[expect(clippy::unused_self, reason = "it is these papers' handshake")]
    pub fn shake(&self, stream: TcpStream, config: &Arc<ServerConfig>) -> io::Result<Box<dyn Pipe>> {
        let session = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
        Ok(Box::new(StreamOwned::new(session, stream)))
    }
}
