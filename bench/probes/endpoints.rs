//! Endpoints in a process of their own, so that what they take is not counted as the prober's.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// Where what listens, on 127.0.0.1.
#[derive(Debug, Clone, Copy)]
pub struct Ports {
    /// HTTP.
    pub http: u16,
    /// HTTPS.
    pub tls: u16,
    /// Accepts and never answers.
    pub hanging: u16,
}

/// The process, ended when dropped.
pub struct Endpoints {
    child: Child,
    /// Its ports.
    pub ports: Ports,
}

impl Endpoints {
    /// This very program again, in its other part.
    pub fn start() -> Self {
        let program = std::env::current_exe().expect("it has a path");
        let mut child = Command::new(program)
            .arg("--endpoints")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it can be started again");
        let mut line = String::new();
        let output = child.stdout.take().expect("it is piped");
        BufReader::new(output).read_line(&mut line).expect("it tells its ports");
        let ports: Vec<u16> = line.split_whitespace().map(|port| port.parse().expect("a port")).collect();
        Self { child, ports: Ports { http: ports[0], tls: ports[1], hanging: ports[2] } }
    }
}

impl Drop for Endpoints {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Serves until whoever started it is gone.
pub async fn serve() {
    let made =
        rcgen::generate_simple_self_signed(["bench.example".to_owned()]).expect("a certificate can be made");
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring supports them")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("the key is that of the certificate");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let (http, tls, hanging) = (listen().await, listen().await, listen().await);
    println!("{} {} {}", port(&http), port(&tls), port(&hanging));
    tokio::spawn(async move {
        while let Ok((stream, _)) = http.accept().await {
            tokio::spawn(answer(stream));
        }
    });
    tokio::spawn(async move {
        while let Ok((stream, _)) = tls.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                if let Ok(session) = acceptor.accept(stream).await {
                    answer(session).await;
                }
            });
        }
    });
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = hanging.accept().await {
            tokio::spawn(async move { while stream.read(&mut [0; 256]).await.is_ok_and(|read| read > 0) {} });
        }
    });
    // The other end of standard input is held by whoever started this.
    let held = tokio::task::spawn_blocking(|| std::io::stdin().read(&mut [0; 1]));
    let _ = held.await;
}

async fn listen() -> TcpListener {
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket can be made");
    socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a port is free");
    socket.listen(4096).expect("it can listen")
}

fn port(listener: &TcpListener) -> u16 {
    listener.local_addr().expect("it is bound").port()
}

/// Any request gets the same answer; then the client closes.
async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let mut request = [0; 1024];
    // A client that only connects, and one that has hung up, want no answer.
    if stream.read(&mut request).await.is_ok_and(|read| read > 0) {
        let response = b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\nConnection: close\r\n\r\nall is well now";
        let _ = stream.write_all(response).await;
        while stream.read(&mut request).await.is_ok_and(|read| read > 0) {}
    }
}
