//! Applications.

use serde_json::{Value, json};

use super::{Plan, names_of, since};
use crate::foundation::id::{ApplicationId, OrganizationId};
use crate::foundation::secret::Digest;
use crate::manage::house_file::change::Field;
use crate::manage::house_file::parts::ApplicationPart;
use crate::model::application::{Application, ApplicationSettings};
use crate::store::durable::applications;
use crate::store::durable::engine::{Lock, StoreError};

impl Plan<'_, '_> {
    pub(super) async fn put_applications(&mut self) -> Result<(), StoreError> {
        let file = self.file;
        for part in &file.applications {
            let Some(settings) = self.application_settings(part).await? else { continue };
            let listed = part.organizations.as_deref().unwrap_or_default();
            let Some(mut listed) = self.organizations(listed).await? else { continue };
            listed.sort();
            let found = applications::by_client_id(self.tx, self.project.id, &part.client_id.value).await?;
            match found {
                Some(found) => self.update_application(part, found.id, settings, &listed).await?,
                None => self.create_application(part, settings, &listed).await?,
            }
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
            connections.push(found.id);
        }
        Ok(Some(ApplicationSettings {
            kind: part.kind,
            authentication: part.authentication,
            jwks: part.jwks.clone(),
            redirect_uris: part.redirect_uris.clone(),
            initiate_login_uri: part.initiate_login_uri.clone(),
            sign_out: part.sign_out.clone(),
            scopes: part.scopes.clone(),
            algorithm: part.algorithm,
            audiences: part.audiences.clone(),
            organization_prompt: part.organization_prompt,
            organization_usage: part.organization_usage,
            domain_based: part.domain_based,
            connections,
            organizations_limited: part.organizations.is_some(),
            claims: part.claims.clone(),
        }))
    }

    async fn create_application(
        &mut self,
        part: &ApplicationPart,
        settings: ApplicationSettings,
        listed: &[OrganizationId],
    ) -> Result<(), StoreError> {
        let now = self.tools.now;
        let application = Application {
            id: ApplicationId::new(&self.tools.random, now),
            project_id: self.project.id,
            client_id: part.client_id.value.clone(),
            display_name: part.display_name.clone(),
            settings,
            created_at: now,
            updated_at: now,
            disabled_at: since(!part.enabled, None, now),
        };
        applications::insert(self.tx, &application).await?;
        applications::set_secrets(self.tx, application.id, &part.secrets, now).await?;
        applications::set_listed(self.tx, application.id, listed).await?;
        self.created("application", &part.client_id.value);
        let event = self.event("application.created", None).subject(application.id);
        self.record(event.with("client_id", application.client_id.as_str())).await
    }

    async fn update_application(
        &mut self,
        part: &ApplicationPart,
        id: ApplicationId,
        settings: ApplicationSettings,
        listed: &[OrganizationId],
    ) -> Result<(), StoreError> {
        self.tx.lock(Lock::Exclusive, "applications", &id.to_string()).await?;
        let Some(before) = applications::by_id(self.tx, self.project.id, id).await? else {
            return Err(StoreError::Conflict);
        };
        let now = self.tools.now;
        let after = Application {
            display_name: part.display_name.clone(),
            settings,
            updated_at: now,
            disabled_at: since(!part.enabled, before.disabled_at, now),
            ..before.clone()
        };
        let old_listed = applications::listed(self.tx, id).await?;
        let mut fields = self.differs(&shown(&before, &old_listed), &shown(&after, listed));
        let new_secrets = !is_same_set(&applications::secrets(self.tx, id).await?, &part.secrets);
        if new_secrets {
            fields.push(Field::secret("client_secrets"));
        }
        if fields.is_empty() {
            return Ok(());
        }
        applications::update(self.tx, &after).await?;
        applications::set_listed(self.tx, id, listed).await?;
        if new_secrets {
            applications::set_secrets(self.tx, id, &part.secrets, now).await?;
        }
        let action = match (before.disabled_at, after.disabled_at) {
            (None, Some(_)) => "application.disabled",
            (Some(_), None) => "application.enabled",
            _ => "application.updated",
        };
        let event = self.event(action, None).subject(id).with("client_id", after.client_id.as_str());
        self.record(event.with("changed", names_of(&fields))).await?;
        self.changed("application", &part.client_id.value, fields);
        Ok(())
    }
}

fn is_same_set(one: &[Digest], other: &[Digest]) -> bool {
    one.len() == other.len() && one.iter().all(|digest| other.contains(digest))
}

fn shown(application: &Application, listed: &[OrganizationId]) -> Value {
    let mut value = serde_json::to_value(&application.settings).unwrap_or_default();
    if let Value::Object(settings) = &mut value {
        let limited = settings.remove("organizations_limited").is_some_and(|limited| limited == json!(true));
        settings.insert("organizations".into(), if limited { json!(listed) } else { Value::Null });
        settings.insert("display_name".into(), json!(application.display_name));
        settings.insert("enabled".into(), json!(application.disabled_at.is_none()));
    }
    value
}
