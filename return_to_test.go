package scangate_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/scangate/scangate"
)

func TestCaseD04ReturnToOfThisOrigin(t *testing.T) {
	t.Parallel()
	for href, want := range map[string]string{
		appURL:                             "/",
		appURL + "/":                       "/",
		appURL + "?a=b":                    "/?a=b",
		appURL + "#top":                    "/#top",
		appURL + "/account?tab=2":          "/account?tab=2",
		appURL + "/account#/order/12":      "/account#/order/12",
		appURL + "/a//b":                   "/a//b",
		appURL + "/%E6%96%87?q=https://e/": "/%E6%96%87?q=https://e/",
		"/account":                         "/account",
		"/文":                               "/%E6%96%87",
		"/":                                "/",
		"/#":                               "/",
		"":                                 "/",
	} {
		w := newWorld(t)
		desktop, phone := w.desktop(), w.phone("lin")
		var s scan
		if a := desktop.postJSON("/wechat/login", jsonBody("return_to", href), &s); a.StatusCode != http.StatusCreated {
			t.Errorf("POST login to %q: %d %s, want 201", href, a.StatusCode, a.body)
			continue
		}
		phone.scan(s)
		phone.answer(s, "approve")
		if a := desktop.postJSON(s.FinishURL, "", nil); a.body != jsonBody("return_to", want) {
			t.Errorf("finish of a login to %q: %d %s, want %q", href, a.StatusCode, a.body, want)
		}
	}
}

func TestCaseD04LinkReturnsToThisOrigin(t *testing.T) {
	w := newWorld(t, withWebsite)
	desktop := w.desktop()
	desktop.open(w.websiteCallback(desktop, "wang"))
	var s scan
	if a := desktop.postJSON("/wechat/link", jsonBody("return_to", appURL+"/account?linked"), &s); a.StatusCode != http.StatusCreated {
		t.Fatalf("POST link: %d %s, want 201", a.StatusCode, a.body)
	}
	if want := "/wechat/link?return_to=%2Faccount%3Flinked&with=website"; s.by(scangate.WayWebsite) != want {
		t.Errorf("POST link: other_ways = %v, want %q", s.OtherWays, want)
	}
}

func TestCaseD04PagesReturnToAPathOnly(t *testing.T) {
	phone := newWorld(t).phone("lin")
	phone.open("/account")
	if a := phone.get("/wechat/login?return_to=" + url.QueryEscape(appURL+"/account")); a.Header.Get("Location") != "/" {
		t.Errorf("GET login with a whole URL: %d to %q, want 303 to /", a.StatusCode, a.Header.Get("Location"))
	}
}
