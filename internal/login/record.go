package login

import "time"

// record is what a store holds of a login. Its methods are the steps: each checks
// whether it is allowed and then changes the record, so that a refused step leaves
// the record as it was.
type record struct {
	ID string
	Request

	State   State
	Created time.Time
	Expires time.Time

	Authorizer Digest    // of the authorizing browser's key
	Number     int       // shown on both screens
	Salt       string    // of the session's token
	Lease      *lease    // while exchanging
	Tried      bool      // a callback has had the lease
	Failures   int       // exchanges that WeChat rejected
	Rejected   *rejected // the last code that WeChat rejected
	Person     *Person   // once identified
	Code       *code     // the last one-time code that was sent
	Agreed     string    // the versions of the terms that the person has agreed to
	Chat       *chat     // of a login that is authorized in a chat, once it has a code or digits

	Decided  time.Time // approved or denied
	Finished time.Time
	Closed   bool // its session was ended or refused: a repeated request must not begin it again
	Unbegun  bool // it is finished, but its session could not be written
}

// rejected is a code that must not be exchanged again, and why.
type rejected struct {
	Code   Digest
	Reason string
}

// lease is one callback's exclusive right to exchange a code.
type lease struct {
	From  State // the state that a failed exchange returns to
	Until time.Time
}

// clone returns a copy that shares nothing that a step changes.
func (r *record) clone() *record {
	c := *r
	c.Lease, c.Person, c.Code, c.Rejected, c.Chat = cloned(r.Lease), cloned(r.Person), cloned(r.Code), cloned(r.Rejected), cloned(r.Chat)
	return &c
}

func cloned[T any](p *T) *T {
	if p == nil {
		return nil
	}
	c := *p
	return &c
}

func (r *record) expired() bool {
	over := r.State == StateDenied || r.State == StateFinished || r.State == StateReplaced
	return !over && !time.Now().Before(r.Expires)
}

// keptFor returns how long the store keeps the record from now on.
func (r *record) keptFor() time.Duration {
	if r.State == StateDenied || r.State == StateFinished {
		return endedTTL
	}
	return max(time.Until(r.Expires), 0) + goneAfter
}

func (r *record) open() error {
	switch {
	case r.State == StateDenied:
		return ErrDenied
	case r.State == StateFinished:
		return ErrFinished
	case r.State == StateReplaced:
		return ErrReplaced
	case r.expired():
		return ErrExpired
	}
	return nil
}

// identified returns nil while the login is open and has a person, as the steps of
// the authorizer require.
func (r *record) identified() error {
	if err := r.open(); err != nil {
		return err
	}
	if r.Person == nil {
		return ErrUnknown
	}
	return nil
}

func (r *record) authorizedBy(browser Digest) bool {
	return r.Person != nil && r.bound() && r.Authorizer == browser
}

func (r *record) needsConsent() bool { return r.Kind == CrossDevice || r.Purpose == PurposeLink }

// ofTarget reports whether the person may complete the login: a fresh login is for its
// target only.
func (r *record) ofTarget() bool {
	return !r.Fresh || r.Person != nil && r.Person.UserID == r.TargetUserID
}

func (r *record) renewAt() time.Time {
	if r.Chat != nil && r.Chat.Digits != "" {
		return r.Expires // a person is typing them, and needs longer than for a scan
	}
	if at := r.Created.Add(renewAfter); at.Before(r.Expires) {
		return at
	}
	return r.Expires
}

// reusable reports whether an initiator that returns gets this login back.
func (r *record) reusable() bool {
	switch {
	case r.open() != nil, r.Person != nil && r.Person.Refusal != "":
		return false
	case r.Person == nil && r.State != StateExchanging:
		return time.Now().Before(r.renewAt()) && (r.State == StateWaiting || r.Kind == CrossDevice)
	default:
		return r.Kind == CrossDevice
	}
}

// scan marks the QR code as opened. That consumes nothing: link checkers open it too.
func (r *record) scan() error {
	if r.State != StateWaiting || r.Kind != CrossDevice {
		return ErrRepeated
	}
	r.State = StateScanned
	return nil
}

// exchanged reports whether the browser has exchanged a code of that scope, so that a
// repeated callback goes on to the next step.
func (r *record) exchanged(browser Digest, s Scope) bool {
	return r.authorizedBy(browser) && r.State != StateExchanging && (s == ScopeBase || r.Person.Asked)
}

// claim gives the browser the lease on the exchange of that code.
func (r *record) claim(browser Digest, s Scope, code Digest) error {
	if r.exchanged(browser, s) {
		return ErrRepeated
	}
	// Another browser's same-device login is indistinguishable from an unknown one.
	if r.Kind == SameDevice && r.Initiator != browser {
		return ErrUnknown
	}
	switch err := r.open(); {
	case err != nil:
		return err
	case r.State == StateExchanging:
		return ErrExchanging
	case r.Rejected != nil && r.Rejected.Code == code:
		return &RejectedError{Reason: r.Rejected.Reason}
	case r.Failures >= maxFailures:
		return ErrTooManyFailures
	case r.bound() && r.Authorizer != browser:
		return ErrInUse
	}
	first := s == ScopeBase && r.Person == nil && !r.inChat()
	second := s == ScopeProfile && r.State == StateIdentified && r.bound()
	// The browser of a person whom a chat has identified proves that it is theirs.
	proof := s == ScopeBase && r.State == StateIdentified && r.inChat() && !r.bound()
	if !first && !second && !proof {
		return ErrUnknown
	}
	r.Lease = &lease{From: r.State, Until: time.Now().Add(leaseTime)}
	if proof {
		r.Chat.Proving = true
	}
	r.State, r.Authorizer, r.Tried = StateExchanging, browser, true
	return nil
}

// holds reports whether held is the lease in force. Leases differ by their end.
func (r *record) holds(held lease) bool {
	return r.State == StateExchanging && r.Lease.Until.Equal(held.Until)
}

// release ends a lease whose exchange has failed. The login is as open as before. If
// WeChat rejected the code for good, the record remembers it.
func (r *record) release(held lease, by *RejectedError, code Digest) error {
	if !r.holds(held) {
		return ErrRepeated
	}
	if by != nil {
		r.Failures++
	}
	if by != nil && by.Reason != "" {
		r.Rejected = &rejected{Code: code, Reason: by.Reason}
	}
	r.endLease()
	return nil
}

// lapse ends a lease whose holder has died.
func (r *record) lapse() {
	if r.State == StateExchanging && !time.Now().Before(r.Lease.Until) {
		r.endLease()
	}
}

func (r *record) endLease() {
	if r.Person == nil || !r.bound() {
		r.Authorizer = Digest{} // or the next phone would find the login in use
	}
	if r.Chat != nil {
		r.Chat.Proving = false
	}
	r.State, r.Lease = r.Lease.From, nil
}

// identify ends a lease with the person whom WeChat vouches for.
func (r *record) identify(held lease, who Person) error {
	if err := r.open(); err != nil {
		return err
	}
	if !r.holds(held) {
		return ErrInUse
	}
	if r.Person == nil {
		r.Expires = time.Now().Add(identifiedTTL)
	}
	r.State, r.Lease, r.Person = StateIdentified, nil, &who
	if r.Chat != nil {
		r.Chat.Proving, r.Chat.Echoes = false, nil // the browser is the person's
	}
	return nil
}

// skipProfile notes that the person does not share their user info.
func (r *record) skipProfile() error {
	if err := r.identified(); err != nil {
		return err
	}
	r.Person.Asked = true
	return nil
}

// recognize notes the user that the person became by the application's own
// registration.
func (r *record) recognize(who Person) error {
	if err := r.identified(); err != nil {
		return err
	}
	if r.State != StateIdentified {
		return ErrRepeated // the person has gone on
	}
	r.Person.UserID, r.Person.Nickname, r.Person.HasPhone = who.UserID, who.Nickname, who.HasPhone
	r.Person.Refusal = ""
	return nil
}

// assignUser notes the user that the gate has registered for the person.
func (r *record) assignUser(id string) error {
	switch err := r.identified(); {
	case r.Person != nil && r.Person.UserID != "":
		return ErrRepeated
	case err != nil:
		return err
	case r.Fresh:
		return ErrNotApproved // its target is a user already
	}
	r.Person.UserID, r.Person.New, r.Person.Refusal = id, true, ""
	return nil
}

// bindPhone notes that the proved number is bound to a user, whom the person is from now
// on. It reads who.UserID and who.New.
func (r *record) bindPhone(who Person) error {
	if err := r.identified(); err != nil {
		return err
	}
	if r.Fresh && who.UserID != r.TargetUserID {
		return ErrNotApproved
	}
	r.Person.UserID, r.Person.New = who.UserID, r.Person.New || who.New
	r.Person.HasPhone, r.Person.Refusal = true, ""
	return nil
}

// forgetPhone lets the person prove another number.
func (r *record) forgetPhone() error {
	if err := r.identified(); err != nil {
		return err
	}
	r.Person.Phone = ""
	return nil
}

// agree notes that the person agrees to those versions of the terms.
func (r *record) agree(terms string) error {
	switch err := r.identified(); {
	case err != nil:
		return err
	case r.Agreed == terms:
		return ErrRepeated
	case r.State == StateApproved:
		return ErrNotApproved // too late: the approval rests on other terms
	}
	r.Agreed = terms
	return nil
}

// refuse notes why the person cannot log in. The login stays open: the person may prove
// another phone number, or register meanwhile.
func (r *record) refuse(reason string) error {
	if err := r.identified(); err != nil {
		return err
	}
	if r.Person.Refusal == reason {
		return ErrRepeated
	}
	r.Person.Refusal = reason
	return nil
}

// replace ends a login whose initiator gets a newer one.
func (r *record) replace() error {
	if err := r.open(); err != nil {
		return err
	}
	r.State, r.Lease = StateReplaced, nil
	r.forget()
	return nil
}

// approve lets the initiator in.
func (r *record) approve() error {
	if r.State == StateFinished && time.Since(r.Decided) < replayWindow {
		return ErrRepeated // the initiator was faster than the repeated request
	}
	if err := r.open(); err != nil {
		return err
	}
	if r.State == StateApproved && time.Since(r.Decided) < replayWindow {
		return ErrRepeated
	}
	if r.State != StateIdentified || r.Person.UserID == "" || r.Person.Refusal != "" || !r.ofTarget() {
		return ErrNotApproved
	}
	r.State, r.Decided = StateApproved, time.Now()
	if until := time.Now().Add(approvedTTL); until.Before(r.Expires) {
		r.Expires = until
	}
	return nil
}

// deny ends the login for good.
func (r *record) deny() error {
	if r.State == StateDenied && time.Since(r.Decided) < replayWindow {
		return ErrRepeated
	}
	if err := r.open(); err != nil {
		return err
	}
	r.State, r.Decided = StateDenied, time.Now()
	r.forget()
	return nil
}

// forget drops the secrets that no later request needs.
func (r *record) forget() {
	r.Code = nil
	if r.Person != nil {
		r.Person.Token, r.Person.Profile = nil, nil
	}
}

func (r *record) ready() error {
	from := StateApproved
	if !r.needsConsent() {
		// The initiator is the authorizer, so there is nothing to approve.
		from = StateIdentified
	}
	if r.State == StateFinished && !r.Closed && time.Since(r.Finished) < replayWindow {
		return nil // the same request again
	}
	if err := r.open(); err != nil {
		return err
	}
	if r.State != from {
		return ErrNotApproved
	}
	return nil
}

// finish is the one step to a session, which begins at the given time.
func (r *record) finish(at time.Time) error {
	switch err := r.ready(); {
	case err != nil:
		return err
	case r.State == StateFinished && r.Unbegun:
		r.Unbegun = false
		return nil
	case r.State == StateFinished:
		return ErrRepeated
	case r.Person.UserID == "" || !r.ofTarget():
		return ErrNotApproved
	}
	r.State, r.Finished = StateFinished, at
	r.Code = nil // the rest is kept, because OnLogin wants it for a repeated request too
	return nil
}

// close ends a finished login for good, with the session that it began.
func (r *record) close() error {
	if r.State != StateFinished || r.Closed {
		return ErrRepeated
	}
	r.Closed = true
	r.forget()
	return nil
}

// failSession notes that the session of a finished login could not be written.
func (r *record) failSession() error {
	if r.State != StateFinished || r.Closed || r.Unbegun {
		return ErrRepeated
	}
	r.Unbegun = true
	return nil
}

// refuseSession ends a finished login for good, because the application refuses its session.
func (r *record) refuseSession() error {
	if err := r.close(); err != nil {
		return err
	}
	r.Person.Refusal = sessionRefused
	return nil
}

// reopen returns a finished login to its approval.
func (r *record) reopen() error {
	if r.State != StateFinished {
		return ErrRepeated
	}
	r.State, r.Finished = StateApproved, time.Time{}
	return nil
}
