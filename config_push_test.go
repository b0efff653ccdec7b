package scangate_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechat"
)

func TestNewChecksTheWaysOfChats(t *testing.T) {
	t.Parallel()
	push := scangate.Push{Token: pushToken, EncodingAESKey: pushKey, AccountQR: accountQR}
	change := func(f func(*scangate.Push)) scangate.Push { p := push; f(&p); return p }
	noSecret := wechat.Account{AppID: official.AppID}
	for _, c := range []struct {
		name    string
		account wechat.Account
		scan    scangate.ScanMode
		push    scangate.Push
		want    []string // parts of the error; none means no error
	}{
		{"follow", official, scangate.ScanFollow, push, nil},
		{"follow without the account's code", official, scangate.ScanFollow, change(func(p *scangate.Push) { p.AccountQR = "" }), nil},
		{"message", official, scangate.ScanMessage, push, nil},
		{"message without a Secret", noSecret, scangate.ScanMessage, push, nil},
		{"no Secret chooses message", noSecret, "", push, nil},
		{"web beside the application's messages", official, "", push, nil},
		{"a mistake in Scan", official, "qr", push, []string{`Config.Scan: "qr" is not`}},
		{"follow without a Secret", noSecret, scangate.ScanFollow, push, []string{"Config.OfficialAccount: Secret is empty"}},
		{"web without a Secret", noSecret, scangate.ScanWeb, push, []string{"Config.OfficialAccount: ", "Secret"}},
		{"no Secret and no Push", noSecret, "", scangate.Push{}, []string{"Config.OfficialAccount: ", "Secret"}},
		{"follow without Push", official, scangate.ScanFollow, scangate.Push{}, []string{"Config.Push: ScanFollow needs it"}},
		{"message without Push", official, scangate.ScanMessage, scangate.Push{}, []string{"Config.Push: ScanMessage needs it"}},
		{"message without the account's code", noSecret, "", change(func(p *scangate.Push) { p.AccountQR = "" }), []string{"Config.Push.AccountQR: ScanMessage needs it"}},
		{"Push without an account", wechat.Account{}, "", push, []string{"Config.OfficialAccount: Push needs it"}},
		{"a code that cannot be drawn", official, scangate.ScanMessage, change(func(p *scangate.Push) { p.AccountQR = strings.Repeat("a", 600) }), []string{"Config.Push.AccountQR: "}},
		{"all at once", noSecret, scangate.ScanFollow, scangate.Push{Token: "short", EncodingAESKey: "k", FormerEncodingAESKey: pushKey + "="}, []string{
			"Config.OfficialAccount: ", "Config.Push.Token: it has 5 characters", "Config.Push.EncodingAESKey: ", "Config.Push.FormerEncodingAESKey: ",
		}},
	} {
		config := scangate.Config{PublicURL: appURL, OfficialAccount: c.account, Website: website, Scan: c.scan, Push: c.push}
		gate, err := scangate.New(config)
		if err == nil {
			_ = gate.Close()
		}
		if len(c.want) == 0 && err != nil {
			t.Errorf("%s: error = %v, want none", c.name, err)
		}
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), pushKey) {
				t.Errorf("%s: error = %v, want it to contain %q and no secret", c.name, err, want)
			}
		}
	}
}

// Neither the account's digits nor the mini program's code is the obvious choice.
func TestNewAsksForScan(t *testing.T) {
	push := scangate.Push{Token: pushToken, EncodingAESKey: pushKey, AccountQR: accountQR}
	for scan, want := range map[scangate.ScanMode]string{"": "Config.Scan: choose ScanMessage", scangate.ScanMessage: "", scangate.ScanMiniProgram: ""} {
		gate, err := scangate.New(scangate.Config{
			PublicURL: appURL, OfficialAccount: wechat.Account{AppID: official.AppID}, MiniProgram: mini, Push: push, Scan: scan,
		})
		if err == nil {
			_ = gate.Close()
		}
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("Scan %q: error = %v, want %q in it, or none", scan, err, want)
		}
	}
}

func TestPushPrintsWithoutItsSecrets(t *testing.T) {
	push := scangate.Push{Token: pushToken, EncodingAESKey: pushKey, FormerEncodingAESKey: pushKey, AccountQR: accountQR}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		for name, text := range map[string]string{"Push": fmt.Sprintf(format, push), "Config": fmt.Sprintf(format, scangate.Config{Push: push})} {
			if strings.Contains(text, pushToken) || strings.Contains(text, pushKey) {
				t.Errorf("%s of %s: %s, want no secret", format, name, text)
			}
		}
	}
}
