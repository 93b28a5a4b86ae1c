# Deutsch. Jede Sprache hat dieselben Texte mit denselben Variablen.

## Knöpfe und Verweise
button-continue = Weiter
button-another-account = Anderes Konto verwenden
button-cancel = Abbrechen und zurück zu { $application }
button-method = Weiter mit { $name }
button-search = Suchen
button-try-again = Noch einmal versuchen
button-start-again = Neu beginnen
button-sign-out = Abmelden
button-stay = Angemeldet bleiben
button-return = Zurück zu { $application }
footer-support = Hilfe
footer-privacy = Datenschutz
paging-label = Seiten
paging-previous = Zurück
paging-next = Weiter

## Wer hier ist
signed-in-as = Angemeldet als
signing-in-as = Anmeldung als

## Zuerst die E-Mail-Adresse
title-problem = Problem:
email-title = Bei { $application } anmelden
email-lead = Geben Sie Ihre geschäftliche E-Mail-Adresse ein. Wir bringen Sie zur Anmeldung Ihres Unternehmens.
email-label = Geschäftliche E-Mail-Adresse
email-example = name@firma.de
email-hint = Diese Seite fragt nie nach einem Passwort.
email-or = oder
email-methods = Andere Wege der Anmeldung

## Weiter zu einem Identitätsanbieter, per POST
onward-title = Einen Moment
onward-lead = Wir leiten Sie zu { $provider } weiter. Wenn nichts geschieht, fahren Sie von Hand fort.

## Mehrere Identitätsanbieter
chooser-title = Wo möchten Sie sich anmelden?
chooser-lead = Ihr Unternehmen bietet mehrere Wege, sich bei { $application } anzumelden.

## Welche Organisation
organizations-application = Weiter zu { $application }
organizations-title = Für wen handeln Sie?
organizations-search = Organisation suchen
organizations-found =
    { $count ->
        [0] Keine Organisation heißt so.
        [one] Eine Organisation
       *[other] { $count } Organisationen
    }
organizations-show-all = Alle anzeigen
organizations-delegation = im Auftrag von { $target } — entsandt von { $home }
organizations-through = Angemeldet über { $provider }

## Ohne Anwendung
welcome-title = Hier meldet man sich an
welcome-lead = Anwendungen schicken Menschen an diese Adresse, damit sie sich mit dem Konto ihres eigenen Unternehmens anmelden.
welcome-next-title = Sie möchten sich anmelden?
welcome-next = Öffnen Sie die Anwendung, die Sie benutzen möchten, und beginnen Sie dort. Auf dieser Seite beginnt nichts.
welcome-builders-title = Sie binden eine Anwendung an?
welcome-builders = Jede Bibliothek für OpenID Connect findet, was sie braucht, in der
welcome-builders-link = Konfiguration dieser Adresse

## Abmelden
sign-out-title = Abmelden?
sign-out-lead = Sie werden hier abgemeldet. Anwendungen, die schon offen sind, merken das vielleicht nicht: Melden Sie sich auch dort ab.
signed-out-title = Sie sind abgemeldet
signed-out-lead = Sie können diese Seite schließen. Schließen Sie an einem gemeinsam genutzten Rechner alle Browserfenster.
signed-out-provider = Möglicherweise sind Sie bei { $provider } noch angemeldet. Melden Sie sich auch dort ab, wenn andere diesen Rechner benutzen.

## Eine Verbindung ausprobieren
button-try = Ausprobieren
trial-of = Für { $organization }
trial-title = Anmeldung ausprobieren
trial-lead = Sie wurden gebeten zu probieren, ob die Anmeldung mit { $connection } klappt.
trial-what-title = Was geschieht
trial-what = Sie melden sich wie gewohnt bei Ihrer Firma an und kommen hierher zurück. Was Ihre Firma über Sie mitteilt, wird angezeigt und für die Person aufbewahrt, die Sie gebeten hat. Sie werden dabei nirgends angemeldet.
tried-well-title = Es klappt
tried-well-lead = Personen wie Sie können sich mit { $connection } anmelden.
tried-badly-title = Es hat nicht geklappt
tried-badly-lead = Personen wie Sie können sich mit { $connection } noch nicht anmelden. Wer Sie gebeten hat, sieht den Grund.
tried-reason = Grund
tried-email = E-Mail-Adresse
tried-domain = Ihre Domain
tried-domain-verified = { $domain } ist von dieser Organisation bestätigt.
tried-domain-not-verified = { $domain } ist von dieser Organisation nicht bestätigt. Adressen dieser Domain können sich deshalb nicht anmelden.
tried-domain-no-address = Es wurde keine E-Mail-Adresse mitgeteilt. Sie ist nötig.
tried-domain-unclaimed = Keine Organisation beansprucht sie.
tried-claims = Was Ihre Firma über Sie mitgeteilt hat
tried-not-read = mitgeteilt, aber nicht verwendet
tried-nothing = Sie wurden nicht angemeldet. Sie können diese Seite schließen.
tried-id = Kennung dieses Versuchs:

## Wenn es nicht klappt
error-application = Anmeldung bei { $application }
error-what-next = Was Sie tun können
error-id = Kennung für Rückfragen:

error-flow_expired-title = Bitte beginnen Sie neu
error-flow_expired-text = Diese Anmeldeseite war zu lange offen, oder die Anmeldung wurde in einem anderen Browser begonnen.
error-flow_expired-next = Gehen Sie zurück zur Anwendung und melden Sie sich von dort an. Bleiben Sie bis zum Ende in einem Browser.

error-unknown_application-title = Wir kennen diese Anwendung nicht
error-unknown_application-text = Der Link, der Sie hierher geführt hat, gehört zu keiner Anwendung, die sich über uns anmeldet.
error-unknown_application-next = Öffnen Sie die Anwendung über Ihr Lesezeichen oder das Portal Ihres Unternehmens. Führt auch das hierher, sagen Sie den Betreibern Bescheid.

error-bad_redirect_uri-title = Dieser Link führt an den falschen Ort
error-bad_redirect_uri-text = Sie würden zu einer Adresse geleitet, die die Anwendung nicht hinterlegt hat. Zum Schutz Ihres Kontos haben wir hier angehalten.
error-bad_redirect_uri-next = Öffnen Sie die Anwendung über Ihr Lesezeichen. Geschieht es wieder, sagen Sie den Betreibern Bescheid.

error-bad_request-title = Wir konnten diese Anfrage nicht lesen
error-bad_request-text = Die Anwendung hat Sie mit fehlenden oder falschen Angaben hierher geschickt.
error-bad_request-next = Gehen Sie zurück zur Anwendung und melden Sie sich noch einmal an. Geschieht es wieder, sagen Sie den Betreibern Bescheid.

error-no_identity_provider-title = Ihr Unternehmen meldet sich hier noch nicht an
error-no_identity_provider-text = Zu dieser E-Mail-Adresse kennen wir keine Anmeldung eines Unternehmens.
error-no_identity_provider-next = Prüfen Sie den Teil nach dem @. Stimmt er, fragen Sie Ihre IT-Abteilung oder die Person, die Sie eingeladen hat.

error-email_invalid-title = Prüfen Sie Ihre E-Mail-Adresse
error-email_invalid-text = Das ist keine vollständige E-Mail-Adresse.
error-email_invalid-next = Schreiben Sie sie wie name@firma.de.

error-idp_unreachable-title = Die Anmeldung Ihres Unternehmens antwortet nicht
error-idp_unreachable-text = Wir haben den Identitätsanbieter Ihres Unternehmens nicht erreicht.
error-idp_unreachable-next = Warten Sie eine Minute und versuchen Sie es noch einmal. Dauert es an, sagen Sie Ihrer IT-Abteilung Bescheid.

error-idp_refused-title = Ihr Unternehmen hat Sie nicht eingelassen
error-idp_refused-text = Der Identitätsanbieter Ihres Unternehmens hat die Anmeldung beendet, oder sie wurde dort abgebrochen.
error-idp_refused-next = Versuchen Sie es noch einmal. Werden Sie wieder abgewiesen, bitten Sie Ihre IT-Abteilung um Zugang zu dieser Anwendung.

error-binding_unsupported-title = Ihr Identitätsanbieter antwortet auf einem Weg, den wir nicht unterstützen
error-binding_unsupported-text = Er hat das SAML-Binding HTTP-Artifact, HTTP-POST-SimpleSign oder HTTP-Redirect benutzt. Antworten werden nur per HTTP-POST angenommen.
error-binding_unsupported-next = Bitten Sie Ihre IT-Abteilung, den Identitätsanbieter auf HTTP-POST einzustellen.
error-idp_answer_invalid-title = Wir konnten der Antwort nicht trauen
error-idp_answer_invalid-text = Der Identitätsanbieter Ihres Unternehmens hat etwas geantwortet, das wir nicht annehmen können.
error-idp_answer_invalid-next = Versuchen Sie es noch einmal. Geschieht es wieder, schicken Sie Ihrer IT-Abteilung die Kennung unten.

error-email_domain_not_allowed-title = Diese E-Mail-Adresse geht hier nicht
error-email_domain_not_allowed-text = Ihr Identitätsanbieter hat uns eine E-Mail-Adresse genannt, für die er nicht bürgen darf.
error-email_domain_not_allowed-next = Melden Sie sich mit Ihrem Arbeitskonto an. Ist es Ihr Arbeitskonto, sagen Sie Ihrer IT-Abteilung Bescheid.

error-no_organization-title = Sie gehören noch zu keiner Organisation
error-no_organization-text = Sie haben sich angemeldet, aber es gibt keine Organisation, für die Sie diese Anwendung benutzen können.
error-no_organization-next = Bitten Sie die Person, die in Ihrer Organisation den Zugang verwaltet, Sie aufzunehmen, oder verwenden Sie ein anderes Konto.

error-organization_not_allowed-title = Mit dieser Organisation geht es nicht weiter
error-organization_not_allowed-text = Die Organisation gibt es hier nicht, oder dieses Konto kann nicht für sie handeln.
error-organization_not_allowed-next = Beginnen Sie in der Anwendung neu, wählen Sie eine andere Organisation oder verwenden Sie ein anderes Konto.

error-organization_deactivated-title = Diese Organisation ist abgeschaltet
error-organization_deactivated-text = Zurzeit kann sich niemand für diese Organisation anmelden.
error-organization_deactivated-next = Fragen Sie die Verwaltung Ihrer Organisation oder wählen Sie eine andere Organisation.

error-membership_blocked-title = Ihr Zugang ist gesperrt
error-membership_blocked-text = Ihr Zugang für diese Organisation wurde entzogen oder ausgesetzt.
error-membership_blocked-next = Halten Sie das für einen Irrtum, fragen Sie die Verwaltung Ihrer Organisation.

error-sso_required-title = Verwenden Sie die Anmeldung Ihres Unternehmens
error-sso_required-text = Diese Organisation lässt nur ihre eigene Anmeldung gelten, und Sie sind auf anderem Weg gekommen.
error-sso_required-next = Melden Sie sich noch einmal an, mit Ihrem Konto bei dieser Organisation.

error-mfa_required-title = Ein zweiter Schritt ist nötig
error-mfa_required-text = Diese Organisation verlangt einen zweiten Nachweis, dass Sie es sind, etwa einen Code oder einen Passkey.
error-mfa_required-next = Richten Sie bei Ihrem Identitätsanbieter einen zweiten Schritt ein und melden Sie sich noch einmal an.

error-connection_changed-title = Die Anmeldung Ihres Unternehmens wurde eben geändert
error-connection_changed-text = Die Einstellungen wurden geändert, während Sie sich angemeldet haben.
error-connection_changed-next = Beginnen Sie neu. Es sollte nur einen Augenblick dauern.

error-user_disabled-title = Dieses Konto ist abgeschaltet
error-user_disabled-text = Mit diesem Konto können Sie sich zurzeit nicht anmelden.
error-user_disabled-next = Fragen Sie die Verwaltung Ihrer Organisation oder verwenden Sie ein anderes Konto.

error-email_in_use-title = Wir konnten Ihr Konto nicht einrichten
error-email_in_use-text = Die Angaben Ihres Identitätsanbieters passen nicht zu den Konten, die wir führen.
error-email_in_use-next = Bitten Sie die Verwaltung Ihrer Organisation, Ihr Konto zu prüfen. Es hilft, die Kennung unten zu nennen.

error-too_many_requests-title = Zu viele Versuche
error-too_many_requests-text = Es gab in kurzer Zeit viele Versuche. Deshalb legen wir eine kurze Pause ein.
error-too_many_requests-next = Warten Sie einige Minuten und versuchen Sie es noch einmal.

error-trial_over-title = Dieser Link hat ausgedient
error-trial_over-text = Der Link zum Ausprobieren einer Anmeldung wurde schon benutzt, ist abgelaufen oder nicht vollständig.
error-trial_over-next = Bitten Sie die Person, die ihn Ihnen gegeben hat, um einen neuen.

error-not_found-title = Hier ist nichts
error-not_found-text = Vielleicht ist die Adresse vertippt, oder die Seite gibt es nicht mehr.
error-not_found-next = Gehen Sie zurück zu der Anwendung, von der Sie kommen.

error-wrong_address-title = Das ist nicht unsere Adresse
error-wrong_address-text = Sie sind unter einem Namen gekommen, unter dem sich hier niemand anmelden kann.
error-wrong_address-next = Folgen Sie dem Link unten, oder gehen Sie zurück zu der Anwendung, von der Sie kommen.

error-fault-title = Bei uns ist etwas schiefgegangen
error-fault-text = Es liegt nicht an Ihnen, und an Ihrem Konto hat sich nichts geändert.
error-fault-next = Versuchen Sie es in einer Minute noch einmal. Dauert es an, nennen Sie bei Rückfragen die Kennung unten.

error-signed_out_elsewhere-title = Sie wurden abgemeldet
error-signed_out_elsewhere-text = Ihre Sitzung wurde in einem anderen Fenster oder bei Ihrem Unternehmen beendet.
error-signed_out_elsewhere-next = Melden Sie sich noch einmal an, um fortzufahren.

error-sign_out_unconfirmed-title = Die Abmeldung ist vielleicht nicht vollständig
error-sign_out_unconfirmed-text = Der Identitätsanbieter Ihres Unternehmens hat etwas geantwortet, das wir nicht annehmen können. Möglicherweise sind Sie dort noch angemeldet.
error-sign_out_unconfirmed-next = Melden Sie sich auch dort ab und schließen Sie alle Browserfenster, wenn andere diesen Rechner benutzen.
