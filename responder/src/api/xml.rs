//! XML in and out, as far as Route 53's bodies need it.
//!
//! Requests are untrusted: no document type, no entity but XML's own, bounded depth, and only characters that XML 1.0 allows. Elements
//! are known by their local names, in any namespace and any order; unknown ones are ignored by whoever reads them.

use quick_xml::Reader;
use quick_xml::escape::{escape, resolve_xml_entity};
use quick_xml::events::{BytesStart, Event};

use super::error::ApiError;

/// The namespace of every reply.
pub const NAMESPACE: &str = "https://route53.amazonaws.com/doc/2013-04-01/";

/// Elements within elements.
const DEPTH_MAX: usize = 32;

/// An element of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Element {
    /// Local name.
    pub name: String,
    /// Its own text, with that of its children left out.
    pub text: String,
    /// In order of appearance.
    pub children: Vec<Element>,
}

impl Element {
    /// Reads a document; none for an empty body.
    pub fn parse(body: &[u8]) -> Result<Option<Self>, ApiError> {
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(None);
        }
        let text = std::str::from_utf8(body).map_err(|_| invalid("the body is not UTF-8"))?;
        read(text.strip_prefix('\u{feff}').unwrap_or(text)).map(Some)
    }

    /// The first child of a name.
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The text of a child; one that is empty counts as absent.
    pub fn value(&self, name: &str) -> Option<String> {
        self.child(name).map(|child| child.text.clone()).filter(|text| !text.is_empty())
    }

    /// The text of a child that must be there.
    pub fn required(&self, name: &str) -> Result<String, ApiError> {
        self.value(name).ok_or_else(|| {
            ApiError::invalid_input(format!("Invalid request: Missing field '{name}' in {}", self.name))
        })
    }

    /// The whole number in a child.
    pub fn integer(&self, name: &str) -> Result<Option<i64>, ApiError> {
        let Some(text) = self.value(name) else { return Ok(None) };
        let number = text.trim().parse().map_err(|_| {
            ApiError::invalid_input(format!(
                "Invalid XML ; {name}: '{text}' is not a valid value for 'integer'."
            ))
        });
        number.map(Some)
    }

    /// `true` or `false` in a child.
    pub fn boolean(&self, name: &str) -> Result<Option<bool>, ApiError> {
        match self.value(name).as_deref().map(str::trim) {
            None => Ok(None),
            Some("true" | "1") => Ok(Some(true)),
            Some("false" | "0") => Ok(Some(false)),
            Some(text) => Err(ApiError::invalid_input(format!(
                "Invalid XML ; {name}: '{text}' is not a valid value for 'boolean'."
            ))),
        }
    }

    /// The items of a wrapped list; none if the list itself is not there.
    pub fn items(&self, list: &str, item: &str) -> Option<impl Iterator<Item = &Self>> {
        let list = self.child(list)?;
        Some(list.children.iter().filter(move |child| child.name == item))
    }
}

fn invalid(reason: impl std::fmt::Display) -> ApiError {
    ApiError::invalid_input(format!("Invalid XML ; {reason}"))
}

fn read(text: &str) -> Result<Element, ApiError> {
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Element> = Vec::new();
    let mut root = None;
    loop {
        match reader.read_event().map_err(invalid)? {
            Event::Start(start) => {
                if open.len() >= DEPTH_MAX {
                    return Err(invalid(format!("elements are nested deeper than {DEPTH_MAX}")));
                }
                open.push(element(&start)?);
            }
            Event::Empty(start) => close(element(&start)?, &mut open, &mut root)?,
            Event::End(_) => {
                let ended = open.pop().ok_or_else(|| invalid("an end tag without its start tag"))?;
                close(ended, &mut open, &mut root)?;
            }
            Event::Text(text) => {
                add_text(&text, &mut open)?;
            }
            Event::CData(text) => {
                add_text(&text, &mut open)?;
            }
            Event::GeneralRef(reference) => {
                let character = reference.resolve_char_ref().map_err(invalid)?;
                match (character, resolve_xml_entity(&reference)) {
                    (Some(character), _) => add_text(character.encode_utf8(&mut [0; 4]), &mut open)?,
                    (None, Some(text)) => add_text(text, &mut open)?,
                    (None, None) => {
                        return Err(invalid(format!("the entity {:?} is not defined", &*reference)));
                    }
                }
            }
            Event::DocType(_) => return Err(invalid("a document type is not allowed")),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            Event::Eof => break,
        }
    }
    match (open.last(), root) {
        (Some(unclosed), _) => Err(invalid(format!("the element {} does not end", unclosed.name))),
        (None, Some(root)) => Ok(root),
        (None, None) => Err(invalid("there is no element")),
    }
}

fn element(start: &BytesStart<'_>) -> Result<Element, ApiError> {
    let name = start.local_name();
    Ok(Element { name: name.as_ref().to_owned(), ..Element::default() })
}

fn close(ended: Element, open: &mut [Element], root: &mut Option<Element>) -> Result<(), ApiError> {
    match open.last_mut() {
        Some(parent) => parent.children.push(ended),
        None if root.is_none() => *root = Some(ended),
        None => return Err(invalid("there is more than one root element")),
    }
    Ok(())
}

fn add_text(text: &str, open: &mut [Element]) -> Result<(), ApiError> {
    let is_forbidden = |character: &char| matches!(character, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}');
    if let Some(character) = text.chars().find(is_forbidden) {
        let code = u32::from(character);
        return Err(invalid(format!("an invalid XML character (Unicode: 0x{code:x}) was found")));
    }
    match open.last_mut() {
        Some(element) => element.text.push_str(text),
        None if text.trim().is_empty() => {}
        None => return Err(invalid("there is text outside of the root element")),
    }
    Ok(())
}

/// A reply being written.
#[derive(Debug, Default)]
pub struct Xml(String);

impl Xml {
    /// The beginning of a document.
    pub fn document() -> Self {
        Self("<?xml version=\"1.0\"?>\n".to_owned())
    }

    /// The root element.
    pub fn root(&mut self, name: &str, namespace: &str, content: impl FnOnce(&mut Self)) {
        self.0.push_str(&format!("<{name} xmlns=\"{namespace}\">"));
        content(self);
        self.end(name);
    }

    /// An element with others in it.
    pub fn element(&mut self, name: &str, content: impl FnOnce(&mut Self)) {
        self.0.push_str(&format!("<{name}>"));
        content(self);
        self.end(name);
    }

    /// A list: its element is there even if it has no items, since clients index it.
    pub fn list<T>(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = T>,
        mut item: impl FnMut(&mut Self, T),
    ) {
        self.element(name, |xml| items.into_iter().for_each(|each| item(xml, each)));
    }

    /// An element with text.
    pub fn text(&mut self, name: &str, value: impl std::fmt::Display) {
        let value = value.to_string();
        self.0.push_str(&format!("<{name}>{}", escape(value.as_str())));
        self.end(name);
    }

    /// An element with text, if there is any.
    pub fn optional(&mut self, name: &str, value: Option<impl std::fmt::Display>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    fn end(&mut self, name: &str) {
        self.0.push_str(&format!("</{name}>"));
    }

    /// The whole document.
    pub fn into_string(self) -> String {
        self.0
    }

    /// Adds what was written apart.
    pub fn append(&mut self, other: &Self) {
        self.0.push_str(&other.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: &[u8]) -> String {
        let error = Element::parse(body).unwrap_err();
        assert_eq!(error.code, "InvalidInput");
        error.message
    }

    #[test]
    fn elements_are_read_by_local_name() {
        let body = b"<?xml version='1.0'?><a:R xmlns:a='x'><a:N>1 &lt; &#50;</a:N><E></E><L><I>x</I><J/><I><![CDATA[<y>]]></I></L></a:R>";
        let root = Element::parse(body).unwrap().unwrap();
        assert_eq!(root.name, "R");
        assert_eq!(root.value("N").unwrap(), "1 < 2");
        assert_eq!(root.value("E"), None);
        assert!(root.child("E").is_some());
        let items: Vec<&str> = root.items("L", "I").unwrap().map(|item| item.text.as_str()).collect();
        assert_eq!(items, ["x", "<y>"]);
        assert_eq!(Element::parse(b" \n").unwrap(), None);
    }

    #[test]
    fn hostile_bodies_are_refused() {
        let starts = |body: &[u8], start: &str| {
            let message = refused(body);
            assert!(message.starts_with(&format!("Invalid XML ; {start}")), "{message}");
        };
        starts(b"<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", "a document type");
        starts(b"<a>&x;</a>", "the entity \"x\"");
        starts(b"<a>\x01</a>", "an invalid XML character (Unicode: 0x1)");
        starts(b"<a>&#1;</a>", "");
        starts(b"<a>\xff</a>", "the body is not UTF-8");
        starts(b"<a><b></a>", "");
        starts(b"<a>", "the element a does not end");
        starts(b"<a/><b/>", "there is more than one root");
        starts(b"text", "there is text outside");
        starts("<a>".repeat(33).as_bytes(), "elements are nested deeper than 32");
    }

    #[test]
    fn replies_are_escaped_and_lists_are_there() {
        let mut xml = Xml::document();
        xml.root("R", "ns", |xml| {
            xml.text("T", "a<b>&\"c\"");
            xml.list("L", [1, 2], |xml, item| xml.text("I", item));
            xml.list("None", [0; 0], |xml, item| xml.text("I", item));
            xml.optional("O", None::<&str>);
        });
        let text = xml.into_string();
        assert_eq!(
            text,
            "<?xml version=\"1.0\"?>\n<R xmlns=\"ns\"><T>a&lt;b&gt;&amp;&quot;c&quot;</T><L><I>1</I><I>2</I></L><None></None></R>"
        );
        Element::parse(text.as_bytes()).unwrap();
    }
}
