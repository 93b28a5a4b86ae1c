//! No more connections at once than the operator allows; further ones are closed at once. So are those on which no
//! request comes: without a deadline, a few thousand silent ones would hold every place.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum_server::accept::Accept;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Sleep;
use tower::Service;

#[derive(Clone, Debug)]
pub struct Limited {
    places: Arc<Semaphore>,
    patience: Duration,
}

impl Limited {
    /// `patience`: how long the first request of a connection may take to arrive, its TLS handshake included.
    pub fn new(most: usize, patience: Duration) -> Self {
        Self { places: Arc::new(Semaphore::new(most)), patience }
    }
    pub fn around<A>(&self, acceptor: A) -> Acceptor<A> {
        Acceptor { acceptor, limited: self.clone() }
    }
}

/// Accepts while there is a place.
#[derive(Clone, Debug)]
pub struct Acceptor<A> {
    acceptor: A,
    limited: Limited,
}

impl<I, S, A> Accept<I, S> for Acceptor<A>
where
    A: Accept<I, S> + Clone + Send + 'static,
    A::Future: Send,
    I: Send + 'static,
    S: Send + 'static,
{
    type Stream = Watched<A::Stream>;
    type Service = Held<A::Service>;
    type Future = Pin<Box<dyn Future<Output = io::Result<(Self::Stream, Self::Service)>> + Send>>;

    fn accept(&self, stream: I, service: S) -> Self::Future {
        let (acceptor, places) = (self.acceptor.clone(), Arc::clone(&self.limited.places));
        let mut deadline = Box::pin(tokio::time::sleep(self.limited.patience));
        Box::pin(async move {
            let place = places.try_acquire_owned().map_err(io::Error::other)?;
            let (stream, service) = tokio::select! {
                accepted = acceptor.accept(stream, service) => accepted?,
                () = &mut deadline => return Err(io::ErrorKind::TimedOut.into()),
            };
            let asked = Arc::new(AtomicBool::new(false));
            let stream = Watched { stream, asked: Arc::clone(&asked), deadline: Some(deadline) };
            Ok((stream, Held { service, asked, _place: Arc::new(place) }))
        })
    }
}

/// A connection's service; its place is free again when the connection is gone.
#[derive(Clone, Debug)]
pub struct Held<S> {
    service: S,
    asked: Arc<AtomicBool>,
    _place: Arc<OwnedSemaphorePermit>,
}

impl<S: Service<R>, R> Service<R> for Held<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(cx)
    }
    fn call(&mut self, request: R) -> S::Future {
        self.asked.store(true, Ordering::Relaxed);
        self.service.call(request)
    }
}

/// A connection that cannot be read from any more if no request has come by the deadline. Later requests have the
/// deadlines of their protocol.
#[derive(Debug)]
pub struct Watched<S> {
    stream: S,
    asked: Arc<AtomicBool>,
    deadline: Option<Pin<Box<Sleep>>>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.asked.load(Ordering::Relaxed) {
            self.deadline = None;
        }
        if self.deadline.as_mut().is_some_and(|deadline| deadline.as_mut().poll(cx).is_ready()) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }
    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
