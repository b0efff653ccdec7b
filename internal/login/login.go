// Package login is the state machine of a login: its record, the steps that change
// it, and the store that applies each step by compare-and-set.
//
// A login begins in the initiating browser (the initiator), and the authorizing
// browser (the authorizer) proves an identity for it. Callers read a [Login] through
// its methods and change it only through the steps of a [Store]: every step checks
// the record first and changes it afterwards. The package is independent of HTTP and
// of the root package.
package login

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"time"
)

// The limits of a login besides the store's TTL.
const (
	identifiedTTL = 10 * time.Minute // for registration and the phone code, once WeChat has answered
	approvedTTL   = 2 * time.Minute  // for the initiator to finish
	renewAfter    = 2 * time.Minute  // until an unscanned QR code is replaced
	endedTTL      = time.Minute      // how long a finished or denied login is remembered; at least replayWindow
	goneAfter     = 5 * time.Minute  // how long an expired login is remembered as expired
	replayWindow  = time.Minute      // how long a repeated request gets the first one's answer
	askTime       = 8 * time.Second  // for all calls to WeChat during one exchange
	leaseTime     = 9 * time.Second  // after which the holder of a lease is presumed dead
	maxWait       = 5 * time.Second  // for another callback's exchange
	maxFailures   = 10               // exchanges of one login that WeChat rejected
	storeTries    = 3                // for a person whom WeChat has returned: the code cannot be exchanged again
	storePause    = 200 * time.Millisecond
)

// Kind distinguishes the devices that can prove the identity.
type Kind string

const (
	// CrossDevice logins are initiated by one browser and authorized by another,
	// which scans a QR code.
	CrossDevice Kind = "cross"
	// SameDevice logins are initiated and authorized by the same browser.
	SameDevice Kind = "same"
)

// Purpose is the purpose of a login.
type Purpose string

const (
	// PurposeLogin begins a session.
	PurposeLogin Purpose = ""
	// PurposeLink adds a WeChat identity to the account of a logged-in user.
	PurposeLink Purpose = "link"
	// PurposePhone proves a phone number of a logged-in user.
	PurposePhone Purpose = "phone"
)

// State is how far a login has come:
//
//	waiting -> scanned -> exchanging -> identified -> approved -> finished
//	                            any open one -> denied or replaced
//
// A same-device login skips scanned, and approved unless it is a link. There is no state
// for expired: see [Login.Expired].
type State string

// The states of a login.
const (
	StateWaiting    State = "waiting"
	StateScanned    State = "scanned"
	StateExchanging State = "exchanging" // a callback is asking WeChat
	StateIdentified State = "identified"
	StateApproved   State = "approved"
	StateFinished   State = "finished"
	StateDenied     State = "denied"
	StateReplaced   State = "replaced" // by a newer login of the same initiator
)

// PublicState is the part of a login's state that its initiator may see.
type PublicState string

// The public states that are not also a [State].
const (
	publicExpired  PublicState = "expired"
	publicRejected PublicState = "rejected"
)

// Scope is the scope of one trip to WeChat.
type Scope byte

const (
	// ScopeBase returns the openid.
	ScopeBase Scope = '0'
	// ScopeProfile returns nickname, picture and unionid, after WeChat has asked
	// for consent.
	ScopeProfile Scope = '1'
)

// Request is what a browser asks for when it begins a login. It never changes.
type Request struct {
	Kind      Kind
	Purpose   Purpose
	Way       Way
	Language  string // tag of the initiator's language, in which the account answers in the chat
	AppID     string // the account whose codes the login takes
	ReturnTo  string
	Initiator Digest // of the initiating browser's key
	Origin    Origin

	// TargetUserID and TargetName are the user whom a link, a phone number or a fresh
	// login is for, and that user's name on the pages. They are empty for any other login.
	TargetUserID, TargetName string

	// Fresh marks a PurposeLogin of a browser that is logged in already: its user proves
	// again who they are. No other person can approve or finish it.
	Fresh bool
}

// Origin describes the initiating browser to the person who authorizes a login. The
// request claims it, and it proves nothing.
type Origin struct {
	Browser string
	System  string
	Address string
}

// Login is one login as it was last read from the store. It is read-only: the steps
// of [Store] return a new Login.
type Login struct {
	record  *record
	version int64 // the store's version of the record; 0 if only the ID is known
}

// Request returns what the initiator asked for.
func (l *Login) Request() Request { return l.record.Request }

// Language returns the tag of the language of the page that began the login, or "".
func (l *Login) Language() string { return l.record.Language }

// ID returns the unguessable name of the login.
func (l *Login) ID() string { return l.record.ID }

// Kind returns which device proves the identity.
func (l *Login) Kind() Kind { return l.record.Kind }

// Purpose returns what the login is for.
func (l *Login) Purpose() Purpose { return l.record.Purpose }

// State returns how far the login has come. An expired login keeps its state.
func (l *Login) State() State { return l.record.State }

// AppID returns the account whose codes the login takes.
func (l *Login) AppID() string { return l.record.AppID }

// ReturnTo returns where the initiator goes in the end: a local path, or a URL of another
// host.
func (l *Login) ReturnTo() string { return l.record.ReturnTo }

// Created returns when the login began.
func (l *Login) Created() time.Time { return l.record.Created }

// Expires returns when the login ends unless it is denied or finished before.
func (l *Login) Expires() time.Time { return l.record.Expires }

// SessionToken returns the token of the session that the login begins, for the browser
// with the initiator's key. All repeats of a request return the same token, so that their
// answers may arrive in any order. The key and the record are both needed to compute it.
func (l *Login) SessionToken(key Key) string {
	m := hmac.New(sha256.New, []byte(key))
	m.Write([]byte("session " + l.record.ID + " " + l.record.Salt))
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

// Finished returns when the login was finished.
func (l *Login) Finished() time.Time { return l.record.Finished }

// Origin describes the initiating browser.
func (l *Login) Origin() Origin { return l.record.Origin }

// Number returns the two digits that both screens show.
func (l *Login) Number() int { return l.record.Number }

// Fresh reports whether the login renews the session of its target.
func (l *Login) Fresh() bool { return l.record.Fresh }

// OfTarget reports whether the login's person may complete it. Only its target can
// complete a fresh login.
func (l *Login) OfTarget() bool { return l.record.ofTarget() }

// Target returns the ID and the name of the user whom a link, a phone number or a fresh
// login is for.
func (l *Login) Target() (userID, name string) { return l.record.TargetUserID, l.record.TargetName }

// Identified reports whether WeChat has vouched for a person. In a chat no browser need be
// theirs yet; see [Login.Bound].
func (l *Login) Identified() bool { return l.record.Person != nil }

// Untried reports whether the login is open and no code was exchanged for it yet.
func (l *Login) Untried() bool {
	return l.record.open() == nil && !l.record.Tried && (l.record.State == StateWaiting || l.record.State == StateScanned)
}

// Person returns who the authorizer is; the zero Person before the login is identified.
func (l *Login) Person() Person {
	if l.record.Person == nil {
		return Person{}
	}
	return *l.record.Person
}

// Agreed returns the versions of the terms that the person has agreed to, or "".
func (l *Login) Agreed() string { return l.record.Agreed }

// Code returns the number that the last one-time code was sent to, and when, also after
// CodeTTL; "" if no code was sent since the last right one.
func (l *Login) Code() (phone string, sent time.Time) {
	if l.record.Code == nil {
		return "", time.Time{}
	}
	return l.record.Code.Phone, l.record.Code.Sent
}

// PendingCode is Code for a code that may still be typed. It reports whether there is one.
func (l *Login) PendingCode() (phone string, sent time.Time, ok bool) {
	phone, sent = l.Code()
	return phone, sent, phone != "" && time.Since(sent) < CodeTTL
}

// SessionRefused reports whether the application has refused the login's session.
func (l *Login) SessionRefused() bool {
	r := l.record
	return r.State == StateFinished && r.Closed && r.Person.Refusal == sessionRefused
}

// InitiatedBy reports whether the browser with that key began the login.
func (l *Login) InitiatedBy(key Key) bool { return l.record.Initiator == key.Digest() }

// AuthorizedBy reports whether the browser with that key proved an identity for the
// login, and so may take the authorizer's steps.
func (l *Login) AuthorizedBy(key Key) bool { return l.record.authorizedBy(key.Digest()) }

// NeedsConsent reports whether a person must approve before anything happens: before
// another browser gets in, or before an account gets another WeChat.
func (l *Login) NeedsConsent() bool { return l.record.needsConsent() }

// Open returns nil while the login can go on, or the reason why not: [ErrDenied],
// [ErrFinished], [ErrReplaced] or [ErrExpired].
func (l *Login) Open() error { return l.record.open() }

// Expired reports whether the login's time is over. A denied or finished login does
// not expire.
func (l *Login) Expired() bool { return l.record.expired() }

// Ready returns nil if the login can be finished, or the reason why not.
func (l *Login) Ready() error { return l.record.ready() }

// RenewAt returns when an unscanned QR code, or the digits, are to be replaced.
func (l *Login) RenewAt() time.Time { return l.record.renewAt() }

// PublicState returns the state shown to the initiating browser: waiting until WeChat
// has vouched for a person, then scanned. It hides the steps in between, so it reveals
// nothing about the person, and an opened link does not hide the QR code.
func (l *Login) PublicState() PublicState {
	r := l.record
	switch {
	case r.expired(), r.State == StateReplaced:
		return publicExpired
	case r.State == StateFinished:
		return PublicState(StateApproved)
	case r.State == StateDenied:
		return PublicState(StateDenied)
	case r.Person == nil:
		return PublicState(StateWaiting)
	case r.Person.Refusal != "":
		return publicRejected
	case r.State == StateApproved:
		return PublicState(StateApproved)
	default:
		return PublicState(StateScanned)
	}
}
