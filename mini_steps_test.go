package scangate_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/scangate/scangate"
)

// approved finishes the login of the desktop, and returns the user's ID.
func approved(t *testing.T, desktop *browser, s scan, a miniAnswer) string {
	t.Helper()
	wantStep(t, "approve", a, "done")
	if a.State != "approved" {
		t.Errorf("approve: state = %q, want approved", a.State)
	}
	if a := desktop.finish(s); a.StatusCode != http.StatusSeeOther {
		t.Errorf("finish: status = %d, want 303\n%s", a.StatusCode, a.body)
	}
	return desktop.user()
}

func TestMiniProgramBindsANewNumberByOneTap(t *testing.T) {
	sms := &texts{}
	w := newWorld(t, miniOnly, withProfile, sms.withPhone)
	desktop, phone := w.desktop(), w.mini("lin")
	s := desktop.start()
	wantStep(t, "scan", phone.enter(s), "phone")
	wantStep(t, "number", phone.number(s, "code", phone.numberCode("13800138000")), "confirm")
	id := approved(t, desktop, s, phone.answer(s, "approve"))
	user, err := w.users.FindByPhone(t.Context(), mobile)
	if err != nil || user.ID != id || id == "" || sms.sent != 0 {
		t.Errorf("user = %+v, %v, with %d messages, want %s with the number and no message", user, err, sms.sent, id)
	}
}

// A number that belongs to a user makes a new person that user after a one-time code.
func TestMiniProgramLinksAKnownNumberAfterACode(t *testing.T) {
	for name, option := range map[string]func(*texts) func(*scangate.Config){
		"Phone.Require":   func(s *texts) func(*scangate.Config) { return s.withPhone },
		"RegisterByPhone": func(s *texts) func(*scangate.Config) { return s.byPhone },
	} {
		t.Run(name, func(t *testing.T) {
			sms := &texts{}
			w := newWorld(t, miniOnly, option(sms))
			known, err := w.users.Register(t.Context(), scangate.NewUser{
				Identity: scangate.Identity{AppID: website.AppID, OpenID: "oKnown"}, Phone: mobile,
			})
			if err != nil {
				t.Fatalf("register a user with a number: %v", err)
			}
			desktop, phone := w.desktop(), w.mini("lin")
			s := desktop.start()
			wantStep(t, "scan", phone.enter(s), "phone")
			a := phone.number(s, "code", phone.numberCode("13800138000"))
			wantStep(t, "number", a, "code")
			if a.Phone == "" || strings.Contains(a.body, "13800138000") || sms.sent != 1 {
				t.Errorf("number: %s after %d messages, want the masked number after one", a.body, sms.sent)
			}
			wantProblem(t, "wrong code", phone.number(s, "sms", "000000"), http.StatusForbidden, "code_wrong")
			wantProblem(t, "malformed code", phone.number(s, "sms", "12"), http.StatusForbidden, "code_wrong")
			wantStep(t, "right code", phone.number(s, "sms", sms.to(mobile)), "confirm")
			if id := approved(t, desktop, s, phone.answer(s, "approve")); id != known.ID {
				t.Errorf("user = %q, want %q", id, known.ID)
			}
		})
	}
}

func TestMiniProgramNumbers(t *testing.T) {
	sms := &texts{}
	w := newWorld(t, miniOnly, sms.byPhone)
	desktop, phone := w.desktop(), w.mini("lin")
	s := desktop.start()
	wantStep(t, "scan", phone.enter(s), "phone")
	path := "/wechat/mini/" + s.ID + "/phone"
	wantProblem(t, "nothing", phone.post(path, map[string]any{"token": phone.token}), http.StatusBadRequest, "bad_request")
	wantProblem(t, "an empty code", phone.number(s, "code", ""), http.StatusBadRequest, "bad_request")
	wantProblem(t, "a code with spaces", phone.number(s, "code", "a b"), http.StatusBadRequest, "bad_request")
	wantProblem(t, "a long code", phone.number(s, "code", strings.Repeat("a", 257)), http.StatusBadRequest, "bad_request")
	wantProblem(t, "a made up code", phone.number(s, "code", "made-up"), http.StatusForbidden, "restart")
	wantProblem(t, "no number", phone.number(s, "phone", "123"), http.StatusBadRequest, "phone_invalid")
	wantStep(t, "a typed number", phone.number(s, "phone", "138 0013 8000"), "code")
	a := phone.post(path, map[string]any{"token": phone.token})
	wantProblem(t, "another code at once", a, http.StatusTooManyRequests, "too_many_codes")
	// Under RegisterByPhone a number of no user admits no one.
	wantProblem(t, "an unknown number", phone.number(s, "sms", sms.to(mobile)), http.StatusForbidden, "not_registered")
	if got := desktop.state(s); got != "rejected" {
		t.Errorf("state = %q, want rejected", got)
	}
	wantStep(t, "entering again", phone.enter(s), "phone")
}

func TestMiniProgramAsksForTerms(t *testing.T) {
	w := newWorld(t, miniOnly, withTerms)
	desktop, phone := w.desktop(), w.mini("lin")
	s := desktop.start()
	a := phone.enter(s)
	wantStep(t, "scan", a, "confirm") // the question has the box
	if a.Agreement != versions || len(a.Terms) != 2 || !strings.Contains(string(a.Terms[0]), appURL+"/terms") {
		t.Errorf("scan: %s, want the versions and complete URLs", a.body)
	}
	wantProblem(t, "approve without agreeing", phone.answer(s, "approve"), http.StatusBadRequest, "terms_required")
	wantProblem(t, "approve other versions", phone.answer(s, "approve", "agree", "1"), http.StatusBadRequest, "terms_required")
	approved(t, desktop, s, phone.answer(s, "approve", "agree", a.Agreement))
	if got := strings.Join(w.happened(), " "); !strings.HasSuffix(got, " registered agreed approved finished") {
		t.Errorf("events = %v, want registered and agreed before approved", got)
	}
}

// A new person agrees before their phone number is asked for.
func TestMiniProgramAsksForTermsFirst(t *testing.T) {
	sms := &texts{}
	w := newWorld(t, miniOnly, withTerms, withNumber, sms.withPhone)
	desktop, phone := w.desktop(), w.mini("lin")
	s := desktop.start()
	a := phone.enter(s)
	wantStep(t, "scan", a, "terms")
	wantStep(t, "a number before the terms", phone.number(s, "code", phone.numberCode("13800138000")), "terms")
	wantProblem(t, "terms without agreeing", phone.answer(s, "approve"), http.StatusBadRequest, "terms_required")
	wantStep(t, "terms", phone.answer(s, "approve", "agree", a.Agreement), "phone")
	wantStep(t, "number", phone.number(s, "code", phone.numberCode("13800138000")), "confirm")
	approved(t, desktop, s, phone.answer(s, "approve", "number", s.MatchNumber))
}

func TestMiniProgramClosedRegistration(t *testing.T) {
	closed := func(c *scangate.Config) { c.Registration.Mode = scangate.RegisterClosed }
	w := newWorld(t, miniOnly, closed)
	desktop, phone := w.desktop(), w.mini("lin")
	s := desktop.start()
	wantProblem(t, "scan by a new person", phone.enter(s), http.StatusForbidden, "not_registered")
	if got := desktop.state(s); got != "rejected" {
		t.Errorf("state = %q, want rejected", got)
	}
	wantProblem(t, "login of a new person", phone.post("/wechat/mini/login", map[string]any{"code": phone.loginCode()}), http.StatusForbidden, "not_registered")

	w = newWorld(t, miniOnly, closed, func(c *scangate.Config) { c.Registration.URL = "/join" })
	desktop, phone = w.desktop(), w.mini("lin")
	s = desktop.start()
	a := phone.enter(s)
	wantStep(t, "scan by a new person", a, "register")
	if want := appURL + "/join?login=" + s.ID; a.RegisterURL != want {
		t.Errorf("register_url = %q, want %q", a.RegisterURL, want)
	}
	wantStep(t, "approve before the registration", phone.answer(s, "approve"), "register")
	form := url.Values{"login": {s.ID}, "token": {phone.token}}
	registration := &http.Request{Method: http.MethodPost, Form: form, PostForm: form}
	pending, err := w.gate.Pending(registration.WithContext(t.Context()))
	if err != nil || pending.Identity.AppID != mini.AppID || pending.Identity.UnionID == "" {
		t.Fatalf("Pending = %+v, %v, want the person", pending, err)
	}
	user, err := w.users.Register(t.Context(), scangate.NewUser{Identity: pending.Identity})
	if err != nil {
		t.Fatalf("register: %v", err)
	}
	if id := approved(t, desktop, s, phone.answer(s, "approve")); id != user.ID {
		t.Errorf("user = %q, want %q", id, user.ID)
	}
}

func TestMiniProgramMatchNumber(t *testing.T) {
	w := newWorld(t, miniOnly, withNumber)
	for _, number := range []func(scan) any{func(s scan) any { return s.MatchNumber }, func(s scan) any { return s.number() }} {
		desktop, phone := w.desktop(), w.mini("lin")
		s := desktop.start()
		if a := phone.enter(s); a.Number != 0 || strings.Contains(a.body, `"number"`) {
			t.Errorf("scan: %s, want no number", a.body)
		}
		approved(t, desktop, s, phone.answer(s, "approve", "number", number(s)))
	}
	for name, number := range map[string]func(scan) any{
		"a wrong": func(s scan) any { return s.wrongNumber() }, "no": func(scan) any { return "" }, "a fraction": func(s scan) any { return float64(s.MatchNumber) + 0.5 },
	} {
		desktop, phone := w.desktop(), w.mini("lin")
		s := desktop.start()
		phone.enter(s)
		for range 2 { // the same request again has the same answer
			if a := phone.answer(s, "approve", "number", number(s)); a.StatusCode != http.StatusOK || a.State != "denied" {
				t.Errorf("%s number: status = %d, state = %q, want 200 and denied", name, a.StatusCode, a.State)
			}
		}
		wantProblem(t, name+" number and then the right one", phone.answer(s, "approve", "number", s.number()), http.StatusConflict, "denied")
		if got := desktop.state(s); got != "denied" {
			t.Errorf("%s number: state = %q, want denied", name, got)
		}
	}
}

func TestMiniProgramRefusals(t *testing.T) {
	w := newWorld(t, miniOnly)
	desktop, phone, other := w.desktop(), w.mini("lin"), w.mini("wang")
	s := desktop.start()
	phone.enter(s)
	wantProblem(t, "another person", other.enter(s), http.StatusConflict, "in_use")
	wantProblem(t, "no answer", phone.answer(s, "maybe"), http.StatusBadRequest, "bad_request")
	first := phone.token
	wantStep(t, "the same person again", phone.enter(s), "confirm")
	again := phone.token
	if again == first {
		t.Error("token of a fresh code is the earlier one, want another")
	}
	phone.token = first
	wantProblem(t, "the earlier token", phone.answer(s, "approve"), http.StatusNotFound, "unknown")
	phone.token = again
	for range 2 {
		if a := phone.answer(s, "deny"); a.Step != "done" || a.State != "denied" {
			t.Errorf("deny: %s, want the step done and the state denied", a.body)
		}
	}
	wantProblem(t, "approve after deny", phone.answer(s, "approve"), http.StatusConflict, "denied")
	wantProblem(t, "another code after deny", phone.enter(s), http.StatusConflict, "denied")
	if got := desktop.state(s); got != "denied" {
		t.Errorf("state = %q, want denied", got)
	}
	wantProblem(t, "an unknown login", phone.enter(scan{ID: unknownLoginID}), http.StatusNotFound, "unknown")
	wantProblem(t, "a malformed ID", phone.enter(scan{ID: "x"}), http.StatusNotFound, "unknown")
	wantProblem(t, "no code", phone.post("/wechat/mini/"+s.ID, map[string]any{}), http.StatusBadRequest, "bad_request")
	wantProblem(t, "a list", phone.post("/wechat/mini/login", map[string]any{"code": []string{"a"}}), http.StatusBadRequest, "bad_request")
}
