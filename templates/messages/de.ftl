# Deutsch. Jede Sprache hat dieselben Texte mit denselben Variablen.

## Knöpfe und Verweise
button-continue = Weiter
button-sign-in = Anmelden
button-another-account = Anderes Konto verwenden
button-cancel = Abbrechen und zurück zu { $application }
button-method = Weiter mit { $name }
button-search = Suchen
button-try-again = Noch einmal versuchen
button-start-again = Neu beginnen
button-sign-out = Abmelden
button-stay = Angemeldet bleiben
button-sign-out-of = Nur von { $organization } abmelden
button-sign-out-everywhere = Auf allen Geräten abmelden
button-return = Zurück zu { $application }
button-go-on = Weiter zu { $application }
footer-support = Hilfe
footer-privacy = Datenschutz
about-policy = Datenschutzerklärung von { $application }
about-owner = { $application } ist eine Anwendung von { $organization }, nicht von denen, die diese Anmeldung betreiben.
about-terms = Nutzungsbedingungen von { $application }
paging-label = Seiten
paging-previous = Zurück
paging-next = Weiter

## Wer hier ist
signed-in-as = Angemeldet als
signing-in-as = Anmeldung als

## Zuerst die E-Mail-Adresse
title-problem = Problem:
email-title = Bei { $application } anmelden
email-again = Melden Sie sich noch einmal an: Ihre letzte Anmeldung ist hierfür zu lange her, oder sie gilt nicht mehr.
email-lead = Geben Sie Ihre geschäftliche E-Mail-Adresse ein. Wir bringen Sie zur Anmeldung Ihres Unternehmens.
email-label = Geschäftliche E-Mail-Adresse
email-example = name@firma.de
email-hint = Diese Seite fragt nie nach einem Passwort.
email-or = oder
email-methods = Andere Wege der Anmeldung

## Zuerst die Organisation
beforehand-lead = Nennen Sie die Organisation, für die Sie handeln wollen. Handeln nur eigene Leute für sie, bringen wir Sie zu ihrer Anmeldung; sonst sagen Sie zuerst, wer Sie sind.
beforehand-label = Organisation
beforehand-example = acme
beforehand-hint = Ihr Kurzname, wie er in Adressen steht. Wer sie verwaltet, kennt ihn.
beforehand-skip = Weiter, ohne eine zu nennen

## Weiter zu einem Identitätsanbieter, per POST
onward-title = Einen Moment
onward-lead = Wir leiten Sie zu { $provider } weiter. Wenn nichts geschieht, fahren Sie von Hand fort.

## Mehrere Identitätsanbieter
chooser-title = Wo möchten Sie sich anmelden?
chooser-lead = Ihr Unternehmen bietet mehrere Wege, sich bei { $application } anzumelden.

## Welche Organisation
organizations-application = Weiter zu { $application }
organizations-title = Für wen handeln Sie?
organizations-unavailable = Für „{ $name }“ können Sie mit diesem Konto nicht handeln. Wählen Sie eine von diesen, oder nehmen Sie ein anderes Konto.
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
welcome-next = Öffnen Sie die Anwendung, die Sie benutzen möchten, und beginnen Sie dort.
welcome-account = Nachsehen, wo Sie angemeldet sind
welcome-builders-title = Sie binden eine Anwendung an?
welcome-builders = Jede Bibliothek für OpenID Connect findet, was sie braucht, in der
welcome-builders-link = Konfiguration dieser Adresse

## Abmelden
sign-out-title = Abmelden?
sign-out-application = { $application } bittet Sie, sich abzumelden
sign-out-lead = Sie werden hier abgemeldet, und bei den Anwendungen, die sich das sagen lassen. Andere, die offen sind, merken es vielleicht nicht: Melden Sie sich auch dort ab.
sign-out-everywhere-hint = „Auf allen Geräten“ beendet jede Sitzung, die Sie hier haben, in diesem Browser und in anderen.
signed-out-title = Sie sind abgemeldet
signed-out-lead = Sie können diese Seite schließen. Schließen Sie an einem gemeinsam genutzten Rechner alle Browserfenster.
signed-out-of-title = Sie sind von { $organization } abgemeldet
signed-out-of-lead = Für alles andere, was Sie hier haben, bleiben Sie angemeldet. Sie können diese Seite schließen.
signed-out-goes-on = Gleich geht es weiter zu { $application }.
signed-out-frames = Anwendungen, die in diesem Browser offen waren, erfahren es gerade. Ob jede von ihnen Sie abgemeldet hat, sehen wir nicht.
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
tried-more-values =
    { $count ->
        [one] und ein weiterer Wert, der nicht gezeigt wird
       *[other] und { $count } weitere Werte, die nicht gezeigt werden
    }
tried-cut = gekürzt
tried-more-claims =
    { $count ->
        [one] Eine weitere Angabe wird nicht gezeigt.
       *[other] { $count } weitere Angaben werden nicht gezeigt.
    }
tried-nothing = Sie wurden nicht angemeldet. Sie können diese Seite schließen.
tried-id = Kennung dieses Versuchs:

## Wenn es nicht klappt
error-application = Anmeldung bei { $application }
error-what-next = Was Sie tun können
error-detail = Für die Entwickler der Anwendung:
error-id = Kennung für Rückfragen:

error-step_taken-title = Ihre Anmeldung geht weiter
error-step_taken-text = Was Sie gerade gesendet haben, gehörte nicht zu dem Schritt, an dem Sie sind: Er ist schon getan, oder die Seite war veraltet.
error-step_taken-next = Machen Sie dort weiter, wo Ihre Anmeldung steht.
error-still_running-title = Ihre Anmeldung läuft noch
error-still_running-text = Die Anmeldung Ihres Unternehmens hat uns noch nicht geantwortet, oder wir prüfen noch, was sie sagt.
error-still_running-next = Warten Sie einen Moment und machen Sie dann weiter.
error-already_ended-title = Ihre Anmeldung ist schon abgeschlossen
error-already_ended-text = Sie war zu Ende, bevor das zählen konnte, was Sie gerade gedrückt haben. Die Anwendung weiß davon vielleicht schon.
error-already_ended-next = Gehen Sie zurück zur Anwendung. Wenn Sie etwas anderes wollen, melden Sie sich von dort noch einmal an.
error-flow_expired-title = Bitte beginnen Sie neu
error-flow_expired-text = Diese Anmeldung ist vorbei: Sie ist abgeschlossen, war zu lange offen, wurde in einem anderen Browser begonnen, oder wir sind inzwischen neu gestartet.
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

error-connection_not_offered-title = Diese Anmeldung gibt es hier nicht
error-connection_not_offered-text = Was Sie gewählt haben, gehört nicht oder nicht mehr zu den Anmeldungen, die es hier gibt.
error-connection_not_offered-next = Versuchen Sie es noch einmal und wählen Sie eine, die angezeigt wird.

error-organization_name_invalid-title = Prüfen Sie den Namen
error-organization_name_invalid-text = Das ist kein Kurzname einer Organisation.
error-organization_name_invalid-next = Schreiben Sie ihn wie acme oder acme-europa, ohne Leerzeichen.

error-email_invalid-title = Prüfen Sie Ihre E-Mail-Adresse
error-email_invalid-text = Diese E-Mail-Adresse können wir nicht verwenden: Sie ist nicht vollständig oder enthält Zeichen, die in keiner Firmenadresse stehen.
error-email_invalid-next = Schreiben Sie sie wie name@firma.de.

error-idp_unreachable-title = Die Anmeldung Ihres Unternehmens geht gerade nicht
error-idp_unreachable-text = Der Identitätsanbieter Ihres Unternehmens hat uns nicht geantwortet, oder nicht so, wie er sollte.
error-idp_unreachable-next = Warten Sie eine Minute und versuchen Sie es noch einmal. Dauert es an, sagen Sie Ihrer IT-Abteilung Bescheid.

error-idp_unusable-title = Die Anmeldung Ihres Unternehmens ist nicht richtig eingerichtet
error-idp_unusable-text = Der Identitätsanbieter Ihres Unternehmens beschreibt sich auf eine Weise, die wir nicht annehmen können.
error-idp_unusable-next = Noch einmal versuchen hilft nicht: Sagen Sie Ihrer IT-Abteilung Bescheid und nennen Sie die Nummer unten.

error-idp_refused-title = Ihr Unternehmen hat Sie nicht eingelassen
error-idp_refused-text = Der Identitätsanbieter Ihres Unternehmens hat die Anmeldung beendet, oder sie wurde dort abgebrochen.
error-idp_refused-next = Versuchen Sie es noch einmal. Werden Sie wieder abgewiesen, bitten Sie Ihre IT-Abteilung um Zugang zu dieser Anwendung.

error-binding_unsupported-title = Ihr Identitätsanbieter antwortet auf einem Weg, den wir nicht unterstützen
error-binding_unsupported-text = Er hat das SAML-Binding HTTP-Artifact, HTTP-POST-SimpleSign oder HTTP-Redirect benutzt. Antworten werden nur per HTTP-POST angenommen.
error-binding_unsupported-next = Bitten Sie Ihre IT-Abteilung, den Identitätsanbieter auf HTTP-POST einzustellen.
error-idp_answer_invalid-title = Wir konnten der Antwort nicht trauen
error-idp_answer_invalid-text = Der Identitätsanbieter Ihres Unternehmens hat etwas geantwortet, das wir nicht annehmen können.
error-idp_answer_invalid-next = Versuchen Sie es noch einmal. Geschieht es wieder, schicken Sie Ihrer IT-Abteilung die Kennung unten.

error-not_proved_anew-title = Wir wissen nicht, wann Sie sich angemeldet haben
error-not_proved_anew-text = Hier ist eine frische Anmeldung verlangt, und der Identitätsanbieter Ihres Unternehmens hat nicht gesagt, wann Sie sich dort angemeldet haben.
error-not_proved_anew-next = Gehen Sie dorthin zurück, woher Sie kommen. Wenn Sie hineinmüssen, schicken Sie Ihrer IT-Abteilung die Kennung unten: Der Identitätsanbieter muss den Zeitpunkt der Anmeldung nennen (auth_time).

error-proved_too_long_ago-title = Bitte melden Sie sich neu an
error-proved_too_long_ago-text = Hier ist eine frische Anmeldung verlangt, und Ihre liegt zu lange zurück.
error-proved_too_long_ago-next = Gehen Sie dorthin zurück, woher Sie kommen, und melden Sie sich noch einmal an. Führt das wieder hierher, schicken Sie Ihrer IT-Abteilung die Kennung unten: Der Identitätsanbieter muss Sie neu anmelden lassen, wenn wir das verlangen.

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
error-email_in_use-next = Wenn Ihr Unternehmen mehrere Wege zur Anmeldung hat, nehmen Sie den vom letzten Mal. Sonst bitten Sie die Verwaltung Ihrer Organisation, Ihr Konto zu prüfen. Es hilft, die Kennung unten zu nennen.

error-too_many_requests-title = Zu viele Versuche
error-too_many_requests-text = Es gab in kurzer Zeit viele Versuche. Deshalb legen wir eine kurze Pause ein.
error-too_many_requests-next = Warten Sie eine Minute und versuchen Sie es noch einmal. Wenn das zu früh ist, warten Sie etwas länger.

error-not_written-title = Wir konnten der Antwort nicht trauen
error-not_written-text = Der Identitätsanbieter Ihres Unternehmens hat etwas geantwortet, das wir nicht annehmen können. Hier schlägt im Augenblick so viel fehl, dass dieser Versuch nicht aufgezeichnet wurde und keine Kennung hat.
error-not_written-next = Versuchen Sie es in einigen Minuten noch einmal. Geschieht es wieder, sagen Sie es Ihrer IT-Abteilung, und wann es war.

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
error-signed_out_elsewhere-text = Ihre Sitzung wurde in einem anderen Fenster oder bei Ihrem Unternehmen beendet, oder hier hat sich jemand anders angemeldet.
error-signed_out_elsewhere-next = Melden Sie sich noch einmal an, um fortzufahren.

error-sign_out_refused-title = Dieser Verweis meldet Sie nicht ab
error-sign_out_refused-text = Die Anwendung, die Sie hierher geschickt hat, hat darum auf eine Weise gebeten, die wir nicht annehmen können. Abgemeldet hat sie Sie nicht.
error-sign_out_refused-next = Sie können sich trotzdem hier abmelden; zur Anwendung werden Sie dann nicht zurückgeführt.

error-sign_out_unconfirmed-title = Die Abmeldung ist vielleicht nicht vollständig
error-sign_out_unconfirmed-text = Der Identitätsanbieter Ihres Unternehmens hat uns zur Abmeldung etwas gesagt, das wir nicht annehmen können. Möglicherweise sind Sie noch angemeldet, dort oder hier.
error-sign_out_unconfirmed-next = Melden Sie sich an beiden Stellen ab und schließen Sie alle Browserfenster, wenn andere diesen Rechner benutzen.
error-sign_out_binding_unsupported-title = Ihr Identitätsanbieter meldet auf einem Weg ab, den wir nicht unterstützen
error-sign_out_binding_unsupported-text = Er hat das SAML-Binding HTTP-Artifact oder HTTP-POST-SimpleSign benutzt. Abmeldungen werden nur per HTTP-POST und HTTP-Redirect angenommen; möglicherweise sind Sie noch angemeldet, dort oder hier.
error-sign_out_binding_unsupported-next = Melden Sie sich an beiden Stellen ab und bitten Sie Ihre IT-Abteilung, die Abmeldung beim Identitätsanbieter auf HTTP-POST oder HTTP-Redirect einzustellen.

## Ein Gerät ohne Browser
button-allow = Dieses Gerät hereinlassen
button-deny = Nicht hereinlassen
device-title = Ein Gerät verbinden
device-sign-in = Melden Sie sich zuerst an. Dann geben Sie den Code ein, den Ihr Gerät zeigt, und entscheiden, ob das Gerät hereinkommt.
device-lead = Geben Sie den Code ein, den Ihr Gerät zeigt. Dann entscheiden Sie, ob das Gerät hereinkommt.
device-label = Code auf Ihrem Gerät
device-hint = Acht Buchstaben. Groß oder klein und der Bindestrich spielen keine Rolle.
device-beware-title = Geben Sie nie einen Code ein, den Ihnen jemand geschickt hat
device-beware = Geben Sie nur ein, was Sie selbst von einem Gerät vor Ihnen ablesen. Wer Ihnen einen Code per E-Mail, als Nachricht oder am Telefon schickt, will mit Ihrem Konto hinein.
let-in-application = Anmeldung eines Geräts für { $application }
let-in-title = Dieses Gerät hereinlassen?
let-in-lead = Ein Gerät möchte { $application } mit Ihrem Konto benutzen. Wer es in der Hand hat, kann dort dann alles, was Sie können.
let-in-code = Es zeigt diesen Code
let-in-organization = Es handelt für
let-in-personal = keine Organisation
let-in-address = Es hat von dieser Netzadresse aus gefragt
let-in-when = Es hat gefragt
let-in-ago =
    { $minutes ->
        [0] vor weniger als einer Minute
        [one] vor einer Minute
       *[other] vor { $minutes } Minuten
    }
let-in-how-long = Es bleibt angemeldet
let-in-short = nur kurze Zeit
let-in-session = bis Sie sich in diesem Browser abmelden
let-in-stays = bis Sie oder die Anwendung es beenden
let-in-beware-title = Haben Sie das selbst begonnen, gerade eben?
let-in-beware = Lassen Sie es nur herein, wenn das Gerät vor Ihnen steht und denselben Code zeigt. Kam der Code oder ein Link von jemand anderem, dann nicht: Er käme mit Ihrem Konto hinein.
let-in-late = Das Gerät hat schon vor einer Weile gefragt. Seien Sie sicher, dass es Ihres ist.
let-in-another-organization = Für eine andere Organisation handeln
let-in-told-lead = Dem Gerät wurde gesagt, dass es nicht hereingelassen wird.
let-in-done-title = Das Gerät ist hereingelassen
let-in-done-lead = Es geht dort in wenigen Sekunden von selbst weiter.
let-in-done-next = Gehen Sie zurück zu Ihrem Gerät. Sie können diese Seite schließen.
let-in-done-mistake = War es ein Versehen, beenden Sie es hier, und das Gerät ist draußen:
consent-eyebrow = Ihre Zustimmung
consent-title = Darf { $application } von Ihnen erfahren?
consent-lead-itself = { $application } hat sich hier selbst registriert. Von Ihnen erfährt sie nur, wenn Sie es erlauben, und nur, was hier steht.
consent-lead-owner = { $application } wird von einem Kunden dieses Dienstes angeboten. Von Ihnen erfährt die Anwendung nur, wenn Sie es erlauben, und nur, was hier steht.
consent-lead-operator = Wer diesen Dienst betreibt, möchte, dass Sie gefragt werden. { $application } erfährt von Ihnen nur, wenn Sie es erlauben, und nur, was hier steht.
consent-leads-to = Sie kommen zu
consent-organization = Sie handeln für
consent-told = Sie erfährt
consent-claims = was Ihr Identitätsanbieter außerdem von Ihnen sagt:
consent-audiences = Sie darf Ihr Konto nutzen bei
consent-manages = diesem Dienst selbst: Dort darf sie, was Sie für die Organisation dürfen, für die Sie handeln, aber keine Schlüssel, Rollen, Anwendungen oder Delegationen anlegen, niemanden einladen und niemandem eine Rolle geben
consent-acts-at = Mit dem, was andere Anwendungen an sie weitergeben, darf sie für Sie handeln bei
consent-scope-openid = einen Namen für Sie, der gleich bleibt
consent-scope-profile = Ihren Namen, Ihre Sprache und wann sich Ihr Profil geändert hat
consent-scope-email = Ihre E-Mail-Adresse
consent-scope-offline_access = was hier steht, auch wenn Sie nicht angemeldet sind
consent-scope-organization = die Organisation, für die Sie handeln
consent-scope-organizations = jede Organisation, für die Sie handeln dürfen
consent-scope-roles = Ihre Rollen in der Organisation, für die Sie handeln
consent-scope-permissions = was Sie in der Organisation dürfen, für die Sie handeln
consent-scope-own_roles = was Sie für den Betreiber dieses Dienstes sind
consent-scope-own_permissions = was der Betreiber dieses Dienstes Ihnen erlaubt
consent-hint = Was Sie erlauben, wird gemerkt. Sie nehmen es in Ihrem Konto unter Ihren Anwendungen zurück.
button-consent = Erlauben und weiter
button-no-consent = Nicht erlauben
let-in-denied-title = Das Gerät wurde nicht hereingelassen
let-in-denied-lead = Es hat nichts von Ihrem Konto bekommen.
let-in-denied-next = Sie können diese Seite schließen. Hat Sie jemand gebeten, einen Code einzugeben, sagen Sie Ihrer IT-Abteilung Bescheid.

error-user_code_unknown-title = Dieser Code gilt nicht
error-user_code_unknown-text = Kein Gerät wartet mit diesem Code. Vielleicht ist er vertippt, schon benutzt oder zu alt.
error-user_code_unknown-next = Sehen Sie noch einmal auf das Gerät. Zeigt es inzwischen einen anderen Code, geben Sie diesen ein.

error-device_not_allowed-title = Geräte werden hier nicht hereingelassen
error-device_not_allowed-text = Ihre Organisation lässt keine Geräte ohne Browser herein.
error-device_not_allowed-next = Benutzen Sie die Anwendung auf einem Gerät mit Browser, oder fragen Sie die Verwaltung Ihrer Organisation.

## Mails
mail-person = Von { $person }.
mail-roles = Ihre Rolle dort:
mail-message = Mit dieser Nachricht:
mail-button = Einladung öffnen
mail-open = Oder öffnen Sie diese Adresse in Ihrem Browser:
mail-until = Das gilt bis { $moment }.

mail-invitation-subject = Einladung zu { $organization }
mail-invitation-title = Sie sind zu { $organization } eingeladen
mail-invitation-text = Öffnen Sie die Einladung und melden Sie sich mit dieser E-Mail-Adresse an. Danach sind Sie Mitglied.
mail-invitation-next = Wenn Sie nicht wissen, warum Sie eingeladen sind, tun Sie nichts: Diese Mail allein ändert nichts. Geben Sie sie nicht weiter, der Link ist nur für Sie.

mail-ownership_offered-subject = { $organization } wird Ihnen angeboten
mail-ownership_offered-title = Sie werden gebeten, { $organization } zu übernehmen
mail-ownership_offered-text = Wer die Organisation besitzt, bietet Ihnen an, sie zu übernehmen. Nichts ändert sich, bevor Sie annehmen.
mail-ownership_offered-next = Nehmen Sie dort an oder lehnen Sie dort ab, wo Sie die Organisation verwalten. Wenn Sie nichts tun, verfällt das Angebot.

mail-ownership_given-subject = { $organization } gehört Ihnen
mail-ownership_given-title = { $organization } gehört jetzt Ihnen
mail-ownership_given-text = Die Organisation wurde Ihnen übergeben.
mail-ownership_given-next = Wenn Sie das nicht erwartet haben, sprechen Sie mit der Person, die sie übergeben hat.

mail-ownership_handed_over-subject = Sie haben { $organization } übergeben
mail-ownership_handed_over-title = { $organization } gehört Ihnen nicht mehr
mail-ownership_handed_over-text = Die Organisation wurde übergeben. Sie verwalten sie weiterhin.
mail-ownership_handed_over-next = Wenn Sie das nicht waren, holen Sie sofort Hilfe.

mail-domain_missed-subject = Der Nachweis für { $thing } fehlt
mail-domain_missed-title = Der Nachweis, dass { $thing } Ihnen gehört, fehlt
mail-domain_missed-text = { $organization } hat diese Domain nachgewiesen, aber der Eintrag ist verschwunden. Bleibt er aus, kann sich niemand mehr über diese Domain anmelden.
mail-domain_missed-next = Veröffentlichen Sie den Eintrag innerhalb einer Woche wieder. Wo Sie die Domain verwalten, steht, was erwartet wird.

mail-domain_lost-subject = Die Domain { $thing } ist verloren
mail-domain_lost-title = { $thing } gehört nicht mehr zu { $organization }
mail-domain_lost-text = Der Nachweis hat zu lange gefehlt. Niemand wird mehr über diese Domain zu Ihrer Anmeldung geleitet.
mail-domain_lost-next = Beginnen Sie dort, wo Sie die Domain verwalten, einen neuen Nachweis.

mail-domain_contested-subject = Auch jemand anders kann { $thing } nachweisen
mail-domain_contested-title = Zwei Organisationen können { $thing } nachweisen
mail-domain_contested-text = Jemand hat einen Nachweis für eine Domain veröffentlicht, die einer anderen Organisation gehört. Dadurch hat sich nichts geändert.
mail-domain_contested-next = Wenn die Domain { $organization } gehört, prüfen Sie, wer ihre DNS-Einträge ändern darf.

mail-domain_challenge-subject = Weisen Sie { $thing } neu nach
mail-domain_challenge-title = { $thing } braucht einen neuen Nachweis
mail-domain_challenge-text = Der Nachweis von { $organization } ist alt, oder die Domain ist auf andere Nameserver umgezogen. Innerhalb einer Woche wird ein neuer Eintrag erwartet.
mail-domain_challenge-next = Wo Sie die Domain verwalten, finden Sie den neuen Eintrag. Veröffentlichen Sie ihn, bevor die Woche um ist.

mail-domain_unreachable-subject = { $thing } antwortet nicht
mail-domain_unreachable-title = Der Nachweis für { $thing } lässt sich nicht nachsehen
mail-domain_unreachable-text = Die Server der Domain haben seit zwei Tagen nicht geantwortet. { $organization } behält sie.
mail-domain_unreachable-next = Bitten Sie die Betreiber der Domain, nach ihren Servern zu sehen.

mail-auto_join_paused-subject = { $organization }: Beitritt über { $thing } angehalten
mail-auto_join_paused-title = Der Beitritt über { $thing } ist angehalten
mail-auto_join_paused-text = In einer Stunde sind { $organization } mehr Menschen beigetreten als erlaubt. Über diese Domain tritt niemand mehr bei, bis Sie es wieder einschalten.
mail-auto_join_paused-next = Sehen Sie nach, wer beigetreten ist, und schalten Sie es dort wieder ein, wo Sie die Domain verwalten.

mail-connection_activated-subject = Die Anmeldung von { $organization } hat sich geändert
mail-connection_activated-title = Die Verbindung { $thing } ist aktiv
mail-connection_activated-text = Jemand hat Einstellungen einer Verbindung in Kraft gesetzt, über die sich Menschen von { $organization } anmelden.
mail-connection_activated-next = Wenn das niemand von Ihrer Verwaltung war, nehmen Sie die Verbindung sofort zurück.

mail-connection_rolled_back-subject = Die Anmeldung von { $organization } wurde zurückgenommen
mail-connection_rolled_back-title = Die Verbindung { $thing } hat wieder ihre früheren Einstellungen
mail-connection_rolled_back-text = Über die neuen Einstellungen konnte sich niemand bei { $organization } anmelden. Deshalb gelten wieder die früheren.
mail-connection_rolled_back-next = Sehen Sie sich die Fehler der Verbindung an, bevor Sie neue Einstellungen in Kraft setzen.

mail-connection_failing-subject = Über die neuen Einstellungen kann sich niemand bei { $organization } anmelden
mail-connection_failing-title = Die Verbindung { $thing } braucht Sie
mail-connection_failing-text = Seit neue Einstellungen einer Verbindung gelten, wurden Anmeldungen bei { $organization } mehrmals abgelehnt, und niemand ist über sie hereingekommen. Ob den früheren Einstellungen noch zu trauen ist, können nur Sie sagen; deshalb kommen sie nicht von selbst zurück.
mail-connection_failing-next = Wenn Sie den früheren Einstellungen noch trauen, nehmen Sie die Verbindung zurück. Wurde ein Schlüssel ersetzt, weil er gestohlen sein könnte, dann nicht: Berichtigen Sie stattdessen die neuen Einstellungen.

mail-metadata_ending-subject = Anmeldungen bei { $organization } enden bald, wenn Metadaten nicht erneuert werden
mail-metadata_ending-title = Die Metadaten von { $thing } laufen bald ab
mail-metadata_ending-text = Der Identitätsanbieter dieser Verbindung sagt, wie lange seinen Metadaten zu trauen ist. Diese Zeit ist fast vorbei, und neuere sind nicht veröffentlicht. Danach kann sich über sie niemand mehr bei { $organization } anmelden.
mail-metadata_ending-next = Bitten Sie den Betreiber des Identitätsanbieters, die Metadaten an ihrer Adresse zu erneuern, oder geben Sie sie der Verbindung als Dokument.

mail-metadata_unreadable-subject = Die Metadaten eines Identitätsanbieters von { $organization } sind nicht lesbar
mail-metadata_unreadable-title = Die Metadaten von { $thing } sind nicht mehr lesbar
mail-metadata_unreadable-text = Seit mindestens drei Tagen kommt von der Adresse, an der sich der Identitätsanbieter dieser Verbindung beschreibt, nichts Brauchbares mehr. Was über ihn bekannt ist, gilt weiter. Wechselt er aber seine Zertifikate, oder läuft die Zeit ab, für die seinen Metadaten zu trauen ist, kann sich über ihn niemand mehr bei { $organization } anmelden.
mail-metadata_unreadable-next = Bitten Sie den Betreiber des Identitätsanbieters, sie wieder zu veröffentlichen, oder geben Sie die Metadaten der Verbindung als Dokument.

mail-certificate_ending-subject = Das Zertifikat eines Identitätsanbieters von { $organization } läuft ab
mail-certificate_ending-title = Das Zertifikat von { $thing } läuft bald ab
mail-certificate_ending-text = Es ist das letzte bekannte Zertifikat von denen, mit denen der Identitätsanbieter unterschreibt. Das allein hindert niemanden an der Anmeldung. Vermutlich unterschreibt der Identitätsanbieter bis dahin aber mit einem anderen Schlüssel, und ist der hier nicht bekannt, kann sich über ihn niemand mehr bei { $organization } anmelden.
mail-certificate_ending-next = Bitten Sie den Betreiber des Identitätsanbieters um das nächste Zertifikat, und fügen Sie es der Verbindung hinzu, bevor er wechselt; das jetzige kann daneben bleiben.

mail-own_certificate_ending-subject = Ein Zertifikat, an dem ein Identitätsanbieter { $organization } erkennt, läuft ab
mail-own_certificate_ending-title = Unser Zertifikat für { $thing } läuft bald ab
mail-own_certificate_ending-text = An diesem Zertifikat erkennt uns der Identitätsanbieter dieser Verbindung. Manche Identitätsanbieter lehnen ein abgelaufenes ab, und dann kann sich niemand mehr bei { $organization } anmelden.
mail-own_certificate_ending-next = Wurde es für diese Verbindung mitgebracht, bringen Sie seinen Nachfolger; sonst bitten Sie den Betreiber dieses Dienstes, es zu erneuern. Lassen Sie danach den Betreiber des Identitätsanbieters unsere Metadaten neu lesen.

mail-metadata_changed-subject = Ein Identitätsanbieter von { $organization } hat andere Schlüssel oder Adressen
mail-metadata_changed-title = { $thing } hat sich von selbst geändert
mail-metadata_changed-text = Der Identitätsanbieter dieser Verbindung nennt jetzt andere Zertifikate oder Adressen. Er hat das mit einem Schlüssel unterschrieben, dem schon vertraut wurde; deshalb gilt es von nun an für Anmeldungen bei { $organization }.
mail-metadata_changed-next = Weiß der Betreiber des Identitätsanbieters nichts davon, schalten Sie die Verbindung ab und sehen Sie an, wem sie jetzt glaubt.

mail-metadata_offered-subject = Ein Identitätsanbieter von { $organization } sagt Neues von sich
mail-metadata_offered-title = Sehen Sie die Metadaten von { $thing } an
mail-metadata_offered-text = Die Metadaten an der Adresse dieser Verbindung sind jetzt andere: andere Zertifikate, Schlüssel oder Adressen. Entweder hat das kein Schlüssel unterschrieben, dem vertraut wird, und geändert haben kann es jeder, der an diese Adresse schreiben kann; oder es ist vielleicht eine ältere Fassung. Was zweifelhaft ist, gilt nicht, bis es jemand angesehen hat; Anmeldungen bei { $organization } gehen weiter wie bisher.
mail-metadata_offered-next = Die Verbindung zeigt, was zweifelhaft ist. Fragen Sie den Betreiber des Identitätsanbieters auf einem Weg, den Sie kennen, ob es von ihm stammt. Wenn ja, lassen Sie die Verbindung ihre Metadaten neu lesen; sonst scheitern Anmeldungen vielleicht, sobald der Identitätsanbieter das Neue verwendet.

mail-person_relinked-subject = Ihre Anmeldung bei { $organization } hat sich geändert
mail-person_relinked-title = { $thing } kennt Sie jetzt anders
mail-person_relinked-text = Wer { $organization } verwaltet, hat festgelegt, unter welchem Konto beim Identitätsanbieter Sie hier bekannt sind. Wer sich mit diesem Konto anmeldet, gilt von nun an als Sie.
mail-person_relinked-next = Wenn Sie nicht wissen, warum, fragen Sie sofort Ihre Administratoren: Es könnte sich jemand anderes als Sie anmelden.

mail-api_keys_revoked-subject = API-Schlüssel von { $organization } sind erloschen
mail-api_keys_revoked-title = Die API-Schlüssel { $thing } gelten nicht mehr
mail-api_keys_revoked-text = Wer sie angelegt hat, gehört nicht mehr zu { $organization }. Damit enden auch diese Schlüssel.
mail-api_keys_revoked-next = Wenn noch etwas einen solchen Schlüssel braucht, legen Sie einen neuen an.
mail-role_rules_unapproved-subject = Rollenregeln von { $organization } geben nichts mehr
mail-role_rules_unapproved-title = Niemand erhält { $thing } noch durch eine Rollenregel
mail-role_rules_unapproved-text = Wer diese Regeln von { $organization } genehmigt hat, besitzt die Organisation nicht mehr. Eine Rolle, die dort etwas ändern darf, gibt eine Regel nur, solange ein Eigentümer dafür einsteht.
mail-role_rules_unapproved-next = Sehen Sie die Regeln von { $organization } durch und speichern Sie die, die bleiben sollen, noch einmal.

mail-delegation_active-subject = Menschen von { $thing } dürfen für { $organization } handeln
mail-delegation_active-title = { $thing } und { $organization } haben eine Vertretung vereinbart
mail-delegation_active-text = Vom ersten bis zum letzten Tag der Vertretung dürfen Menschen von { $thing } für { $organization } handeln: mit den Rollen, die sie nennt, und mit keinen anderen.
mail-delegation_active-next = Wenn das bei Ihnen niemand gewollt hat, widerrufen Sie die Vertretung sofort. Das können beide Organisationen.

mail-delegation_changed-subject = Die Vertretung von { $organization } durch { $thing } hat sich geändert
mail-delegation_changed-title = Die Vertretung von { $organization } durch { $thing } braucht Ihre Zustimmung
mail-delegation_changed-text = Sie ist nicht mehr die, der beide Organisationen zugestimmt haben. Bis sie das tun, handelt niemand von { $thing } für { $organization }.
mail-delegation_changed-next = Lesen Sie sie dort, wo Sie Vertretungen verwalten, und stimmen Sie zu, wenn Sie einverstanden sind.

mail-delegation_paused-subject = Die Vertretung von { $organization } durch { $thing } ruht
mail-delegation_paused-title = Vorerst handelt niemand von { $thing } für { $organization }
mail-delegation_paused-text = Die Vertretung ruht, bis sie von derselben Seite fortgesetzt wird, die sie angehalten hat.
mail-delegation_paused-next = Wo Sie Vertretungen verwalten, steht, wer sie angehalten hat.

mail-delegation_resumed-subject = Menschen von { $thing } dürfen wieder für { $organization } handeln
mail-delegation_resumed-title = Die Vertretung von { $organization } durch { $thing } gilt wieder
mail-delegation_resumed-text = Sie ruht nicht mehr. Vom ersten bis zum letzten Tag der Vertretung dürfen Menschen von { $thing } für { $organization } handeln.
mail-delegation_resumed-next = Wenn das bei Ihnen niemand gewollt hat, halten Sie die Vertretung an oder widerrufen Sie sie. Das können beide Organisationen.

mail-delegation_revoked-subject = Die Vertretung von { $organization } durch { $thing } ist widerrufen
mail-delegation_revoked-title = Niemand von { $thing } handelt mehr für { $organization }
mail-delegation_revoked-text = Die Vertretung ist endgültig widerrufen. Was Menschen dadurch hatten, ist damit erloschen.
mail-delegation_revoked-next = Wenn Sie weiter zusammenarbeiten, schlagen Sie eine neue vor.

mail-organization_deleted-subject = { $organization } wird gelöscht
mail-organization_deleted-title = { $organization } wurde gelöscht
mail-organization_deleted-text = Niemand kann mehr für diese Organisation handeln. Bis zum { $thing } lässt sie sich wiederherstellen; danach ist sie endgültig weg.
mail-organization_deleted-next = War das nicht gewollt, bitten Sie vor diesem Tag den Betreiber dieses Dienstes, sie wiederherzustellen.

## Einladungen
role-name =
    { $role ->
        [owner] Eigentümer
        [admin] Administrator
        [member] Mitglied
       *[other] { $role }
    }
invitation-eyebrow = Einladung
invitation-title = { $organization } beitreten
invitation-lead = Sie sind eingeladen, Mitglied zu werden.
invitation-for = Für
invitation-as = Als
invitation-until = Bis
invitation-next = Melden Sie sich mit dem Konto dieser E-Mail-Adresse an. Danach sind Sie Mitglied.
mistakable-name = Sehen Sie genau hin: { $name } mischt Buchstaben mehrerer Alphabete oder lässt sich mit einem anderen Namen verwechseln.
button-accept = Anmelden und beitreten
button-skip-invitation = Ohne Beitritt fortfahren
accepted-title = Sie sind Mitglied von { $organization }
accepted-title-bare = Sie sind jetzt Mitglied
accepted-lead = Öffnen Sie die Anwendung, die Sie verwenden möchten, und melden Sie sich dort an.

error-invitation_over-title = Diese Einladung kann nicht verwendet werden
error-invitation_over-text = Sie wurde schon verwendet oder zurückgenommen, oder sie ist abgelaufen, oder ihr Link ist nicht vollständig.
error-invitation_over-next = Wenn Sie schon beigetreten sind, öffnen Sie die Anwendung. Sonst bitten Sie die Person, die Sie eingeladen hat, um eine neue Einladung.

error-invitation_for_another-title = Diese Einladung gilt für eine andere E-Mail-Adresse
error-invitation_for_another-text = Sie haben sich mit einem Konto angemeldet, dessen E-Mail-Adresse nicht die eingeladene oder nicht nachgewiesen ist. Die Einladung ist nicht verbraucht.
error-invitation_for_another-next = Melden Sie sich mit dem Konto der eingeladenen Adresse an, oder bitten Sie darum, die Adresse dieses Kontos einzuladen.

error-invitation_void-title = Diese Einladung gilt nicht mehr
error-invitation_void-text = Die Person, die Sie eingeladen hat, darf nicht mehr geben, was die Einladung gibt.
error-invitation_void-next = Bitten Sie die Verwaltung der Organisation um eine neue Einladung.

error-belongs_elsewhere-title = Sie gehören zu einer anderen Organisation
error-belongs_elsewhere-text = Hier gehört ein Konto zu einer einzigen Organisation, und Ihres hat schon eine.
error-belongs_elsewhere-next = Bitten Sie darum, eine andere Adresse von Ihnen einzuladen.

## Die Verwaltungsschnittstelle, für Menschen
reference-title = Die Verwaltungsschnittstelle
reference-lead = Jede Operation, was sie nimmt und antwortet und weshalb sie abgelehnt werden kann. Gemacht aus dem Dokument, das Programme lesen.
reference-document = Das Dokument (OpenAPI 3.1)
reference-problems = Jeder Code einer Ablehnung
reference-contents = Inhalt
reference-parameters = Parameter
reference-body = Rumpf
reference-answers = Antworten
reference-refusals = Ablehnungen
reference-required = nötig
reference-shapes = Formen
problems-title = Codes von Ablehnungen
problems-lead = Jede Ablehnung der Verwaltungsschnittstelle ist ein Problem (RFC 9457) mit einem dieser Codes, deren Bedeutung sich nie ändert.
problems-back = Die Verwaltungsschnittstelle

## Das eigene Konto
button-sign-in-again = Erneut anmelden
account-back = Zurück zu Ihrem Konto
account-label = Ihr Konto
account-organizations = Ihre Organisationen
account-organizations-hint = Wohin Sie wechseln, dort beginnen Anwendungen beim nächsten Mal. Was offen ist, bleibt, wie es ist.
account-organizations-none = Sie gehören hier zu keiner Organisation.
account-kind-home = Ihre eigene Organisation
account-kind-member = Sie sind Mitglied
account-kind-guest = Sie sind Gast
account-kind-delegate = Sie handeln für sie
account-current = Für sie handeln Sie jetzt
account-switch = Für { $organization } handeln
account-leave = { $organization } verlassen
account-sessions = Wo Sie angemeldet sind
account-sessions-hint = Wer eine Sitzung beendet, wird dort abgemeldet, und bei den Anwendungen, die sich das sagen lassen. Was eine Anwendung ohne Sie darf, steht bei Ihren Anwendungen.
account-here = Dieser Browser
account-browser = { $browser } unter { $system }
account-browser-unknown = Unbekannter Browser
account-since = Seit { $moment }
account-seen = Zuletzt hier { $moment }
account-end-here = Hier abmelden
account-end-session = Sitzung vom { $moment } beenden
account-applications = Ihre Anwendungen
account-applications-hint = Beenden nimmt zurück, was die Anwendung jetzt hat. Wenn Sie sie wieder öffnen, fragt sie wieder nach Ihnen.
account-applications-none = Keine Anwendung hat etwas von Ihnen.
account-for = Für { $organization }
account-for-none = Für Sie allein, und keine Organisation
account-for-unnamed = Für eine Organisation, für die Sie zurzeit nicht handeln
account-offline = Sie darf handeln, ohne dass Sie da sind
account-end-application = Für { $application } beenden
account-done-switched = Erledigt. Von jetzt an handeln Sie für sie, wenn keine Anwendung etwas anderes verlangt.
account-done-left = Sie haben die Organisation verlassen.
account-done-session = Die Sitzung ist beendet.
account-consents = Was Sie erlaubt haben
account-allowed-at = Wenn sie Sie zu { $place } führt, erfährt sie
account-allowed-device = Auf einem Gerät, das Sie hereingelassen haben, erfährt sie
account-allowed-audiences = Sie darf Ihr Konto nutzen bei { $audiences }
account-allowed-acts-at = Mit dem, was andere Anwendungen an sie weitergeben, darf sie für Sie handeln bei { $audiences }
account-allowed-since = Erlaubt am { $moment }
account-withdraw = { $application } zurücknehmen
account-consents-hint = Zurücknehmen beendet auch, was die Anwendung dort von Ihnen hat. Sie fragt Sie wieder, bevor sie davon etwas erfährt.
account-done-consent = Zurückgenommen. Die Anwendung hat davon nichts mehr und fragt Sie wieder.
account-done-application = Die Anwendung hat davon nichts mehr.
paging-first = Zum Anfang
browser-edge = Edge
browser-opera = Opera
browser-firefox = Firefox
browser-chrome = Chrome
browser-safari = Safari
browser-other = Ein anderer Browser
system-windows = Windows
system-android = Android
system-ios = iOS
system-macos = macOS
system-linux = Linux
system-other = einem anderen System
leave-title = { $organization } verlassen?
leave-lead = Sie handeln dann nicht mehr für { $organization }, und was Anwendungen dafür von Ihnen haben, endet sofort.
leave-hint = Von selbst kommen Sie nicht zurück: Jemand dort muss Sie einladen.
leave-stay = Bleiben

error-last_owner-title = Jemandem muss sie gehören
error-last_owner-text = Sie sind der letzte Eigentümer dieser Organisation und können sie deshalb nicht verlassen.
error-last_owner-next = Machen Sie zuerst jemand anderen zum Eigentümer.
error-last_way_in-title = Jemand muss sich anmelden können
error-last_way_in-text = Keiner der anderen Eigentümer dieser Organisation könnte sich anmelden. Sie können sie deshalb nicht verlassen.
error-last_way_in-next = Bitten Sie einen anderen Eigentümer, sich einmal anzumelden. Dann können Sie gehen.

error-managed_by_directory-title = Das entscheidet Ihr Unternehmen
error-managed_by_directory-text = Wer zu dieser Organisation gehört, sagt ihr Verzeichnis.
error-managed_by_directory-next = Bitten Sie die IT-Abteilung dort, Sie zu entfernen.

error-sign_in_again-title = Bitte melden Sie sich erneut an
error-sign_in_again-text = Für das, was Sie tun möchten, ist es zu lange her, dass Sie sich angemeldet haben.
error-sign_in_again-next = Melden Sie sich erneut an, und tun Sie es dann noch einmal.
