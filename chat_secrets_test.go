package scangate_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

// TestThreat37SecretsOfChats: the attacker reads the logs or the events of logins in a
// chat, with failures at every step. They contain no openid, unionid, digits, ticket, key
// or token.
func TestThreat37SecretsOfChats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sms, store := &texts{}, &failingState{StateStore: scangate.NewMemoryStore()}
		handle := func(context.Context, wechat.Message) (wechat.Reply, error) {
			return wechat.Reply{}, errors.New("no database")
		}
		w := newChatWorld(t, scangate.ScanFollow, withWebsite, sms.withPhone, func(c *scangate.Config) {
			c.State, c.Push.Handle = store, handle
		})
		desktop, phone := w.desktop(), w.phone("lin")
		s := desktop.start()
		scene := w.lastScene()
		followAccount(t, w, "lin")
		away := errors.New("the store is away")
		store.err.Store(&away)
		w.pusher.Deliver(t.Context(), w.pusher.Event("lin", "SCAN", scene))
		store.err.Store(nil)
		link := linkIn(t, w.push(w.pusher.Event("lin", "SCAN", scene)))
		synctest.Wait()
		pages := []answer{phone.get(link), phone.post(link, ticketForm(link)), w.phone("wang").openLink(link), phone.openLink(link)}
		w.say("lin", "hello")
		w.say("lin", "77") // denies
		w.wechat.Fail(wechattest.OpFollower, 1, wechattest.Fault{Errcode: 40003, Errmsg: "invalid openid " + w.wechat.OpenID("wang", official.AppID)})
		w.wechat.Fail(wechattest.OpCreateQRCode, 1, wechattest.Fault{Errcode: 45009, Errmsg: "reach max api daily quota limit"})
		second := w.desktop().start()
		w.say("wang", second.Digits)
		forged := w.request(w.pusher.Document(w.pusher.Text("lin", "hello")))
		forged.URL.RawQuery += "0"
		pages = append(pages, w.roundTrip(forged), desktop.finish(s))
		w.push(w.pusher.Event("lin", "unsubscribe", ""))
		pass(15 * time.Second) // failures are summed up
		_, ticket, _ := strings.Cut(link, "ticket=")
		secrets := map[string]string{
			"app secret": official.Secret, "token": pushToken, "key": pushKey, "ticket": ticket, "scene": scene,
			"openid": w.wechat.OpenID("lin", official.AppID), "second openid": w.wechat.OpenID("wang", official.AppID),
			"unionid": w.wechat.UnionID("lin"), "second unionid": w.wechat.UnionID("wang"), "digits": second.Digits,
		}
		w.checkNoSecrets(secrets, pages[3:])
		for _, want := range []string{"the store is away", "no database", "forged", "unionid is not known", "45009"} {
			if !strings.Contains(w.log.String(), want) {
				t.Errorf("log: got\n%s\nwant it to contain %q, or the test has seen no failure", w.log, want)
			}
		}
	})
}
