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

// stepsPerWorld is how long one sequence is.
const stepsPerWorld = 100

// TestRandomSequences drives every route by two desktops, two phones and an
// attacker, in any order, in parallel, with faults, and checks after each step
// what must always hold. SCANGATE_STEPS sets how many steps, SCANGATE_SEED
// repeats a sequence.
func TestRandomSequences(t *testing.T) {
	steps := environment(t, "SCANGATE_STEPS", 1000)
	seed := environment(t, "SCANGATE_SEED", rand.Uint64N(1<<32)) //nolint:gosec // a test's choice
	for done := uint64(0); done < steps && !t.Failed(); done += stepsPerWorld {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			endWithin(t, time.Minute)
			synctest.Test(t, func(t *testing.T) { newSequence(t, seed).run() })
		})
		seed++
	}
}

func environment(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	text, ok := os.LookupEnv(name)
	if !ok {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// actor is one browser, and whose it is.
type actor struct {
	*browser
	name   string
	person string // who WeChat says holds it
}

// sequence is a world, the people in it, and what is known to have happened.
type sequence struct {
	*world
	random *rand.Rand
	state  *failingState
	actors []*actor

	mu       sync.Mutex
	attempts []*knownAttempt
	tokens   []string // seen by anybody
	log      []string
}

// knownAttempt is what the test has seen of an attempt, from outside.
type knownAttempt struct {
	scan
	asker     *actor
	approvers map[string]bool // people whose approval was accepted, or may have been
	denied    bool            // a denial was accepted
	sessions  int
}

func newSequence(t *testing.T, seed uint64) *sequence {
	s := &sequence{
		random: rand.New(rand.NewPCG(seed, 0)), //nolint:gosec // to be repeatable
		state:  &failingState{StateStore: scangate.NewMemoryStore()},
	}
	s.world = newWorld(t, func(c *scangate.Config) {
		c.State = s.state
		c.FetchProfile = seed%2 == 0
		c.MatchNumber = seed%3 == 0
		if seed%5 == 0 {
			c.Website = website
		}
	})
	for name, person := range map[string]string{"phone": "lin", "second phone": "wang", "attacker's phone": "yueyue"} {
		s.actors = append(s.actors, &actor{s.phone(person), name, person})
	}
	for _, name := range []string{"desktop", "second desktop", "attacker"} {
		s.actors = append(s.actors, &actor{s.desktop(), name, ""})
	}
	// Maps have no order, and the sequence must have one.
	for i := range s.actors {
		for j := range i {
			if s.actors[i].name < s.actors[j].name {
				s.actors[i], s.actors[j] = s.actors[j], s.actors[i]
			}
		}
	}
	return s
}

// run takes all steps, of which some happen at once.
func (s *sequence) run() {
	for range stepsPerWorld {
		steps := make([]func(), 1+s.random.IntN(3))
		for i := range steps {
			steps[i] = s.choose()
		}
		var together sync.WaitGroup
		for _, step := range steps {
			together.Go(step)
		}
		together.Wait()
		s.check()
		if s.t.Failed() {
			s.t.Logf("the last steps:\n%s", strings.Join(s.log[max(len(s.log)-40, 0):], "\n"))
			return
		}
	}
}

// choose returns a random step. All random choices are made here, in order.
func (s *sequence) choose() func() {
	who := s.actors[s.random.IntN(len(s.actors))]
	if len(s.attempts) == 0 || s.random.IntN(12) == 0 {
		to := "/r" + strconv.Itoa(s.random.IntN(1000))
		return func() { s.begin(who, to) }
	}
	at := s.attempts[s.random.IntN(len(s.attempts))]
	if s.random.IntN(3) > 0 {
		at = s.attempts[len(s.attempts)-1] // the newest is where things happen
	}
	steps := []func(){
		func() { s.visit(who, at.ScanURL) },
		func() { s.visit(who, at.ScanURL) },
		func() { s.visit(who, at.confirmURL()) },
		func() { s.profile(who, at, true) },
		func() { s.profile(who, at, false) },
		func() { s.answer(who, at, "approve", true) },
		func() { s.answer(who, at, "approve", true) },
		func() { s.answer(who, at, "approve", false) },
		func() { s.answer(who, at, "deny", true) },
		func() { s.finish(who, at) },
		func() { s.finish(who, at) },
		func() { s.finish(at.asker, at) },
		func() { s.finish(at.asker, at) },
		func() { s.visit(who, at.StateURL+"?seen=none") },
		func() { s.visit(who, at.QRURL) },
		func() { s.visit(who, "/account") },
		func() { s.visit(who, "/wechat/me") },
		func() { s.strangeCallback(who, at) },
		func() { s.note(who, "logs out", s.do(who, http.MethodPost, "/wechat/logout", "")) },
		func() { s.breakWeChat() },
		func() { s.breakStore() },
		func() { pass(time.Minute) },
	}
	return steps[s.random.IntN(len(steps))]
}

// do sends a request and follows redirects, whatever comes of it.
func (s *sequence) do(who *actor, method, target, body string) answer {
	a, err := who.try(s.t.Context(), true, method, target, body)
	if err != nil {
		if !errors.Is(err, context.DeadlineExceeded) && !strings.Contains(err.Error(), "redirects") {
			s.t.Errorf("%s: %s %s: %v", who.name, method, target, err)
		}
		return answer{Response: &http.Response{Request: &http.Request{URL: &url.URL{}}, Header: http.Header{}}}
	}
	if m := tokenPattern.FindStringSubmatch(a.body); m != nil {
		s.mu.Lock()
		s.tokens = append(s.tokens, m[1])
		s.mu.Unlock()
	}
	if a.StatusCode == http.StatusInternalServerError {
		s.t.Errorf("%s: %s %s: 500\n%s", who.name, method, target, a.body)
	}
	return a
}

func (s *sequence) note(who *actor, what string, a answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = append(s.log, fmt.Sprintf("%s %s: %d %s", who.name, what, a.StatusCode, a.Request.URL))
}

func (s *sequence) begin(who *actor, to string) {
	a, err := who.try(s.t.Context(), false, http.MethodPost, "/wechat/login", `{"return_to":"`+to+`"}`, "Content-Type", "application/json")
	if err != nil || a.StatusCode != http.StatusCreated || !strings.Contains(a.body, `"id"`) {
		return
	}
	id := a.body[len(`{"id":"`) : len(`{"id":"`)+26]
	s.mu.Lock()
	defer s.mu.Unlock()
	known := scan{ID: id, QRURL: "/wechat/login/" + id + "/qr.svg"}.urls()
	if _, after, ok := strings.Cut(a.body, `"match_number":`); ok {
		known.MatchNumber, _ = strconv.Atoi(after[:2])
	}
	s.attempts = append(s.attempts, &knownAttempt{scan: known, asker: who, approvers: map[string]bool{}})
	s.log = append(s.log, who.name+" begins "+id)
}

func (s *sequence) visit(who *actor, target string) {
	s.note(who, "visits "+target, s.do(who, http.MethodGet, target, ""))
}

// profile goes through WeChat's consent page, or past it.
func (s *sequence) profile(who *actor, at *knownAttempt, consent bool) {
	page := s.do(who, http.MethodGet, "/wechat/profile/"+at.ID, "")
	link, token := wechatURLPattern.FindStringSubmatch(page.body), tokenPattern.FindStringSubmatch(page.body)
	switch {
	case consent && link != nil && who.person != "":
		callback, err := s.wechat.Approve(strings.ReplaceAll(link[1], "&amp;", "&"), who.person)
		if err == nil {
			s.note(who, "gives the profile", s.do(who, http.MethodGet, callback, ""))
		}
	case !consent && token != nil:
		s.note(who, "gives no profile", s.do(who, http.MethodPost, "/wechat/profile/"+at.ID, url.Values{"token": {token[1]}}.Encode()))
	}
}

// answer posts the confirm form, with its own token or one that somebody saw.
func (s *sequence) answer(who *actor, at *knownAttempt, answer string, own bool) {
	page := s.do(who, http.MethodGet, at.confirmURL(), "")
	form := url.Values{"answer": {answer}, "number": {strconv.Itoa(at.MatchNumber)}}
	m := tokenPattern.FindStringSubmatch(page.body)
	s.mu.Lock()
	switch {
	case own && m != nil && page.Request.URL.Path == at.confirmURL():
		form.Set("token", m[1])
	case !own && len(s.tokens) > 0:
		form.Set("token", s.tokens[0])
	}
	if answer == "approve" && m != nil && form.Get("token") == m[1] && who.person != "" {
		at.approvers[who.person] = true // noted before, for a finish may come at once
	}
	s.mu.Unlock()
	a, err := who.try(s.t.Context(), false, http.MethodPost, at.confirmURL(), form.Encode())
	if err != nil {
		s.t.Errorf("%s: %s: %v", who.name, answer, err)
		return
	}
	s.note(who, answer+"s "+at.ID, a)
	if answer == "deny" && a.StatusCode == http.StatusSeeOther && a.location() == at.confirmURL() {
		s.mu.Lock()
		at.denied = true
		s.mu.Unlock()
	}
}

// finish posts what only the asker may, and checks a session that begins.
func (s *sequence) finish(who *actor, at *knownAttempt) {
	s.mu.Lock()
	denied := at.denied
	s.mu.Unlock()
	a, err := who.try(s.t.Context(), false, http.MethodPost, at.FinishURL, "")
	if err != nil {
		s.t.Errorf("%s: finish: %v", who.name, err)
		return
	}
	s.note(who, "finishes "+at.ID, a)
	if sessionCookie(a) == nil || a.StatusCode != http.StatusSeeOther {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	at.sessions++
	switch {
	case who != at.asker:
		s.t.Errorf("%s finished the attempt of %s", who.name, at.asker.name)
	case len(at.approvers) == 0:
		s.t.Errorf("%s is in without an approval", who.name)
	case denied:
		s.t.Errorf("%s is in by a denied attempt", who.name)
	case at.sessions > 1:
		s.t.Errorf("attempt %s made %d sessions", at.ID, at.sessions)
	}
}

// strangeCallback sends WeChat's answer for one person to a callback of the
// attempt with a state that somebody made up.
func (s *sequence) strangeCallback(who *actor, at *knownAttempt) {
	s.visit(who, "/wechat/callback?code=CODE&state="+at.ID+"0"+strings.Repeat("A", 32))
}

func (s *sequence) breakWeChat() {
	faults := []wechattest.Fault{{Errcode: -1}, {Errcode: 40029}, {Body: "<html>"}, {Delay: 2 * time.Second}, {Hang: true}}
	s.wechat.Fail(wechattest.OpExchange, 1, faults[int(time.Now().UnixNano())%len(faults)])
}

// breakStore takes the state store away for a second.
func (s *sequence) breakStore() {
	away := errors.New("away")
	s.state.err.Store(&away)
	pass(time.Second)
	s.state.err.Store(nil)
}

// check looks at what must hold at all times.
func (s *sequence) check() {
	// Every user is somebody whom WeChat knows.
	users := map[string]string{}
	for _, person := range []string{"lin", "wang", "yueyue"} {
		if u, err := s.users.UserStore.FindByWeChat(s.t.Context(), s.identity(person)); err == nil {
			if before, ok := users[u.ID]; ok {
				s.t.Errorf("%s and %s are one user", before, person)
			}
			users[u.ID] = person
		}
	}
	for _, who := range s.actors {
		id := who.user()
		if id == "" {
			continue
		}
		person, ok := users[id]
		switch {
		case !ok:
			s.t.Errorf("%s is logged in as %q, whom WeChat does not know", who.name, id)
		case who.person != "" && who.person != person && !s.approvedFor(who, person):
			s.t.Errorf("%s, held by %s, is logged in as %s", who.name, who.person, person)
		case who.person == "" && !s.approvedFor(who, person):
			s.t.Errorf("%s is logged in as %s, who approved nothing of it", who.name, person)
		}
	}
	s.checkFinal()
}

// approvedFor reports whether that person may have approved an attempt of this asker.
func (s *sequence) approvedFor(asker *actor, person string) bool {
	for _, at := range s.attempts {
		if at.asker == asker && at.approvers[person] {
			return true
		}
	}
	return false
}

// checkFinal looks at denied attempts: they stay so.
func (s *sequence) checkFinal() {
	for _, at := range s.attempts {
		if !at.denied {
			continue
		}
		a, err := at.asker.try(s.t.Context(), false, http.MethodGet, at.StateURL+"?seen=none", "")
		if err == nil && a.StatusCode == http.StatusOK && a.body != `{"state":"denied"}` {
			s.t.Errorf("a denied attempt says %s", a.body)
		}
	}
}
