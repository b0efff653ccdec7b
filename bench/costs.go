package main

import (
	"io"
	"slices"
	"strings"

	"github.com/google/pprof/profile"
)

// cost assigns CPU time to a name. function is the prefix of a function's name.
type cost struct{ function, name string }

// garbage is the name of the garbage collector's cost.
const garbage = "garbage collection"

// serveHTTPFunction is in the stack of every sample that belongs to a request.
const serveHTTPFunction = "github.com/scangate/scangate.(*Gate).ServeHTTP"

// excludedCosts are not the library's. A frame anywhere in the stack decides.
var excludedCosts = []cost{
	{"github.com/scangate/scangate/wechattest.", "(the simulated WeChat)"},
	{"runtime/pprof.", "(the profile itself)"},
}

// costs are the costs of the library and of the calls that it causes. The innermost frame
// decides; for one frame, the first entry that matches.
var costs = []cost{
	{"runtime.gcBgMarkWorker", garbage},
	{"runtime.gcAssistAlloc", garbage},
	{"runtime.bgsweep", garbage},
	{"runtime.bgscavenge", garbage},
	{"html/template.", "pages: html/template"},
	{"text/template.", "pages: html/template"},
	{"github.com/scangate/scangate.PageData.T", "pages: looking up texts"},
	{"strings.(*Replacer)", "pages: looking up texts"},
	{"rsc.io/qr", "QR code"},
	{"github.com/scangate/scangate/internal/pages.QRCode", "QR code"},
	{"encoding/json.", "JSON answers"},
	{"github.com/gomodule/redigo/", "Redis: redigo and system calls"},
	{"crypto/", "crypto: HMAC, SHA-256, random"},
	{"github.com/alexedwards/scs/", "sessions: scs"},
	{"net/http.(*ServeMux)", "routing"},
	{"net/http.(*Client)", "the call to WeChat"},
	{"net/http.send", "the call to WeChat"},
	{"github.com/scangate/scangate/wechat.", "the call to WeChat"},
	{"github.com/scangate/scangate.(*MemoryStore)", "MemoryStore"},
	{"github.com/scangate/scangate.(*memory", "MemoryStore"},
	{"github.com/scangate/scangate/internal/session.(*MemoryStore)", "MemoryStore"},
	{"github.com/scangate/scangate/internal/ttlmap.", "MemoryStore"},
	{"net/http.SetCookie", "cookies and headers"},
	{"net/http.readCookies", "cookies and headers"},
	{"net/textproto.", "cookies and headers"},
	{"net/url.", "URLs and queries"},
	{"mime.", "URLs and queries"},
	{"log/slog.", "logging"},
	{"github.com/scangate/scangate.", "the gate's own code"},
	{"github.com/scangate/scangate/internal/", "the gate's own code"},
	{"net/http.", "cookies and headers"},
	{"runtime.", "the scheduler and the rest of the runtime"},
}

// reportCosts adds rows with the five largest costs of the library in a CPU profile, as
// parts of its total.
func (s *sheet) reportCosts(backendName string, r io.Reader) error {
	p, err := profile.Parse(r)
	if err != nil {
		return err
	}
	times := make(map[string]int64)
	own, all := int64(0), int64(0)
	for _, one := range p.Sample {
		spent, name := one.Value[len(one.Value)-1], costOf(one) // the last value is CPU time
		all += spent
		// Names in parentheses are the benchmark's or the simulator's.
		if !strings.HasPrefix(name, "(") {
			times[name] += spent
			own += spent
		}
	}
	var sorted []string
	for name := range times {
		sorted = append(sorted, name)
	}
	slices.SortFunc(sorted, func(a, b string) int { return int(times[b] - times[a]) })
	for _, name := range sorted[:min(5, len(sorted))] {
		s.add("part of a login's CPU "+backendName+": "+name, figures{percentColumn: 100 * float64(times[name]) / float64(own)})
	}
	s.note("%s, the library takes %.0f %% of the process's CPU; browsers, phones and WeChat take the rest", backendName, 100*float64(own)/float64(max(all, 1)))
	return nil
}

// costOf returns the name of the cost to which a sample belongs.
func costOf(s *profile.Sample) string {
	stack := functionNames(s)
	for _, c := range excludedCosts {
		if hasPrefix(stack, c.function) {
			return c.name
		}
	}
	// Every stack contains main. The library's samples are below the gate's ServeHTTP.
	if hasPrefix(stack, "main.") && !hasPrefix(stack, serveHTTPFunction) {
		return "(the benchmark's browsers)"
	}
	for _, f := range stack {
		if strings.HasPrefix(f, "runtime.") && !isGC(f) {
			continue // the runtime works for its caller, such as an allocation
		}
		for _, c := range costs {
			if strings.HasPrefix(f, c.function) {
				return c.name
			}
		}
	}
	return "the scheduler and the rest of the runtime"
}

// hasPrefix reports whether a function in the stack has the prefix.
func hasPrefix(stack []string, prefix string) bool {
	return slices.ContainsFunc(stack, func(f string) bool { return strings.HasPrefix(f, prefix) })
}

// isGC reports whether f is a function of the garbage collector.
func isGC(f string) bool {
	return slices.ContainsFunc(costs, func(c cost) bool { return c.name == garbage && strings.HasPrefix(f, c.function) })
}

// functionNames returns the names in a sample's stack, innermost first.
func functionNames(s *profile.Sample) []string {
	var names []string
	for _, location := range s.Location {
		for _, line := range location.Line {
			names = append(names, line.Function.Name)
		}
	}
	return names
}
