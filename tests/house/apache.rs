//! A website that knows nothing of OpenID Connect, behind Apache with `mod_auth_openidc`, which does: a relying party by other
//! authors.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use axum::Router;
use axum::http::HeaderMap;
use axum::response::Html;
use axum::routing::get;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::ports::free_port;

const MODULES: &str = "/usr/lib/apache2/modules";
const PATIENCE: Duration = Duration::from_secs(20);
const GLANCE: Duration = Duration::from_millis(25);

/// Where Apache is to be, before it is there: an application is registered under these addresses.
pub struct Place {
    port: u16,
}

impl Place {
    pub fn found() -> Self {
        Self { port: free_port() }
    }

    pub fn at(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Starts it there, as a client of this issuer.
    pub async fn opens(self, issuer: &str, (client, secret): (&str, &str)) -> Apache {
        let (behind, website) = website().await;
        let folder = tempfile::tempdir().unwrap();
        let settings = self.settings(folder.path(), issuer, (client, secret), &behind);
        let file = folder.path().join("apache2.conf");
        std::fs::write(&file, settings).unwrap();
        // Its processes are of nobody, who must find the folder.
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        }
        let program = ["/usr/sbin/apache2", "apache2"].into_iter().find(|one| Path::new(one).exists());
        let process = Command::new(program.unwrap_or("apache2"))
            .args(["-X", "-f"])
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("Apache cannot be started: {error}; run `tests/run`"));
        let apache = Apache { place: self, process, website, folder };
        apache.is_open().await;
        apache
    }

    fn settings(&self, folder: &Path, issuer: &str, (client, secret): (&str, &str), behind: &str) -> String {
        let folder = folder.display();
        let (port, at) = (self.port, |path: &str| self.at(path));
        let modules =
            ["mpm_event", "authn_core", "authz_core", "authz_user", "proxy", "proxy_http", "auth_openidc"];
        let load = |name: &str| format!("LoadModule {name}_module {MODULES}/mod_{name}.so\n");
        let loaded: String = modules.into_iter().map(load).collect();
        format!(
            "ServerRoot \"{folder}\"\nServerName 127.0.0.1\nListen 127.0.0.1:{port}\nPidFile \"{folder}/pid\"\n\
             DefaultRuntimeDir \"{folder}\"\nErrorLog \"{folder}/error.log\"\nLogLevel warn auth_openidc:info\n{loaded}\
             User nobody\nGroup nogroup\n\
             OIDCProviderMetadataURL {issuer}/.well-known/openid-configuration\n\
             OIDCClientID {client}\nOIDCClientSecret \"{secret}\"\nOIDCRedirectURI {}\n\
             OIDCCryptoPassphrase \"a passphrase of this story's own\"\n\
             OIDCScope \"openid profile email organization\"\nOIDCPKCEMethod S256\n\
             OIDCSessionType server-cache\nOIDCPassClaimsAs headers\nOIDCDefaultLoggedOutURL {}\n\
             <Location \"/app/\">\n AuthType openid-connect\n Require valid-user\n ProxyPass {behind}/\n</Location>\n\
             <Location \"/app/redirect_uri\">\n ProxyPass !\n</Location>\n\
             <Location \"/bye\">\n Require all granted\n ProxyPass {behind}/bye\n</Location>\n",
            at("/app/redirect_uri"),
            at("/bye"),
        )
    }
}

pub struct Apache {
    place: Place,
    process: Child,
    website: JoinHandle<()>,
    folder: TempDir,
}

impl Apache {
    pub fn at(&self, path: &str) -> String {
        self.place.at(path)
    }

    /// For the message of a test that fails.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("error.log")).unwrap_or_default()
    }

    async fn is_open(&self) {
        let opens = async {
            while TcpStream::connect(("127.0.0.1", self.place.port)).await.is_err() {
                tokio::time::sleep(GLANCE).await;
            }
        };
        if tokio::time::timeout(PATIENCE, opens).await.is_err() {
            panic!("Apache does not open: {}", self.log());
        }
    }
}

impl Drop for Apache {
    fn drop(&mut self) {
        self.website.abort();
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What is behind it: a page that shows what Apache says of its visitor.
async fn website() -> (String, JoinHandle<()>) {
    let page = async |headers: HeaderMap| {
        let told = |name: &str| {
            let value = headers.get(format!("oidc_claim_{name}")).and_then(|value| value.to_str().ok());
            format!("<p>{name}: {}</p>", value.unwrap_or("nothing"))
        };
        let all: String = ["email", "org_id", "org_name"].into_iter().map(told).collect();
        Html(format!("<!doctype html><title>A website</title>{all}"))
    };
    let router = Router::new().route("/", get(page)).route("/bye", get(async || "back at the website"));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (url, tokio::spawn(async move { axum::serve(listener, router).await.unwrap() }))
}
