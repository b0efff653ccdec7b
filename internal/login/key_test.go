package login

import (
	"strings"
	"testing"
	"time"
)

func TestOAuthState(t *testing.T) {
	const id, otherID = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "234567ABCDEFGHIJKLMNOPQRST"
	const key = Key("K2345672345672345672345672")
	trip := Trip{id, CrossDevice, ScopeBase}
	state := key.OAuthState(trip)
	if len(state) >= 128 || strings.Trim(state, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != "" {
		t.Errorf("state = %q, want fewer than 128 letters and digits, as WeChat requires", state)
	}
	for _, want := range []Trip{trip, {id, CrossDevice, ScopeProfile}, {id, SameDevice, ScopeBase}, {id, SameDevice, ScopeProfile}} {
		if got, ok := ParseState(key.OAuthState(want)); !ok || got != want || !key.VerifyState(key.OAuthState(want)) {
			t.Errorf("parsed = %v, %v, want %v and verified", got, ok, want)
		}
	}
	for name, forged := range map[string]string{
		"another browser's": Key("OTHER").OAuthState(trip),
		"another login's":   otherID + state[idLength:],
		"another scope's":   id + string(ScopeProfile) + state[idLength+1:],
		"another kind's":    id + "2" + state[idLength+1:],
		"a form's token":    id + "0" + key.FormToken(id),
		"without a key":     Key("").OAuthState(trip),
	} {
		if key.VerifyState(forged) {
			t.Errorf("%s: verified, want refused", name)
		}
	}
	if Key("").VerifyState(Key("").OAuthState(trip)) {
		t.Error("a browser without a key: verified, want refused")
	}
	for name, malformed := range map[string]string{
		"empty": "", "too short": state[1:], "too long": state + "A", "unknown scope": id + "4" + state[27:],
		"lower case ID": strings.ToLower(id) + state[26:], "markup": strings.Repeat("<", 59),
	} {
		if _, ok := ParseState(malformed); ok || key.VerifyState(malformed) {
			t.Errorf("%s: parsed, want refused", name)
		}
	}
}

func TestFormToken(t *testing.T) {
	const key, id = Key("KEY"), "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	token := key.FormToken(id)
	if !key.VerifyForm(id, token) {
		t.Error("the browser's own token: refused, want verified")
	}
	if key.VerifyForm("OTHER", token) || Key("OTHER").VerifyForm(id, token) || key.VerifyForm(id, "") {
		t.Error("the token of another login or browser, or none: verified, want refused")
	}
}

func TestVerifyUser(t *testing.T) {
	ended, chrome := time.UnixMicro(1_700_000_000_000_001), Origin{Browser: "Chrome", System: "Windows", Address: "192.0.2.1"}
	value := RememberUser("app.example.com/wechat", "7", ended, chrome)
	for _, c := range []struct {
		name, value, gate, user string
		ended                   time.Time
		origin                  Origin
		want                    bool
	}{
		{"the same", value, "app.example.com/wechat", "7", ended, chrome, true},
		{"another address", value, "app.example.com/wechat", "7", ended, Origin{Browser: "Chrome", System: "Windows"}, true},
		{"nanoseconds, which stores drop", value, "app.example.com/wechat", "7", ended.Add(999), chrome, true},
		{"another user", value, "app.example.com/wechat", "8", ended, chrome, false},
		{"another gate", value, "app.example.com/login", "7", ended, chrome, false},
		{"sessions ended since", value, "app.example.com/wechat", "7", ended.Add(time.Microsecond), chrome, false},
		{"another browser", value, "app.example.com/wechat", "7", ended, Origin{Browser: "Firefox", System: "Windows"}, false},
		{"another system", value, "app.example.com/wechat", "7", ended, Origin{Browser: "Chrome", System: "macOS"}, false},
		{"the names exchanged", value, "app.example.com/wechat", "7", ended, Origin{Browser: "Windows", System: "Chrome"}, false},
		{"a user whose ID contains the rest", value, "app.example.com/wechat", `7" 1700000000000001 "Chrome`, ended, chrome, false},
		{"another key", string(NewKey()) + value[26:], "app.example.com/wechat", "7", ended, chrome, false},
		{"a MAC too short", value[:57], "app.example.com/wechat", "7", ended, chrome, false},
		{"empty", "", "app.example.com/wechat", "7", ended, chrome, false},
	} {
		if got := VerifyUser(c.value, c.gate, c.user, c.ended, c.origin); got != c.want {
			t.Errorf("VerifyUser, %s: %t, want %t", c.name, got, c.want)
		}
	}
	if again := RememberUser("app.example.com/wechat", "7", ended, chrome); again == value {
		t.Errorf("RememberUser twice: got %s both times, want different values", value)
	}
}
