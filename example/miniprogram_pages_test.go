package main

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
)

// held holds the requests of the mini program to a path until the test lets them go on.
type held struct {
	arrived chan struct{} // receives a value for each request
	goOn    chan struct{} // closed to let them go on
	gone    chan struct{} // receives a value when the mini program has aborted a request
}

// hold holds the requests whose path ends with a text.
func hold(s *site, path string) *held {
	h := &held{make(chan struct{}, 10), make(chan struct{}), make(chan struct{}, 10)}
	intercept := func(_ http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, path) || r.Method != http.MethodPost {
			return false
		}
		// The server notices that a client has gone only after it has read the body.
		sent, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(sent))
		h.arrived <- struct{}{}
		select {
		case <-h.goOn:
			return false
		case <-r.Context().Done():
			h.gone <- struct{}{}
			panic(http.ErrAbortHandler)
		}
	}
	s.intercept.Store(&intercept)
	return h
}

// TestMiniProgramOpenedTwice opens the code again, which replaces the token. The first page
// gets another token by itself, and asks the person once more.
func TestMiniProgramOpenedTwice(t *testing.T) {
	const field = "Type the two digits on the other screen"
	s := newSite(t, both(withMiniProgram, withNumber))
	desktop, phone := newDesktop(t, s), newMiniPhone(t, s, "lin")
	tablet := newMiniPhone(t, s, "lin")
	phone.scan(desktop.login.ScanURL)
	tablet.scan(desktop.login.ScanURL)
	phone.typeInto(field, desktop.number())
	phone.tap("Log in") // with the typed number, which stays
	phone.want("Log in to Example?", "This page was opened again meanwhile. Please answer once more.")
	desktop.wantState("scanned")
	phone.tap("Log in")
	phone.want("Done")
	desktop.finish()
	tablet.tap("Refuse") // too late
	tablet.want("Already finished")
}

// TestMiniProgramLeavesDuringRequest leaves the page while a request is on its way. The
// request ends, and its answer changes nothing.
func TestMiniProgramLeavesDuringRequest(t *testing.T) {
	s := newSite(t, withMiniProgram)
	desktop, phone := newDesktop(t, s), newMiniPhone(t, s, "lin")
	h := hold(s, "/"+desktop.id())
	phone.do(command{"do": "open", "scene": sceneWxCode, "page": miniLogin, "query": map[string]string{"scene": desktop.id()}, "busy": true})
	<-h.arrived
	phone.do(command{"do": "close"})
	<-h.gone
	close(h.goOn)
	phone.scan(desktop.login.ScanURL)
	phone.want("Log in to Example?")
	h = hold(s, "/answer")
	phone.do(command{"do": "tap", "label": "Log in", "busy": true})
	<-h.arrived
	for _, b := range phone.screen.Buttons {
		if !b.Disabled {
			t.Errorf("during the request, the button %q can be tapped, want not", b.Text)
		}
	}
	phone.do(command{"do": "close"})
	<-h.gone
	close(h.goOn)
	phone.scan(desktop.login.ScanURL)
	phone.tap("Log in")
	desktop.finish()
}

// TestMiniProgramInBackground puts the mini program into the background while a request is
// on its way. WeChat interrupts the request. The mini program repeats it when it is back.
func TestMiniProgramInBackground(t *testing.T) {
	s := newSite(t, withMiniProgram)
	desktop, phone := newDesktop(t, s), newMiniPhone(t, s, "lin")
	h := hold(s, "/"+desktop.id())
	phone.do(command{"do": "open", "scene": sceneWxCode, "page": miniLogin, "query": map[string]string{"scene": desktop.id()}, "busy": true})
	<-h.arrived
	phone.do(command{"do": "hide"})
	<-h.gone
	phone.want("One moment…")
	close(h.goOn)
	phone.do(command{"do": "show"})
	phone.want("Log in to Example?")
	phone.do(command{"do": "hide"})
	phone.do(command{"do": "show"})
	h = hold(s, "/answer")
	phone.do(command{"do": "tap", "label": "Log in", "busy": true})
	<-h.arrived
	phone.do(command{"do": "hide"})
	<-h.gone
	close(h.goOn)
	phone.do(command{"do": "show"})
	phone.want("Done")
	desktop.finish()
}

// TestMiniProgramInterrupted reports an interruption when the mini program is in front
// again. It repeats the request once, and then asks the person.
func TestMiniProgramInterrupted(t *testing.T) {
	s := newSite(t, withMiniProgram)
	desktop, phone := newDesktop(t, s), newMiniPhone(t, s, "lin")
	h := hold(s, "/"+desktop.id())
	phone.do(command{"do": "open", "scene": sceneWxCode, "page": miniLogin, "query": map[string]string{"scene": desktop.id()}, "busy": true})
	<-h.arrived
	phone.do(command{"do": "interrupt", "busy": true})
	<-h.gone
	<-h.arrived
	phone.do(command{"do": "interrupt"})
	<-h.gone
	phone.want("The connection was lost")
	close(h.goOn)
	phone.tap("Try again")
	phone.tap("Log in")
	desktop.finish()
}

// TestMiniProgramDoubleTap taps twice, faster than the page can disable its buttons.
func TestMiniProgramDoubleTap(t *testing.T) {
	s := newSite(t, withMiniProgram)
	desktop, phone := newDesktop(t, s), newMiniPhone(t, s, "lin")
	phone.scan(desktop.login.ScanURL)
	phone.do(command{"do": "tap", "label": "Log in", "times": 2})
	phone.want("Done")
	phone.wantRequests("after two taps", 2)
	desktop.finish()
}
