package scangate_test

import (
	"strings"
	"testing"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechat"
)

// TestThreat70WebsiteAroundTheNumber: the attacker opens login?with=website and shows
// WeChat's own QR page to a victim, who sees no number and no page of the gate's. New
// refuses MatchNumber together with Website, and no field changes that.
func TestThreat70WebsiteAroundTheNumber(t *testing.T) {
	for name, account := range map[string]wechat.Account{"both accounts": official, "the website only": {}} {
		err := refusal(t, func(c *scangate.Config) {
			c.OfficialAccount, c.Website, c.MatchNumber = account, website, true
			c.InsecureHTTP = true
		})
		for _, field := range []string{"Config.MatchNumber", "Config.Website"} {
			if !strings.Contains(err.Error(), field) {
				t.Errorf("New with MatchNumber and %s: error = %q, want one that names %s", name, err, field)
			}
		}
	}
}

// TestCaseB02WebsiteWithMatchNumber: with MatchNumber, no request reaches WeChat's own
// QR page, because the gate has no website application.
func TestCaseB02WebsiteWithMatchNumber(t *testing.T) {
	w := newWorld(t, withNumber)
	attacker := w.desktop()
	for _, target := range []string{"/wechat/login?with=website", "/wechat/login?with=website&return_to=/account"} {
		if a := attacker.get(target); strings.Contains(a.Header.Get("Location"), "qrconnect") || strings.Contains(a.body, "qrconnect") {
			t.Errorf("GET %s: status = %d, location = %q, want no way to WeChat's QR page", target, a.StatusCode, a.Header.Get("Location"))
		}
	}
	accept(t, func(c *scangate.Config) { c.Website = website })
}
