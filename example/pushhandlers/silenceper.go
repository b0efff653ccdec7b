package pushhandlers

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"

	"github.com/silenceper/wechat/v2/officialaccount"
	"github.com/silenceper/wechat/v2/officialaccount/message"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechat"
)

// Silenceper serves the push URL with silenceper/wechat. handle takes the messages that do not
// belong to a login.
func Silenceper(gate *scangate.Gate, account *officialaccount.OfficialAccount, handle func(*message.MixMessage) *message.Reply) http.HandlerFunc {
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
		server := account.GetServer(r, w)
		server.SetMessageHandler(handle)
		if err := server.Serve(); err != nil {
			http.Error(w, "refused", http.StatusForbidden)
			return
		}
		if r.Method != http.MethodPost {
			return // Serve has answered
		}
		if server.ResponseMsg == nil {
			// Send would encrypt a reply of no bytes, which WeChat does not document.
			_, _ = io.WriteString(w, wechat.Success)
			return
		}
		if err := server.Send(); err != nil {
			slog.ErrorContext(r.Context(), "replying", "error", err)
		}
	}
}
