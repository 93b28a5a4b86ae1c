# English. Every language has the same messages with the same variables.

## Buttons and links
button-continue = Continue
button-sign-in = Sign in
button-another-account = Use another account
button-cancel = Cancel and return to { $application }
button-method = Continue with { $name }
button-search = Search
button-try-again = Try again
button-start-again = Start again
button-sign-out = Sign out
button-stay = Stay signed in
button-sign-out-of = Sign out of { $organization } only
button-sign-out-everywhere = Sign out on all devices
button-return = Return to { $application }
button-go-on = Go on to { $application }
footer-support = Help
footer-privacy = Privacy
about-policy = Privacy policy of { $application }
about-owner = { $application } is an application of { $organization }, not of whoever runs this sign-in.
about-terms = Terms of { $application }
paging-label = Pages
paging-previous = Previous
paging-next = Next

## Who is here
signed-in-as = Signed in as
signing-in-as = Signing in as

## Email first
title-problem = Problem:
email-title = Sign in to { $application }
email-again = Sign in once more to go on: for this, your last sign-in was too long ago, or it does not count any more.
email-lead = Enter your work email and we will take you to your company’s own sign-in.
email-label = Work email
email-example = name@company.com
email-hint = This page never asks for a password.
email-or = or
email-methods = Other ways to sign in

## The organization first
beforehand-lead = Name the organization that you want to act for. If only its own people act for it, we take you to where they sign in; otherwise you say who you are first.
beforehand-label = Organization
beforehand-example = acme
beforehand-hint = Its short name, as it stands in addresses. Whoever runs it knows the name.
beforehand-skip = Go on without naming one

## On to an identity provider, by POST
onward-title = One moment
onward-lead = We are taking you to { $provider }. If nothing happens, continue by hand.

## Several identity providers
chooser-title = Where do you want to sign in?
chooser-lead = Your company has several ways to sign in to { $application }.

## Which organization
organizations-application = Continue to { $application }
organizations-title = Who are you acting for?
organizations-unavailable = You cannot act for “{ $name }” with this account. Choose one of these, or use another account.
organizations-search = Find an organization
organizations-found =
    { $count ->
        [0] No organization has this name.
        [one] One organization
       *[other] { $count } organizations
    }
organizations-show-all = Show all
organizations-delegation = on behalf of { $target } — from { $home }
organizations-through = Signed in with { $provider }

## Without an application
welcome-title = People sign in here
welcome-lead = Applications send people to this address, so that they sign in with their own company’s account.
welcome-next-title = You want to sign in?
welcome-next = Open the application that you want to use, and start from there.
welcome-account = See where you are signed in
welcome-builders-title = You are connecting an application?
welcome-builders = Any OpenID Connect library finds what it needs in the
welcome-builders-link = configuration of this address

## Signing out
sign-out-title = Sign out?
sign-out-application = { $application } asks you to sign out
sign-out-lead = You will be signed out here, and of the applications that let themselves be told. Others that are open may not notice: sign out there as well.
sign-out-everywhere-hint = “On all devices” ends every session that you have here, in this browser and in others.
signed-out-title = You are signed out
signed-out-lead = You can close this page. On a shared computer, close all browser windows.
signed-out-of-title = You are signed out of { $organization }
signed-out-of-lead = You stay signed in for everything else that you have here. You can close this page.
signed-out-goes-on = In a moment you go on to { $application }.
signed-out-frames = Applications that were open in this browser are being told. Whether each of them has signed you out, we cannot see.
signed-out-provider = You may still be signed in at { $provider }. Sign out there as well if others use this computer.

## Trying a connection
button-try = Try it
trial-of = For { $organization }
trial-title = Try the sign-in
trial-lead = You have been asked to try whether people can sign in with { $connection }.
trial-what-title = What happens
trial-what = You sign in at your company as usual and come back here. What your company tells about you is shown, and kept for whoever asked you. You will not be signed in to anything.
tried-well-title = It works
tried-well-lead = People like you can sign in with { $connection }.
tried-badly-title = It did not work
tried-badly-lead = People like you cannot sign in with { $connection } yet. Whoever asked you to try it can see why.
tried-reason = Reason
tried-email = Email address
tried-domain = Its domain
tried-domain-verified = { $domain } is verified by this organization.
tried-domain-not-verified = { $domain } is not verified by this organization, so its addresses cannot sign in.
tried-domain-no-address = No email address was told. One is needed.
tried-domain-unclaimed = No organization has claimed it.
tried-claims = What your company told about you
tried-not-read = told, but not used
tried-more-values =
    { $count ->
        [one] and one more, which is not shown
       *[other] and { $count } more, which are not shown
    }
tried-cut = shortened
tried-more-claims =
    { $count ->
        [one] One more piece of information is not shown.
       *[other] { $count } more pieces of information are not shown.
    }
tried-nothing = You have not been signed in. You can close this page.
tried-id = Reference of this trial:

## When it does not work out
error-application = Signing in to { $application }
error-what-next = What you can do
error-detail = For the developers of the application:
error-id = Reference, if you ask for help:

error-step_taken-title = Your sign-in goes on
error-step_taken-text = What you have just sent was not for the step that you are at: that one has been taken already, or the page was an old one.
error-step_taken-next = Continue where your sign-in stands.
error-still_running-title = Your sign-in is still running
error-still_running-text = Your company’s sign-in has not answered us yet, or we are still looking at what it says.
error-still_running-next = Wait a moment, then continue.
error-already_ended-title = Your sign-in has already ended
error-already_ended-text = It came to its end before what you have just pressed could count. The application may have been told of that already.
error-already_ended-next = Go back to the application. If you want something else, sign in from there once more.
error-flow_expired-title = Please start again
error-flow_expired-text = This sign-in is over: it has come to its end, it was open for too long, it was started in another browser, or we have been restarted meanwhile.
error-flow_expired-next = Go back to the application and sign in from there. Keep to one browser until you are in.

error-unknown_application-title = We do not know this application
error-unknown_application-text = The link that brought you here belongs to no application that signs in with us.
error-unknown_application-next = Open the application from your own bookmark or your company’s portal. If that leads here too, tell the people who run it.

error-bad_redirect_uri-title = This link leads to the wrong place
error-bad_redirect_uri-text = You would be sent to an address that the application has not registered. We stopped here to keep your account safe.
error-bad_redirect_uri-next = Open the application from your own bookmark. If it happens again, tell the people who run it.

error-bad_request-title = We could not read this request
error-bad_request-text = The application sent you here with something missing or wrong.
error-bad_request-next = Go back to the application and sign in again. If it happens again, tell the people who run it.

error-no_identity_provider-title = Your company does not sign in here yet
error-no_identity_provider-text = We know of no company sign-in for this email address.
error-no_identity_provider-next = Check the part after the @. If it is right, ask your IT department or the people who invited you.

error-connection_not_offered-title = This sign-in is not offered here
error-connection_not_offered-text = What you picked is not, or not any more, one of the ways to sign in here.
error-connection_not_offered-next = Try again, and pick one that is shown.

error-organization_name_invalid-title = Check the name
error-organization_name_invalid-text = This is not the short name of an organization.
error-organization_name_invalid-next = Write it like acme or acme-europe, without spaces.

error-email_invalid-title = Check your email address
error-email_invalid-text = This email address cannot be used here: it is incomplete, or has characters that no company’s address has.
error-email_invalid-next = Write it in small letters, like name@company.com.

error-idp_unreachable-title = Your company’s sign-in does not work right now
error-idp_unreachable-text = Your company’s identity provider has not answered us, or not as it should.
error-idp_unreachable-next = Wait a minute and try again. If it lasts, tell your IT department.

error-idp_unusable-title = Your company’s sign-in is not set up as it must be
error-idp_unusable-text = Your company’s identity provider describes itself in a way that we cannot accept.
error-idp_unusable-next = Trying again does not help: tell your IT department, with the number below.

error-idp_refused-title = Your company did not let you in
error-idp_refused-text = Your company’s identity provider ended the sign-in, or it was cancelled there.
error-idp_refused-next = Try again. If you are refused again, ask your IT department for access to this application.

error-binding_unsupported-title = Your identity provider answered in a way we do not support
error-binding_unsupported-text = It used the SAML binding HTTP-Artifact, HTTP-POST-SimpleSign or HTTP-Redirect. Answers are accepted by HTTP-POST only.
error-binding_unsupported-next = Ask your IT department to set the identity provider to HTTP-POST.
error-idp_answer_invalid-title = We could not trust the answer
error-idp_answer_invalid-text = Your company’s identity provider answered with something that we cannot accept.
error-idp_answer_invalid-next = Try again. If it happens again, send the reference below to your IT department.

error-not_proved_anew-title = We could not tell when you signed in
error-not_proved_anew-text = A fresh sign-in is wanted here, and your company’s identity provider did not say when you signed in there.
error-not_proved_anew-next = Go back to where you came from. If you need to get in, send the reference below to your IT department: the identity provider must tell the sign-in time (auth_time).

error-proved_too_long_ago-title = Please sign in anew
error-proved_too_long_ago-text = A fresh sign-in is wanted here, and yours was too long ago.
error-proved_too_long_ago-next = Go back to where you came from and sign in once more. If that leads here again, send the reference below to your IT department: the identity provider must let you sign in anew when we ask it to.

error-email_domain_not_allowed-title = This email address cannot be used here
error-email_domain_not_allowed-text = Your identity provider told us an email address that it may not vouch for.
error-email_domain_not_allowed-next = Sign in with your work account. If this is your work account, tell your IT department.

error-no_organization-title = You are not in an organization yet
error-no_organization-text = You have signed in, but there is no organization for which you can use this application.
error-no_organization-next = Ask the person who manages your organization’s access to add you, or use another account.

error-organization_not_allowed-title = You cannot continue with this organization
error-organization_not_allowed-text = The organization does not exist here, or this account cannot act for it.
error-organization_not_allowed-next = Start from the application again, choose another organization or use another account.

error-organization_deactivated-title = This organization is switched off
error-organization_deactivated-text = Nobody can sign in for this organization at the moment.
error-organization_deactivated-next = Ask your organization’s administrator, or choose another organization.

error-membership_blocked-title = Your access is blocked
error-membership_blocked-text = Your access for this organization has been taken away or paused.
error-membership_blocked-next = If you think this is a mistake, ask your organization’s administrator.

error-sso_required-title = Use your company’s sign-in
error-sso_required-text = This organization accepts only its own sign-in, and you came another way.
error-sso_required-next = Sign in again with your account at this organization.

error-mfa_required-title = A second step is needed
error-mfa_required-text = This organization asks for a second proof that it is you, such as a code or a passkey.
error-mfa_required-next = Set up a second step at your identity provider, then sign in again.

error-connection_changed-title = Your company’s sign-in has just changed
error-connection_changed-text = The settings were changed while you were signing in.
error-connection_changed-next = Start again. It should take only a moment.

error-user_disabled-title = This account is switched off
error-user_disabled-text = You cannot sign in with this account at the moment.
error-user_disabled-next = Ask your organization’s administrator, or use another account.

error-email_in_use-title = We could not set up your account
error-email_in_use-text = The details from your identity provider do not fit the accounts that we have.
error-email_in_use-next = If your company has more than one way to sign in, go the way that you came the last time. Otherwise ask your organization’s administrator to look at your account. It helps to quote the reference below.

error-too_many_requests-title = Too many attempts
error-too_many_requests-text = There have been many attempts in a short time, so we are taking a short break.
error-too_many_requests-next = Wait a minute and try again. If that is too soon, wait a little longer.

error-not_written-title = We could not trust the answer
error-not_written-text = Your company’s identity provider answered with something that we cannot accept. So much fails here at this moment that this attempt was not written down, and there is no reference for it.
error-not_written-next = Try again in a few minutes. If it happens again, tell your IT department, and when it was.

error-trial_over-title = This link has done its work
error-trial_over-text = The link to try a sign-in has been used, has run out, or is not complete.
error-trial_over-next = Ask whoever gave it to you for a new one.

error-not_found-title = There is nothing here
error-not_found-text = The address may be mistyped or the page may have gone.
error-not_found-next = Go back to the application that you came from.

error-wrong_address-title = This is not our address
error-wrong_address-text = You came by a name under which nobody can sign in here.
error-wrong_address-next = Follow the link below, or go back to the application that you came from.

error-fault-title = Something went wrong on our side
error-fault-text = This is not your fault, and nothing about your account has changed.
error-fault-next = Try again in a minute. If it lasts, quote the reference below when you ask for help.

error-signed_out_elsewhere-title = You have been signed out
error-signed_out_elsewhere-text = Your session ended, here in another window or at your company, or somebody else has signed in here.
error-signed_out_elsewhere-next = Sign in again to go on.

error-sign_out_refused-title = This link does not sign you out
error-sign_out_refused-text = The application that sent you here asked for it in a way that we cannot accept. It has not signed you out.
error-sign_out_refused-next = You can sign out here all the same; you will not be led back to the application.

error-sign_out_unconfirmed-title = Signing out may be incomplete
error-sign_out_unconfirmed-text = Your company’s identity provider told us something about signing out that we cannot accept. You may still be signed in, there or here.
error-sign_out_unconfirmed-next = Sign out at both, and close all browser windows if others use this computer.
error-sign_out_binding_unsupported-title = Your identity provider signs out in a way we do not support
error-sign_out_binding_unsupported-text = It used the SAML binding HTTP-Artifact or HTTP-POST-SimpleSign. Sign-outs are accepted by HTTP-POST and HTTP-Redirect only, so you may still be signed in, there or here.
error-sign_out_binding_unsupported-next = Sign out at both, and ask your IT department to set single logout at the identity provider to HTTP-POST or HTTP-Redirect.

## A device without a browser
button-allow = Let this device in
button-deny = Do not let it in
device-title = Connect a device
device-sign-in = Sign in first. Then you type the code that your device shows, and decide whether the device is let in.
device-lead = Type the code that your device shows. Then you decide whether the device is let in.
device-label = Code on your device
device-hint = Eight letters. Upper or lower case and the hyphen do not matter.
device-beware-title = Never type a code that somebody sent you
device-beware = Only type what you read yourself, from a device in front of you. Whoever sends you a code by mail, by message or on the phone wants to get in with your account.
let-in-application = Device sign-in for { $application }
let-in-title = Let this device in?
let-in-lead = A device wants to use { $application } with your account. Whoever holds it can then do there what you can do.
let-in-code = It shows this code
let-in-organization = It acts for
let-in-personal = no organization
let-in-address = It asked from this network address
let-in-when = It asked
let-in-ago =
    { $minutes ->
        [0] less than a minute ago
        [one] a minute ago
       *[other] { $minutes } minutes ago
    }
let-in-how-long = It stays signed in
let-in-short = for a short time only
let-in-session = until you sign out in this browser
let-in-stays = until you or the application end it
let-in-beware-title = Did you start this yourself, just now?
let-in-beware = Let it in only if the device is in front of you and shows the same code. If the code or a link came from somebody else, do not: they would get in with your account.
let-in-late = The device asked a while ago. Be sure that it is yours.
let-in-another-organization = Act for another organization
let-in-told-lead = The device has been told that it is not let in.
let-in-done-title = The device is let in
let-in-done-lead = It goes on by itself within a few seconds.
let-in-done-next = Go back to your device. You can close this page.
let-in-done-mistake = If this was a mistake, end it here, and the device is out:
consent-eyebrow = Your consent
consent-title = May { $application } be told of you?
consent-lead-itself = { $application } registered itself here. It is told of you only if you allow it, and only what stands here.
consent-lead-owner = A customer of this service offers { $application }. It is told of you only if you allow it, and only what stands here.
consent-lead-operator = Whoever runs this service wants you to be asked. { $application } is told of you only if you allow it, and only what stands here.
consent-leads-to = You go on to
consent-organization = You act for
consent-told = It is told
consent-claims = what your identity provider says of you besides:
consent-audiences = It may use your account at
consent-manages = this service itself: there it may do what you may, for the organization that you act for, but make no keys, roles, applications or delegations, invite nobody and give nobody a role
consent-acts-at = By what other applications pass on to it, it may act for you at
consent-scope-openid = a name for you that stays the same
consent-scope-profile = your name and language, and when your profile changed
consent-scope-email = your email address
consent-scope-offline_access = what stands here also while you are not signed in
consent-scope-organization = the organization that you act for
consent-scope-organizations = every organization that you may act for
consent-scope-roles = your roles in the organization that you act for
consent-scope-permissions = what you may do in the organization that you act for
consent-scope-own_roles = what you are for whoever runs this service
consent-scope-own_permissions = what whoever runs this service lets you do
consent-hint = What you allow is remembered. You take it back at your account, under your applications.
button-consent = Allow and go on
button-no-consent = Do not allow it
let-in-denied-title = The device was not let in
let-in-denied-lead = It has got nothing of your account.
let-in-denied-next = You can close this page. If somebody asked you to type a code, tell your IT department.

error-user_code_unknown-title = This code does not work
error-user_code_unknown-text = No device waits with this code. It may be mistyped, used already or too old.
error-user_code_unknown-next = Look at the device once more. If it shows another code by now, type that one.

error-device_not_allowed-title = Devices are not let in here
error-device_not_allowed-text = Your organization does not let devices in that have no browser.
error-device_not_allowed-next = Use the application on a device with a browser, or ask your organization’s administrator.

## Mails
mail-person = From { $person }.
mail-roles = You will be:
mail-message = Their message:
mail-button = Open the invitation
mail-open = Or open this address in your browser:
mail-until = Valid until { $moment }.

mail-invitation-subject = Invitation to { $organization }
mail-invitation-title = You are invited to join { $organization }
mail-invitation-text = Open the invitation and sign in with this email address. You will be a member then.
mail-invitation-next = If you do not know why you are invited, do nothing: this mail alone changes nothing. Do not pass it on, the link is for you alone.

mail-ownership_offered-subject = { $organization } is offered to you
mail-ownership_offered-title = You are asked to own { $organization }
mail-ownership_offered-text = Whoever owns the organization offers you to take it over. Nothing changes until you accept.
mail-ownership_offered-next = Accept or decline where you manage the organization. If you do nothing, the offer runs out.

mail-ownership_given-subject = You own { $organization }
mail-ownership_given-title = You own { $organization } now
mail-ownership_given-text = The ownership of the organization was handed over to you.
mail-ownership_given-next = If you did not expect this, talk to whoever handed it over.

mail-ownership_handed_over-subject = You have handed over { $organization }
mail-ownership_handed_over-title = You do not own { $organization } any more
mail-ownership_handed_over-text = The ownership was handed over; you are an administrator now.
mail-ownership_handed_over-next = If this was not you, ask for help at once.

mail-domain_missed-subject = The proof for { $thing } was not found
mail-domain_missed-title = The proof that you own { $thing } was not found
mail-domain_missed-text = { $organization } has proved this domain, but the record is gone. If it stays away, people cannot sign in by this domain any more.
mail-domain_missed-next = Publish the record again within a week. Where you manage the domain you see what is expected.

mail-domain_lost-subject = The domain { $thing } is lost
mail-domain_lost-title = { $organization } does not hold { $thing } any more
mail-domain_lost-text = The proof was missing for too long. Nobody is sent to your sign-in by this domain any more.
mail-domain_lost-next = Start a new verification where you manage the domain.

mail-domain_contested-subject = Somebody else can prove { $thing }
mail-domain_contested-title = Two organizations can prove { $thing }
mail-domain_contested-text = Somebody has published a proof for a domain that another organization holds. Nothing has changed by that.
mail-domain_contested-next = If { $organization } owns the domain, look who may change its DNS records.

mail-domain_challenge-subject = Prove { $thing } again
mail-domain_challenge-title = A fresh proof for { $thing } is needed
mail-domain_challenge-text = The proof of { $organization } is old, or the domain has moved to other name servers. A new record is expected within a week.
mail-domain_challenge-next = Where you manage the domain you find the new record. Publish it before the week is over.

mail-domain_unreachable-subject = { $thing } does not answer
mail-domain_unreachable-title = The proof for { $thing } cannot be looked up
mail-domain_unreachable-text = The servers of the domain have not answered for two days. { $organization } keeps it.
mail-domain_unreachable-next = Ask whoever runs the domain to look after its servers.

mail-auto_join_paused-subject = Nobody joins { $organization } by { $thing } for now
mail-auto_join_paused-title = Joining by { $thing } is paused
mail-auto_join_paused-text = More people than allowed have joined { $organization } within an hour. Nobody joins by this domain until you turn it on again.
mail-auto_join_paused-next = Look who has joined, then turn it on again where you manage the domain.

mail-connection_activated-subject = The sign-in of { $organization } has changed
mail-connection_activated-title = The connection { $thing } is active
mail-connection_activated-text = Somebody has activated settings of a connection by which people of { $organization } sign in.
mail-connection_activated-next = If this was not one of your administrators, roll the connection back at once.

mail-connection_rolled_back-subject = The sign-in of { $organization } was rolled back
mail-connection_rolled_back-title = The connection { $thing } uses its former settings
mail-connection_rolled_back-text = People could not sign in to { $organization } by the new settings, so the former ones count again.
mail-connection_rolled_back-next = Look at the failures of the connection before you activate new settings.

mail-connection_failing-subject = Nobody can sign in to { $organization } by its new settings
mail-connection_failing-title = The connection { $thing } needs you
mail-connection_failing-text = Since new settings of a connection are active, sign-ins to { $organization } have been refused several times, and nobody has come in by it. Whether its former settings may still be trusted is yours to say, so they do not come back by themselves.
mail-connection_failing-next = If you still trust the former settings, roll the connection back. If a key was replaced because it may be stolen, do not: correct the new settings instead.

mail-metadata_ending-subject = Sign-ins to { $organization } end soon, unless metadata is renewed
mail-metadata_ending-title = The metadata of { $thing } is about to run out
mail-metadata_ending-text = The identity provider of this connection says of itself how long its metadata may be believed. That time is nearly over, and nothing newer has been published. Afterwards nobody can sign in to { $organization } by it.
mail-metadata_ending-next = Ask whoever runs the identity provider to renew the metadata at its address, or give it to the connection as a document.

mail-metadata_unreadable-subject = The metadata of an identity provider of { $organization } cannot be read
mail-metadata_unreadable-title = The metadata of { $thing } cannot be read any more
mail-metadata_unreadable-text = For at least three days, nothing that can be used has come from the address at which the identity provider of this connection describes itself. What is known of it still counts. But once it changes its certificates, or the time is over for which its metadata may be believed, people cannot sign in to { $organization } by it.
mail-metadata_unreadable-next = Ask whoever runs the identity provider to publish it again, or give the metadata to the connection as a document.

mail-certificate_ending-subject = The certificate of an identity provider of { $organization } runs out
mail-certificate_ending-title = The certificate of { $thing } is about to run out
mail-certificate_ending-text = This is the last certificate that is known of those with which the identity provider signs. By itself that stops nobody from signing in. But the identity provider will presumably sign with another key by then, and people cannot sign in to { $organization } by it unless that one is known here.
mail-certificate_ending-next = Ask whoever runs the identity provider for the next certificate, and add it to the connection before they change over; the one that is there now can stay beside it.

mail-own_certificate_ending-subject = A certificate by which an identity provider knows { $organization } runs out
mail-own_certificate_ending-title = Our certificate for { $thing } is about to run out
mail-own_certificate_ending-text = The identity provider of this connection knows us by this certificate. Some identity providers refuse one that has run out, and people cannot sign in to { $organization } then.
mail-own_certificate_ending-next = If it was brought for this connection, bring its successor; otherwise ask whoever runs this service to rotate it. Then have whoever runs the identity provider read our metadata again.

mail-metadata_changed-subject = An identity provider of { $organization } has changed its keys or addresses
mail-metadata_changed-title = { $thing } has changed by itself
mail-metadata_changed-text = The identity provider of this connection says of itself that its certificates or addresses are others now. It has signed that with a key that was trusted already, so it counts for sign-ins to { $organization } from now on.
mail-metadata_changed-next = If whoever runs the identity provider knows nothing of it, switch the connection off and look at what it believes now.

mail-metadata_offered-subject = An identity provider of { $organization } says something new of itself
mail-metadata_offered-title = Look at the metadata of { $thing }
mail-metadata_offered-text = The metadata at the address of this connection is different now: other certificates, keys or addresses. It is either not signed by a key that is trusted, so that whoever can write to the address may have changed it, or it may be an older copy. What is in doubt does not count until somebody has looked; people go on signing in to { $organization } as before.
mail-metadata_offered-next = The connection shows what is in doubt. Ask whoever runs the identity provider, by a way that you know, whether it is theirs. If it is, have the connection read its metadata again; otherwise sign-ins may fail once the identity provider uses what is new.

mail-person_relinked-subject = How you sign in to { $organization } has changed
mail-person_relinked-title = How you are known to { $thing } has changed
mail-person_relinked-text = Somebody who administers { $organization } has said under which account at its identity provider you are known here. Whoever signs in with that account is you from now on.
mail-person_relinked-next = If you do not know why, ask your administrators at once: somebody else may be signing in as you.

mail-api_keys_revoked-subject = API keys of { $organization } have ended
mail-api_keys_revoked-title = The API keys { $thing } do not work any more
mail-api_keys_revoked-text = Whoever made them was removed from { $organization }, or has left it. What they made ends with that.
mail-api_keys_revoked-next = If something still needs such a key, make a new one.
mail-role_rules_unapproved-subject = Role rules of { $organization } give nothing any more
mail-role_rules_unapproved-title = Nobody gets { $thing } by a role rule now
mail-role_rules_unapproved-text = Whoever approved these rules of { $organization } is not one of its owners any more. A role that may change something there is given by a rule only for as long as an owner answers for it.
mail-role_rules_unapproved-next = Look at the rules of { $organization }, and save those that you want to keep once more.

mail-delegation_active-subject = People of { $thing } may act for { $organization }
mail-delegation_active-title = { $thing } and { $organization } have agreed on a delegation
mail-delegation_active-text = From its first day to its last, people of { $thing } may act for { $organization }: with the roles that the delegation names, and no others.
mail-delegation_active-next = If nobody of yours wanted this, revoke the delegation at once: either organization can.

mail-delegation_changed-subject = The delegation from { $thing } to { $organization } has changed
mail-delegation_changed-title = The delegation from { $thing } to { $organization } needs approval
mail-delegation_changed-text = It is not what both organizations have approved any more. Until they do, nobody of { $thing } acts for { $organization }.
mail-delegation_changed-next = Read it where you manage delegations, and approve it if you agree.

mail-delegation_paused-subject = The delegation from { $thing } to { $organization } is paused
mail-delegation_paused-title = Nobody of { $thing } acts for { $organization } for now
mail-delegation_paused-text = The delegation is paused. It stays so until whoever paused it resumes it.
mail-delegation_paused-next = Where you manage delegations you see who paused it.

mail-delegation_resumed-subject = People of { $thing } may act for { $organization } again
mail-delegation_resumed-title = The delegation from { $thing } to { $organization } counts again
mail-delegation_resumed-text = Its pause is over. From its first day to its last, people of { $thing } may act for { $organization }.
mail-delegation_resumed-next = If nobody of yours wanted this, pause or revoke the delegation: either organization can.

mail-delegation_revoked-subject = The delegation from { $thing } to { $organization } is revoked
mail-delegation_revoked-title = Nobody of { $thing } acts for { $organization } any more
mail-delegation_revoked-text = The delegation is revoked for good, and what people held by it has ended with it.
mail-delegation_revoked-next = If you still work together, propose another one.

mail-organization_deleted-subject = { $organization } is to be deleted
mail-organization_deleted-title = { $organization } has been deleted
mail-organization_deleted-text = Nobody can act for it any more. Until { $thing } it can be brought back; then it is gone for good.
mail-organization_deleted-next = If this was not meant, ask whoever runs this service to restore it before that day.

## Invitations
role-name =
    { $role ->
        [owner] Owner
        [admin] Administrator
        [member] Member
       *[other] { $role }
    }
invitation-eyebrow = Invitation
invitation-title = Join { $organization }
invitation-lead = You are invited to become a member.
invitation-for = For
invitation-as = As
invitation-until = Until
invitation-next = Sign in with the account of this email address. You will be a member then.
mistakable-name = Look closely: { $name } mixes letters of several alphabets, or can be taken for another name.
button-accept = Sign in and join
button-skip-invitation = Go on without joining
accepted-title = You are a member of { $organization }
accepted-title-bare = You are a member now
accepted-lead = Open the application that you want to use, and sign in there.

error-invitation_over-title = This invitation cannot be used
error-invitation_over-text = It has been used or taken back, or has run out, or its link is not complete.
error-invitation_over-next = If you have joined already, open the application. Otherwise ask whoever invited you for a new invitation.

error-invitation_for_another-title = This invitation is for another email address
error-invitation_for_another-text = You have signed in with an account whose email address is not the invited one, or is not proved. The invitation is not used up.
error-invitation_for_another-next = Sign in with the account of the invited address, or ask whoever invited you to invite the address of this account.

error-invitation_void-title = This invitation does not count any more
error-invitation_void-text = Whoever invited you may not give any more what the invitation gives.
error-invitation_void-next = Ask an administrator of the organization for a new invitation.

error-belongs_elsewhere-title = You belong to another organization
error-belongs_elsewhere-text = Here one account belongs to one organization, and yours has one already.
error-belongs_elsewhere-next = Ask whoever invited you to invite another address of yours.

## The administration API, for people
reference-title = The administration API
reference-lead = Every operation, what it takes and answers, and what it may be refused for. It is made of the document that programs read.
reference-document = The document (OpenAPI 3.1)
reference-problems = Every code of a refusal
reference-contents = Contents
reference-parameters = Parameters
reference-body = Body
reference-answers = Answers
reference-refusals = Refusals
reference-required = required
reference-shapes = Shapes
problems-title = Codes of refusals
problems-lead = Every refusal of the administration API is a problem (RFC 9457) with one of these codes, which never change their meaning.
problems-back = The administration API

## One's own account
button-sign-in-again = Sign in again
account-back = Back to your account
account-label = Your account
account-organizations = Your organizations
account-organizations-hint = What you switch to is where applications begin next time. Whatever is open goes on as it is.
account-organizations-none = You belong to no organization here.
account-kind-home = Your own organization
account-kind-member = You are a member
account-kind-guest = You are a guest
account-kind-delegate = You act for it
account-current = You act for it now
account-switch = Act for { $organization }
account-leave = Leave { $organization }
account-sessions = Where you are signed in
account-sessions-hint = Ending a session signs you out there, and of the applications that let themselves be told. What an application may do without you is on the page of your applications.
account-here = This browser
account-browser = { $browser } on { $system }
account-browser-unknown = Unknown browser
account-since = Since { $moment }
account-seen = Last here { $moment }
account-end-here = Sign out here
account-end-session = End the session of { $moment }
account-applications = Your applications
account-applications-hint = Ending takes back what the application holds now. When you open it again, it asks for you again.
account-applications-none = No application holds anything of yours.
account-for = For { $organization }
account-for-none = For you alone, and no organization
account-for-unnamed = For an organization that you do not act for at present
account-offline = It may act without you being here
account-end-application = End it for { $application }
account-done-switched = Done. From now on you act for it, unless an application asks otherwise.
account-done-left = You have left the organization.
account-done-session = The session has ended.
account-consents = What you have allowed
account-allowed-at = When it leads you to { $place }, it is told
account-allowed-device = On a device that you let in, it is told
account-allowed-audiences = It may use your account at { $audiences }
account-allowed-acts-at = By what other applications pass on to it, it may act for you at { $audiences }
account-allowed-since = Allowed on { $moment }
account-withdraw = Take it back from { $application }
account-consents-hint = Taking back also ends what the application holds of you there. It asks you again before it is told anything of that.
account-done-consent = Taken back. The application holds nothing of that any more, and asks you again.
account-done-application = The application holds nothing of that any more.
paging-first = To the beginning
browser-edge = Edge
browser-opera = Opera
browser-firefox = Firefox
browser-chrome = Chrome
browser-safari = Safari
browser-other = Another browser
system-windows = Windows
system-android = Android
system-ios = iOS
system-macos = macOS
system-linux = Linux
system-other = another system
leave-title = Leave { $organization }?
leave-lead = You will not act for { $organization } any more, and what applications hold of you for it ends at once.
leave-hint = You cannot come back by yourself: somebody there has to invite you.
leave-stay = Stay

error-last_owner-title = Somebody has to own it
error-last_owner-text = You are the last owner of this organization, so you cannot leave it.
error-last_owner-next = Make somebody else an owner first.
error-last_way_in-title = Somebody has to be able to sign in
error-last_way_in-text = None of the other owners of this organization could sign in, so you cannot leave it.
error-last_way_in-next = Ask another owner to sign in once, then leave.

error-managed_by_directory-title = Your company decides this
error-managed_by_directory-text = This organization’s directory says who belongs to it.
error-managed_by_directory-next = Ask its IT department to remove you.

error-sign_in_again-title = Please sign in again
error-sign_in_again-text = It has been too long since you proved who you are for what you want to do.
error-sign_in_again-next = Sign in again, and then do it once more.
