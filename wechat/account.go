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

// Account holds the credentials of an official account or a website application. It
// prints, logs and marshals without its secret.
type Account struct {
	// AppID identifies the account. It is public: every link contains it.
	AppID string
	// Secret authenticates the account to WeChat's API.
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

// validate returns an error that names the invalid field. It does not quote the secret.
func (a Account) validate() error {
	switch {
	case a.AppID == "":
		return errors.New("wechat: Account.AppID is empty")
	case !printable(a.AppID, maxID):
		return fmt.Errorf("wechat: Account.AppID %q must be at most %d printable ASCII characters without spaces", a.AppID, maxID)
	case a.Secret == "":
		return fmt.Errorf("wechat: Account.Secret of %s is empty", a.AppID)
	case !printable(a.Secret, maxID):
		// Often a line end from a file.
		return fmt.Errorf("wechat: Account.Secret of %s must be at most %d printable ASCII characters without spaces and line ends", a.AppID, maxID)
	}
	return nil
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
}

// withDefaults returns e with WeChat's own addresses in place of empty ones. Its error
// names the invalid field.
func (e Endpoint) withDefaults() (Endpoint, error) {
	open, err := parseBase("Endpoint.Open", e.Open, "https://open.weixin.qq.com")
	if err != nil {
		return Endpoint{}, err
	}
	api, err := parseBase("Endpoint.API", e.API, "https://api.weixin.qq.com")
	if err != nil {
		return Endpoint{}, err
	}
	if api.Scheme == "http" && !isLoopback(api.Hostname()) {
		return Endpoint{}, fmt.Errorf("wechat: Endpoint.API %q would receive the secret unencrypted: use https", e.API)
	}
	// WeChat's paths begin with a slash.
	return Endpoint{
		Open: strings.TrimSuffix(open.String(), "/"),
		API:  strings.TrimSuffix(api.String(), "/"),
	}, nil
}

// parseBase parses the address of a field, or fallback if the address is empty.
func parseBase(field, address, fallback string) (*url.URL, error) {
	if address == "" {
		address = fallback
	}
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("wechat: %s %q is not an http or https address", field, address)
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		// The address may contain a password, so the error quotes the host only.
		return nil, fmt.Errorf("wechat: %s of host %q must not have a user, a query or a fragment", field, u.Host)
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
