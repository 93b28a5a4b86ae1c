//! What attackers try, one file for each row of the threat list.

mod c01_foreign_addresses;
mod c01_foreign_saml_addresses;
mod c02_c03_email_is_no_key;
mod c04_signature_wrapping;
mod c05_verification_fails_closed;
mod c06_lenient_xml;
mod c07_comments;
mod c08_canonical_forms;
mod c09_brought_keys;
mod c10_encryption_is_no_signature;
mod c11_c12_mix_up;
mod c11_saml_mix_up;
mod c13_id_tokens;
mod c14_nominated_keys;
mod c16_domains_over_time;
mod c17_addresses;
mod c18_invitations;
mod c21_organizations;
mod c23_codes;
mod c24_host_headers;
mod c26_redirect_uris;
mod c27_ssrf;
mod c28_flow_hijack;
mod c29_secrets_at_rest;
mod c30_single_use;
mod h01_role_ceilings;
mod h02_last_owner;
mod h04_changed_connections;
mod h04_changed_saml_connections;
mod h04_trials;
mod h07_auto_join;
mod h08_replays;
mod h09_unsolicited;
mod h10_addressees;
mod h11_saml_times;
mod h12_oracles;
mod h13_inflation;
mod h14_dtds;
mod h16_weak_algorithms;
mod h20_hostile_providers;
mod h22_pkce;
mod h24_picker;
mod h25_tabs;
mod h26_hostile_names;
mod h27_frames;
mod h28_open_redirects;
mod m01_m02_enumeration;
mod m05_token_types;
mod m07_client_authentication;
mod m10_m11_requests;
mod m13_dns;
mod m16_m25_answers;
mod saml_corpus;

/// What assertions are encrypted by where nothing else matters.
const CIPHER: behalf::protocol::saml::encryption::Cipher =
    behalf::protocol::saml::encryption::Cipher::Aes256Gcm;
