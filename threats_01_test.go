package scangate_test

// Rows 1 to 12: the login.

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate"
)

// TestThreat01GuessLoginID: the attacker guesses a login's ID. The gate makes IDs that
// are long and never repeat.
func TestThreat01GuessLoginID(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *scangate.Config) { c.Limits.Address = 20_000 })
	seen := map[string]bool{}
	for i := range 10_000 {
		var login scan
		w.desktop().postJSON("/wechat/login", `{}`, &login)
		if len(login.ID) < 22 || seen[login.ID] {
			t.Fatalf("login %d: id = %q, issued before = %t, want a new one of at least 22 characters", i, login.ID, seen[login.ID])
		}
		seen[login.ID] = true
	}
}

// TestThreat01GuessesAreCounted: the attacker tries one ID after the other. An unknown
// ID is 404, and wrong guesses from one address end in 429.
func TestThreat01GuessesAreCounted(t *testing.T) {
	w := newWorld(t, func(c *scangate.Config) { c.Limits.Address = 30 })
	attacker := w.desktop()
	for i := range 40 {
		want := http.StatusNotFound
		if i >= 30 {
			want = http.StatusTooManyRequests
		}
		if got := attacker.get("/wechat/scan/" + unknownLoginID).StatusCode; got != want {
			t.Fatalf("guess %d: status = %d, want %d", i, got, want)
		}
	}
}

// TestThreat02ChosenLoginID: the attacker sends an ID for the login to have. The gate
// ignores it in the query, in the body and in a cookie.
func TestThreat02ChosenLoginID(t *testing.T) {
	w := newWorld(t)
	attacker := w.desktop()
	chosen := unknownLoginID
	attacker.setAppCookie("login", chosen)
	var login scan
	attacker.postJSON("/wechat/login?id="+chosen+"&login="+chosen, `{"id":"`+chosen+`","login":"`+chosen+`"}`, &login)
	if login.ID == chosen || login.ID == "" {
		t.Errorf("starting a login with a chosen id: id = %q, want one that the gate made", login.ID)
	}
	if got := attacker.get(login.withID(login.StateURL, chosen)).StatusCode; got != http.StatusNotFound {
		t.Errorf("state of the chosen id: status = %d, want %d", got, http.StatusNotFound)
	}
}

// TestThreat03LoginOfAnotherBrowser: the attacker has the ID of the desktop's login, and
// a browser key of its own. These routes answer it as they answer for an unknown ID.
// TestWrongBrowserSeesAnUnknownLogin calls every route in every state.
func TestThreat03LoginOfAnotherBrowser(t *testing.T) {
	w := newWorld(t)
	desktop, phone, attacker := w.desktop(), w.phone("lin"), w.desktop()
	attacker.start() // the gate gives the attacker its key
	login := desktop.start()
	phonePage := "/wechat/phone/" + login.ID
	profilePage := "/wechat/profile/" + login.ID
	gets := []string{login.StateURL + "?seen=none", login.QRURL, login.confirmURL(), profilePage, phonePage, "/wechat/resume/" + login.ID}
	posts := []string{login.FinishURL, login.confirmURL(), profilePage, phonePage, phonePage + "/code"}
	compare := func(state string) {
		t.Helper()
		for _, target := range gets {
			same(t, state+": GET "+target, login.ID, attacker.get(target), attacker.get(login.withID(target, unknownLoginID)))
		}
		for _, target := range posts {
			same(t, state+": POST "+target, login.ID, attacker.post(target, nil), attacker.post(login.withID(target, unknownLoginID), nil))
		}
	}
	compare("waiting")
	phone.scan(login)
	compare("identified")
	phone.answer(login, "approve")
	compare("approved")
	desktop.finish(login)
	compare("finished")
}

// TestThreat03ReturnToOfAnotherBrowser: the attacker has a login's QR code or its OAuth
// state. Neither reveals the path that the login returns to, not even when it expired.
func TestThreat03ReturnToOfAnotherBrowser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, withWebsite)
		desktop, attacker := w.desktop(), w.phone("wang")
		var login scan
		desktop.postJSON("/wechat/login", `{"return_to":"/invite/secret"}`, &login)
		toWebsite, _ := url.Parse(desktop.get("/wechat/login?return_to=/invite/secret&with=website").Header.Get("Location"))
		pass(6 * time.Minute)
		scanned := attacker.get(login.ScanURL)
		if scanned.StatusCode != http.StatusGone {
			t.Errorf("scanning an expired login: status = %d, want %d", scanned.StatusCode, http.StatusGone)
		}
		if strings.Contains(scanned.body, "secret") {
			t.Errorf("scanning an expired login: the page contains its return_to, want none:\n%s", scanned.body)
		}
		callback := attacker.get("/wechat/callback?code=x&state=" + toWebsite.Query().Get("state"))
		if strings.Contains(callback.body, "secret") {
			t.Errorf("callback with the desktop's state: the page contains its return_to, want none:\n%s", callback.body)
		}
	})
}

// TestThreat03LoginOfAnotherGate: two gates share a state store, and the attacker
// finishes at one of them a login that was approved at the other. The keys in the store
// contain the gate's name, so the login is unknown there.
func TestThreat03LoginOfAnotherGate(t *testing.T) {
	state := scangate.NewMemoryStore()
	shared := func(c *scangate.Config) { c.State = state }
	customers, staff := newWorld(t, shared), newWorld(t, shared, withWebsiteOnly)
	attacker, phone := customers.desktop(), customers.phone("lin")
	login := attacker.start()
	phone.scan(login)
	phone.answer(login, "approve")
	attacker.client.Transport = staff.hosts
	if got := attacker.finish(login).StatusCode; got != http.StatusNotFound {
		t.Errorf("finish at the other gate: status = %d, want %d", got, http.StatusNotFound)
	}
}

// TestThreat04Replay: one browser finishes a login 50 times at once. All answers carry the
// same session, so that any of them may arrive last, and the store has one session.
func TestThreat04Replay(t *testing.T) {
	store := &mapSessions{m: map[string][]byte{}}
	manager := ownSessions()
	manager.Store = store
	w := newWorld(t, func(c *scangate.Config) { c.Session.Manager = manager })
	desktop, phone, attacker := w.desktop(), w.phone("lin"), w.desktop()
	attacker.start() // the gate gives the attacker its key
	login := desktop.start()
	phone.scan(login)
	phone.answer(login, "approve")
	var finishes sync.WaitGroup
	tokens := make(chan string, 50)
	for range 50 {
		finishes.Go(func() {
			a, err := desktop.try(t.Context(), false, http.MethodPost, login.FinishURL, "")
			if c := sessionCookie(a); err != nil || a.StatusCode != http.StatusSeeOther || c == nil {
				t.Errorf("finish: status = %d, cookie = %v, error = %v, want 303 and a session", a.StatusCode, c, err)
			} else {
				tokens <- c.Value
			}
		})
	}
	finishes.Wait()
	close(tokens)
	different := map[string]bool{}
	for token := range tokens {
		different[token] = true
	}
	if len(different) != 1 || len(store.m) != 1 {
		t.Errorf("50 finishes: %d tokens and %d stored sessions, want 1 and 1", len(different), len(store.m))
	}
	if desktop.user() == "" {
		t.Error("after 50 finishes: the desktop is not logged in, want the session")
	}
	if got := attacker.finish(login).StatusCode; got != http.StatusNotFound {
		t.Errorf("finish from another browser: status = %d, want %d", got, http.StatusNotFound)
	}
}

// TestThreat62RepeatsAreNoWayBack: the desktop sends its finish again after a logout, after
// the user's sessions were ended, and after another user's login. It gets no session.
func TestThreat62RepeatsAreNoWayBack(t *testing.T) {
	t.Parallel()
	for name, meanwhile := range map[string]func(w *world, desktop *browser, user scangate.User){
		"logout": func(_ *world, desktop *browser, _ scangate.User) { desktop.post("/wechat/logout", nil) },
		"ended sessions": func(w *world, _ *browser, user scangate.User) {
			if err := w.users.EndSessions(t.Context(), user.ID, time.Now()); err != nil {
				t.Fatal(err)
			}
		},
		"EndSessions": func(w *world, _ *browser, user scangate.User) {
			if err := w.gate.EndSessions(t.Context(), user.ID); err != nil {
				t.Fatal(err)
			}
		},
		"another's login": func(w *world, desktop *browser, _ scangate.User) {
			w.scanLoginOf(t, desktop, desktop.start(), "wang")
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			user := w.know("lin")
			desktop := w.desktop()
			login := desktop.start()
			w.scanLoginOf(t, desktop, login, "lin")
			old := desktop.appCookies()
			pass(time.Second)
			meanwhile(w, desktop, user)
			before := desktop.user()
			desktop.finish(login)
			if got := desktop.user(); got != before || got == user.ID {
				t.Errorf("%s, then finish again: user = %q, want %q", name, got, before)
			}
			desktop.restoreAppCookies(old)
			desktop.finish(login)
			if got := desktop.user(); got == user.ID {
				t.Errorf("%s, then finish again with the old cookies: user = %q, want another", name, got)
			}
		})
	}
}

// TestThreat05StaleLogin: the attacker continues a login that was left alone. When the 10
// minutes of an identified login have passed, every step is 410. A login that no phone has
// scanned is unknown by then.
func TestThreat05StaleLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		desktop, other, phone := w.desktop(), w.desktop(), w.phone("lin")
		unscanned := other.start()
		login := desktop.start()
		phone.scan(login)
		token := phone.get(login.confirmURL()).find(t, tokenPattern)
		pass(11 * time.Minute)
		for step, a := range map[string]answer{
			"scan":    phone.get(login.ScanURL),
			"confirm": phone.post(login.confirmURL(), url.Values{"token": {token}, "answer": {"approve"}}),
			"finish":  desktop.finish(login),
		} {
			if a.StatusCode != http.StatusGone {
				t.Errorf("%s after 11 minutes: status = %d, want %d", step, a.StatusCode, http.StatusGone)
			}
		}
		if got := desktop.state(login); got != "expired" {
			t.Errorf("state after 11 minutes = %q, want %q", got, "expired")
		}
		if got := other.get(unscanned.StateURL).StatusCode; got != http.StatusNotFound {
			t.Errorf("state of a login that was not scanned, after 11 minutes: status = %d, want %d", got, http.StatusNotFound)
		}
	})
}

// TestThreat05LateFinish: the attacker comes upon a desktop whose login was approved
// earlier. An approval is valid for 2 minutes.
func TestThreat05LateFinish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		desktop, phone := w.desktop(), w.phone("lin")
		login := desktop.start()
		phone.scan(login)
		phone.answer(login, "approve")
		pass(3 * time.Minute)
		if got := desktop.finish(login).StatusCode; got != http.StatusGone {
			t.Errorf("finish 3 minutes after the approval: status = %d, want %d", got, http.StatusGone)
		}
	})
}

// TestThreat06QRLjacking: the attacker shows the QR code of its own login to a victim.
// The confirm page describes the attacker's browser, scanning alone makes no session, and
// a wrong number denies the login for good.
func TestThreat06QRLjacking(t *testing.T) {
	w := newWorld(t, withNumber)
	attacker, phone := w.desktop(), w.phone("lin")
	login := attacker.start()
	confirm := phone.scan(login)
	for _, want := range []string{"Chrome", "Windows", "192.0.2.1", `value="deny"`, "in front of you"} {
		if !strings.Contains(confirm.body, want) {
			t.Errorf("confirm page: no %q in\n%s", want, confirm.body)
		}
	}
	if got := attacker.finish(login).StatusCode; got != http.StatusConflict {
		t.Errorf("finish before the confirmation: status = %d, want %d", got, http.StatusConflict)
	}
	phone.answer(login, "approve", "number", strconv.Itoa(login.MatchNumber%90+10))
	if got := attacker.state(login); got != "denied" {
		t.Errorf("state after a wrong number = %q, want %q", got, "denied")
	}
	approval := url.Values{"token": {confirm.find(t, tokenPattern)}, "answer": {"approve"}, "number": {strconv.Itoa(login.MatchNumber)}}
	if got := phone.post(login.confirmURL(), approval).StatusCode; got != http.StatusGone {
		t.Errorf("the right number after a wrong one: status = %d, want %d", got, http.StatusGone)
	}
	if got := attacker.finish(login).StatusCode; got != http.StatusGone {
		t.Errorf("finish of a denied login: status = %d, want %d", got, http.StatusGone)
	}
}

// TestThreat06DenialIsFinal: the victim denies the attacker's login, and the attacker
// asks once more. A denied login stays denied.
func TestThreat06DenialIsFinal(t *testing.T) {
	w := newWorld(t)
	attacker, phone := w.desktop(), w.phone("lin")
	login := attacker.start()
	token := phone.scan(login).find(t, tokenPattern)
	phone.answer(login, "deny")
	approval := url.Values{"token": {token}, "answer": {"approve"}}
	if got := phone.post(login.confirmURL(), approval).StatusCode; got != http.StatusGone {
		t.Errorf("approval after a denial: status = %d, want %d", got, http.StatusGone)
	}
	if got := attacker.state(login); got != "denied" {
		t.Errorf("state after a denial = %q, want %q", got, "denied")
	}
	if got := attacker.finish(login).StatusCode; got != http.StatusGone {
		t.Errorf("finish after a denial: status = %d, want %d", got, http.StatusGone)
	}
}

// TestThreat07Prefetch: link checkers and previews fetch the address in the QR code. GET
// and HEAD use nothing up, so the phone can still scan it.
func TestThreat07Prefetch(t *testing.T) {
	w := newWorld(t)
	desktop, phone := w.desktop(), w.phone("lin")
	login := desktop.start()
	for range 5 {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			w.desktop().send(t.Context(), false, method, login.ScanURL, "")
		}
	}
	if got := phone.scan(login).Request.URL.Path; got != login.confirmURL() {
		t.Errorf("scan after ten prefetches: path = %s, want %s", got, login.confirmURL())
	}
}

// TestThreat08SecondPhone: the attacker's phone takes over a login that another phone
// has scanned. The login belongs to the phone whose code WeChat accepted first.
func TestThreat08SecondPhone(t *testing.T) {
	w := newWorld(t)
	desktop, phone, attacker := w.desktop(), w.phone("lin"), w.phone("wang")
	login := desktop.start()
	callback := attacker.callback(login) // the attacker was at WeChat before the phone
	phone.scan(login)
	for step, a := range map[string]answer{"scan": attacker.scan(login), "callback": attacker.open(callback)} {
		if a.StatusCode != http.StatusConflict || !strings.Contains(a.body, "Another phone") {
			t.Errorf("%s of the second phone: status = %d, want %d and %q in\n%s", step, a.StatusCode, http.StatusConflict, "Another phone", a.body)
		}
	}
	if got := attacker.get(login.confirmURL()).StatusCode; got != http.StatusNotFound {
		t.Errorf("confirm page on the second phone: status = %d, want %d", got, http.StatusNotFound)
	}
	if got := phone.answer(login, "approve").StatusCode; got != http.StatusSeeOther {
		t.Errorf("approval on the first phone: status = %d, want %d", got, http.StatusSeeOther)
	}
}

// TestThreat09IdentityFromTheRequest: the attacker puts the victim's openid, user ID and
// number into every request of a login. An identity comes from WeChat only.
func TestThreat09IdentityFromTheRequest(t *testing.T) {
	w := newWorld(t)
	victim := w.know("wang")
	attacker, phone := w.desktop(), w.phone("lin")
	login := attacker.start()
	claims := "openid=" + w.wechat.OpenID("wang", official.AppID) + "&unionid=u&user_id=" + victim.ID + "&id=" + victim.ID + "&phone=13800138000"
	phone.open(phone.callback(login) + "&" + claims)
	token := phone.get(login.confirmURL()+"?"+claims).find(t, tokenPattern)
	form, _ := url.ParseQuery(claims)
	form.Set("token", token)
	form.Set("answer", "approve")
	phone.post(login.confirmURL(), form)
	attacker.post(login.FinishURL+"?"+claims, form)
	if got := attacker.user(); got == "" || got == victim.ID {
		t.Errorf("login that claims the victim's identity: user = %q, want a new one, not %q", got, victim.ID)
	}
}

// TestThreat10CrossSitePost: another site posts the gate's forms. The gate refuses a
// foreign Origin, a cross-site request, and a form without the login's token.
func TestThreat10CrossSitePost(t *testing.T) {
	w := newWorld(t)
	desktop, phone := w.desktop(), w.phone("lin")
	login := desktop.start()
	token := phone.scan(login).find(t, tokenPattern)
	form := url.Values{"token": {token}, "answer": {"approve"}}
	const evil = "https://evil.example"
	for name, a := range map[string]answer{
		"confirm from a foreign Origin":   phone.post(login.confirmURL(), form, "Origin", evil),
		"confirm with Origin null":        phone.post(login.confirmURL(), form, "Origin", "null"),
		"confirm, Sec-Fetch cross-site":   phone.post(login.confirmURL(), form, "Origin", "", "Sec-Fetch-Site", "cross-site"),
		"confirm, Sec-Fetch same-site":    phone.post(login.confirmURL(), form, "Origin", "", "Sec-Fetch-Site", "same-site"),
		"confirm without a token":         phone.post(login.confirmURL(), url.Values{"answer": {"approve"}}),
		"confirm with a wrong token":      phone.post(login.confirmURL(), url.Values{"answer": {"approve"}, "token": {strings.Repeat("A", 32)}}),
		"finish from a foreign Origin":    desktop.post(login.FinishURL, nil, "Origin", evil),
		"logout from a foreign Origin":    desktop.post("/wechat/logout", nil, "Origin", evil),
		"new login from a foreign Origin": desktop.post("/wechat/login", nil, "Origin", evil, "Content-Type", "application/json"),
		"unlink from a foreign Origin":    desktop.post("/wechat/unlink", nil, "Origin", evil),
	} {
		if a.StatusCode != http.StatusForbidden {
			t.Errorf("%s: status = %d, want %d", name, a.StatusCode, http.StatusForbidden)
		}
	}
	if got := desktop.state(login); got != "scanned" {
		t.Errorf("state after refused forms = %q, want %q", got, "scanned")
	}
	// A modern browser sends Origin null from a page with no-referrer.
	own := phone.post(login.confirmURL(), form, "Origin", "null", "Sec-Fetch-Site", "same-origin")
	if own.StatusCode != http.StatusSeeOther {
		t.Errorf("confirm from the gate's own page: status = %d, want %d", own.StatusCode, http.StatusSeeOther)
	}
}

// TestThreat11ForeignAccount: the attacker approves the desktop's login, so that the
// desktop's owner works in the attacker's account. The page before the session names the
// account.
func TestThreat11ForeignAccount(t *testing.T) {
	w := newWorld(t, withProfile)
	desktop, attacker := w.desktop(), w.phone("wang")
	login := desktop.start()
	w.tapThroughProfile(attacker, attacker.scan(login))
	attacker.answer(login, "approve")
	page := desktop.get("/wechat/login?return_to=/account")
	for _, want := range []string{"Wang Wei", "not your account"} {
		if !strings.Contains(page.body, want) {
			t.Errorf("page of the approved login: no %q in\n%s", want, page.body)
		}
	}
	if got := desktop.user(); got != "" {
		t.Errorf("after a GET of the approved login: user = %q, want none", got)
	}
}

// TestThreat12StateLeaks: the attacker reads a person's details from its own login's
// state. In every state the body holds the state's name and nothing else.
func TestThreat12StateLeaks(t *testing.T) {
	w := newWorld(t, withProfile)
	desktop, phone := w.desktop(), w.phone("wang")
	login := desktop.start()
	check := func(after, state string) {
		t.Helper()
		want := fmt.Sprintf(`{"state":%q}`, state)
		if got := desktop.get(login.StateURL + "?seen=none").body; got != want {
			t.Errorf("state after %s: body = %s, want %s", after, got, want)
		}
	}
	check("the start", "waiting")
	profile := phone.scan(login)
	check("the scan", "scanned")
	w.tapThroughProfile(phone, profile)
	check("the profile", "scanned")
	phone.answer(login, "approve")
	check("the approval", "approved")
	desktop.finish(login)
	check("the finish", "approved")
}

// TestThreat12StateLeaksAfterTheEnd is TestThreat12StateLeaks for logins that end without a
// session. WeChat has identified the person in each of them.
func TestThreat12StateLeaksAfterTheEnd(t *testing.T) {
	t.Parallel()
	for state, end := range map[string]func(w *world, phone *browser, login scan){
		"denied": func(w *world, phone *browser, login scan) {
			w.tapThroughProfile(phone, phone.scan(login))
			phone.answer(login, "deny")
		},
		"rejected": func(w *world, phone *browser, login scan) {
			page := phone.scan(login)
			if page.StatusCode != http.StatusForbidden {
				t.Errorf("scan of a stranger: status = %d, want %d", page.StatusCode, http.StatusForbidden)
			}
		},
		"expired": func(w *world, phone *browser, login scan) {
			w.tapThroughProfile(phone, phone.scan(login))
			phone.answer(login, "approve")
			pass(6 * time.Minute)
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			options := []func(*scangate.Config){withProfile}
			if state == "rejected" {
				options = append(options, closed)
			}
			w := newWorld(t, options...)
			desktop, phone := w.desktop(), w.phone("wang")
			login := desktop.start()
			end(w, phone, login)
			want := fmt.Sprintf(`{"state":%q}`, state)
			for _, seen := range []string{"none", "waiting"} {
				if got := desktop.get(login.StateURL + "?seen=" + seen).body; got != want {
					t.Errorf("state of a login that is %s, seen = %s: body = %s, want %s", state, seen, got, want)
				}
			}
		})
	}
}
