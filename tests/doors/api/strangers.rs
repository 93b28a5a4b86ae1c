//! What a program by other authors (schemathesis) finds when it knows nothing but the API's own document: no status, shape
//! or header that the document does not name, nothing wrong that is taken, no failure of ours.

use std::fmt::Write;
use std::path::Path;
use std::process::Output;

use behalf::manage::api::route::Route;
use behalf::manage::api::routes::ROUTES;
use behalf::model::api_key::{Holder, OperatorRole};
use http::Method;
use tokio::process::Command;

use super::everyone::Ids;
use crate::house::api::{Api, plant};
use crate::house::broker::House;

/// Cursors are opaque: one that is made up is refused, though the document cannot say what is wrong with it. And who
/// comes without a key is soon told to wait, so that is tried elsewhere, route by route.
const LEFT_OUT: &str = "positive_data_acceptance,ignored_auth";

/// Some of the routes: so many that a caller may ask them all in a minute.
struct Part {
    method: Method,
    below: Below,
}

enum Below {
    Everywhere,
    Organizations,
    Elsewhere,
}

impl Part {
    fn has(&self, route: &Route) -> bool {
        let is_below = route.path.starts_with("/organizations/");
        let fits = match self.below {
            Below::Everywhere => true,
            Below::Organizations => is_below,
            Below::Elsewhere => !is_below,
        };
        fits && route.method == self.method
    }
}

struct Stranger<'a> {
    house: &'a House,
    bearer: String,
    /// Things that there are, so that not everything is unknown.
    samples: String,
}

impl Stranger<'_> {
    async fn tries(&self, some: &Part) -> Output {
        let folder = tempfile::tempdir().unwrap();
        let settings = folder.path().join("schemathesis.toml");
        std::fs::write(&settings, &self.samples).unwrap();
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/.state/python/bin/schemathesis");
        assert!(program.exists(), "the counterparts in Python are not installed: run `tests/run`");
        let mut command = Command::new(program);
        command.arg("--config-file").arg(settings).arg("run");
        command.arg(format!("{}/api/v1/openapi.json", self.house.url));
        command.args(["--header", &format!("Authorization: Bearer {}", self.bearer)]);
        command.args(["--include-method", some.method.as_str()]);
        match some.below {
            Below::Everywhere => {}
            Below::Organizations => drop(command.args(["--exclude-path-regex", "^/(?!organizations/)"])),
            Below::Elsewhere => drop(command.args(["--exclude-path-regex", "^/organizations/"])),
        }
        command.args(["--phases", "coverage,fuzzing,stateful", "--max-examples", "10"]);
        command.args(["--exclude-checks", LEFT_OUT, "--generation-deterministic", "--no-color"]);
        command.args(["--request-timeout", "30"]);
        command.current_dir(folder.path()).env("COLUMNS", "200").kill_on_drop(true);
        command.output().await.unwrap()
    }
}

fn parameters(ids: &Ids) -> String {
    // Whatever else is wrong with it, what was decided on an older state is refused as such, and so is what is too long.
    let refusals = "[400, 401, 403, 404, 405, 406, 409, 412, 413, 415, 422, 428, 429]";
    let mut text =
        format!("[checks]\nnegative_data_rejection.expected-statuses = {refusals}\n[parameters]\n");
    for (name, value) in ids.all() {
        writeln!(text, "\"path.{name}\" = \"{value}\"").unwrap();
    }
    text
}

/// In a house of its own: a caller may ask only so often in a minute, and here no minute goes by.
async fn a_stranger_tries(method: Method, below: Below) {
    let some = Part { method, below };
    let house = House::opens().await;
    Api::person(&house, "con@a.test", "org-a").await;
    let samples = parameters(&Ids::of(&house).await);
    let bearer = plant(&house, "default", Holder::Operator(OperatorRole::System)).await;
    let output = Stranger { house: &house, bearer, samples }.tries(&some).await;
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    let many = ROUTES.iter().filter(|route| some.has(route)).count();
    assert!(told.contains(&format!("Tested: {many}\n")), "{told}");
    assert!(!told.contains("Rate limited"), "{told}");
}

#[tokio::test]
async fn c20_who_knows_the_document_alone_reads_nothing_that_it_does_not_name() {
    a_stranger_tries(Method::GET, Below::Everywhere).await;
}

#[tokio::test]
async fn c20_who_knows_the_document_alone_posts_nothing_that_it_does_not_name() {
    a_stranger_tries(Method::POST, Below::Everywhere).await;
}

#[tokio::test]
async fn c20_who_knows_the_document_alone_replaces_nothing_that_it_does_not_name() {
    a_stranger_tries(Method::PUT, Below::Everywhere).await;
}

#[tokio::test]
async fn c20_who_knows_the_document_alone_changes_nothing_of_an_organization_that_it_does_not_name() {
    a_stranger_tries(Method::PATCH, Below::Organizations).await;
}

#[tokio::test]
async fn c20_who_knows_the_document_alone_changes_nothing_else_that_it_does_not_name() {
    a_stranger_tries(Method::PATCH, Below::Elsewhere).await;
}

#[tokio::test]
async fn c20_who_knows_the_document_alone_deletes_nothing_that_it_does_not_name() {
    a_stranger_tries(Method::DELETE, Below::Everywhere).await;
}
