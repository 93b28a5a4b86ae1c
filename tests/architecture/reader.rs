//! Reads the house: its files, by the `mod`s that lead to them, and every path that they say.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, slice};

use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, File, Item, UseTree};

/// A file or an inline module, and every path that it says.
pub struct Module {
    pub file: PathBuf,
    pub path: Vec<String>,
    pub names: Vec<Name>,
}

/// A path as it was meant: `crate::…` for our own, the crate's name first for a foreign one.
pub struct Name {
    pub path: Vec<String>,
    pub place: String,
}

pub fn read_house() -> Vec<Module> {
    let mut house = modules(&home().join("src/lib.rs"), Vec::new(), false);
    house.extend(modules(&home().join("src/main.rs"), vec!["main".to_owned()], false));
    house
}

/// Every file that Cargo starts from.
pub fn roots() -> Vec<PathBuf> {
    let manifest: toml::Table = fs::read_to_string(home().join("Cargo.toml")).unwrap().parse().unwrap();
    let targets =
        ["bin", "test", "bench", "example"].iter().filter_map(|kind| manifest.get(*kind)?.as_array());
    let paths = targets.flatten().filter_map(|target| target.get("path")?.as_str());
    ["src/lib.rs"].into_iter().chain(paths).map(|path| home().join(path)).collect()
}

/// A file and all that its `mod`s lead to.
pub fn modules(file: &Path, path: Vec<String>, with_tests: bool) -> Vec<Module> {
    let source = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", shown(file)));
    let syntax = syn::parse_file(&source).unwrap_or_else(|error| panic!("{}: {error}", shown(file)));
    let mut found =
        vec![Module { file: file.to_owned(), names: names(file, &path, &syntax), path: path.clone() }];
    let is_root = path.is_empty() || path == ["main"] || file.ends_with("main.rs");
    let folder = match file.file_name().and_then(|name| name.to_str()) {
        Some("mod.rs") => file.parent().unwrap().to_owned(),
        _ if is_root => file.parent().unwrap().to_owned(),
        _ => file.with_extension(""),
    };
    let path = if is_root { Vec::new() } else { path };
    for (inline, attributes, name) in outlined(&syntax.items, &[], with_tests) {
        let folder = inline.iter().fold(folder.clone(), |folder, part| folder.join(part));
        let file = match named_path(&attributes) {
            Some(named) => file.parent().unwrap().join(named),
            None => [folder.join(format!("{name}.rs")), folder.join(&name).join("mod.rs")]
                .into_iter()
                .find(|file| file.is_file())
                .unwrap_or_else(|| panic!("no file for `mod {name}` of {}", shown(file))),
        };
        let path = path.iter().cloned().chain(inline).chain([name]).collect();
        found.extend(modules(&file, path, with_tests));
    }
    found
}

/// Every `mod name;`, with the inline modules around it.
fn outlined(
    items: &[Item],
    around: &[String],
    with_tests: bool,
) -> Vec<(Vec<String>, Vec<Attribute>, String)> {
    let mut found = Vec::new();
    for item in items {
        let Item::Mod(module) = item else { continue };
        if !with_tests && is_test(&module.attrs) {
            continue;
        }
        let name = module.ident.to_string();
        match &module.content {
            None => found.push((around.to_vec(), module.attrs.clone(), name)),
            Some((_, items)) => found.extend(outlined(items, &[around, &[name]].concat(), with_tests)),
        }
    }
    found
}

fn is_test(attributes: &[Attribute]) -> bool {
    let is_test = |attribute: &Attribute| match &attribute.meta {
        syn::Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string() == "test",
        _ => false,
    };
    attributes.iter().any(is_test)
}

fn named_path(attributes: &[Attribute]) -> Option<String> {
    attributes.iter().find_map(|attribute| match &attribute.meta {
        syn::Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
            syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    })
}

/// Every path that a file says outside its tests, in `use`s, in code and inside macros.
pub fn names(file: &Path, path: &[String], syntax: &File) -> Vec<Name> {
    let mut reader = Reader { file, module: path.to_vec(), said: Vec::new(), brought: BTreeMap::new() };
    reader.visit_file(syntax);
    let Reader { said, brought, .. } = reader;
    said.into_iter().map(|name| Name { path: meant(name.path, &brought), place: name.place }).collect()
}

/// Follows a name that a `use` has brought in: after `use crate::login`, `login::issue` is `crate::login::issue`.
fn meant(path: Vec<String>, brought: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let mut path = path;
    // A few times, for a `use` that builds on another one.
    for _ in 0..4 {
        match brought.get(&path[0]) {
            Some(origin) if path.len() > 1 => path = [origin, &path[1..]].concat(),
            _ => break,
        }
    }
    path
}

struct Reader<'a> {
    file: &'a Path,
    module: Vec<String>,
    said: Vec<Name>,
    brought: BTreeMap<String, Vec<String>>,
}

impl Reader<'_> {
    /// Notes a path; `self`, `super` and our own crate's name become `crate`.
    fn say(&mut self, words: &[Ident]) -> Vec<String> {
        let mut path: Vec<String> = words.iter().map(ToString::to_string).collect();
        let ours = if self.module == ["main"] { &[] } else { &self.module[..] };
        let ups = path.iter().take_while(|part| *part == "super").count();
        match path.first().map(String::as_str) {
            Some("behalf") => path[0] = "crate".to_owned(),
            Some("self") => {
                path.splice(..1, ["crate".to_owned()].into_iter().chain(ours.to_vec()));
            }
            Some("super") => {
                let above = &ours[..ours.len().saturating_sub(ups)];
                path.splice(..ups, ["crate".to_owned()].into_iter().chain(above.to_vec()));
            }
            _ => {}
        }
        if let Some(first) = words.first() {
            let place = format!("{}:{}", shown(self.file), first.span().start().line);
            self.said.push(Name { path: path.clone(), place });
        }
        path
    }

    fn import(&mut self, tree: &UseTree, before: &[Ident]) {
        let with = |ident: &Ident| [before, slice::from_ref(ident)].concat();
        match tree {
            UseTree::Path(path) => self.import(&path.tree, &with(&path.ident)),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.import(tree, before)),
            UseTree::Glob(_) => drop(self.say(before)),
            UseTree::Name(name) if name.ident == "self" => {
                if let Some(last) = before.last() {
                    self.bring(before, &last.to_string());
                }
            }
            UseTree::Name(name) => self.bring(&with(&name.ident), &name.ident.to_string()),
            UseTree::Rename(rename) if rename.ident == "self" => {
                self.bring(before, &rename.rename.to_string())
            }
            UseTree::Rename(rename) => self.bring(&with(&rename.ident), &rename.rename.to_string()),
        }
    }

    fn bring(&mut self, words: &[Ident], name: &str) {
        let path = self.say(words);
        // `use tokio;` says nothing new, and would lead in a circle.
        if path.first().is_some_and(|first| first != name) {
            self.brought.insert(name.to_owned(), path);
        }
    }

    /// Macros are not syntax yet; anything that looks like a path in one is taken for a path.
    fn read_tokens(&mut self, tokens: TokenStream) {
        let mut words: Vec<Ident> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Punct(sign) if sign.as_char() == ':' => colons += 1,
                TokenTree::Ident(word) => {
                    if colons != 2 {
                        self.end_of_path(&mut words);
                    }
                    words.push(word);
                    colons = 0;
                }
                other => {
                    self.end_of_path(&mut words);
                    colons = 0;
                    if let TokenTree::Group(group) = other {
                        self.read_tokens(group.stream());
                    }
                }
            }
        }
        self.end_of_path(&mut words);
    }

    fn end_of_path(&mut self, words: &mut Vec<Ident>) {
        if words.len() > 1 {
            self.say(words);
        }
        words.clear();
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes: &[Attribute] = match item {
            Item::Fn(item) => &item.attrs,
            Item::Impl(item) => &item.attrs,
            Item::Mod(item) => &item.attrs,
            Item::Use(item) => &item.attrs,
            _ => &[],
        };
        if !is_test(attributes) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        self.module.push(module.ident.to_string());
        visit::visit_item_mod(self, module);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.import(&item.tree, &[]);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let words: Vec<Ident> = path.segments.iter().map(|segment| segment.ident.clone()).collect();
        if words.len() > 1 {
            self.say(&words);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, invocation: &'ast syn::Macro) {
        self.visit_path(&invocation.path);
        self.read_tokens(invocation.tokens.clone());
    }
}

pub fn home() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

pub fn shown(file: &Path) -> String {
    file.strip_prefix(home()).unwrap_or(file).display().to_string()
}

pub fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut found = Vec::new();
    for path in entries.map(|entry| entry.unwrap().path()) {
        // What is fuzzed is a package of its own.
        if path.is_dir() && !path.ends_with("node_modules") && !path.join("Cargo.toml").exists() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}
