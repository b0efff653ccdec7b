package main

import (
	"net/url"
	"strings"
	"testing"
)

// TestThreat56MiniProgramFromACard opens the login page as an attacker can have a victim do
// it: by a card, a share, a link or another mini program. The code is that of the attacker's
// own screen.
func TestThreat56MiniProgramFromACard(t *testing.T) {
	s := newSite(t, withMiniProgram)
	attacker, victim := newDesktop(t, s), newMiniPhone(t, s, "lin")
	// A card in a chat or a group, a share in Moments, a search, a message of the account, a
	// link in a text message, another mini program, the list of recent ones, and none.
	for _, scene := range []int{1007, 1008, 1154, 1155, 1005, 1014, 1107, 1065, 1167, 1037, 1038, 1089, 1001, 1010, 1046, 1050, 0} {
		for name, query := range map[string]map[string]string{
			"q":     {"q": url.QueryEscape(attacker.login.ScanURL)},
			"scene": {"scene": attacker.id()},
		} {
			victim.open(scene, miniLogin, query)
			victim.want("Scan the code to log in", "cards and links that were passed on do not work")
			victim.wantButtons("Scan the new code")
			if len(victim.requests) > 0 {
				t.Fatalf("scene %d with %s: the mini program sent %v, want no request", scene, name, victim.requests)
			}
		}
	}
	attacker.wantState("waiting")
}

// TestMiniProgramPicture opens the login page by a code in a picture. The page asks first
// whether the code is on the person's own screen.
func TestMiniProgramPicture(t *testing.T) {
	s := newSite(t, withMiniProgram)
	phone := newMiniPhone(t, s, "lin")
	for scene, inScene := range map[int]bool{1012: false, 1013: false, 1048: true, 1049: true} {
		desktop := newDesktop(t, s)
		query := map[string]string{"q": url.QueryEscape(desktop.login.ScanURL)}
		if inScene {
			query = map[string]string{"scene": desktop.id()}
		}
		sent := len(phone.requests)
		phone.open(scene, miniLogin, query)
		phone.want("This code was in a picture", "Only continue if it is on your own screen now.")
		phone.wantButtons("Continue")
		phone.wantRequests("before the person continues", sent)
		desktop.wantState("waiting")
		phone.tap("Continue")
		phone.tap("Log in")
		desktop.finish()
	}
}

// TestThreat56MiniProgramForeignCode scans codes that are not the gate's. The mini program
// sends no request to anyone.
func TestThreat56MiniProgramForeignCode(t *testing.T) {
	s := newSite(t, withMiniProgram)
	desktop, phone := newDesktop(t, s), newMiniPhone(t, s, "lin")
	id, real := desktop.id(), desktop.login.ScanURL
	host := strings.TrimPrefix(s.url, "http://")
	for _, q := range []string{
		"https://attacker.example/wechat/scan/" + id,
		"http://" + host + "@attacker.example/wechat/scan/" + id,
		"http://" + host + ".attacker.example/wechat/scan/" + id,
		"http://attacker.example/" + real,
		"http://attacker.example\\@" + host + "/wechat/scan/" + id,
		"https://" + host + "/wechat/scan/" + id, // another scheme
		strings.ToUpper(s.url) + "/wechat/scan/" + id,
		"//" + host + "/wechat/scan/" + id,
		"javascript:alert(1)//" + real,
		" " + real, real + " ", real + "\n", real + "/", real + "//", real + "?a=b", real + "#a", real + "/../" + id,
		s.url + "/wechat/scan/../scan/" + id,
		s.url + "/wechat/../wechat/scan/" + id,
		s.url + "/wechat//scan/" + id,
		s.url + "/wechat/login/" + id,
		s.url + "/wechat/scan/" + id + "/answer",
		s.url + "/wechat/scan/",
		s.url + "/wechat/scan/" + strings.Repeat("A", 33),
		s.url + "/wechat/scan/" + strings.Repeat("A", 100_000),
		s.url + "/wechat/scan/" + id[:8],
		s.url + "/wechat/scan/" + strings.Repeat("界", 26),
		s.url + "/wechat/scan/login%2F" + id,
		"%E0%A4%A", "%", "", id, "null", "undefined",
	} {
		phone.open(sceneScan, miniLogin, map[string]string{"q": url.QueryEscape(q)})
		phone.want("This is not a login code")
	}
	for name, query := range map[string]map[string]string{
		"encoded twice":     {"q": url.QueryEscape(url.QueryEscape(real))},
		"half encoded":      {"q": "%E0%A4%A"},
		"q and scene":       {"q": url.QueryEscape(real), "scene": id},
		"another name":      {"id": id, "login": id, "url": url.QueryEscape(real)},
		"own":               {"own": "1"},
		"nothing":           nil,
		"a path in scene":   {"scene": url.QueryEscape("login/../" + id)},
		"a URL in scene":    {"scene": url.QueryEscape(real)},
		"a long scene":      {"scene": strings.Repeat("A", 5000)},
		"a scene and more":  {"scene": url.QueryEscape(id + "?a=b")},
		"a scene with dots": {"scene": url.QueryEscape("..%2F" + id)},
	} {
		phone.open(sceneScan, miniLogin, query)
		if !strings.Contains(phone.screen.Text, "This is not a login code") {
			t.Errorf("%s: the mini program shows:\n%s\nwant that it is not a login code", name, phone.screen.Text)
		}
	}
	phone.wantRequests("after foreign codes", 0)
	desktop.wantState("waiting")
}

// TestMiniProgramScansAgain scans the new code by the mini program's own button.
func TestMiniProgramScansAgain(t *testing.T) {
	s := newSite(t, both(withMiniProgram, withNumber))
	desktop, phone := newDesktop(t, s), newMiniPhone(t, s, "lin")
	logIn := func() {
		t.Helper()
		if got := phone.screen.Inputs[0].Value; got != "" {
			t.Errorf("after a new code the field has the text %q, want none", got)
		}
		phone.typeInto("Type the two digits on the other screen", desktop.number())
		phone.tap("Log in")
		desktop.finish()
	}
	phone.scan(desktop.login.ScanURL)
	phone.typeInto("Type the two digits on the other screen", "12")
	desktop.renew()
	phone.tap("Log in")
	phone.want("A newer code was made")
	phone.do(command{"do": "set", "camera": map[string]string{"result": desktop.login.ScanURL}})
	phone.tap("Scan the new code")
	logIn()
	phone.do(command{"do": "set", "camera": nil})
	desktop.start()
	old := desktop.login.ScanURL
	desktop.renew()
	phone.scan(old)
	phone.want("A newer code was made")
	sent := len(phone.requests)
	phone.tap("Scan the new code") // the person turns back
	phone.want("A newer code was made")
	for _, found := range []map[string]string{
		{"result": "https://attacker.example/wechat/scan/" + desktop.id()},
		{"path": "pages/login/login?scene=" + url.QueryEscape(desktop.login.ScanURL), "result": desktop.login.ScanURL},
		{"path": "pages/index/index?scene=" + desktop.id()},
	} {
		phone.do(command{"do": "set", "camera": found})
		phone.tap("Scan the new code")
		phone.want("This is not a login code")
	}
	phone.wantRequests("after foreign codes", sent)
	phone.do(command{"do": "set", "camera": map[string]string{"result": desktop.login.ScanURL}})
	phone.tap("Scan the new code")
	logIn()
	desktop.start()
	phone.scan(old)
	phone.do(command{"do": "set", "camera": map[string]string{"path": "pages/login/login?scene=" + desktop.id(), "result": "*"}})
	phone.tap("Scan the new code")
	logIn()
}
