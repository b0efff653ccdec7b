package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/google/pprof/profile"
)

// cost is something that time goes to, by a function's name.
type cost struct{ function, name string }

// serving stands in the stack of all that a request costs.
const serving = "github.com/scangate/scangate.(*Gate).ServeHTTP"

// What is not the library's, which a frame anywhere in the stack decides.
var foreign = []cost{
	{"github.com/scangate/scangate/wechattest.", "(the simulated WeChat)"},
	{"runtime/pprof.", "(the profile itself)"},
}

// What time goes to: the frame that is nearest to where it is spent decides.
var costs = []cost{
	{"runtime.gcBgMarkWorker", "collecting garbage"},
	{"runtime.gcAssistAlloc", "collecting garbage"},
	{"runtime.bgsweep", "collecting garbage"},
	{"runtime.bgscavenge", "collecting garbage"},
	{"html/template.", "pages: html/template"},
	{"text/template.", "pages: html/template"},
	{"github.com/scangate/scangate.PageData.T", "pages: looking texts up"},
	{"strings.(*Replacer)", "pages: looking texts up"},
	{"rsc.io/qr", "QR code"},
	{"github.com/scangate/scangate/internal/pages.QRCode", "QR code"},
	{"encoding/json.", "JSON of answers"},
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
	{"net/http.SetCookie", "cookies and headers"},
	{"net/http.readCookies", "cookies and headers"},
	{"net/textproto.", "cookies and headers"},
	{"net/url.", "URLs and queries"},
	{"mime.", "URLs and queries"},
	{"log/slog.", "logging"},
	{"github.com/scangate/scangate.", "the gate's own code"},
	{"net/http.", "cookies and headers"},
	{"runtime.", "the scheduler and the rest of the runtime"},
}

// reportCosts prints what a CPU profile says of the library: its five largest
// costs, as parts of all that isn't the benchmark's or WeChat's.
func reportCosts(out io.Writer, name string, r io.Reader) error {
	p, err := profile.Parse(r)
	if err != nil {
		return err
	}
	times := make(map[string]int64)
	own, all := int64(0), int64(0)
	for _, s := range p.Sample {
		spent, what := s.Value[len(s.Value)-1], costOf(s)
		all += spent
		if !strings.HasPrefix(what, "(") {
			times[what] += spent
			own += spent
		}
	}
	var sorted []string
	for what := range times {
		sorted = append(sorted, what)
	}
	slices.SortFunc(sorted, func(a, b string) int { return int(times[b] - times[a]) })
	t := table{{"CPU of scan logins " + name, "of the library's"}}
	for _, what := range sorted[:min(5, len(sorted))] {
		t = append(t, []string{what, fmt.Sprintf("%.0f %%", 100*float64(times[what])/float64(own))})
	}
	t.print(out)
	fmt.Fprintf(out, "The library has %.0f %% of the process's CPU here; browsers, phones and WeChat have the rest.\n\n", 100*float64(own)/float64(max(all, 1)))
	return nil
}

func costOf(s *profile.Sample) string {
	stack := functions(s)
	for _, c := range foreign {
		if calls(stack, c.function) {
			return c.name
		}
	}
	if calls(stack, "main.") && !calls(stack, serving) {
		return "(the benchmark's browsers)"
	}
	for _, f := range stack {
		if strings.HasPrefix(f, "runtime.") && !isCollector(f) {
			continue // what it does, it does for who called it
		}
		for _, c := range costs {
			if strings.HasPrefix(f, c.function) {
				return c.name
			}
		}
	}
	return "the scheduler and the rest of the runtime"
}

func calls(stack []string, prefix string) bool {
	return slices.ContainsFunc(stack, func(f string) bool { return strings.HasPrefix(f, prefix) })
}

func isCollector(f string) bool {
	return slices.ContainsFunc(costs, func(c cost) bool { return c.name == "collecting garbage" && strings.HasPrefix(f, c.function) })
}

// functions are the names in a sample's stack, from where the time is spent.
func functions(s *profile.Sample) []string {
	var names []string
	for _, location := range s.Location {
		for _, line := range location.Line {
			names = append(names, line.Function.Name)
		}
	}
	return names
}
