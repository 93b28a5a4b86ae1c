//! # Behalf: a federation broker
//!
//! An application sends somebody to Behalf. Behalf finds their company's identity provider by the domain of their
//! email address, signs them in there, lets them say for which organization they act, and issues tokens that
//! carry that organization's id and name.
//!
//! ## The rooms
//!
//! An arrow only points up this list (`tests/architecture.rs` holds it):
//!
//! | room | what happens there |
//! |---|---|
//! | [`foundation`] | time, chance, ids, secrets, email addresses and domain names, each in one spelling |
//! | [`protocol`] | bytes <-> types, by the letter: [`protocol::jose`], [`protocol::oauth`], [`protocol::oidc`], [`protocol::saml`] |
//! | [`model`] | the nouns, and what is always true of them; [`model::login`] is a login's way as types |
//! | [`config`] | what the operator writes; unknown keys are refused with their line |
//! | [`telemetry`] | logs, metrics, traces |
//! | [`egress`] | the only way out: HTTP that cannot be turned against us, DNS that no one resolver can bend, the operator's mail server |
//! | [`store`] | [`store::durable`] (SQLite or PostgreSQL: what must not be lost), [`store::ephemeral`] (what may be) |
//! | [`keys`] | signing keys and their calendar, SAML keys and their certificates; what is secret at rest is sealed |
//! | [`audit`] | one function, within the transaction that it tells of |
//! | [`join`] | how somebody becomes a member or stops being one, who owns an organization, and how sessions end, whoever asks for it |
//! | [`broker`] | what every room may ask for |
//! | [`web`] | how a room meets a visitor: cookies, forms, pages, languages, answers |
//! | [`login`] | **the journey**: arrive, resolve, authenticate, choose, issue, leave; or come by an invitation ([`login::invited`]), for their own account ([`login::account`]), or to let a device in ([`login::device`]); applications of others wait for their [`login::consent`] |
//! | [`publish`] | discovery, keys, SAML metadata, assets, health |
//! | [`manage`] | organizations run themselves: [`manage::api`] for programs, [`manage::house_file`] for `behalf apply`, [`manage::account`] for people themselves |
//! | [`chores`] | what is done unattended: rotate keys, look domains up and read metadata again, send mails, tell applications of sessions that ended, forget what ran out |
//! | [`router`] | every door, mounted once |
//! | [`cli`] | the commands |
//!
//! Every room has the same furniture: `mod.rs` decides, `pages.rs` speaks HTML to people, `api.rs` speaks JSON to
//! machines. One foreign library lives in one room.
//!
//! ## What always holds
//!
//! 1. A login finds a user only by `(connection, issuer, subject)`; an email address never selects one.
//! 2. A connection asserts only addresses in domains verified now, by its own organization, and routed to it.
//! 3. Every token names at most one selected organization, and everybody it vouches for was active in the
//!    snapshot that minted it: [`login::issue::mint`] is the one list of checks, for every grant.
//! 4. Codes, refresh tokens, states, client assertions and SAML assertions are used once, across nodes and restarts.
//! 5. A refusal has a name, one audit event, and no other effect.
//!
//! 6. A write of the API is authorised, done, recorded and kept for who sends it again in one transaction:
//!    [`manage::desk::Desk::change`] is the only way to write.
//!
//! ## Walkthroughs
//!
//! **A first login.** `GET /authorize` ([`login::arrive`]) checks the request, whether it stands there, was pushed to
//! `POST /par` beforehand or is signed, and begins a [`login::flow::Journey`]; [`login::next`] finds no session and
//! shows the email page ([`login::resolve`]). The address, in its one spelling, leads by its verified domain to a
//! connection; [`login::authenticate`] sends the person there and, on their return, verifies the ID token twice and
//! makes user, identity, membership and session in one transaction. [`login::choose`] finds one organization and asks
//! nothing; [`login::issue`] runs the pipeline and writes the grant whose code the application gets.
//!
//! **A contractor.** They sign in with their own company's identity provider. [`store::durable::choices`] lists
//! their own organization and the ones that a delegation in force lets them act for; they pick one on the page.
//! The grant remembers organization and delegation; the tokens carry `org_id` of the one and `home_org_id` of the
//! other.
//!
//! **A login by SAML.** [`login::authenticate::saml`] signs an AuthnRequest. The answer is posted by the identity
//! provider's page, so it comes without our cookies: it is verified at once ([`protocol::saml::response`] is the only
//! way from bytes to an assertion, and reads nothing but what was signed), put aside as a proof, and the browser that
//! posted it is sent to the flow's own address with a ticket. The proof is taken up by ticket and flow cookie together:
//! by the browser that went and that brought the answer. From there on it is a login like any other.
//!
//! **A code is redeemed.** `POST /token` ([`login::issue::api`]) authenticates the client and looks up the room for what
//! it presents (`login::issue::token`), then, in one transaction:
//! one `UPDATE … WHERE code_used_at IS NULL RETURNING` takes the code, the pipeline runs against the same snapshot,
//! the audit event is written. A second use finds nothing to take, and revokes what the first one gave.
//!
//! **Tokens are refreshed.** All refresh tokens of a family are derived of one secret, sealed in the family's row, and
//! the row says which of them is good. One `UPDATE … WHERE refresh_generation = …` makes the next one good, after the
//! pipeline has run. Who comes with the one before within seconds is told the same successor, for the answer may have
//! got lost; who comes with an older one has stolen it, and all that goes back to the same code ends. With
//! `organization=` the person switches: they get a family of its own for that organization, which stands on the same
//! sign-in, beside the one that they had, or, with `replace=true`, in its place.
//!
//! **A device is let in.** A device without a browser posts to `/device_authorization` ([`login::issue::device`]) and shows
//! a code. Its person types that in at another device ([`login::device`]), which begins a login like any other; in the place
//! of a code for the application, [`login::next`] shows a page that says which application, for whom, from where and since
//! when, and nothing but a click there lets the device in. The device asks for its tokens every few seconds: one
//! `UPDATE … WHERE used_at IS NULL RETURNING` takes what was approved, and the pipeline runs once more.
//!
//! **A token is exchanged.** At the token endpoint an application brings an access token of a person's: its own, for one of
//! another organization, or one that was presented to it, for one in which it acts (`act`). What comes of it is a family of
//! one token, which names the family that it was made of: [`store::durable::grants::by_id`] finds it revoked when that is.
//!
//! **Somebody signs out.** `GET /logout` judges what the application that sent them asks for
//! ([`login::leave::request`]) and asks the person, unless an ID token of theirs proves whose session it is. One
//! transaction ends the session and its token families and writes one row of what ended
//! ([`store::durable::sign_outs`]). The browser goes on to the identity provider, if that has a door for it, and back
//! to the application. Behind it, [`chores::logouts`] makes a notice of that row for each application that got tokens
//! in the session ([`store::durable::logout_notices`]), and tells each until it has heard.
//!
//! **Somebody is invited.** The operation in `manage::invitations` writes the invitation with the digest of its token, and
//! queues a mail ([`store::durable::mails`]) that holds the token sealed: both or neither. [`chores::post`] takes the mail,
//! writes it by the templates of the pages and hands it over ([`egress::mail`]). Its link leads to [`login::invited`],
//! where looking uses nothing up; the button begins a journey that knows the digest alone. Whoever signs in accepts the
//! invitation in the transaction that makes their session ([`join::invited`]), if it is for them. An application may send
//! them along with it, too (`invitation=`): then [`login::next`] asks first whether they want to join, and the application
//! gets its code either way.
//!
//! **An organization is renamed.** `PATCH /api/v1/organizations/{id}` is a line of [`manage::api::routes`], the one table
//! that router, authority and document are made of. [`manage::caller`] finds out who calls: an operator token, an
//! organization's key, or a person, whom the hook in [`web::front::Front`] takes through the pipeline of every token.
//! [`manage::authority`] judges; what is not the caller's reads as if it did not exist. Then query and body are read
//! strictly, and the operation in `manage::organizations` gets a [`manage::desk::Desk`], whose `change` runs it. A refusal
//! is a [`manage::refused::Code`] and one audit event.

// The samples in `examples/` name this library as strangers do, and the demo takes them in.
extern crate self as behalf;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub mod audit;
pub mod broker;
pub mod chores;
pub mod cli;
pub mod config;
pub mod egress;
pub mod foundation;
pub mod join;
pub mod keys;
pub mod login;
pub mod manage;
pub mod model;
pub mod protocol;
pub mod publish;
pub mod router;
pub mod store;
pub mod telemetry;
pub mod web;
