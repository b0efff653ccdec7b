package main

import (
	"net/url"
	"strings"
	"testing"

	"github.com/scangate/scangate"
)

// withKnownNumberOnly admits only persons who prove the number that the application has.
func withKnownNumberOnly(t *testing.T) func(*scangate.Config) {
	return both(withPhone, func(c *scangate.Config) {
		c.Registration.Mode = scangate.RegisterByPhone
		if err := registerKnownNumber(t.Context(), c.Users); err != nil {
			t.Fatal(err)
		}
	})
}

// prove scans the code, if no number was proved before, and proves a number with the phone.
func (v *visit) prove(number string) {
	v.t.Helper()
	if v.phone == nil {
		v.phoneScans("wang")
	}
	v.postByPhone("/phone/", "/code", url.Values{"phone": {number}})
	v.postByPhone("/phone/", "", url.Values{"code": {v.code.Load().(string)}})
}

// postByPhone opens the login's page at that path with the phone, and sends the form with that
// action. After a refusal a person comes to the page by the phone's "back".
func (v *visit) postByPhone(path, action string, form url.Values) {
	v.t.Helper()
	resp, err := v.phone.Open(v.t.Context(), strings.Replace(v.scanURL, "/scan/", path, 1))
	if err != nil {
		v.t.Fatal(err)
	}
	if _, err := post(v.t.Context(), v.phone, resp, body(v.t, resp), action, form); err != nil {
		v.t.Fatal(err)
	}
}

// approveAfterRefusal proves a number that cannot log in, then the right one, and approves
// the login. The desktop has to show each state.
func (v *visit) approveAfterRefusal() {
	v.t.Helper()
	v.prove("13580007777")
	v.waitVisible(`[data-show=rejected] button`)
	v.prove(knownNumber)
	v.waitVisible(`[data-show=scanned]`)
	v.postByPhone("/confirm/", "", url.Values{"answer": {"approve"}})
}

// TestRejectedLoginGoesOn: the phone proves a number that cannot log in. The login page shows
// that, with a button for a new code, and goes on when the phone proves another number.
func TestRejectedLoginGoesOn(t *testing.T) {
	v := newVisit(t, startChromium(t), "en", withKnownNumberOnly(t))
	v.login()
	v.approveAfterRefusal()
	v.confirmAccount()
	v.waitVisible(`#greeting`)
}

// TestTagGoesOnAfterARefusal is TestRejectedLoginGoesOn for the element. It fires an event for
// each state.
func TestTagGoesOnAfterARefusal(t *testing.T) {
	v := openTag(t, startChromium(t), "plain.html", "en", withKnownNumberOnly(t))
	v.evaluate(`window.states = []; addEventListener("scangate-state", (event) => states.push(event.detail.state))`)
	v.phoneScans("wang")
	v.waitVisible(`[data-show=scanned]`)
	v.approveAfterRefusal()
	v.waitVisible(`.who`)
	if got, want := strings.Join(read[[]string](v, `states`), " "), "scanned rejected scanned approved"; got != want {
		t.Errorf("states of the events = %s, want %s", got, want)
	}
}

// TestFrontEndGoesOnAfterARefusal is TestRejectedLoginGoesOn for recipes/front_end/login.js.
func TestFrontEndGoesOnAfterARefusal(t *testing.T) {
	v := openFront(t, withKnownNumberOnly(t))
	v.prove("13580007777")
	v.waitText(`#state`, "rejected")
	v.prove(knownNumber)
	v.waitText(`#state`, "scanned")
	v.postByPhone("/confirm/", "", url.Values{"answer": {"approve"}})
	v.click(`#go`)
	v.waitFor("the user", `document.getElementById("state").textContent.startsWith("user ")`)
}
