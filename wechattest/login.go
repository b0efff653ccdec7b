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
	"testing"
)

// LogIn logs in the client of an application's test. It acts as a person
// whose phone opens a page of the application in WeChat:
//
//	simulator.LogIn(t, client, server.URL+"/account", "lin")
//
// The address is a page that leads to the login, or the login itself. LogIn
// follows the application's redirects, consents on WeChat's pages, and follows
// links to WeChat on the application's pages, such as the one that asks for the
// user info. When it returns, the client's Jar holds the session, and the client
// is logged in as the person.
//
// The client needs a Jar and a Transport that reaches the application. The client
// sends no request to the simulator's pages, so these need no address. The
// application must be able to reach the simulator's API.
//
// LogIn fails t if no session begins. This happens if the application does not
// lead to WeChat, as for a client that is already logged in. It also
// happens if the application refuses the person, or asks for input that LogIn
// does not have, such as a one-time code. Use a [Phone] for such logins.
func (w *WeChat) LogIn(t testing.TB, client *http.Client, address, personID string) {
	t.Helper()
	if err := w.logIn(t.Context(), client, address, personID); err != nil {
		t.Fatalf("wechattest: logging in as %q: %v", personID, err)
	}
}

// maxSteps is the maximum number of pages in a login. A login takes a handful of
// pages, so more than maxSteps means a redirect loop.
const maxSteps = 20

// logIn is LogIn without a test.
func (w *WeChat) logIn(ctx context.Context, client *http.Client, address, personID string) error {
	person, known := w.person(personID)
	switch {
	case !known:
		return errors.New("unknown person")
	case client.Jar == nil:
		return errors.New("the client has no Jar for the session's cookie")
	}
	v := visit{wechat: w, person: person, client: *client}
	// step follows redirects itself: some lead to WeChat's pages, which the client
	// cannot reach.
	v.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for range maxSteps {
		next, err := v.step(ctx, address)
		if err != nil || next == "" {
			return err
		}
		address = next
	}
	return fmt.Errorf("the login does not end after %d pages; the next is %s", maxSteps, withoutQuery(address))
}

// visit is the state of a login in progress.
type visit struct {
	wechat     *WeChat
	person     Person
	client     http.Client
	authorized bool // WeChat has redirected back to the application
	hasSession bool // an answer after that has set a new cookie
}

// step opens an address and returns the next one, or "" at the end of the login.
func (v *visit) step(ctx context.Context, address string) (next string, err error) {
	if isWeChatLink(address) {
		v.authorized = true
		// FullService gives the application the person's own data, also for
		// snapshot users.
		return v.wechat.answerLink(address, v.person, FullService)
	}
	page, err := v.open(ctx, address)
	switch {
	case err != nil:
		return "", err
	case page.next != "":
		return page.next, nil
	case v.hasSession:
		return "", nil
	case v.authorized:
		return "", fmt.Errorf("no session begins: the login ends at %s", page.describe(address))
	}
	return "", fmt.Errorf("the page does not lead to WeChat: the login ends at %s", page.describe(address))
}

// openedPage is the answer to a request for a page.
type openedPage struct {
	status int
	text   string
	next   string // target of a redirect or of a link to WeChat, or ""
}

// open requests a page as WeChat's browser does. It sets v.hasSession if a session
// begins.
func (v *visit) open(ctx context.Context, address string) (openedPage, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return openedPage{}, err
	}
	req.Header.Set("Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")
	req.Header.Set("User-Agent", UserAgentPhone)
	before := v.client.Jar.Cookies(req.URL)
	resp, err := v.client.Do(req)
	// Do returns a *url.Error, which contains the whole URL with the code and the
	// state. Keep its cause only. Transport's errors have the prefix that LogIn
	// adds.
	var failed *url.Error
	if errors.As(err, &failed) {
		cause := strings.TrimPrefix(failed.Err.Error(), "wechattest: ")
		return openedPage{}, fmt.Errorf("opening %s: %s", withoutQuery(address), cause)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	page := openedPage{status: resp.StatusCode, text: string(text)}
	if resp.StatusCode < http.StatusBadRequest {
		// A cookie from before the authorization belongs to the login, not to a
		// session.
		v.hasSession = v.hasSession || v.authorized && setsNewCookie(resp.Cookies(), before)
		page.next = findWeChatLink(page.text)
	}
	if next, err := resp.Location(); err == nil && resp.StatusCode/100 == 3 {
		page.next = next.String()
	}
	return page, err
}

// setsNewCookie reports whether an answer sets a cookie that the client did not
// have before.
func setsNewCookie(set, before []*http.Cookie) bool {
	// Some applications send an unchanged cookie with every answer. A negative
	// MaxAge deletes a cookie.
	return slices.ContainsFunc(set, func(c *http.Cookie) bool {
		unchanged := func(b *http.Cookie) bool { return b.Name == c.Name && b.Value == c.Value }
		return c.Value != "" && c.MaxAge >= 0 && !slices.ContainsFunc(before, unchanged)
	})
}

// isWeChatLink reports whether an address leads to one of WeChat's pages. The link
// need not be valid.
func isWeChatLink(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (strings.HasSuffix(u.Path, authorizePath) || strings.HasSuffix(u.Path, qrconnectPath))
}

// hrefs matches the links in a page.
var hrefs = regexp.MustCompile(`href="([^"]+)"`)

// findWeChatLink returns the first link to WeChat in a page, or "".
func findWeChatLink(page string) string {
	for _, href := range hrefs.FindAllStringSubmatch(page, -1) {
		if link := html.UnescapeString(href[1]); isWeChatLink(link) {
			return link
		}
	}
	return ""
}

// tags matches the parts of a page that are not text.
var tags = regexp.MustCompile(`(?s)<head>.*</head>|<[^>]*>`)

// describe returns the page's address, status and first 200 characters of text, for
// an error.
func (p openedPage) describe(address string) string {
	words := strings.Fields(html.UnescapeString(tags.ReplaceAllString(p.text, " ")))
	text := []rune(strings.Join(words, " "))
	return fmt.Sprintf("%s with status %d: %q", withoutQuery(address), p.status, string(text[:min(len(text), 200)]))
}

// withoutQuery returns an address without its query, which may contain a code or a
// state.
func withoutQuery(address string) string {
	address, _, _ = strings.Cut(address, "?")
	return address
}
