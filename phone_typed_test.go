package scangate_test

// Cases A21 and A22: codes and numbers as persons type them, and the page that follows.

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/scangate/scangate"
)

// fullWidth returns s with the digits of Chinese input methods.
func fullWidth(s string) string {
	return strings.Map(func(c rune) rune { return c - '0' + '０' }, s)
}

// spellings are ways of typing digits.
var spellings = map[string]func(string) string{
	"a space before":     func(s string) string { return " " + s },
	"a space within":     func(s string) string { return s[:len(s)/2] + " " + s[len(s)/2:] },
	"a line break after": func(s string) string { return s + "\r\n" },
	"a dash within":      func(s string) string { return s[:1] + "-" + s[1:] },
	"full-width digits":  fullWidth,
	"full-width spaces":  func(s string) string { return "\u3000" + s[:1] + "\u3000" + fullWidth(s[1:]) },
	"no-break spaces":    func(s string) string { return "\u00a0" + s[:1] + "\u202f" + s[1:] },
	"invisible marks":    func(s string) string { return "\ufeff\u202d" + s[:1] + "\u200b" + s[1:] + "\u202c" },
}

// TestCaseA21Codes: a code counts in every spelling of its digits.
func TestCaseA21Codes(t *testing.T) {
	t.Parallel()
	for name, spell := range spellings {
		t.Run(name, func(t *testing.T) {
			sms := &texts{}
			w := newWorld(t, sms.withPhone)
			phone := w.phone("lin")
			page := phone.open("/account")
			phone.sendCode(page, mobile)
			typed := spell(sms.to(mobile))
			if a := phone.typeCode(page, typed); !strings.HasPrefix(a.body, "user ") {
				t.Errorf("the code typed as %q: status = %d, want the account page, got\n%s", typed, a.StatusCode, a.body)
			}
		})
	}
}

// TestCaseA21MalformedCodes: a text without 6 digits cannot be the code. It uses up no try.
func TestCaseA21MalformedCodes(t *testing.T) {
	sms := &texts{}
	w := newWorld(t, sms.withPhone)
	phone := w.phone("lin")
	page := phone.open("/account")
	phone.sendCode(page, mobile)
	code := sms.to(mobile)
	for _, typed := range []string{"", " ", code[:5], code + "0", "+" + code, code + "x", "１２３４５", strings.Repeat("1", 10_000)} {
		if got := phone.typeCode(page, typed).StatusCode; got != http.StatusForbidden {
			t.Errorf("the code typed as %.20q: status = %d, want %d", typed, got, http.StatusForbidden)
		}
	}
	if a := phone.typeCode(page, code); !strings.HasPrefix(a.body, "user ") {
		t.Errorf("the code after malformed ones: status = %d, want the account page, got\n%s", a.StatusCode, a.body)
	}
}

// TestCaseA21Numbers: the digits of MatchNumber count in every spelling.
func TestCaseA21Numbers(t *testing.T) {
	t.Parallel()
	for name, spell := range spellings {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, withNumber)
			desktop, phone := w.desktop(), w.phone("lin")
			login := desktop.start()
			phone.scan(login)
			typed := spell(strconv.Itoa(login.MatchNumber))
			phone.answer(login, "approve", "number", typed)
			if got := desktop.state(login); got != "approved" {
				t.Errorf("the number typed as %q: state = %q, want approved", typed, got)
			}
		})
	}
	for name, spell := range map[string]func(string) string{
		"nothing":           func(string) string { return "" },
		"one digit":         func(s string) string { return s[:1] },
		"another digit too": func(s string) string { return s + "0" },
		"a zero before":     func(s string) string { return "0" + s },
		"a sign":            func(s string) string { return "+" + s },
		"a letter":          func(s string) string { return s + "x" },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, withNumber)
			desktop, phone := w.desktop(), w.phone("lin")
			login := desktop.start()
			phone.scan(login)
			typed := spell(strconv.Itoa(login.MatchNumber))
			phone.answer(login, "approve", "number", typed)
			if got := desktop.state(login); got != "denied" {
				t.Errorf("the number typed as %q: state = %q, want denied", typed, got)
			}
		})
	}
}

// TestCaseA21Patterns: the pages' own checks let those spellings through.
func TestCaseA21Patterns(t *testing.T) {
	sms := &texts{}
	w := newWorld(t, sms.withPhone, withNumber)
	desktop, phone := w.desktop(), w.phone("lin")
	login := desktop.start()
	page := phone.scan(login)
	phone.sendCode(page, mobile)
	codePage := phone.get(page.Request.URL.Path)
	confirm := phone.typeCode(page, sms.to(mobile))
	for _, c := range []struct {
		field string
		page  answer
		value string
	}{{"code", codePage, "123456"}, {"number", confirm, "42"}} {
		input := c.page.find(t, regexp.MustCompile(`(<input id="`+c.field+`"[^>]*>)`))
		pattern := regexp.MustCompile(`pattern="([^"]*)"`).FindStringSubmatch(input)[1]
		maxLength, _ := strconv.Atoi(regexp.MustCompile(`maxlength="([0-9]*)"`).FindStringSubmatch(input)[1])
		// In JavaScript \s has all of Unicode's spaces.
		form := regexp.MustCompile(`^(?:` + strings.ReplaceAll(html.UnescapeString(pattern), `\s`, `[\s\x{a0}\x{202f}\x{3000}]`) + `)$`)
		for _, name := range []string{"a space before", "a space within", "a dash within", "full-width digits", "full-width spaces", "no-break spaces"} {
			typed := spellings[name](c.value)
			if !form.MatchString(typed) || len([]rune(typed)) > maxLength {
				t.Errorf("field %s: %q does not fit pattern %s and maxlength %d, want it to", c.field, typed, form, maxLength)
			}
		}
		for _, typed := range []string{"", c.value[1:], c.value + "0", c.value + "x"} {
			if form.MatchString(typed) {
				t.Errorf("field %s: %q fits pattern %s, want it not to", c.field, typed, form)
			}
		}
	}
}

var phoneField = regexp.MustCompile(`<input id="phone"[^>]* value="([^"]*)"`)

// TestCaseA22KeepsTheNumber: the page after a refused number has the typed text, and a
// reason that fits it.
func TestCaseA22KeepsTheNumber(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		typed, kept string
		status      int
		reason      string
	}{
		{"12345", "12345", http.StatusBadRequest, "11 digits"},
		{"1380013800", "1380013800", http.StatusBadRequest, "11 digits"},
		{"138 0013 80000", "138 0013 80000", http.StatusBadRequest, "11 digits"},
		{"１２３４５", "１２３４５", http.StatusBadRequest, "11 digits"},
		{"+86 010 12345678", "+86 010 12345678", http.StatusBadRequest, "11 digits"},
		{"lin@example.com", "lin@example.com", http.StatusBadRequest, "11 digits"},
		{`"><script>`, `"><script>`, http.StatusBadRequest, "11 digits"},
		{"+49 151 23456789", "+49 151 23456789", http.StatusBadRequest, "Numbers of that country are not accepted"},
		{"0049 151", "0049 151", http.StatusBadRequest, "country code"},
		{strings.Repeat("１", 100), strings.Repeat("１", 32), http.StatusBadRequest, "11 digits"},
		{"1\xff2", "12", http.StatusBadRequest, "11 digits"},
		{"", "", http.StatusBadRequest, "11 digits"},
	} {
		t.Run(c.typed[:min(len(c.typed), 20)], func(t *testing.T) {
			phone := newWorld(t, (&texts{}).withPhone).phone("lin")
			page := phone.open("/account")
			a := phone.sendCode(page, c.typed)
			if a.StatusCode != c.status || !strings.Contains(a.body, c.reason) {
				t.Errorf("send a code to %q: status = %d, want %d and %q in\n%s", c.typed, a.StatusCode, c.status, c.reason, a.body)
			}
			if got := a.find(t, phoneField); got != c.kept {
				t.Errorf("send a code to %q: the field has %q, want %q", c.typed, got, c.kept)
			}
			if strings.Contains(a.body, "<script>") {
				t.Errorf("send a code to %q: the page has it as markup:\n%s", c.typed, a.body)
			}
		})
	}
}

// TestCaseA22BesideTheLastNumber: a bad number after a good one is kept as well. A good one
// to which no code can be sent is not: no page has a whole number of somebody's.
func TestCaseA22BesideTheLastNumber(t *testing.T) {
	sms := &texts{}
	w := newWorld(t, sms.withPhone)
	phone := w.phone("lin")
	page := phone.open("/account")
	phone.sendCode(page, "138 0013 8000")
	a := phone.sendCode(page, "139")
	if got := a.find(t, phoneField); got != "139" || !strings.Contains(a.body, "<details open>") || !strings.Contains(html.UnescapeString(a.body), "138****8000") {
		t.Errorf("a bad number after a good one: field = %q, want 139, unfolded, beside the last number, in\n%s", got, a.body)
	}
	for name, a := range map[string]answer{
		"a code within a minute": phone.sendCode(page, "138-0013-8000"),
		"resend":                 phone.post(page.Request.URL.Path+"/code", url.Values{"token": {page.find(t, tokenPattern)}}),
		"wrong code":             phone.typeCode(page, wrong(sms.to(mobile))),
		"a new page":             phone.get(page.Request.URL.Path),
	} {
		if got := a.find(t, phoneField); got != "" {
			t.Errorf("%s: the number's field has %q, want nothing", name, got)
		}
	}
}

// TestCaseA22International: the page asks for + and the calling code only where such
// numbers can be accepted.
func TestCaseA22International(t *testing.T) {
	const hint = "begin with + and the country code"
	for name, c := range map[string]struct {
		change func(*scangate.Config)
		want   bool
	}{
		"mainland only":   {func(*scangate.Config) {}, false},
		"Countries of 86": {func(c *scangate.Config) { c.Phone.Countries = []string{"86"} }, false},
		"Countries":       {func(c *scangate.Config) { c.Phone.Countries = []string{"852"} }, true},
		"Normalize":       {func(c *scangate.Config) { c.Phone.Normalize = func(s string) (string, error) { return s, nil } }, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, (&texts{}).withPhone, c.change)
			if a := w.phone("lin").open("/account"); strings.Contains(html.UnescapeString(a.body), hint) != c.want {
				t.Errorf("phone page: has %q = %t, want %t, in\n%s", hint, !c.want, c.want, a.body)
			}
		})
	}
}
