package scangate

import "github.com/scangate/scangate/internal/login"

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
	// WayMini is a mini program. If a browser in WeChat opens its code instead, web
	// authorization takes its place, provided that the official account has a Secret.
	WayMini Way = "mini"
)

// wayOf returns the way of a login. It is empty for a login that proves no identity,
// because it only changes a phone number.
func wayOf(l *login.Login) Way { return Way(l.Way()) }

// wayURL is another way to log in, and the page where a login of that way begins.
type wayURL struct {
	Way Way    `json:"way"`
	URL string `json:"url"`
}
