package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/security"
	"github.com/chromedp/chromedp"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/example/recipes"
)

// frontPage logs in with recipes/front_end/login.js. GATE stands for the gate's origin.
const frontPage = `<!doctype html><title>front end</title><p id="state"></p><img id="picture" alt=""><button id="go" hidden>go</button><button id="out">log out</button>
<script type="module">
import { logIn, logOut } from "/login.js";
const find = (id) => document.getElementById(id);
find("out").onclick = async () => find("state").textContent = "logged out: " + (await logOut("GATE")).status;
const user = await logIn("GATE", ({ state, picture, account, go }) => {
  find("state").textContent = state || account.nickname || "new";
  if (picture) find("picture").src = picture;
  find("go").hidden = !account;
  find("go").onclick = go;
});
find("state").textContent = user ? "user " + user.id : "nobody";
</script>`

// openFront opens frontPage at an origin of its own, and waits for the QR code.
func openFront(t *testing.T, options ...func(*scangate.Config)) *visit {
	t.Helper()
	mux := http.NewServeMux()
	front := httptest.NewServer(mux)
	t.Cleanup(front.Close)
	v := newVisit(t, startChromium(t), "en", both(append(options, func(c *scangate.Config) { recipes.WithFrontEnds(c, front.URL) })...))
	mux.HandleFunc("/login.js", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, "recipes/front_end/login.js") })
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, strings.ReplaceAll(frontPage, "GATE", v.url))
	})
	v.open(front.URL + "/")
	v.waitFor("the QR code", `document.getElementById("picture").naturalWidth > 0`)
	id := regexp.MustCompile(`/login/(\w+)/qr.svg`).FindStringSubmatch(read[string](v, `document.getElementById("picture").src`))
	if id == nil {
		t.Fatal("the picture's address names no login")
	}
	v.scanURL = v.url + "/wechat/scan/" + id[1]
	return v
}

// TestFrontEnd logs in and out at a page of another port, in a real browser, which decides
// about CORS and cookies.
func TestFrontEnd(t *testing.T) {
	v := openFront(t)
	v.phoneAnswers("lin", "approve")
	v.click(`#go`)
	v.waitFor("the user", `document.getElementById("state").textContent.startsWith("user ")`)
	v.click(`#out`)
	v.waitText(`#state`, "logged out: 204")
}

// TestReturnToAnotherOrigin ends a login at a page of another origin: by script, and by a
// form, which the policy of the page must allow.
func TestReturnToAnotherOrigin(t *testing.T) {
	browser := startChromium(t)
	elsewhere := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `<!doctype html><title>shop</title><h1>Shop</h1>`)
	}))
	t.Cleanup(elsewhere.Close)
	for name, script := range map[string]bool{"by script": true, "by a form": false} {
		t.Run(name, func(t *testing.T) {
			v := newVisit(t, browser, "en", func(c *scangate.Config) {
				c.AllowReturnTo = func(u *url.URL) bool { return "https://"+u.Host == elsewhere.URL }
			})
			v.call("accepting the test's certificate", func(ctx context.Context) error {
				_, err := chromedp.Call(ctx, security.SetIgnoreCertificateErrors, security.SetIgnoreCertificateErrorsParams{Ignore: true})
				return err
			})
			login := "/wechat/login?return_to=" + url.QueryEscape(elsewhere.URL+"/cart?a=b")
			v.open(login)
			v.phoneAnswers("lin", "approve")
			if script {
				v.confirmAccount()
			} else {
				v.turnScriptsOff()
				v.open(login)
				v.click(`form.answers .primary`)
			}
			v.waitText(`h1`, "Shop")
			if got := read[string](v, `location.href`); got != elsewhere.URL+"/cart?a=b" {
				t.Errorf("after the login: at %q, want %q", got, elsewhere.URL+"/cart?a=b")
			}
		})
	}
}
