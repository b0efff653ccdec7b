package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechat"
)

// miniAccount is the mini program of the tests.
var miniAccount = wechat.Account{AppID: "wx0000000000000003", Secret: simulatedSecret}

// postMini posts JSON to a route for mini programs, and returns the answer.
func (v *visit) postMini(path, body string) map[string]any {
	v.t.Helper()
	req, err := http.NewRequestWithContext(v.t.Context(), http.MethodPost, v.url+path, strings.NewReader(body))
	if err != nil {
		v.t.Fatalf("make a request: %v", err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		v.t.Fatalf("POST %s: %v", path, err)
	}
	defer func() { _ = resp.Body.Close() }()
	var answer map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || resp.StatusCode != http.StatusOK {
		v.t.Fatalf("POST %s: status = %d, error = %v, want 200 with JSON", path, resp.StatusCode, err)
	}
	return answer
}

// miniAnswers lets lin's mini program enter the login that the page shows, and approve it.
func (v *visit) miniAnswers() {
	v.t.Helper()
	code, err := v.wechat.Phone("lin", nil, v.wechat.URL).LoginCode(miniAccount.AppID)
	if err != nil {
		v.t.Fatalf("get a code: %v", err)
	}
	path := "/wechat/mini/" + strings.Split(read[string](v, `document.querySelector("[data-state-url]").dataset.stateUrl`), "/")[3]
	token := v.postMini(path, `{"code":"`+code+`"}`)["token"].(string)
	v.waitVisible(`[data-show=scanned]`)
	v.postMini(path+"/answer", `{"token":"`+token+`","answer":"approve"}`)
}

// TestMiniProgramCodes shows both kinds of codes for a mini program, renews one in place, and
// logs in. The browser loads WeChat's picture under the page's policy.
func TestMiniProgramCodes(t *testing.T) {
	browser := startChromium(t)
	for _, mode := range []scangate.ScanMode{scangate.ScanMiniProgram, scangate.ScanMiniProgramCode} {
		t.Run(string(mode), func(t *testing.T) {
			v := newVisit(t, browser, "en", func(c *scangate.Config) { c.MiniProgram, c.Scan = miniAccount, mode })
			v.login()
			v.wantTrue(`document.querySelector(".qr img").naturalWidth > 0`)
			last := read[string](v, `document.querySelector("[data-state-url]").dataset.stateUrl`)
			v.advanceClock("121")
			v.wantTrue(`document.querySelector("[data-state-url]").dataset.stateUrl !== "` + last + `"`)
			v.wantTrue(`document.querySelector(".qr > svg[role=img]:only-child") !== null`)
			if mode == scangate.ScanMiniProgramCode {
				v.wantTrue(`performance.getEntriesByType("resource").filter(e => e.initiatorType === "image" && e.name.endsWith("/qr.png")).length > 0`)
				v.wantTrue(`document.querySelector(".qr svg image").getBoundingClientRect().width > 100`)
			}
			v.miniAnswers()
			v.confirmAccount()
			v.waitVisible(`#greeting`)
		})
	}
}
