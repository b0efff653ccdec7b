package scangate_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechattest"
)

func TestFullWidthDigitsOfANumber(t *testing.T) {
	for typed, want := range map[string]string{
		"１３９００１３９０００":    "+8613900139000",
		"１５６７８９０１２３４":    "+8615678901234",
		"＋８６１９９９９９９９９９９": "+8619999999999",
		"１３９：０１３９０００":    "", // the character after the full-width nine
		"１３９／０１３９０００":    "", // the character before the full-width zero
	} {
		s := &texts{}
		w := newWorld(t, s.withPhone)
		phone := w.phone("lin")
		a := phone.sendCode(phone.open("/account"), typed)
		if want == "" {
			if a.StatusCode != http.StatusBadRequest || s.sent != 0 {
				t.Errorf("sending a code to %q: status = %d, %d sent, want 400 and none", typed, a.StatusCode, s.sent)
			}
			continue
		}
		if a.StatusCode != http.StatusSeeOther || s.to(want) == "" {
			t.Errorf("sending a code to %q: status = %d, sent to %v, want 303 and %s", typed, a.StatusCode, s.last, want)
		}
	}
}

// WeChat's answer to the exchange of the code may lack the unionid that its answer
// to the question for the user info has.
func TestUnionIDThatOnlyUserInfoReturns(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(info map[string]any)
		same bool // whether the login ends as the user of the other account
	}{
		{"the user's unionid", func(map[string]any) {}, true},
		{"no unionid", func(info map[string]any) { delete(info, "unionid") }, false},
		{"another unionid", func(info map[string]any) { info["unionid"] = "another" }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, withProfile)
			known := w.knowPhone("", scangate.Identity{
				AppID: website.AppID, OpenID: w.wechat.OpenID("lin", website.AppID), UnionID: w.wechat.UnionID("lin"),
			})
			w.wechat.Fail(wechattest.OpExchange, 2, wechattest.Fault{Edit: func(token map[string]any) { delete(token, "unionid") }})
			w.wechat.Fail(wechattest.OpUserInfo, 1, wechattest.Fault{Edit: c.edit})
			phone := w.phone("lin")
			w.tapThroughProfile(phone, phone.open("/account"))
			if got := phone.user(); got == "" || (got == known.ID) != c.same {
				t.Errorf("logged in as %q, as the user of the other account %q: want %v", got, known.ID, c.same)
			}
			user, err := w.users.FindByWeChat(t.Context(), w.identity("lin"))
			if err != nil || user.ID != phone.user() {
				t.Errorf("FindByWeChat: user %q, %v, want %q", user.ID, err, phone.user())
			}
			if want := map[bool]int{true: 2, false: 1}[c.same]; len(user.Identities) != want {
				t.Errorf("identities %v, want %d", user.Identities, want)
			}
		})
	}
}

func TestAvatarURLOfUpTo1024Bytes(t *testing.T) {
	const limit = 1024
	// address returns a URL of that many bytes.
	address := func(scheme string, size int) string {
		return scheme + strings.Repeat("a", size-len(scheme))
	}
	for _, c := range []struct{ name, in, want string }{
		{"https, 1,024 bytes", address("https://", limit), address("https://", limit)},
		{"https, 1,025 bytes", address("https://", limit+1), ""},
		{"http, 1,023 bytes", address("http://", limit-1), address("https://", limit)},
		{"http, 1,024 bytes", address("http://", limit), ""}, // 1,025 bytes as https
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, withProfile)
			w.wechat.Fail(wechattest.OpUserInfo, 1, wechattest.Fault{Edit: func(info map[string]any) { info["headimgurl"] = c.in }})
			phone := w.phone("lin")
			w.tapThroughProfile(phone, phone.open("/account"))
			user, err := w.users.FindByID(t.Context(), phone.user())
			if err != nil || user.AvatarURL != c.want {
				t.Errorf("avatar URL of %d bytes, %v, want %d bytes", len(user.AvatarURL), err, len(c.want))
			}
		})
	}
}
