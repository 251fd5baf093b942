//! The address of the API: `https`, without the version, checked once.

use std::fmt;
use std::str::FromStr;

use url::{Host, Url};

/// The address under which every endpoint lies, without a slash at its end and without `/v3`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BaseUrl(String);

/// Why a text is no address of the API. The text is not part of the message: it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BaseUrlError {
    /// It does not begin with a scheme, or has no host.
    #[error("it is no address; write it in full, as in `https://api.oneclickdz.com`")]
    NotAnAddress,
    /// Neither `https` nor `http`.
    #[error("its scheme is neither `https` nor `http`")]
    Scheme,
    /// `http` to another machine.
    #[error(
        "`http` would show the key to the network; only a loopback host may use it, any other needs `https`"
    )]
    Insecure,
    /// A user name or a password.
    #[error("it holds a user name or a password; the API key belongs in `api_key_file` or `api_key_command`")]
    Credentials,
    /// `?…`
    #[error("it holds a query (`?…`)")]
    Query,
    /// `#…`
    #[error("it holds a fragment (`#…`)")]
    Fragment,
}

impl BaseUrl {
    /// The address, to show and to tell keys of different hosts apart.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is this machine.
    pub fn is_loopback(&self) -> bool {
        Url::parse(&self.0).is_ok_and(|url| url.host().as_ref().is_some_and(is_loopback))
    }

    /// The address of an endpoint: `<base>/v3/<path>`. The path is taken as it is, already encoded.
    pub fn endpoint(&self, path: &str) -> String {
        format!("{}/v3/{}", self.0, path.trim_start_matches('/'))
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

impl FromStr for BaseUrl {
    type Err = BaseUrlError;

    fn from_str(text: &str) -> Result<Self, BaseUrlError> {
        let text = text.trim();
        // The parser drops tabs and line ends in silence and encodes spaces: slips that are better told.
        if text.contains(|character: char| character.is_whitespace() || character.is_control()) {
            return Err(BaseUrlError::NotAnAddress);
        }
        let url = Url::parse(text).map_err(|_| BaseUrlError::NotAnAddress)?;
        check(&url)?;
        let path = url.path().trim_end_matches('/');
        let path = path.strip_suffix("/v3").unwrap_or(path).trim_end_matches('/');
        Ok(Self(format!("{}{path}", url.origin().ascii_serialization())))
    }
}

fn check(url: &Url) -> Result<(), BaseUrlError> {
    if !url.username().is_empty() || url.password().is_some() {
        return Err(BaseUrlError::Credentials);
    }
    match url.scheme() {
        "https" => {}
        "http" if url.host().as_ref().is_some_and(is_loopback) => {}
        "http" => return Err(BaseUrlError::Insecure),
        _ => return Err(BaseUrlError::Scheme),
    }
    if url.query().is_some() {
        return Err(BaseUrlError::Query);
    }
    if url.fragment().is_some() {
        return Err(BaseUrlError::Fragment);
    }
    Ok(())
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_address_are_one() {
        for (text, base) in [
            ("https://api.oneclickdz.com", "https://api.oneclickdz.com"),
            ("https://api.oneclickdz.com/", "https://api.oneclickdz.com"),
            ("https://api.oneclickdz.com/v3", "https://api.oneclickdz.com"),
            (" https://API.oneclickdz.com/v3// ", "https://api.oneclickdz.com"),
            ("https://api.oneclickdz.com:443/v3/", "https://api.oneclickdz.com"),
            (
                "https://proxy.example:8443/flexy/",
                "https://proxy.example:8443/flexy",
            ),
            ("https://proxy.example/flexy/v3", "https://proxy.example/flexy"),
            ("https://proxy.example/v3/flexy", "https://proxy.example/v3/flexy"),
            ("https://proxy.example/v33", "https://proxy.example/v33"),
            ("http://localhost:8080", "http://localhost:8080"),
            ("http://127.0.0.1:8080/v3", "http://127.0.0.1:8080"),
            ("http://127.9.8.7", "http://127.9.8.7"),
            ("http://[::1]:9000/", "http://[::1]:9000"),
        ] {
            let read = text.parse::<BaseUrl>().map(|base| base.to_string());
            assert_eq!(read.as_deref(), Ok(base), "{text}");
        }
    }

    #[test]
    fn what_could_leak_or_mislead_is_refused() {
        for (text, error) in [
            ("", BaseUrlError::NotAnAddress),
            ("api.oneclickdz.com", BaseUrlError::NotAnAddress),
            ("https://", BaseUrlError::NotAnAddress),
            ("https://a b", BaseUrlError::NotAnAddress),
            ("https://api.\toneclickdz.com", BaseUrlError::NotAnAddress),
            ("localhost:8080", BaseUrlError::Scheme),
            ("ftp://api.oneclickdz.com", BaseUrlError::Scheme),
            ("http://api.oneclickdz.com", BaseUrlError::Insecure),
            ("http://localhost.example", BaseUrlError::Insecure),
            ("http://128.0.0.1", BaseUrlError::Insecure),
            ("http://0.0.0.0", BaseUrlError::Insecure),
            ("https://me:pw@api.oneclickdz.com", BaseUrlError::Credentials),
            ("https://me@api.oneclickdz.com", BaseUrlError::Credentials),
            ("http://localhost@evil.example", BaseUrlError::Credentials),
            ("https://api.oneclickdz.com?key=1", BaseUrlError::Query),
            ("https://api.oneclickdz.com#x", BaseUrlError::Fragment),
        ] {
            assert_eq!(text.parse::<BaseUrl>().err(), Some(error), "{text}");
        }
    }

    #[test]
    fn an_endpoint_lies_under_the_version() {
        let base: BaseUrl = "https://proxy.example/flexy/v3"
            .parse()
            .unwrap_or_else(|error| panic!("{error}"));
        for path in ["mobile/send", "/mobile/send"] {
            assert_eq!(base.endpoint(path), "https://proxy.example/flexy/v3/mobile/send");
        }
    }
}
