package wechattest

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// The forms of a page, and the fields in them.
var (
	forms      = regexp.MustCompile(`(?s)(<form\s[^>]*method="post"[^>]*>)(.*?)</form>`)
	fieldTags  = regexp.MustCompile(`<(?:input|button)\s[^>]*>`)
	attributes = regexp.MustCompile(`([a-z]+)="([^"]*)"`)
)

// readFields returns the named inputs and buttons of a form's content, in their order.
func readFields(content string) []formField {
	var fields []formField
	for _, tag := range fieldTags.FindAllString(content, -1) {
		read := readAttributes(tag)
		if read["name"] == "" {
			continue
		}
		f := formField{read["name"], read["value"], read["type"]}
		if strings.HasPrefix(tag, "<button") {
			f.kind = "button"
		}
		fields = append(fields, f)
	}
	return fields
}

// formField is a field of a form. The kind is an input's type, or "button".
type formField struct{ name, value, kind string }

// readAttributes returns the attributes of a tag.
func readAttributes(tag string) map[string]string {
	read := map[string]string{}
	for _, attribute := range attributes.FindAllStringSubmatch(tag, -1) {
		read[attribute[1]] = html.UnescapeString(attribute[2])
	}
	return read
}

// Submit posts a form of the page that client has received, as a person in a browser would,
// so that a test needs neither the form's address nor its token:
//
//	page, err := phone.Client.Get(app.URL + "/wechat/phone")
//	page = wechattest.Submit(t, phone.Client, page, url.Values{"phone": {"13800138000"}})
//	page = wechattest.Submit(t, phone.Client, page, url.Values{"code": {codes.Last()}})
//
// It takes the first form on the page that has all the named fields. The other fields keep
// the values that the page gives them; the value of the first button goes along, unless
// fields names it. Submit reads and closes the page's body. The caller closes the body of the
// answer. It fails t if the page has no such form, or if the request fails.
func Submit(t testing.TB, client *http.Client, page *http.Response, fields url.Values) *http.Response {
	t.Helper()
	answer, err := submit(t.Context(), client, page, fields)
	if err != nil {
		t.Fatalf("wechattest: submitting a form: %v", err)
	}
	return answer
}

// submit is Submit without a test.
func submit(ctx context.Context, client *http.Client, page *http.Response, fields url.Values) (*http.Response, error) {
	defer func() { _ = page.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(page.Body, 1<<20))
	if err != nil {
		return nil, fmt.Errorf("reading the page: %w", err)
	}
	at := page.Request.URL
	for _, form := range forms.FindAllStringSubmatch(string(text), -1) {
		filled, ok := fill(form[2], fields)
		if !ok {
			continue
		}
		target, err := at.Parse(readAttributes(form[1])["action"])
		if err != nil {
			return nil, errors.New("the form's address is not a URL")
		}
		req, err := newFormRequest(ctx, target.String(), filled)
		if err != nil {
			return nil, errors.New("the form's address is not a URL")
		}
		req.Header.Set("Origin", at.Scheme+"://"+at.Host) // of the page, not of its target
		// The same browser asked for the page. Without a header the client is a program.
		if agent := page.Request.Header.Get("User-Agent"); agent != "" {
			req.Header.Set("User-Agent", agent)
		}
		return client.Do(req)
	}
	return nil, fmt.Errorf("the page %s, with status %d, has no form with the fields %q", withoutQuery(at.String()), page.StatusCode, sortedNames(fields))
}

// fill returns the values of a form whose fields are in text. It reports whether the form has
// all the given fields.
func fill(text string, fields url.Values) (url.Values, bool) {
	filled, names := url.Values{}, map[string]bool{}
	pressed := false // a browser sends the value of one button
	for _, f := range readFields(text) {
		names[f.name] = true
		button := f.kind == "button"
		switch {
		case fields.Has(f.name), f.kind == "checkbox", button && pressed:
		case button, f.kind == "hidden", f.value != "":
			filled.Set(f.name, f.value)
		}
		pressed = pressed || button
	}
	for name, values := range fields {
		if !names[name] {
			return nil, false
		}
		filled[name] = values
	}
	return filled, true
}

// sortedNames returns the names of fields.
func sortedNames(fields url.Values) []string {
	var names []string
	for name := range fields {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Codes keeps the one-time codes that an application sends. Its zero value is ready to use:
//
//	var codes wechattest.Codes
//	config.Phone.SendCode = codes.Send
//
// It is safe for concurrent use.
type Codes struct {
	mu   sync.Mutex
	sent map[string]string
	last string
}

// Send keeps the code in place of sending it. It is a Config.Phone.SendCode.
func (c *Codes) Send(_ context.Context, phone, code string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sent == nil {
		c.sent = make(map[string]string)
	}
	c.sent[phone], c.last = code, code
	return nil
}

// Last returns the code that was sent last, to any number. It is empty before the first one.
func (c *Codes) Last() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

// To returns the code that was sent last to a number in E.164 form, or "".
func (c *Codes) To(phone string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sent[phone]
}
