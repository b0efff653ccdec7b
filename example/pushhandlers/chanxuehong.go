package pushhandlers

import (
	"bytes"
	"errors"
	"io"
	"net/http"

	"github.com/chanxuehong/wechat/mp/core"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechat"
)

// Chanxuehong serves the push URL with chanxuehong/wechat. The server's handler takes the
// messages that do not belong to a login.
func Chanxuehong(gate *scangate.Gate, server *core.Server) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost { // WeChat checks the URL with a GET
			body, _ := io.ReadAll(http.MaxBytesReader(w, r.Body, wechat.MaxMessage))
			reply, err := gate.HandlePush(r.Context(), r.URL.Query(), body)
			if !errors.Is(err, scangate.ErrNotLogin) {
				respond(w, reply, err)
				return
			}
			r.Body = io.NopCloser(bytes.NewReader(body)) // for the library
		}
		server.ServeHTTP(w, r, r.URL.Query())
	}
}
