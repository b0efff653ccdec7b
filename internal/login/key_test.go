package login

import (
	"strings"
	"testing"
)

func TestOAuthState(t *testing.T) {
	const id, otherID = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "234567ABCDEFGHIJKLMNOPQRST"
	const key = Key("K2345672345672345672345672")
	state := key.OAuthState(id, ScopeBase)
	if len(state) >= 128 || strings.Trim(state, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != "" {
		t.Errorf("state = %q, want fewer than 128 letters and digits, as WeChat requires", state)
	}
	if gotID, scope, ok := ParseState(state); !ok || gotID != id || scope != ScopeBase || !key.VerifyState(state) {
		t.Errorf("parsed = %q, %q, %v, want %q, %q and verified", gotID, scope, ok, id, ScopeBase)
	}
	for name, forged := range map[string]string{
		"another browser's": Key("OTHER").OAuthState(id, ScopeBase),
		"another login's":   otherID + state[idLength:],
		"another scope's":   id + string(ScopeProfile) + state[idLength+1:],
		"a form's token":    id + "0" + key.FormToken(id),
		"without a key":     Key("").OAuthState(id, ScopeBase),
	} {
		if key.VerifyState(forged) {
			t.Errorf("%s: verified, want refused", name)
		}
	}
	if Key("").VerifyState(Key("").OAuthState(id, ScopeBase)) {
		t.Error("a browser without a key: verified, want refused")
	}
	for name, malformed := range map[string]string{
		"empty": "", "too short": state[1:], "too long": state + "A", "unknown scope": id + "2" + state[27:],
		"lower case ID": strings.ToLower(id) + state[26:], "markup": strings.Repeat("<", 59),
	} {
		if _, _, ok := ParseState(malformed); ok || key.VerifyState(malformed) {
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
