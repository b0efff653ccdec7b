package main

import (
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/scangate/scangate/wechattest"
)

// TestLoginDoesNotShift checks that the login page's elements keep their places while it
// loads and when its state changes.
func TestLoginDoesNotShift(t *testing.T) {
	browser := startChromium(t)
	for i, device := range []struct{ name, agent string }{{"desktop", wechattest.UserAgentChrome}, {"phone", mobileSafari}} {
		for _, lang := range turns(i, "zh-CN", "en") {
			t.Run(device.name+"/"+lang, func(t *testing.T) {
				t.Parallel()
				v := newVisit(t, browser, lang, withWebsite)
				v.setUserAgent(device.agent)
				v.openSlowly("/wechat/login?return_to=/account")
				if got := v.shifts(); len(got) > 0 {
					t.Errorf("layout shifts while loading = %q, want none", got)
				}
				want := v.places()
				for _, state := range []string{"scanned", "offline", "denied"} {
					v.showState(state)
					for w, got := range v.places() {
						if !slices.Equal(got, want[w]) {
							t.Errorf("%s window, state %s: places = %v, want %v as before", w, state, got, want[w])
						}
					}
					testInsidePanel(t, v, state)
				}
			})
		}
	}
}

// openSlowly opens a path of the site on a slow connection. The page arrives in two pieces,
// and its script after the browser has painted the page.
func (v *visit) openSlowly(path string) {
	v.t.Helper()
	rest, script := make(chan struct{}), make(chan struct{})
	slow := func(w http.ResponseWriter, r *http.Request) bool {
		switch {
		case strings.HasSuffix(r.URL.Path, ".js"):
			await(r.Context(), script)
			return false // the site answers
		case r.URL.RequestURI() == path:
			serveInTwo(w, r, v.app, `<div class="status"`, rest)
			return true
		}
		return false
	}
	v.intercept.Store(&slow)
	defer v.intercept.Store(nil)
	// Navigate would wait for the script.
	v.evaluate(`setTimeout(() => location.assign("` + v.url + path + `"))`)
	v.waitFor("the first piece of the page", `document.querySelector("h1") !== null`)
	// The browser has some time to paint half a page. It must not use it.
	read[bool](v, `new Promise(done => setTimeout(done, 300, true))`)
	close(rest)
	v.waitFor("the first paint", `performance.getEntriesByName("first-contentful-paint").length > 0`)
	close(script)
	v.waitFor("the end of loading", `document.readyState === "complete"`)
}

// await waits until a channel is closed or the context ends.
func await(ctx context.Context, closed <-chan struct{}) {
	select {
	case <-closed:
	case <-ctx.Done():
	}
}

// serveInTwo answers with a handler's page. It sends the part in front of mark at once, and
// the rest when the channel is closed.
func serveInTwo(w http.ResponseWriter, r *http.Request, app http.Handler, mark string, rest <-chan struct{}) {
	page := httptest.NewRecorder()
	app.ServeHTTP(page, r)
	maps.Copy(w.Header(), page.Header())
	w.WriteHeader(page.Code)
	first, second, _ := strings.Cut(page.Body.String(), mark)
	_, _ = io.WriteString(w, first)
	_ = http.NewResponseController(w).Flush()
	await(r.Context(), rest)
	_, _ = io.WriteString(w, mark+second)
}

// shifts returns the layout shifts since the page was opened: the score of each, and the
// elements that have moved.
func (v *visit) shifts() []string {
	v.t.Helper()
	// The browser reports shifts after the frame in which they happen. The observer also
	// gets those from before.
	return read[[]string](v, `new Promise(done => {
		const all = [];
		const box = r => [r.x, r.y, r.width, r.height].join(" ");
		const name = node => node ? node.nodeName + (node.className ? "." + node.className : "") : "removed";
		const note = list => list.forEach(e => all.push(e.value + ": " + e.sources.map(s => name(s.node) + " from " + box(s.previousRect) + " to " + box(s.currentRect)).join(", ")));
		const observer = new PerformanceObserver(list => note(list.getEntries()));
		observer.observe({ type: "layout-shift", buffered: true });
		requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => { note(observer.takeRecords()); done(all) }, 100)));
	})`)
}

// places returns the places and sizes of the login page's elements, by the name of the
// window.
func (v *visit) places() map[string][]float64 {
	v.t.Helper()
	at := make(map[string][]float64)
	for _, w := range append(windows, window{"narrow", 320, 568}) {
		v.setWindow(w, "light")
		at[w.name] = read[[]float64](v, `["main", "h1", ".number", ".stage", ".timer"].flatMap(s => { const r = document.querySelector(s).getBoundingClientRect(); return [r.x, r.y + scrollY, r.width, r.height] })`)
	}
	return at
}

// testInsidePanel checks that the texts of a state fit into their panel, which has a fixed
// height.
func testInsidePanel(t *testing.T, v *visit, state string) {
	t.Helper()
	outside := read[[]string](v, `(() => { const panel = document.querySelector(".status > div:not([hidden])"); if (!panel) return []; const p = panel.getBoundingClientRect();
		return [...panel.children].filter(e => { const r = e.getBoundingClientRect(); return r.top < p.top || r.bottom > p.bottom }).map(e => e.outerHTML) })()`)
	if len(outside) > 0 {
		t.Errorf("state %s: elements outside the panel: %q, want none", state, outside)
	}
}
