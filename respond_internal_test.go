package scangate

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestCaseD05EveryProblemHasADetail(t *testing.T) {
	codes := map[string]bool{"unavailable": true, "login_required": true, "phone_required": true, freshLoginCode: true}
	for _, f := range failures {
		codes[f.code] = true
	}
	for code := range codes {
		w := httptest.NewRecorder()
		writeProblem(w, problem{Status: http.StatusForbidden, Code: code})
		if body := w.Body.String(); details[code] == "" || !strings.Contains(body, `"detail":"`+details[code]+`"`) {
			t.Errorf("problem %s: %s, want a detail", code, body)
		}
	}
	for code := range details {
		if !codes[code] {
			t.Errorf("there is a detail for %q, want one for codes of answers only", code)
		}
	}
}

func TestCaseD03WantsJSON(t *testing.T) {
	const page, any = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8", "*/*"
	for _, c := range []struct {
		name, accept, mode, contentType string
		want                            bool
	}{
		{"fetch", any, "cors", "", true},
		{"fetch with a form as the body", any, "cors", "application/x-www-form-urlencoded", true},
		{"fetch of this origin only", any, "same-origin", "", true},
		{"fetch without CORS", any, "no-cors", "", true},
		{"fetch that accepts nothing", "", "cors", "", true},
		{"fetch that accepts JSON", "application/json", "cors", "", true},
		{"fetch that asks for a page", page, "cors", "", false},
		{"a form on a page", page, "navigate", "application/x-www-form-urlencoded", false},
		{"a form of a browser that accepts anything", any, "navigate", "application/x-www-form-urlencoded", false},
		{"a form of a browser without Fetch Metadata", page, "", "application/x-www-form-urlencoded", false},
		{"curl", any, "", "application/x-www-form-urlencoded", false},
		{"curl with JSON", any, "", "application/json", true},
		{"a program that accepts JSON", "application/json", "", "", true},
		{"an unknown mode", any, "other", "", false},
	} {
		r := httptest.NewRequest(http.MethodPost, "/wechat/logout", nil)
		r.Header.Set("Accept", c.accept)
		r.Header.Set("Sec-Fetch-Mode", c.mode)
		r.Header.Set("Content-Type", c.contentType)
		if got := wantsJSON(r); got != c.want {
			t.Errorf("%s: wantsJSON = %t, want %t", c.name, got, c.want)
		}
	}
}
