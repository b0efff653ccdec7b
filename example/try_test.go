package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// tryTab is the page /try in a browser.
type tryTab struct{ *tab }

// choose chooses the phone's owner.
func (d tryTab) choose(person string) {
	d.t.Helper()
	d.waitVisible(`#person`)
	d.eval(fmt.Sprintf(`String(document.querySelector("#person").value = %q)`, person))
}

// scan clicks the phone's button, after the desktop has something to scan.
func (d tryTab) scan() {
	d.t.Helper()
	d.waitFor("the desktop's code", `code() !== ""`)
	d.click(`#scan button`)
}

// onPhone waits until the phone's page has an element, and runs a script with it.
func (d tryTab) onPhone(selector, script string) {
	d.t.Helper()
	d.waitFor("the phone's "+selector, fmt.Sprintf(`(() => {
		const page = document.querySelector("#phone").contentDocument;
		const found = page && page.readyState === "complete" && page.querySelector(%q);
		if (!found) return false;
		(found => { %s })(found);
		return true;
	})()`, selector, script))
}

// tap clicks an element on the phone.
func (d tryTab) tap(selector string) {
	d.t.Helper()
	d.onPhone(selector, "found.click()")
}

// send sends a text in the phone's chat.
func (d tryTab) send(text string) {
	d.t.Helper()
	d.onPhone(`form.send input`, fmt.Sprintf("found.value = %q; found.form.requestSubmit()", text))
}

// number returns the number or the digits that the desktop shows.
func (d tryTab) number() string {
	d.t.Helper()
	return d.eval(`login.shadowRoot.querySelector(".number b").textContent`)
}

// confirm confirms the account on the desktop.
func (d tryTab) confirm() {
	d.t.Helper()
	d.waitFor("the account on the desktop", `login.shadowRoot.querySelector(".answers .primary") !== null`)
	d.screenshot("try-account")
	d.eval(`String(login.shadowRoot.querySelector(".answers .primary").click())`)
}

// TestIssue18Try logs a known and a new person in on /try, by each way, in a wide or a narrow
// window. A long run has both.
func TestIssue18Try(t *testing.T) {
	browser := startChromium(t)
	for i, tt := range []struct {
		way, person string
		play        func(d tryTab)
		want        string
	}{
		{"web", "lin", func(d tryTab) { d.tap(`button[value=approve]`); d.confirm() }, "林小北 is logged in"},
		{"web", "wang", func(d tryTab) {
			d.tap(`a.primary`) // the gate asks for the name, and WeChat for consent
			d.tap(`a[href*="answer=allow"]`)
			d.tap(`button[value=approve]`)
			d.confirm()
		}, "Wang Wei is logged in"},
		{"follow", "lin", func(d tryTab) { d.tap(`[name=follow]`); d.send(d.number()); d.confirm() }, "林小北 is logged in"},
		{"message", "lin", func(d tryTab) {
			d.tap(`[name=follow]`)
			d.send(d.number())
			d.onPhone(`.line:not(.own):last-child`, "")
			d.send("1")
			d.confirm()
		}, "林小北 is logged in"},
		{"mini", "lin", func(d tryTab) { d.tap(`button[value=approve]`); d.confirm() }, "林小北 is logged in"},
		{"website", "lin", func(d tryTab) { d.tap(`a[href*="answer=allow"]`) }, "林小北 is logged in"},
	} {
		for _, w := range turns(i, window{"desktop", 1280, 900}, window{"phone", 360, 740}) {
			t.Run(tt.way+" "+tt.person+" "+w.name, func(t *testing.T) {
				t.Parallel()
				d := tryTab{openTabAt(t, browser, w, startProgram(t))}
				d.allowErrors = true
				d.click(`#try`)
				d.click(`nav a[href="/try/` + tt.way + `"]`)
				d.waitFor("the page of "+tt.way, fmt.Sprintf(`document.readyState === "complete" && document.body.dataset.way === %q`, tt.way))
				d.choose(tt.person)
				d.scan()
				tt.play(d)
				d.waitFor("the user's name", fmt.Sprintf(`document.body.innerText.includes(%q) || Boolean(site) && Boolean(site.contentDocument) && site.contentDocument.body.innerText.includes(%[1]q)`, tt.want))
				d.screenshot("try-" + tt.way)
				if wide := d.eval(`String(document.documentElement.scrollWidth > document.documentElement.clientWidth)`); wide != "false" {
					t.Errorf("page of %s at %d px: it scrolls sideways, want it to fit", tt.way, w.width)
				}
			})
		}
	}
}

// TestTryPhoneIsForThePageOnly: no other site gives a person a phone, and a phone does not show
// a phone, because the program would call itself again and again.
func TestTryPhoneIsForThePageOnly(t *testing.T) {
	site := startProgram(t)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	send := func(method, path, from string) *http.Response {
		t.Helper()
		form := url.Values{"person": {"lin"}, "way": {"web"}, "code": {site + "/try/gate/web/scan/X"}}
		req, err := http.NewRequestWithContext(t.Context(), method, site+path, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", from)
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp
	}
	if got := send(http.MethodPost, "/try/phones", "cross-site").StatusCode; got != http.StatusForbidden {
		t.Errorf("a phone for another site: status = %d, want %d", got, http.StatusForbidden)
	}
	phone, _, ok := strings.Cut(send(http.MethodPost, "/try/phones", "same-origin").Header.Get("Location"), "/app/")
	if !ok {
		t.Fatalf("a phone for the page: it leads to %q, want a page of the application", phone)
	}
	for _, path := range []string{
		phone + "/app/try/phone/X/app/", phone + "/app/%74ry/phone/X/app/", phone + "/app/try/phones",
		phone + "/%61pp/try/web", strings.Replace(phone, "/try/", "/%74ry/", 1) + "/app/try/web",
	} {
		if got := send(http.MethodGet, path, "same-origin").StatusCode; got != http.StatusNotFound {
			t.Errorf("GET %s: status = %d, want %d", path, got, http.StatusNotFound)
		}
	}
}
