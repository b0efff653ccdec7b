package main

import (
	"slices"
	"testing"

	"github.com/scangate/scangate/wechattest"
)

// TestLoginDoesNotShift checks that the login page's elements keep their places while it
// loads and when its state changes.
func TestLoginDoesNotShift(t *testing.T) {
	browser := startChromium(t)
	for device, agent := range map[string]string{"desktop": wechattest.UserAgentChrome, "phone": mobileSafari} {
		for _, lang := range []string{"zh-CN", "en"} {
			t.Run(device+"/"+lang, func(t *testing.T) {
				v := newVisit(t, browser, lang, withWebsite)
				v.setUserAgent(agent)
				v.login()
				v.waitVisible(`[data-show=waiting]`)
				testLoadingShift(t, v)
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

// testLoadingShift checks that nothing has moved while the page loaded.
func testLoadingShift(t *testing.T, v *visit) {
	t.Helper()
	// The browser reports layout shifts a moment after they happen. The observer also gets
	// those from before.
	shift := read[float64](v, `new Promise(done => {
		let sum = 0;
		new PerformanceObserver(list => list.getEntries().forEach(e => sum += e.value)).observe({ type: "layout-shift", buffered: true });
		setTimeout(() => done(sum), 300);
	})`)
	if shift > 0 {
		t.Errorf("layout shift while loading = %g, want 0", shift)
	}
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
