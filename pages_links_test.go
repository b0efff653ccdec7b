package scangate_test

import (
	"fmt"
	"log"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/scangate/scangate"
)

// withTerms is an option of newWorld: two documents that a person has to agree to.
func withTerms(c *scangate.Config) {
	c.Pages.Terms = []scangate.Link{
		{Text: "Terms of Use", Texts: map[string]string{"zh": "《用户协议》"}, URL: "/terms", Version: "2025-06-01"},
		{Text: "Privacy Policy", Texts: map[string]string{"zh": "《隐私政策》"}, URL: "https://www.example.com/privacy?a=1&b=2", Version: "3"},
	}
}

// versions is what the box for the terms of withTerms stands for.
const versions = "2025-06-01 3"

// agreed returns what the events say about agreements, as "user: versions".
func (w *world) agreed() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []string
	for _, e := range w.events {
		if e.Name == scangate.EventAgreed || e.Terms != "" {
			all = append(all, e.UserID+": "+e.Terms)
		}
	}
	return all
}

// checkAgreed demands one event of an agreement, of that user.
func (w *world) checkAgreed(user string) {
	w.t.Helper()
	if got := strings.Join(w.agreed(), ", "); got != user+": "+versions || user == "" {
		w.t.Errorf("agreements in events = %q, want %q", got, user+": "+versions)
	}
}

const termsBox = `<label class="agree"><input type="checkbox" name="agree" value="2025-06-01 3" required>`

func TestConfirmPageAsksForAgreement(t *testing.T) {
	w := newWorld(t, withTerms)
	desktop, phone := w.desktop(), w.phone("lin")
	login := desktop.start()
	page := phone.scan(login)
	for _, want := range []string{
		termsBox, `I have read and agree to <a href="/terms" target="_blank" rel="noopener">Terms of Use</a>, <a href="https://www.example.com/privacy?a=1&amp;b=2"`,
	} {
		if !strings.Contains(page.body, want) {
			t.Errorf("the confirm page: want %q in\n%s", want, page.body)
		}
	}
	if page = phone.get(login.confirmURL(), "Accept-Language", "zh"); !strings.Contains(page.body, `我已阅读并同意<a href="/terms" target="_blank" rel="noopener">《用户协议》</a>、<a`) {
		t.Errorf("the confirm page in Chinese does not name the documents in Chinese:\n%s", page.body)
	}
	phone.answer(login, "approve", "agree", versions)
	desktop.finish(login)
	w.checkAgreed(desktop.user())
	if got := strings.Join(w.happened(), " "); got != "started scanned identified registered agreed approved finished" {
		t.Errorf("events = %s, want agreed between registered and approved", got)
	}
}

// Without the box an approval changes nothing. It does not show either whether the number was
// right.
func TestApprovalWithoutAgreementIsRefused(t *testing.T) {
	w := newWorld(t, withTerms, withNumber)
	desktop, phone := w.desktop(), w.phone("lin")
	login := desktop.start()
	phone.scan(login)
	for _, number := range []string{"0", fmt.Sprint(login.MatchNumber)} {
		for _, agree := range []string{"", "on", "2025-06-01", "3 2025-06-01", versions + " "} {
			a := phone.answer(login, "approve", "number", number, "agree", agree)
			if a.StatusCode != http.StatusBadRequest || !strings.Contains(a.body, "Please tick the box to continue.") || !strings.Contains(a.body, `name="agree"`) {
				t.Errorf("approve with the box %q: status = %d, want 400 and the page with a message\n%s", agree, a.StatusCode, a.body)
			}
		}
	}
	if got := desktop.state(login); got != "scanned" {
		t.Errorf("after approvals without the box: state = %s, want scanned", got)
	}
	page := phone.get(login.confirmURL())
	form := url.Values{"token": {page.find(t, tokenPattern)}, "answer": {"approve"}}
	if a := phone.post(login.confirmURL(), form, "Accept", "application/json"); a.StatusCode != http.StatusBadRequest || !strings.Contains(a.body, `"code":"terms_required"`) {
		t.Errorf("approve by a script without the box: status = %d, body = %s, want 400 terms_required", a.StatusCode, a.body)
	}
	if got := w.users.total(); got != 1 || len(w.agreed()) > 0 {
		t.Errorf("calls of the user store = %d, agreements = %q, want one look-up and none", got, w.agreed())
	}
	form.Set("number", fmt.Sprint(login.MatchNumber))
	form.Set("agree", versions)
	for range 2 { // browsers repeat a POST after a connection was reset
		if a := phone.post(login.confirmURL(), form); a.StatusCode != http.StatusSeeOther {
			t.Errorf("approve with the box: status = %d, want 303\n%s", a.StatusCode, a.body)
		}
	}
	desktop.finish(login)
	w.checkAgreed(desktop.user())
}

func TestDenialNeedsNoAgreement(t *testing.T) {
	w := newWorld(t, withTerms)
	desktop, phone := w.desktop(), w.phone("lin")
	login := desktop.start()
	phone.scan(login)
	phone.answer(login, "deny")
	if got := desktop.state(login); got != "denied" || len(w.agreed()) > 0 {
		t.Errorf("after a denial without the box: state = %s, agreements = %q, want denied and none", got, w.agreed())
	}
}

// In a login on the same device a new person meets no confirm page.
func TestNewPersonOnTheSameDeviceAgreesFirst(t *testing.T) {
	w := newWorld(t, withTerms)
	phone := w.phone("lin")
	page := phone.open("/account?a=b")
	target := page.Request.URL.Path
	if !strings.HasPrefix(target, "/wechat/terms/") || !strings.Contains(page.body, termsBox) || w.users.calls["Register"] > 0 {
		t.Fatalf("the first login: at %s, registered %d users, want the page with the box and none\n%s", target, w.users.calls["Register"], page.body)
	}
	token := page.find(t, tokenPattern)
	for _, agree := range []string{"", "on", "3"} {
		a := phone.post(target, url.Values{"token": {token}, "agree": {agree}})
		if a.StatusCode != http.StatusBadRequest || !strings.Contains(a.body, `aria-invalid="true"`) || phone.user() != "" {
			t.Errorf("terms with the box %q: status = %d, user = %q, want 400, the page again and none\n%s", agree, a.StatusCode, phone.user(), a.body)
		}
	}
	if a := phone.post(target, url.Values{"agree": {versions}}); a.StatusCode != http.StatusForbidden {
		t.Errorf("terms without a token: status = %d, want 403", a.StatusCode)
	}
	if a := phone.post(target, url.Values{"token": {token}, "agree": {versions}}); a.location() != "/account?a=b" {
		t.Errorf("terms with the box: status = %d, location = %q, want /account?a=b\n%s", a.StatusCode, a.location(), a.body)
	}
	w.checkAgreed(phone.user())
	again := w.phone("lin")
	if a := again.open("/account"); a.Request.URL.Path != "/account" || again.user() == "" {
		t.Errorf("the next login: at %s, want no further question", a.Request.URL)
	}
	w.checkAgreed(phone.user())
}

// A phone number is asked for, and a user made of it, only after the agreement. The confirm
// page does not ask again.
func TestAgreementComesBeforeThePhoneNumber(t *testing.T) {
	codes := &texts{}
	w := newWorld(t, withTerms, codes.withPhone)
	desktop, phone := w.desktop(), w.phone("lin")
	login := desktop.start()
	page := phone.scan(login)
	if page.Request.URL.Path != "/wechat/terms/"+login.ID {
		t.Fatalf("scan by a new person: at %s, want the terms", page.Request.URL)
	}
	if a := phone.get("/wechat/phone/" + login.ID); a.location() != "/wechat/terms/"+login.ID {
		t.Errorf("the phone page before the agreement: status = %d, location = %q, want the terms", a.StatusCode, a.location())
	}
	phone.post(page.Request.URL.Path, url.Values{"token": {page.find(t, tokenPattern)}, "agree": {versions}})
	phone.prove(codes, phone.get("/wechat/phone/"+login.ID), mobile)
	if a := phone.get(login.confirmURL()); a.StatusCode != http.StatusOK || strings.Contains(a.body, `name="agree"`) {
		t.Errorf("the confirm page after the agreement: status = %d, want 200 without a box\n%s", a.StatusCode, a.body)
	}
	phone.answer(login, "approve")
	desktop.finish(login)
	w.checkAgreed(desktop.user())
}

func TestLinksAndFooter(t *testing.T) {
	w := newWorld(t, func(c *scangate.Config) {
		c.Pages.Links = []scangate.Link{{Text: "Password", URL: "/password?return_to=%2Faccount"}, {Text: "Help", Texts: map[string]string{"zh": "帮助"}, URL: "https://help.example.com/"}}
		c.Pages.Footer = []scangate.Link{{Text: "沪ICP备00000000号", URL: "https://beian.miit.gov.cn/"}, {Text: "© Example"}}
	})
	page := w.desktop().get("/wechat/login")
	for _, want := range []string{
		`<a href="/password?return_to=%2Faccount">Password</a>`, `<a href="https://help.example.com/">Help</a>`,
		`<a href="https://beian.miit.gov.cn/" target="_blank" rel="noopener">沪ICP备00000000号</a>`, `<span>© Example</span>`,
	} {
		if !strings.Contains(page.body, want) {
			t.Errorf("the login page: want %q in\n%s", want, page.body)
		}
	}
	if a := w.desktop().get("/wechat/login", "Accept-Language", "zh"); !strings.Contains(a.body, ">帮助</a>") {
		t.Errorf("the login page in Chinese: want the link 帮助 in\n%s", a.body)
	}
	if a := w.desktop().get("/wechat/scan/x"); !strings.Contains(a.body, "沪ICP备") || strings.Contains(a.body, ">Help<") {
		t.Errorf("an error page: want the footer and not the links in\n%s", a.body)
	}
}

func TestNewRefusesLinks(t *testing.T) {
	t.Parallel()
	good := scangate.Link{Text: "Help", URL: "/help"}
	many := make([]scangate.Link, 11)
	for i := range many {
		many[i] = good
	}
	for _, c := range []struct {
		name   string
		change func(*scangate.Pages)
		want   string
	}{
		{"no text", func(p *scangate.Pages) { p.Links = []scangate.Link{good, {URL: "/help"}} }, "Links[1]: Text is empty"},
		{"a line break", func(p *scangate.Pages) { p.Links = []scangate.Link{{Text: "a\nb", URL: "/"}} }, "Links[0]: Text"},
		{"a long text", func(p *scangate.Pages) { p.Footer = []scangate.Link{{Text: strings.Repeat("好", 101)}} }, "Footer[0]: Text"},
		{"a text in no language", func(p *scangate.Pages) {
			p.Links = []scangate.Link{{Text: "x", URL: "/", Texts: map[string]string{"ja": "y"}}}
		}, "Links[0]: Texts"},
		{"an empty translation", func(p *scangate.Pages) {
			p.Links = []scangate.Link{{Text: "x", URL: "/", Texts: map[string]string{"zh": ""}}}
		}, `Links[0]: Texts["zh"] is empty`},
		{"no URL", func(p *scangate.Pages) { p.Links = []scangate.Link{{Text: "x"}} }, "Links[0]: URL is empty"},
		{"a version of a link", func(p *scangate.Pages) { p.Links = []scangate.Link{{Text: "x", URL: "/", Version: "1"}} }, "Links[0]: only Pages.Terms"},
		{"terms without a version", func(p *scangate.Pages) { p.Terms = []scangate.Link{good} }, "Terms[0]: Version"},
		{"a version with a blank", func(p *scangate.Pages) { p.Terms = []scangate.Link{{Text: "x", URL: "/", Version: "1 2"}} }, "Terms[0]: Version"},
		{"terms without a URL", func(p *scangate.Pages) { p.Terms = []scangate.Link{{Text: "x", Version: "1"}} }, "Terms[0]: URL is empty"},
		{"eleven links", func(p *scangate.Pages) { p.Links = many }, "Links: 11 links"},
		{"six terms", func(p *scangate.Pages) { p.Terms = many[:6] }, "Terms: 6 links"},
	} {
		config := scangate.Config{PublicURL: appURL, OfficialAccount: official}
		c.change(&config.Pages)
		if _, err := scangate.New(config); err == nil || !strings.Contains(err.Error(), "Config.Pages."+c.want) {
			t.Errorf("New with %s: error = %v, want one with Config.Pages.%s", c.name, err, c.want)
		}
	}
	for _, link := range []string{
		"http://example.com/", "javascript:alert(1)", "//evil.example", `/\evil.example`, `https:\\evil.example`, "https://", "https:///x", "https://user:pass@example.com/",
		"https://example.com/a b", "https://example.com/\n", "help", "mailto:a@example.com", "weixin://", "https://例子.com/", "https://a..b/", "/..//x", "data:text/html,x",
		"https://example.com/" + strings.Repeat("a", 2100), `https://example.com/"><script>`, "https://example.com/<b>",
	} {
		config := scangate.Config{PublicURL: appURL, OfficialAccount: official, Pages: scangate.Pages{Footer: []scangate.Link{{Text: "x", URL: link}}}}
		if _, err := scangate.New(config); err == nil || !strings.Contains(err.Error(), "Config.Pages.Footer[0]: URL") {
			t.Errorf("New with the URL %.60q: error = %v, want one about Config.Pages.Footer[0]", link, err)
		}
	}
}

// A new user agrees to the documents in Terms. Links are below the QR code, and Footer is at
// the foot of every page.
func ExamplePages_links() {
	pages := scangate.Pages{
		Terms: []scangate.Link{
			{Text: "《用户协议》", Texts: map[string]string{"en": "Terms of Use"}, URL: "/terms", Version: "2025-06-01"},
			{Text: "《隐私政策》", Texts: map[string]string{"en": "Privacy Policy"}, URL: "/privacy", Version: "2025-06-01"},
		},
		Links:  []scangate.Link{{Text: "密码登录", Texts: map[string]string{"en": "Log in with a password"}, URL: "/login"}},
		Footer: []scangate.Link{{Text: "沪ICP备00000000号-1", URL: "https://beian.miit.gov.cn/"}},
	}
	gate, err := scangate.New(scangate.Config{PublicURL: "https://app.example.com", OfficialAccount: account, Pages: pages})
	if err != nil {
		log.Fatal(err)
	}
	_ = gate.Close()
	// Output:
}
