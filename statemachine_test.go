package scangate_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechattest"
)

const (
	// defaultSteps is the number of steps that TestRandomSequences takes in all, unless
	// SCANGATE_STEPS sets another:
	//
	//	SCANGATE_STEPS=100000 go test -run TestRandomSequences -timeout 1h .
	defaultSteps = 1000
	// stepsPerWorld is the number of rounds in one world. A round is 1 to 3 actions at
	// once and counts as one step. The next world has the next seed.
	stepsPerWorld = 100
)

// TestRandomSequences drives all routes by two desktops, two phones, and a desktop and a
// phone of the attacker's, in random order, in parallel and with faults. Answers are lost
// and requests sent again, stores fail and panic, and browsers lose their cookies or get
// the attacker's key. After each round it checks the rules that must always hold.
// SCANGATE_SEED repeats a sequence.
func TestRandomSequences(t *testing.T) {
	t.Parallel()
	steps := environment(t, "SCANGATE_STEPS", defaultSteps)
	seed := environment(t, "SCANGATE_SEED", rand.Uint64N(1<<32)) //nolint:gosec // a test's choice
	for done := uint64(0); done < steps && !t.Failed(); done += stepsPerWorld {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			endWithin(t, time.Minute)
			synctest.Test(t, func(t *testing.T) { newSequence(t, seed).run() })
		})
		seed++
	}
}

// environment returns the number in an environment variable, or fallback if it is unset.
func environment(t *testing.T, name string, fallback uint64) uint64 {
	t.Helper()
	text, ok := os.LookupEnv(name)
	if !ok {
		return fallback
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s = %q: error = %v, want a number", name, text, err)
	}
	return n
}

// device is a browser with a name. A phone has a person, whom WeChat identifies; a
// desktop has none.
type device struct {
	*browser
	name       string
	person     string
	connection *connection
	jar        *jar // nil on a phone
	sharesKey  bool // the attacker knows the browser's key; guarded by sequence.mu
}

// newDevice returns a device that uses the browser. A desktop has no person.
func newDevice(b *browser, name, person string) *device {
	d := &device{browser: b, name: name, person: person, connection: &connection{next: b.client.Transport}}
	client := *b.client // a phone's client is the phone's own
	client.Transport = d.connection
	if person == "" {
		d.jar = newJar()
		client.Jar = d.jar
	}
	b.client = &client
	return d
}

// sequence is a world, its devices, and a log of the actions so far.
type sequence struct {
	*world
	random  *rand.Rand
	state   *failingState
	mistake *mistake
	devices []*device

	mu     sync.Mutex
	logins []*knownLogin
	tokens []string // form tokens that any device has seen
	log    []string
}

// knownLogin is a login as the test sees it from outside.
type knownLogin struct {
	scan
	initiator  *device
	initiators map[*device]bool // the initiator, and devices that share its key
	approvers  map[string]bool  // persons whose approval was accepted or is under way
	denied     bool             // a denial was accepted
	sessions   map[string]bool  // the sessions' tokens
}

// newSequence returns a sequence in a new world. The seed chooses the configuration and
// all actions.
func newSequence(t *testing.T, seed uint64) *sequence {
	s := &sequence{
		random:  rand.New(rand.NewPCG(seed, 0)), //nolint:gosec // to be repeatable
		state:   &failingState{StateStore: scangate.NewMemoryStore()},
		mistake: &mistake{},
	}
	s.world = newWorld(t, s.mistake.users, func(c *scangate.Config) {
		c.State = mistakenState{s.state, s.mistake}
		c.Registration.FetchProfile = seed%2 == 0
		if seed%5 == 0 {
			c.Website = website
		}
		c.MatchNumber = seed%3 == 0 && seed%5 != 0 // New refuses it together with Website
	})
	s.devices = []*device{
		newDevice(s.desktop(), "attacker", ""),
		newDevice(s.phone("yueyue"), "attacker's phone", "yueyue"),
		newDevice(s.desktop(), "desktop", ""),
		newDevice(s.phone("lin"), "phone", "lin"),
		newDevice(s.desktop(), "second desktop", ""),
		newDevice(s.phone("wang"), "second phone", "wang"),
	}
	return s
}

// run runs all rounds. The actions of one round run at once.
func (s *sequence) run() {
	for range stepsPerWorld {
		actions := make([]func(), 1+s.random.IntN(3))
		for i := range actions {
			actions[i] = s.choose()
		}
		var round sync.WaitGroup
		for _, action := range actions {
			round.Go(action)
		}
		round.Wait()
		s.check()
		if s.t.Failed() {
			s.t.Logf("the last actions:\n%s", strings.Join(s.log[max(len(s.log)-40, 0):], "\n"))
			return
		}
	}
}

// choose returns a random action. It makes all random choices, in the sequence's order.
func (s *sequence) choose() func() {
	d := s.devices[s.random.IntN(len(s.devices))]
	if len(s.logins) == 0 || s.random.IntN(12) == 0 {
		returnTo := "/r" + strconv.Itoa(s.random.IntN(1000))
		return func() { s.start(d, returnTo) }
	}
	login := s.logins[s.random.IntN(len(s.logins))]
	if s.random.IntN(3) > 0 {
		login = s.logins[len(s.logins)-1] // most actions concern the newest
	}
	faults := []wechattest.Fault{{Errcode: -1}, {Errcode: 40029}, {Body: "<html>"}, {Delay: 2 * time.Second}, {Hang: true}}
	fault := faults[s.random.IntN(len(faults))]
	// An action that is listed twice is twice as likely.
	actions := []func(){
		func() { s.visit(d, login.ScanURL) },
		func() { s.visit(d, login.ScanURL) },
		func() { s.visit(d, login.confirmURL()) },
		func() { s.profile(d, login, true) },
		func() { s.profile(d, login, false) },
		func() { s.answer(d, login, "approve", true) },
		func() { s.answer(d, login, "approve", true) },
		func() { s.answer(d, login, "approve", false) },
		func() { s.answer(d, login, "deny", true) },
		func() { s.finish(d, login) },
		func() { s.finish(d, login) },
		func() { s.finish(login.initiator, login) },
		func() { s.finish(login.initiator, login) },
		func() { s.visit(d, login.StateURL+"?seen=none") },
		func() { s.visit(d, login.QRURL) },
		func() { s.visit(d, "/account") },
		func() { s.visit(d, "/wechat/me") },
		func() { s.forgedCallback(d, login) },
		func() { s.note(d, "logs out", s.do(d, http.MethodPost, "/wechat/logout", "")) },
		func() { s.wechat.Fail(wechattest.OpExchange, 1, fault) },
		func() { s.breakStore() },
		func() { pass(time.Minute) },
	}
	actions = append(actions, s.faults(d)...)
	return actions[s.random.IntN(len(actions))]
}

// do sends a request, follows redirects and returns the last answer. A request that runs
// into a time limit or a loop of redirects has an empty answer.
func (s *sequence) do(d *device, method, target, body string) answer {
	a, err := d.try(s.t.Context(), true, method, target, body)
	if err != nil {
		if !isFault(err) && !errors.Is(err, context.DeadlineExceeded) && !strings.Contains(err.Error(), "redirects") {
			s.t.Errorf("%s: %s %s: error = %v, want an answer", d.name, method, target, err)
		}
		return answer{Response: &http.Response{Request: &http.Request{URL: &url.URL{}}, Header: http.Header{}}}
	}
	if m := tokenPattern.FindStringSubmatch(a.body); m != nil {
		s.mu.Lock()
		s.tokens = append(s.tokens, m[1])
		s.mu.Unlock()
	}
	if a.StatusCode == http.StatusInternalServerError {
		s.t.Errorf("%s: %s %s: status = %d, want another\n%s", d.name, method, target, a.StatusCode, a.body)
	}
	return a
}

// note adds an action and its answer to the log.
func (s *sequence) note(d *device, action string, a answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = append(s.log, fmt.Sprintf("%s %s: %d %s", d.name, action, a.StatusCode, a.Request.URL))
}

// start starts a login. An answer that has none, such as a 503, is ignored.
func (s *sequence) start(d *device, returnTo string) {
	a, err := d.try(s.t.Context(), false, http.MethodPost, "/wechat/login", `{"return_to":"`+returnTo+`"}`, "Content-Type", "application/json")
	if err != nil || a.StatusCode != http.StatusCreated || !strings.Contains(a.body, `"id"`) {
		return
	}
	id := a.body[len(`{"id":"`) : len(`{"id":"`)+26]
	s.mu.Lock()
	defer s.mu.Unlock()
	login := scan{ID: id, QRURL: "/wechat/login/" + id + "/qr.svg"}.urls()
	if _, after, ok := strings.Cut(a.body, `"match_number":`); ok {
		login.MatchNumber, _ = strconv.Atoi(after[:2])
	}
	s.log = append(s.log, d.name+" starts "+id)
	for _, known := range s.logins {
		if known.ID == id { // the browser's open login
			s.initiate(d, known)
			return
		}
	}
	known := &knownLogin{scan: login, initiator: d, initiators: map[*device]bool{}, approvers: map[string]bool{}, sessions: map[string]bool{}}
	s.initiate(d, known)
	s.logins = append(s.logins, known)
}

// visit opens a page and follows redirects.
func (s *sequence) visit(d *device, target string) {
	s.note(d, "visits "+target, s.do(d, http.MethodGet, target, ""))
}

// profile answers the profile page: with consent it goes through WeChat's consent page,
// otherwise it posts the form that skips the profile.
func (s *sequence) profile(d *device, login *knownLogin, consent bool) {
	page := s.do(d, http.MethodGet, "/wechat/profile/"+login.ID, "")
	link, token := wechatURLPattern.FindStringSubmatch(page.body), tokenPattern.FindStringSubmatch(page.body)
	switch {
	case consent && link != nil && d.person != "":
		callback, err := s.wechat.Approve(strings.ReplaceAll(link[1], "&amp;", "&"), d.person)
		if err == nil {
			s.note(d, "gives the profile", s.do(d, http.MethodGet, callback, ""))
		}
	case !consent && token != nil:
		s.note(d, "skips the profile", s.do(d, http.MethodPost, "/wechat/profile/"+login.ID, url.Values{"token": {token[1]}}.Encode()))
	}
}

// answer posts the confirm form, with the token of its own page or, if own is false,
// with one that some device has seen.
func (s *sequence) answer(d *device, login *knownLogin, answer string, own bool) {
	page := s.do(d, http.MethodGet, login.confirmURL(), "")
	form := url.Values{"answer": {answer}, "number": {strconv.Itoa(login.MatchNumber)}}
	m := tokenPattern.FindStringSubmatch(page.body)
	s.mu.Lock()
	switch {
	case own && m != nil && page.Request.URL.Path == login.confirmURL():
		form.Set("token", m[1])
	case !own && len(s.tokens) > 0:
		form.Set("token", s.tokens[0])
	}
	if answer == "approve" && (m == nil || form.Get("token") == m[1]) && d.person != "" {
		// Noted before the request, because a finish can succeed before its answer is here.
		// If a fault hid the page, a token that was seen before may be the right one.
		login.approvers[d.person] = true
	}
	s.mu.Unlock()
	a, err := d.try(s.t.Context(), false, http.MethodPost, login.confirmURL(), form.Encode())
	if err != nil {
		if !isFault(err) {
			s.t.Errorf("%s: %s %s: error = %v, want an answer", d.name, answer, login.ID, err)
		}
		return
	}
	s.note(d, "answers "+answer+" to "+login.ID, a)
	if answer == "deny" && a.StatusCode == http.StatusSeeOther && a.location() == login.confirmURL() {
		s.mu.Lock()
		login.denied = true
		s.mu.Unlock()
	}
}

// finish posts the finish, and checks that only an approved login makes a session, once
// and for its initiator.
func (s *sequence) finish(d *device, login *knownLogin) {
	s.mu.Lock()
	denied := login.denied
	s.mu.Unlock()
	a, err := d.try(s.t.Context(), false, http.MethodPost, login.FinishURL, "")
	if err != nil {
		if !isFault(err) {
			s.t.Errorf("%s: finish %s: error = %v, want an answer", d.name, login.ID, err)
		}
		return
	}
	s.note(d, "finishes "+login.ID, a)
	cookie := sessionCookie(a)
	if cookie == nil || a.StatusCode != http.StatusSeeOther {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	// A browser that lost the answer asks again and gets the same session.
	login.sessions[cookie.Value] = true
	switch {
	case !login.initiators[d]:
		s.t.Errorf("%s: finish %s of the %s: got a session, want none", d.name, login.ID, login.initiator.name)
	case len(login.approvers) == 0:
		s.t.Errorf("%s: finish %s without an approval: got a session, want none", d.name, login.ID)
	case denied:
		s.t.Errorf("%s: finish %s, which was denied: got a session, want none", d.name, login.ID)
	case len(login.sessions) > 1:
		s.t.Errorf("%s: finish %s: sessions = %d, want 1", d.name, login.ID, len(login.sessions))
	}
}

// forgedCallback opens the login's callback with a made-up code and MAC.
func (s *sequence) forgedCallback(d *device, login *knownLogin) {
	s.visit(d, "/wechat/callback?code=CODE&state="+login.ID+"0"+strings.Repeat("A", 32))
}

// breakStore makes the state store fail for a second.
func (s *sequence) breakStore() {
	away := errors.New("away")
	s.state.err.Store(&away)
	pass(time.Second)
	s.state.err.Store(nil)
}

// check checks the rules that must always hold. A person is one user. A device is logged
// in as its own person, or as a person whose approval it has.
func (s *sequence) check() {
	s.mistake.armed.Store(false)  // it must not hit a request of the check
	people := map[string]string{} // by user ID
	for _, person := range []string{"lin", "wang", "yueyue"} {
		if u, err := s.users.UserStore.FindByWeChat(s.t.Context(), s.identity(person)); err == nil {
			if other, ok := people[u.ID]; ok {
				s.t.Errorf("FindByWeChat: %s and %s are both the user %q, want two users", other, person, u.ID)
			}
			people[u.ID] = person
		}
	}
	for _, d := range s.devices {
		id := d.user()
		if id == "" {
			continue
		}
		person, ok := people[id]
		switch {
		case !ok:
			s.t.Errorf("%s: user = %q, want one whom WeChat identified", d.name, id)
		case d.person != "" && d.person != person && !s.approvedFor(d, person):
			s.t.Errorf("%s of %s: logged in as %s, who approved no login of it", d.name, d.person, person)
		case d.person == "" && !s.approvedFor(d, person):
			s.t.Errorf("%s: logged in as %s, who approved no login of it", d.name, person)
		}
	}
	s.checkDenied()
}

// approvedFor reports whether the person may have approved a login of the initiator.
func (s *sequence) approvedFor(initiator *device, person string) bool {
	for _, login := range s.logins {
		if login.initiators[initiator] && login.approvers[person] {
			return true
		}
	}
	return false
}

// checkDenied checks that denied logins stay denied.
func (s *sequence) checkDenied() {
	for _, login := range s.logins {
		if !login.denied {
			continue
		}
		a, err := login.initiator.try(s.t.Context(), false, http.MethodGet, login.StateURL+"?seen=none", "")
		if err == nil && a.StatusCode == http.StatusOK && a.body != `{"state":"denied"}` {
			s.t.Errorf("state of the denied login %s: body = %s, want denied", login.ID, a.body)
		}
	}
}
