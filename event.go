package scangate

import (
	"context"
	"net/http"
	"time"
)

// EventName says what happened.
type EventName string

// The events, in the order in which a login meets them.
const (
	EventStarted    EventName = "started"    // a login began
	EventScanned    EventName = "scanned"    // its QR code was opened
	EventIdentified EventName = "identified" // WeChat vouched for somebody
	EventRegistered EventName = "registered" // somebody new became a user
	EventCodeSent   EventName = "code_sent"  // a one-time code went to a phone
	EventCodeWrong  EventName = "code_wrong" // somebody typed a wrong one
	EventBound      EventName = "bound"      // a number became a user's
	EventLinked     EventName = "linked"     // a WeChat became a user's
	EventUnlinked   EventName = "unlinked"   // a WeChat is no longer a user's
	EventApproved   EventName = "approved"   // the phone said yes
	EventDenied     EventName = "denied"     // the phone said no, or typed a wrong number
	EventFinished   EventName = "finished"   // a session began
	EventRefused    EventName = "refused"    // a step failed; Reason says why
	EventLimited    EventName = "limited"    // a limit was met; Reason says which
	EventConflict   EventName = "conflict"   // an openid is one user's and its unionid another's
	EventLoggedOut  EventName = "logged_out" // a session ended; Reason "everywhere": all of the user's
)

// Event is something that happened to a login or a session, for metrics and
// audit. It holds no secret: no code, token, state, cookie or phone number.
type Event struct {
	Name EventName
	Time time.Time
	// Login is the beginning of the login's id, to tell logins apart; it may be
	// empty. Where a request was refused, it is what that request claims.
	Login string
	// Started is when that login began, whichever process saw it. It is zero where
	// no login is at hand, as where a request was refused.
	Started time.Time
	// UserID is empty while nobody is known.
	UserID string
	// AppID is the WeChat account's; it may be empty.
	AppID string
	// Reason is, for EventRefused, the code of the problem, such as "expired"; for
	// EventLimited "login", "callback", "guess" or "codes"; for EventLoggedOut
	// "everywhere" or empty; else it is empty.
	Reason string
	// Address is the client's, as Config.ClientIP says, or empty.
	Address string
}

// happened tells Config.OnEvent.
func (g *Gate) happened(r *http.Request, e Event) {
	if g.config.OnEvent == nil {
		return
	}
	e.Time = time.Now()
	e.Address = g.address(r)
	g.config.OnEvent(context.WithoutCancel(r.Context()), e)
}

// event is an event of this login.
func (a *attempt) event(name EventName) Event {
	e := Event{Name: name, AppID: a.AppID, Login: shortID(a.ID), Started: a.Created}
	if a.Person != nil {
		e.UserID = a.Person.UserID
	}
	return e
}

// shortID is as much of an attempt's id as logs and events hold.
func shortID(id string) string { return id[:min(len(id), 8)] }
