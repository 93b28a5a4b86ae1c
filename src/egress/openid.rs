//! Lets `openidconnect` and `oauth2` speak through the guarded client: what they fetch, a customer wrote.

use std::future::Future;
use std::pin::Pin;

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
