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

// LogIn logs the client of an application's test in, as a person from [People]
// does who opens a page of the application in WeChat:
//
//	simulator.LogIn(t, client, server.URL+"/account", "lin")
//
// The address is of a page that leads to the login, or of the login itself.
// LogIn goes where the application sends it, says yes wherever the person is
// asked in WeChat, and follows a page's own link to WeChat, such as the one that
// asks for the user info. When it returns, the client's Jar holds the session,
// and the client's requests are the person's. The client needs a Jar, and a
// Transport that reaches the application; the simulator's pages need no address,
// only its API has to be reached, by the application.
//
// LogIn fails t if no session begins: if the application never leads to WeChat,
// as for a client that is logged in already, refuses the person, or asks for what
// LogIn can't know, such as a one-time code. A login with more steps than this
// takes a [Phone].
func (w *WeChat) LogIn(t testing.TB, client *http.Client, address, personID string) {
	t.Helper()
	if err := w.logIn(t.Context(), client, address, personID); err != nil {
		t.Fatalf("wechattest: logging %q in: %v", personID, err)
	}
}

// maxSteps is how many pages a login may take: more are going in circles.
const maxSteps = 20

// logIn is LogIn without a test.
func (w *WeChat) logIn(ctx context.Context, client *http.Client, address, personID string) error {
	person, known := w.person(personID)
	switch {
	case !known:
		return errors.New("nobody is called that")
	case client.Jar == nil:
		return errors.New("the client has no Jar to keep a session in")
	}
	l := visit{wechat: w, person: person, client: *client}
	l.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for range maxSteps {
		next, err := l.step(ctx, address)
		if err != nil || next == "" {
			return err
		}
		address = next
	}
	return fmt.Errorf("after %d steps it leads on still, to %s", maxSteps, withoutQuery(address))
}

// visit is a login on its way.
type visit struct {
	wechat  *WeChat
	person  Person
	client  http.Client
	vouched bool // WeChat has sent the person back
	begun   bool // and an answer after that has set a cookie
}

// step opens an address and returns the one to open next, or "" at the end.
func (l *visit) step(ctx context.Context, address string) (next string, err error) {
	if isWeChatLink(address) {
		l.vouched = true
		return l.wechat.decide(address, l.person, FullService)
	}
	resp, page, err := l.open(ctx, address)
	if err != nil {
		return "", err
	}
	l.begun = l.begun || l.vouched && slices.ContainsFunc(resp.Cookies(), kept)
	if to, err := resp.Location(); err == nil {
		return to.String(), nil
	}
	if link := weChatLink(page); link != "" && !l.begun && resp.StatusCode == http.StatusOK {
		return link, nil
	}
	switch {
	case l.begun:
		return "", nil
	case l.vouched:
		return "", fmt.Errorf("no session has begun when it ends at %s", ending(resp, page))
	}
	return "", fmt.Errorf("it doesn't lead to WeChat, but ends at %s", ending(resp, page))
}

// open gets a page as WeChat's browser does.
func (l *visit) open(ctx context.Context, address string) (*http.Response, string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, "", err
	}
	req.Header.Set("Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")
	req.Header.Set("User-Agent", UserAgentPhone)
	resp, err := l.client.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	page, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return resp, string(page), err
}

// kept reports whether a cookie is there to stay.
func kept(c *http.Cookie) bool { return c.Value != "" && c.MaxAge >= 0 }

// isWeChatLink reports whether an address is meant for WeChat, right or wrong.
func isWeChatLink(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (strings.HasSuffix(u.Path, authorizePath) || strings.HasSuffix(u.Path, qrconnectPath))
}

var hrefs = regexp.MustCompile(`href="([^"]+)"`)

// weChatLink returns a page's link to WeChat, or "".
func weChatLink(page string) string {
	for _, href := range hrefs.FindAllStringSubmatch(page, -1) {
		if link := html.UnescapeString(href[1]); isWeChatLink(link) {
			return link
		}
	}
	return ""
}

var tags = regexp.MustCompile(`(?s)<head>.*</head>|<[^>]*>`)

// ending says where a login has ended, and what it said there.
func ending(resp *http.Response, page string) string {
	words := strings.Fields(html.UnescapeString(tags.ReplaceAllString(page, " ")))
	text := []rune(strings.Join(words, " "))
	return fmt.Sprintf("%s with %d: %q", withoutQuery(resp.Request.URL.String()), resp.StatusCode, string(text[:min(len(text), 200)]))
}

// withoutQuery keeps codes and states out of messages.
func withoutQuery(address string) string {
	address, _, _ = strings.Cut(address, "?")
	return address
}
