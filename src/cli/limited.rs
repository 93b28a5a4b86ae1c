//! No more connections at once than the operator allows; further ones are closed at once.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum_server::accept::Accept;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::Service;

#[derive(Clone, Debug)]
pub struct Limited(Arc<Semaphore>);

impl Limited {
    pub fn new(most: usize) -> Self {
        Self(Arc::new(Semaphore::new(most)))
    }
    pub fn around<A>(&self, acceptor: A) -> Acceptor<A> {
        Acceptor { acceptor, places: Arc::clone(&self.0) }
    }
}

/// Accepts while there is a place.
#[derive(Clone, Debug)]
pub struct Acceptor<A> {
    acceptor: A,
    places: Arc<Semaphore>,
}

impl<I, S, A> Accept<I, S> for Acceptor<A>
where
    A: Accept<I, S> + Clone + Send + 'static,
    A::Future: Send,
    I: Send + 'static,
    S: Send + 'static,
{
    type Stream = A::Stream;
    type Service = Held<A::Service>;
    type Future = Pin<Box<dyn Future<Output = io::Result<(Self::Stream, Self::Service)>> + Send>>;

    fn accept(&self, stream: I, service: S) -> Self::Future {
        let (acceptor, places) = (self.acceptor.clone(), Arc::clone(&self.places));
        Box::pin(async move {
            let place = places.try_acquire_owned().map_err(io::Error::other)?;
            let (stream, service) = acceptor.accept(stream, service).await?;
            Ok((stream, Held { service, _place: Arc::new(place) }))
        })
    }
}

/// A connection's service; its place is free again when the connection is gone.
#[derive(Clone, Debug)]
pub struct Held<S> {
    service: S,
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
        self.service.call(request)
    }
}
