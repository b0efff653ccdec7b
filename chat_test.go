package scangate_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/scangate/scangate"
)

func TestScanToFollowAndAnswerInTheChat(t *testing.T) {
	w := newChatWorld(t, scangate.ScanFollow)
	desktop := w.desktop()
	s := desktop.start()
	if got := desktop.state(s); got != "waiting" {
		t.Errorf("before the scan: state = %q, want waiting", got)
	}
	scene := w.account.scene(s.ScanURL)
	question := w.push(w.event("lin", "subscribe", "qrscene_"+scene))
	for _, want := range []string{"If you only wanted to follow this account, ignore this message.\n", "Example", "Chrome · Windows", "reply 0"} {
		if !strings.Contains(question, want) {
			t.Errorf("question: got %q, want it to contain %q", question, want)
		}
	}
	if strings.Contains(question, s.number()) || strings.Contains(question, "http") {
		t.Errorf("question: got %q, want neither the number %s nor a link", question, s.number())
	}
	if got := desktop.state(s); got != "scanned" {
		t.Errorf("after the scan: state = %q, want scanned", got)
	}
	if a := desktop.finish(s); a.StatusCode != http.StatusConflict {
		t.Errorf("finish before the answer: status = %d, want %d", a.StatusCode, http.StatusConflict)
	}
	if got, want := w.say("lin", s.number()), "Confirmed. Return to the login page."; got != want {
		t.Errorf("reply to the number: %q, want %q", got, want)
	}
	if a := desktop.finish(s); a.StatusCode != http.StatusSeeOther || desktop.user() == "" {
		t.Errorf("finish: status = %d, user = %q, want %d and a user", a.StatusCode, desktop.user(), http.StatusSeeOther)
	}
	if got, want := strings.Join(w.happened(), " "), "started identified refused registered approved finished"; got != want {
		t.Errorf("events = %s, want %s", got, want)
	}
}
