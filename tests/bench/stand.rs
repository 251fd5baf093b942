//! What is measured, and where: a simulator in this process behind `http` and `https`, and a home of its own for
//! the tool.

use std::error::Error;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use oneclick::simulator::{Options, Simulator};
use serde_json::Value;
use tempfile::TempDir;

use crate::tls::{self, Paper};

/// Simulated milliseconds in a real one: an order is fulfilled in 0.16 s instead of 16 s.
const SPEED: u32 = 100;
/// Where systems keep the certificates that they trust.
const SYSTEM_CERTIFICATES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The simulator, served until this process ends, and the home.
pub struct Stand {
    simulator: Simulator,
    key: String,
    home: TempDir,
    http: SocketAddr,
    https: SocketAddr,
}

/// How the provider is reached.
#[derive(Debug, Clone)]
pub enum Way {
    /// Plainly.
    Http,
    /// With TLS, trusting the certificates in this file.
    Https(PathBuf),
}

impl Stand {
    /// Opens the simulator without a limit of calls, and serves it.
    pub fn open() -> Result<Self, Box<dyn Error>> {
        let options = Options {
            rate: Some(0),
            speed: SPEED,
            ..Options::default()
        };
        let key = options.key.clone();
        let simulator = Simulator::open(options)?;
        // The target directory lies on a real disk, where a flush costs what it costs; /tmp may be memory.
        let home = TempDir::new_in(env!("CARGO_TARGET_TMPDIR"))?;
        let (plain, secret) = (listener()?, listener()?);
        let (http, https) = (plain.local_addr()?, secret.local_addr()?);
        let paper = Paper::issue(https.ip())?;
        std::fs::write(home.path().join("authority.pem"), &paper.authority)?;
        serve(simulator.clone(), plain, secret, paper)?;
        Ok(Self {
            simulator,
            key,
            home,
            http,
            https,
        })
    }

    /// The tool with an empty environment and a home of its own.
    pub fn oneclick(&self, way: &Way, arguments: &[&str]) -> Command {
        let mut command = bare(Path::new(binary()));
        command
            .args(arguments)
            .env("HOME", self.home.path())
            .env("ONECLICKDZ_BASE_URL", self.base_url(way))
            .env("ONECLICKDZ_API_KEY", &self.key)
            .env("ONECLICKDZ_POLL_INTERVAL", "100ms");
        if let Way::Https(certificates) = way {
            command.env("SSL_CERT_FILE", certificates);
        }
        command
    }

    /// The call for the balance by `curl`.
    pub fn curl(&self, way: &Way) -> Option<Command> {
        let mut command = bare(&find("curl")?);
        command
            .env("HOME", self.home.path())
            .args(["-s", "-f", "-H"])
            .arg(format!("X-Access-Token: {}", self.key))
            .arg(format!("{}/v3/account/balance", self.base_url(way)));
        if let Way::Https(certificates) = way {
            command.arg("--cacert").arg(certificates);
        }
        Some(command)
    }

    /// Runs the tool once, and returns what it printed.
    pub fn run(&self, way: &Way, arguments: &[&str]) -> Result<Value, Box<dyn Error>> {
        let output = self.oneclick(way, arguments).stdin(Stdio::null()).output()?;
        if output.status.success() {
            return Ok(serde_json::from_slice(&output.stdout)?);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(format!(
            "`oneclick {}` ended with {}: {said}",
            arguments.join(" "),
            output.status
        )
        .into())
    }

    /// Calls by endpoint since the simulator was opened.
    pub fn calls(&self) -> Value {
        self.simulator.books()["calls"].take()
    }

    /// `https` with nothing but the authority that signed the server's certificate.
    pub fn https_alone(&self) -> Way {
        Way::Https(self.home.path().join("authority.pem"))
    }

    /// `https` with that authority among those of the system, as in life; `None` when these are not found.
    pub fn https_among_many(&self) -> Result<Option<Way>, Box<dyn Error>> {
        let Some(system) = SYSTEM_CERTIFICATES
            .into_iter()
            .find(|path| Path::new(path).exists())
        else {
            return Ok(None);
        };
        let mut certificates = std::fs::read(system)?;
        certificates.extend(std::fs::read(self.home.path().join("authority.pem"))?);
        let path = self.home.path().join("system.pem");
        std::fs::write(&path, certificates)?;
        Ok(Some(Way::Https(path)))
    }

    fn base_url(&self, way: &Way) -> String {
        match way {
            Way::Http => format!("http://{}", self.http),
            Way::Https(_) => format!("https://{}", self.https),
        }
    }
}

/// The binary that is measured: that of this profile, or the one that `ONECLICK_BENCH_BINARY` names.
pub fn binary() -> &'static str {
    static NAMED: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    NAMED
        .get_or_init(|| std::env::var("ONECLICK_BENCH_BINARY").ok())
        .as_deref()
        .unwrap_or(env!("CARGO_BIN_EXE_oneclick"))
}

/// A program with an empty environment.
pub fn bare(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear();
    command
}

/// Where a program lies.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|directory| directory.join(program))
        .find(|candidate| candidate.is_file())
}

fn listener() -> std::io::Result<TcpListener> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Serves both from one thread, which ends with the process.
fn serve(
    simulator: Simulator,
    plain: TcpListener,
    secret: TcpListener,
    paper: Paper,
) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let behind = plain.local_addr()?;
    std::thread::spawn(move || {
        runtime.block_on(async move {
            let plain = tokio::net::TcpListener::from_std(plain)?;
            let secret = tokio::net::TcpListener::from_std(secret)?;
            tokio::select! {
                ended = simulator.serve(plain) => ended,
                ended = tls::unwrap(secret, paper.acceptor, behind) => ended,
            }
        })
    });
    Ok(())
}
