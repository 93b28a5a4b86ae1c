//! Applications, by the operations of their room.

use serde_json::{Value, json};

use super::Plan;
use crate::foundation::id::OrganizationId;
use crate::manage::applications::{self as room, Rewritten, Stated};
use crate::manage::desk::Change;
use crate::manage::house_file::change::Field;
use crate::manage::house_file::parts::ApplicationPart;
use crate::model::application::{Application, ApplicationSettings};
use crate::store::durable::applications;
use crate::store::durable::engine::StoreError;

impl Plan<'_, '_> {
    pub(super) async fn put_applications(&mut self) -> Result<(), StoreError> {
        let file = self.file;
        for part in &file.applications {
            let Some(settings) = self.application_settings(part).await? else { continue };
            let owner = match &part.organization {
                None => None,
                Some(name) => match self.organization(name).await? {
                    Some(owner) => Some(owner),
                    None => continue,
                },
            };
            let listed = part.organizations.as_deref().unwrap_or_default();
            let Some(mut listed) = self.organizations(listed).await? else { continue };
            if part.organizations.is_none() {
                listed.extend(owner);
            }
            listed.sort();
            let stated = Stated {
                client_id: part.client_id.value.clone(),
                owner,
                display_name: part.display_name.clone(),
                enabled: part.enabled,
                settings,
                listed,
                secrets: part.secrets.clone(),
                sector: self.sectors.get(&part.client_id.value).cloned(),
            };
            self.put_application(part, &stated).await?;
        }
        Ok(())
    }

    async fn put_application(&mut self, part: &ApplicationPart, stated: &Stated) -> Result<(), StoreError> {
        if let Err(refused) =
            room::may_be_asked(&self.tools.guard, &stated.settings, |refusal| refusal.to_string())
        {
            return self.refused_in(part.client_id.at, &part.places, refused);
        }
        let found = applications::by_client_id(self.tx, self.project.id, &part.client_id.value).await?;
        let keep = self.keep();
        let change = &mut Change::of_operator(self.tx, &keep, &self.tools.keyring);
        let outcome = match found {
            Some(found) => room::rewrite(change, found.id, stated).await.map(Some),
            None => room::make(change, stated).await.map(|_| None),
        };
        let Rewritten { before, after, other_secrets } = match outcome {
            Ok(Some(rewritten)) => rewritten,
            Ok(None) => {
                self.created("application", &part.client_id.value);
                return Ok(());
            }
            Err(refused) => return self.refused_in(part.client_id.at, &part.places, refused),
        };
        let mut fields = self
            .differs(&shown(&before.application, &before.listed), &shown(&after.application, &after.listed));
        if other_secrets {
            fields.push(Field::secret("client_secrets"));
        }
        if !fields.is_empty() {
            self.changed("application", &part.client_id.value, fields);
        }
        Ok(())
    }

    async fn application_settings(
        &mut self,
        part: &ApplicationPart,
    ) -> Result<Option<ApplicationSettings>, StoreError> {
        let mut connections = Vec::new();
        for name in &part.connections {
            let Some(found) = self.connection(name).await? else { return Ok(None) };
            connections.push(found);
        }
        Ok(Some(ApplicationSettings {
            kind: part.kind,
            authentication: part.authentication,
            jwks: part.jwks.clone(),
            sender: part.sender.clone(),
            redirect_uris: part.redirect_uris.clone(),
            initiate_login_uri: part.initiate_login_uri.clone(),
            sign_out: part.sign_out.clone(),
            client: part.client.clone(),
            requests: part.requests.clone(),
            scopes: part.scopes.clone(),
            grant_types: part.grant_types.clone(),
            lifetimes: part.lifetimes,
            algorithm: part.algorithm,
            audiences: part.audiences.clone(),
            organization_prompt: part.organization_prompt,
            organization_usage: part.organization_usage,
            domain_based: part.domain_based,
            connections,
            // Nobody but its own people, unless it is said.
            organizations_limited: part.organizations.is_some() || part.organization.is_some(),
            claims: part.claims.clone(),
            exchange: part.exchange.clone(),
        }))
    }
}

fn shown(application: &Application, listed: &[OrganizationId]) -> Value {
    let mut value = serde_json::to_value(&application.settings).unwrap_or_default();
    if let Value::Object(settings) = &mut value {
        // By the names that they have in the file.
        if let Some(Value::Object(client)) = settings.remove("client") {
            settings.extend(client);
        }
        let limited = settings.remove("organizations_limited").is_some_and(|limited| limited == json!(true));
        settings.insert("organizations".into(), if limited { json!(listed) } else { Value::Null });
        settings.insert("display_name".into(), json!(application.display_name));
        settings.insert("enabled".into(), json!(application.disabled_at.is_none()));
    }
    value
}
