package scangate_test

import (
	"net/url"
	"strings"
	"testing"
)

// stateOf returns the OAuth state in a link to WeChat.
func stateOf(t *testing.T, link string) string {
	t.Helper()
	u, err := url.Parse(link)
	if err != nil || len(u.Query().Get("state")) < 26 {
		t.Fatalf("%q has no OAuth state: %v", link, err)
	}
	return u.Query().Get("state")
}

// TestScanOfSameDeviceLogin opens the scan URL of logins that have no QR code. The
// answer must be that of an unknown login.
func TestScanOfSameDeviceLogin(t *testing.T) {
	w := newWorld(t, withProfile)
	phone, attacker := w.phone("lin"), w.phone("wang")
	attacker.start() // the attacker's browser has a key
	unknown := "/wechat/scan/" + strings.Repeat("A", 26)
	id := stateOf(t, phone.get("/wechat/login?return_to=/account").Header.Get("Location"))[:26]
	same(t, "waiting, another browser", id, attacker.get("/wechat/scan/"+id), attacker.get(unknown))
	same(t, "waiting, its own browser", id, phone.get("/wechat/scan/"+id), phone.get(unknown))

	page := phone.open("/account")
	id = strings.TrimPrefix(page.Request.URL.Path, "/wechat/profile/")
	same(t, "identified, another browser", id, attacker.get("/wechat/scan/"+id), attacker.get(unknown))
	same(t, "identified, its own browser", id, phone.get("/wechat/scan/"+id), phone.get(unknown))
}
