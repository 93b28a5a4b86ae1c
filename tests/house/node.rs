//! The other side of every protocol: programs by other authors, in `tests/counterparts`.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(20);

/// A running counterpart. It ends with this value, and if the test is killed, with its standard input.
pub struct Node {
    program: String,
    /// What it said of itself when it was ready: its port, its issuer, its keys.
    pub ready: Value,
    requests: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    _process: Child,
}

impl Node {
    /// Starts `tests/counterparts/{program}.mjs`; the head of that file says which settings it takes.
    pub async fn start(program: &str, settings: Value) -> Self {
        let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/counterparts");
        assert!(home.join("node_modules").is_dir(), "the counterparts are not installed: run `tests/run`");
        let mut node = Command::new("node");
        node.args(["--no-warnings", &format!("{program}.mjs")]).current_dir(home);
        Self::seat(program, node, settings).await
    }

    /// Starts `tests/counterparts/{program}.py`, which sits at the same desk.
    pub async fn start_python(program: &str, settings: Value) -> Self {
        let house = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
        let interpreter = house.join(".state/python/bin/python");
        assert!(interpreter.exists(), "the counterparts in Python are not installed: run `tests/run`");
        let mut python = Command::new(interpreter);
        python.args(["-B", "-W", "ignore", &format!("{program}.py")]).current_dir(house.join("counterparts"));
        Self::seat(program, python, settings).await
    }

    async fn seat(program: &str, mut command: Command, settings: Value) -> Self {
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{program} cannot be started: {error}"));
        let answers = BufReader::new(process.stdout.take().unwrap()).lines();
        let requests = process.stdin.take().unwrap();
        let ready = Value::Null;
        let mut node = Self { program: program.to_owned(), ready, requests, answers, _process: process };
        node.ready = node.exchange(settings).await["ready"].take();
        node
    }

    /// Asks it to `do` something; its error is a value too: `Err({"code", "error", "error_description", …})`.
    pub async fn try_ask(&mut self, what: &str, mut request: Value) -> Result<Value, Value> {
        request["do"] = json!(what);
        let mut answer = self.exchange(request).await;
        if answer["error"].is_null() { Ok(answer["ok"].take()) } else { Err(answer["error"].take()) }
    }

    /// Asks it to `do` something that is expected to go well.
    pub async fn ask(&mut self, what: &str, request: Value) -> Value {
        let answer = self.try_ask(what, request).await;
        answer.unwrap_or_else(|error| panic!("{}: {what}: {error:#}", self.program))
    }

    /// A fact of [`Node::ready`] that is text, such as its `issuer`.
    pub fn says(&self, fact: &str) -> &str {
        self.ready[fact].as_str().unwrap_or_else(|| panic!("{} said no {fact}: {}", self.program, self.ready))
    }

    async fn exchange(&mut self, request: Value) -> Value {
        self.requests.write_all(format!("{request}\n").as_bytes()).await.unwrap();
        let answer = timeout(PATIENCE, self.answers.next_line()).await;
        let answer = answer.unwrap_or_else(|_| panic!("{} does not answer {request}", self.program)).unwrap();
        let answer = answer.unwrap_or_else(|| panic!("{} ended before it answered {request}", self.program));
        serde_json::from_str(&answer).unwrap_or_else(|_| panic!("{} said: {answer}", self.program))
    }
}
