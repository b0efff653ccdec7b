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
	// OpUserInfo says who somebody is: /sns/userinfo.
	OpUserInfo Op = "userinfo"
)

// Fault is what becomes of a call. Its fields apply in their order; the first of
// Hang, Location, Body and Status, and Errcode that is set is the answer. With
// none of them the call is answered as ever, after the Delay and the Edit.
type Fault struct {
	// After carries the call out before it fails, so that its code is used up.
	After bool
	// Delay passes first, or until the caller goes away.
	Delay time.Duration
	// Hang never answers: it lasts until the caller goes away or the server
	// closes.
	Hang bool
	// Location redirects there.
	Location string
	// Status and Body are answered word for word. Status 0 is 200.
	Status int
	Body   string
	// Errcode and Errmsg are answered as WeChat's error, with a request id. An
	// empty Errmsg is WeChat's own for the code.
	Errcode int
	Errmsg  string
	// Edit changes the answer of a call that went well, such as its openid.
	Edit func(answer map[string]any)
}

// pendingFault is a fault and the number of calls that it is left for.
type pendingFault struct {
	Fault
	left int
}

// Fail applies f to the next n calls of op, after the faults it was given before.
func (w *WeChat) Fail(op Op, n int, f Fault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n > 0 {
		w.faults[op] = append(w.faults[op], pendingFault{Fault: f, left: n})
	}
}

// Calls returns how often op was called, failed calls included.
func (w *WeChat) Calls(op Op) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calls[op]
}

// TotalCalls returns how often the API was called.
func (w *WeChat) TotalCalls() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	total := 0
	for _, n := range w.calls {
		total += n
	}
	return total
}

// nextFault counts a call of op and takes what is to become of it.
func (w *WeChat) nextFault(op Op) Fault {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls[op]++
	pending := w.faults[op]
	if len(pending) == 0 {
		return Fault{}
	}
	fault := pending[0].Fault
	if pending[0].left--; pending[0].left == 0 {
		w.faults[op] = pending[1:]
	}
	return fault
}

// replaces reports whether the fault takes the place of the call's own answer.
func (f Fault) replaces() bool {
	return f.Hang || f.Location != "" || f.Status != 0 || f.Body != "" || f.Errcode != 0
}

// answer answers in place of the call. A call that hangs ends without so much as
// an empty answer.
func (f Fault) answer(rw http.ResponseWriter, r *http.Request) {
	switch {
	case f.Hang:
		<-r.Context().Done()
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
		writeAnswer(rw, failedAs(f.Errcode, errmsg))
	}
}

// edit applies f.Edit to what would have been the answer, unless that is an error
// or says ok.
func (f Fault) edit(answer any) any {
	if _, isFailure := answer.(failure); f.Edit == nil || isFailure {
		return answer
	}
	var fields map[string]any
	if err := json.Unmarshal(encode(answer), &fields); err != nil {
		return answer
	}
	f.Edit(fields)
	return fields
}

// sleep waits for d, or until ctx ends.
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
