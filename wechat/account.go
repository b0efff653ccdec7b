package wechat

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"strings"
)

// redacted replaces secrets, codes and tokens in texts.
const redacted = "[redacted]"

// Account holds the credentials of an official account, a website application or a mini program. It
// prints, logs and marshals without its secret.
type Account struct {
	// AppID identifies the account: "wx" and 16 characters of a-z and 0-9. It is public:
	// every link contains it.
	AppID string
	// Secret authenticates the account to WeChat's API: 32 hexadecimal digits.
	Secret string
}

// String returns the account's AppID.
func (a Account) String() string { return a.AppID }

// GoString implements [fmt.GoStringer] without the secret.
func (a Account) GoString() string {
	return fmt.Sprintf("wechat.Account{AppID:%q, Secret:%q}", a.AppID, redacted)
}

// LogValue implements [slog.LogValuer] without the secret.
func (a Account) LogValue() slog.Value {
	return slog.GroupValue(slog.String("app_id", a.AppID))
}

// MarshalText implements [encoding.TextMarshaler]. It returns the AppID only, so that a
// JSON log handler prints no secret for a value that contains an account.
func (a Account) MarshalText() ([]byte, error) { return []byte(a.AppID), nil }

// Validate returns an error if WeChat cannot have issued the account. The error names
// each field at fault and does not quote the secret. [NewClient] returns it as well.
func (a Account) Validate() error {
	if isSecret(a.AppID) && isAppID(a.Secret) {
		return errors.New("wechat: Account.AppID and Account.Secret are swapped")
	}
	return faults(a.checkAppID(), a.checkSecret())
}

// checkAppID returns an error if a.AppID is not an AppID.
func (a Account) checkAppID() error {
	const form = `is not "wx" and 16 characters of a-z and 0-9`
	switch {
	case isAppID(a.AppID):
		return nil
	case a.AppID == "":
		return errors.New("Account.AppID is empty")
	case isSecret(a.AppID):
		return errors.New("Account.AppID has the form of a Secret")
	case !strings.HasPrefix(a.AppID, "wx") || len(a.AppID) > 20:
		// Not quoted: it may contain a secret.
		return errors.New("Account.AppID " + form)
	}
	return fmt.Errorf("Account.AppID %q %s", a.AppID, form)
}

// checkSecret returns an error if a.Secret is not a Secret.
func (a Account) checkSecret() error {
	field := "Account.Secret"
	if isAppID(a.AppID) {
		field += " of " + a.AppID
	}
	switch {
	case isSecret(a.Secret):
		return nil
	case a.Secret == "":
		return errors.New(field + " is empty")
	case isAppID(a.Secret):
		return errors.New(field + " has the form of an AppID")
	}
	return errors.New(field + " is not 32 hexadecimal digits")
}

// isAppID reports whether s has the form of WeChat's AppIDs.
func isAppID(s string) bool {
	return len(s) == 18 && strings.HasPrefix(s, "wx") && consistsOf(s, "abcdefghijklmnopqrstuvwxyz0123456789")
}

// isSecret reports whether s has the form of WeChat's AppSecrets.
func isSecret(s string) bool { return len(s) == 32 && consistsOf(s, "0123456789abcdefABCDEF") }

// consistsOf reports whether all characters of s are in set.
func consistsOf(s, set string) bool { return strings.Trim(s, set) == "" }

// faults returns one error for those that are not nil, or nil if there are none.
func faults(errs ...error) error {
	var all error
	for _, err := range errs {
		switch {
		case err == nil:
		case all == nil:
			all = fmt.Errorf("wechat: %w", err)
		default:
			all = fmt.Errorf("%w; %w", all, err)
		}
	}
	return all
}

// Endpoint holds WeChat's addresses. The zero Endpoint is WeChat itself; tests and
// demonstrations use those of a simulator. An address may end in a path, to which the
// client appends WeChat's paths.
type Endpoint struct {
	// Open serves WeChat's pages. Empty means https://open.weixin.qq.com.
	Open string
	// API serves the server's calls. Empty means https://api.weixin.qq.com; WeChat
	// offers the same at api2, sh.api, sz.api and hk.api.weixin.qq.com. Calls contain
	// the account's secret, so plain http is allowed for a loopback host only.
	API string
	// MP serves the pictures of QR codes. Empty means https://mp.weixin.qq.com.
	MP string
}

// Validate returns an error that names each field at fault. [NewClient] returns it as
// well.
func (e Endpoint) Validate() error {
	_, err := e.withDefaults()
	return err
}

// withDefaults returns e with WeChat's own addresses in place of empty ones.
func (e Endpoint) withDefaults() (Endpoint, error) {
	open, errOpen := parseBase("Endpoint.Open", e.Open, "https://open.weixin.qq.com")
	api, errAPI := parseBase("Endpoint.API", e.API, "https://api.weixin.qq.com")
	mp, errMP := parseBase("Endpoint.MP", e.MP, "https://mp.weixin.qq.com")
	if errAPI == nil && api.Scheme == "http" && !isLoopback(api.Hostname()) {
		errAPI = fmt.Errorf("Endpoint.API %q would receive the secret unencrypted: use https", e.API)
	}
	if err := faults(errOpen, errAPI, errMP); err != nil {
		return Endpoint{}, err
	}
	// WeChat's paths begin with a slash.
	return Endpoint{
		Open: strings.TrimSuffix(open.String(), "/"),
		API:  strings.TrimSuffix(api.String(), "/"),
		MP:   strings.TrimSuffix(mp.String(), "/"),
	}, nil
}

// parseBase parses the address of a field, or fallback if the address is empty.
func parseBase(field, address, fallback string) (*url.URL, error) {
	if address == "" {
		address = fallback
	}
	u, err := url.Parse(address)
	switch invalid := err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https"; {
	case invalid && strings.Contains(address, "@"):
		// The error does not quote an address that may contain a password.
		return nil, fmt.Errorf("%s is not an http or https address", field)
	case invalid:
		return nil, fmt.Errorf("%s %q is not an http or https address", field, address)
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		// The same reason to quote the host only.
		return nil, fmt.Errorf("%s of host %q must not have a user, a query or a fragment", field, u.Host)
	}
	return u, nil
}

// isLoopback reports whether host is this machine: a loopback address, localhost or a
// name that ends in .localhost (RFC 6761, section 6.3).
func isLoopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.IsLoopback()
}
