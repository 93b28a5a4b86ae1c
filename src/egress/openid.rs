//! Lets `openidconnect` and `oauth2` speak through the guarded client: what they fetch, a customer wrote.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU16, Ordering};

use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};

use super::http::{Destination, EgressError, Http, Request};

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = EgressError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, EgressError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let request = Request::from_http(request, Destination::Tenant)?;
            Ok(self.send(request).await?.into_http())
        })
    }
}

/// The same for one request, of whose answer the status is kept: `oauth2` tells nothing of it.
#[derive(Debug)]
pub struct Watched {
    http: Http,
    status: AtomicU16,
}

impl Watched {
    pub fn new(http: Http) -> Self {
        Self { http, status: AtomicU16::new(0) }
    }

    /// Of the last answer; 0 where there was none.
    pub fn status(&self) -> u16 {
        self.status.load(Ordering::Relaxed)
    }
}

impl<'c> AsyncHttpClient<'c> for Watched {
    type Error = EgressError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, EgressError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let answer = self.http.call(request).await?;
            self.status.store(answer.status().as_u16(), Ordering::Relaxed);
            Ok(answer)
        })
    }
}
