package pages

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"strconv"
	"strings"
	"sync"
)

// The bounds of a page's data. Data beyond them is not shaped.
const (
	maxTraits = 14 // that are texts
	maxBits   = 64 // flags, and whether a value is set
	maxValues = 28
)

// maxShapes bounds the shapes of a [Set]. A shape takes at most 8 KiB. The built-in pages
// have some hundred shapes in each language.
const maxShapes = 1024

// Fields lists the fields of a page's data. Traits decide about the page's parts: they have
// one of a few values each. Values only stand in the page. A function that passes each field
// to a Fields serves two directions: it collects the traits and values, or it replaces the
// values by those of [Set.Learn].
type Fields struct {
	key     shapeKey
	values  [maxValues]string
	numbers [maxValues]int
	count   int                                             // of the values that are set
	unfit   bool                                            // for a shape: there are too many fields, or a value needs html/template
	instead func(kind valueKind, text *string, number *int) // nil while collecting
}

// shapeKey is everything that decides about a page's parts.
type shapeKey struct {
	page, language string
	traits         [maxTraits]string
	bits           uint64
	traitsUsed     uint8
	bitsUsed       uint8
}

// valueKind is the set of characters that a value may have in a shape.
type valueKind int

const (
	kindText valueKind = iota
	kindURL
	kindNumber
)

// NewFields returns an empty list for the page of that name, such as "login".
func NewFields(page string, l Language) Fields {
	return Fields{key: shapeKey{page: page, language: l.tag}}
}

// Trait adds a text that decides about parts of the page.
func (f *Fields) Trait(s string) {
	if int(f.key.traitsUsed) == maxTraits {
		f.unfit = true
		return
	}
	f.key.traits[f.key.traitsUsed] = s
	f.key.traitsUsed++
}

// Flag adds a switch that decides about parts of the page.
func (f *Fields) Flag(on bool) {
	if f.key.bitsUsed == maxBits {
		f.unfit = true
		return
	}
	if on {
		f.key.bits |= 1 << f.key.bitsUsed
	}
	f.key.bitsUsed++
}

// Text adds a text that stands in the page. Whether it is empty is a trait.
func (f *Fields) Text(s *string) { f.value(kindText, s, nil, *s != "") }

// URL adds a URL that stands in the page. Whether it is empty is a trait.
func (f *Fields) URL(s *string) { f.value(kindURL, s, nil, *s != "") }

// Number adds a number that stands in the page. Whether it is zero is a trait.
func (f *Fields) Number(n *int) { f.value(kindNumber, nil, n, *n != 0) }

func (f *Fields) value(kind valueKind, text *string, number *int, set bool) {
	f.Flag(set)
	switch {
	case !set:
		return
	case f.count == maxValues:
		f.unfit = true
		return
	case f.instead != nil:
		f.instead(kind, text, number)
	}
	if kind == kindNumber {
		f.numbers[f.count] = *number
	} else {
		f.values[f.count] = *text
		f.unfit = f.unfit || !isPlain(kind, *text)
	}
	f.count++
}

// isPlain reports whether html/template leaves a value as it is wherever the built-in pages
// have values of the kind, except for the characters that appendEscaped escapes.
func isPlain(kind valueKind, s string) bool {
	if kind == kindURL {
		return isPlainURL(s)
	}
	for _, c := range []byte(s) {
		if c < ' ' || c == '"' || c == '\'' || c == '<' || c == '>' {
			return false
		}
	}
	return true
}

func isPlainURL(s string) bool {
	// html/template replaces URLs of other schemes.
	if !strings.HasPrefix(s, "/") && !strings.HasPrefix(s, "https://") && !strings.HasPrefix(s, "http://") {
		return false
	}
	for i, c := range []byte(s) {
		switch {
		case isLetter(c), c >= '0' && c <= '9':
		case c == '%':
			// html/template escapes a percent sign that begins no escape.
			if i+2 >= len(s) || !isHex(s[i+1]) || !isHex(s[i+2]) {
				return false
			}
		case strings.IndexByte(urlMarks, c) < 0:
			return false
		}
	}
	return true
}

// urlMarks are the characters of a URL, besides letters, digits and the percent sign, that
// html/template does not percent-encode.
const urlMarks = "!#$&*+,/:;=?@[]-._~"

func isHex(c byte) bool { return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f' }

// appendEscaped appends a plain value as html/template writes it.
func appendEscaped(b []byte, s string) []byte {
	for {
		i := strings.IndexAny(s, "&+")
		if i < 0 {
			return append(b, s...)
		}
		b = append(b, s[:i]...)
		if s[i] == '&' {
			b = append(b, "&amp;"...)
		} else {
			b = append(b, "&#43;"...)
		}
		s = s[i+1:]
	}
}

// shape is a page without its values.
type shape struct {
	text  string
	holes []hole // in order
}

// hole is the place of a value.
type hole struct {
	at     int // in the shape's text
	value  int // the index of the value
	number bool
}

// fill returns the page with the values.
func (s *shape) fill(f *Fields) []byte {
	size := len(s.text)
	for _, h := range s.holes {
		size += len(f.values[h.value]) + 24 // a number's digits, or a few escapes
	}
	b, done := make([]byte, 0, size), 0
	for _, h := range s.holes {
		b = append(b, s.text[done:h.at]...)
		done = h.at
		if h.number {
			b = strconv.AppendInt(b, int64(f.numbers[h.value]), 10)
		} else {
			b = appendEscaped(b, f.values[h.value])
		}
	}
	return append(b, s.text[done:]...)
}

// shapes are the shapes of a set's built-in pages. A nil shape stands for a page that has to
// be executed.
type shapes struct {
	mu    sync.RWMutex
	known map[shapeKey]*shape
}

// find returns the shape of that key, and reports whether it is known.
func (s *shapes) find(key *shapeKey) (*shape, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	found, known := s.known[*key]
	return found, known
}

// full reports whether there is no room for another shape.
func (s *shapes) full() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.known) >= maxShapes
}

// add keeps a shape if there is room.
func (s *shapes) add(key shapeKey, learned *shape) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.known) >= maxShapes {
		return
	}
	if s.known == nil {
		s.known = make(map[shapeKey]*shape)
	}
	s.known[key] = learned
}

// Fill returns a page of a known shape with the values of f. It reports false if the page
// has to be executed.
func (s *Set) Fill(f *Fields) ([]byte, bool) {
	if f.unfit || s.templates != s.builtin {
		return nil, false
	}
	found, _ := s.shapes.find(&f.key)
	if found == nil {
		return nil, false
	}
	return found.fill(f), true
}

// Learn makes a shape of the page that f lists, for [Set.Fill]. It calls data with a list that
// replaces each value that is set, and executes the page with what data returns. It does
// nothing if the shape is known, or if there are too many.
func (s *Set) Learn(f *Fields, data func(*Fields) any) {
	if f.unfit || s.templates != s.builtin || s.shapes.full() {
		return
	}
	if _, known := s.shapes.find(&f.key); known {
		return
	}
	s.shapes.add(f.key, s.learn(f.key, data))
}

// learn returns the shape of that key, or nil if the page is not its shape with the values
// filled in.
func (s *Set) learn(key shapeKey, data func(*Fields) any) *shape {
	// Nothing of a request is in this page but what the key has. The marks are random, so
	// that no text of the application contains one.
	marked := Fields{key: shapeKey{page: key.page, language: key.language}, instead: func(_ valueKind, text *string, number *int) {
		if number != nil {
			*number = randomNumber()
		} else {
			*text = rand.Text()
		}
	}}
	page, err := execute(s.builtin, key.page, data(&marked))
	if err != nil || marked.key != key {
		return nil
	}
	learned := split(page, &marked)
	// A page may contain a part of a value, or compare values. The second execution shows
	// whether it does: its values differ from the marks in every character.
	tried := Fields{key: shapeKey{page: key.page, language: key.language}}
	tried.instead = func(kind valueKind, text *string, number *int) {
		switch kind {
		case kindNumber:
			*number = tried.count + 7
		case kindURL:
			*text = "/%2f" + urlMarks + strconv.Itoa(tried.count)
		default:
			*text = "\u6797 \u00e9&+=`\\{}()%*:;,.-_~@#$^|!?/[]\x7f\xff\u2028" + strconv.Itoa(tried.count)
		}
	}
	want, err := execute(s.builtin, key.page, data(&tried))
	if err != nil || tried.unfit || tried.key != key || !bytes.Equal(learned.fill(&tried), want) {
		return nil
	}
	return learned
}

// split cuts the values of f, which are marks, out of the page.
func split(page []byte, f *Fields) *shape {
	marks := make([]string, f.count)
	for i := range marks {
		if marks[i] = f.values[i]; marks[i] == "" {
			marks[i] = strconv.Itoa(f.numbers[i])
		}
	}
	s, text := &shape{}, new(strings.Builder)
	for rest := string(page); ; {
		at, first := -1, 0
		for i, mark := range marks {
			if found := strings.Index(rest, mark); found >= 0 && (at < 0 || found < at) {
				at, first = found, i
			}
		}
		if at < 0 {
			text.WriteString(rest)
			s.text = text.String()
			return s
		}
		text.WriteString(rest[:at])
		s.holes = append(s.holes, hole{at: text.Len(), value: first, number: f.values[first] == ""})
		rest = rest[at+len(marks[first]):]
	}
}

// randomNumber returns a number of 18 or 19 digits.
func randomNumber() int {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return int(binary.NativeEndian.Uint64(b[:])>>2 | 1<<62)
}
