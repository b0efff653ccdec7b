package main

import (
	"context"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/scangate/scangate/wechattest"
)

func TestNormalizePhone(t *testing.T) {
	for _, tt := range []struct{ name, typed, want string }{
		{"a mainland mobile", "13800138000", "+8613800138000"},
		{"with spaces", " 138 0013 8000 ", "+8613800138000"},
		{"with dashes", "138-0013-8000", "+8613800138000"},
		{"with the country's code", "+86 138 0013 8000", "+8613800138000"},
		{"with 0086", "0086 138 0013 8000", "+8613800138000"},
		{"with 86", "8613800138000", "+8613800138000"},
		{"full-width", "１３８００１３８０００", "+8613800138000"},
		{"Hong Kong", "+852 6123 4567", "+85261234567"},
		{"Macau", "+853 6612 3456", "+85366123456"},
		{"Taiwan, with the zero of long distance", "+886 (0)912 345 678", "+886912345678"},
		{"the United States", "+1 (415) 555-2671", "+14155552671"},
		{"Germany, by 00", "0049 1512 3456789", "+4915123456789"},
		{"refused: a landline", "010-8888 8888", ""},
		{"refused: a landline abroad", "+49 30 901820", ""},
		{"refused: too short", "1380013800", ""},
		{"refused: too long", "138001380000", ""},
		{"refused: a country that isn't", "+999 123456789", ""},
		{"refused: an extension", "13800138000 ext. 5", ""},
		{"refused: free of charge", "400 810 8888", ""},
		{"refused: words", "hello", ""},
		{"refused: nothing", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := normalizePhone(tt.typed)
			if got != tt.want || (err == nil) != (tt.want != "") {
				t.Errorf("%q: got %q and %v, want %q", tt.typed, got, err, tt.want)
			}
			if err != nil && tt.typed != "" && strings.Contains(err.Error(), tt.typed) {
				t.Errorf("the error shows the number: %v", err)
			}
		})
	}
}

// TestBrowserPhone does by clicks what somebody does who has to prove a number:
// once, and at their second login, after the program was started again, no more.
func TestBrowserPhone(t *testing.T) {
	browser := startChromium(t)
	for _, w := range []window{{"desktop", 1280, 800}, {"phone", 360, 740}} {
		t.Run(w.name, func(t *testing.T) {
			args := []string{"-require-phone", "-db", filepath.Join(t.TempDir(), "users.db")}
			first := startProcess(t, args...)
			tab := openTabAt(t, browser, w, first.url)
			tab.mayFail = true // a wrong number is an error
			bindNumber(tab, first)
			id := tab.text(`#user-id`)
			tab.click(`#logout`)
			tab.waitVisible(`#account`)
			first.stop()

			second := startProcess(t, args...)
			tab.do("opening the public page again", chromedp.Navigate(second.url))
			tab.toLogin("known-number")
			phone := tab.scanAgain()
			phone.click(`button[value=approve]`)
			tab.waitText(`#greeting`, "Hello, Wang Wei!")
			if got := tab.text(`#user-id`); got != id {
				t.Errorf("the second login is user %s's, the first was %s's", got, id)
			}
			if len(first.codes)+len(second.codes) > 0 {
				t.Error("more than one code was sent")
			}
		})
	}
}

// bindNumber is a first login, with a wrong number and a wrong code before the
// right ones.
func bindNumber(tab *tab, p *process) {
	tab.t.Helper()
	tab.toLogin("new-number")
	phone := tab.scan("wang")
	phone.click(`a.primary`)
	phone.click(`a[href*="answer=allow"]`)
	phone.waitVisible(`#phone`)
	phone.screenshot("number")
	phone.submit(`#phone`, "010 8888 8888")
	phone.waitVisible(`#wrong`)
	phone.submit(`#phone`, "138 0013-8000")
	code := p.code(tab.t)
	phone.waitVisible(`#code`)
	phone.screenshot("code")
	phone.submit(`#code`, otherThan(code))
	phone.waitVisible(`#wrong`)
	phone.submit(`#code`, code)
	phone.click(`button[value=approve]`)
	tab.waitText(`#greeting`, "Hello, Wang Wei!")
}

// submit types a text into a field, and clicks its form's button.
func (tab *tab) submit(field, text string) {
	tab.t.Helper()
	tab.typeInto(field, text)
	tab.click(`form:has(` + field + `) button`)
}

// text returns an element's text.
func (tab *tab) text(selector string) string {
	tab.t.Helper()
	tab.waitVisible(selector)
	text, err := chromedp.Run(tab.ctx, chromedp.Evaluate[string](fmt.Sprintf(`document.querySelector(%q).innerText`, selector)))
	if err != nil {
		tab.t.Fatal(err)
	}
	return text
}

// otherThan is a code that is not this one.
func otherThan(code string) string {
	if code == "123456" {
		return "654321"
	}
	return "123456"
}

// TestRegistration opens the account page in WeChat, as somebody whom the program
// has never seen.
func TestRegistration(t *testing.T) {
	for _, tt := range []struct {
		mode, number string
		want         string
	}{
		{"open", "", "Hello, Wang Wei!"},
		{"phone", "139 0013 9000", "Hello, WeChat user!"}, // as the application knows them
		{"phone", "138 0013 8000", "你的账号"},
		{"closed", "", "你的账号"},
	} {
		t.Run(tt.mode+" "+tt.number, func(t *testing.T) {
			p := startProcess(t, "-db", "memory", "-registration", tt.mode)
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
				t.Errorf("%q is not on the page: %s", tt.want, page)
			}
		})
	}
}

var weChatLink = regexp.MustCompile(`href="([^"]+/connect/oauth2/authorize[^"]+)"`)

// allow opens an address that leads to a login, allows WeChat to tell a new
// person's name, and returns the page that follows.
func allow(ctx context.Context, phone *wechattest.Phone, address string) (*http.Response, string, error) {
	resp, err := phone.Open(ctx, address)
	if err != nil {
		return nil, "", err
	}
	page, err := readAll(resp)
	link := weChatLink.FindStringSubmatch(page)
	if err != nil || link == nil {
		return resp, page, err
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

// post fills in a form of a page of the gate's, and returns the page that follows.
func post(ctx context.Context, phone *wechattest.Phone, from *http.Response, page, action string, fields url.Values) (string, error) {
	token := formToken.FindStringSubmatch(page)
	if token == nil {
		return "", fmt.Errorf("there is no form at %s, with %s: %s", from.Request.URL, from.Status, page)
	}
	fields.Set("token", token[1])
	resp, err := phone.PostForm(ctx, from.Request.URL.String()+action, fields)
	if err != nil {
		return "", err
	}
	return readAll(resp)
}

// readAll is body where there is no test to fail.
func readAll(resp *http.Response) (string, error) {
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}
