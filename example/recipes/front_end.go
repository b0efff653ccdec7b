package recipes

import (
	"net/url"
	"slices"

	"github.com/scangate/scangate"
)

// WithFrontEnds allows front ends on other hosts or ports of the same site, such as
// "https://www.example.com" beside the PublicURL "https://app.example.com". Their scripts
// log a person in as front_end/login.js does. A login inside WeChat, which leaves the front
// end's page, may return there.
//
// In development no CORS is needed: Vite forwards the gate's paths, as
// front_end/vite.config.js configures it. PublicURL is then Vite's address,
// "http://localhost:5173".
func WithFrontEnds(config *scangate.Config, origins ...string) {
	config.TrustedOrigins = origins
	config.AllowReturnTo = func(u *url.URL) bool {
		return slices.Contains(origins, u.Scheme+"://"+u.Host) // the whole host
	}
}
