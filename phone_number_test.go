package scangate_test

// Cases B9 and B17, rows 72 and 73 of the threats: which numbers get a code, and whose
// WeChat a number links.

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechattest"
)

// newcomer makes WeChat vouch for lin with that unionid, or without one.
func (w *world) newcomer(unionID string) *browser {
	w.t.Helper()
	w.wechat.Fail(wechattest.OpExchange, 1, wechattest.Fault{Edit: func(token map[string]any) {
		if delete(token, "unionid"); unionID != "" {
			token["unionid"] = unionID
		}
	}})
	return w.phone("lin")
}

// TestThreat72RecycledNumber: an operator has given a user's number to the attacker. The
// user's unionid differs from the attacker's, so they are two persons, and the number
// links nothing.
func TestThreat72RecycledNumber(t *testing.T) {
	t.Parallel()
	at := func(appID, unionID string) scangate.Identity {
		return scangate.Identity{AppID: appID, OpenID: "owner at " + appID, UnionID: unionID}
	}
	for _, c := range []struct {
		name     string
		owner    []scangate.Identity
		newcomer string
		linked   bool
	}{
		{"refused: two unionids", []scangate.Identity{at("elsewhere", "owner")}, "newcomer", false},
		{"refused: two unionids, and an identity without one", []scangate.Identity{at("elsewhere", ""), at("third", "owner")}, "newcomer", false},
		{"refused: three unionids", []scangate.Identity{at("elsewhere", "owner"), at("third", "owner's second")}, "newcomer", false},
		{"linked: the newcomer has none", []scangate.Identity{at("elsewhere", "owner")}, "", true},
		{"linked: the owner has none", []scangate.Identity{at("elsewhere", "")}, "newcomer", true},
		{"linked: neither has one", []scangate.Identity{at("elsewhere", "")}, "", true},
	} {
		for mode, option := range map[string]func(*texts, *scangate.Config){"open": (*texts).withPhone, "by phone": (*texts).byPhone} {
			t.Run(c.name+", "+mode, func(t *testing.T) {
				sms := &texts{}
				w := newWorld(t, func(c *scangate.Config) { option(sms, c) })
				owner := w.knowPhone(mobile, c.owner[0])
				for _, identity := range c.owner[1:] {
					if err := w.users.LinkWeChat(t.Context(), owner.ID, identity); err != nil {
						t.Fatal(err)
					}
				}
				attacker := w.newcomer(c.newcomer)
				a := attacker.prove(sms, attacker.open("/account"), mobile)
				checkLinked(t, w, attacker, a, owner.ID, c.linked)
			})
		}
	}
}

// checkLinked checks whether the attacker has become the owner of the number.
func checkLinked(t *testing.T, w *world, attacker *browser, a answer, owner string, linked bool) {
	t.Helper()
	if linked {
		if got := attacker.user(); got != owner {
			t.Errorf("prove the owner's number: user = %q, want the owner, %q", got, owner)
		}
		return
	}
	if a.StatusCode != http.StatusConflict || !strings.Contains(a.body, "another WeChat") {
		t.Errorf("prove the owner's number: status = %d, want %d, got\n%s", a.StatusCode, http.StatusConflict, a.body)
	}
	if got := attacker.user(); got != "" {
		t.Errorf("prove the owner's number: user = %q, want none", got)
	}
	if got, err := w.users.FindByWeChat(t.Context(), w.identity("lin")); !errors.Is(err, scangate.ErrNotFound) {
		t.Errorf("FindByWeChat of the attacker: user = %q, error = %v, want %v", got.ID, err, scangate.ErrNotFound)
	}
}

// TestThreat72RecycledNumberInARace: the owner registers with the number while the
// attacker proves it.
func TestThreat72RecycledNumberInARace(t *testing.T) {
	sms := &texts{}
	w := newWorld(t, sms.withPhone, func(c *scangate.Config) {
		c.Users = &lateOwner{UserStore: c.Users, owner: scangate.NewUser{
			Phone: mobile, Identity: scangate.Identity{AppID: "elsewhere", OpenID: "owner", UnionID: "owner"},
		}}
	})
	attacker := w.newcomer("newcomer")
	a := attacker.prove(sms, attacker.open("/account"), mobile)
	owner, err := w.users.FindByPhone(t.Context(), mobile)
	if err != nil {
		t.Fatal(err)
	}
	checkLinked(t, w, attacker, a, owner.ID, false)
}

// lateOwner registers the owner just before the first new user.
type lateOwner struct {
	scangate.UserStore
	owner scangate.NewUser
}

func (l *lateOwner) Register(ctx context.Context, who scangate.NewUser) (scangate.User, error) {
	if owner := l.owner; owner.Phone != "" {
		l.owner = scangate.NewUser{}
		if user, err := l.UserStore.Register(ctx, owner); err != nil {
			return user, err
		}
	}
	return l.UserStore.Register(ctx, who)
}

// TestThreat73Countries: a code goes to mainland numbers, and to those of the countries
// that Config.Phone.Countries lists.
func TestThreat73Countries(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		countries []string
		sent      map[string]string // the number that a spelling sends a code to
		refused   []string
	}{
		{
			nil,
			map[string]string{"138 0013 8000": mobile, "+86 138 0013 8000": mobile},
			[]string{"+979 123 456 789", "+882 16 1234 5678", "+1 900 555 2671", "+49 0151 23456789", "+1 415 555 2671", "+852 5123 4567", "0044 7911 123456"},
		},
		{
			[]string{"49", "+44", "39"},
			map[string]string{
				"138 0013 8000": mobile, "+49 0151 23456789": "+4915123456789", "+44 (0)7911 123456": "+447911123456",
				"+39 312 345 6789": "+393123456789", "+39 06 1234 5678": "+390612345678",
			},
			[]string{"+979 123 456 789", "+882 16 1234 5678", "+1 900 555 2671", "+1 415 555 2671", "+852 5123 4567", "+43 664 1234567"},
		},
		{
			[]string{"1", "852"},
			map[string]string{"13800138000": mobile, "+1 415 555 2671": "+14155552671", "+852 5123 4567": "+85251234567"},
			[]string{"+1 900 555 2671", "+1 876 555 2671", "+1 800 555 2671", "+852 0512 34567", "+49 151 23456789"},
		},
		{[]string{"1876"}, map[string]string{"+1 876 555 2671": "+18765552671"}, []string{"+1 415 555 2671", "+1 868 555 2671"}},
	} {
		t.Run(strings.Join(c.countries, " "), func(t *testing.T) {
			for typed, number := range c.sent {
				sms := &texts{}
				w := newWorld(t, sms.withPhone, func(config *scangate.Config) { config.Phone.Countries = c.countries })
				phone := w.phone("lin")
				if got := phone.sendCode(phone.open("/account"), typed).StatusCode; got != http.StatusSeeOther || sms.to(number) == "" {
					t.Errorf("code to %s: status = %d, sent to %v, want %d and %s", typed, got, sms.last, http.StatusSeeOther, number)
				}
			}
			sms := &texts{}
			w := newWorld(t, sms.withPhone, func(config *scangate.Config) { config.Phone.Countries = c.countries })
			phone := w.phone("lin")
			page := phone.open("/account")
			for _, typed := range c.refused {
				if got := phone.sendCode(page, typed).StatusCode; got != http.StatusBadRequest || sms.sent > 0 {
					t.Errorf("code to %s: status = %d, codes sent = %d, want %d and none", typed, got, sms.sent, http.StatusBadRequest)
				}
			}
		})
	}
}

// TestThreat73OneNumberOneQuota: the spellings of a number outside mainland China share
// its quotas.
func TestThreat73OneNumberOneQuota(t *testing.T) {
	sms := &texts{}
	w := newWorld(t, sms.withPhone, func(c *scangate.Config) { c.Phone.Countries = []string{"49"} })
	attacker := w.phone("lin")
	page := attacker.open("/account")
	attacker.sendCode(page, "+49 151 23456789")
	for _, spelling := range []string{"+49 0151 23456789", "+49 (0)151 23456789", "0049 151 23456789", "＋４９ ０１５１ ２３４５６７８９"} {
		if got := attacker.sendCode(page, spelling).StatusCode; got != http.StatusTooManyRequests || sms.sent != 1 {
			t.Errorf("second code to %s: status = %d, codes sent = %d, want %d and 1", spelling, got, sms.sent, http.StatusTooManyRequests)
		}
	}
}

// TestThreat73NormalizeAndCountries: with Normalize the application decides, within
// Countries if that is set.
func TestThreat73NormalizeAndCountries(t *testing.T) {
	foreign := func(typed string) (string, error) {
		if strings.HasPrefix(typed, "+86") {
			return "", errors.New("refused")
		}
		return typed, nil
	}
	for _, c := range []struct {
		name      string
		countries []string
		number    string
		status    int
	}{
		{"any country", nil, "+85251234567", http.StatusSeeOther},
		{"no mainland number", nil, mobile, http.StatusBadRequest},
		{"a listed country", []string{"852"}, "+85251234567", http.StatusSeeOther},
		{"another country", []string{"852"}, "+4915123456789", http.StatusBadRequest},
		{"no country", []string{"852"}, "+979123456789", http.StatusBadRequest},
		{"not E.164", nil, "85251234567", http.StatusBadRequest},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, (&texts{}).withPhone, func(config *scangate.Config) {
				config.Phone.Normalize, config.Phone.Countries = foreign, c.countries
			})
			phone := w.phone("lin")
			if got := phone.sendCode(phone.open("/account"), c.number).StatusCode; got != c.status {
				t.Errorf("code to %s: status = %d, want %d", c.number, got, c.status)
			}
		})
	}
}

// TestCaseB17NewRefusesCountries: New refuses to list anything but calling codes of countries.
func TestCaseB17NewRefusesCountries(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"", "CN", "979", "882", "881", "870", "800", "1900", "0049", "+", "++49", "49 ", "999", "4", "49151"} {
		_, err := scangate.New(scangate.Config{PublicURL: appURL, OfficialAccount: official, Phone: scangate.Phone{Countries: []string{"86", code}}})
		if err == nil || !strings.HasPrefix(err.Error(), "scangate: Config.Phone.Countries: ") {
			t.Errorf("New with the country %q: error = %v, want one about Config.Phone.Countries", code, err)
		}
	}
	given := []string{"+852", "86", "1", "1876"}
	gate, err := scangate.New(scangate.Config{PublicURL: appURL, OfficialAccount: official, Phone: scangate.Phone{Countries: given}})
	if err != nil {
		t.Fatalf("New with the countries %q: error = %v, want none", given, err)
	}
	_ = gate.Close()
	if given[0] != "+852" {
		t.Errorf("New changed the caller's Countries to %q, want them as they were", given)
	}
}
