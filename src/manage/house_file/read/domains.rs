//! `[[domain]]`

use super::keys::{Keys, Reader};
use crate::foundation::domain_name::DomainName;
use crate::foundation::public_suffix::claimable;
use crate::manage::house_file::fault::Placed;
use crate::manage::house_file::parts::DomainPart;

pub fn read(reader: &Reader<'_>, tables: Vec<Keys<'_>>) -> Vec<DomainPart> {
    let mut domains: Vec<DomainPart> = Vec::new();
    for mut keys in tables {
        let (name, organization) = (keys.required("name"), keys.required("organization"));
        let connections = keys.texts("connections").map_or_else(Vec::new, |list| list.value);
        let use_for_routing = keys.flag("use_for_routing", false);
        let trust_email = keys.flag("trust_email", false);
        let auto_join = keys.flag("auto_join", false);
        keys.finish();
        let name = name.and_then(|text| {
            let name = reader.accept(text.at, DomainName::parse(&text.value))?;
            reader.accept(text.at, claimable(&name))?;
            Some(Placed { value: name, at: text.at })
        });
        let (Some(name), Some(organization)) = (name, organization) else { continue };
        if let Some(other) = domains.iter().find(|domain| domain.name.value == name.value) {
            let line = other.name.at.line;
            reader.refuse(name.at, format!("the domain {} is claimed in line {line} already", name.value));
        }
        domains.push(DomainPart { name, organization, connections, use_for_routing, trust_email, auto_join });
    }
    domains
}
