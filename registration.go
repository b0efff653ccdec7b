package scangate

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/scangate/scangate/internal/login"
	"github.com/scangate/scangate/internal/state"
	"github.com/scangate/scangate/wechat"
)

// registrar turns a code of WeChat's into a person, and a person into a user. It looks the
// person up by their identity or their proved phone number, and registers, links or binds
// as the configuration allows. It is independent of HTTP.
type registrar struct {
	users        UserStore
	state        state.Store // for locks
	accounts     accounts
	logger       *slog.Logger
	mode         RegistrationMode
	fetchProfile bool
	requirePhone bool
	terms        string // the versions of Config.Pages.Terms
	keepToken    bool   // in the login, for Config.OnLogin
	otherLogin   bool   // Config.CurrentUser is set: users have a way in besides WeChat
}

// identify exchanges a code and returns the authorizer: an identity, and the user who
// has it if there is one. For a new person it adds as much of a profile as the
// configuration and the person's consent allow.
func (r *registrar) identify(ctx context.Context, l *login.Login, scope login.Scope, code string) (login.Person, error) {
	client := r.accounts.web(l)
	if client == nil {
		return login.Person{}, login.ErrUnknown // the configuration has changed since the login began
	}
	token, err := client.Exchange(ctx, code)
	before := l.Person().Identity.OpenID
	switch {
	case err != nil:
		return login.Person{}, rejection(wechatError("exchanging the code", err))
	case token.SnapshotUser:
		return login.Person{}, &login.RejectedError{Reason: reasonSnapshot, Err: errSnapshot}
	case before != "" && before != token.OpenID && !l.Bound():
		return login.Person{}, &login.RejectedError{Reason: reasonChat, Err: errOtherChat}
	case before != "" && before != token.OpenID:
		return login.Person{}, &login.RejectedError{Reason: reasonOther, Err: errOtherPerson}
	}
	r.logOddities(ctx, "exchange", token.Oddities)
	who := login.Person{
		Identity: login.Identity{AppID: client.AppID(), OpenID: token.OpenID, UnionID: token.UnionID},
		Asked:    scope == login.ScopeProfile || l.Person().Asked,
	}
	if token.UnionID == "" {
		who.Identity.UnionID = l.Person().Identity.UnionID // the account has looked it up
	}
	if r.keepToken {
		who.Token = &token
	}
	if l.Purpose() == login.PurposeLink {
		// Whether another user owns the identity is checked at approval.
		who.UserID, _ = l.Target()
		return who, nil
	}
	if err := r.lookupUser(ctx, &who); err != nil || who.UserID != "" {
		return who, err
	}
	return who, r.addProfile(ctx, client, token, &who)
}

// The reasons of a [login.RejectedError], as logins store them.
const (
	reasonWeChat   = "wechat"
	reasonRestart  = "restart"
	reasonSnapshot = "snapshot"
	reasonOther    = "other"
	reasonChat     = "chat"
)

// rejection marks an error of WeChat's. The code is of no use any more if WeChat rejected
// it, or may have used it up before the time was over.
func rejection(err error) error {
	rejected := &login.RejectedError{Err: err}
	var timeout interface{ Timeout() bool }
	if errors.As(err, &timeout) && timeout.Timeout() {
		rejected.Reason = reasonWeChat
	}
	if errors.Is(err, errCodeRejected) {
		rejected.Reason = reasonRestart
	}
	if rejected.Reason == "" {
		return err // WeChat could not be reached or is busy: it has not rejected the code
	}
	return rejected
}

// rejectionCause returns the cause of a rejection that was read from the store, and any
// other error as it is.
func rejectionCause(err error) error {
	stored := (*login.RejectedError)(nil)
	if !errors.As(err, &stored) || stored.Err != nil {
		return err
	}
	switch stored.Reason {
	case reasonRestart:
		return errCodeRejected
	case reasonSnapshot:
		return errSnapshot
	case reasonOther:
		return errOtherPerson
	case reasonChat:
		return errOtherChat
	}
	return errWeChat
}

// The reasons in a login's record that the gate reads. All reasons are codes of failures,
// except refusalNumber.
const (
	// refusalDisabled means that the person is a disabled user.
	refusalDisabled = "disabled"
	// refusalNumber means that the person has proved the number of a disabled user. They may
	// prove another number.
	refusalNumber = "disabled_number"
	// refusalWeChat means that the unionid of a person in a chat could not be looked up.
	refusalWeChat = "wechat"
)

// refusalCode returns the code of the failure that a reason in a login's record stands for.
func refusalCode(reason string) string {
	if reason == refusalNumber {
		return refusalDisabled // the page and the chat show the same text
	}
	return reason
}

// addProfile notes that a new person was asked for user info, if the token's scope shows
// that. It fetches it with Registration.FetchProfile, or if the unionid is needed. Without
// an answer of WeChat's the person goes on without a profile, because the openid is known,
// unless the unionid is needed.
func (r *registrar) addProfile(ctx context.Context, client *wechat.Client, token wechat.Token, who *login.Person) error {
	// A website application has one scope, even if WeChat's answer lacks it.
	scoped := client == r.accounts.website || token.HasScope(wechat.ScopeUserInfo) || token.HasScope(wechat.ScopeLogin)
	// A person who may be a user of the other account has shared their user info only if
	// WeChat returns it. They can edit the scope in the address of WeChat's page.
	recognize := r.lacksUnionID(*who) && (who.Asked || scoped)
	if !scoped && !recognize {
		return nil
	}
	who.Asked = true
	if !r.fetchProfile && !recognize {
		return nil
	}
	info, err := client.UserInfo(ctx, token.AccessToken, token.OpenID)
	switch {
	case err == nil:
	case errors.Is(err, wechat.ErrIdentity), recognize:
		// One person must not become two users: the user info would have shown whether
		// they are a user of the other account.
		return &login.RejectedError{Reason: reasonWeChat, Err: wechatError("fetching the user info", err)}
	default:
		r.logger.WarnContext(ctx, "scangate: a person continues without their user info", "error", publicError(err))
		return nil
	}
	r.logOddities(ctx, "userinfo", info.Oddities)
	if r.fetchProfile {
		who.Profile = &info
		who.Nickname = cleanNickname(info.Nickname)
		who.AvatarURL = cleanAvatarURL(info.HeadImgURL)
	}
	if info.UnionID == who.Identity.UnionID || info.UnionID == "" {
		return nil
	}
	// The unionid is new, and may belong to a user who logged in by the other account.
	who.Identity.UnionID = info.UnionID
	return r.lookupUser(ctx, who)
}

// isOtherUser reports whether the person of a fresh login is not its target. A person
// whose unionid is not known yet may be the target.
func (r *registrar) isOtherUser(l *login.Login) bool {
	who := l.Person()
	return !l.OfTarget() && (who.Asked || l.Learned() || !r.lacksUnionID(who))
}

// needsProfile reports whether to ask a new person for nickname and picture.
func (r *registrar) needsProfile(who login.Person) bool {
	return r.fetchProfile && who.UserID == "" && !who.Asked
}

// lacksUnionID reports whether a new person may be a user by another account, which
// only the unionid in their user info can show.
func (r *registrar) lacksUnionID(who login.Person) bool {
	return r.accounts.several() && who.UserID == "" && who.Identity.UnionID == ""
}

// mustRecognize reports whether a new person has to share their user info, because only its
// unionid can show whether they are a user. A person who has shared it without a unionid has
// none: WeChat returns it to bound accounts only.
func (r *registrar) mustRecognize(l *login.Login) bool {
	return r.lacksUnionID(l.Person()) && !l.Person().Asked && !l.Learned()
}

// logOddities logs the parts of WeChat's answer that the client tolerated.
func (r *registrar) logOddities(ctx context.Context, call string, odd []string) {
	if len(odd) > 0 {
		r.logger.WarnContext(ctx, "scangate: WeChat's answer is not as documented", "call", call, "odd", strings.Join(odd, ", "))
	}
}

// needsPhone reports whether the person must prove a phone number.
func (r *registrar) needsPhone(l *login.Login) bool {
	who := l.Person()
	switch {
	case l.Purpose() == login.PurposeLink, who.HasPhone:
		return false
	case l.Purpose() == login.PurposePhone:
		return true
	case who.UserID == "" && r.mode == RegisterByPhone:
		return true
	}
	return r.requirePhone
}

// lacksTerms reports whether the person has still to agree to the terms. Links and phone
// numbers of logged-in users need no agreement.
func (r *registrar) lacksTerms(l *login.Login) bool {
	return r.terms != "" && l.Purpose() == login.PurposeLogin && l.Agreed() != r.terms
}

// needsTerms reports whether a new person must agree on a page of its own: the next step
// registers them, or asks for their phone number. The confirm page asks all others.
func (r *registrar) needsTerms(l *login.Login) bool {
	return r.lacksTerms(l) && l.Person().UserID == "" && (l.Kind() == login.SameDevice || r.needsPhone(l))
}

// lookupUser fills in the user who has the person's identity, if there is one, and
// links the parts of the identity that are new.
func (r *registrar) lookupUser(ctx context.Context, who *login.Person) error {
	user, err := r.users.FindByWeChat(ctx, Identity(who.Identity))
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return wrap("looking an identity up", err)
	}
	who.UserID, who.Nickname, who.HasPhone = user.ID, cleanNickname(user.Nickname), user.Phone != ""
	if user.Disabled {
		who.Refusal = refusalDisabled
	}
	if hasIdentity(user, Identity(who.Identity)) {
		return nil
	}
	err = r.users.LinkWeChat(ctx, user.ID, Identity(who.Identity))
	if errors.Is(err, ErrIdentityTaken) {
		// The openid belongs to one user and the unionid to another. The openid decides:
		// two users are never merged silently.
		who.Conflict = true
		return nil
	}
	return wrap("linking an identity", err)
}

// hasIdentity reports whether linking the identity to the user would change nothing.
func hasIdentity(user User, who Identity) bool {
	for _, has := range user.Identities {
		if has.AppID == who.AppID && has.OpenID == who.OpenID {
			return who.UnionID == "" || has.UnionID == who.UnionID
		}
	}
	return false
}

// enrollment is the user that a person has become, and the event that reports it.
type enrollment struct {
	userID string
	event  EventName // EventRegistered, EventLinked or EventBound; "" if nothing changed
}

// register makes a user of a new person.
func (r *registrar) register(ctx context.Context, who login.Person) (enrollment, error) {
	if r.mode != RegisterOpen {
		return enrollment{}, errNotRegistered
	}
	user, err := r.users.Register(ctx, newUser(who))
	if errors.Is(err, ErrIdentityTaken) {
		// Another request has just registered the same person.
		user, err = r.users.FindByWeChat(ctx, Identity(who.Identity))
		return enrollment{userID: user.ID}, wrap("looking an identity up", err)
	}
	return enrollment{user.ID, EventRegistered}, wrap("registering", err)
}

// newUser returns the person as a store registers them.
func newUser(who login.Person) NewUser {
	return NewUser{Identity: Identity(who.Identity), Phone: who.Phone, Nickname: who.Nickname, AvatarURL: who.AvatarURL}
}

// checkOwner returns errWeChatInUse if the identity belongs to a user other than the
// one with that ID.
func (r *registrar) checkOwner(ctx context.Context, who Identity, userID string) error {
	owner, err := r.users.FindByWeChat(ctx, who)
	switch {
	case errors.Is(err, ErrNotFound), err == nil && owner.ID == userID:
		return nil
	case err != nil:
		return wrap("looking an identity up", err)
	}
	return errWeChatInUse
}

// link adds the identity to the user with that ID.
func (r *registrar) link(ctx context.Context, userID string, who Identity) error {
	err := r.users.LinkWeChat(ctx, userID, who)
	if errors.Is(err, ErrIdentityTaken) {
		return errWeChatInUse
	}
	return wrap("linking an identity", err)
}

// The times of one unlinking.
const (
	unlinkTime = 10 * time.Second // for its calls to the user store
	// unlinkLock is how long it locks out another one, unless it ends earlier. The rest
	// is for a change that the user store still makes after its call was given up.
	unlinkLock = 30 * time.Second
)

// unlink removes the identity from the user with that ID.
func (r *registrar) unlink(ctx context.Context, id string, who Identity) error {
	// One request at a time: two could each see two identities, and remove both.
	lock, err := r.lock(ctx, "unlink:"+id, unlinkLock)
	if err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, unlinkTime)
	defer cancel()
	defer func() {
		// After a call that was given up, the user store may still remove the identity.
		// The lock then stays until its time is over.
		if !errors.Is(limited.Err(), context.DeadlineExceeded) {
			r.unlock(ctx, lock)
		}
	}()
	user, err := r.users.FindByWeChat(limited, who)
	switch {
	case errors.Is(err, ErrNotFound), err == nil && user.ID != id:
		return login.ErrUnknown
	case err != nil:
		return wrap("looking an identity up", err)
	case len(user.Identities) < 2 && !r.otherLogin:
		return errLastIdentity
	case limited.Err() != nil: // the store ignores its context
		return wrap("looking an identity up", limited.Err())
	}
	return wrap("unlinking", r.users.UnlinkWeChat(limited, id, who))
}

// heldLock is a lock that one request holds.
type heldLock struct {
	key   string
	owner []byte // random, so that no other request releases the lock
}

// lock takes the lock of that name for the time ttl, unless it is released earlier. It
// returns errTooMany if another request holds it.
func (r *registrar) lock(ctx context.Context, name string, ttl time.Duration) (heldLock, error) {
	l := heldLock{state.LockKey(name), []byte(rand.Text())}
	err := r.state.Create(ctx, l.key, l.owner, ttl)
	if errors.Is(err, ErrExists) {
		return l, errTooMany
	}
	return l, wrap("taking a lock", err)
}

// unlock releases a lock, even if its request has ended. It leaves a lock alone that
// another request has taken since.
func (r *registrar) unlock(ctx context.Context, l heldLock) {
	ctx = context.WithoutCancel(ctx)
	owner, version, err := r.state.Load(ctx, l.key)
	if err == nil && bytes.Equal(owner, l.owner) {
		// A StateStore cannot delete a record; it can let one expire.
		err = r.state.Update(ctx, l.key, version, nil, time.Nanosecond)
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		r.logger.WarnContext(ctx, "scangate: a lock could not be released", "error", publicError(err))
	}
}

// bindPhone makes the number that the person has proved theirs, and returns the user
// that this makes them. A new person whose number belongs to a user becomes that user,
// unless that user is known to be another person; see becomeOwner.
func (r *registrar) bindPhone(ctx context.Context, who login.Person) (enrollment, error) {
	if who.UserID != "" {
		err := r.users.BindPhone(ctx, who.UserID, who.Phone)
		if errors.Is(err, ErrPhoneTaken) {
			return enrollment{}, errPhoneInUse
		}
		return enrollment{who.UserID, EventBound}, wrap("binding a number", err)
	}
	if r.mode == RegisterClosed {
		return enrollment{}, errNotRegistered
	}
	owner, err := r.users.FindByPhone(ctx, who.Phone)
	switch {
	case err == nil:
		return r.becomeOwner(ctx, owner, who)
	case !errors.Is(err, ErrNotFound):
		return enrollment{}, wrap("looking a number up", err)
	case r.mode != RegisterOpen:
		return enrollment{}, errNotRegistered
	}
	user, err := r.users.Register(ctx, newUser(who))
	switch {
	case errors.Is(err, ErrPhoneTaken), errors.Is(err, ErrIdentityTaken):
		return r.bindRaced(ctx, who)
	case err != nil:
		return enrollment{}, wrap("registering", err)
	}
	return enrollment{user.ID, EventRegistered}, nil
}

// becomeOwner makes the person the user who has their number. It returns errPhoneInUse if
// that user has another WeChat identity of the same account, or another unionid.
func (r *registrar) becomeOwner(ctx context.Context, owner User, who login.Person) (enrollment, error) {
	if owner.Disabled {
		return enrollment{}, errDisabled // otherwise the identity would be in once the user is enabled again
	}
	// Operators give numbers to new owners. The code proves the number, not the person.
	if isAnotherPerson(owner, who.Identity.UnionID) {
		return enrollment{}, errPhoneInUse
	}
	err := r.users.LinkWeChat(ctx, owner.ID, Identity(who.Identity))
	if errors.Is(err, ErrIdentityTaken) {
		return enrollment{}, errPhoneInUse
	}
	return enrollment{owner.ID, EventLinked}, wrap("linking an identity", err)
}

// isAnotherPerson reports whether the user has unionids, and that one is not among them.
// An empty unionid proves nothing.
func isAnotherPerson(user User, unionID string) bool {
	another := false
	for _, has := range user.Identities {
		if has.UnionID == unionID {
			return false
		}
		another = another || has.UnionID != ""
	}
	return another && unionID != ""
}

// bindRaced retries bindPhone after losing a race to register the identity or the
// number.
func (r *registrar) bindRaced(ctx context.Context, who login.Person) (enrollment, error) {
	owner, err := r.users.FindByPhone(ctx, who.Phone)
	if err == nil {
		return r.becomeOwner(ctx, owner, who)
	}
	if !errors.Is(err, ErrNotFound) {
		return enrollment{}, wrap("looking a number up", err)
	}
	user, err := r.users.FindByWeChat(ctx, Identity(who.Identity))
	if errors.Is(err, ErrNotFound) {
		// Such as a row that was deleted softly, and still has the number in a unique index.
		return enrollment{}, wrap("registering", errors.New("Users.Register finds the number or the identity taken, and no user has either"))
	}
	if err != nil {
		return enrollment{}, wrap("looking an identity up", err)
	}
	if user.Phone != "" && user.Phone != who.Phone {
		return enrollment{userID: user.ID}, nil // the other request's number came first
	}
	return enrollment{user.ID, EventBound}, wrap("binding a number", r.users.BindPhone(ctx, user.ID, who.Phone))
}
