package pushhandlers

import (
	"net/http"
	"testing"

	"github.com/silenceper/wechat/v2/cache"
	"github.com/silenceper/wechat/v2/officialaccount"
	"github.com/silenceper/wechat/v2/officialaccount/config"
	"github.com/silenceper/wechat/v2/officialaccount/message"

	"github.com/scangate/scangate"
)

func TestSilenceper(t *testing.T) {
	library := officialaccount.NewOfficialAccount(&config.Config{
		AppID: account.AppID, AppSecret: account.Secret, Token: pushToken, EncodingAESKey: pushKey, Cache: cache.NewMemory(),
	})
	testHandler(t, func(gate *scangate.Gate) http.Handler {
		return Silenceper(gate, library, func(m *message.MixMessage) *message.Reply {
			if m.Content == "quiet" {
				return nil
			}
			return &message.Reply{MsgType: message.MsgTypeText, MsgData: message.NewText("library: " + m.Content + m.EventKey)}
		})
	})
}
