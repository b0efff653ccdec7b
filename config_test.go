package scangate_test

import (
	"context"
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
	return func(c *scangate.Config) { c.Registration, c.RegisterURL = scangate.RegisterClosed, target }
}

func TestNewRefusesField(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*scangate.Config)
		field  string
		also   string // a second field that the error has to name
	}{
		{"RedisPrefix with a brace", func(c *scangate.Config) { c.RedisPrefix = "a}b" }, "RedisPrefix", ""},
		{"negative UserTTL", func(c *scangate.Config) { c.UserTTL = -time.Second }, "UserTTL", ""},
		{"negative Phone.CodeLimit", func(c *scangate.Config) { c.Phone.CodeLimit, c.Phone.SendCode = -1, sendNothing }, "Phone.CodeLimit", ""},
		{"unknown Registration", func(c *scangate.Config) { c.Registration = "invited" }, "Registration", ""},
		{"RegisterURL with open registration", func(c *scangate.Config) { c.RegisterURL = "/join" }, "RegisterURL", "RegisterClosed"},
		{"RegisterURL on another site", registerURL("https://other.example.com/join"), "RegisterURL", ""},
		{"RegisterURL on a longer host name", registerURL(appURL + ".example.net/join"), "RegisterURL", ""},
		{"RegisterURL without a scheme", registerURL("//other.example.com/join"), "RegisterURL", ""},
		{"RegisterURL that is a relative path", registerURL("join"), "RegisterURL", ""},
		{"RegisterURL with a fragment", registerURL("/join#form"), "RegisterURL", ""},
		{"Phone.Require without SendCode", func(c *scangate.Config) { c.Phone.Require = true }, "Phone.SendCode", "Phone.Require"},
		{"RegisterByPhone without SendCode", func(c *scangate.Config) { c.Registration = scangate.RegisterByPhone }, "Phone.SendCode", "RegisterByPhone"},
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
	for _, c := range []struct {
		name   string
		change func(*scangate.Config)
	}{
		{"RedisPrefix of all kinds of characters", func(c *scangate.Config) { c.RedisPrefix = "a-B_9:c" }},
		{"UserTTL", func(c *scangate.Config) { c.UserTTL = time.Nanosecond }},
		{"Phone.CodeLimit", func(c *scangate.Config) { c.Phone.CodeLimit, c.Phone.SendCode = 1, sendNothing }},
		{"RegisterOpen", func(c *scangate.Config) { c.Registration = scangate.RegisterOpen }},
		{"RegisterClosed without RegisterURL", func(c *scangate.Config) { c.Registration = scangate.RegisterClosed }},
		{"RegisterURL of a path", registerURL("/join?lang=zh")},
		{"RegisterURL below PublicURL", registerURL(appURL + "/join")},
		{"Phone.Require with SendCode", func(c *scangate.Config) { c.Phone.Require, c.Phone.SendCode = true, sendNothing }},
		{"RegisterByPhone with SendCode", func(c *scangate.Config) {
			c.Registration, c.Phone.SendCode = scangate.RegisterByPhone, sendNothing
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
