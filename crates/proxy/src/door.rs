//! The door: connections as they come, with TLS where it is configured, and who stands behind each.
//!
//! It decides nothing about requests. A handshake takes ten seconds at most, and so many are under way at most; where there
//! are more, the one that has taken longest makes room: whoever opens connections and says nothing holds up nobody else.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::tls::{ClientCertificate, Tls};

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Handshakes under way at once. Each holds some 20 KiB.
const HANDSHAKES: usize = 1024;

/// Where connections come in.
pub struct Door {
    tcp: TcpListener,
    tls: Option<Arc<Tls>>,
    handshakes: JoinSet<Option<Entered>>,
    /// Those under way, the oldest first.
    order: VecDeque<AbortHandle>,
}

/// A connection that is ready for requests.
pub struct Entered {
    /// What is read from and written to.
    pub stream: Stream,
    /// Who is at its other end.
    pub peer: Peer,
}

/// Who is at the other end of a connection.
#[derive(Clone)]
pub struct Peer {
    /// The address that the connection comes from.
    pub address: SocketAddr,
    /// The certificate that was shown and found good in the handshake.
    pub certificate: Option<Arc<ClientCertificate>>,
}

impl From<TcpListener> for Door {
    fn from(tcp: TcpListener) -> Door {
        Door::new(tcp, None)
    }
}

impl Door {
    /// A door to this listener; without `tls`, what is said through it is not encrypted.
    #[must_use]
    pub fn new(tcp: TcpListener, tls: Option<Arc<Tls>>) -> Door {
        Door {
            tcp,
            tls,
            handshakes: JoinSet::new(),
            order: VecDeque::new(),
        }
    }

    /// Where it is.
    ///
    /// # Errors
    /// The operating system does not say.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    /// The next connection that is ready. Nothing is lost where the future is dropped.
    pub async fn accept(&mut self) -> Entered {
        loop {
            tokio::select! {
                accepted = self.tcp.accept() => match accepted {
                    Ok((socket, address)) => {
                        // Small events must not wait for larger ones.
                        let _ = socket.set_nodelay(true);
                        match &self.tls {
                            Some(tls) => {
                                let tls = Arc::clone(tls);
                                self.begin(tls, socket, address);
                            }
                            None => return Entered {
                                stream: Stream::Plain(socket),
                                peer: Peer { address, certificate: None },
                            },
                        }
                    }
                    // Out of handles, most often: what is open must be able to end.
                    Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                },
                Some(done) = self.handshakes.join_next(), if !self.handshakes.is_empty() => {
                    if let Ok(Some(entered)) = done {
                        return entered;
                    }
                }
            }
        }
    }

    fn begin(&mut self, tls: Arc<Tls>, socket: TcpStream, address: SocketAddr) {
        if self.order.len() >= HANDSHAKES {
            self.order.retain(|handshake| !handshake.is_finished());
        }
        if self.order.len() >= HANDSHAKES
            && let Some(oldest) = self.order.pop_front()
        {
            oldest.abort();
        }
        let handshake = self.handshakes.spawn(async move {
            let entered = tokio::time::timeout(HANDSHAKE, shake_hands(tls, socket, address)).await;
            match entered {
                Ok(Ok(entered)) => Some(entered),
                Ok(Err(error)) => {
                    tracing::debug!(%address, %error, "TLS handshake failed");
                    None
                }
                Err(_) => {
                    tracing::debug!(%address, "TLS handshake took too long");
                    None
                }
            }
        });
        self.order.push_back(handshake);
    }
}

async fn shake_hands(tls: Arc<Tls>, socket: TcpStream, address: SocketAddr) -> io::Result<Entered> {
    let (generation, config) = tls.present();
    let stream = TlsAcceptor::from(config).accept(socket).await?;
    let certificate = stream
        .get_ref()
        .1
        .peer_certificates()
        .and_then(|chain| ClientCertificate::new(chain, &tls, generation))
        .map(Arc::new);
    Ok(Entered {
        stream: Stream::Tls(Box::new(stream)),
        peer: Peer { address, certificate },
    })
}

/// A connection, encrypted or not.
pub enum Stream {
    /// As it comes.
    Plain(TcpStream),
    /// Under TLS.
    Tls(Box<TlsStream<TcpStream>>),
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Stream::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
