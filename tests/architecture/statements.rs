//! Every statement that the durable store is asked, as text: what stands in a string, and what the macros of its files make
//! of several.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::reader::{home, rust_files};

const STORE: &str = "src/store/durable";
/// What statements begin with.
const VERBS: [&str; 5] = ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "WITH "];

type Tokens = Vec<TokenTree>;
type Macros = BTreeMap<String, Vec<Rule>>;

/// One arm of a macro: the names of its literals, and what it makes of them.
struct Rule {
    names: Vec<String>,
    body: Tokens,
}

/// What a macro was given, by name.
type Given = BTreeMap<String, String>;

/// Every statement once, its blanks as one each.
pub fn statements() -> BTreeSet<String> {
    let folder = home().join(STORE);
    let files: Vec<_> = rust_files(&folder)
        .into_iter()
        .filter(|file| !file.starts_with(folder.join("engine")) && !file.ends_with("engine.rs"))
        .collect();
    let read = |file| fs::read_to_string(file).unwrap().parse().unwrap();
    let sources: Vec<Tokens> = files.iter().map(|file| flat(read(file))).collect();
    let mut shared = Macros::new();
    for source in &sources {
        let mut own = Macros::new();
        define(source, &mut own);
        let is_shared = |name: &String| uses(source, name);
        shared.extend(own.into_iter().filter(|(name, _)| is_shared(name)));
    }
    let mut found = BTreeSet::new();
    for source in &sources {
        let mut own = Macros::new();
        define(source, &mut own);
        walk(source, &Scope { own: &own, shared: &shared }, &Given::new(), &mut |text| {
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            if VERBS.iter().any(|verb| text.starts_with(verb)) {
                found.insert(text);
            }
        });
    }
    found
}

struct Scope<'a> {
    own: &'a Macros,
    shared: &'a Macros,
}

fn flat(stream: TokenStream) -> Tokens {
    stream.into_iter().collect()
}

fn is(token: Option<&TokenTree>, text: &str) -> bool {
    token.is_some_and(|token| match token {
        TokenTree::Ident(ident) => ident == text,
        TokenTree::Punct(punct) => punct.as_char().to_string() == text,
        _ => false,
    })
}

/// Whether a file hands a macro on: `use name;`.
fn uses(source: &[TokenTree], name: &str) -> bool {
    let handed =
        |at: usize| is(source.get(at), "use") && is(source.get(at + 1), name) && is(source.get(at + 2), ";");
    (0..source.len()).any(handed)
}

/// Takes down the macros of a file, wherever in it they are.
fn define(tokens: &[TokenTree], macros: &mut Macros) {
    for (at, token) in tokens.iter().enumerate() {
        if let TokenTree::Group(group) = token {
            let is_rules = at >= 3 && is(tokens.get(at - 3), "macro_rules");
            match is_rules {
                true => drop(macros.insert(tokens[at - 1].to_string(), rules(&flat(group.stream())))),
                false => define(&flat(group.stream()), macros),
            }
        }
    }
}

fn rules(tokens: &[TokenTree]) -> Vec<Rule> {
    let groups: Vec<_> = tokens
        .iter()
        .filter_map(|token| if let TokenTree::Group(group) = token { Some(group) } else { None })
        .collect();
    let rule = |pair: &[&proc_macro2::Group]| {
        let pattern = flat(pair[0].stream());
        let names = pattern.windows(2).filter(|two| is(two.first(), "$")).map(|two| two[1].to_string());
        Rule { names: names.collect(), body: flat(pair[1].stream()) }
    };
    groups.chunks_exact(2).map(rule).collect()
}

/// Tells every text that stands in the tokens, and what macros make.
fn walk(tokens: &[TokenTree], scope: &Scope<'_>, given: &Given, tell: &mut impl FnMut(String)) {
    let mut at = 0;
    while at < tokens.len() {
        if let Some((name, arguments)) = called(tokens, at) {
            at += 3;
            if name == "macro_rules" {
                at += 1;
            } else if let Some(text) = text(&tokens[at - 3..at], scope, given) {
                tell(text);
            } else if let Some((rule, bound)) = bound(&name, &arguments, scope, given) {
                walk(&rule.body, scope, &bound, tell);
            } else {
                walk(&arguments, scope, given, tell);
            }
            continue;
        }
        match &tokens[at] {
            TokenTree::Group(group) => walk(&flat(group.stream()), scope, given, tell),
            TokenTree::Literal(_) => text(&tokens[at..=at], scope, given).into_iter().for_each(&mut *tell),
            _ => {}
        }
        at += 1;
    }
}

/// The macro that is called there, and with what. A definition is called `macro_rules`.
fn called(tokens: &[TokenTree], at: usize) -> Option<(String, Tokens)> {
    let TokenTree::Ident(name) = tokens.get(at)? else { return None };
    let is_call = is(tokens.get(at + 1), "!");
    match tokens.get(at + 2)? {
        TokenTree::Group(group) if is_call && group.delimiter() != Delimiter::None => {
            Some((name.to_string(), flat(group.stream())))
        }
        TokenTree::Ident(_) if is_call => Some((name.to_string(), Tokens::new())),
        _ => None,
    }
}

/// The arm that takes so many texts, and what each is.
fn bound<'s>(
    name: &str,
    arguments: &[TokenTree],
    scope: &Scope<'s>,
    given: &Given,
) -> Option<(&'s Rule, Given)> {
    let arguments: Vec<_> =
        arguments.split(|token| is(Some(token), ",")).filter(|one| !one.is_empty()).collect();
    let rules = scope.own.get(name).or_else(|| scope.shared.get(name))?;
    let rule = rules.iter().find(|rule| rule.names.len() == arguments.len())?;
    let texts: Option<Vec<_>> = arguments.iter().map(|one| text(one, scope, given)).collect();
    Some((rule, rule.names.iter().cloned().zip(texts?).collect()))
}

/// What a literal, a name of a macro's, `concat!` or another macro comes to, if that is a text.
fn text(tokens: &[TokenTree], scope: &Scope<'_>, given: &Given) -> Option<String> {
    match tokens {
        [TokenTree::Literal(literal)] => {
            Some(syn::parse_str::<syn::LitStr>(&literal.to_string()).ok()?.value())
        }
        [TokenTree::Punct(dollar), TokenTree::Ident(name)] if dollar.as_char() == '$' => {
            given.get(&name.to_string()).cloned()
        }
        [TokenTree::Group(group)] => text(&flat(group.stream()), scope, given),
        [TokenTree::Ident(_), TokenTree::Punct(_), TokenTree::Group(_)] => {
            let (name, arguments) = called(tokens, 0)?;
            if name == "concat" {
                let parts = arguments.split(|token| is(Some(token), ",")).filter(|one| !one.is_empty());
                return parts.map(|part| text(part, scope, given)).collect();
            }
            let (rule, bound) = bound(&name, &arguments, scope, given)?;
            text(&rule.body, scope, &bound)
        }
        _ => None,
    }
}
