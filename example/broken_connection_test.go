package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// brokenConnection is a connection that breaks when the site has served a form, so that the
// browser does not get the answer.
type brokenConnection struct {
	action  string       // a part of the form's path
	status  atomic.Int32 // of the first answer, which the browser did not get
	mended  atomic.Bool
	arrived atomic.Int32 // the forms since then
}

// breakConnection breaks the connection whenever the browser sends a form to a path with the
// part action.
func (v *visit) breakConnection(action string) *brokenConnection {
	b := &brokenConnection{action: action}
	v.onRequest(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost || !strings.Contains(r.URL.Path, action) {
			return false
		}
		if b.mended.Load() {
			b.arrived.Add(1)
			return false
		}
		answer := httptest.NewRecorder()
		v.app.ServeHTTP(answer, r)
		b.status.CompareAndSwap(0, int32(answer.Code))
		panic(http.ErrAbortHandler) // closes the connection
	})
	return b
}

// mend lets the answers to later forms arrive. It checks the status of the first answer.
func (b *brokenConnection) mend(t *testing.T, want int32) {
	t.Helper()
	if got := b.status.Load(); got != want {
		t.Errorf("POST %s, before the connection broke: status = %d, want %d", b.action, got, want)
	}
	b.mended.Store(true)
}

// wantOneMore checks that the browser has sent the form once since mend.
func (b *brokenConnection) wantOneMore(t *testing.T) {
	t.Helper()
	if got := b.arrived.Load(); got != 1 {
		t.Errorf("POST %s, after the connection broke: %d forms, want 1", b.action, got)
	}
}

// waitForErrorPage waits for the browser's own page, which reports that the connection broke.
func (v *visit) waitForErrorPage() {
	v.t.Helper()
	v.waitFor("the browser's error page", `location.protocol === "chrome-error:"`)
}

// sendAgain loads a page again. If a form has led there, the browser sends the form again.
func (v *visit) sendAgain() {
	v.t.Helper()
	v.call("sending the form again", func(ctx context.Context) error {
		_, err := chromedp.Call(ctx, page.Reload, page.ReloadParams{})
		return err
	})
}

// TestCaseA03ConfirmIsSentAgain: the gate has taken the phone's answer, and the connection
// breaks. The phone sends the answer again, or opens the page again, and gets the outcome.
func TestCaseA03ConfirmIsSentAgain(t *testing.T) {
	browser := startChromium(t)
	for _, c := range []struct{ answer, heading string }{{"approve", "Done"}, {"deny", "Refused"}} {
		t.Run(c.answer, func(t *testing.T) {
			phone := newVisit(t, browser, "en", nil)
			phone.scan("lin")
			confirmURL := read[string](phone, `location.href`)
			connection := phone.breakConnection("/confirm/")
			phone.click(`button[value=` + c.answer + `]`)
			phone.waitForErrorPage()
			connection.mend(t, http.StatusSeeOther)
			phone.sendAgain()
			phone.waitText(`h1`, c.heading)
			connection.wantOneMore(t)
			phone.open(confirmURL)
			phone.waitText(`h1`, c.heading)
		})
	}
}

// TestCaseA03FinishIsSentAgain: the gate has finished the login, and the connection breaks
// before the desktop gets its session. The script or the person sends the form again.
func TestCaseA03FinishIsSentAgain(t *testing.T) {
	browser := startChromium(t)
	t.Run("by the script", func(t *testing.T) {
		desktop := newVisit(t, browser, "en", nil)
		showFinish("lin")(desktop)
		connection := desktop.breakConnection("/finish")
		desktop.mark()
		desktop.click(`form[data-finish] .primary`)
		desktop.waitText(`[role=status]`, "No connection. Trying again…")
		desktop.wantMarked("finish on a broken connection")
		connection.mend(t, http.StatusOK)
		desktop.waitVisible(`#greeting`)
		connection.wantOneMore(t)
	})
	t.Run("by the person", func(t *testing.T) {
		desktop := newVisit(t, browser, "en", nil)
		desktop.beforeScripts(`delete window.fetch`) // the browser itself sends the form
		desktop.login()
		desktop.phoneAnswers("lin", "approve")
		desktop.waitVisible(`form[data-finish]`)
		connection := desktop.breakConnection("/finish")
		desktop.confirmAccount()
		desktop.waitForErrorPage()
		connection.mend(t, http.StatusSeeOther)
		desktop.sendAgain()
		desktop.waitVisible(`#greeting`)
		connection.wantOneMore(t)
	})
}
