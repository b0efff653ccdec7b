package pushhandlers

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ArtisanCloud/PowerLibs/v3/logger/drivers"
	"github.com/ArtisanCloud/PowerLibs/v3/object"
	"github.com/ArtisanCloud/PowerWeChat/v3/src/kernel/contract"
	"github.com/ArtisanCloud/PowerWeChat/v3/src/kernel/messages"
	"github.com/ArtisanCloud/PowerWeChat/v3/src/officialAccount"

	"github.com/scangate/scangate"
)

// newPowerWeChat returns PowerWeChat's account.
func newPowerWeChat(t *testing.T) *officialAccount.OfficialAccount {
	t.Helper()
	library, err := officialAccount.NewOfficialAccount(&officialAccount.UserConfig{
		AppID: account.AppID, Secret: account.Secret, Token: pushToken, AESKey: pushKey,
		Log: officialAccount.Log{Driver: &drivers.DummyLogger{}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return library
}

func TestPowerWeChat(t *testing.T) {
	library := newPowerWeChat(t)
	testHandler(t, func(gate *scangate.Gate) http.Handler {
		return PowerWeChat(gate, library, func(event contract.EventInterface) any {
			var m struct{ Content, EventKey string }
			if err := event.ReadMessage(&m); err != nil {
				t.Errorf("ReadMessage = %v, want none", err)
			}
			if m.Content == "quiet" {
				return nil
			}
			reply := messages.NewText("library: " + m.Content + m.EventKey)
			reply.ToXmlArray = func() *object.HashMap {
				// The library's own CreateTime is not a number, which the simulator refuses.
				return &object.HashMap{"Content": reply.Get("content", ""), "CreateTime": time.Now().Unix()}
			}
			return reply
		})
	})
}

func TestPowerWeChatEchoIsNotHTML(t *testing.T) {
	w := newWorld(t, func(gate *scangate.Gate) http.Handler { return PowerWeChat(gate, newPowerWeChat(t), nil) })
	query := url.Values{"signature": {"x"}, "encrypt_type": {"aes"}, "echostr": {"<script>"}}
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, appURL+"/messages?"+query.Encode(), nil)
	recorder := httptest.NewRecorder()
	w.hosts["app.example.com"].ServeHTTP(recorder, request)
	if got := recorder.Header().Get("Content-Type"); !strings.HasPrefix(got, "text/plain") {
		t.Errorf("Content-Type of the echo = %q, want text/plain", got)
	}
}
