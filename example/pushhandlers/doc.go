// Package pushhandlers shows how an account's push URL that another library serves already
// serves the gate's logins as well. There is one file for each library.
package pushhandlers

import (
	"errors"
	"net/http"

	"github.com/scangate/scangate/wechat"
)

// respond writes the response to a push that does not go on to the library: the reply of
// [scangate.Gate.HandlePush], or the status for its error.
func respond(w http.ResponseWriter, reply []byte, err error) {
	switch {
	case err == nil:
		_, _ = w.Write(reply) //nolint:gosec // no browser sends a signed message
	case errors.Is(err, wechat.ErrUnverified):
		http.Error(w, "not from WeChat", http.StatusForbidden)
	case errors.Is(err, wechat.ErrMessage):
		http.Error(w, "malformed", http.StatusBadRequest)
	default:
		// A store failed. Without an answer, WeChat repeats the message.
		panic(http.ErrAbortHandler)
	}
}
