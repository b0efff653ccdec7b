package scangate_test

import (
	"context"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/scangate/scangate"
)

// sendNothing is a Config.Phone.SendCode that accepts every code.
func sendNothing(context.Context, string, string) error { return nil }

// registerURL returns an option that closes registration and sends new identities to the
// target.
func registerURL(target string) func(*scangate.Config) {
	return func(c *scangate.Config) { c.Registration.Mode, c.Registration.URL = scangate.RegisterClosed, target }
}

// callbackURL returns a change of Config.WeChat.CallbackURL.
func callbackURL(to string) func(*scangate.Config) {
	return func(c *scangate.Config) { c.WeChat.CallbackURL = to }
}

func TestNewRefusesField(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*scangate.Config)
		field  string
		also   string // a second field that the error has to name
	}{
		{"RedisPrefix with a brace", func(c *scangate.Config) { c.RedisPrefix = "a}b" }, "RedisPrefix", ""},
		{"negative UserTTL", func(c *scangate.Config) { c.UserTTL = -time.Second }, "UserTTL", ""},
		{"negative Phone.CodeLimit", func(c *scangate.Config) { c.Phone.CodeLimit, c.Phone.SendCode = -1, sendNothing }, "Phone.CodeLimit", ""},
		{"unknown Registration.Mode", func(c *scangate.Config) { c.Registration.Mode = "invited" }, "Registration.Mode", ""},
		{"RegisterURL with open registration", func(c *scangate.Config) { c.Registration.URL = "/join" }, "Registration.URL", "RegisterClosed"},
		{"RegisterURL on another site", registerURL("https://other.example.com/join"), "Registration.URL", ""},
		{"RegisterURL on a longer host name", registerURL(appURL + ".example.net/join"), "Registration.URL", ""},
		{"RegisterURL without a scheme", registerURL("//other.example.com/join"), "Registration.URL", ""},
		{"RegisterURL that is a relative path", registerURL("join"), "Registration.URL", ""},
		{"RegisterURL with a fragment", registerURL("/join#form"), "Registration.URL", ""},
		{"Phone.Require without SendCode", func(c *scangate.Config) { c.Phone.Require = true }, "Phone.SendCode", "Phone.Require"},
		{"ScanMiniProgram without a mini program", func(c *scangate.Config) { c.Scan = scangate.ScanMiniProgram }, "MiniProgram", "Scan"},
		{"ScanMiniProgramCode without a mini program", func(c *scangate.Config) { c.Scan = scangate.ScanMiniProgramCode }, "MiniProgram", "Scan"},
		{"MiniProgram without a Secret", func(c *scangate.Config) { c.MiniProgram = mini; c.MiniProgram.Secret = "" }, "MiniProgram", "Secret"},
		{"MiniProgram with an impossible AppID", func(c *scangate.Config) { c.MiniProgram = mini; c.MiniProgram.AppID = "..." }, "MiniProgram", "AppID"},
		{"MiniProgram that is the official account", func(c *scangate.Config) { c.MiniProgram = official }, "MiniProgram", "official"},
		{"MiniProgram that is the website application", func(c *scangate.Config) { c.Website, c.MiniProgram = website, website }, "MiniProgram", "website"},
		{"official account without a Secret beside a mini program", func(c *scangate.Config) {
			c.MiniProgram, c.Scan, c.OfficialAccount.Secret = mini, scangate.ScanMiniProgram, ""
		}, "OfficialAccount", "Secret"},
		{"Push without an official account", func(c *scangate.Config) {
			miniOnly(c)
			c.Push = scangate.Push{Token: pushToken, EncodingAESKey: pushKey}
		}, "OfficialAccount", "Push"},
		{"CallbackURL of plain http", callbackURL("http://login.example.com/relay/app"), "WeChat.CallbackURL", "https"},
		{"CallbackURL without a scheme", callbackURL("login.example.com/relay/app"), "WeChat.CallbackURL", ""},
		{"CallbackURL without a path", callbackURL("https://login.example.com"), "WeChat.CallbackURL", "path"},
		{"CallbackURL with a user", callbackURL("https://me:secret@login.example.com/relay/app"), "WeChat.CallbackURL", "user"},
		{"CallbackURL with a query", callbackURL("https://login.example.com/relay?site=app"), "WeChat.CallbackURL", "query"},
		{"CallbackURL with a fragment", callbackURL("https://login.example.com/relay/app#x"), "WeChat.CallbackURL", "fragment"},
		{"CallbackURL with dots", callbackURL("https://login.example.com/relay/../app"), "WeChat.CallbackURL", "path"},
		{"CallbackURL with a default port", callbackURL("https://login.example.com:443/relay/app"), "WeChat.CallbackURL", "port"},
		{"RegisterByPhone without SendCode", func(c *scangate.Config) { c.Registration.Mode = scangate.RegisterByPhone }, "Phone.SendCode", "RegisterByPhone"},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := scangate.Config{PublicURL: appURL, OfficialAccount: official}
			c.change(&config)
			gate, err := scangate.New(config)
			if err == nil {
				_ = gate.Close()
				t.Fatalf("New: no error, want one about Config.%s", c.field)
			}
			if text := err.Error(); !strings.HasPrefix(text, "scangate: Config."+c.field+":") || !strings.Contains(text, c.also) {
				t.Errorf("New: error %q, want one about Config.%s that names %q", text, c.field, c.also)
			}
		})
	}
}

// TestNewAcceptsField tries the values next to those that TestNewRefusesField tries.
func TestNewAcceptsField(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*scangate.Config)
	}{
		{"RedisPrefix of all kinds of characters", func(c *scangate.Config) { c.RedisPrefix = "a-B_9:c" }},
		{"UserTTL", func(c *scangate.Config) { c.UserTTL = time.Nanosecond }},
		{"Phone.CodeLimit", func(c *scangate.Config) { c.Phone.CodeLimit, c.Phone.SendCode = 1, sendNothing }},
		{"a mini program alone", miniOnly},
		{"a mini program beside the account", withMini},
		{"ScanMiniProgram", scansMini},
		{"ScanMiniProgramCode", showsMiniCode},
		{"a mini program, and an account whose messages come here", func(c *scangate.Config) {
			scansMini(c)
			c.OfficialAccount.Secret, c.Push = "", scangate.Push{Token: pushToken, EncodingAESKey: pushKey}
		}},
		{"CallbackURL", callbackURL("https://login.example.com/relay/app")},
		{"CallbackURL with a port", callbackURL("https://login.example.com:8443/callback")},
		{"CallbackURL of this machine", callbackURL("http://localhost:8080/relay/app")},
		{"RegisterOpen", func(c *scangate.Config) { c.Registration.Mode = scangate.RegisterOpen }},
		{"RegisterClosed without RegisterURL", func(c *scangate.Config) { c.Registration.Mode = scangate.RegisterClosed }},
		{"RegisterURL of a path", registerURL("/join?lang=zh")},
		{"RegisterURL below PublicURL", registerURL(appURL + "/join")},
		{"Phone.Require with SendCode", func(c *scangate.Config) { c.Phone.Require, c.Phone.SendCode = true, sendNothing }},
		{"RegisterByPhone with SendCode", func(c *scangate.Config) {
			c.Registration.Mode, c.Phone.SendCode = scangate.RegisterByPhone, sendNothing
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := scangate.Config{PublicURL: appURL, OfficialAccount: official}
			c.change(&config)
			gate, err := scangate.New(config)
			if err != nil {
				t.Fatalf("New: error %q, want none", err)
			}
			_ = gate.Close()
		})
	}
}

// TestConfigFields counts the fields at the top of Config.
func TestConfigFields(t *testing.T) {
	// A newcomer reads all of them to find the few that matter. So every new field must earn
	// its place there: a group, such as Session or Limits, is the usual place.
	const most = 30
	if got := reflect.TypeFor[scangate.Config]().NumField(); got > most {
		t.Errorf("Config: %d fields, want at most %d: put the new one into a group", got, most)
	}
}
