-- One schema for SQLite and PostgreSQL: only TEXT, BIGINT (moments are milliseconds) and BYTEA; "whether" is
-- spelled as "when". Every row belongs to a project; what an organization owns names the organization.

CREATE TABLE house (
    name  TEXT PRIMARY KEY,
    value BYTEA NOT NULL
);

CREATE TABLE projects (
    id           TEXT PRIMARY KEY,
    slug         TEXT NOT NULL UNIQUE,
    display_name TEXT NOT NULL,
    settings     TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    updated_at   BIGINT NOT NULL,
    disabled_at  BIGINT
);

CREATE TABLE organizations (
    id               TEXT PRIMARY KEY,
    project_id       TEXT NOT NULL REFERENCES projects (id),
    slug             TEXT NOT NULL,
    display_name     TEXT NOT NULL,
    -- The same in lower case, in UTF-8: bytes compare alike on both engines, so that a prefix is a range.
    name_key         BYTEA NOT NULL,
    kind             TEXT,
    description      TEXT,
    logo_uri         TEXT,
    functional_roles TEXT,
    policy           TEXT NOT NULL,
    created_at       BIGINT NOT NULL,
    updated_at       BIGINT NOT NULL,
    deactivated_at   BIGINT,
    deleted_at       BIGINT,
    -- When what is left of a deleted one is forgotten; absent once that is done.
    purge_at         BIGINT,
    -- One more with every deactivation and deletion: what was issued in an earlier one is dead for good (threats H03).
    epoch            BIGINT NOT NULL
);
CREATE UNIQUE INDEX organizations_project_id_slug_key ON organizations (project_id, slug);
CREATE INDEX organizations_by_id ON organizations (project_id, id);
CREATE INDEX organizations_by_name ON organizations (project_id, name_key, id);
CREATE INDEX organizations_to_purge ON organizations (purge_at) WHERE purge_at IS NOT NULL;

-- Every slug that an organization has ever had: a retired one is never given to another (applications key on it).
CREATE TABLE organization_slugs (
    project_id      TEXT NOT NULL REFERENCES projects (id),
    slug            TEXT NOT NULL,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    PRIMARY KEY (project_id, slug)
);

CREATE TABLE connections (
    id              TEXT PRIMARY KEY,
    project_id      TEXT NOT NULL REFERENCES projects (id),
    -- Absent: the connection is the project's own, and not domain-based.
    organization_id TEXT REFERENCES organizations (id),
    slug            TEXT NOT NULL,
    display_name    TEXT NOT NULL,
    state           TEXT NOT NULL,
    version         BIGINT NOT NULL,
    settings        TEXT NOT NULL,
    -- Client secret or private key, sealed.
    secret          BYTEA,
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL,
    -- Since when somebody should look it over, because the provider says something else of itself.
    review_since    BIGINT,
    -- Where a roll back leads.
    previous_version BIGINT,
    -- When the settings went live that are live, or were last; absent: none ever were.
    activated_at    BIGINT,
    -- Since when it is the one of its organization that is meant where no other is named.
    primary_since   BIGINT,
    -- When the first of the certificates of its settings ends whose end is told.
    certificates_end_at BIGINT,
    -- 1: its newcomers also join organizations whose connection it is not.
    joins_others    BIGINT
);
CREATE INDEX connections_ending ON connections (certificates_end_at, id) WHERE certificates_end_at IS NOT NULL;
CREATE INDEX connections_that_join ON connections (project_id, joins_others, id) WHERE joins_others IS NOT NULL;
CREATE UNIQUE INDEX connections_project_id_slug_key ON connections (project_id, slug);
CREATE INDEX connections_by_organization ON connections (organization_id);
CREATE INDEX connections_by_page ON connections (project_id, id);
-- With an empty text: the project's own.
CREATE INDEX connections_by_place ON connections (project_id, COALESCE(organization_id, ''), id);
CREATE UNIQUE INDEX connections_primary_key ON connections (organization_id) WHERE primary_since IS NOT NULL;

-- What was made of a connection: the draft, what is live (as it was when it went live; the row above is what counts), and
-- what was live before.
CREATE TABLE connection_versions (
    connection_id TEXT NOT NULL REFERENCES connections (id),
    version       BIGINT NOT NULL,
    -- draft, live, superseded, rolled_back, discarded
    state         TEXT NOT NULL,
    settings      TEXT NOT NULL,
    -- Sealed, as in the row of the connection.
    secret        BYTEA,
    created_by    TEXT NOT NULL,
    -- The delegation, or the application that they had to allow, by which they acted.
    by_leave      TEXT,
    created_at    BIGINT NOT NULL,
    -- What was live when somebody began to draft it.
    begun_on      BIGINT,
    activated_at  BIGINT,
    -- The first login by it that succeeded.
    worked_at     BIGINT,
    ended_at      BIGINT,
    reason        TEXT,
    PRIMARY KEY (connection_id, version)
);
CREATE UNIQUE INDEX connection_versions_draft_key ON connection_versions (connection_id) WHERE state = 'draft';
CREATE UNIQUE INDEX connection_versions_live_key ON connection_versions (connection_id) WHERE state = 'live';

-- How a version of a connection does: of which nothing is known is not here.
CREATE TABLE connection_runs (
    connection_id TEXT NOT NULL REFERENCES connections (id),
    version       BIGINT NOT NULL,
    -- When somebody first signed in by it.
    worked_at     BIGINT,
    -- In a row, since somebody last did: those alone that nobody can feign but who the provider is, or was before.
    failures      BIGINT NOT NULL,
    failing_since BIGINT,
    -- When its owners were told that only they can bring back what was live before.
    told_at       BIGINT,
    -- When a sign-in last left groups out that the provider says, or that it does not say. Of one day the first.
    groups_missing_at BIGINT,
    PRIMARY KEY (connection_id, version)
);
CREATE INDEX connection_runs_failing ON connection_runs (failures) WHERE worked_at IS NULL AND failures > 0;

-- Whom they befell, each once.
CREATE TABLE connection_run_failures (
    connection_id TEXT NOT NULL REFERENCES connections (id),
    version       BIGINT NOT NULL,
    who           BYTEA NOT NULL,
    failed_at     BIGINT NOT NULL,
    -- When it befell somebody who is known, by an answer that the version itself believes.
    known_at      BIGINT,
    PRIMARY KEY (connection_id, version, who)
);
CREATE INDEX connection_run_failures_by_moment ON connection_run_failures (failed_at);

-- What the provider of a connection last said of itself: its endpoints, at its issuer, and which keys it has (by their
-- thumbprints), at the address of those. A JSON list.
CREATE TABLE connection_upstreams (
    connection_id TEXT NOT NULL REFERENCES connections (id),
    address       TEXT NOT NULL,
    said          TEXT NOT NULL,
    seen_at       BIGINT NOT NULL,
    PRIMARY KEY (connection_id, address)
);

-- How many sign-ins ended how, by the hour. The list of failures is the audit trail.
CREATE TABLE connection_hours (
    connection_id TEXT NOT NULL REFERENCES connections (id),
    hour          BIGINT NOT NULL,
    version       BIGINT NOT NULL,
    -- Empty: somebody signed in.
    reason        TEXT NOT NULL,
    many          BIGINT NOT NULL,
    PRIMARY KEY (connection_id, hour, version, reason)
);
CREATE INDEX connection_hours_by_hour ON connection_hours (hour);

CREATE TABLE domains (
    id              TEXT PRIMARY KEY,
    project_id      TEXT NOT NULL REFERENCES projects (id),
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    name            TEXT NOT NULL,
    state           TEXT NOT NULL,
    -- dns_txt or http_file.
    method          TEXT NOT NULL,
    challenge       TEXT NOT NULL,
    -- Until when it proves a claim that is pending.
    challenge_until BIGINT NOT NULL,
    -- The fresh one that a verified domain must prove in time (threats C16).
    next_challenge       TEXT,
    next_challenge_since BIGINT,
    -- When the present challenge was first proved.
    proved_at       BIGINT,
    routing_since   BIGINT,
    trust_since     BIGINT,
    auto_join_since BIGINT,
    auto_join       TEXT NOT NULL,
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL,
    verified_at     BIGINT,
    lapsed_at       BIGINT,
    removed_at      BIGINT,
    checked_at      BIGINT,
    next_check_at   BIGINT NOT NULL,
    misses          BIGINT NOT NULL,
    missed_at       BIGINT,
    -- What the last look found.
    answer          TEXT,
    -- Of what was registered, sorted: another set is another owner, perhaps.
    nameservers     TEXT
);
CREATE UNIQUE INDEX domains_organization_id_name_key ON domains (organization_id, name);
-- Every claim on a name, which each sign-in asks for.
CREATE INDEX domains_by_name ON domains (project_id, name);
-- At most one organization holds a domain verified (threats C15).
CREATE UNIQUE INDEX domains_project_id_name_key ON domains (project_id, name) WHERE state = 'verified';
CREATE INDEX domains_to_check ON domains (next_check_at);

CREATE TABLE domain_connections (
    domain_id     TEXT NOT NULL REFERENCES domains (id),
    connection_id TEXT NOT NULL REFERENCES connections (id),
    PRIMARY KEY (domain_id, connection_id)
);
CREATE INDEX domain_connections_by_connection ON domain_connections (connection_id);

CREATE TABLE applications (
    id              TEXT PRIMARY KEY,
    project_id      TEXT NOT NULL REFERENCES projects (id),
    -- Absent: the project's own.
    organization_id TEXT REFERENCES organizations (id),
    client_id       TEXT NOT NULL,
    display_name    TEXT NOT NULL,
    settings        TEXT NOT NULL,
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL,
    disabled_at     BIGINT,
    -- Since when its organization is not active, or may own none.
    stopped_at      BIGINT
);
CREATE UNIQUE INDEX applications_project_id_client_id_key ON applications (project_id, client_id);
CREATE INDEX applications_by_id ON applications (project_id, id);
CREATE INDEX applications_by_organization ON applications (organization_id, id);

CREATE TABLE application_secrets (
    application_id TEXT NOT NULL REFERENCES applications (id),
    digest         BYTEA NOT NULL,
    created_at     BIGINT NOT NULL,
    PRIMARY KEY (application_id, digest)
);

-- By which clients register themselves: so many, and none after its end.
CREATE TABLE registration_tokens (
    id           TEXT PRIMARY KEY,
    project_id   TEXT NOT NULL REFERENCES projects (id),
    name         TEXT NOT NULL,
    digest       BYTEA NOT NULL,
    limits       TEXT NOT NULL,
    most_uses    BIGINT NOT NULL,
    uses         BIGINT NOT NULL,
    created_by   TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    revoked_at   BIGINT,
    last_used_at BIGINT
);
CREATE INDEX registration_tokens_by_project ON registration_tokens (project_id, id);

-- Applications that registered themselves, and the digest of what they manage themselves with. Once one is disabled, it
-- does not any more.
CREATE TABLE client_registrations (
    application_id TEXT PRIMARY KEY REFERENCES applications (id),
    token_id       TEXT NOT NULL REFERENCES registration_tokens (id),
    digest         BYTEA NOT NULL,
    -- Those of the token, whatever becomes of it; and what the operator has made of the client since.
    limits         TEXT NOT NULL,
    created_at     BIGINT NOT NULL,
    rotated_at     BIGINT NOT NULL
);

-- What the pairwise names of a project's people are derived of, sealed. It never changes.
CREATE TABLE pairwise_salts (
    project_id TEXT PRIMARY KEY REFERENCES projects (id),
    salt       BYTEA NOT NULL,
    created_at BIGINT NOT NULL
);

-- The origins of an application's pages, as its settings list them: whoever asks from one before anything is known of the
-- application is found here.
CREATE TABLE application_origins (
    application_id TEXT NOT NULL REFERENCES applications (id),
    project_id     TEXT NOT NULL REFERENCES projects (id),
    origin         TEXT NOT NULL,
    PRIMARY KEY (application_id, origin)
);
CREATE INDEX application_origins_by_origin ON application_origins (project_id, origin);

-- The organizations that may use an application which is not open to all of them.
CREATE TABLE application_organizations (
    application_id  TEXT NOT NULL REFERENCES applications (id),
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    PRIMARY KEY (application_id, organization_id)
);
CREATE INDEX application_organizations_by_organization ON application_organizations (organization_id);

CREATE TABLE users (
    id          TEXT PRIMARY KEY,
    project_id  TEXT NOT NULL REFERENCES projects (id),
    email       TEXT,
    -- When we or the domain's own connection proved the address.
    email_verified_at BIGINT,
    -- The proved address within the domain's present claim: one user each, and never a way to find a user.
    email_claim TEXT,
    profile     TEXT NOT NULL,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    disabled_at BIGINT
);
CREATE UNIQUE INDEX users_project_id_email_claim_key ON users (project_id, email_claim);
CREATE INDEX users_by_email ON users (project_id, email);

CREATE TABLE identities (
    id            TEXT PRIMARY KEY,
    project_id    TEXT NOT NULL REFERENCES projects (id),
    user_id       TEXT NOT NULL REFERENCES users (id),
    connection_id TEXT NOT NULL REFERENCES connections (id),
    issuer        TEXT NOT NULL,
    subject       TEXT NOT NULL,
    email         TEXT,
    -- What the last login said beyond the profile: by this an organization's policy pins providers.
    facts         TEXT NOT NULL,
    -- By what of its provider's answer the subject is: the same text of another kind is another name.
    naming        TEXT NOT NULL DEFAULT '"sub"',
    created_at    BIGINT NOT NULL,
    last_login_at BIGINT NOT NULL,
    -- When somebody said what they are called from now on; absent: they have come under that name.
    renamed_at    BIGINT,
    -- When somebody said last what they are called, or by which connection they come.
    named_at      BIGINT
);
-- The only way in which a login finds a user (invariant 1).
CREATE UNIQUE INDEX identities_connection_id_issuer_subject_key ON identities (connection_id, issuer, subject);
CREATE INDEX identities_by_user ON identities (user_id);
CREATE INDEX identities_by_email ON identities (connection_id, email);

CREATE TABLE memberships (
    id              TEXT PRIMARY KEY,
    project_id      TEXT NOT NULL REFERENCES projects (id),
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    user_id         TEXT NOT NULL REFERENCES users (id),
    kind            TEXT NOT NULL,
    status          TEXT NOT NULL,
    source          TEXT NOT NULL,
    roles           TEXT NOT NULL,
    -- The user's id where the project is exclusive: one membership, ever.
    exclusive_user  TEXT,
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL,
    -- Since when it is a tombstone.
    removed_at      BIGINT,
    -- When the person last acted for the organization, exact to an hour.
    last_active_at  BIGINT
);
CREATE INDEX memberships_by_page ON memberships (organization_id, id);
CREATE UNIQUE INDEX memberships_organization_id_user_id_key ON memberships (organization_id, user_id);
CREATE UNIQUE INDEX memberships_exclusive_user_key ON memberships (exclusive_user);
CREATE INDEX memberships_by_user ON memberships (user_id, organization_id);
CREATE INDEX memberships_by_source ON memberships (organization_id, source, created_at);

-- Sign-ins on trial: they end in what is written here, and in nothing else.
CREATE TABLE connection_tests (
    id              TEXT PRIMARY KEY,
    project_id      TEXT NOT NULL REFERENCES projects (id),
    organization_id TEXT REFERENCES organizations (id),
    connection_id   TEXT NOT NULL REFERENCES connections (id),
    version         BIGINT NOT NULL,
    -- Of the token in the link.
    digest          BYTEA NOT NULL,
    created_by      TEXT NOT NULL,
    created_at      BIGINT NOT NULL,
    expires_at      BIGINT NOT NULL,
    began_at        BIGINT,
    ended_at        BIGINT,
    outcome         TEXT,
    reason          TEXT,
    -- What would have been taken, and what came.
    expected        TEXT,
    found           TEXT,
    subject         TEXT,
    email           TEXT,
    user_id         TEXT REFERENCES users (id),
    -- Whether an administrator tried it: who may do more finds less.
    tester          TEXT,
    domain_rule     TEXT,
    claims          TEXT NOT NULL,
    -- How much of what came is not among them.
    left_out        TEXT NOT NULL DEFAULT '{}',
    -- As a sign-in would have kept them: role rules are tried by them.
    facts           TEXT NOT NULL
);
CREATE UNIQUE INDEX connection_tests_digest_key ON connection_tests (digest);
CREATE INDEX connection_tests_by_expiry ON connection_tests (expires_at);
CREATE INDEX connection_tests_by_connection ON connection_tests (connection_id, id);
CREATE INDEX connection_tests_by_organization ON connection_tests (organization_id, outcome, ended_at);

-- People who get in when their organization's own sign-in is down.
CREATE TABLE break_glass (
    organization_id    TEXT NOT NULL REFERENCES organizations (id),
    user_id            TEXT NOT NULL REFERENCES users (id),
    -- When they last showed that they hold their second factor.
    factor_verified_at BIGINT,
    last_used_at       BIGINT,
    created_at         BIGINT NOT NULL,
    PRIMARY KEY (organization_id, user_id)
);

-- An index of memberships.roles, which stays the truth: who holds a role is found without reading every member.
CREATE TABLE membership_roles (
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    role            TEXT NOT NULL,
    membership_id   TEXT NOT NULL REFERENCES memberships (id),
    PRIMARY KEY (organization_id, role, membership_id)
);
CREATE INDEX membership_roles_by_membership ON membership_roles (membership_id);
CREATE INDEX membership_roles_by_role ON membership_roles (role, organization_id);

-- By what people are found, in lower case and in UTF-8: the address, what stands before its @, and each word of the name.
-- Bytes compare alike on both engines, so that a beginning is a range.
CREATE TABLE user_terms (
    project_id TEXT NOT NULL REFERENCES projects (id),
    term       BYTEA NOT NULL,
    user_id    TEXT NOT NULL REFERENCES users (id),
    PRIMARY KEY (project_id, term, user_id)
);
CREATE INDEX user_terms_by_user ON user_terms (user_id, term);

-- What people have allowed applications of others to be told of them.
CREATE TABLE consents (
    user_id        TEXT NOT NULL REFERENCES users (id),
    application_id TEXT NOT NULL REFERENCES applications (id),
    -- By which it was shown to them. By another one it was allowed nothing.
    name           TEXT NOT NULL,
    -- What each page said: for which organization they acted (null: for themselves), where it led them, the audiences and
    -- the scopes. Read as a whole, on the way of every token.
    told           TEXT NOT NULL,
    created_at     BIGINT NOT NULL,
    updated_at     BIGINT NOT NULL,
    PRIMARY KEY (user_id, application_id)
);
CREATE INDEX consents_by_application ON consents (application_id);

-- Pending requests to join. The token is known by its digest alone.
CREATE TABLE invitations (
    id              TEXT PRIMARY KEY,
    project_id      TEXT NOT NULL REFERENCES projects (id),
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    email           TEXT NOT NULL,
    kind            TEXT NOT NULL,
    roles           TEXT NOT NULL,
    message         TEXT,
    -- A user, a key, or the operator: what they may when it is accepted decides what it gives.
    invited_by      TEXT NOT NULL,
    digest          BYTEA NOT NULL,
    created_at      BIGINT NOT NULL,
    -- Milliseconds, from whenever it is given a token.
    term            BIGINT NOT NULL,
    expires_at      BIGINT NOT NULL,
    accepted_at     BIGINT,
    accepted_by     TEXT REFERENCES users (id),
    revoked_at      BIGINT,
    revoked_by      TEXT,
    -- The address, while it waits: one for each in an organization.
    pending         TEXT,
    -- Where who has accepted it is led to: an application, and an address that is registered there.
    application_id  TEXT REFERENCES applications (id),
    redirect_uri    TEXT,
    language        TEXT,
    -- The mail that holds its link; absent: the link was handed over.
    mail_id         TEXT
);
CREATE UNIQUE INDEX invitations_digest_key ON invitations (digest);
CREATE UNIQUE INDEX invitations_organization_id_pending_key ON invitations (organization_id, pending);
CREATE INDEX invitations_by_page ON invitations (organization_id, id);

-- An owner's place, offered to somebody who has still to accept it.
CREATE TABLE ownership_transfers (
    id              TEXT PRIMARY KEY,
    project_id      TEXT NOT NULL REFERENCES projects (id),
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    from_user       TEXT NOT NULL REFERENCES users (id),
    to_user         TEXT NOT NULL REFERENCES users (id),
    created_at      BIGINT NOT NULL,
    expires_at      BIGINT NOT NULL,
    accepted_at     BIGINT,
    cancelled_at    BIGINT,
    -- The organization, while it waits: one at a time.
    pending         TEXT
);
CREATE UNIQUE INDEX ownership_transfers_pending_key ON ownership_transfers (pending);
CREATE INDEX ownership_transfers_by_organization ON ownership_transfers (organization_id);
CREATE INDEX ownership_transfers_by_successor ON ownership_transfers (to_user) WHERE pending IS NOT NULL;

-- Mails that wait to be sent, and what became of them. What is in one is forgotten when it is sent or given up.
CREATE TABLE mails (
    id              TEXT PRIMARY KEY,
    project_id      TEXT NOT NULL REFERENCES projects (id),
    organization_id TEXT REFERENCES organizations (id),
    recipient       TEXT NOT NULL,
    language        TEXT,
    kind            TEXT NOT NULL,
    letter          TEXT,
    -- The secret part of its link, sealed.
    secret          BYTEA,
    created_at      BIGINT NOT NULL,
    -- After this it helps nobody.
    expires_at      BIGINT NOT NULL,
    tries           BIGINT NOT NULL,
    -- Absent: it is sent, given up or taken back.
    next_try_at     BIGINT,
    -- A node is sending it.
    claimed_until   BIGINT,
    sent_at         BIGINT,
    failed_at       BIGINT,
    failure         TEXT
);
CREATE INDEX mails_due ON mails (next_try_at) WHERE next_try_at IS NOT NULL;
CREATE INDEX mails_by_age ON mails (created_at);
CREATE INDEX mails_by_organization ON mails (organization_id) WHERE organization_id IS NOT NULL;

-- Who is expected: memberships given to an address before its owner has signed in through the connection of
-- that address's verified domain. Used once.
CREATE TABLE expected_members (
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    project_id      TEXT NOT NULL REFERENCES projects (id),
    email           TEXT NOT NULL,
    -- Of the address.
    domain          TEXT NOT NULL,
    kind            TEXT NOT NULL,
    roles           TEXT NOT NULL,
    created_at      BIGINT NOT NULL,
    used_at         BIGINT,
    used_by         TEXT REFERENCES users (id),
    PRIMARY KEY (organization_id, email)
);
CREATE INDEX expected_members_by_email ON expected_members (project_id, email);
CREATE INDEX expected_members_by_domain ON expected_members (project_id, domain) WHERE used_at IS NULL;

CREATE TABLE roles (
    id              TEXT PRIMARY KEY,
    project_id      TEXT NOT NULL REFERENCES projects (id),
    -- Absent: a role that every organization of the project has.
    organization_id TEXT REFERENCES organizations (id),
    scope           TEXT NOT NULL,
    -- What memberships and tokens name: it never changes. What people see does.
    name            TEXT NOT NULL,
    display_name    TEXT NOT NULL,
    permissions     TEXT NOT NULL,
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL
);
CREATE INDEX roles_by_organization ON roles (organization_id);
-- With an empty text: those of the project itself, and those that every organization has.
CREATE UNIQUE INDEX roles_by_place ON roles (project_id, COALESCE(organization_id, ''), name);
CREATE INDEX roles_by_name ON roles (project_id, name);

-- Roles of the project itself, which people have where they act for no organization.
CREATE TABLE user_roles (
    user_id TEXT NOT NULL REFERENCES users (id),
    role_id TEXT NOT NULL REFERENCES roles (id),
    PRIMARY KEY (user_id, role_id)
);
CREATE INDEX user_roles_by_role ON user_roles (role_id);

-- What an identity provider says of somebody, and the role that gives them: judged when a token is minted (threats H01).
CREATE TABLE role_rules (
    id              TEXT PRIMARY KEY,
    project_id      TEXT NOT NULL REFERENCES projects (id),
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    connection_id   TEXT NOT NULL REFERENCES connections (id),
    claim           TEXT NOT NULL,
    matching        TEXT NOT NULL,
    value           TEXT NOT NULL,
    role            TEXT NOT NULL,
    -- The owner, or whoever ran the project, that wanted a role which may change something.
    approved_by     TEXT,
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL
);
CREATE INDEX role_rules_by_page ON role_rules (organization_id, id);
CREATE INDEX role_rules_by_role ON role_rules (role, organization_id);
CREATE INDEX role_rules_by_connection ON role_rules (connection_id, organization_id, id);

CREATE TABLE delegations (
    id                   TEXT PRIMARY KEY,
    project_id           TEXT NOT NULL REFERENCES projects (id),
    -- An organization proposes one to whom it names; that there is nobody of this name it is not told, so that the other
    -- one of the two may be nobody.
    home_organization_id TEXT NOT NULL,
    target_organization_id TEXT NOT NULL,
    -- Until the other one approves it: who proposed it, as what, and to whom by which name.
    asked                TEXT,
    settings             TEXT NOT NULL,
    starts_at            BIGINT,
    ends_at              BIGINT,
    home_approved_at     BIGINT,
    target_approved_at   BIGINT,
    paused_at            BIGINT,
    revoked_at           BIGINT,
    created_at           BIGINT NOT NULL,
    updated_at           BIGINT NOT NULL
);
-- What is revoked stays so; the two may agree anew.
CREATE UNIQUE INDEX delegations_home_organization_id_target_organization_id_key ON delegations (home_organization_id, target_organization_id) WHERE revoked_at IS NULL;
CREATE UNIQUE INDEX delegations_asked_key ON delegations (asked) WHERE revoked_at IS NULL;
CREATE INDEX delegations_by_home ON delegations (home_organization_id, id);
CREATE INDEX delegations_by_target ON delegations (target_organization_id, id);

-- A browser: what its cookie's id points to. No fact lives here that a lost update could harm.
CREATE TABLE browsers (
    digest     BYTEA PRIMARY KEY,
    sessions   TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX browsers_by_expiry ON browsers (expires_at);

CREATE TABLE sessions (
    id              TEXT PRIMARY KEY,
    project_id      TEXT NOT NULL REFERENCES projects (id),
    user_id         TEXT NOT NULL REFERENCES users (id),
    identity_id     TEXT NOT NULL REFERENCES identities (id),
    connection_id   TEXT NOT NULL REFERENCES connections (id),
    authenticated_at BIGINT NOT NULL,
    -- When that was taken for the moment, because the identity provider did not say.
    assumed_at      BIGINT,
    amr             TEXT NOT NULL,
    acr             TEXT NOT NULL,
    created_at      BIGINT NOT NULL,
    expires_at      BIGINT NOT NULL,
    ended_at        BIGINT,
    -- The epoch, at that time, of the organization whose connection proved the person.
    provider_epoch  BIGINT,
    -- What the person has switched to, in which epoch: by now they may have left it.
    current_organization_id TEXT REFERENCES organizations (id),
    current_epoch   BIGINT,
    -- When the browser was here, and roughly which it is: by two words, never as it names itself.
    seen_at         BIGINT NOT NULL,
    browser         TEXT
);
CREATE INDEX sessions_by_user ON sessions (user_id);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

-- By what an identity provider knows a session: its NameID, or `sub` and `sid`: it names it so when it ends there.
CREATE TABLE upstream_sessions (
    session_id    TEXT NOT NULL REFERENCES sessions (id),
    connection_id TEXT NOT NULL REFERENCES connections (id),
    subject       TEXT NOT NULL,
    name          TEXT NOT NULL,
    -- Empty where it was given none. Whoever signs in again gets one more.
    session_index TEXT NOT NULL,
    known_since   BIGINT NOT NULL,
    PRIMARY KEY (session_id, subject, session_index)
);
CREATE INDEX upstream_sessions_by_subject ON upstream_sessions (connection_id, subject);
CREATE INDEX upstream_sessions_by_index ON upstream_sessions (connection_id, session_index);

-- A token family: (session, application, organization). It begins as an authorization code, or by switching from
-- another family.
CREATE TABLE grants (
    id              TEXT PRIMARY KEY,
    -- Of one that somebody switched to: the family of the code that it goes back to, which may be forgotten by now. A
    -- theft ends all of them.
    origin_id       TEXT,
    -- Of one that a token was exchanged for: the family of that token, without which it is worth nothing.
    subject_id      TEXT,
    project_id      TEXT NOT NULL REFERENCES projects (id),
    session_id      TEXT NOT NULL REFERENCES sessions (id),
    application_id  TEXT NOT NULL REFERENCES applications (id),
    user_id         TEXT NOT NULL REFERENCES users (id),
    organization_id TEXT REFERENCES organizations (id),
    delegation_id   TEXT REFERENCES delegations (id),
    -- The epochs in which it was given: of the organization, and of the home of a delegate.
    organization_epoch BIGINT,
    home_epoch      BIGINT,
    -- Absent: it did not begin with a code of its own.
    code_digest     BYTEA,
    request         TEXT NOT NULL,
    created_at      BIGINT NOT NULL,
    code_expires_at BIGINT NOT NULL,
    code_used_at    BIGINT,
    expires_at      BIGINT NOT NULL,
    revoked_at      BIGINT,
    -- Since when it outlives the session.
    offline_since   BIGINT,
    -- What its refresh tokens are derived of, sealed; which of them is good, since when, and until when if nobody uses it.
    refresh_secret  BYTEA,
    refresh_generation BIGINT,
    refresh_rotated_at BIGINT,
    refresh_expires_at BIGINT,
    -- What whoever comes with one must prove to hold: JSON, as tokens show it.
    refresh_binding TEXT
);
-- Every login writes them all, so they are few: a code names its row, and people are found by their sessions.
CREATE INDEX grants_by_origin ON grants (origin_id) WHERE origin_id IS NOT NULL;
CREATE INDEX grants_by_session ON grants (session_id);
CREATE INDEX grants_by_expiry ON grants (expires_at);
CREATE INDEX grants_by_application ON grants (application_id) WHERE revoked_at IS NULL;
CREATE INDEX grants_by_delegation ON grants (delegation_id) WHERE delegation_id IS NOT NULL;

-- What an application was given for itself, without anybody: one access token.
CREATE TABLE machine_grants (
    id              TEXT PRIMARY KEY,
    project_id      TEXT NOT NULL REFERENCES projects (id),
    application_id  TEXT NOT NULL REFERENCES applications (id),
    organization_id TEXT REFERENCES organizations (id),
    -- The epoch of the organization in which it was given.
    organization_epoch BIGINT,
    scopes          TEXT NOT NULL,
    created_at      BIGINT NOT NULL,
    expires_at      BIGINT NOT NULL,
    revoked_at      BIGINT
);
CREATE INDEX machine_grants_by_expiry ON machine_grants (expires_at);
CREATE INDEX machine_grants_by_application ON machine_grants (application_id) WHERE revoked_at IS NULL;

-- Devices that wait for somebody to let them in (RFC 8628), by the family that comes of it.
CREATE TABLE device_codes (
    id              TEXT PRIMARY KEY,
    project_id      TEXT NOT NULL REFERENCES projects (id),
    application_id  TEXT NOT NULL REFERENCES applications (id),
    -- Of what the device asks with.
    device_digest   BYTEA NOT NULL,
    -- Of what the person types, keyed: it is short.
    user_digest     BYTEA NOT NULL,
    request         TEXT NOT NULL,
    created_at      BIGINT NOT NULL,
    expires_at      BIGINT NOT NULL,
    -- Seconds between two questions, when it asked last, and whether that was too soon.
    poll_interval   BIGINT NOT NULL,
    polled_at       BIGINT,
    slowed_at       BIGINT,
    -- How often somebody has typed the code.
    entries         BIGINT NOT NULL,
    -- When somebody has let it in: from then on its family stands among the grants, and waits for the device.
    approved_at     BIGINT,
    denied_at       BIGINT,
    used_at         BIGINT
);
CREATE UNIQUE INDEX device_codes_project_id_user_digest_key ON device_codes (project_id, user_digest);
CREATE INDEX device_codes_by_expiry ON device_codes (expires_at);

-- Authorization requests that applications have pushed (RFC 9126): each is deleted by whoever uses it.
CREATE TABLE pushed_requests (
    -- Of its name.
    digest         BYTEA PRIMARY KEY,
    project_id     TEXT NOT NULL REFERENCES projects (id),
    application_id TEXT NOT NULL REFERENCES applications (id),
    asked          TEXT NOT NULL,
    expires_at     BIGINT NOT NULL
);
CREATE INDEX pushed_requests_by_expiry ON pushed_requests (expires_at);

-- Which applications got tokens in which session: they are told when it ends. Empty where nobody is acted for, where no
-- delegation lets them, and where it is nobody's.
CREATE TABLE session_applications (
    session_id      TEXT NOT NULL REFERENCES sessions (id),
    application_id  TEXT NOT NULL REFERENCES applications (id),
    user_id         TEXT NOT NULL REFERENCES users (id),
    -- The organization.
    acts_for        TEXT NOT NULL,
    delegation_id   TEXT NOT NULL,
    -- The organization whose people may act by the delegation.
    home_id         TEXT NOT NULL,
    since           BIGINT NOT NULL,
    -- The turns of what had ended before they came back: its end is not theirs. Mostly empty.
    spared          TEXT NOT NULL,
    -- Since when it is over, and not told of: of what is for nobody, taken back while the rest lives, which that would end,
    -- too; of what is for an organization, given back by the application itself.
    over_since      BIGINT,
    PRIMARY KEY (session_id, application_id, acts_for, delegation_id)
);
CREATE INDEX session_applications_by_user ON session_applications (user_id);
CREATE INDEX session_applications_by_organization ON session_applications (acts_for) WHERE acts_for <> '';
CREATE INDEX session_applications_by_delegation ON session_applications (delegation_id) WHERE delegation_id <> '';
CREATE INDEX session_applications_by_home ON session_applications (home_id) WHERE home_id <> '';

-- What ended, until every application that it concerns is in line to be told: one row, however many sessions it ends.
CREATE TABLE sign_outs (
    kind       TEXT NOT NULL,
    ended_id   TEXT NOT NULL,
    -- Of a membership, or of what a session has for one organization: the organization. Otherwise empty.
    within_id  TEXT NOT NULL,
    project_id TEXT NOT NULL REFERENCES projects (id),
    created_at BIGINT NOT NULL,
    -- How often some of it has been put in line.
    rounds     BIGINT NOT NULL,
    -- Another one each time that it ends. Empty for a session, which ends once.
    turn       TEXT NOT NULL,
    PRIMARY KEY (kind, ended_id, within_id)
);
CREATE INDEX sign_outs_by_age ON sign_outs (created_at);

-- What applications are still to be told of sessions that ended, by back-channel logout. What is told is gone.
CREATE TABLE logout_notices (
    id              TEXT PRIMARY KEY,
    project_id      TEXT NOT NULL REFERENCES projects (id),
    application_id  TEXT NOT NULL REFERENCES applications (id),
    -- Both may be forgotten before it is told.
    session_id      TEXT NOT NULL,
    user_id         TEXT NOT NULL,
    -- Only what they had for this one is over.
    organization_id TEXT,
    created_at      BIGINT NOT NULL,
    expires_at      BIGINT NOT NULL,
    tries           BIGINT NOT NULL,
    next_try_at     BIGINT NOT NULL,
    -- A node is telling it.
    claimed_until   BIGINT,
    failure         TEXT
);
CREATE INDEX logout_notices_due ON logout_notices (application_id, next_try_at);
CREATE INDEX logout_notices_by_session ON logout_notices (session_id);
CREATE INDEX logout_notices_by_organization ON logout_notices (organization_id) WHERE organization_id IS NOT NULL;

CREATE TABLE signing_keys (
    id          TEXT PRIMARY KEY,
    project_id  TEXT NOT NULL REFERENCES projects (id),
    algorithm   TEXT NOT NULL,
    -- Counts the keys of this algorithm: two nodes that rotate at once make one successor.
    generation  BIGINT NOT NULL,
    public_jwk  TEXT NOT NULL,
    private_key BYTEA NOT NULL,
    created_at  BIGINT NOT NULL,
    signs_from  BIGINT NOT NULL,
    signs_until BIGINT,
    published_until BIGINT
);
CREATE UNIQUE INDEX signing_keys_project_id_algorithm_generation_key ON signing_keys (project_id, algorithm, generation);

-- Towards SAML identity providers: long-lived, with certificates that their administrators pin.
CREATE TABLE saml_keys (
    id          TEXT PRIMARY KEY,
    project_id  TEXT NOT NULL REFERENCES projects (id),
    purpose     TEXT NOT NULL,
    -- Counts the keys of this purpose: two nodes that make one at once make one.
    generation  BIGINT NOT NULL,
    certificate BYTEA NOT NULL,
    private_key BYTEA NOT NULL,
    created_at  BIGINT NOT NULL,
    begins_at   BIGINT,
    ends_at     BIGINT,
    kept_until  BIGINT
);
CREATE UNIQUE INDEX saml_keys_project_id_purpose_generation_key ON saml_keys (project_id, purpose, generation);

-- Metadata at an address, which is read again from time to time; apart from the connection, whose row a look that
-- finds nothing new leaves alone.
CREATE TABLE metadata_reads (
    connection_id TEXT PRIMARY KEY REFERENCES connections (id),
    next_read_at  BIGINT NOT NULL,
    -- The last time that it was read in full.
    read_at       BIGINT NOT NULL,
    -- In a row, since then, and why.
    failures      BIGINT NOT NULL,
    failure       TEXT,
    -- By its digest, what waits for somebody, as the trail told it last, and as owners were last written to.
    told_offer    TEXT,
    told_at       BIGINT,
    mailed_offer  TEXT,
    mailed_at     BIGINT
);
CREATE INDEX metadata_reads_due ON metadata_reads (next_read_at);

-- About what of a connection its owners have been written to: when that ends, or since when it is so, and at which of the
-- times before. Another moment is another thing, which begins anew.
CREATE TABLE connection_notices (
    connection_id TEXT NOT NULL REFERENCES connections (id),
    -- provider_certificate, signing_certificate, decryption_certificate, metadata, metadata_unreadable
    what          TEXT NOT NULL,
    moment        BIGINT NOT NULL,
    stage         BIGINT NOT NULL,
    PRIMARY KEY (connection_id, what)
);

-- What has been used once and must never be used again: ids of client assertions.
CREATE TABLE used (
    kind       TEXT NOT NULL,
    scope      TEXT NOT NULL,
    value      TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (kind, scope, value)
);
CREATE INDEX used_by_expiry ON used (expires_at);

-- Callers of the administration API that are no person: operator tokens, and keys of an organization.
CREATE TABLE api_keys (
    id              TEXT PRIMARY KEY,
    project_id      TEXT NOT NULL REFERENCES projects (id),
    -- Absent: an operator token.
    organization_id TEXT REFERENCES organizations (id),
    -- The organization's when the key was made.
    organization_epoch BIGINT,
    name            TEXT NOT NULL,
    permissions     TEXT NOT NULL,
    networks        TEXT NOT NULL,
    created_by      TEXT NOT NULL,
    created_at      BIGINT NOT NULL,
    expires_at      BIGINT,
    revoked_at      BIGINT,
    last_used_at    BIGINT
);
CREATE INDEX api_keys_by_page ON api_keys (project_id, organization_id, id);
CREATE INDEX api_keys_by_organization ON api_keys (organization_id) WHERE organization_id IS NOT NULL;

-- At most two that live: while a key is rotated, the old secret works beside the new one.
CREATE TABLE api_key_secrets (
    api_key_id TEXT NOT NULL REFERENCES api_keys (id),
    digest     BYTEA NOT NULL,
    -- Who has read it, and must still be there when it is used. Absent: the operator.
    shown_to   TEXT REFERENCES users (id),
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    PRIMARY KEY (api_key_id, digest)
);

-- What was answered to a write that named itself by `Idempotency-Key`, for who asks again.
CREATE TABLE idempotency_keys (
    project_id  TEXT NOT NULL REFERENCES projects (id),
    caller      TEXT NOT NULL,
    value       TEXT NOT NULL,
    fingerprint BYTEA NOT NULL,
    -- Sealed; empty until the transaction that made it comes to its end.
    answer      BYTEA NOT NULL,
    expires_at  BIGINT NOT NULL,
    PRIMARY KEY (project_id, caller, value)
);
CREATE INDEX idempotency_keys_by_expiry ON idempotency_keys (expires_at);

-- Outside every cascade: nothing refers to what it names, so nothing that is deleted takes it along.
CREATE TABLE audit_events (
    id              TEXT PRIMARY KEY,
    project_id      TEXT NOT NULL,
    organization_id TEXT,
    at              BIGINT NOT NULL,
    actor           TEXT NOT NULL,
    actor_kind      TEXT NOT NULL,
    action          TEXT NOT NULL,
    subject         TEXT,
    outcome         TEXT NOT NULL,
    reason          TEXT,
    request_id      TEXT,
    -- Of what was changed: only what differs, as the API shows it.
    before          TEXT,
    after           TEXT,
    detail          TEXT NOT NULL
);
-- A page drives from the narrowest of these that its filters name, and looks at a bounded number of rows of it. What tells
-- most entries apart stands first.
CREATE INDEX audit_events_by_time ON audit_events (project_id, at, id);
CREATE INDEX audit_events_by_organization ON audit_events (project_id, organization_id, at, id);
-- Without what every sign-in and every token writes: of that there is so much that it is soon found among the rest.
CREATE INDEX audit_events_by_action ON audit_events (project_id, organization_id, action, at, id)
    WHERE action NOT IN ('login.authenticated', 'login.code_issued', 'token.issued', 'token.refreshed');
CREATE INDEX audit_events_by_subject ON audit_events (subject, project_id, at, id);
CREATE INDEX audit_events_by_actor ON audit_events (actor, project_id, at, id);
CREATE INDEX audit_events_by_request ON audit_events (request_id, project_id, at, id);

-- How far the events of a project are sealed into chains; the id is the project's.
CREATE TABLE audit_seals (
    id        TEXT PRIMARY KEY,
    sealed_at BIGINT NOT NULL,
    sealed_id TEXT NOT NULL
);

-- One chain of hashes for each organization, and one (named '') for what is no organization's. Made behind the
-- events: inside of their transactions the head of a chain would hold up every login of its organization.
CREATE TABLE audit_chains (
    project_id       TEXT NOT NULL,
    chain            TEXT NOT NULL,
    place            BIGINT NOT NULL,
    hash             BYTEA NOT NULL,
    checkpoint_place BIGINT NOT NULL,
    checkpoint_at    BIGINT NOT NULL,
    PRIMARY KEY (project_id, chain)
);
CREATE INDEX audit_chains_to_sign ON audit_chains (project_id, checkpoint_at, chain) WHERE place > checkpoint_place;

CREATE TABLE audit_links (
    project_id TEXT NOT NULL,
    chain      TEXT NOT NULL,
    place      BIGINT NOT NULL,
    event_id   TEXT NOT NULL,
    hash       BYTEA NOT NULL,
    PRIMARY KEY (project_id, chain, place)
);
CREATE UNIQUE INDEX audit_links_event_id_key ON audit_links (event_id);

-- What a chain was at a moment, signed: whoever keeps one can tell later whether the past was changed.
CREATE TABLE audit_checkpoints (
    project_id TEXT NOT NULL,
    chain      TEXT NOT NULL,
    place      BIGINT NOT NULL,
    jws        TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (project_id, chain, place)
);
