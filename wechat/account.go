package wechat

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"strings"
)

// redacted stands wherever a secret, a code or a token would.
const redacted = "[redacted]"

// Account is what WeChat issues to an official account or to a website
// application. It prints, logs and marshals without its secret.
type Account struct {
	// AppID names the account. It is public: it stands in every link.
	AppID string
	// Secret proves to WeChat's API that the caller owns the account.
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

// MarshalText implements [encoding.TextMarshaler], and by it what JSON encoders
// write for an account inside of a logged value: the AppID alone.
func (a Account) MarshalText() ([]byte, error) { return []byte(a.AppID), nil }

// validate names the field that can't be right, and never quotes the secret.
func (a Account) validate() error {
	switch {
	case a.AppID == "":
		return errors.New("wechat: Account.AppID is empty")
	case !visible(a.AppID, maxID):
		return fmt.Errorf("wechat: Account.AppID %q holds a space, or a character that no AppID has", a.AppID)
	case a.Secret == "":
		return fmt.Errorf("wechat: Account.Secret of %s is empty", a.AppID)
	case !visible(a.Secret, maxID):
		return fmt.Errorf("wechat: Account.Secret of %s holds a space, a line end or another character that no secret has", a.AppID)
	}
	return nil
}

// Endpoint is where WeChat is. The zero Endpoint is WeChat itself; tests and
// demonstrations point it at a simulator. Each address may end in a path, below
// which WeChat's own paths are then expected.
type Endpoint struct {
	// Open serves the pages that people see. Empty means
	// https://open.weixin.qq.com.
	Open string
	// API answers the server's calls. Empty means https://api.weixin.qq.com;
	// WeChat serves the same at api2, sh.api, sz.api and hk.api.weixin.qq.com.
	// The secret travels to it, so plain http needs a loopback host.
	API string
}

// withDefaults returns the endpoint with WeChat's own addresses in place of
// empty ones, or an error that names the address which can't be one.
func (e Endpoint) withDefaults() (Endpoint, error) {
	open, err := base("Endpoint.Open", e.Open, "https://open.weixin.qq.com")
	if err != nil {
		return Endpoint{}, err
	}
	api, err := base("Endpoint.API", e.API, "https://api.weixin.qq.com")
	if err != nil {
		return Endpoint{}, err
	}
	if api.Scheme == "http" && !loopback(api.Hostname()) {
		return Endpoint{}, fmt.Errorf("wechat: Endpoint.API %q would carry the secret unencrypted: use https", e.API)
	}
	return Endpoint{
		Open: strings.TrimSuffix(open.String(), "/"),
		API:  strings.TrimSuffix(api.String(), "/"),
	}, nil
}

// base parses the base address in the named field.
func base(field, address, otherwise string) (*url.URL, error) {
	if address == "" {
		address = otherwise
	}
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("wechat: %s %q is no http or https address", field, address)
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, fmt.Errorf("wechat: %s of host %q must end with its path", field, u.Host)
	}
	return u, nil
}

// loopback reports whether a host is this machine: a loopback address, or
// localhost and what is below it (RFC 6761, section 6.3).
func loopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.IsLoopback()
}
