package wechat

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
)

// MaxMessage is the maximum size of a push, in bytes. Limit the body of a request to it
// before you read it.
const MaxMessage = 64 << 10

// maxDepth is the maximum number of nested elements, or of objects and arrays, of a
// message. WeChat's own have five.
const maxDepth = 8

// ErrMessage means that a push is malformed. It has more than [MaxMessage] bytes or more
// than eight levels, or it is not one XML or JSON document without a DTD. Or its root has
// two children with the same name in any letter case.
var ErrMessage = errors.New("malformed message")

// Format is the data format of an account's pushes ("数据格式").
type Format int

const (
	// FormatXML is XML, the default of most accounts.
	FormatXML Format = iota
	// FormatJSON is JSON.
	FormatJSON
)

// document is a message's text, and the children of its root.
type document struct {
	format Format
	text   []byte
	// fields are the children by folded name. Parsers differ in which of two children
	// with the same name they return, so there are never two.
	fields map[string]field
}

// field is a child of a document's root.
type field struct {
	text string
	// nested means that the child has children of its own, and no text.
	nested bool
}

// malformed returns an error for a message, without quoting it.
func malformed(reason string) error {
	return fmt.Errorf("wechat: push: %w: %s", ErrMessage, reason)
}

// parseDocument parses a message. It replaces control characters with spaces, except for
// line ends in XML.
func parseDocument(text []byte) (document, error) {
	if len(text) > MaxMessage {
		return document{}, malformed("more than 64 KiB")
	}
	text = bytes.TrimSpace(bytes.TrimPrefix(text, []byte("\ufeff")))
	d := document{fields: make(map[string]field)}
	// Texts in chats contain control characters, and WeChat does not escape them.
	// encoding/xml and encoding/json would refuse the message.
	if len(text) > 0 && text[0] == '{' {
		d.format, d.text = FormatJSON, bytes.Map(cleanJSON, text)
		return d, d.parseJSON()
	}
	d.format, d.text = FormatXML, bytes.Map(cleanXML, text)
	return d, d.parseXML()
}

// cleanXML maps the characters that XML 1.0 does not allow to spaces.
func cleanXML(r rune) rune {
	if r < ' ' && r != '\n' && r != '\r' && r != '\t' || r == '\ufffe' || r == '\uffff' {
		return ' '
	}
	return r
}

// cleanJSON maps the characters that JSON does not allow in strings to spaces.
func cleanJSON(r rune) rune {
	if r < ' ' {
		return ' '
	}
	return r
}

// add adds a child of the root.
func (d *document) add(name string, f field) error {
	folded := foldName(name)
	if _, duplicate := d.fields[folded]; duplicate {
		return malformed("the root has two children with the same name")
	}
	d.fields[folded] = f
	return nil
}

// field returns the text of the child with the name, in any letter case. It is empty for a
// child with children.
func (d *document) field(name string) string { return d.fields[foldName(name)].text }

// foldName returns name in a form that is equal for all its letter cases, as
// [strings.EqualFold] has it.
func foldName(name string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			least = min(least, other)
		}
		return least
	}, name)
}

// parseXML parses d.text as XML.
func (d *document) parseXML() error {
	decoder := xml.NewDecoder(bytes.NewReader(d.text))
	p := xmlParser{document: d}
	for first := true; ; first = false {
		token, err := decoder.Token()
		switch {
		case errors.Is(err, io.EOF) && p.roots == 1:
			return nil
		case err != nil:
			return malformed("not one XML or JSON document")
		}
		if err := p.take(token, first); err != nil {
			return err
		}
	}
}

// xmlParser is the state of parsing a document.
type xmlParser struct {
	*document
	depth, roots int
	name         string // of the current child of the root
	text         strings.Builder
	nested       bool
}

// take takes the document's next token.
func (p *xmlParser) take(token xml.Token, first bool) error {
	switch token := token.(type) {
	case xml.StartElement:
		return p.start(token)
	case xml.EndElement:
		p.depth--
		if p.depth == 1 {
			return p.endChild()
		}
	case xml.CharData:
		switch {
		case p.depth == 2:
			p.text.Write(token)
		case p.depth < 2 && len(bytes.TrimSpace(token)) > 0:
			return malformed("text outside of an element")
		}
	case xml.ProcInst:
		// The XML declaration.
		if !first || token.Target != "xml" {
			return malformed("a processing instruction")
		}
	default:
		// WeChat sends neither comments nor a DTD. A comment could hide a part of the
		// message from another parser.
		return malformed("a comment or a DTD")
	}
	return nil
}

// start begins an element.
func (p *xmlParser) start(element xml.StartElement) error {
	p.depth++
	switch {
	case p.depth > maxDepth:
		return malformed("more than eight levels")
	case element.Name.Space != "":
		// Of a:Encrypt and Encrypt, parsers differ in which has the name Encrypt.
		return malformed("a namespace")
	case p.depth == 1:
		p.roots++
		if p.roots > 1 || element.Name.Local != "xml" {
			return malformed("not one document with the root xml")
		}
	case p.depth == 2:
		p.name, p.nested = element.Name.Local, false
		p.text.Reset()
	default:
		p.nested = true
	}
	return nil
}

// endChild ends a child of the root.
func (p *xmlParser) endChild() error {
	f := field{text: p.text.String()}
	if p.nested {
		f = field{nested: true}
	}
	return p.add(p.name, f)
}

// parseJSON parses d.text as JSON.
func (d *document) parseJSON() error {
	// The decoder reads a stream, so it does not notice a second document.
	if !json.Valid(d.text) {
		return malformed("not one XML or JSON document")
	}
	if jsonDepth(d.text) > maxDepth {
		return malformed("more than eight levels")
	}
	decoder := json.NewDecoder(bytes.NewReader(d.text))
	_, _ = decoder.Token() // the root's brace
	for decoder.More() {
		name, err := decoder.Token()
		var value json.RawMessage
		if err == nil {
			err = decoder.Decode(&value)
		}
		if err != nil {
			return malformed("not one XML or JSON document")
		}
		if err := d.add(fmt.Sprint(name), jsonField(value)); err != nil {
			return err
		}
	}
	return nil
}

// jsonDepth returns the number of nested objects and arrays in valid JSON.
func jsonDepth(text []byte) int {
	decoder := json.NewDecoder(bytes.NewReader(text))
	depth, deepest := 0, 0
	for {
		token, err := decoder.Token()
		if err != nil {
			return deepest
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
			deepest = max(deepest, depth)
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
	}
}

// jsonField returns the child with a JSON value. A number keeps all its digits.
func jsonField(value json.RawMessage) field {
	var text string
	switch {
	case value[0] == '{' || value[0] == '[':
		return field{nested: true}
	case json.Unmarshal(value, &text) == nil: // null as well
		return field{text: text}
	}
	return field{text: string(value)}
}
