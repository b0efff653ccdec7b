package scangate_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/scangate/scangate/wechattest"
)

// logLine returns the line of the log that reports a refused request.
func (w *world) logLine() string {
	for line := range strings.Lines(w.log.String()) {
		if strings.Contains(line, "request refused") {
			return line
		}
	}
	return ""
}

// TestCaseC06CodeThatWeChatRejects: the person's code is expired, used or not theirs, or
// the person did not agree. The page asks them to start again, and the operator's log has
// no error.
func TestCaseC06CodeThatWeChatRejects(t *testing.T) {
	t.Parallel()
	for _, errcode := range []int{40029, 41008, 42003, 40163, 50001, 40226} {
		t.Run(fmt.Sprint(errcode), func(t *testing.T) {
			w := newWorld(t)
			w.wechat.Fail(wechattest.OpExchange, 1, wechattest.Fault{Errcode: errcode})
			phone := w.phone("lin")
			a := phone.open("/account")
			if a.StatusCode != http.StatusBadRequest || !strings.Contains(a.body, "Please start again") {
				t.Errorf("callback: status = %d, want %d and a page that asks to start again\n%s", a.StatusCode, http.StatusBadRequest, a.body)
			}
			if !strings.Contains(a.body, "return_to=%2Faccount") {
				t.Errorf("callback: the page has no link to a new login, want one\n%s", a.body)
			}
			line := w.logLine()
			for _, want := range []string{"level=INFO", "code=restart", fmt.Sprint(errcode)} {
				if !strings.Contains(line, want) {
					t.Errorf("log: %q, want %q in it", line, want)
				}
			}
			if strings.Contains(w.log.String(), "level=ERROR") {
				t.Errorf("log = %s\nwant no error", w.log)
			}
			if a := phone.open("/account"); a.StatusCode != http.StatusOK || phone.user() == "" {
				t.Errorf("second login: status = %d, want %d and a user", a.StatusCode, http.StatusOK)
			}
		})
	}
}

// TestCaseC06ChineseAndJSON: the answer is the same for programs and in Chinese.
func TestCaseC06ChineseAndJSON(t *testing.T) {
	w := newWorld(t)
	w.wechat.Fail(wechattest.OpExchange, 2, wechattest.Fault{Errcode: 42003})
	phone := w.phone("lin")
	callback := func() string {
		t.Helper()
		to, err := w.wechat.Approve(phone.get("/wechat/login").Header.Get("Location"), "lin")
		if err != nil {
			t.Fatalf("approving: %v", err)
		}
		return to
	}
	if a := phone.get(callback(), "Accept-Language", "zh"); a.StatusCode != http.StatusBadRequest || !strings.Contains(a.body, "请重新开始") {
		t.Errorf("callback in Chinese: status = %d, want %d and 请重新开始\n%s", a.StatusCode, http.StatusBadRequest, a.body)
	}
	a := phone.get(callback(), "Accept", "application/json")
	var problem struct{ Code string }
	if err := json.Unmarshal([]byte(a.body), &problem); err != nil || a.StatusCode != http.StatusBadRequest || problem.Code != "restart" {
		t.Errorf("callback for a program: status = %d, code = %q, %v, want %d and restart", a.StatusCode, problem.Code, err, http.StatusBadRequest)
	}
}

// TestCaseC06ScanAgain: at a computer's QR code the phone may scan again.
func TestCaseC06ScanAgain(t *testing.T) {
	w := newWorld(t)
	desktop, phone := w.desktop(), w.phone("lin")
	login := desktop.start()
	w.wechat.Fail(wechattest.OpExchange, 1, wechattest.Fault{Errcode: 40029})
	if a := phone.scan(login); a.StatusCode != http.StatusBadRequest {
		t.Errorf("first scan: status = %d, want %d", a.StatusCode, http.StatusBadRequest)
	}
	if a := phone.scan(login); a.Request.URL.Path != login.confirmURL() {
		t.Errorf("second scan: path = %s, want %s", a.Request.URL.Path, login.confirmURL())
	}
}

// TestCaseC01AccountAtFault: the account is frozen, restricted or misconfigured. The
// person cannot do anything about it, and the operator's log has an error with WeChat's
// code.
func TestCaseC01AccountAtFault(t *testing.T) {
	t.Parallel()
	for _, errcode := range []int{50002, 40243, 48004, 61004, 61007, 89501, 89503, 89506, 40125, 40164} {
		w := newWorld(t)
		w.wechat.Fail(wechattest.OpExchange, 1, wechattest.Fault{Errcode: errcode})
		a := w.phone("lin").open("/account")
		if a.StatusCode != http.StatusBadGateway || strings.Contains(a.body, "cancelled") {
			t.Errorf("callback after %d: status = %d, want %d\n%s", errcode, a.StatusCode, http.StatusBadGateway, a.body)
		}
		line := w.logLine()
		for _, want := range []string{"level=ERROR", "code=wechat", fmt.Sprint(errcode)} {
			if !strings.Contains(line, want) {
				t.Errorf("log after %d: %q, want %q in it", errcode, line, want)
			}
		}
	}
}
