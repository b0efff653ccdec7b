package main

import (
	"strings"
	"testing"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechattest"
)

// address returns the browser's address without scheme and host.
func (v *visit) address() string {
	v.t.Helper()
	return strings.TrimPrefix(read[string](v, `location.href`), v.url)
}

func TestCaseA09DesktopKeepsItsFragment(t *testing.T) {
	browser := startChromium(t)
	const page, login = "/account?tab=2#/order/12", "/wechat/login?return_to=%2Faccount%3Ftab%3D2#/order/12"
	t.Run("approved", func(t *testing.T) {
		v := newVisit(t, browser, "en", nil)
		v.open(page)
		v.waitVisible(`[data-show=waiting]`)
		if got := v.address(); got != login {
			t.Errorf("the login page is at %q, want %q", got, login)
		}
		v.phoneAnswers("lin", "approve")
		v.confirmAccount()
		v.waitVisible(`#greeting`)
		if got := v.address(); got != page {
			t.Errorf("the login ends at %q, want %q", got, page)
		}
	})
	t.Run("after a new code", func(t *testing.T) {
		v := newVisit(t, browser, "en", nil)
		v.open(page)
		v.waitVisible(`[data-show=waiting]`)
		v.showState("expired")
		v.fakeState.Store("")
		v.click(`[data-show=expired] button`)
		v.waitVisible(`[data-show=waiting]`)
		v.phoneAnswers("lin", "approve")
		v.confirmAccount()
		v.waitVisible(`#greeting`)
		if got := v.address(); got != page {
			t.Errorf("the login ends at %q, want %q", got, page)
		}
	})
	t.Run("after another account was refused", func(t *testing.T) {
		v := newVisit(t, browser, "en", nil)
		v.open(page)
		v.phoneAnswers("wang", "approve")
		v.click(`button[value=deny]`)
		v.waitVisible(`[data-show=waiting]`)
		if got := v.address(); got != login {
			t.Errorf("after \"not me\" the login page is at %q, want %q", got, login)
		}
	})
}

func TestCaseA09CleanAddressInWeChat(t *testing.T) {
	browser := startChromium(t)
	for _, c := range []struct {
		name    string
		option  func(*scangate.Config)
		profile bool
	}{
		{"known at once", nil, false},
		{"asked for the profile", withProfile, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := newVisit(t, browser, "en", c.option)
			v.setUserAgent(wechattest.UserAgentPhone)
			v.open("/account?b=2")
			v.click(`a[href*="person=lin"]`)
			if c.profile {
				v.waitVisible(`form button.plain`)
				if got := v.address(); strings.Contains(got, "#") {
					t.Errorf("the profile page is at %q, want no fragment", got)
				}
				v.click(`form button.plain`)
			}
			v.waitVisible(`#greeting`)
			if got := strings.TrimSuffix(v.address(), "#"); got != "/account?b=2" {
				t.Errorf("the login ends at %q, want /account?b=2", got)
			}
		})
	}
}
