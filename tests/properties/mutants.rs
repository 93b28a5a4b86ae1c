//! A message as a tree that can be cut up and put together in other ways.

use super::documents::Dice;

#[derive(Clone)]
pub enum Node {
    /// The start tag without its brackets, and what is in it.
    Element(String, Vec<Node>),
    Text(String),
}

impl Node {
    /// Of a message as we write it: no `>` in a value, nothing but elements and texts.
    pub fn read(xml: &str) -> Self {
        let mut open = vec![(String::new(), Vec::new())];
        for part in xml.split_inclusive('>') {
            let (text, tag) = part.split_once('<').unwrap();
            let tag = tag.trim_end_matches('>');
            let (_, siblings) = open.last_mut().unwrap();
            if !text.is_empty() {
                siblings.push(Self::Text(text.to_owned()));
            }
            if let Some(empty) = tag.strip_suffix('/') {
                siblings.push(Self::Element(empty.to_owned(), Vec::new()));
            } else if tag.starts_with('/') {
                let (tag, children) = open.pop().unwrap();
                open.last_mut().unwrap().1.push(Self::Element(tag, children));
            } else {
                open.push((tag.to_owned(), Vec::new()));
            }
        }
        open.pop().unwrap().1.pop().unwrap()
    }

    pub fn write(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Element(tag, children) => {
                let name = tag.split(' ').next().unwrap();
                format!("<{tag}>{}</{name}>", children.iter().map(Self::write).collect::<String>())
            }
        }
    }

    /// One change: moved, copied, wrapped, unwrapped, renamed, another text, another ID.
    pub fn mutate(&mut self, dice: &Dice) {
        let some = |dice: &Dice, node: &Self| dice.below(node.elements());
        match dice.below(8) {
            0 => {
                let taken = self.at(some(dice, self)).clone();
                self.at(some(dice, self)).insert(dice, taken);
            }
            1 => {
                let taken = self.at(some(dice, self)).take_child(dice);
                let place = some(dice, self);
                taken.into_iter().for_each(|child| self.at(place).insert(dice, child));
            }
            2 => drop(self.at(some(dice, self)).take_child(dice)),
            3 => {
                let inner = self.at(some(dice, self)).clone();
                let around = [
                    "ds:Object xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"",
                    "samlp:Extensions",
                    "saml:Advice",
                    "x",
                ];
                *self.at(some(dice, self)) = Self::Element(dice.pick(&around).to_owned(), vec![inner]);
            }
            4 => {
                let (from, to) = (self.at(some(dice, self)).clone(), some(dice, self));
                *self.at(to) = from;
            }
            5 => self.set_text(dice),
            _ => {
                let tag = self.at(some(dice, self)).tag();
                let changes = [
                    ("ID=\"a1\"", "ID=\"e1\""),
                    ("ID=\"r1\"", "ID=\"e1\""),
                    ("ID=\"e1\"", "ID=\"a1\""),
                    ("ID=\"r1\"", "ID=\"a1\""),
                    ("ID=\"", "Id=\""),
                    ("ID=\"", "saml:ID=\""),
                    ("#a1", "#e1"),
                    ("#r1", ""),
                    ("#a1", "#r1"),
                    ("saml:Assertion", "samlp:Response"),
                    ("samlp:", "saml:"),
                    ("ds:", "saml:"),
                    ("#sha256", "#sha1"),
                    ("enveloped-signature", "base64"),
                    ("xml-exc-c14n#", "xml-c14n"),
                ];
                let (from, to) = changes[dice.below(changes.len())];
                *tag = tag.replace(from, to);
            }
        }
    }

    fn set_text(&mut self, dice: &Dice) {
        let place = dice.below(self.elements());
        if let Self::Element(_, children) = self.at(place) {
            children.retain(|child| matches!(child, Self::Element(..)));
            children.push(Self::Text(dice.pick(&["owner@a.test", "", "AAAA", " ", "&#13;"]).to_owned()));
        }
    }

    fn elements(&self) -> usize {
        match self {
            Self::Text(_) => 0,
            Self::Element(_, children) => 1 + children.iter().map(Self::elements).sum::<usize>(),
        }
    }

    /// The element of this number, in the order of the document.
    fn at(&mut self, number: usize) -> &mut Self {
        if number == 0 {
            return self;
        }
        let Self::Element(_, children) = self else { unreachable!("texts are not counted") };
        let mut left = number - 1;
        for child in children {
            let count = child.elements();
            if left < count {
                return child.at(left);
            }
            left -= count;
        }
        unreachable!("there are fewer elements")
    }

    fn tag(&mut self) -> &mut String {
        match self {
            Self::Element(tag, _) => tag,
            Self::Text(text) => text,
        }
    }

    fn insert(&mut self, dice: &Dice, child: Self) {
        if let Self::Element(_, children) = self {
            children.insert(dice.below(children.len() + 1), child);
        }
    }

    fn take_child(&mut self, dice: &Dice) -> Option<Self> {
        match self {
            Self::Element(_, children) if !children.is_empty() => {
                Some(children.remove(dice.below(children.len())))
            }
            _ => None,
        }
    }
}
