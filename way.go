package scangate

import (
	"net/http"

	"github.com/scangate/scangate/internal/login"
	"github.com/scangate/scangate/wechat"
)

// Way is how a person proves who they are in a login.
type Way string

const (
	// WayWeb is WeChat's web authorization for the official account: in WeChat's own
	// browser, or after a scan of the gate's code ([ScanWeb]).
	WayWeb Way = "web"
	// WayWebsite is WeChat's own QR page, for [Config.Website].
	WayWebsite Way = "website"
	// WayFollow is a scan of a code of the official account ([ScanFollow]). A login of this
	// way may show digits to send, if WeChat creates no code.
	WayFollow Way = "follow"
	// WayMessage is a message with digits to the official account ([ScanMessage]).
	WayMessage Way = "message"
	// WayMini is a mini program.
	WayMini Way = "mini"
)

// wayOf returns the way of a login. It is empty for a login that proves no identity,
// because it only changes a phone number.
func wayOf(l *login.Login) Way { return Way(l.Way()) }

// ways returns the ways that are configured, in the order of the links to them.
func (c *Config) ways() []Way {
	secret, push := c.OfficialAccount.Secret != "", !c.Push.isZero()
	var ways []Way
	for _, row := range []struct {
		way        Way
		configured bool
	}{
		{WayWeb, secret},
		{WayFollow, secret && push},
		{WayMessage, c.Push.AccountQR != ""},
		{WayWebsite, c.Website != wechat.Account{}},
	} {
		if row.configured {
			ways = append(ways, row.way)
		}
	}
	return ways
}

// wayURL is another way to log in, and the page where a login of that way begins.
type wayURL struct {
	Way Way    `json:"way"`
	URL string `json:"url"`
}

// otherWays returns the ways that the browser of a login can take instead.
func (g *Gate) otherWays(r *http.Request, l *login.Login) []wayURL {
	var others []wayURL
	for _, way := range g.accounts.ways {
		if way == wayOf(l) || way == WayFollow && isHandheld(r) {
			continue // a phone cannot scan its own screen
		}
		others = append(others, wayURL{way, g.urls.by(l, way)})
	}
	return others
}
