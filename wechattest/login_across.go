package wechattest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// LogInByScan logs in a client as [WeChat.LogIn] does, but in another browser than WeChat's.
// The application's login page shows the gate's QR code. The person scans it, consents on
// WeChat's pages, and approves the login on the gate's page:
//
//	simulator.LogInByScan(t, client, server.URL+"/account", "lin")
//
// The address is a page that leads to the login page of a scangate gate, or the login page
// itself. The person's phone sends its requests through the client's Transport.
//
// It fails t if the person cannot log in, or if a page asks for something else than consent,
// the number on the login page, and an agreement to documents. Use a [Phone] for such logins.
func (w *WeChat) LogInByScan(t testing.TB, client *http.Client, address, personID string) {
	t.Helper()
	w.logInAcross(t, client, address, personID, "web")
}

// LinkByScan adds the person's WeChat to the account of a client that is logged in. The
// address is the gate's page for that:
//
//	simulator.LinkByScan(t, client, server.URL+"/wechat/link", "lin")
//
// It scans the code on that page as [WeChat.LogInByScan] does, and confirms on both screens.
func (w *WeChat) LinkByScan(t testing.TB, client *http.Client, address, personID string) {
	t.Helper()
	w.across(t, desktop{wechat: w, client: *client, links: true}, address, personID, "web")
}

// LogInByFollow is [WeChat.LogInByScan] for an application whose login page shows a QR code
// of its account (scangate.ScanFollow). The person scans it, follows the account unless they
// do already, and types the number of the login page in the chat. A link in the reply is
// opened, as the page behind a scan is. The account needs a push server: see
// [WeChat.SetPush].
func (w *WeChat) LogInByFollow(t testing.TB, client *http.Client, address, personID string) {
	t.Helper()
	w.logInAcross(t, client, address, personID, "follow")
}

// LogInByMessage is [WeChat.LogInByFollow] for an application whose login page shows digits
// to send to its account (scangate.ScanMessage). The person follows the account unless they
// do already, sends the digits, and answers 1.
func (w *WeChat) LogInByMessage(t testing.TB, client *http.Client, address, personID string) {
	t.Helper()
	w.logInAcross(t, client, address, personID, "message")
}

// logInAcross logs in a client that shows what a person's phone needs.
func (w *WeChat) logInAcross(t testing.TB, client *http.Client, address, personID, way string) {
	t.Helper()
	w.across(t, desktop{wechat: w, client: *client}, address, personID, way)
}

// across logs in or links a desktop, on which the person's phone acts.
func (w *WeChat) across(t testing.TB, d desktop, address, personID, way string) {
	t.Helper()
	person, known := w.person(personID)
	err := errors.New("unknown person")
	switch {
	case known && d.client.Jar == nil:
		err = errors.New("the client has no Jar for the session's cookie")
	case known:
		d.person = person
		// The first redirect to WeChat's pages ends the way to the login page.
		d.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		err = d.logIn(t.Context(), address, way)
	}
	if err != nil {
		// The phone's errors have the prefix already.
		t.Fatalf("wechattest: logging in as %q: %s", personID, strings.TrimPrefix(err.Error(), "wechattest: "))
	}
}

// desktop is a browser that waits for a person's phone.
type desktop struct {
	wechat *WeChat
	person Person
	client http.Client
	links  bool // it is logged in and adds a WeChat to its account
}

// offer is the part of the gate's answer to a new login that a client needs.
type offer struct {
	Way         string `json:"way"`
	ScanURL     string `json:"scan_url"`
	Digits      string `json:"digits"`
	Number      int    `json:"match_number"`
	StateURL    string `json:"state_url"`
	FinishURL   string `json:"finish_url"`
	RedirectURL string `json:"redirect_url"`
}

// logIn logs the desktop in.
func (d *desktop) logIn(ctx context.Context, address, way string) error {
	page, err := d.findLogin(ctx, address)
	if err != nil {
		return err
	}
	o, err := d.start(ctx, page, way)
	if err != nil {
		return err
	}
	phone := &Phone{wechat: d.wechat, person: d.person.ID}
	answer := "" // the account's last reply
	switch way {
	case "follow":
		answer, err = d.followAndAnswer(ctx, phone, o)
	case "message":
		answer, err = d.sendDigits(ctx, phone, o)
	default:
		err = d.confirm(ctx, o.ScanURL, o.Number)
	}
	if err != nil {
		return err
	}
	if err := d.await(ctx, page, o.StateURL, answer); err != nil {
		return err
	}
	return d.finish(ctx, page, o.FinishURL)
}

// findLogin opens an address as a desktop does, and returns the login page's address.
func (d *desktop) findLogin(ctx context.Context, address string) (string, error) {
	for range maxSteps {
		if isWeChatLink(address) {
			return "", errors.New("the address leads to WeChat's page, and not to a login page with a code: use LogIn")
		}
		page, _, err := d.send(ctx, &d.client, http.MethodGet, address, UserAgentChrome, nil)
		switch {
		case err != nil:
			return "", err
		case page.next != "":
			address = page.next
			continue
		case page.status != http.StatusOK || !strings.Contains(page.text, "data-state-url="):
			return "", fmt.Errorf("the page does not lead to a login page: the way ends at %s", page.describe(address))
		}
		return address, nil
	}
	return "", fmt.Errorf("no login page after %d pages; the next is %s", maxSteps, withoutQuery(address))
}

// start starts a login and checks that it can go on in the wanted way.
func (d *desktop) start(ctx context.Context, page, way string) (offer, error) {
	u, err := url.Parse(page)
	if err != nil {
		return offer{}, err
	}
	fields := map[string]string{"with": way}
	if to := u.Query().Get("return_to"); to != "" {
		fields["return_to"] = to
	}
	answer, _, err := d.send(ctx, &d.client, http.MethodPost, withoutQuery(page), UserAgentChrome, fields)
	var o offer
	switch {
	case err != nil:
		return offer{}, err
	case json.Unmarshal([]byte(answer.text), &o) != nil || o.StateURL == "" || o.FinishURL == "":
		return offer{}, fmt.Errorf("the login page is not a scangate gate's: %s", answer.describe(page))
	}
	if o.Way == "" {
		o.Way = "web"
	}
	if o.Way != way {
		return offer{}, fmt.Errorf("the login page offers the way %q, want %q", o.Way, way)
	}
	return o, nil
}

// followAndAnswer scans the account's code and types the number. It returns the last reply.
func (d *desktop) followAndAnswer(ctx context.Context, phone *Phone, o offer) (string, error) {
	code, err := d.wechat.scanned(o.ScanURL)
	if err != nil {
		return "", err
	}
	act := phone.Follow
	if phone.Follows(code.app.AppID) {
		act = phone.Scan
	}
	if err := act(ctx, o.ScanURL); err != nil {
		return "", err
	}
	return d.reply(ctx, phone, code.app.AppID, o, strconv.Itoa(o.Number))
}

// sendDigits sends the digits to the account and answers 1. It returns the last reply.
func (d *desktop) sendDigits(ctx context.Context, phone *Phone, o offer) (string, error) {
	appID, err := d.wechat.chatAccount(o.ScanURL)
	if err == nil && !phone.Follows(appID) {
		err = phone.FollowAccount(ctx, appID)
	}
	if err == nil {
		err = phone.Type(ctx, appID, o.Digits)
	}
	if err != nil {
		return "", err
	}
	return d.reply(ctx, phone, appID, o, "1")
}

// chatAccount returns the account that has the code, or the only one with a push server.
func (w *WeChat) chatAccount(code string) (string, error) {
	var found []string
	for appID := range w.apps {
		if code == w.AccountCode(appID) {
			return appID, nil
		}
		if w.pusherOf(appID) != nil {
			found = append(found, appID)
		}
	}
	if len(found) != 1 {
		return "", fmt.Errorf("%d accounts have a push server, want 1: see SetPush", len(found))
	}
	return found[0], nil
}

// reply answers the account's question, or goes on at the link in it. It returns the last
// reply.
func (d *desktop) reply(ctx context.Context, phone *Phone, appID string, o offer, answer string) (string, error) {
	question := phone.LastReply(appID)
	if len(question.Links) > 0 {
		return question.Text, d.confirm(ctx, question.Links[0], o.Number)
	}
	err := phone.Type(ctx, appID, answer)
	return phone.LastReply(appID).Text, err
}

// confirm goes through the pages that an address leads to on the person's phone, until one
// asks for approval, and approves.
func (d *desktop) confirm(ctx context.Context, address string, number int) error {
	v := visit{wechat: d.wechat, person: d.person, client: d.client}
	v.client.Jar, _ = cookiejar.New(nil) // the error is always nil
	for range maxSteps {
		if isWeChatLink(address) {
			next, err := d.wechat.answerLink(address, d.person, FullService)
			if err != nil {
				return err
			}
			address = next
			continue
		}
		page, err := v.open(ctx, address)
		if err != nil {
			return err
		}
		if page.next != "" {
			address = page.next
			continue
		}
		form, approves, err := fillForm(page.text, number)
		if err != nil {
			return fmt.Errorf("%w: %s", err, page.describe(address))
		}
		answer, _, err := d.send(ctx, &v.client, http.MethodPost, address, UserAgentPhone, form)
		switch {
		case err != nil:
			return err
		case answer.next == "":
			return fmt.Errorf("the form is refused: %s", answer.describe(address))
		case approves:
			return nil
		}
		address = answer.next
	}
	return fmt.Errorf("no page asks for approval after %d pages; the next is %s", maxSteps, withoutQuery(address))
}

// fillForm fills in the first form of a page. It reports whether that approves the login. It
// returns an error if the page has no form, or asks for something else than the number.
func fillForm(text string, number int) (url.Values, bool, error) {
	form := forms.FindStringSubmatch(text)
	if form == nil {
		return nil, false, errors.New("the login cannot go on at this page")
	}
	filled := url.Values{}
	for _, f := range readFields(form[2]) {
		switch {
		case f.name == "number":
			filled.Set(f.name, strconv.Itoa(number))
		case f.name == "answer" && filled.Has(f.name):
			// The first button approves.
		case f.kind == "button", f.kind == "hidden", f.kind == "checkbox":
			filled.Set(f.name, f.value)
		default:
			return nil, false, fmt.Errorf("the page asks for %q", f.name)
		}
	}
	return filled, filled.Get("answer") == "approve", nil
}

// await waits until the login is approved. The reply explains why it is not.
func (d *desktop) await(ctx context.Context, page, stateURL, reply string) error {
	seen := "waiting"
	for range maxSteps {
		answer, _, err := d.send(ctx, &d.client, http.MethodGet, resolve(page, stateURL)+"?wait=5&seen="+seen, UserAgentChrome, nil)
		if err != nil {
			return err
		}
		var public struct{ State string }
		if json.Unmarshal([]byte(answer.text), &public) != nil || public.State == "" {
			return fmt.Errorf("the login's state is unknown: %s", answer.describe(stateURL))
		}
		switch seen = public.State; {
		case seen == "approved":
			return nil
		case slices.Contains([]string{"denied", "rejected", "expired"}, seen), reply != "" && seen == "scanned":
			return fmt.Errorf("the login is %s; the account's last reply is %q", seen, reply)
		}
	}
	return fmt.Errorf("the login is still %s", seen)
}

// finish gets the session.
func (d *desktop) finish(ctx context.Context, page, finishURL string) error {
	address := resolve(page, finishURL)
	u, err := url.Parse(address)
	if err != nil {
		return err
	}
	before := d.client.Jar.Cookies(u)
	answer, cookies, err := d.send(ctx, &d.client, http.MethodPost, address, UserAgentChrome, map[string]string{})
	switch {
	case err != nil:
		return err
	case answer.status != http.StatusOK || !d.links && !setsNewCookie(cookies, before):
		return fmt.Errorf("no session begins: %s", answer.describe(address))
	}
	return nil
}

// resolve returns the address that a reference on a page leads to.
func resolve(page, reference string) string {
	base, err := url.Parse(page)
	if err != nil {
		return reference
	}
	u, err := base.Parse(reference)
	if err != nil {
		return reference
	}
	return u.String()
}

// send sends a request and reads the answer, whose next is the target of a redirect. A map is
// posted as JSON, and url.Values as a form.
func (d *desktop) send(ctx context.Context, client *http.Client, method, address, userAgent string, fields any) (openedPage, []*http.Cookie, error) {
	body, contentType, accept := []byte(nil), "", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"
	switch fields := fields.(type) {
	case url.Values:
		body, contentType = []byte(fields.Encode()), "application/x-www-form-urlencoded"
	case map[string]string:
		body, contentType, accept = encodeJSON(fields), "application/json", "application/json"
	}
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return openedPage{}, nil, err
	}
	req.Header.Set("Accept", accept)
	req.Header.Set("User-Agent", userAgent)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := client.Do(req)
	var failed *url.Error
	if errors.As(err, &failed) {
		// The error contains the whole address. Keep its cause only.
		return openedPage{}, nil, fmt.Errorf("opening %s: %s", withoutQuery(address), strings.TrimPrefix(failed.Err.Error(), "wechattest: "))
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	page := openedPage{status: resp.StatusCode, text: string(text)}
	if next, err := resp.Location(); err == nil && resp.StatusCode/100 == 3 {
		page.next = next.String()
	}
	return page, resp.Cookies(), err
}
