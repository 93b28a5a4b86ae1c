use std::borrow::Cow;

use super::*;

fn parse(text: &str) -> Result<(), Malformed> {
    Document::parse(text.as_bytes(), &Limits::MESSAGE).map(drop)
}

#[track_caller]
fn refused(text: impl AsRef<[u8]>) -> Malformed {
    let text = text.as_ref();
    match Document::parse(text, &Limits::MESSAGE) {
        Ok(_) => panic!("read: {}", String::from_utf8_lossy(text)),
        Err(malformed) => malformed,
    }
}

/// The whole document's canonical form.
fn form(text: &str, prefixes: &[&str]) -> String {
    let document = Document::parse(text.as_bytes(), &Limits::METADATA).unwrap();
    String::from_utf8(canonical(document.root(), prefixes, None).unwrap()).unwrap()
}

#[test]
fn an_honest_message_is_read() {
    for text in [
        "<a/>",
        "<a></a >\r\n",
        "<?xml version=\"1.0\"?><a/>",
        "<?xml version='1.0' encoding='utf-8' standalone='yes' ?>\n<a b='\"' c = \"'\"\t/>",
        "<s:a xmlns:s=\"urn:x:y\" s:b=\"1\" b=\"2\" xml:lang=\"de\">é &amp;&#13;&#x1F600;<s:b xmlns=\"\"/></s:a>",
    ] {
        parse(text).unwrap_or_else(|malformed| panic!("{text}: {malformed}"));
    }
}

#[test]
fn c06_what_is_not_well_formed_is_refused() {
    let wrong = [
        "",
        " ",
        "a",
        "<",
        "<a",
        "<a>",
        "<a/",
        "</a>",
        "<a></b>",
        "<a><b></a></b>",
        "<a/><b/>",
        "<a/>b",
        "b<a/>",
        "<a/><",
        "<a></a",
        "<a/>&amp;",
        "<a b/>",
        "<a b=c/>",
        "<a b='/>",
        "<a b='<'/>",
        "<a b='1'c='2'/>",
        "<a b='1' b='2'/>",
        "<a/ >",
        "< a/>",
        "<a>]]></a>",
        "<1a/>",
        "<a:b:c/>",
        "<:a/>",
        "<a:/>",
        "<p:a/>",
        "<a p:b='1'/>",
        "<a><b/>",
        "<a/></a>",
        "<a xmlns:p='urn:p:1' xmlns:q='urn:p:1' p:b='1' q:b='2'/>",
    ];
    for text in wrong {
        refused(text);
    }
}

#[test]
fn c06_no_second_reader_reads_other_bytes() {
    let utf16: Vec<u8> = "\u{feff}<a/>".encode_utf16().flat_map(u16::to_be_bytes).collect();
    refused(utf16);
    refused("\u{feff}<a/>");
    refused(b"<a>\xc0\xbc</a>");
    refused(b"<a>\xed\xa0\x80</a>");
    refused(b"<a>\xff</a>");
    for text in [
        "<?xml version='1.1'?><a/>",
        "<?xml version='1.0' encoding='UTF-16'?><a/>",
        "<?xml version='1.0' encoding='ISO-8859-1'?><a/>",
        "<?xml encoding='UTF-8'?><a/>",
        "<?xml version='1.0'encoding='UTF-8'?><a/>",
        "<?xml version='1.0'?><?xml version='1.0'?><a/>",
        " <?xml version='1.0'?><a/>",
        "<?xml\tversion='1.0'?><a/>",
        "<?XML version='1.0'?><a/>",
        "<a><?xml version='1.0'?></a>",
        "<a>\0</a>",
        "<a>\u{b}</a>",
        "<a b='\u{1}'/>",
        "<a>\u{fffe}</a>",
        "<a b='\u{ffff}'/>",
        "<a/>\0",
        "\0<a/>",
        "<a>\u{feff}</a>\u{feff}",
        "<a>lone \r end</a>",
        "<a>\r&amp;</a>",
        "<\u{e9}/>",
        "<a \u{e9}='1'/>",
    ] {
        refused(text);
    }
}

#[test]
fn c07_comments_instructions_and_cdata_are_refused_in_messages() {
    for text in [
        "<a>q<!-- -->e</a>",
        "<!-- --><a/>",
        "<a/><!-- -->",
        "<a><?p?></a>",
        "<?p?><a/>",
        "<a/><?p ?>",
        "<a><![CDATA[b]]></a>",
        "<![CDATA[b]]><a/>",
        "<a b='<!-- -->'/>",
    ] {
        refused(text);
    }
}

#[test]
fn c07_a_comment_in_metadata_splits_no_text() {
    let text = "\u{feff}<!-- one --><a>q<!-- <b/> & \"> -->w<![CDATA[<e>]]></a><!---->";
    let document = Document::parse(text.as_bytes(), &Limits::METADATA).unwrap();
    assert_eq!(document.root().text().unwrap(), "qw<e>");
    assert_eq!(canonical(document.root(), &[], None).unwrap(), b"<a>qw&lt;e&gt;</a>");
    assert!(document.root().sole_text().is_err());
    for text in [
        "<a><!-- </a>",
        "<a><!-- -- --></a>",
        "<a><![CDATA[</a>",
        "<a><!---></a>",
        "<!DOCTYPE a><a/>",
        "<?p?><a/>",
    ] {
        assert!(Document::parse(text.as_bytes(), &Limits::METADATA).is_err(), "{text}");
    }
}

#[test]
fn h14_there_is_no_document_type_and_no_entity() {
    for text in [
        "<!DOCTYPE a><a/>",
        "<!DOCTYPE a []><a/>",
        "<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>",
        "<!DOCTYPE a [<!ENTITY b SYSTEM 'http://c.test/'>]><a>&b;</a>",
        "<!DOCTYPE a [<!ENTITY % b SYSTEM 'http://c.test/'> %b;]><a/>",
        "<!doctype a><a/>",
        "<a><!ENTITY b 'c'></a>",
        "<a/><!DOCTYPE a>",
        "<a>&b;</a>",
        "<a>&</a>",
        "<a>& b</a>",
        "<a>&amp</a>",
        "<a b='&c;'/>",
        "<a>&AMP;</a>",
        "<a>&#38</a>",
        "<a>&#0;</a>",
        "<a>&#x0;</a>",
        "<a>&#xB;</a>",
        "<a>&#xD800;</a>",
        "<a>&#xFFFE;</a>",
        "<a>&#x110000;</a>",
        "<a>&#;</a>",
        "<a>&#x;</a>",
        "<a>&#+65;</a>",
        "<a>&#X41;</a>",
        "<a>&#99999999999;</a>",
        "<a>&#x00000000000041;</a>",
    ] {
        refused(text);
    }
}

#[test]
fn c08_no_namespace_is_relative_redefined_or_reserved() {
    let many = (0..9).map(|n| format!(" xmlns:p{n}='urn:x:{n}'")).collect::<String>();
    for attributes in [
        "xmlns='x'",
        "xmlns='/x'",
        "xmlns='x/y:z'",
        "xmlns:p='1'",
        "xmlns:p='../x'",
        "xmlns:p='#x'",
        "xmlns:p='x:'",
        "xmlns:p=':x'",
        "xmlns:p=''",
        "xmlns:p='urn:x y'",
        "xmlns:p='urn:x&amp;y'",
        "xmlns:p='urn:\u{e9}'",
        "xmlns:p=' urn:x'",
        "xmlns:xml='urn:x'",
        "xmlns:xml='http://www.w3.org/XML/1998/namespace'",
        "xmlns:xmlns='urn:x'",
        "xmlns:xmlns='http://www.w3.org/2000/xmlns/'",
        "xmlns='http://www.w3.org/2000/xmlns/'",
        "xmlns:p='http://www.w3.org/2000/xmlns/'",
        "xmlns='http://www.w3.org/XML/1998/namespace'",
        "xmlns:p='http://www.w3.org/XML/1998/namespace'",
        "xmlns='urn:x:1' xmlns='urn:x:2'",
        "xmlns:p='urn:x:1' xmlns:p='urn:x:2'",
        "xmlns:p='urn:x:1' p:xmlns='urn:x:2'",
        "xml:id='a'",
        "xml:base='urn:x:y'",
        "xml:ID='a'",
        many.as_str(),
    ] {
        refused(format!("<a {attributes}/>"));
    }
    refused("<xmlns:a/>");
    refused("<xml:a/>");
}

#[test]
fn h15_every_size_is_bounded() {
    let repeat = |count: usize, text: &str| text.repeat(count);
    let nested = |count| format!("{}{}", repeat(count, "<a>"), repeat(count, "</a>"));
    let attributes =
        |count: usize| format!("<a{}/>", (0..count).map(|n| format!(" b{n}=''")).collect::<String>());
    let scopes = |count: usize| {
        let open = (0..count).map(|n| format!("<a xmlns:p{n}='urn:x:{n}'>")).collect::<String>();
        format!("{open}{}", repeat(count, "</a>"))
    };
    let elements = |count| format!("<a>{}</a>", repeat(count - 1, "<b/>"));
    let declarations = |count: usize| {
        let different = (0..count).map(|n| format!("<b xmlns='urn:x:{n}'/>")).collect::<String>();
        format!("<a>{different}</a>")
    };
    let repeated = |count| format!("<a>{}</a>", repeat(count, "<b xmlns='urn:x:y'/>"));
    // 31 around each of the innermost, and 1 + 2 + … + 31 = 496 to begin with.
    let all_scopes = |count| {
        let open = (0..31).map(|n| format!("<a xmlns:p{n}='urn:x:{n}'>")).collect::<String>();
        format!("{open}{}{}", repeat(count, "<b xmlns='urn:x:y'/>"), repeat(31, "</a>"))
    };
    let name = |length| format!("<{}/>", repeat(length, "a"));
    let namespace = |length: usize| format!("<a xmlns='urn:{}'/>", repeat(length - 4, "x"));
    let bytes = |length: usize| format!("<a>{}</a>", repeat(length - 7, "x"));
    for (make, most) in [
        (&nested as &dyn Fn(usize) -> String, 40),
        (&attributes, 48),
        (&scopes, 32),
        (&elements, 20_000),
        (&declarations, 128),
        (&repeated, 12_000),
        (&all_scopes, (64 * 1024 - 496) / 32),
        (&name, 128),
        (&namespace, 256),
        (&bytes, 512 * 1024),
    ] {
        parse(&make(most)).unwrap();
        refused(make(most + 1));
    }
    let metadata = |text: String| Document::parse(text.as_bytes(), &Limits::METADATA).is_ok();
    assert!(metadata(declarations(1024)) && !metadata(declarations(1025)));
    let deep = Limits { depth: usize::MAX, elements: usize::MAX, ..Limits::METADATA };
    assert!(Document::parse(nested(Limits::MAX_DEPTH).as_bytes(), &deep).is_ok());
    assert!(Document::parse(nested(Limits::MAX_DEPTH + 1).as_bytes(), &deep).is_err());
}

#[test]
fn attributes_and_texts_mean_what_they_look_like() {
    let text = "<a xmlns:x='urn:x:y' x:ID='evil' ID='good' Id='other'>q<b/>e<c>&lt;1&gt; <!-- -->2</c></a>";
    let document = Document::parse(text.as_bytes(), &Limits::METADATA).unwrap();
    let root = document.root();
    assert_eq!(root.attr("ID"), Some("good"));
    assert_eq!(root.attr("x:ID"), None);
    assert_eq!(root.ids().collect::<Vec<_>>(), [("evil", true), ("good", false), ("other", false)]);
    assert!(root.text().is_err());
    assert!(root.only_elements().is_err());
    let child = root.required("", "c").unwrap();
    assert_eq!(child.text().unwrap(), Cow::Borrowed("<1> 2"));
    assert_eq!(child.parent(), Some(root));
    assert_eq!(root.required("urn:x:y", "c").unwrap_err().what, "c");
    let document =
        Document::parse(b"<a x:ID='evil' xmlns:x='urn:x:y'> <b/> <b/> </a>", &Limits::MESSAGE).unwrap();
    assert_eq!(document.root().attr("ID"), None);
    assert!(document.root().child("", "b").is_err());
    assert_eq!(document.root().only_elements().unwrap().count(), 2);
}

#[test]
fn malformed_says_where() {
    let malformed = refused("<a>\n<b>\u{e9}<c></b></c></a>");
    assert_eq!(malformed.to_string(), "an end tag that is not of the open element, at byte 12");
    assert_eq!(refused("<a><!-- --></a>").to_string(), "a comment or CDATA section in a message, at byte 3");
}

/// From the specification, sections 2.2 to 3.
#[test]
fn the_canonical_form_declares_only_what_is_used() {
    let text = "<n0:local xmlns:n0=\"foo:bar\" xmlns:n3=\"ftp://example.org\">\
                <n1:elem2 xmlns:n1=\"http://example.net\" xml:lang=\"en\"><n3:stuff/></n1:elem2></n0:local>";
    let document = Document::parse(text.as_bytes(), &Limits::MESSAGE).unwrap();
    let elem2 = document.root().required("http://example.net", "elem2").unwrap();
    let expected = "<n1:elem2 xmlns:n1=\"http://example.net\" xml:lang=\"en\">\
                    <n3:stuff xmlns:n3=\"ftp://example.org\"></n3:stuff></n1:elem2>";
    assert_eq!(canonical(elem2, &[], None).unwrap(), expected.as_bytes());
    let expected = "<n1:elem2 xmlns:n0=\"foo:bar\" xmlns:n1=\"http://example.net\" xmlns:n3=\"ftp://example.org\" \
                    xml:lang=\"en\"><n3:stuff></n3:stuff></n1:elem2>";
    assert_eq!(
        canonical(elem2, &["n3", "n0", "none", "#default", "xml"], None).unwrap(),
        expected.as_bytes()
    );
}

#[test]
fn the_canonical_form_sorts_escapes_and_undeclares() {
    let text = "<a xmlns='urn:d:1' xmlns:z='urn:a:1' xmlns:b='urn:z:1' b:x='1' z:x='2' y='\"&#9;&#10;&#13;&lt;&gt;\t' x='' >\
                <b xmlns=''>&#13;\r\n\"&gt;<c xmlns='' z:y=''/><d xmlns='urn:d:1'/></b></a>";
    let expected = "<a xmlns=\"urn:d:1\" xmlns:b=\"urn:z:1\" xmlns:z=\"urn:a:1\" x=\"\" \
                    y=\"&quot;&#x9;&#xA;&#xD;&lt;> \" z:x=\"2\" b:x=\"1\">\
                    <b xmlns=\"\">&#xD;\n\"&gt;<c z:y=\"\"></c><d xmlns=\"urn:d:1\"></d></b></a>";
    assert_eq!(form(text, &[]), expected);
    assert_eq!(form(text, &["#default"]), expected);
    assert_eq!(
        form("<a xmlns='urn:d:1'><p:b xmlns:p='urn:p:1'><c/></p:b></a>", &[]),
        "<a xmlns=\"urn:d:1\"><p:b xmlns:p=\"urn:p:1\"><c></c></p:b></a>"
    );
}

#[test]
fn c08_an_empty_canonical_form_is_an_error() {
    let document = Document::parse(b"<a><b/></a>", &Limits::MESSAGE).unwrap();
    assert!(canonical(document.root(), &[], Some(document.root())).is_err());
    let without = document.root().required("", "b").unwrap();
    assert_eq!(canonical(document.root(), &[], Some(without)).unwrap(), b"<a></a>");
}

const NAMESPACES: &[(&str, &str)] =
    &[("p", "urn:p:1"), ("q", "urn:q:1"), ("xs", "http://www.w3.org/2001/XMLSchema")];

#[test]
fn the_writer_escapes_and_declares() {
    let mut writer = Writer::new(NAMESPACES);
    writer
        .open("p:a")
        .attr("ID", "\"<>&'\t\n\r")
        .attr_if("none", None)
        .open("q:b")
        .attr("p:c", "1")
        .declare("xs");
    writer.leaf("p:d", "]]>\r\n<x/>&amp;").close().leaf("q:e", "").embed("<f/>").close();
    let text = writer.finish().unwrap();
    assert_eq!(
        text,
        "<p:a xmlns:p=\"urn:p:1\" ID=\"&quot;&lt;&gt;&amp;'&#9;&#10;&#13;\">\
         <q:b xmlns:q=\"urn:q:1\" p:c=\"1\" xmlns:xs=\"http://www.w3.org/2001/XMLSchema\">\
         <p:d>]]&gt;&#13;&#10;&lt;x/&gt;&amp;amp;</p:d></q:b><q:e xmlns:q=\"urn:q:1\"></q:e><f/></p:a>"
    );
    let document = Document::parse(text.as_bytes(), &Limits::MESSAGE).unwrap();
    assert_eq!(document.root().attr("ID"), Some("\"<>&'\t\n\r"));
    assert_eq!(document.root().descendants().nth(2).unwrap().text().unwrap(), "]]>\r\n<x/>&amp;");
}

#[test]
fn the_writer_refuses_what_could_not_be_read() {
    let mistakes: &[fn(&mut Writer)] = &[
        |writer| {
            writer.leaf("a", "\u{0}");
        },
        |writer| {
            writer.leaf("a", "\u{fffe}");
        },
        |writer| {
            writer.open("a").attr("b", "\u{1b}").close();
        },
        |writer| {
            writer.open("a").attr("b", "1").attr("b", "2").close();
        },
        |writer| {
            writer.open("a").text("").attr("b", "1").close();
        },
        |writer| {
            writer.open("a").text("").declare("p").close();
        },
        |writer| {
            writer.open("x:a").close();
        },
        |writer| {
            writer.open("a");
        },
        |writer| {
            writer.open("a").close().close();
        },
        |writer| {
            writer.open("a").close().open("b").close();
        },
        |writer| {
            writer.open("a").close().text("x");
        },
        |writer| {
            writer.open("a").embed("<b>").close();
        },
        |writer| {
            writer.open("a").embed("<b/><c/>").close();
        },
        |writer| {
            writer.open("a").embed("<?xml version='1.0'?><c/>").close();
        },
        |_| (),
    ];
    for (number, mistake) in mistakes.iter().enumerate() {
        let mut writer = Writer::new(NAMESPACES);
        mistake(&mut writer);
        assert!(writer.finish().is_err(), "mistake {number}");
    }
}
