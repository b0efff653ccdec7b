package scangate

import (
	"errors"
	"time"

	"github.com/scangate/scangate/wechat"
)

// What a login allows besides [Config.LoginTTL].
const (
	identifiedTTL = 10 * time.Minute // for registration and the phone code, once identified
	renewAfter    = 2 * time.Minute  // an unscanned QR code is replaced by then
	exchangeLease = 20 * time.Second // a callback that has not come back by then has died
	approvedTTL   = 2 * time.Minute  // for the waiting browser to let itself in
	goneAfter     = 5 * time.Minute  // how long a login can still be told "expired" from "never was"
	loopWindow    = 10 * time.Second // a browser back so soon after a direct login keeps no session
	replayWindow  = time.Minute      // how long a callback that comes again is the same login
	changeTries   = 100              // lost compare-and-sets before giving up
	codeFailures  = 10               // codes that WeChat may refuse, for one login
)

// A kind says who proves the identity: in a direct login the asking browser
// itself, in a scan login a phone does it for another browser.
type kind string

const (
	kindScan   kind = "scan"
	kindDirect kind = "direct"
)

// A purpose says what the attempt is for.
type purpose string

const (
	purposeLogin purpose = ""
	purposeLink  purpose = "link"  // adding a WeChat to the account of who is logged in
	purposePhone purpose = "phone" // proving a number to bind to it
)

// route is where an attempt for that begins.
func (p purpose) route() string {
	if p == purposeLogin {
		return "login"
	}
	return string(p)
}

// A state is one step of a login:
//
//	waiting -> scanned -> exchanging -> identified -> approved -> finished
//	                                    any of them -> denied
//
// A direct login skips scanned and approved. Expired is no state of its own: a
// login is expired when its time is over.
type loginState string

const (
	stateWaiting    loginState = "waiting"
	stateScanned    loginState = "scanned"
	stateExchanging loginState = "exchanging" // a callback is asking WeChat
	stateIdentified loginState = "identified"
	stateApproved   loginState = "approved"
	stateFinished   loginState = "finished"
	stateDenied     loginState = "denied"
)

// A round is one trip to WeChat: the base round gives the openid, the profile
// round nickname, picture and unionid.
type round byte

const (
	roundBase    round = '0'
	roundProfile round = '1'
)

// attempt is one login from its first request to its session. Its methods are
// the transitions; they check and change the value alone.
type attempt struct {
	ID      string
	version int64 // the store's; 0 if it was not read

	Kind     kind
	Purpose  purpose
	State    loginState
	AppID    string // the account whose codes it takes
	ReturnTo string
	Created  time.Time
	Expires  time.Time

	Asker      digest  // the browser that wants in
	Authorizer digest  // the browser that proves its identity
	From       origin  // what the asker looks like
	Number     int     // stands on both screens
	Claim      *claim  // while exchanging
	Person     *person // once identified

	Failures int // codes that came to nothing

	For     string     // the user it is for, unless it is a login
	ForName string     // what the pages call that user
	Code    *phoneCode // the last one that was sent

	Finished time.Time
}

// claim is a callback's right to exchange its code, which it alone holds until
// it gives it back or its time is over.
type claim struct {
	From  loginState // where a failed exchange returns to
	Until time.Time
}

// person is who WeChat says the authorizer is, and the user that this makes.
type person struct {
	Identity  Identity
	Nickname  string
	AvatarURL string
	Asked     bool   // for the profile; it may have said no
	UserID    string // empty while not registered
	Phone     string // proved in this attempt
	Bound     bool   // the user has a number, and it is not to be changed

	Profile *wechat.UserInfo // as WeChat told it; nil unless it was asked
	Token   *wechat.Token    // kept only for Config.OnLogin

	conflict bool // the openid is one user's and the unionid another's
}

// What can be wrong with a login.
var (
	errUnknown     = errors.New("scangate: unknown login")
	errExpired     = errors.New("scangate: the login has expired")
	errDenied      = errors.New("scangate: the login was denied")
	errInUse       = errors.New("scangate: another phone has this login")
	errExchanging  = errors.New("scangate: another callback is exchanging a code")
	errNotApproved = errors.New("scangate: the login is not approved")
	errFinished    = errors.New("scangate: the login is finished")
	errNoSession   = errors.New("scangate: the browser keeps no session")
)

// clone returns a copy whose changes a doesn't see.
func (a *attempt) clone() *attempt {
	c := *a
	c.Claim, c.Person, c.Code = cloned(a.Claim), cloned(a.Person), cloned(a.Code)
	return &c
}

// cloned returns a pointer to a copy of what p points to, or nil.
func cloned[T any](p *T) *T {
	if p == nil {
		return nil
	}
	c := *p
	return &c
}

// expired reports whether the login's time is over. One that is denied or
// finished stays so.
func (a *attempt) expired() bool {
	return a.State != stateDenied && a.State != stateFinished && !time.Now().Before(a.Expires)
}

// reusable reports whether the asker who comes again gets this login back.
func (a *attempt) reusable() bool {
	switch a.State {
	case stateWaiting:
		return time.Now().Before(a.renewAt())
	case stateDenied, stateFinished:
		return false
	default:
		return a.Kind == kindScan && !a.expired()
	}
}

// renewAt is when an unscanned QR code is to be replaced.
func (a *attempt) renewAt() time.Time {
	if at := a.Created.Add(renewAfter); at.Before(a.Expires) {
		return at
	}
	return a.Expires
}

// open returns why the login can't go on, or nil.
func (a *attempt) open() error {
	switch {
	case a.State == stateDenied:
		return errDenied
	case a.State == stateFinished:
		return errFinished
	case a.expired():
		return errExpired
	}
	return nil
}

// scanned notes that the QR code was opened, which uses nothing up. It reports
// whether that is news.
func (a *attempt) scanned() bool {
	if a.State != stateWaiting || a.Kind != kindScan {
		return false
	}
	a.State = stateScanned
	return true
}

// answered reports whether that round is over for the browser by, so that a
// callback that comes again goes on to the next step.
func (a *attempt) answered(by digest, r round) bool {
	return a.authorizedBy(by) && a.State != stateExchanging && (r == roundBase || a.Person.Asked)
}

// claim gives the browser by the right to exchange a code.
func (a *attempt) claim(by digest, r round) error {
	if a.Kind == kindDirect && a.Asker != by {
		return errUnknown
	}
	if err := a.open(); err != nil {
		return err
	}
	if a.State == stateExchanging {
		return errExchanging
	}
	from := a.State
	switch {
	case a.Failures >= codeFailures:
		return errTooMany
	case a.Person != nil && a.Authorizer != by:
		return errInUse
	case r == roundBase && a.Person == nil, r == roundProfile && from == stateIdentified:
		a.State = stateExchanging
		a.Claim = &claim{From: from, Until: time.Now().Add(exchangeLease)}
		a.Authorizer = by
		return nil
	}
	return errUnknown
}

// holds reports whether c is still the claim on the login.
func (a *attempt) holds(c claim) bool {
	return a.State == stateExchanging && a.Claim.Until.Equal(c.Until)
}

// release gives the claim back after a failed exchange: the login is as open as
// before.
func (a *attempt) release(c claim) error {
	if !a.holds(c) {
		return errUnchanged
	}
	a.Failures++
	a.unclaim()
	return nil
}

// unclaim takes the attempt back to where the claim was made.
func (a *attempt) unclaim() {
	a.State, a.Claim = a.Claim.From, nil
	if a.Person == nil {
		a.Authorizer = digest{}
	}
}

// lapse ends a claim whose callback has died.
func (a *attempt) lapse() {
	if a.State == stateExchanging && !time.Now().Before(a.Claim.Until) {
		a.unclaim()
	}
}

// identify ends the claim with what WeChat said.
func (a *attempt) identify(c claim, who person) error {
	if err := a.open(); err != nil {
		return err
	}
	if !a.holds(c) {
		return errInUse
	}
	if a.Person == nil {
		a.Expires = time.Now().Add(identifiedTTL)
	}
	a.State, a.Claim, a.Person = stateIdentified, nil, &who
	return nil
}

// skipProfile notes that the person does not want WeChat to tell their user info.
func (a *attempt) skipProfile() error {
	if err := a.open(); err != nil {
		return err
	}
	a.Person.Asked = true
	return nil
}

// registered notes which user the application's own registration has made of the
// person. Once they have gone on, it changes nothing.
func (a *attempt) registered(who person) error {
	if err := a.open(); err != nil {
		return err
	}
	if a.State != stateIdentified {
		return errUnchanged
	}
	a.Person.UserID, a.Person.Nickname, a.Person.Bound = who.UserID, who.Nickname, who.Bound
	return nil
}

// login is what Config.OnLogin is told.
func (p *person) login(user User) Login {
	l := Login{User: user, Profile: wechat.UserInfo{OpenID: p.Identity.OpenID, UnionID: p.Identity.UnionID}}
	if p.Profile != nil {
		l.Profile = *p.Profile
	}
	if p.Token != nil {
		l.Token = *p.Token
	}
	return l
}

// key names the person in the tallies of codes.
func (p *person) key() string {
	if p.UserID != "" {
		return "user " + p.UserID
	}
	return "openid " + p.Identity.AppID + " " + p.Identity.OpenID
}

// authorizedBy reports whether the browser by proved its identity for this login,
// and so may take the authorizer's steps.
func (a *attempt) authorizedBy(by digest) bool { return a.Person != nil && a.Authorizer == by }

// needsAnswer reports whether the person is asked before anything happens: whether
// they mean to let another browser in, or to add a WeChat to an account.
func (a *attempt) needsAnswer() bool { return a.Kind == kindScan || a.Purpose == purposeLink }

// approve lets the asker in.
func (a *attempt) approve() error {
	if err := a.open(); err != nil {
		return err
	}
	if a.State != stateIdentified || a.Person.UserID == "" {
		return errNotApproved
	}
	a.State = stateApproved
	if until := time.Now().Add(approvedTTL); until.Before(a.Expires) {
		a.Expires = until
	}
	return nil
}

// deny is final.
func (a *attempt) deny() error {
	if err := a.open(); err != nil {
		return err
	}
	a.State = stateDenied
	a.forget()
	return nil
}

// forget drops what nobody needs to know any more.
func (a *attempt) forget() {
	a.Code = nil
	if a.Person != nil {
		a.Person.Token, a.Person.Profile = nil, nil
	}
}

// ready returns why the login can't end in a session, or nil. A direct login
// needs no approval, for its asker is its authorizer; and its callback, which
// WeChat may send twice, can end it again for a while.
func (a *attempt) ready() error {
	from := stateApproved
	if !a.needsAnswer() {
		from = stateIdentified
		if a.State == stateFinished && time.Since(a.Finished) < replayWindow {
			return nil
		}
	}
	if err := a.open(); err != nil {
		return err
	}
	if a.State != from {
		return errNotApproved
	}
	return nil
}

// finish is the one step to a session.
func (a *attempt) finish() error {
	if err := a.ready(); err != nil {
		return err
	}
	if a.State == stateFinished {
		return errUnchanged
	}
	if a.Person.UserID == "" {
		return errNotApproved
	}
	a.State, a.Finished = stateFinished, time.Now()
	if a.Kind == kindScan { // a direct login's callback may come again, and ask OnLogin again
		a.forget()
	}
	return nil
}

// word is the state as the asker is told it: nothing about the person, nor about
// what the phone is doing.
func (a *attempt) word() string {
	switch {
	case a.expired():
		return "expired"
	case a.State == stateExchanging, a.State == stateIdentified:
		return string(stateScanned)
	case a.State == stateFinished:
		return string(stateApproved)
	default:
		return string(a.State)
	}
}
