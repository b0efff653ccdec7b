package main

import (
	"context"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/scangate/scangate/wechattest"
)

// TestBrowserPhone logs in twice with -require-phone, with a restart of the program in
// between. Only the first login may ask for a phone number.
func TestBrowserPhone(t *testing.T) {
	browser := startChromium(t)
	for _, w := range turns(1, windows...) {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			args := []string{"-require-phone", "-redis", startRedis(t)}
			first := startProcess(t, args...)
			desktop := openTabAt(t, browser, w, first.url)
			desktop.allowErrors = true // a wrong number or code has an error status
			bindNumber(desktop, first)
			id := desktop.text(`#user-id`)
			desktop.click(`#logout`)
			desktop.waitVisible(`#account`)
			first.stop()

			second := startProcess(t, args...)
			desktop.do("opening the public page again", chromedp.Navigate(second.url))
			desktop.toLogin("known-number")
			phone := desktop.scanAgain()
			phone.click(`button[value=approve]`)
			phone.waitText(`h1`, "Done")
			desktop.confirmAccount()
			desktop.waitText(`#greeting`, "Hello, Wang Wei!")
			if got := desktop.text(`#user-id`); got != id {
				t.Errorf("second login: user ID = %s, want %s", got, id)
			}
			// bindNumber has received the first code.
			if n := len(first.codes) + len(second.codes); n > 0 {
				t.Errorf("got %d verification codes after the first, want none", n)
			}
		})
	}
}

// bindNumber logs a new person in. It enters a wrong number and a wrong code before the
// right ones.
func bindNumber(desktop *tab, p *process) {
	desktop.t.Helper()
	desktop.toLogin("new-number")
	phone := desktop.scan("wang")
	phone.click(`a.primary`)
	phone.click(`a[href*="answer=allow"]`)
	phone.waitVisible(`#phone`)
	phone.screenshot("number")
	phone.submit(`#phone`, "010 8888 8888") // a landline
	phone.waitVisible(`#wrong`)
	phone.submit(`#phone`, "138 0013-8000")
	code := p.code(desktop.t)
	phone.waitVisible(`#code`)
	phone.screenshot("code")
	phone.submit(`#code`, otherThan(code))
	phone.waitVisible(`#wrong`)
	phone.submit(`#code`, code)
	phone.click(`button[value=approve]`)
	phone.waitText(`h1`, "Done")
	desktop.confirmAccount()
	desktop.waitText(`#greeting`, "Hello, Wang Wei!")
}

// submit types a text into a field and clicks the button of its form.
func (tab *tab) submit(field, text string) {
	tab.t.Helper()
	tab.typeInto(field, text)
	tab.click(`form:has(` + field + `) button`)
}

// text waits until an element is visible and returns its text.
func (tab *tab) text(selector string) string {
	tab.t.Helper()
	tab.waitVisible(selector)
	text, err := chromedp.Run(tab.ctx, chromedp.Evaluate[string](fmt.Sprintf(`document.querySelector(%q).innerText`, selector)))
	if err != nil {
		tab.t.Fatal(err)
	}
	return text
}

// otherThan returns a code other than the given one.
func otherThan(code string) string {
	if code == "123456" {
		return "654321"
	}
	return "123456"
}

// TestRegistration opens the account page in WeChat as a new person, with each policy for
// new users.
func TestRegistration(t *testing.T) {
	for _, tt := range []struct {
		mode, number string
		want         string
	}{
		{"open", "", "Hello, Wang Wei!"},
		{"phone", "139 0013 9000", "Hello, WeChat user!"}, // the user of that number has no name
		// The page for a person without an account, in Chinese: the phone's language.
		{"phone", "138 0013 8000", "你的账号"},
		{"closed", "", "你的账号"},
	} {
		t.Run(tt.mode+" "+tt.number, func(t *testing.T) {
			p := startProcess(t, "-registration", tt.mode)
			phone := wechattest.New(nil).Phone("wang", nil, p.wechat)
			resp, page, err := allow(t.Context(), phone, p.url+"/account")
			if err == nil && tt.number != "" {
				page, err = post(t.Context(), phone, resp, page, "/code", url.Values{"phone": {tt.number}})
				if err == nil {
					page, err = post(t.Context(), phone, resp, page, "", url.Values{"code": {p.code(t)}})
				}
			}
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(page, tt.want) {
				t.Errorf("page after the login = %s, want it to contain %q", page, tt.want)
			}
		})
	}
}

var weChatLink = regexp.MustCompile(`href="([^"]+/connect/oauth2/authorize[^"]+)"`)

// allow opens an address that starts or scans a login. If the gate asks a new person for
// their name, allow consents. It returns the next page and its response.
func allow(ctx context.Context, phone *wechattest.Phone, address string) (*http.Response, string, error) {
	resp, err := phone.Open(ctx, address)
	if err != nil {
		return nil, "", err
	}
	page, err := readAll(resp)
	link := weChatLink.FindStringSubmatch(page)
	if err != nil || link == nil {
		return resp, page, err // without a link the gate asks for nothing
	}
	if resp, err = phone.Open(ctx, html.UnescapeString(link[1])); err != nil {
		return nil, "", err
	}
	if resp, err = phone.Tap(ctx, resp, wechattest.Allow); err != nil {
		return nil, "", err
	}
	page, err = readAll(resp)
	return resp, page, err
}

var formToken = regexp.MustCompile(`name="token" value="([^"]+)"`)

// post sends the form of a page of the gate, and returns the next page.
func post(ctx context.Context, phone *wechattest.Phone, from *http.Response, page, action string, fields url.Values) (string, error) {
	token := formToken.FindStringSubmatch(page)
	if token == nil {
		return "", fmt.Errorf("page at %s: no form with a token: status = %s, body = %s", from.Request.URL, from.Status, page)
	}
	fields.Set("token", token[1])
	resp, err := phone.PostForm(ctx, from.Request.URL.String()+action, fields)
	if err != nil {
		return "", err
	}
	return readAll(resp)
}

// readAll reads and closes a response's body. Unlike body it works outside the test's
// goroutine.
func readAll(resp *http.Response) (string, error) {
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}
