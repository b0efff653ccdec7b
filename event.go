package scangate

import (
	"time"

	"github.com/scangate/scangate/internal/login"
)

// EventName is the kind of an [Event].
type EventName string

// The names of the events.
const (
	EventStarted    EventName = "started"    // a login began
	EventScanned    EventName = "scanned"    // the QR code was opened or, in a chat, the account was asked for the login
	EventIdentified EventName = "identified" // WeChat vouched for a person
	EventRegistered EventName = "registered" // a new user was created
	EventAgreed     EventName = "agreed"     // a user has agreed to Config.Pages.Terms; see Event.Terms
	EventCodeSent   EventName = "code_sent"  // a one-time code was sent
	EventCodeWrong  EventName = "code_wrong" // a wrong one-time code was typed
	EventBound      EventName = "bound"      // a phone number was bound
	EventLinked     EventName = "linked"     // a WeChat identity was added to a user
	EventUnlinked   EventName = "unlinked"   // a WeChat identity was removed from a user
	EventApproved   EventName = "approved"   // the person approved the login
	EventDenied     EventName = "denied"     // the person, the initiator or a wrong number denied the login
	EventFinished   EventName = "finished"   // a session began
	EventRefused    EventName = "refused"    // a request failed; see Reason
	EventLimited    EventName = "limited"    // a limit was reached; see Reason
	EventConflict   EventName = "conflict"   // an openid belongs to one user and its unionid to another
	EventUnfollowed EventName = "unfollowed" // a person unfollowed the official account, so their data has to be deleted
	EventLoggedOut  EventName = "logged_out" // a session ended; with the Reason "everywhere", all of the user's
)

// Event reports a step of a login or the end of a session, for metrics and audit. It
// contains no secret: no code, token, state, cookie or phone number.
type Event struct {
	Name EventName
	Time time.Time
	// Login is the beginning of the login's ID, to tell logins apart. It may be
	// empty. For EventRefused it is what the request claims.
	Login string
	// Started is when that login began, in whichever process. It is zero for
	// EventRefused, and for events that belong to no login.
	Started time.Time
	// UserID is empty while the user is not known.
	UserID string
	// AppID is the WeChat account's. It is empty if no account takes part, as in a
	// change of phone number or a logout.
	AppID string
	// Way is how the person proves who they are. It is empty for events that belong to no
	// login, for the change of a phone number, and for EventRefused, except in a chat.
	Way Way
	// Reason is, for EventRefused, the code of the problem, such as "expired"; for
	// EventLimited "login", "callback", "guess", "push", "lookup", "picture" or "codes"; for
	// EventLoggedOut "everywhere" or empty. It is empty for all other events.
	Reason string
	// Terms is, for EventAgreed, the versions of Config.Pages.Terms, in their order and
	// separated by spaces. It is empty for all other events.
	Terms string
	// Address is the client's as Config.ClientIP returns it, or empty. Events that a message to
	// the official account causes have none.
	Address string
}

// loginEvent returns an event of the login.
func loginEvent(name EventName, l *login.Login) Event {
	return Event{Name: name, Login: shortID(l.ID()), Started: l.Created(), AppID: l.AppID(), UserID: l.Person().UserID, Way: wayOf(l)}
}

// agreedEvent returns the event that the login's user has agreed to the terms.
func agreedEvent(l *login.Login) Event {
	agreed := loginEvent(EventAgreed, l)
	agreed.Terms = l.Agreed()
	return agreed
}

// shortID returns as much of a login's ID as logs and events may contain.
func shortID(id string) string { return id[:min(len(id), 8)] }
