package scangate

import (
	"net/http"

	"github.com/scangate/scangate/wechat"
)

// WeChat configures how the gate and WeChat reach each other; see [Config.WeChat].
type WeChat struct {
	// Endpoint is the address of WeChat's servers; zero means WeChat's own hosts.
	Endpoint wechat.Endpoint

	// HTTPClient makes the calls to WeChat. Its Timeout bounds one call with its
	// retries; zero means 5 seconds. Redirects are never followed. Nil means a client of
	// the gate's own.
	HTTPClient *http.Client

	// CallbackURL is where WeChat redirects to after its authorization, if that is not
	// PublicURL, BasePath and "/callback": a complete URL without a user, a query or a
	// fragment, such as "https://login.example.com/relay/shop". Its host is the one that is
	// registered at WeChat, and a [Relay] there leads back to this gate. It is https, with the
	// same exceptions as PublicURL. Empty means the gate's own callback.
	CallbackURL string
}

// Registration configures how a person becomes a user; see [Config.Registration].
type Registration struct {
	// Mode decides how a person without a user becomes one; empty means RegisterOpen.
	Mode RegistrationMode

	// URL is the application's own registration page, for RegisterClosed: a path on this
	// server, or a URL that begins with PublicURL, but not below BasePath. The gate adds the
	// parameter "login", and [Gate.Pending] returns the person. If it is empty, a person
	// who is not registered is refused.
	URL string

	// FetchProfile asks a new person for their nickname and picture, on a page that also
	// offers "not now". If it is false, the gate learns only an identity, and WeChat
	// shows no consent page, unless more than one account is set.
	FetchProfile bool
}

// RegistrationMode is a rule by which a person becomes a user.
type RegistrationMode string

const (
	// RegisterOpen makes a user of everyone for whom WeChat vouches. It is the
	// default.
	RegisterOpen RegistrationMode = "open"
	// RegisterByPhone admits a person only if their phone number belongs to a user
	// already. They prove it by a one-time code, and their WeChat is linked to that user.
	RegisterByPhone RegistrationMode = "phone"
	// RegisterClosed admits no new users; see [Registration.URL].
	RegisterClosed RegistrationMode = "closed"
)
