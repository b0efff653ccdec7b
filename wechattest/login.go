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
	begun   bool // and an answer after that has given the client another cookie
}

// step opens an address and returns the one to open next, or "" at the end.
func (l *visit) step(ctx context.Context, address string) (next string, err error) {
	if isWeChatLink(address) {
		l.vouched = true
		return l.wechat.decide(address, l.person, FullService)
	}
	page, err := l.open(ctx, address)
	switch {
	case err != nil:
		return "", err
	case page.next != "":
		return page.next, nil
	case l.begun:
		return "", nil
	case l.vouched:
		return "", fmt.Errorf("no session has begun when it ends at %s", page.say(address))
	}
	return "", fmt.Errorf("it doesn't lead to WeChat, but ends at %s", page.say(address))
}

// shown is what an address answers.
type shown struct {
	status int
	text   string
	next   string // where it leads: by a redirect, or by a link to WeChat
}

// open gets a page as WeChat's browser does, and notes whether a session begins.
func (l *visit) open(ctx context.Context, address string) (shown, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return shown{}, err
	}
	req.Header.Set("Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")
	req.Header.Set("User-Agent", UserAgentPhone)
	before := l.client.Jar.Cookies(req.URL)
	resp, err := l.client.Do(req)
	var failed *url.Error
	if errors.As(err, &failed) {
		return shown{}, fmt.Errorf("opening %s: %w", withoutQuery(address), failed.Err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	page := shown{status: resp.StatusCode, text: string(text)}
	if resp.StatusCode < http.StatusBadRequest {
		l.begun = l.begun || l.vouched && bringsNews(resp.Cookies(), before)
		page.next = weChatLink(page.text)
	}
	if next, err := resp.Location(); err == nil && resp.StatusCode/100 == 3 {
		page.next = next.String()
	}
	return page, err
}

// bringsNews reports whether an answer sets a cookie that the client hadn't
// before. Some applications send an old one again with every answer.
func bringsNews(set, before []*http.Cookie) bool {
	return slices.ContainsFunc(set, func(c *http.Cookie) bool {
		old := func(b *http.Cookie) bool { return b.Name == c.Name && b.Value == c.Value }
		return c.Value != "" && c.MaxAge >= 0 && !slices.ContainsFunc(before, old)
	})
}

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

// say says what an address answered, in a test's words.
func (s shown) say(address string) string {
	words := strings.Fields(html.UnescapeString(tags.ReplaceAllString(s.text, " ")))
	text := []rune(strings.Join(words, " "))
	return fmt.Sprintf("%s with %d: %q", withoutQuery(address), s.status, string(text[:min(len(text), 200)]))
}

// withoutQuery keeps codes and states out of messages.
func withoutQuery(address string) string {
	address, _, _ = strings.Cut(address, "?")
	return address
}
