//! Where an application has itself asked or told something by us.

use url::Url;

use super::ApplicationSettings;

impl ApplicationSettings {
    /// The addresses that are asked or told while people sign in and out, each by the name of its setting; one of a list
    /// with its place.
    pub fn asked(&self) -> Vec<(String, &Url)> {
        let single = [
            ("jwks_uri", &self.client.jwks_uri),
            ("backchannel_logout_uri", &self.sign_out.backchannel_logout_uri),
        ];
        let single =
            single.into_iter().filter_map(|(name, uri)| Some((name.to_owned(), uri.as_ref()?.url())));
        let requests = self.requests.request_uris.iter().enumerate();
        single.chain(requests.map(|(place, uri)| (format!("request_uris/{place}"), uri.url()))).collect()
    }
}
