package pushhandlers

import (
	"net/http"
	"testing"
	"time"

	"github.com/chanxuehong/wechat/mp/core"
	"github.com/chanxuehong/wechat/mp/message/callback/response"

	"github.com/scangate/scangate"
)

func TestChanxuehong(t *testing.T) {
	handle := core.HandlerFunc(func(c *core.Context) {
		m := c.MixedMsg
		if m.Content == "quiet" {
			_ = c.NoneResponse()
			return
		}
		reply := response.NewText(m.FromUserName, m.ToUserName, time.Now().Unix(), "library: "+m.Content+m.EventKey)
		if err := c.AESResponse(reply, 0, "", nil); err != nil {
			t.Errorf("AESResponse = %v, want none", err)
		}
	})
	testHandler(t, func(gate *scangate.Gate) http.Handler {
		return Chanxuehong(gate, core.NewServer("", account.AppID, pushToken, pushKey, handle, nil))
	})
}
