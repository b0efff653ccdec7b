package wechattest

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"time"
)

// Op names one of the API's routes.
type Op string

const (
	// OpExchange exchanges a code: /sns/oauth2/access_token.
	OpExchange Op = "access_token"
	// OpRefresh refreshes a token: /sns/oauth2/refresh_token.
	OpRefresh Op = "refresh_token"
	// OpVerify verifies a token: /sns/auth.
	OpVerify Op = "auth"
	// OpUserInfo returns a user's profile: /sns/userinfo.
	OpUserInfo Op = "userinfo"
	// OpStableToken returns the account's own token: /cgi-bin/stable_token.
	OpStableToken Op = "stable_token"
	// OpToken returns an account's other token, which each call replaces: /cgi-bin/token.
	OpToken Op = "token"
	// OpCreateQRCode creates a QR code with a scene: /cgi-bin/qrcode/create.
	OpCreateQRCode Op = "qrcode/create"
	// OpShowQRCode returns the picture of a QR code: /cgi-bin/showqrcode.
	OpShowQRCode Op = "showqrcode"
	// OpFollower returns a person's data at an account: /cgi-bin/user/info.
	OpFollower Op = "user/info"
	// OpSession exchanges a mini program's code: /sns/jscode2session.
	OpSession Op = "jscode2session"
	// OpPhoneNumber returns a phone number: /wxa/business/getuserphonenumber.
	OpPhoneNumber Op = "getuserphonenumber"
	// OpMiniProgramCode returns a mini program's code: /wxa/getwxacodeunlimit.
	OpMiniProgramCode Op = "getwxacodeunlimit"
)

// Fault describes how an API call fails. At most one of Hang, Location, Body with
// Status, and Errcode takes effect, in this order. If none is set, the call
// returns its normal answer, after Delay and Edit.
type Fault struct {
	// After executes the call before it fails: an exchange uses its code up.
	After bool
	// Delay delays the call. It ends early if the client disconnects.
	Delay time.Duration
	// Hang blocks the call until the client disconnects or the server closes.
	Hang bool
	// Location redirects to this URL.
	Location string
	// Status and Body are sent unchanged. Status 0 means 200.
	Status int
	Body   string
	// Errcode and Errmsg are sent as WeChat's error, with a request id. If Errmsg
	// is empty, WeChat's own text for the code is sent.
	Errcode int
	Errmsg  string
	// Edit changes the answer of a successful call, such as its openid.
	Edit func(answer map[string]any)
}

// pendingFault is a fault and the number of calls that it still applies to.
type pendingFault struct {
	Fault
	left int
}

// Fail applies f to n calls of op. Faults apply in the order of the calls to Fail.
func (w *WeChat) Fail(op Op, n int, f Fault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n > 0 {
		w.faults[op] = append(w.faults[op], pendingFault{Fault: f, left: n})
	}
}

// Quota lets n more calls of op succeed, besides those that a [Fault] answers. WeChat
// answers later calls with 45009, until Quota is called again.
func (w *WeChat) Quota(op Op, n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.quotas[op] = n
}

// Calls returns the number of calls of op, including failed ones.
func (w *WeChat) Calls(op Op) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calls[op]
}

// TotalCalls returns the number of calls of the API, including failed ones.
func (w *WeChat) TotalCalls() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	total := 0
	for _, n := range w.calls {
		total += n
	}
	return total
}

// nextFault counts a call of op and returns its fault. The zero Fault does nothing.
func (w *WeChat) nextFault(op Op) Fault {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls[op]++
	pending := w.faults[op]
	if len(pending) == 0 {
		return w.spendQuota(op)
	}
	fault := pending[0].Fault
	if pending[0].left--; pending[0].left == 0 {
		w.faults[op] = pending[1:]
	}
	return fault
}

// spendQuota counts a call against the quota of op. The caller holds w.mu.
func (w *WeChat) spendQuota(op Op) Fault {
	left, limited := w.quotas[op]
	switch {
	case !limited:
		return Fault{}
	case left <= 0:
		return Fault{Errcode: 45009}
	}
	w.quotas[op] = left - 1
	return Fault{}
}

// replaces reports whether the fault replaces the call's own answer.
func (f Fault) replaces() bool {
	return f.Hang || f.Location != "" || f.Status != 0 || f.Body != "" || f.Errcode != 0
}

// answer writes the fault's answer in place of the call's own.
func (f Fault) answer(rw http.ResponseWriter, r *http.Request) {
	switch {
	case f.Hang:
		<-r.Context().Done()
		// A return would send an empty 200. This closes the connection without an
		// answer.
		panic(http.ErrAbortHandler)
	case f.Location != "":
		http.Redirect(rw, r, f.Location, http.StatusFound)
	case f.Status != 0 || f.Body != "":
		rw.Header().Set("Content-Type", "text/plain")
		if f.Status != 0 {
			rw.WriteHeader(f.Status)
		}
		_, _ = io.WriteString(rw, f.Body)
	default:
		errmsg := f.Errmsg
		if errmsg == "" {
			errmsg = errmsgs[f.Errcode]
		}
		writeAnswer(rw, apiErrorText(f.Errcode, errmsg))
	}
}

// edit applies f.Edit to an answer and returns the result.
func (f Fault) edit(answer any) any {
	// Pictures, errors and the "ok" of /sns/auth have no fields worth editing.
	switch answer.(type) {
	case apiError, picture, missing:
		return answer
	}
	if f.Edit == nil {
		return answer
	}
	var fields map[string]any
	if err := json.Unmarshal(encodeJSON(answer), &fields); err != nil {
		return answer
	}
	f.Edit(fields)
	return fields
}

// sleep waits for d or until ctx is done.
func sleep(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
