package scangate

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/scangate/scangate/internal/pages"
	"github.com/scangate/scangate/wechat"
)

// ScanMode is what the QR code on the login page leads to.
type ScanMode string

const (
	// ScanWeb shows the gate's own code. The phone opens it in WeChat, and WeChat's web
	// authorization proves the identity. It requires the Secret of the official account.
	ScanWeb ScanMode = "web"
	// ScanFollow shows a code of the official account. The person scans it, follows the
	// account if they do not yet, and answers in the chat. It requires Push and the Secret
	// of a verified service account or a test account.
	ScanFollow ScanMode = "follow"
	// ScanMessage shows the account's plain code and eight digits, which the person sends
	// to the account. It requires Push with AccountQR, and works with any account that
	// receives messages.
	ScanMessage ScanMode = "message"
)

// Push configures the messages and events that WeChat sends to the server of the official
// account ("服务器配置"). The push URL is PublicURL, BasePath and "/push", and the mode is
// the encrypted one ("安全模式"). It prints and logs without its secrets.
type Push struct {
	// Token signs the pushes: 16 to 32 letters and digits, random.
	Token string

	// EncodingAESKey encrypts the messages: 43 letters and digits.
	EncodingAESKey string

	// FormerEncodingAESKey is the key before the last change. Empty means none.
	FormerEncodingAESKey string

	// AccountQR is the text that the account's own QR code contains, of at most 512 bytes.
	// The gate draws it beside digits to send. ScanMessage requires it. If it is empty,
	// ScanFollow shows digits without a code when WeChat creates no code.
	AccountQR string

	// Handle receives every verified message, once. Its reply is sent, unless the message
	// belongs to a login. It has 4 seconds; after that, or after an error or a panic, the
	// gate answers without a reply. Nil means that other messages get no reply. An
	// application that serves the account's push URL itself calls [Gate.HandlePush].
	Handle func(context.Context, wechat.Message) (wechat.Reply, error)
}

// String returns the struct's name.
func (p Push) String() string { return "scangate.Push" }

// GoString implements [fmt.GoStringer] without the secrets.
func (p Push) GoString() string { return fmt.Sprintf("scangate.Push{AccountQR:%q}", p.AccountQR) }

// LogValue implements [slog.LogValuer] without the secrets.
func (p Push) LogValue() slog.Value { return slog.GroupValue(slog.String("account_qr", p.AccountQR)) }

// isZero reports whether no field is set.
func (p Push) isZero() bool {
	return p.Token == "" && p.EncodingAESKey == "" && p.FormerEncodingAESKey == "" && p.AccountQR == "" && p.Handle == nil
}

// cipher returns the configuration of the cipher for the account's pushes.
func (c *Config) cipher() wechat.CipherConfig {
	return wechat.CipherConfig{
		AppID: c.OfficialAccount.AppID, Token: c.Push.Token,
		EncodingAESKey: c.Push.EncodingAESKey, FormerEncodingAESKey: c.Push.FormerEncodingAESKey,
	}
}

// withoutSecret reports whether the official account has no web authorization.
func (c *Config) withoutSecret() bool {
	return c.OfficialAccount.AppID != "" && c.OfficialAccount.Secret == ""
}

// scanMode returns the way that the login page shows.
func (c *Config) scanMode() ScanMode {
	switch {
	case c.Scan != "":
		return c.Scan
	case c.withoutSecret() && !c.Push.isZero():
		return ScanMessage // the only way without a Secret
	}
	return ScanWeb
}

// checkScan checks the way that the login page shows, and the account that it needs.
func (c *Config) checkScan(faults *configErrors) {
	switch c.Scan {
	case "", ScanWeb, ScanFollow, ScanMessage:
	default:
		faults.add("Scan", "%q is not ScanWeb, ScanFollow or ScanMessage", c.Scan)
		return
	}
	mode, none := c.scanMode(), c.OfficialAccount == wechat.Account{}
	switch {
	case none && c.Scan != "":
		faults.add("OfficialAccount", "Scan needs it")
	case none && !c.Push.isZero():
		faults.add("OfficialAccount", "Push needs it: it configures the account's messages")
	case mode == ScanFollow && c.OfficialAccount.Secret == "":
		faults.add("OfficialAccount", "Secret is empty: ScanFollow needs it to create QR codes")
	}
	switch {
	case (mode == ScanFollow || mode == ScanMessage) && c.Push.isZero():
		faults.add("Push", "%s needs it", map[ScanMode]string{ScanFollow: "ScanFollow", ScanMessage: "ScanMessage"}[mode])
	case mode == ScanMessage && c.Push.AccountQR == "":
		faults.add("Push.AccountQR", "ScanMessage needs it")
	}
	c.checkPush(faults)
}

// minToken is the length of a token that an attacker cannot guess.
const minToken = 16

// maxAccountQR bounds the text of the account's QR code, in bytes.
const maxAccountQR = 512

// checkPush checks the settings of the account's messages. It quotes no secret.
func (c *Config) checkPush(faults *configErrors) {
	p := c.Push
	if p.isZero() {
		return
	}
	valid := func(change func(*wechat.CipherConfig)) bool {
		// A configuration that is valid except for one field.
		config := wechat.CipherConfig{AppID: "wx0000000000000000", Token: "abc", EncodingAESKey: strings.Repeat("a", 43)}
		change(&config)
		return config.Validate() == nil
	}
	switch {
	case p.Token == "":
		faults.add("Push.Token", "it is empty")
	case strings.TrimSpace(p.Token) != p.Token:
		faults.add("Push.Token", "it begins or ends with a space")
	case !valid(func(config *wechat.CipherConfig) { config.Token = p.Token }) && len(p.Token) >= minToken:
		faults.add("Push.Token", "it is not %d to 32 letters and digits", minToken)
	case len(p.Token) < minToken:
		// A token that can be guessed lets an attacker sign pushes.
		faults.add("Push.Token", "it has %d characters, which is less than %d", len(p.Token), minToken)
	}
	if !valid(func(config *wechat.CipherConfig) { config.EncodingAESKey = p.EncodingAESKey }) {
		faults.add("Push.EncodingAESKey", "it is not 43 letters and digits")
	}
	if !valid(func(config *wechat.CipherConfig) { config.FormerEncodingAESKey = p.FormerEncodingAESKey }) {
		faults.add("Push.FormerEncodingAESKey", "it is not 43 letters and digits")
	}
	if p.AccountQR == "" {
		return
	}
	if _, err := pages.NewQRCode(p.AccountQR); err != nil || len(p.AccountQR) > maxAccountQR || strings.ContainsFunc(p.AccountQR, isControl) {
		faults.add("Push.AccountQR", "it is not a text of at most %d bytes that a QR code can contain", maxAccountQR)
	}
}

// checkOfficialAccount checks the official account. An account without web authorization
// has no Secret here.
func (c *Config) checkOfficialAccount(faults *configErrors) {
	account := c.OfficialAccount
	if c.withoutSecret() && c.scanMode() != ScanWeb {
		account.Secret = strings.Repeat("0", 32) // checks the AppID only
	}
	faults.addError("OfficialAccount", account.Validate())
}

// The times of one push. WeChat gives up after 5 seconds, and repeats it after 5, 10 and
// 15.
const (
	handleTime = 4 * time.Second  // for Push.Handle
	pushTime   = 4 * time.Second  // for the stores, before the connection is closed
	lateTime   = 3 * time.Second  // the same for the last deliveries
	lateAfter  = 10 * time.Second // from which on a delivery may be the last one
)
