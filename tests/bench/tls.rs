//! `https` for a server that speaks only `http`: takes the encryption off and passes the bytes on.

use std::error::Error;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// A server's certificate, made for this run, and the authority that vouches for it.
pub struct Paper {
    /// The authority's certificate in PEM.
    pub authority: String,
    /// Shakes hands with the server's certificate.
    pub acceptor: TlsAcceptor,
}

impl Paper {
    /// Makes an authority, and has it sign a certificate for `address`.
    pub fn issue(address: IpAddr) -> Result<Self, Box<dyn Error>> {
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // OpenSSL takes a certificate for self-signed when its issuer is called like itself.
        authority
            .distinguished_name
            .push(DnType::CommonName, "oneclick bench");
        let authority_key = KeyPair::generate()?;
        let signed_by_itself = authority.self_signed(&authority_key)?;
        let issuer = Issuer::new(authority, authority_key);
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new([address.to_string()])?.signed_by(&key, &issuer)?;
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der())?,
            )?;
        Ok(Self {
            authority: signed_by_itself.pem(),
            acceptor: TlsAcceptor::from(Arc::new(config)),
        })
    }
}

/// Accepts until dropped, and passes what is said on to `behind`.
pub async fn unwrap(listener: TcpListener, acceptor: TlsAcceptor, behind: SocketAddr) -> io::Result<()> {
    loop {
        let (guest, _) = listener.accept().await?;
        // A guest that goes early shows in its own exit code.
        tokio::spawn(pass_on(guest, acceptor.clone(), behind));
    }
}

async fn pass_on(guest: TcpStream, acceptor: TlsAcceptor, behind: SocketAddr) -> io::Result<()> {
    guest.set_nodelay(true)?;
    let mut guest = acceptor.accept(guest).await?;
    let mut server = TcpStream::connect(behind).await?;
    server.set_nodelay(true)?;
    copy_bidirectional(&mut guest, &mut server).await?;
    Ok(())
}
