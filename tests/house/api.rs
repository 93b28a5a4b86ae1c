//! A caller of the administration API. Every answer it gets is held against the API's own document.

use behalf::foundation::id::ApiKeyId;
use behalf::model::api_key::{ApiKey, Holder, KeySecret, KeyText, OperatorRole};
use behalf::store::durable::api_keys;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, RequestBuilder};
use serde_json::Value;

use super::application::{Application, Person, Proof};
use super::broker::House;
use super::visitor::{Answer, Visitor};

/// An application that people have to allow, as a house's file has it.
pub const THIRD: &str = "\n[application.third]\ndisplay_name = \"Third App\"\ntype = \"spa\"\nconsent_required = true\n\
     scopes = [\"openid\", \"profile\", \"email\", \"organization\", \"organizations\", \"roles\", \"permissions\"]\n\
     redirect_uris = [\"https://third.test/callback\"]\n";

pub struct Api {
    url: String,
    bearer: Option<String>,
    document: Value,
}

impl Api {
    /// The operator of the default project.
    pub async fn operator(house: &House) -> Self {
        Self::by(house, OperatorRole::System).await
    }

    pub async fn by(house: &House, role: OperatorRole) -> Self {
        let text = plant(house, "default", Holder::Operator(role)).await;
        Self::with(house, Some(text)).await
    }

    /// A key of an organization.
    pub async fn key(house: &House, organization: &str, permissions: &[&str]) -> Self {
        let id = house.organization(organization).await.parse().unwrap();
        let permissions = permissions.iter().map(|name| (*name).to_owned()).collect();
        let text = plant(house, "default", Holder::Organization(id, permissions)).await;
        Self::with(house, Some(text)).await
    }

    /// Somebody, by an access token of theirs for the API, acting for an organization.
    pub async fn person(house: &House, email: &str, organization: &str) -> Self {
        let token = access_token(house, email, organization).await;
        Self::with(house, Some(token)).await
    }

    /// The same by the application [`THIRD`], which they have allowed.
    pub async fn by_consent(house: &House, email: &str, organization: &str) -> Self {
        let third = Application::new(house, "third", Proof::Nothing);
        Self::with(house, Some(token_by(house, &third, email, organization).await)).await
    }

    /// Whoever holds this, or nothing.
    pub async fn with(house: &House, bearer: Option<String>) -> Self {
        Self::at(house, "", bearer).await
    }

    /// The same at a project's own path.
    pub async fn at(house: &House, project: &str, bearer: Option<String>) -> Self {
        let url = format!("{}{project}/api/v1", house.url);
        let document = Visitor::arrives().get(&format!("{url}/openapi.json")).await.json();
        Self { url, bearer, document }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, |request| request).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.write(Method::POST, path, body).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.write(Method::PUT, path, body).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.write(Method::PATCH, path, body).await
    }

    pub async fn write(&self, method: Method, path: &str, body: Value) -> Answer {
        self.send(method, path, |request| {
            request.header(CONTENT_TYPE, "application/json").body(body.to_string())
        })
        .await
    }

    /// Any request, dressed by `dress`: further headers, another body.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        dress: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Answer {
        let url = format!("{}{path}", self.url);
        let answer = Visitor::arrives()
            .request(method.clone(), &url, |request| {
                dress(match &self.bearer {
                    Some(bearer) => request.bearer_auth(bearer),
                    None => request,
                })
            })
            .await;
        self.is_documented(&method, path, &answer);
        answer
    }

    /// The status stands in the document, and the code under it, or the members of the answer.
    fn is_documented(&self, method: &Method, path: &str, answer: &Answer) {
        let path = path.split('?').next().unwrap_or_default();
        let paths = self.document["paths"].as_object().unwrap();
        let fits = |template: &str| {
            let (parts, said) = (template.split('/'), path.split('/'));
            template.split('/').count() == path.split('/').count()
                && parts.zip(said).all(|(part, said)| part == said || part.starts_with('{'))
        };
        // What is written out comes before what stands for anything.
        let found = paths
            .keys()
            .filter(|template| fits(template))
            .min_by_key(|template| template.matches('{').count());
        let template = found.unwrap_or_else(|| panic!("{path} is not in the document"));
        let operation = &self.document["paths"][template][method.as_str().to_lowercase()];
        assert!(operation.is_object(), "{method} {template} is not in the document");
        let response = &operation["responses"][answer.status.as_str()];
        assert!(
            response.is_object(),
            "{method} {template}: {} is not documented: {}",
            answer.status,
            answer.body
        );
        if answer.body.is_empty() {
            return;
        }
        let kind = answer.header("content-type").unwrap();
        let schema = &response["content"][kind]["schema"];
        assert!(schema.is_object(), "{method} {template}: {kind} is not documented");
        if schema["type"] == "string" {
            return;
        }
        let body = answer.json();
        if kind == "application/problem+json" {
            let codes = schema["allOf"][1]["properties"]["code"]["enum"].as_array().unwrap();
            assert!(codes.contains(&body["code"]), "{method} {template}: {body} is not among {codes:?}");
            return;
        }
        let name = schema["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
        let shape = &self.document["components"]["schemas"][name];
        for member in body.as_object().unwrap().keys() {
            assert!(shape["properties"][member].is_object(), "{name} has no {member}");
        }
        for member in shape["required"].as_array().unwrap() {
            assert!(body.get(member.as_str().unwrap()).is_some(), "{name} lacks {member}: {body}");
        }
    }
}

/// An access token for the API, which the application `rp1` is let have.
pub async fn access_token(house: &House, email: &str, organization: &str) -> String {
    token_by(house, &Application::rp1(house), email, organization).await
}

async fn token_by(house: &House, application: &Application, email: &str, organization: &str) -> String {
    let audience = format!("audiences = [\"{}/api/v1\"]\n", house.url);
    let let_have = |file: String, start: &str| file.replace(start, &format!("{start}{audience}"));
    let file =
        ["[application.rp1]\n", "[application.third]\n"].into_iter().fold(house.file.clone(), let_have);
    house.provision(&file).await;
    let ask = application.asks().with("organization", organization).with("login_hint", email);
    let arrival = Person::new(email).follows(&ask).await;
    ask.redeems(&arrival).await.access_token
}

/// Puts a key into the database, and gives its text.
pub async fn plant(house: &House, project: &str, holder: Holder) -> String {
    let broker = &house.broker;
    let found = behalf::store::durable::projects::by_slug(&mut &broker.db, project).await.unwrap();
    let key = ApiKey {
        id: ApiKeyId::new(&broker.random, broker.now()),
        project_id: found.expect("such a project").id,
        name: "of a story".into(),
        networks: Vec::new(),
        created_by: "operator".into(),
        created_at: broker.now(),
        expires_at: None,
        revoked_at: None,
        last_used_at: None,
        newest: None,
        is_outlived: false,
        holder,
    };
    let text = KeyText::new(&broker.random, key.id, matches!(key.holder, Holder::Operator(_)));
    let secret = KeySecret { digest: text.secret.digest(), shown_to: None };
    broker.db.write(async move |tx| api_keys::insert(tx, &key, secret).await).await.unwrap();
    text.text().expose().to_owned()
}
