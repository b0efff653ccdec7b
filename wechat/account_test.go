package wechat_test

import (
	"strings"
	"testing"

	"github.com/scangate/scangate/wechat"
)

// TestCaseD06ImpossibleAccount validates accounts that WeChat cannot have issued. The
// error names every field at fault and quotes no Secret, also one in the wrong field.
func TestCaseD06ImpossibleAccount(t *testing.T) {
	for _, c := range []struct {
		name    string
		account wechat.Account
		want    string
	}{
		{"nothing", wechat.Account{}, "wechat: Account.AppID is empty; Account.Secret is empty"},
		{"swapped fields", wechat.Account{AppID: secret, Secret: appID}, "wechat: Account.AppID and Account.Secret are swapped"},
		{"a Secret twice", wechat.Account{AppID: secret, Secret: secret}, "wechat: Account.AppID has the form of a Secret"},
		{"an AppID twice", wechat.Account{AppID: appID, Secret: appID}, "wechat: Account.Secret of " + appID + " has the form of an AppID"},
		{
			"placeholders",
			wechat.Account{AppID: "wx...", Secret: "..."},
			`wechat: Account.AppID "wx..." is not "wx" and 16 characters of a-z and 0-9; Account.Secret is not 32 hexadecimal digits`,
		},
		{
			"a short AppID",
			wechat.Account{AppID: appID[:17], Secret: secret},
			`wechat: Account.AppID "` + appID[:17] + `" is not "wx" and 16 characters of a-z and 0-9`,
		},
		{
			"capital letters in the AppID",
			wechat.Account{AppID: strings.ToUpper(appID), Secret: secret},
			`wechat: Account.AppID is not "wx" and 16 characters of a-z and 0-9`,
		},
		{
			"a line end in the AppID",
			wechat.Account{AppID: appID + "\n", Secret: secret},
			`wechat: Account.AppID "` + appID + `\n" is not "wx" and 16 characters of a-z and 0-9`,
		},
		{
			"a shortened Secret in the AppID",
			wechat.Account{AppID: secret[:31], Secret: secret},
			`wechat: Account.AppID is not "wx" and 16 characters of a-z and 0-9`,
		},
		{
			"both in the AppID",
			wechat.Account{AppID: appID + ":" + secret, Secret: secret},
			`wechat: Account.AppID is not "wx" and 16 characters of a-z and 0-9`,
		},
		{"a short Secret", wechat.Account{AppID: appID, Secret: secret[:31]}, "wechat: Account.Secret of " + appID + " is not 32 hexadecimal digits"},
		{"a letter in the Secret", wechat.Account{AppID: appID, Secret: secret[:31] + "g"}, "wechat: Account.Secret of " + appID + " is not 32 hexadecimal digits"},
		{"a line end in the Secret", wechat.Account{AppID: appID, Secret: secret + "\n"}, "wechat: Account.Secret of " + appID + " is not 32 hexadecimal digits"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.account.Validate()
			if err == nil || err.Error() != c.want {
				t.Fatalf("Validate: error = %v, want %q", err, c.want)
			}
			if strings.Contains(err.Error(), secret[:31]) {
				t.Errorf("Validate: error = %q, want one without the Secret", err)
			}
			if _, err := wechat.NewClient(c.account, wechat.Endpoint{}, nil); err == nil || err.Error() != c.want {
				t.Errorf("NewClient: error = %v, want %q", err, c.want)
			}
		})
	}
}

// TestCaseD06PossibleAccount validates accounts that WeChat could have issued.
func TestCaseD06PossibleAccount(t *testing.T) {
	for _, a := range []wechat.Account{
		{AppID: "wx0123456789abcdef", Secret: strings.Repeat("0", 32)},
		{AppID: "wxghijklmnopqrstuv", Secret: "0123456789abcdef0123456789ABCDEF"},
	} {
		if err := a.Validate(); err != nil {
			t.Errorf("Validate of %s: error = %v, want none", a.AppID, err)
		}
	}
}

// TestCaseD06Endpoint validates an Endpoint with two faults. The error names both fields
// and stands on one line.
func TestCaseD06Endpoint(t *testing.T) {
	e := wechat.Endpoint{Open: "ftp://open.example\n", API: "http://api.example"}
	want := `wechat: Endpoint.Open "ftp://open.example\n" is not an http or https address; Endpoint.API "http://api.example" would receive the secret unencrypted: use https`
	if err := e.Validate(); err == nil || err.Error() != want {
		t.Errorf("Validate: error = %v, want %q", err, want)
	}
	for _, address := range []string{"https://me:" + secret + "@open exa.mple", "ftp://me:" + secret + "@open.example"} {
		if err := (wechat.Endpoint{Open: address}).Validate(); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("Validate of an invalid URL with a password: error = %v, want one without the password", err)
		}
	}
	if err := (wechat.Endpoint{}).Validate(); err != nil {
		t.Errorf("Validate of the zero Endpoint: error = %v, want none", err)
	}
}
