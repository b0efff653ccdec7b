package pushhandlers

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"

	"github.com/ArtisanCloud/PowerLibs/v3/http/helper"
	"github.com/ArtisanCloud/PowerWeChat/v3/src/kernel/contract"
	"github.com/ArtisanCloud/PowerWeChat/v3/src/officialAccount"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechat"
)

// PowerWeChat serves the push URL with PowerWeChat. handle takes the messages that do not belong
// to a login.
func PowerWeChat(gate *scangate.Gate, account *officialAccount.OfficialAccount, handle func(contract.EventInterface) any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		serve := account.Server.VerifyURL
		if r.Method == http.MethodPost { // WeChat checks the URL with a GET
			body, _ := io.ReadAll(http.MaxBytesReader(w, r.Body, wechat.MaxMessage))
			reply, err := gate.HandlePush(r.Context(), r.URL.Query(), body)
			if !errors.Is(err, scangate.ErrNotLogin) {
				respond(w, reply, err)
				return
			}
			r.Body = io.NopCloser(bytes.NewReader(body)) // for the library
			serve = func(r *http.Request) (*http.Response, error) { return account.Server.Notify(r, handle) }
		}
		answer, err := serve(r)
		if err != nil {
			http.Error(w, "refused", http.StatusForbidden)
			return
		}
		defer func() { _ = answer.Body.Close() }()
		// Otherwise a browser could read an echostr of the query as HTML.
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		if err := helper.HttpResponseSend(answer, w); err != nil {
			slog.ErrorContext(r.Context(), "replying", "error", err)
		}
	}
}
