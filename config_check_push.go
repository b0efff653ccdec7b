package scangate

import (
	"strings"

	"github.com/scangate/scangate/internal/pages"
	"github.com/scangate/scangate/wechat"
)

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

// scanMode returns Scan, or its default if Scan is empty.
func (c *Config) scanMode() ScanMode {
	switch {
	case c.Scan != "":
		return c.Scan
	case c.withoutSecret() && !c.Push.isZero():
		return ScanMessage // the only way without a Secret
	case c.OfficialAccount.AppID == "" && c.MiniProgram.AppID != "":
		return ScanMiniProgram // the only way
	}
	return ScanWeb
}

// shownWay returns the way of the login page, unless a request asks for another.
func (c *Config) shownWay() Way {
	mode := c.scanMode()
	switch {
	case mode.mini():
		return WayMini
	case c.OfficialAccount == (wechat.Account{}) && c.Website != (wechat.Account{}):
		return WayWebsite // the only way
	}
	return Way(mode)
}

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
		// Only if its code is the one shown: a mini program that only logs itself in has no
		// page for the code.
		{WayMini, c.scanMode().mini()},
		{WayWebsite, c.Website != wechat.Account{}},
	} {
		if row.configured {
			ways = append(ways, row.way)
		}
	}
	return ways
}

// checkScan checks Scan, and the account and the Push that it needs.
func (c *Config) checkScan(faults *configErrors) {
	switch c.Scan {
	case "", ScanWeb, ScanFollow, ScanMessage, ScanMiniProgram, ScanMiniProgramCode:
	default:
		faults.add("Scan", "%q is not ScanWeb, ScanFollow, ScanMessage, ScanMiniProgram or ScanMiniProgramCode", c.Scan)
		return
	}
	mode, none := c.scanMode(), c.OfficialAccount == wechat.Account{}
	switch {
	case c.Scan == "" && c.withoutSecret() && !c.Push.isZero() && c.MiniProgram != wechat.Account{}:
		faults.add("Scan", "choose ScanMessage, ScanMiniProgram or ScanMiniProgramCode: the account and the mini program are both configured")
	case mode.mini():
		if c.MiniProgram == (wechat.Account{}) {
			faults.add("MiniProgram", "Scan needs it")
		}
	case none && c.Scan != "":
		faults.add("OfficialAccount", "Scan needs it")
	case mode == ScanFollow && c.OfficialAccount.Secret == "":
		faults.add("OfficialAccount", "Secret is empty: ScanFollow needs it to create QR codes")
	}
	if none && !c.Push.isZero() {
		faults.add("OfficialAccount", "Push needs it: it configures the account's messages")
	}
	switch {
	case mode.chat() && c.Push.isZero():
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
	if _, err := new(pages.QRCodes).Encode(p.AccountQR); err != nil || len(p.AccountQR) > maxAccountQR || strings.ContainsFunc(p.AccountQR, isControl) {
		faults.add("Push.AccountQR", "it is not a text of at most %d bytes that a QR code can contain", maxAccountQR)
	}
}

// checkOfficialAccount checks the official account. An account without web authorization
// has no Secret here.
func (c *Config) checkOfficialAccount(faults *configErrors) {
	account := c.OfficialAccount
	// With a mini program, an account without a Secret is one whose messages come here.
	chat := !c.scanMode().mini() || !c.Push.isZero()
	if c.withoutSecret() && c.scanMode() != ScanWeb && chat {
		account.Secret = strings.Repeat("0", 32) // checks the AppID only
	}
	faults.addError("OfficialAccount", account.Validate())
}
