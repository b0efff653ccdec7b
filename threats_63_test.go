package scangate_test

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestThreat63SharedMachine: on a shared machine the attacker approves the login of the
// next person, who then works in the attacker's account without having been asked. Only
// the browser's last user is not asked, until they log out.
func TestThreat63SharedMachine(t *testing.T) {
	w := newWorld(t)
	w.know("lin")
	w.know("wang")
	attacker, victim := w.phone("wang"), w.phone("lin")
	desktop := w.desktop()
	w.scanLogin(desktop, attacker)
	desktop.post("/wechat/logout", nil)
	login := w.approved(desktop, attacker)
	desktop.accountPage().checkAsked(t, "the attacker approves after their own logout", true)
	desktop.post(login.FinishURL, map[string][]string{"answer": {"deny"}})

	w.scanLogin(desktop, attacker)
	desktop.loseSession()
	w.scanLogin(desktop, victim)
	desktop.loseSession()
	login = w.approved(desktop, attacker)
	desktop.accountPage().checkAsked(t, "the attacker approves after the victim's login", true)
	if got := desktop.user(); got != "" {
		t.Errorf("after the page of the account: user = %q, want none", got)
	}
	desktop.post(login.FinishURL, map[string][]string{"answer": {"deny"}})
	w.approved(desktop, victim)
	desktop.accountPage().checkAsked(t, "the victim, who was the last one", false)
}

// TestThreat63CopiedCookie: the attacker copies the cookie of their own browser into the
// victim's, or keeps it for later.
func TestThreat63CopiedCookie(t *testing.T) {
	w := newWorld(t)
	w.know("wang")
	attacker := w.phone("wang")
	source, desktop := w.desktop(), w.browser(firefox)
	w.scanLogin(source, attacker)
	copyLastUser(desktop, source)
	w.approved(desktop, attacker)
	desktop.accountPage().checkAsked(t, "copied into another browser", true)

	w.endSessions("wang")
	again := w.desktop()
	copyLastUser(again, source)
	w.approved(again, attacker)
	again.accountPage().checkAsked(t, "kept over the end of all sessions", true)
}

// TestThreat63ForAMonth: the browser forgets its last user after 30 days.
func TestThreat63ForAMonth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.know("lin")
		desktop, phone := w.desktop(), w.phone("lin")
		for _, c := range []struct {
			after time.Duration
			asked bool
		}{{0, true}, {29 * 24 * time.Hour, false}, {31 * 24 * time.Hour, true}} {
			pass(c.after)
			desktop.loseSession()
			login := w.approved(desktop, phone)
			desktop.accountPage().checkAsked(t, c.after.String(), c.asked)
			desktop.finish(login)
		}
	})
}
