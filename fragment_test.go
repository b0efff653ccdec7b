package scangate_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/scangate/scangate"
)

// visit opens target and follows redirects as a browser does: the address keeps its
// fragment if Location has none (RFC 9110, section 10.2.2). It returns the address at the
// end, with "#" if the fragment is empty.
func (b *browser) visit(target string) string {
	b.t.Helper()
	for range 20 {
		path, fragment, has := strings.Cut(target, "#")
		a := b.get(target)
		to := a.Header.Get("Location")
		if to == "" {
			return strings.TrimPrefix(target, appURL)
		}
		base, err := url.Parse(path)
		if err != nil {
			b.t.Fatal(err)
		}
		to, own, hasOwn := strings.Cut(to, "#")
		next, err := base.Parse(to)
		if err != nil {
			b.t.Fatal(err)
		}
		target = next.String()
		if hasOwn {
			fragment, has = own, true
		}
		if has {
			target += "#" + fragment
		}
	}
	b.t.Fatalf("visiting %s: too many redirects", target)
	return ""
}

// clean is an address without what WeChat adds. A "#" alone ends what the browser would
// keep.
func clean(address string) string { return strings.TrimSuffix(address, "#") }

func TestCaseA09CleanAddressInWeChat(t *testing.T) {
	w := newWorld(t)
	w.know("lin")
	for name, c := range map[string]struct{ person, target, want string }{
		"known person":      {"lin", "/account?b=2", "/account?b=2"},
		"new person":        {"wang", "/account?b=2", "/account?b=2"},
		"login":             {"lin", "/wechat/login?return_to=%2Faccount", "/account"},
		"fragment":          {"lin", "/wechat/login?return_to=%2Faccount%23%2Forder%2F12", "/account#/order/12"},
		"fragment of a tab": {"lin", "/account?b=2#wechat_redirect", "/account?b=2"},
	} {
		if got := clean(w.phone(c.person).visit(appURL + c.target)); got != c.want {
			t.Errorf("%s opens %s in WeChat: the address is %q, want %q", name, c.target, got, c.want)
		}
	}
}

func TestCaseA09CleanAddressOfTheWebsite(t *testing.T) {
	w := newWorld(t, withWebsite)
	desktop := w.desktop()
	if got := clean(desktop.visit(w.websiteCallback(desktop, "lin") + "#wechat_redirect")); got != "/account" {
		t.Errorf("a login by the website ends at %q, want /account", got)
	}
}

func TestCaseA09CleanAddressOfTheRegistrationPage(t *testing.T) {
	w := newWorld(t, func(c *scangate.Config) {
		c.Registration.Mode, c.Registration.URL = scangate.RegisterClosed, "/join?from=wechat"
	})
	if got := w.phone("lin").visit(appURL + "/account"); !strings.HasPrefix(got, "/join?from=wechat&login=") || strings.Contains(got, "wechat_redirect") {
		t.Errorf("a new person is sent to %q, want /join without WeChat's fragment", got)
	}
}

// The desktop's own fragment goes through every redirect to the page with the QR code.
func TestCaseA09DesktopKeepsItsFragment(t *testing.T) {
	w := newWorld(t)
	desktop, phone := w.desktop(), w.phone("lin")
	at := desktop.visit(appURL + "/account#/order/12")
	if want := "/wechat/login?return_to=%2Faccount#/order/12"; at != want {
		t.Fatalf("opening /account#/order/12: the address is %q, want %q", at, want)
	}
	s := scan{ID: desktop.get("/wechat/login?return_to=%2Faccount").find(t, statePattern)}.urls()
	phone.scan(s)
	phone.answer(s, "approve")
	if to := desktop.finish(s).Header.Get("Location"); to != "/account" {
		t.Errorf("finish: to %q, want /account without a fragment, so that the browser keeps its own", to)
	}
}
