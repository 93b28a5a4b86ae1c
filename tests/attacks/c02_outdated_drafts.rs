//! C02, M15: a draft is made of what was live when it was begun. Nobody undoes by it unawares what was changed since: be it that
//! a stolen key was taken away, or a rule added.

use behalf::manage::house_file::Mode;
use behalf::protocol::saml::keys::Certificate;
use data_encoding::{BASE64_MIME, HEXLOWER};
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, IF_MATCH};
use serde_json::{Value, json};

use crate::house::answers::fine;
use crate::house::api::Api;
use crate::house::broker::{Engine, House, Plan};
use crate::house::lying_saml_idp::{LyingSamlIdp, Signer};
use crate::house::surgery::swap;
use crate::house::visitor::Answer;

const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];
const WRITER: [&str; 3] = ["connections:read", "connections:write", "members:write"];

fn print(certificate: &Certificate) -> String {
    HEXLOWER.encode(&certificate.fingerprint())
}

/// The certificates that are believed by a connection, or would be by its draft.
fn prints(view: &Value) -> Vec<String> {
    let all = view["idp"]["certificates"].as_array().unwrap();
    all.iter().map(|one| one["fingerprint"].as_str().unwrap().to_owned()).collect()
}

/// What the draft of a connection would undo, by name.
fn undone(view: &Value) -> Vec<&str> {
    view["draft"]["undoes"].as_array().unwrap().iter().map(|one| one["setting"].as_str().unwrap()).collect()
}

/// A connection whose provider was typed, and the file as the operator writes it once the provider's key is stolen.
struct Scene {
    house: House,
    path: String,
    changed: String,
    next: Signer,
}

impl Scene {
    async fn opens(engine: Engine) -> Self {
        let plan = Plan::on(engine);
        let idp = LyingSamlIdp::new("cb", plan.clock.clone());
        let next = Signer::new("next", idp.now());
        let own = format!("idp_x509_certificate = \"{}\"\n", idp.signer.certificate.base64());
        let keys =
            format!("idp_entity_id = \"{}\"\nidp_redirect_url = \"{}\"\n{own}", idp.entity_id, idp.sso);
        let mut plan = plan.with_saml_keys("cb", &keys);
        let other = format!("idp_x509_certificate = \"{}\"\n", next.certificate.base64());
        let rule = "required_attributes = { department = \"staff\" }\n";
        let changed = swap(&plan.file, &own, &format!("{other}{rule}"));
        plan.saml.insert("cb".to_owned(), idp);
        let house = plan.build().await;
        let path = format!("/connections/{}", house.connection("cb").await);
        Self { house, path, changed, next }
    }

    fn old(&self) -> &Certificate {
        &self.house.saml("cb").signer.certificate
    }

    async fn activates(&self, api: &Api, if_match: Option<&str>, body: Value) -> Answer {
        api.send(Method::POST, &format!("{}/activate", self.path), |ask| {
            let ask = ask.header(CONTENT_TYPE, "application/json").body(body.to_string());
            if_match.into_iter().fold(ask, |ask, etag| ask.header(IF_MATCH, etag))
        })
        .await
    }

    /// Refused, told what it would undo, and nothing was stored.
    async fn refuses(&self, attempt: impl Future<Output = Answer>) {
        let before = self.house.before().await;
        let answer = attempt.await;
        let told = answer.json();
        assert_eq!((answer.status.as_u16(), &told["code"]), (428, &json!("draft_outdated")), "{told}");
        assert_eq!(told["undoes"], json!(["idp_x509_certificate", "required_attributes"]));
        self.house.refused(&before, "draft_outdated").await;
    }
}

#[tokio::test]
async fn c02_m15_a_draft_that_was_begun_before_undoes_nothing_that_nobody_has_looked_at() {
    for engine in ENGINES {
        let scene = Scene::opens(engine).await;
        let (house, path) = (&scene.house, &scene.path);
        let (operator, key) = (Api::operator(house).await, Api::key(house, "org-b", &WRITER).await);
        let drafted = fine(key.patch(path, json!({"leeway": 30})).await);
        assert_eq!((&drafted["draft"]["begun_on"], undone(&drafted)), (&json!(1), vec![]));

        // Its key is stolen: the operator takes it away, and is told what waits, before and after.
        for mode in [Mode::Plan, Mode::Apply] {
            let report = house.reports(&scene.changed, mode).await;
            let told = "connection cb: a draft waits (version 2) that was begun before this, and would undo it if it went \
                        live: idp_x509_certificate, required_attributes";
            assert!(report.warnings.contains(&told.to_owned()), "{:?}", report.warnings);
        }
        let view = fine(operator.get(path).await);
        assert_eq!(
            (prints(&view), prints(&view["draft"])),
            (vec![print(&scene.next.certificate)], vec![print(scene.old())])
        );
        assert_eq!(
            view["draft"]["undoes"],
            json!([
                {
                    "setting": "idp_x509_certificate",
                    "live": [print(&scene.next.certificate)],
                    "draft": [print(scene.old())],
                },
                {"setting": "required_attributes", "live": {"department": ["staff"]}, "draft": {}},
            ])
        );

        // Whoever it is, and whatever else they say.
        for body in [json!({}), json!({"force": true}), json!({"version": 2, "force": true})] {
            scene.refuses(scene.activates(&operator, None, body.clone())).await;
            scene.refuses(scene.activates(&operator, Some("*"), body)).await;
        }
        let at_once = json!({"leeway": 31, "activate": true, "force": true});
        scene.refuses(operator.patch(path, at_once)).await;
        // Nor is it newer because somebody has gone on with it.
        let drafted = fine(key.patch(path, json!({"leeway": 31})).await);
        assert_eq!((&drafted["draft"]["version"], &drafted["draft"]["begun_on"]), (&json!(4), &json!(1)));
        scene.refuses(scene.activates(&operator, None, json!({"force": true}))).await;
        assert_eq!(prints(&fine(operator.get(path).await)), [print(&scene.next.certificate)]);

        // Whoever has mended it undoes nothing any more.
        let mended = json!({
            "idp_x509_certificate": scene.next.certificate.base64(), "required_attributes": {"department": "staff"},
        });
        assert_eq!(undone(&fine(operator.patch(path, mended).await)), Vec::<&str>::new());
        let live = fine(scene.activates(&operator, None, json!({"force": true})).await);
        assert_eq!(
            (prints(&live), &live["settings"]["leeway"], &live["settings"]["required_attributes"]),
            (vec![print(&scene.next.certificate)], &json!(31), &json!({"department": ["staff"]}))
        );
    }
}

#[tokio::test]
async fn c02_m15_whoever_names_what_is_live_may_undo_it_and_whoever_begins_anew_undoes_nothing() {
    for engine in ENGINES {
        let scene = Scene::opens(engine).await;
        let (house, path) = (&scene.house, &scene.path);
        let operator = Api::operator(house).await;
        let forced = json!({"force": true});
        fine(operator.patch(path, json!({"leeway": 30})).await);
        let early = operator.get(path).await.header("etag").unwrap().to_owned();
        house.provision(&scene.changed).await;
        // Nor by its author, and the operator. What they have read was before it.
        scene.refuses(scene.activates(&operator, None, forced.clone())).await;
        let before = house.before().await;
        let late = scene.activates(&operator, Some(&early), forced.clone()).await;
        assert_eq!((late.status.as_u16(), &late.json()["code"]), (412, &json!("precondition_failed")));
        house.refused(&before, "precondition_failed").await;
        let read = operator.get(path).await.header("etag").unwrap().to_owned();
        let live = fine(scene.activates(&operator, Some(&read), forced.clone()).await);
        assert_eq!((prints(&live), &live["settings"]["leeway"]), (vec![print(scene.old())], &json!(30)));

        // What is thrown away undoes nothing, and the next one is begun on what is live.
        fine(operator.patch(path, json!({"leeway": 40})).await);
        house.provision(&scene.changed).await;
        fine(operator.send(Method::DELETE, &format!("{path}/draft"), |ask| ask).await);
        let drafted = fine(operator.patch(path, json!({"leeway": 40})).await);
        assert_eq!((&drafted["draft"]["begun_on"], undone(&drafted)), (&drafted["version"], vec![]));
        // Off and on again is no other version, nor is the file that says the same once more.
        fine(operator.send(Method::POST, &format!("{path}/disable?force=true"), |ask| ask).await);
        fine(operator.send(Method::POST, &format!("{path}/enable"), |ask| ask).await);
        house.provision(&scene.changed).await;
        assert_eq!(undone(&fine(operator.get(path).await)), Vec::<&str>::new());
        let live = fine(scene.activates(&operator, None, forced).await);
        assert_eq!(
            (prints(&live), &live["settings"]["leeway"]),
            (vec![print(&scene.next.certificate)], &json!(40))
        );
    }
}

#[tokio::test]
async fn c02_m15_a_draft_does_not_undo_a_roll_back_nor_bring_a_replaced_key_back() {
    for engine in ENGINES {
        let scene = Scene::opens(engine).await;
        let (house, path) = (&scene.house, &scene.path);
        let operator = Api::operator(house).await;
        let [first, second] = ["first", "second"].map(|name| Signer::new(name, house.clock.now()));
        let goes_live = async |body: Value| {
            fine(operator.patch(path, body).await);
            fine(operator.post(&format!("{path}/activate"), json!({"force": true})).await)
        };
        goes_live(opening(&first)).await;
        let bad = goes_live(opening(&second)).await;
        fine(operator.patch(path, json!({"leeway": 30})).await);
        fine(operator.post(&format!("{path}/rollback"), json!({})).await);
        let view = fine(operator.get(path).await);
        assert_eq!(undone(&view), ["decryption_certificate", "secret"]);
        let secret = json!({"setting": "secret", "live": null, "draft": null});
        assert_eq!(view["draft"]["undoes"][1], secret, "nothing of it is told");
        let before = house.before().await;
        let refused = scene.activates(&operator, None, json!({"force": true})).await;
        assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (428, &json!("draft_outdated")));
        house.refused(&before, "draft_outdated").await;
        // Where that on which it was begun is live again, there is nothing to undo.
        fine(operator.post(&format!("{path}/rollback"), json!({"version": bad["version"]})).await);
        assert_eq!(undone(&fine(operator.get(path).await)), Vec::<&str>::new());
        fine(scene.activates(&operator, None, json!({"force": true})).await);
    }
}

fn opening(signer: &Signer) -> Value {
    let der = BASE64_MIME.encode(&signer.key.to_pkcs8().unwrap());
    let key = format!("-----BEGIN PRIVATE KEY-----\n{der}-----END PRIVATE KEY-----\n");
    json!({"decryption_key": key, "decryption_certificate": signer.certificate.base64()})
}

#[tokio::test]
async fn c02_s1_r24_what_goes_live_by_itself_waits_where_it_would_undo_something() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let (provider, path) =
            ("/organizations/org-a/sso-provider", format!("/connections/{}", house.connection("ca").await));
        let body = json!({
            "type": "oidc", "issuer": house.idp_a.issuer, "client_id": "behalf", "client_secret": house.idp_a.secret,
        });
        fine(operator.patch(&path, json!({"always_userinfo": true})).await);
        let changed = swap(
            &house.file,
            "jit = \"create_and_join\"\n\n[connection.cb]",
            "jit = \"create_and_join\"\nleeway = 20\n\n[connection.cb]",
        );
        house.provision(&changed).await;
        let waits = fine(operator.put(provider, body.clone()).await);
        assert_eq!((&waits["settings"]["leeway"], undone(&waits)), (&json!(20), vec!["leeway"]));
        fine(operator.send(Method::DELETE, &format!("{path}/draft"), |ask| ask).await);
        let live = fine(operator.put(provider, body).await);
        assert_eq!(
            (&live["settings"]["leeway"], &live["draft"]),
            (&json!(60), &Value::Null),
            "nobody signs in by it"
        );
    }
}
