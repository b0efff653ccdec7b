package main

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

// openAtOnce opens the paths in tabs of one window at the same time. The site holds its answers
// back until all of the requests have arrived, so that the browser sends no cookie with any of
// them. It answers in the order of the paths: the cookies of the last tab stay.
func (v *visit) openAtOnce(paths ...string) []*visit {
	v.t.Helper()
	arrived, answers := make(chan string, len(paths)), make(map[string]chan struct{})
	for _, path := range paths {
		answers[path] = make(chan struct{})
	}
	v.onRequest(func(_ http.ResponseWriter, r *http.Request) bool {
		answer, held := answers[r.URL.RequestURI()]
		if !held {
			return false
		}
		select {
		case <-answer: // this is a later request
			return false
		default:
		}
		arrived <- r.Header.Get("Cookie")
		select {
		case <-answer:
		case <-r.Context().Done():
		}
		return false
	})
	tabs := make([]*visit, len(paths))
	for i, path := range paths {
		tabs[i] = v.another(false)
		// Not open, which waits until the page is there.
		tabs[i].evaluate(fmt.Sprintf(`setTimeout(() => location.href = %q)`, v.url+path))
	}
	for range paths {
		select {
		case cookies := <-arrived:
			if cookies != "" {
				v.t.Errorf("one of %d tabs at once: cookies = %q, want none", len(paths), cookies)
			}
		case <-time.After(patience):
			v.t.Fatalf("%d tabs at once: their requests have not arrived after %v", len(paths), patience)
		}
	}
	for i, path := range paths {
		close(answers[path])
		tabs[i].waitFor("the page of "+path, `location.protocol === "http:" && `+scriptsRan)
	}
	return tabs
}

// TestCaseA05TabsAtOnce: four tabs of a fresh browser open the login on WeChat's page at the same
// time, so that each answer sets another cookie. Each tab can be logged in, and arrives at its
// own page.
func TestCaseA05TabsAtOnce(t *testing.T) {
	desktop := newVisit(t, startFullChromium(t), "en", withWebsite)
	var paths []string
	for i := range 4 {
		paths = append(paths, fmt.Sprintf("/wechat/login?with=website&return_to=/account%%3Ftab=%d", i))
	}
	for i, tab := range desktop.openAtOnce(paths...) {
		tab.front()
		tab.click(`a[href*="person=lin"]`)
		tab.click(`a[href*="answer=allow"]`)
		tab.wantArrived(i)
	}
}

// wantArrived waits until the tab with a number is at its own page, logged in.
func (v *visit) wantArrived(number int) {
	v.t.Helper()
	v.waitVisible(`#greeting`)
	if got, want := read[string](v, `location.pathname + location.search`), fmt.Sprintf("/account?tab=%d", number); got != want {
		v.t.Errorf("tab %d is logged in at %q, want %q", number, got, want)
	}
}
