package scangate_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

// opened returns the ID of the login with which a mini program was opened, or "". It follows
// the rule for clients: only a scan counts, and only the ID is read.
func opened(t *testing.T, launch wechattest.Launch) string {
	t.Helper()
	if launch.Scene != wechattest.SceneScanQR && launch.Scene != wechattest.SceneScanCode {
		return ""
	}
	id, err := url.QueryUnescape(launch.Query["scene"] + launch.Query["q"])
	if err != nil {
		t.Fatalf("decode %v: %v", launch.Query, err)
	}
	return id[strings.LastIndex(id, "/")+1:]
}

// The mini program is opened from a card or a picture, or the code has the attacker's host in
// q. The test of the client in example/miniprogram shows that it sends no request then. The
// gate reads an ID from the request and no host, so such a request is worth nothing here.
func TestThreat56CardsAndForeignHosts(t *testing.T) {
	w := newWorld(t, miniOnly)
	desktop, phone := w.desktop(), w.mini("lin")
	s := desktop.start()
	for _, link := range []string{"https://evil.example/wechat/scan/" + s.ID, appURL + ".evil.example/wechat/scan/" + s.ID, appURL + "/other/" + s.ID} {
		if launch, err := phone.phone.OpenLink(link, wechattest.Scanning); err == nil {
			t.Errorf("scan of %s: %+v, want no mini program", link, launch)
		}
	}
	card, err := phone.phone.OpenCard(mini.AppID, "pages/login/login?scene="+s.ID+"&q="+url.QueryEscape("https://evil.example/"+s.ID))
	if err != nil || card.Scene != wechattest.SceneCard || opened(t, card) != "" {
		t.Errorf("card: %+v, %v, want scene %d, which is refused", card, err, wechattest.SceneCard)
	}
	for reading, scene := range map[wechattest.Reading]int{wechattest.LongPress: 1012, wechattest.FromAlbum: 1013} {
		if launch, err := phone.phone.OpenLink(s.ScanURL, reading); err != nil || launch.Scene != scene {
			t.Errorf("picture: %+v, %v, want scene %d", launch, err, scene)
		}
	}
	scanned, err := phone.phone.OpenLink(s.ScanURL, wechattest.Scanning)
	if err != nil || opened(t, scanned) != s.ID {
		t.Fatalf("scan: %+v, %v, want the ID %s", scanned, err, s.ID)
	}
	// An ID of the attacker's own gate is unknown here.
	foreign := newWorld(t, miniOnly).desktop().start()
	wantProblem(t, "ID of another gate", phone.enter(foreign), http.StatusNotFound, "unknown")
	if got := w.wechat.Calls(wechattest.OpSession); got != 0 {
		t.Errorf("calls to WeChat = %d, want none", got)
	}
	a := phone.post("/wechat/mini/"+s.ID, map[string]any{"code": phone.loginCode(), "host": "https://evil.example", "q": "https://evil.example/"})
	if strings.Contains(a.body, "evil") {
		t.Errorf("answer = %s, want nothing of the request", a.body)
	}
}

// A web page logs a visitor in by mini/login, with the attacker's code.
func TestThreat57MiniLoginFromAWebPage(t *testing.T) {
	w := newWorld(t, miniOnly)
	attacker, victim := w.mini("wang"), w.desktop()
	body := `{"code":"` + attacker.loginCode() + `","x":"="}`
	for _, contentType := range []string{"text/plain", "text/plain;charset=UTF-8", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "", "application/jsonp", "text/json"} {
		for _, route := range []string{"login", unknownLoginID, unknownLoginID + "/phone", unknownLoginID + "/answer"} {
			a := victim.send(t.Context(), false, http.MethodPost, "/wechat/mini/"+route, body,
				"Content-Type", contentType, "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors")
			if a.StatusCode != http.StatusUnsupportedMediaType || a.Header.Get("Content-Type") != "application/problem+json" || len(a.Cookies()) > 0 {
				t.Errorf("POST mini/%s as %q: status = %d (%s), cookies = %v, want 415 as a problem, and none",
					route, contentType, a.StatusCode, a.Header.Get("Content-Type"), a.Cookies())
			}
		}
	}
	// A script of that page may ask for permission to send JSON, and does not get it.
	preflight := victim.send(t.Context(), false, http.MethodOptions, "/wechat/mini/login", "",
		"Origin", "https://evil.example", "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "content-type")
	for name := range preflight.Header {
		if strings.HasPrefix(name, "Access-Control-") || preflight.StatusCode < http.StatusBadRequest {
			t.Errorf("preflight: status = %d with %s, want an error without CORS", preflight.StatusCode, name)
		}
	}
	if got := w.wechat.Calls(wechattest.OpSession); got != 0 {
		t.Errorf("calls to WeChat = %d, want none", got)
	}
	// The cookies of a browser mean nothing to these routes, and it gets none.
	victim.open("/wechat/login")
	a := victim.postJSON("/wechat/mini/login", body, nil)
	if len(a.Cookies()) > 0 || victim.user() != "" || a.StatusCode != http.StatusOK {
		t.Errorf("login as JSON from a browser: status = %d, cookies = %v, user = %q, want 200 and neither", a.StatusCode, a.Cookies(), victim.user())
	}
}

// An attacker's page or link sends a visitor to the application's registration, with the token
// of the attacker's mini program. The visitor would register the attacker's WeChat, or add it
// to their own account.
func TestThreat57RegistrationFromAWebPage(t *testing.T) {
	w := newWorld(t, miniOnly, func(c *scangate.Config) {
		c.Registration.Mode, c.Registration.URL = scangate.RegisterClosed, "/join"
	})
	mux := http.NewServeMux()
	mux.Handle("/", application(w.gate))
	mux.HandleFunc("/join", func(rw http.ResponseWriter, r *http.Request) {
		if _, err := w.gate.Pending(r); err != nil {
			http.Error(rw, "no person", http.StatusNotFound)
		}
	})
	w.addHost("app.example.com", mux)
	attacker := w.mini("wang")
	s := w.desktop().start()
	wantStep(t, "scan by a new person", attacker.enter(s), "register")
	victim, target, token := w.desktop(), "/join?login="+s.ID, url.Values{"token": {attacker.token}}
	if a := victim.get(target + "&" + token.Encode()); a.StatusCode != http.StatusNotFound {
		t.Errorf("link with the token: status = %d, want %d", a.StatusCode, http.StatusNotFound)
	}
	const own = "https://servicewechat.com/"
	for name, c := range map[string]struct {
		want   int
		header []string
	}{
		"form of another site":                {404, []string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}},
		"form of another site, old browser":   {404, []string{"Origin", "https://evil.example"}},
		"form in the query":                   {404, nil},
		"form of a foreign mini program":      {404, []string{"Origin", "https://servicewechat.com", "Sec-Fetch-Site", "cross-site", "Referer", own + official.AppID + "/devtools/page-frame.html"}},
		"mini program on a phone":             {200, []string{"Origin", "", "Referer", own + mini.AppID + "/12/page-frame.html"}},
		"mini program in the developer tools": {200, []string{"Origin", "https://servicewechat.com", "Sec-Fetch-Site", "cross-site", "Referer", own + mini.AppID + "/devtools/page-frame.html"}},
	} {
		to, form := target, token
		if c.header == nil {
			to, form = target+"&"+token.Encode(), nil
		}
		if a := victim.post(to, form, c.header...); a.StatusCode != c.want {
			t.Errorf("%s: status = %d, want %d", name, a.StatusCode, c.want)
		}
	}
}

// An attacker uses a token for another login, a code of another mini program, or the number
// on the screen of the victim.
func TestThreat58TokensCodesAndNumbers(t *testing.T) {
	other := wechattest.App{Account: wechat.Account{AppID: "wx00000000000other", Secret: "07e407e407e407e407e407e407e407e4"}, MiniProgram: true}
	w := newWorld(t, miniOnly, withNumber)
	desktop, phone, attacker := w.desktop(), w.mini("lin"), w.mini("wang")
	s, second := desktop.start(), w.desktop().start()
	a := phone.enter(s)
	var keys map[string]any
	if err := json.Unmarshal([]byte(a.body), &keys); err != nil {
		t.Fatalf("decode %s: %v", a.body, err)
	}
	if got, want := slices.Sorted(maps.Keys(keys)), []string{"app", "browser", "place", "step", "system", "token"}; !slices.Equal(got, want) {
		t.Errorf("keys with MatchNumber = %v, want %v without the number", got, want)
	}
	attacker.enter(second)
	for name, token := range map[string]string{"another login's": attacker.token, "no": "", "a made up": unknownLoginID, "the login's ID as the": s.ID} {
		for _, route := range []string{"answer", "phone"} {
			a := phone.post("/wechat/mini/"+s.ID+"/"+route, map[string]any{"token": token, "answer": "approve", "number": s.MatchNumber, "code": "x"})
			wantProblem(t, route+" with "+name+" token", a, http.StatusNotFound, "unknown")
		}
	}
	foreign := wechattest.New(nil, other)
	code, err := foreign.Phone("lin", w.hosts, openURL).LoginCode(other.AppID)
	if err != nil {
		t.Fatalf("get a code of another mini program: %v", err)
	}
	third := w.desktop().start()
	wantProblem(t, "code of another mini program", phone.post("/wechat/mini/"+third.ID, map[string]any{"code": code}), http.StatusForbidden, "restart")
	wantProblem(t, "code of another mini program for itself", phone.post("/wechat/mini/login", map[string]any{"code": code}), http.StatusForbidden, "restart")
	if got := desktop.state(s); got != "scanned" {
		t.Errorf("state after the attempts = %q, want scanned", got)
	}
	wantStep(t, "approve", phone.answer(s, "approve", "number", s.MatchNumber), "done")
	// A login of another account takes no code of the mini program.
	web := newWorld(t, withMini)
	s = web.desktop().start()
	wantProblem(t, "a login of the official account", web.mini("lin").enter(s), http.StatusNotFound, "unknown")
}

// watermark returns an edit of WeChat's answer with a phone number.
func watermark(name string, value any) func(map[string]any) {
	return func(answer map[string]any) {
		answer["phone_info"].(map[string]any)["watermark"].(map[string]any)[name] = value
	}
}

// A person has the number of another one, or WeChat's code for it.
func TestThreat59NumbersOfOthers(t *testing.T) {
	sms := &texts{}
	w := newWorld(t, miniOnly, sms.withPhone)
	victim, err := w.users.Register(t.Context(), scangate.NewUser{
		Identity: scangate.Identity{AppID: mini.AppID, OpenID: w.wechat.OpenID("lin", mini.AppID)}, Phone: mobile2,
	})
	if err != nil {
		t.Fatalf("register the victim: %v", err)
	}
	desktop, attacker := w.desktop(), w.mini("wang")
	s := desktop.start()
	wantStep(t, "scan", attacker.enter(s), "phone")
	stolen := w.mini("lin").numberCode("13800138000")
	wantProblem(t, "the victim's code", attacker.number(s, "code", stolen), http.StatusForbidden, "restart")
	// WeChat's number of the attacker has a new owner by now, who is a user.
	wantStep(t, "the number of a user", attacker.number(s, "code", attacker.numberCode("13900139000")), "code")
	for _, guess := range []string{"000000", "123456", ""} {
		if a := attacker.number(s, "sms", guess); guess != sms.to(mobile2) && (a.StatusCode != http.StatusForbidden || a.Code != "code_wrong") {
			t.Errorf("guess of the one-time code: status = %d, code = %q, want 403 and code_wrong", a.StatusCode, a.Code)
		}
	}
	if got, err := w.users.FindByID(t.Context(), victim.ID); err != nil || len(got.Identities) != 1 {
		t.Errorf("victim = %+v, %v, want one identity", got, err)
	}
	if a := attacker.answer(s, "approve"); a.Step != "code" || desktop.state(s) != "scanned" {
		t.Errorf("approve without the number: %s, state %q, want the step code", a.body, desktop.state(s))
	}
	for name, fault := range map[string]wechattest.Fault{
		"another mini program's watermark": {Edit: watermark("appid", "wx00000000000other")},
		"an old watermark":                 {Edit: watermark("timestamp", 1600000000)},
		"a watermark of tomorrow":          {Edit: watermark("timestamp", time.Now().Add(24*time.Hour).Unix())},
	} {
		w.wechat.Fail(wechattest.OpPhoneNumber, 1, fault)
		wantProblem(t, name, attacker.number(s, "code", attacker.numberCode("13700137000")), http.StatusBadGateway, "wechat")
	}
	if got, err := w.users.FindByPhone(t.Context(), "+8613700137000"); err == nil {
		t.Errorf("number of a wrong watermark: user %+v, want none", got)
	}
	wantStep(t, "a number of one's own", attacker.number(s, "code", attacker.numberCode("13700137000")), "confirm")
}
