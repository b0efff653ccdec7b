package pages

import (
	"html"
	"strings"
)

// Element is a tag of an HTML page.
type Element struct {
	Name  string // in lower case; an end tag begins with a slash
	Attrs []Attr // in order
	Text  string // the content of a script, a style, a title or a textarea
}

// Attr is an attribute. Its name is in lower case, and its value is unescaped.
type Attr struct{ Name, Value string }

// Attr returns the value of the element's first attribute of that name, and reports whether
// there is one.
func (e Element) Attr(name string) (string, bool) {
	for _, a := range e.Attrs {
		if a.Name == name {
			return a.Value, true
		}
	}
	return "", false
}

// Parse returns the tags of a page as browsers read it, in order, and the text between them.
// It follows the tokenizer of the HTML Standard (section 13.2.5) as far as templates need it,
// and repairs nothing. Elements in a <noscript> count.
func Parse(page string) (elements []Element, text string) {
	for page != "" {
		before, rest, found := strings.Cut(page, "<")
		text += before + " "
		switch {
		case !found:
			return elements, html.UnescapeString(text)
		case strings.HasPrefix(rest, "!--"):
			_, page, _ = strings.Cut(rest[len("!--"):], "-->")
		case rest != "" && isLetter(rest[0]):
			var e Element
			e, page = parseTag(rest)
			if isRawText(e.Name) {
				e.Text, page = cutRawText(page, e.Name)
			}
			elements = append(elements, e)
		case len(rest) > 1 && rest[0] == '/' && isLetter(rest[1]):
			var e Element
			e, page = parseTag(rest)
			elements = append(elements, Element{Name: e.Name})
		case strings.HasPrefix(rest, "!"), strings.HasPrefix(rest, "?"):
			_, page = parseTag(rest)
		default:
			page = rest // a text with a "<"
		}
	}
	return elements, html.UnescapeString(text)
}

const blanks = " \t\r\n\f"

// parseTag reads a tag whose "<" has been read. It returns the rest of the
// page too.
func parseTag(s string) (Element, string) {
	end := strings.IndexAny(s, blanks+"/>")
	if strings.HasPrefix(s, "/") {
		end = strings.IndexAny(s, blanks+">")
	}
	if end < 0 {
		return Element{}, ""
	}
	e := Element{Name: strings.ToLower(s[:end])}
	for s = s[end:]; ; {
		s = strings.TrimLeft(s, blanks+"/")
		if s == "" || s[0] == '>' {
			return e, strings.TrimPrefix(s, ">")
		}
		var a Attr
		// A "=" at the beginning belongs to the name.
		end := strings.IndexAny(s[1:], blanks+"/>=") + 1
		if end == 0 {
			return e, ""
		}
		a.Name, s = strings.ToLower(s[:end]), s[end:]
		if after, ok := strings.CutPrefix(strings.TrimLeft(s, blanks), "="); ok {
			a.Value, s = parseValue(strings.TrimLeft(after, blanks))
		}
		e.Attrs = append(e.Attrs, a)
	}
}

// parseValue reads an attribute's value, with or without quotes, and returns the rest of the
// page too.
func parseValue(s string) (value, rest string) {
	if strings.HasPrefix(s, `"`) || strings.HasPrefix(s, "'") {
		value, rest, _ = strings.Cut(s[1:], s[:1])
		return html.UnescapeString(value), rest
	}
	end := strings.IndexAny(s, blanks+">")
	if end < 0 {
		end = len(s)
	}
	return html.UnescapeString(s[:end]), s[end:]
}

// isRawText reports whether an element contains text only, which is not markup.
func isRawText(name string) bool {
	switch name {
	case "script", "style", "title", "textarea", "iframe", "xmp":
		return true
	}
	return false
}

// cutRawText returns the text up to the end tag of that name, and the page from there.
func cutRawText(page, name string) (text, rest string) {
	end := strings.Index(strings.ToLower(page), "</"+name)
	if end < 0 {
		return page, ""
	}
	return page[:end], page[end:]
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
